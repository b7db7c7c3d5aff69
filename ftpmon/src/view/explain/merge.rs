//! Events and segments of a session in one order.

use std::collections::HashMap;
use std::net::IpAddr;

use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{DataConnection, Event, EventKind, SessionIdentity, TlsTurn};

use super::connections::{client_opens, data_connections, sides, strangers};
use super::dialogue::{self, Part};
use super::handshake;
use super::ladder::{Arrow, Ladder, Row, moment};
use super::record::SessionRecord;
use super::step::{Lane, Step, StepKind};
use super::transfer;
use super::words::{Party, Say, say};
use crate::view::Language;
use crate::view::layout::shown;
use crate::view::terminal::Tone;

/// Places of items with the same frame: before the row of its segment, that row, and behind it.
const BEFORE_STEP: u8 = 0;
const OF_STEP: u8 = 1;
const BEHIND_STEP: u8 = 2;

/// Rows between a command and an explanation of it, at most.
const ROWS_BETWEEN: usize = 1_000;

/// An event or a segment, in the order of the ladder.
enum Item<'r> {
    Step(&'r Step),
    Event(&'r Event, Option<&'r Step>),
}

/// The ladder of a session.
pub(super) fn ladder(record: &SessionRecord, language: Language) -> Ladder {
    let session = &record.identity;
    let data = data_connections(record);
    let mut builder = Builder {
        language,
        rows: Vec::new(),
        run: Run::default(),
        under_tls: false,
        opened: HashMap::new(),
        strangers: strangers(&data, session),
    };
    if record.steps.is_empty() {
        builder.stored(record, &data);
    } else {
        for item in items(record) {
            match item {
                Item::Step(step) => {
                    let data = data_of(step.lane, &data);
                    builder.step(step, data.map(|(number, data)| (number, data, &**session)));
                }
                Item::Event(event, step) => builder.event(event, step),
            }
        }
        builder.in_time(record.steps.last().map(|step| step.at));
    }
    let rows = builder.finish();
    let mut heading = vec![say(language, Say::Session(session.id()))];
    heading.extend(rows.first().map(|row| say(language, Say::Began(&moment(row.at)))));
    let user = record.events.iter().rev().find_map(|event| event.user.as_deref());
    heading.extend(user.map(|user| say(language, Say::User(&shown(&user.text)))));
    if record.steps.is_empty() {
        heading.push(say(language, Say::EventsOnly));
    }
    Ladder {
        heading,
        client: [say(language, Say::Client), session.client.to_string()],
        server: [say(language, Say::Server), session.server.to_string()],
        data: data.iter().filter_map(|data| lifelines(data, client_opens(data, session))).collect(),
        rows,
        footing: footing(record, language),
    }
}

fn lifelines(data: &DataConnection, client_opens: bool) -> Option<[String; 2]> {
    let ends = [data.initiator?.to_string(), data.listener?.to_string()];
    let [initiator, listener] = ends;
    Some(if client_opens { [initiator, listener] } else { [listener, initiator] })
}

/// The data connection of a lane, and its number from 1.
fn data_of(lane: Lane, data: &[DataConnection]) -> Option<(usize, &DataConnection)> {
    let Lane::Data(number) = lane else { return None };
    Some((number + 1, data.get(number)?))
}

/// Events beside the segments that completed them.
fn items(record: &SessionRecord) -> Vec<Item<'_>> {
    let carries = |step: &&Step| step.lane == Lane::Control && step.len > 0;
    let mut carriers: HashMap<(Timestamp, bool), &Step> = HashMap::new();
    for step in record.steps.iter().filter(carries) {
        carriers.entry((step.at, step.from_client)).or_insert(step);
    }
    let mut items: Vec<(u64, u8, Item<'_>)> = Vec::new();
    let mut used = std::collections::HashSet::new();
    let mut last_line = 0;
    for event in &record.events {
        let from_client = match event.kind {
            EventKind::Command(_) => Some(true),
            EventKind::Reply(_) => Some(false),
            _ => None,
        };
        let step = from_client.and_then(|from_client| carriers.get(&(event.ts, from_client)).copied());
        let frame = step.map_or_else(|| last_frame(&record.steps, event.ts), |step| step.frame);
        if from_client.is_some() {
            last_line = frame;
        }
        if let Some(step) = first_record(event, &record.steps, last_line) {
            items.push((step.frame, BEFORE_STEP, Item::Event(event, Some(step))));
            continue;
        }
        // Of several lines in a segment the first has its numbers.
        let step = step.filter(|step| used.insert((step.frame, step.from_client)));
        items.push((frame, BEHIND_STEP, Item::Event(event, step)));
    }
    for step in &record.steps {
        let is_carrier =
            carries(&step) && !matches!(step.kind, StepKind::HandshakeAck { .. } | StepKind::Fin);
        if !is_carrier || !used.contains(&(step.frame, step.from_client)) {
            items.push((step.frame, OF_STEP, Item::Step(step)));
        }
    }
    items.sort_by_key(|(frame, place, _)| (*frame, *place));
    items.into_iter().map(|(_, _, item)| item).collect()
}

/// The segment with the first record of a TLS that begins: behind the last line of the dialogue. The event comes with the answer, when
/// TLS is agreed.
fn first_record<'r>(event: &Event, steps: &'r [Step], last_line: u64) -> Option<&'r Step> {
    let EventKind::Tls(told) = &event.kind else { return None };
    if told.tls.state != TlsTurn::Start {
        return None;
    }
    let behind = steps.partition_point(|step| step.frame <= last_line);
    let until = steps.iter().skip(behind).take(ROWS_BETWEEN).take_while(|step| step.at <= event.ts);
    until.into_iter().find(|step| step.lane == Lane::Control && step.tls)
}

/// The last frame at or before a time.
fn last_frame(steps: &[Step], at: Timestamp) -> u64 {
    let behind = steps.partition_point(|step| step.at <= at);
    behind.checked_sub(1).and_then(|last| steps.get(last)).map_or(0, |step| step.frame)
}

/// Segments of the dialogue that complete no line, counted together.
#[derive(Default)]
struct Run {
    first: Option<(Timestamp, u64)>,
    segments: u64,
    from_client: u64,
    from_server: u64,
}

struct Builder {
    language: Language,
    rows: Vec<Row>,
    run: Run,
    under_tls: bool,
    /// When the SYN of a connection was seen, by the number of the data connection.
    opened: HashMap<Option<usize>, Timestamp>,
    /// Hosts that connected where the server listened for its client.
    strangers: HashMap<Endpoint, IpAddr>,
}

impl Builder {
    fn step(&mut self, step: &Step, data: Option<(usize, &DataConnection, &SessionIdentity)>) {
        let is_of_dialogue = step.lane == Lane::Control && step.kind == StepKind::Payload;
        if is_of_dialogue {
            self.run.first.get_or_insert((step.at, step.frame));
            self.run.segments += 1;
            let bytes = if step.from_client { &mut self.run.from_client } else { &mut self.run.from_server };
            *bytes += u64::from(step.len);
            return;
        }
        self.end_run();
        let key = match step.lane {
            Lane::Control => None,
            Lane::Data(number) => Some(number),
        };
        let opened = match step.kind {
            StepKind::Syn => *self.opened.entry(key).or_insert(step.at),
            _ => self.opened.get(&key).copied().unwrap_or(step.at),
        };
        let has_opened = self.opened.contains_key(&key);
        let hosts = data.map_or([Party::Client, Party::Server], |(_, data, session)| sides(data, session));
        let mut row = handshake::row(step, has_opened.then_some(opened), hosts, self.language);
        if let (StepKind::Syn, Some((number, data, session))) = (step.kind, data) {
            row.notes.splice(..0, transfer::opening(number, data, session, self.language));
        }
        self.rows.push(row);
    }

    fn event(&mut self, event: &Event, step: Option<&Step>) {
        match &event.kind {
            EventKind::Command(_) | EventKind::Reply(_) | EventKind::Tls(_) | EventKind::Gap(_) => {
                self.end_run();
            }
            EventKind::SessionStart(start) if start.midstream => {
                let text = say(self.language, Say::Midstream);
                self.rows.push(Row::statement(event.ts, Tone::Odd, text));
            }
            _ => {}
        }
        if let EventKind::Tls(told) = &event.kind {
            self.under_tls = told.tls.state == TlsTurn::Start;
        }
        match dialogue::part(event, step, &self.strangers, self.language) {
            Part::Row(row) => self.rows.push(row),
            Part::Notes { tx, at, notes } => self.explain(tx, at, notes),
            Part::None => {}
        }
    }

    /// Adds explanations to the row of a command or of its reply, the latest of them.
    fn explain(&mut self, tx: u64, at: Timestamp, notes: Vec<String>) {
        let recent = self.rows.iter_mut().rev().take(ROWS_BETWEEN);
        match recent.into_iter().find(|row| row.tx == Some(tx)) {
            Some(row) => row.notes.extend(notes),
            None => {
                let mut notes = notes.into_iter();
                let label = notes.next().unwrap_or_default();
                self.rows.push(Row { notes: notes.collect(), ..Row::statement(at, Tone::Plain, label) });
            }
        }
    }

    /// Statements are told at the latest when the row below them happened, and the last ones no later than the last segment: what the end of the
    /// input showed is stamped with that end, which may be that of another session.
    fn in_time(&mut self, last: Option<Timestamp>) {
        let mut latest: Option<Timestamp> = None;
        for row in self.rows.iter_mut().rev() {
            let bound = latest.or(last);
            if let Some(bound) = bound.filter(|_| row.arrow == Arrow::None) {
                row.at = row.at.min(bound);
            }
            latest = Some(latest.map_or(row.at, |latest| latest.min(row.at)));
        }
    }

    fn end_run(&mut self) {
        let run = core::mem::take(&mut self.run);
        let Some((at, frame)) = run.first else { return };
        let (segments, client, server) = (run.segments, run.from_client, run.from_server);
        let what = if self.under_tls { Say::Encrypted } else { Say::NoLine };
        let label = say(self.language, what(segments, client, server));
        self.rows.push(Row { frame: Some(frame), ..Row::statement(at, Tone::Quiet, label) });
    }

    /// Rows of events alone: of handshakes and data connections what the events say.
    fn stored(&mut self, record: &SessionRecord, data: &[DataConnection]) {
        for event in &record.events {
            if let EventKind::SessionStart(start) = &event.kind
                && let Some(handshake) = &start.handshake
            {
                self.rows.extend(handshake::rows_of_times(handshake, Lane::Control, true, self.language));
            }
            self.event(event, None);
        }
        self.in_time(None);
        for (number, connection) in data.iter().enumerate() {
            let Some(handshake) = &connection.handshake else { continue };
            let (lane, opens) = (Lane::Data(number), client_opens(connection, &record.identity));
            let mut rows = handshake::rows_of_times(handshake, lane, opens, self.language);
            if let Some(first) = rows.first_mut() {
                let notes = transfer::opening(number + 1, connection, &record.identity, self.language);
                first.notes.extend(notes);
            }
            self.rows.extend(rows);
        }
        self.rows.sort_by_key(|row| row.at);
    }

    fn finish(mut self) -> Vec<Row> {
        self.end_run();
        self.rows
    }
}

/// The lines below the ladder.
fn footing(record: &SessionRecord, language: Language) -> Vec<String> {
    let mut lines = Vec::new();
    let end = record.events.iter().rev().find_map(|event| match &event.kind {
        EventKind::SessionEnd(told) => Some(&told.end),
        _ => None,
    });
    if let Some(end) = end {
        lines.push(say(language, Say::End(end.reason)));
        let account = Say::Account(end.commands, end.replies, end.transfers, end.bytes_up, end.bytes_down);
        lines.push(say(language, account));
    }
    if record.left_out > 0 {
        lines.push(say(language, Say::LeftOut(record.left_out)));
    }
    if !record.steps.is_empty() {
        lines.push(say(language, Say::PlainAcks));
    }
    if record.sessions > 1 {
        lines.push(say(language, Say::Sessions(record.number, record.sessions)));
        let others = record.others.iter().map(|(number, id, ends)| format!("  {number:>6}  {id}  {ends}"));
        lines.extend(others);
    }
    lines
}
