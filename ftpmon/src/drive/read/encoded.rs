//! Events as lines, made by each part of the engine on its own thread and merged to the one order of all.
//!
//! An event's number follows from those before it, in all parts: the line is made without it, and it is put in where the lines
//! are merged. That goes for formats in which an event's line depends on the event alone.

use std::sync::Arc;

use crate::config::Config;
use crate::format::{KindFilter, Unnumbered};
use crate::places::PlaceDatabases;
use ftpmon_core::detect::{Interest, Wanted};
use ftpmon_core::engine::{Engine, Order, Output};
use ftpmon_event::{Event, EventKind, Origin, SensorStop, StopReason};

/// Bytes of lines that a part makes room for at first.
const TEXT_BYTES: usize = 128 << 10;

/// The position of a line among those of all parts. An alert comes directly behind the event that it is about: a line has the
/// number of events before it that have the same order and that a detector has to see.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    order: Order,
    sightings: u32,
}

/// Lines of one part of the engine, by route.
#[derive(Default)]
pub(super) struct Encoded {
    routes: Vec<RouteLines>,
    /// Events that a detector has to see, in the order of the part.
    sightings: Vec<Sighting>,
}

/// An event that a detector has to see.
struct Sighting {
    at: Position,
    interest: Interest,
    event: Event,
}

/// Lines of one route, in the order of the part.
#[derive(Default)]
struct RouteLines {
    text: Vec<u8>,
    lines: Vec<Line>,
    runs: Vec<Run>,
}

#[derive(Clone, Copy)]
struct Line {
    /// The position of its number.
    number: usize,
    end: usize,
}

/// Lines that have one place in the order of all parts.
#[derive(Clone, Copy)]
struct Run {
    at: Position,
    /// Lines up to its end.
    end: usize,
}

impl RouteLines {
    /// Room for the lines of a batch of packets as captures of FTP have them.
    fn with_room() -> Self {
        Self { text: Vec::with_capacity(TEXT_BYTES), ..Self::default() }
    }

    /// A line was written, whose number is to stand at `number`.
    #[inline]
    fn add(&mut self, at: Position, number: usize) {
        self.lines.push(Line { number, end: self.text.len() });
        let end = self.lines.len();
        match self.runs.last_mut() {
            Some(run) if run.at == at => run.end = end,
            _ => self.runs.push(Run { at, end }),
        }
    }
}

/// Turns the events of one part of the engine to lines.
pub(super) struct PartEncoder {
    encoders: Vec<(KindFilter, Box<dyn Unnumbered + Send>)>,
    wanted: Wanted,
    places: Option<Arc<PlaceDatabases>>,
    /// The position of the next line, if it has the same order as the one before.
    next: Option<Position>,
    encoded: Encoded,
    /// The room of lines that were written.
    emptied: Vec<Encoded>,
}

impl PartEncoder {
    /// One for the routes of `config`. None where a route's format, or a file that is to be stored first, makes events wait
    /// for those of other parts.
    pub(super) fn new(
        config: &Config,
        origin: &Origin,
        wanted: Wanted,
        places: Option<Arc<PlaceDatabases>>,
    ) -> Option<Self> {
        if config.store().is_some() {
            return None;
        }
        let encoder = |route: &crate::config::RouteConfig| {
            if route.syslog().is_some() || !route.is_plain() {
                return None;
            }
            Some((KindFilter::only(&route.events), route.format.unnumbered(origin)?))
        };
        let encoders: Vec<_> = config.routes().iter().map(encoder).collect::<Option<_>>()?;
        Some(Self { encoders, wanted, places, next: None, encoded: Encoded::default(), emptied: Vec::new() })
    }

    /// Turns the events that wait to lines.
    pub(super) fn encode(&mut self, engine: &mut Engine) {
        engine.release_outputs(|order, output| {
            let Output::Event(event) = output else { return };
            if let Some(places) = &self.places {
                places.add_to(event);
            }
            let begun = self.next.filter(|next| next.order == order);
            let mut at = begun.unwrap_or(Position { order, sightings: 0 });
            self.add(at, event);
            let interest = self.wanted.interest(event);
            if !interest.is_none() {
                self.encoded.sightings.push(Sighting { at, interest, event: take(event) });
                at.sightings += 1;
            }
            self.next = Some(at);
        });
    }

    /// Turns an event to lines.
    #[inline]
    fn add(&mut self, at: Position, event: &Event) {
        let Self { encoders, encoded: Encoded { routes, .. }, .. } = self;
        if routes.is_empty() {
            routes.resize_with(encoders.len(), RouteLines::with_room);
        }
        for ((filter, encoder), lines) in encoders.iter_mut().zip(routes.iter_mut()) {
            if filter.wants(&event.kind) {
                let number = encoder.unnumbered(event, &mut lines.text);
                lines.add(at, number);
            }
        }
    }

    /// The alerts about what the parts saw, as lines of one more part: `alerts_about` shows an event to the detectors that have to
    /// see it, and gives their alerts about it. None where there are none.
    pub(super) fn alerts(
        &mut self,
        parts: &mut [Encoded],
        mut alerts_about: impl FnMut(&Event, Interest, &mut dyn FnMut(&Event)),
    ) -> Option<Encoded> {
        // Those of each part are in order already.
        let mut waiting: Vec<_> = parts.iter().map(|part| part.sightings.as_slice()).collect();
        let first = |waiting: &[&[Sighting]]| {
            let firsts = waiting.iter().enumerate().filter_map(|(part, of)| Some((of.first()?.at, part)));
            firsts.min().map(|(_, part)| part)
        };
        while let Some(of) = first(&waiting).and_then(|part| waiting.get_mut(part)) {
            let Some((Sighting { at, interest, event }, rest)) = of.split_first() else { break };
            *of = rest;
            alerts_about(event, *interest, &mut |alert| self.add(*at, alert));
        }
        drop(waiting);
        parts.iter_mut().for_each(|part| part.sightings.clear());
        let any = self.encoded.routes.iter().any(|route| !route.lines.is_empty());
        any.then(|| self.take())
    }

    /// Takes the lines so far.
    pub(super) fn take(&mut self) -> Encoded {
        let mut next = self.emptied.pop().unwrap_or_default();
        if next.routes.is_empty() {
            // What comes next is about as much as this.
            let as_much = |it: &RouteLines| RouteLines {
                text: Vec::with_capacity(it.text.len() * 5 / 4),
                lines: Vec::with_capacity(it.lines.len() * 5 / 4),
                runs: Vec::with_capacity(it.runs.len() * 5 / 4),
            };
            next.routes = self.encoded.routes.iter().map(as_much).collect();
        }
        core::mem::replace(&mut self.encoded, next)
    }

    /// Takes back the room of lines that were written.
    pub(super) fn give_back(&mut self, mut spent: Encoded) {
        for RouteLines { text, lines, runs } in &mut spent.routes {
            text.clear();
            lines.clear();
            runs.clear();
        }
        spent.sightings.clear();
        self.emptied.push(spent);
    }
}

/// Takes an event that is freed next.
fn take(event: &mut Event) -> Event {
    let kind = EventKind::SensorStop(SensorStop { reason: StopReason::EndOfInput });
    core::mem::replace(event, Event { ts: event.ts, session: None, user: None, kind })
}

/// Calls something for each line of a route, in the order of all parts: with what stands before its number and what stands
/// behind it.
pub(super) fn for_each_line(parts: &[Encoded], route: usize, call: &mut dyn FnMut(&[u8], &[u8])) {
    let lines = parts.iter().filter_map(|part| part.routes.get(route));
    let mut cursors: Vec<Cursor<'_>> = lines.filter_map(Cursor::new).collect();
    // The part that is first gives its lines until another one is.
    while let Some((first, _)) = cursors.iter().enumerate().min_by_key(|(_, cursor)| cursor.run.at) {
        let others = cursors.iter().enumerate().filter(|(index, _)| *index != first);
        let limit = others.map(|(_, cursor)| cursor.run.at).min();
        let Some(cursor) = cursors.get_mut(first) else { return };
        let mut goes_on = cursor.pass_run(call);
        while goes_on && limit.is_none_or(|limit| cursor.run.at < limit) {
            goes_on = cursor.pass_run(call);
        }
        if !goes_on {
            cursors.swap_remove(first);
        }
    }
}

/// A place in the lines of a part.
struct Cursor<'a> {
    lines: &'a RouteLines,
    run: Run,
    later: core::slice::Iter<'a, Run>,
    /// Lines and bytes before it.
    line: usize,
    start: usize,
}

impl<'a> Cursor<'a> {
    /// At the first line, where there is one.
    fn new(lines: &'a RouteLines) -> Option<Self> {
        let mut later = lines.runs.iter();
        Some(Self { lines, run: *later.next()?, later, line: 0, start: 0 })
    }

    /// Passes the lines of a run. False where no run is left.
    fn pass_run(&mut self, call: &mut dyn FnMut(&[u8], &[u8])) -> bool {
        let text = &self.lines.text;
        for &Line { number, end } in self.lines.lines.get(self.line..self.run.end).unwrap_or_default() {
            let before = text.get(self.start..number).unwrap_or_default();
            call(before, text.get(number..end).unwrap_or_default());
            self.start = end;
        }
        self.line = self.run.end;
        self.later.next().map(|run| self.run = *run).is_some()
    }
}
