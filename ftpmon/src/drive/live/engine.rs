//! From a record of the ring through the engine to the chain.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftpmon_common::{CHUNK_MAX, Counter, RecordHeader};
use tracing::error;

use super::journal::Journal;
use super::records::hand_over;
use crate::chain::{Chain, PreparedRoute};
use crate::config::Config;
use crate::dump::Dump;
use crate::kernel::{
    self, Changes, Clock, Counters, Drained, Flows, RecordReader, Ring, Steering, WrittenNetworks,
};
use crate::places::PlaceDatabases;
use crate::sandbox::Opener;
use crate::sink::{QueuedOutputs, Spool};
use crate::status::Board;
use crate::telemetry::StartFacts;
use ftpmon_core::detect::Detectors;
use ftpmon_core::engine::{Engine, EngineConfig, Loss, Output, Secrets};
use ftpmon_core::frame::Decoder;
use ftpmon_event::link::InterfaceId;
use ftpmon_event::{
    ConfigDetail, ConfigReload, Event, EventKind, GapCause, InterfaceFacts, SensorStop, StopReason,
};

use super::retired::RetiredPorts;
use super::routes::{close, name_hashes, open_outputs, started};
use super::telling::Telling;

/// Records handled between two looks at everything else: some milliseconds of work.
const DRAIN_RECORDS: usize = 2_048;
/// Ticks between two rounds through the kernel's table of data connections.
const SWEEP_TICKS: u64 = 10;

/// The routes of a configuration that is being put into force.
pub(super) type PreparedRoutes = Vec<PreparedRoute<QueuedOutputs>>;

/// The kernel side of a run, as the engine needs it.
pub(super) struct KernelSide {
    pub(super) steering: Steering,
    pub(super) flows: Flows,
    pub(super) counters: Counters,
}

/// The engine between the kernel's ring and the chain.
pub(super) struct LiveEngine {
    pub(super) clock: Clock,
    pub(super) reader: RecordReader,
    pub(super) decoder: Decoder,
    pub(super) engine: Engine,
    /// Index of the latest record.
    pub(super) index: u64,
    pub(super) kernel: KernelSide,
    pub(super) chain: Chain<QueuedOutputs>,
    /// With `--spool`.
    pub(super) spool: Option<Arc<Spool>>,
    /// With `--write-pcap`.
    pub(super) dump: Option<Dump>,
    /// With `--pin`: for the next agent.
    pub(super) journal: Option<Journal>,
    /// The state for those who ask.
    pub(super) board: Board,
    /// The open sessions are being told to a reader that came.
    pub(super) telling_open: Option<Telling>,
    facts: StartFacts,
    pub(super) started: Instant,
    /// Bytes of the ring that were handled since the kernel's counters were polled.
    unpolled: usize,
    /// Accounts found no room in the ring: they have to be read from the kernel's table.
    reports_lost: bool,
    ticks: u64,
    pub(super) changes: Changes,
    /// The engine's settings.
    config: EngineConfig,
    retired: RetiredPorts,
    /// The routes of a configuration that is being put into force.
    routes: Option<PreparedRoutes>,
}

impl LiveEngine {
    pub(super) fn new(
        engine: EngineConfig,
        kernel: KernelSide,
        mut chain: Chain<QueuedOutputs>,
        spool: Option<Arc<Spool>>,
        dump: Option<Dump>,
        facts: StartFacts,
    ) -> Self {
        let board = Board::default();
        chain.copy_to(board.feed().clone());
        Self {
            spool,
            clock: Clock::start(),
            reader: RecordReader::default(),
            decoder: Decoder::default(),
            engine: Engine::new(engine.clone()),
            index: 0,
            kernel,
            chain,
            dump,
            journal: None,
            board,
            telling_open: None,
            facts,
            started: Instant::now(),
            unpolled: 0,
            reports_lost: false,
            ticks: 0,
            changes: Changes::default(),
            config: engine,
            retired: RetiredPorts::default(),
            routes: None,
        }
    }

    /// Starts the outputs; `sensor_start` stands first in each.
    pub(super) fn start(&mut self, interfaces: Vec<InterfaceFacts>) -> io::Result<()> {
        self.name_interfaces(&interfaces);
        let mut event = self.facts.event(self.clock.now(), interfaces);
        self.chain.start(&mut event)
    }

    pub(super) const fn chain(&self) -> &Chain<QueuedOutputs> {
        &self.chain
    }

    /// Handles what is in the ring, or a good part of it.
    pub(super) fn drain_ring(&mut self, ring: &mut Ring) -> Drained {
        self.clock.follow();
        let due = poll_bytes(ring.capacity());
        if self.unpolled >= due {
            self.poll_counters();
        }
        let bytes = due - self.unpolled;
        let drained = ring.drain(DRAIN_RECORDS, bytes, |record| self.handle_record(record));
        self.engine.exchange();
        self.drain_engine();
        self.write_journal();
        self.unpolled += drained.bytes;
        // What the ring had no room for comes after what is in it.
        if drained.empty && core::mem::take(&mut self.reports_lost) {
            self.kernel.flows.begin_round();
            self.sweep();
        }
        self.chain.flush();
        drained
    }

    /// The time until [`Self::handle_timeout`] is due; none if nothing waits.
    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        let engine =
            self.engine.poll_timeout().map(|due| Duration::from_nanos(due.nanos_since(self.clock.now())));
        let chain = self.chain.poll_timeout().map(|due| due.saturating_duration_since(Instant::now()));
        engine.into_iter().chain(chain).min()
    }

    /// Does what is due by now.
    pub(super) fn handle_timeout(&mut self) {
        self.clock.follow();
        let now = self.clock.now();
        self.engine.handle_timeout(now);
        self.chain.handle_timeout();
        if self.drain_engine() > 0
            && let Some(journal) = &mut self.journal
        {
            journal.timeout(now.as_nanos());
            self.write_journal();
        }
        self.chain.flush();
    }

    /// Answers about processes came.
    pub(super) fn take_answers(&mut self) {
        self.chain.take_answers();
        self.chain.flush();
    }

    /// Files are stored, or will not be.
    pub(super) fn release_stored(&mut self) {
        self.chain.release_stored();
        self.chain.flush();
    }

    /// No packet of a control connection is selected any more.
    pub(super) fn close(&mut self) {
        self.kernel.steering.close();
    }

    /// The regular look at what announces itself by no record.
    pub(super) fn tick(&mut self) {
        self.clock.follow();
        self.poll_counters();
        let now = self.clock.boot_now();
        while let Some(record) = self.reader.overdue(now, &self.clock) {
            self.index += 1;
            hand_over(&record, None, self.index, &mut self.decoder, &mut self.dump, &mut self.engine);
            self.drain_engine();
        }
        if let Some(dump) = &mut self.dump {
            dump.flush();
        }
        if self.ticks.is_multiple_of(SWEEP_TICKS) {
            self.kernel.flows.begin_round();
            let unused = self.retired.take_unused(|port| self.engine.serves(port));
            unused.into_iter().for_each(|port| self.kernel.steering.release_port(port));
        }
        self.ticks += 1;
        self.sweep();
        self.release_stored();
        self.chain.report_losses(self.clock.now(), false);
    }

    /// Emits `stats`.
    pub(super) fn emit_stats(&mut self) {
        self.poll_counters();
        let snapshot = self.snapshot();
        self.chain.emit_stats(self.clock.now(), self.uptime_ms(), snapshot);
        self.chain.flush();
    }

    /// Interfaces came or went: an output that is opened from now on begins with what is watched now.
    pub(super) fn interfaces_changed(&mut self, changes: Changes, interfaces: Vec<InterfaceFacts>) {
        if changes == Changes::default() {
            return;
        }
        self.changes.attached += changes.attached;
        self.changes.detached += changes.detached;
        self.name_interfaces(&interfaces);
        self.chain.set_opening(&self.facts.event(self.clock.now(), interfaces));
    }

    /// The rendering of secrets.
    pub(super) const fn secrets(&self) -> &Secrets {
        &self.config.secrets
    }

    /// Opens the outputs that `new` has and `old` has not.
    pub(super) fn prepare_routes(
        &mut self,
        old: &Config,
        new: &Config,
        opener: &Opener,
    ) -> Result<PreparedRoutes, String> {
        self.chain.set_names(name_hashes(self.chain.names(), new, opener)?);
        self.chain.prepare_routes(old, new, |route| {
            let (route, spool) = (route.clone(), self.spool.clone());
            let open = move || open_outputs(&route, spool.as_ref()).map_err(|error| error.to_string());
            opener.call(open).map_err(|error| error.to_string())?
        })
    }

    /// Writes the networks of new settings beside those in force; none where they are the same.
    pub(super) fn prepare_networks(&mut self, new: &EngineConfig) -> Result<Option<WrittenNetworks>, String> {
        if new.networks == self.config.networks {
            return Ok(None);
        }
        self.kernel.steering.write_networks(&new.networks).map(Some)
    }

    /// Puts a new configuration into force: networks, ports, secrets, limits and routes. An error changes nothing.
    pub(super) fn apply(
        &mut self,
        new: &Config,
        engine: EngineConfig,
        (detectors, places): (Option<Detectors>, Option<Arc<PlaceDatabases>>),
        (routes, networks): (PreparedRoutes, Option<WrittenNetworks>),
    ) -> Result<(), String> {
        if let Some(networks) = networks {
            self.kernel.steering.put_into_force(&networks)?;
        }
        self.drain_engine();
        self.retired.change(&self.config, &engine);
        self.engine.reconfigure(&engine);
        if let Some(detectors) = detectors {
            self.chain.set_detectors(detectors);
        }
        self.chain.set_places(places);
        self.kernel.steering.open(&engine.control_ports, &engine.tls_ports);
        self.facts = StartFacts::live(new, &engine, kernel::running_release());
        self.config = engine;
        self.routes = Some(routes);
        Ok(())
    }

    /// Reports the result of a reload to the present outputs, and then replaces them by those of the new routes.
    pub(super) fn finish_reload(
        &mut self,
        detail: ConfigDetail,
        interfaces: Vec<InterfaceFacts>,
        opener: &Opener,
    ) {
        self.emit(EventKind::Config(Box::new(ConfigReload { config: detail })));
        self.chain.flush();
        let now = self.clock.now();
        let start = self.facts.event(now, interfaces);
        if let Some(routes) = self.routes.take()
            && let Err(error) = self.chain.replace_routes(
                routes,
                |route| started(route, start.clone(), opener),
                |old, wait| close(old, now, wait),
            )
        {
            error!("cannot start a thread for an output: {error}");
        }
        self.chain.set_opening(&start);
        self.chain.outputs().for_each(QueuedOutputs::reopen);
    }

    /// Ends what is open, emits `stats` and `sensor_stop`, and gives the outputs time to write everything.
    pub(super) fn stop(mut self, reason: StopReason) {
        self.poll_counters();
        self.kernel.flows.standing(&self.clock, |account| self.engine.handle_flow(&account));
        self.drain_engine();
        self.engine.finish(self.clock.now());
        self.drain_engine();
        self.chain.finish_waiting();
        if let Some(dump) = &mut self.dump {
            dump.finish(self.clock.now(), self.kernel.counters.lost_frames());
        }
        self.chain.report_losses(self.clock.now(), true);
        self.emit_stats();
        self.emit(EventKind::SensorStop(SensorStop { reason }));
        let Ok(()) = self.chain.finish(self.clock.now());
    }

    fn handle_record(&mut self, record: &[u8]) {
        // Borrowed where it was made: moving it costs more than making it.
        let distance = if self.journal.is_some() { self.clock.distance_at(self.clock.boot_now()) } else { 0 };
        if let Some(read) = &self.reader.read(record, &self.clock) {
            self.index += 1;
            let noted = self.journal.as_mut().map(|journal| (journal, record, distance));
            hand_over(read, noted, self.index, &mut self.decoder, &mut self.dump, &mut self.engine);
            self.drain_engine();
        } else if let Some(journal) = &mut self.journal {
            journal.part(record, distance);
        }
    }

    /// Passes on everything that came out of the engine, without delay: a data connection that the kernel's packet selection is
    /// to know of may be about to open. Returns how many outputs there were.
    pub(super) fn drain_engine(&mut self) -> usize {
        let mut outputs = 0;
        while let Some(output) = self.engine.poll() {
            outputs += 1;
            match output {
                Output::Event(event) => {
                    if let Some(dump) = &mut self.dump {
                        dump.note(&event);
                    }
                    if let (Some(journal), EventKind::SessionEnd(_), Some(session)) =
                        (&mut self.journal, &event.kind, &event.session)
                    {
                        journal.session_over(session.client, session.server);
                    }
                    self.chain.emit(event);
                }
                Output::SelectorUpdate(update) => {
                    self.kernel.steering.apply(&update, &mut self.kernel.flows);
                    self.chain.update(&update);
                }
                Output::FilePiece(piece) => self.chain.piece(piece),
            }
        }
        // What comes out from now on is not about the latest record.
        if let Some(dump) = &mut self.dump {
            dump.close();
        }
        self.chain.release_attributed();
        outputs
    }

    pub(super) fn emit(&mut self, kind: EventKind) {
        self.chain.emit(Event { ts: self.clock.now(), session: None, user: None, kind });
    }

    pub(super) fn poll_counters(&mut self) {
        let now = self.clock.now();
        self.kernel.counters.poll(|counter, records| {
            self.reports_lost |= counter == Counter::LostReport;
            // A hole in a file is no hole in a dialogue.
            if counter.is_of_control() {
                let cause = match counter {
                    Counter::LostFragments => GapCause::Fragments,
                    _ => GapCause::RingFull,
                };
                self.engine.handle_loss(now, Loss { records, reason: counter.name(), cause });
            } else if counter.hides_connections() {
                self.engine.handle_unseen(now, counter.name());
            }
        });
        self.unpolled = 0;
    }

    /// Reads the next slice of the kernel's table of data connections.
    fn sweep(&mut self) {
        self.kernel.flows.sweep(&self.clock, |account| self.engine.handle_flow(&account));
        self.drain_engine();
    }

    fn name_interfaces(&mut self, interfaces: &[InterfaceFacts]) {
        for interface in interfaces {
            self.engine.name_interface(InterfaceId(interface.ifindex), &interface.name);
            if let Some(dump) = &mut self.dump {
                dump.name_interface(InterfaceId(interface.ifindex), &interface.name);
            }
        }
    }
}

/// The number of bytes of a ring of `ring_bytes` that may be handled after the kernel's counters were polled, until they are
/// polled again: so few that a loss is always known before the gap that it left is met.
///
/// A record is lost only while the ring has no room for it. What was written after a loss that the last poll did not show
/// therefore lies about a whole ring behind where reading was at that poll.
fn poll_bytes(ring_bytes: usize) -> usize {
    const LONGEST_RECORD: usize = CHUNK_MAX + size_of::<RecordHeader>() + 16;
    (ring_bytes / 2).saturating_sub(LONGEST_RECORD).max(1)
}
