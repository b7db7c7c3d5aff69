//! The way of an event from the engine to the outputs, the same for live capture and capture files.
//!
//! ```text
//! event -> places -> detectors -> files -> processes -> routes { filter, rate, privacy, encoder, outputs }
//! ```
//!
//! | file | what |
//! |---|---|
//! | `files` | stores the pieces of files, and adds to an event where its file is |
//! | `attribution` | adds to an event which local processes own the ends of its connection |
//! | `session_queues` | events that wait for one of these, in the order of their session |
//! | `filter` | the conditions of a route on events |
//! | `rate` | the rates of event types on a route |
//! | `privacy` | names that a route does not tell |
//! | `route` | a filter, an encoder and outputs |
//! | `tap` | a copy of all events for those who ask the agent for them |
//! | `reload` | other routes in the place of those that are there |

mod attribution;
mod files;
mod filter;
mod privacy;
mod rate;
mod reload;
mod route;
mod session_queues;
mod tap;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use crate::config::{Config, RouteConfig};
use crate::on_alert::{OnEvent, Purpose};
use crate::places::PlaceDatabases;
use crate::sink::Outputs;
use crate::status::{Feed, Tally};
use crate::telemetry::{Kind, Sampled, Snapshot};
use ftpmon_core::detect::{Detectors, Fill, Interest};
use ftpmon_core::engine::{FilePiece, Secrets, SelectorUpdate};
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Dropped, Event, EventKind, Origin};

pub(crate) use attribution::{Attribution, CONNECTIONS_MAX, SESSIONS_MAX, WAITING_EVENTS_MAX};
pub(crate) use files::Files;
pub(crate) use reload::PreparedRoute;
pub(crate) use route::Route;
use tap::Tap;

/// Takes events in order and writes each by every route that wants it.
pub(crate) struct Chain<O> {
    origin: Origin,
    /// The key of hashed names.
    names: Secrets,
    /// Counts of the events that came, and of alerts.
    tally: Tally,
    detectors: Detectors,
    on_alert: Option<OnEvent>,
    on_file: Option<OnEvent>,
    places: Option<Arc<PlaceDatabases>>,
    files: Option<Files>,
    attribution: Option<Attribution>,
    routes: Vec<Route<O>>,
    tap: Option<Tap>,
}

/// The stage of the chain at which an event waits.
enum Wait {
    /// For the outcome of its file.
    File,
    /// For the processes of its connection.
    Processes,
}

impl<O: Outputs> Chain<O> {
    /// The routes of `config` for the events of `origin`; `names` holds the key of hashed names, `open` opens the outputs of each.
    ///
    /// # Errors
    /// The first outputs that cannot be opened.
    pub(crate) fn new<E>(
        config: &Config,
        origin: &Origin,
        names: Secrets,
        mut open: impl FnMut(&RouteConfig) -> Result<O, E>,
    ) -> Result<Self, E> {
        let route = |route: &_| Route::new(route, origin, &names, &mut open);
        let routes = config.routes().iter().map(route).collect::<Result<_, E>>()?;
        let detectors = config.detectors();
        let tally = Tally::default();
        Ok(Self {
            origin: origin.clone(),
            names,
            tally,
            detectors,
            on_alert: None,
            on_file: None,
            places: None,
            files: None,
            attribution: None,
            routes,
            tap: None,
        })
    }

    /// From now on all events go to a feed as well.
    pub(crate) fn copy_to(&mut self, feed: Feed) {
        self.tap = Some(Tap::new(feed, &self.origin));
    }

    /// From now on events tell the places of their ends.
    pub(crate) fn set_places(&mut self, places: Option<Arc<PlaceDatabases>>) {
        self.places = places;
    }

    /// From now on pieces of files are stored.
    pub(crate) fn store_files(&mut self, files: Files) {
        self.files = Some(files);
    }

    /// From now on alerts, or stored files, are handed to the operator's command too.
    pub(crate) fn run_on(&mut self, purpose: Purpose, program: OnEvent) {
        *(match purpose {
            Purpose::Alert => &mut self.on_alert,
            Purpose::File => &mut self.on_file,
        }) = Some(program);
    }

    /// From now on events say which processes own the ends of their connections.
    pub(crate) fn attribute(&mut self, attribution: Attribution) {
        self.attribution = Some(attribution);
    }

    /// The key of the names that routes hash.
    pub(crate) const fn names(&self) -> &Secrets {
        &self.names
    }

    /// New routes hash names under this key.
    pub(crate) fn set_names(&mut self, names: Secrets) {
        self.names = names;
    }

    /// The fields that all events have in common.
    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Counts of the events that came, and of the alerts about them; not of those that came as lines.
    pub(crate) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The outputs of each route.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &O> {
        self.routes.iter().map(Route::outputs)
    }

    /// Starts the outputs; `start`, a `sensor_start`, stands first in each.
    ///
    /// # Errors
    /// The system gives no thread for an output.
    pub(crate) fn start(&mut self, start: &mut Event) -> io::Result<()> {
        self.routes.iter_mut().try_for_each(|route| route.start(start))
    }

    /// Outputs that are opened again from now on begin with `start`.
    pub(crate) fn set_opening(&mut self, start: &Event) {
        self.routes.iter_mut().for_each(|route| route.set_opening(start));
    }

    /// The engine's update for the packet selection: it names the connections whose processes will be asked for.
    pub(crate) fn update(&mut self, update: &SelectorUpdate) {
        if let Some(attribution) = &mut self.attribution {
            attribution.update(update);
        }
    }

    /// The next piece of a file. An event that reports a file comes after its last piece.
    pub(crate) fn piece(&mut self, piece: FilePiece) {
        if let Some(files) = &mut self.files {
            files.piece(piece);
        }
    }

    /// The next event, and the alerts about it.
    #[inline]
    pub(crate) fn emit(&mut self, mut event: Event) {
        self.look_at(&mut event);
        if let Some(wait) = self.pass(&mut event) {
            self.hold(wait, event);
        }
        self.emit_alerts();
    }

    /// The next event, which its owner frees: it is copied only where it has to wait.
    #[inline]
    pub(crate) fn emit_borrowed(&mut self, event: &mut Event) {
        self.look_at(event);
        if let Some(wait) = self.pass(event) {
            self.hold(wait, event.clone());
        }
        self.emit_alerts();
    }

    /// Shows an event, which comes as a line, to the detectors that have to see it: their alerts about it.
    pub(crate) fn alerts_about(
        &mut self,
        event: &Event,
        interest: Interest,
    ) -> impl Iterator<Item = Event> + '_ {
        self.detectors.event_for(event, interest);
        core::iter::from_fn(|| self.next_alert())
    }

    #[inline]
    fn next_alert(&mut self) -> Option<Event> {
        let mut alert = self.detectors.pop()?;
        if let Some(places) = &self.places {
            places.add_to(&mut alert);
        }
        Some(alert)
    }

    #[inline]
    fn look_at(&mut self, event: &mut Event) {
        if let Some(places) = &self.places {
            places.add_to(event);
        }
        self.tally.count(event);
        self.detectors.event(event);
    }

    #[inline]
    fn emit_alerts(&mut self) {
        while let Some(mut alert) = self.next_alert() {
            self.tally.count(&alert);
            if let Some(on_alert) = &mut self.on_alert {
                on_alert.event(&alert);
            }
            if let Some(wait) = self.pass(&mut alert) {
                self.hold(wait, alert);
            }
        }
    }

    /// From now on these detectors are on. Those that were keep nothing of what they saw.
    pub(crate) fn set_detectors(&mut self, detectors: Detectors) {
        self.detectors = detectors;
    }

    /// The next lines of each route: `lines` calls something for each line of the route of a number, with what stands before
    /// the number of its event and what after it. No step of the chain makes events wait where they come as lines.
    pub(crate) fn emit_lines(&mut self, lines: impl Fn(usize, &mut dyn FnMut(&[u8], &[u8]))) {
        for (number, route) in self.routes.iter_mut().enumerate() {
            lines(number, &mut |before, behind| route.line(before, behind));
        }
    }

    /// Emits `stats`: `snapshot` with the counters of the chain.
    pub(crate) fn emit_stats(&mut self, at: Timestamp, uptime_ms: u64, mut snapshot: Snapshot) {
        self.sample(&mut snapshot);
        let kind = EventKind::Stats(Box::new(snapshot.stats(uptime_ms)));
        self.emit(Event { ts: at, session: None, user: None, kind });
    }

    /// Reports what outputs lost since the last time, to all outputs; at the end of the run, what is still being lost too.
    pub(crate) fn report_losses(&mut self, at: Timestamp, end: bool) {
        let losses: Vec<_> = self.routes.iter_mut().flat_map(|route| route.take_losses(end)).collect();
        if losses.is_empty() {
            return;
        }
        self.flush();
        for (output, loss) in losses {
            let kind = EventKind::Drop(Dropped { drop: loss.detail(&output) });
            self.write(&mut Event { ts: at, session: None, user: None, kind });
        }
        self.routes.iter_mut().for_each(Route::flush_report);
    }

    /// Hands all finished lines to the outputs.
    pub(crate) fn flush(&mut self) {
        self.routes.iter_mut().for_each(Route::flush);
    }

    /// Notified when there are answers about processes: [`Self::take_answers`] then.
    pub(crate) fn answered(&self) -> Option<Arc<Notify>> {
        self.attribution.as_ref().map(Attribution::answered)
    }

    /// Takes the answers about processes that came, and writes the events that waited for them.
    pub(crate) fn take_answers(&mut self) {
        if let Some(attribution) = &mut self.attribution {
            attribution.take_answers();
        }
        self.release_attributed();
    }

    /// When [`Self::handle_timeout`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.attribution.as_ref().and_then(Attribution::due)
    }

    /// Writes the events that have waited for processes long enough.
    pub(crate) fn handle_timeout(&mut self) {
        if let Some(attribution) = &mut self.attribution {
            attribution.handle_timeout();
        }
        self.release_attributed();
    }

    /// Returns when a file is stored, or will not be: [`Self::release_stored`] then.
    pub(crate) async fn stored(&self) {
        match &self.files {
            Some(files) => files.stored().await,
            None => core::future::pending().await,
        }
    }

    /// Writes the events whose files' outcomes are known, or that have waited for them long enough.
    pub(crate) fn release_stored(&mut self) {
        self.release_files(false);
    }

    /// Nothing more comes for the events that wait: waits for files and processes, but not for ever, and writes all of them.
    pub(crate) fn finish_waiting(&mut self) {
        self.release_files(true);
        while self.poll_timeout().is_some() {
            if let Some(attribution) = &mut self.attribution {
                attribution.await_answer();
            }
            self.release_attributed();
        }
    }

    /// Writes what stands at the end of each output, and closes them.
    ///
    /// # Errors
    /// What an output that must not lose anything could not write.
    pub(crate) fn finish(self, at: Timestamp) -> Result<(), O::Error> {
        let results: Vec<_> = self.routes.into_iter().map(|route| route.finish(at)).collect();
        results.into_iter().collect()
    }

    /// The step of the chain that the event has to wait in; none if it was written.
    #[inline]
    fn pass(&mut self, event: &mut Event) -> Option<Wait> {
        if let Some(files) = &self.files
            && files.must_wait(event)
        {
            return Some(Wait::File);
        }
        self.pass_attribution(event)
    }

    #[inline]
    fn pass_attribution(&mut self, event: &mut Event) -> Option<Wait> {
        if let Some(attribution) = &mut self.attribution
            && attribution.must_wait(event)
        {
            return Some(Wait::Processes);
        }
        // Those before it first.
        self.release_attributed();
        self.write(event);
        None
    }

    fn hold(&mut self, wait: Wait, event: Event) {
        match (wait, &mut self.files, &mut self.attribution) {
            (Wait::File, Some(files), _) => files.hold(event),
            (Wait::Processes, _, Some(attribution)) => attribution.hold(event),
            // An event waits only in a step that is there.
            _ => {}
        }
    }

    fn release_files(&mut self, end: bool) {
        let released = self.files.as_mut().map(|files| files.release(end)).unwrap_or_default();
        for mut event in released {
            if let Some(wait) = self.pass_attribution(&mut event) {
                self.hold(wait, event);
            }
        }
        self.release_attributed();
    }

    /// Writes the events that wait for processes no longer.
    pub(crate) fn release_attributed(&mut self) {
        while let Some(mut event) = self.attribution.as_mut().and_then(Attribution::pop) {
            self.write(&mut event);
        }
    }

    #[inline]
    fn write(&mut self, event: &mut Event) {
        if let Some(tap) = &mut self.tap {
            tap.event(event);
        }
        if let (Some(on_file), EventKind::Transfer(transfer)) = (&mut self.on_file, &event.kind)
            && transfer.file.as_ref().is_some_and(|file| file.stored.is_some())
        {
            on_file.event(event);
        }
        for route in &mut self.routes {
            route.event(event);
        }
    }
}

impl<O: Outputs> Sampled for Chain<O> {
    fn sample(&self, into: &mut Snapshot) {
        if !self.detectors.is_empty() {
            let Fill { used, cap, forgotten } = self.detectors.fill();
            into.add(Kind::Table { cap }, "detector_entries", used);
            into.add(Kind::Lost, "detector_entries_forgotten", forgotten);
        }
        self.on_alert.iter().chain(&self.on_file).for_each(|program| program.sample(into));
        self.files.iter().for_each(|files| files.sample(into));
        self.attribution.iter().for_each(|attribution| attribution.sample(into));
        self.outputs().for_each(|outputs| outputs.sample(into));
    }
}
