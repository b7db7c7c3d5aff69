//! From a record of the ring to lines at the outputs.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftpmon_common::{CHUNK_MAX, Counter, RecordHeader};

use tokio::sync::Notify;

use super::attribution::Attribution;
use super::kept::Kept;
use crate::dump::Dump;
use crate::format::Encoder;
use crate::kernel::{Changes, Clock, Counters, Drained, Flows, Record, RecordReader, Ring, Steering};
use crate::sink::{Batch, Outputs};
use crate::telemetry::{Sampled, Snapshot, StartFacts};
use ftpmon_core::engine::{Engine, EngineConfig, Loss};
use ftpmon_core::frame::Decoder;
use ftpmon_event::link::InterfaceId;
use ftpmon_event::{Event, EventKind, InterfaceFacts, SensorStop};

/// Bytes of finished lines after which they are handed to the outputs, whatever else is waiting.
const BATCH_BYTES: usize = 128 << 10;
/// Events that may wait for their lines until the ring is empty: the engine and the encoder each go on with what they have
/// at hand.
const EVENTS_WAITING_MAX: usize = 256;
/// Records handled between two looks at everything else: some milliseconds of work.
const DRAIN_RECORDS: usize = 2_048;
/// Ticks between two rounds through the kernel's table of data connections.
const SWEEP_TICKS: u64 = 10;

/// Everything between the ring and the outputs.
pub(super) struct Pipeline {
    clock: Clock,
    reader: RecordReader,
    decoder: Decoder,
    engine: Engine,
    encoder: Encoder,
    /// Takes the engine's events.
    queue: VecDeque<Event>,
    lines: Vec<u8>,
    events: u64,
    outputs: Outputs,
    steering: Steering,
    flows: Flows,
    counters: Counters,
    facts: StartFacts,
    /// With `--files extract`.
    kept: Option<Kept>,
    /// Who holds the ends of connections (`--owners`).
    owners: Option<Attribution>,
    /// With `--write-pcap`.
    dump: Option<Dump>,
    started: Instant,
    /// Bytes of the ring that were handled since the last look at the counters.
    unlooked: usize,
    /// Accounts found no room in the ring: they are to be looked for in the kernel's table.
    reports_lost: bool,
    ticks: u64,
    changes: Changes,
}

impl Pipeline {
    pub(super) fn new(
        engine: EngineConfig,
        encoder: Encoder,
        outputs: Outputs,
        steering: Steering,
        flows: Flows,
        counters: Counters,
        facts: StartFacts,
    ) -> Self {
        Self {
            clock: Clock::start(),
            reader: RecordReader::default(),
            decoder: Decoder::default(),
            engine: Engine::new(engine),
            encoder,
            queue: VecDeque::new(),
            lines: Vec::new(),
            events: 0,
            outputs,
            steering,
            flows,
            counters,
            facts,
            kept: None,
            owners: None,
            dump: None,
            started: Instant::now(),
            unlooked: 0,
            reports_lost: false,
            ticks: 0,
            changes: Changes::default(),
        }
    }

    /// Files are kept.
    pub(super) fn keep(&mut self, kept: Kept) {
        self.kept = Some(kept);
    }

    /// Frames are written.
    pub(super) fn dump(&mut self, dump: Dump) {
        self.dump = Some(dump);
    }

    /// From now on events say who holds the ends of their connections.
    pub(super) fn attribute(&mut self, owners: Attribution) {
        self.owners = Some(owners);
    }

    /// Says `sensor_start`: it opens every output.
    pub(super) fn start(&mut self, interfaces: Vec<InterfaceFacts>) -> io::Result<()> {
        self.name_interfaces(&interfaces);
        let event = self.facts.event(self.clock.now(), interfaces);
        let mut opening = Vec::new();
        self.encoder.header(event.ts, &mut opening);
        self.encoder.event(&event, &mut opening);
        self.outputs.set_opening(&opening);
        self.outputs.start()
    }

    pub(super) fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// Handles what is in the ring, or a good part of it.
    pub(super) fn drain(&mut self, ring: &mut Ring) -> Drained {
        self.clock.follow();
        let due = look_bytes(ring.capacity());
        if self.unlooked >= due {
            self.look();
        }
        let bytes = due - self.unlooked;
        let drained = ring.drain(DRAIN_RECORDS, bytes, |record| self.take(record));
        self.settle();
        self.unlooked += drained.bytes;
        // What the ring had no room for comes behind what is in it.
        if drained.empty && core::mem::take(&mut self.reports_lost) {
            self.flows.begin_round();
            self.sweep();
        }
        self.flush();
        drained
    }

    /// How long until the engine wants to be woken; none where it has nothing to wait for.
    pub(super) fn next_wake(&self) -> Option<Duration> {
        let engine =
            self.engine.poll_timeout().map(|due| Duration::from_nanos(due.nanos_since(self.clock.now())));
        let held = self.owners.as_ref().and_then(Attribution::due);
        let held = held.map(|due| due.saturating_duration_since(Instant::now()));
        engine.into_iter().chain(held).min()
    }

    /// Tells when it is known who holds a connection: [`Self::answer`] then.
    pub(super) fn answered(&self) -> Option<Arc<Notify>> {
        self.owners.as_ref().map(Attribution::answered)
    }

    /// Events that waited for who holds their connections may go.
    pub(super) fn answer(&mut self) {
        if let Some(owners) = &mut self.owners {
            owners.take_answers();
        }
        self.release_owned();
        self.flush();
    }

    /// What is due by now.
    pub(super) fn wake(&mut self) {
        self.clock.follow();
        self.engine.handle_timeout(self.clock.now());
        if let Some(owners) = &mut self.owners {
            owners.wake();
        }
        self.settle();
        self.flush();
    }

    /// The regular look at what announces itself by no record.
    pub(super) fn tick(&mut self) {
        self.clock.follow();
        self.look();
        let now = self.clock.boot_now();
        while let Some(record) = self.reader.overdue(now, &self.clock) {
            hand_on(&record, &mut self.decoder, &mut self.dump, &mut self.engine);
            self.handed_on();
        }
        if let Some(dump) = &mut self.dump {
            dump.flush();
        }
        if self.ticks.is_multiple_of(SWEEP_TICKS) {
            self.flows.begin_round();
        }
        self.ticks += 1;
        self.sweep();
        self.release();
    }

    /// Comes back when a file is stored, or will not be.
    pub(super) async fn stored(&self) {
        match &self.kept {
            Some(kept) => kept.writer.news().await,
            None => core::future::pending().await,
        }
    }

    /// Says what waited for its file to be stored.
    pub(super) fn release(&mut self) {
        self.release_kept(false);
        self.flush();
    }

    fn release_kept(&mut self, end: bool) {
        let released = self.kept.as_mut().map(|kept| kept.release(end)).unwrap_or_default();
        for event in released {
            self.attribute_event(event);
        }
        self.release_owned();
    }

    /// Says `stats`.
    pub(super) fn stats(&mut self) {
        self.look();
        let mut snapshot = Snapshot::default();
        let parts: [&dyn Sampled; 8] = [
            &self.engine.counters(),
            self.decoder.counters(),
            &self.counters,
            &self.reader.counters(),
            &self.steering,
            &self.flows,
            &self.changes,
            &self.outputs,
        ];
        for part in parts {
            part.sample(&mut snapshot);
        }
        self.kept.iter().for_each(|kept| kept.sample(&mut snapshot));
        self.owners.iter().for_each(|owners| owners.sample(&mut snapshot));
        self.dump.iter().for_each(|dump| dump.sample(&mut snapshot));
        let uptime = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let stats = snapshot.stats(uptime);
        self.say(EventKind::Stats(Box::new(stats)));
        self.flush();
    }

    /// Interfaces came or went: an output that is opened from now on begins with what is watched now.
    pub(super) fn interfaces_changed(&mut self, changes: Changes, interfaces: Vec<InterfaceFacts>) {
        if changes == Changes::default() {
            return;
        }
        self.changes.attached += changes.attached;
        self.changes.detached += changes.detached;
        self.name_interfaces(&interfaces);
        let event = self.facts.event(self.clock.now(), interfaces);
        let mut opening = Vec::new();
        self.encoder.header(event.ts, &mut opening);
        self.encoder.repeat(0, &event, &mut opening);
        self.outputs.set_opening(&opening);
    }

    /// Ends what is open, says `stats` and `sensor_stop`, and gives the outputs time to write it all.
    pub(super) fn stop(mut self, reason: &str) {
        self.look();
        self.flows.standing(&self.clock, |account| self.engine.handle_flow(&account));
        self.settle();
        self.engine.finish(self.clock.now());
        self.settle();
        self.release_kept(true);
        while self.owners.as_ref().is_some_and(|owners| owners.due().is_some()) {
            if let Some(owners) = &mut self.owners {
                owners.await_answer();
            }
            self.release_owned();
        }
        if let Some(dump) = &mut self.dump {
            dump.finish(self.clock.now(), self.counters.lost_frames());
        }
        self.stats();
        self.say(EventKind::SensorStop(SensorStop { reason: reason.to_owned() }));
        self.encoder.footer(self.clock.now(), &mut self.lines);
        self.flush();
        self.outputs.finish();
    }

    fn take(&mut self, record: &[u8]) {
        // Borrowed where it was made: moving it costs more than making it.
        if let Some(record) = &self.reader.read(record, &self.clock) {
            hand_on(record, &mut self.decoder, &mut self.dump, &mut self.engine);
            self.handed_on();
        }
    }

    /// The engine knows of another record: what is urgent of it.
    fn handed_on(&mut self) {
        // What is said of a frame stands beside it in the dump, and files' pieces do not pile up.
        let one_by_one = self.dump.is_some() || self.kept.is_some();
        if one_by_one || self.engine.events_waiting() >= EVENTS_WAITING_MAX {
            self.settle();
        } else {
            self.steer();
        }
    }

    /// Tells the kernel what the engine wants of it, without delay: a data connection may be on its way.
    fn steer(&mut self) {
        while let Some(update) = self.engine.poll_port_update() {
            self.steering.apply(&update, &mut self.flows);
            if let Some(owners) = &mut self.owners {
                owners.update(&update);
            }
        }
    }

    /// Passes on what the engine has to say.
    fn settle(&mut self) {
        self.steer();
        if let Some(kept) = &mut self.kept {
            kept.take_pieces(&mut self.engine);
        }
        let mut events = self.engine.exchange_events(core::mem::take(&mut self.queue));
        for event in events.drain(..) {
            self.pass_on(event);
        }
        self.queue = events;
        // What the engine says from now on is not about the latest record.
        if let Some(dump) = &mut self.dump {
            dump.close();
        }
        self.release_owned();
    }

    /// The next event in order. One that waits holds up those of its session behind it.
    #[inline]
    fn pass_on(&mut self, mut event: Event) {
        if let Some(dump) = &mut self.dump {
            dump.note(&event);
        }
        if let Some(kept) = &mut self.kept
            && kept.must_wait(&mut event)
        {
            kept.hold(event);
            return;
        }
        self.attribute_event(event);
    }

    /// An event that says where its file is, if it has one.
    #[inline]
    fn attribute_event(&mut self, mut event: Event) {
        if let Some(owners) = &mut self.owners
            && owners.must_wait(&mut event)
        {
            owners.hold(event);
            return;
        }
        // Those before it first.
        self.release_owned();
        self.encode(&mut event);
    }

    /// Writes the events that wait for who holds their connections no longer.
    fn release_owned(&mut self) {
        while let Some(mut event) = self.owners.as_mut().and_then(Attribution::pop) {
            self.encode(&mut event);
        }
    }

    fn say(&mut self, kind: EventKind) {
        let event = Event { ts: self.clock.now(), session: None, user: None, kind };
        self.attribute_event(event);
    }

    fn encode(&mut self, event: &mut Event) {
        if let EventKind::Stats(stats) = &mut event.kind {
            stats.emitted = self.encoder.written();
        }
        self.events += u64::from(self.encoder.event(event, &mut self.lines));
        self.flush_full();
    }

    fn flush_full(&mut self) {
        if self.lines.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let events = core::mem::take(&mut self.events);
        if self.lines.is_empty() {
            return;
        }
        // A few lines are copied, so that they take no more room than they need while they wait.
        if self.lines.len() < BATCH_BYTES / 2 {
            self.outputs.write(&Batch::new(self.lines.clone(), events));
            self.lines.clear();
        } else {
            let room = Vec::with_capacity(BATCH_BYTES + BATCH_BYTES / 8);
            self.outputs.write(&Batch::new(core::mem::replace(&mut self.lines, room), events));
        }
    }

    fn look(&mut self) {
        let now = self.clock.now();
        self.counters.look(|loss| {
            self.reports_lost |= loss.reason == Counter::LostReport.name();
            // A hole in a file is no hole in a dialogue.
            if !is_of_data(&loss) {
                self.engine.handle_loss(now, loss);
            }
        });
        self.unlooked = 0;
    }

    /// Looks at the next slice of the kernel's table of data connections. Tells whether the round is through.
    fn sweep(&mut self) -> bool {
        let through = self.flows.sweep(&self.clock, |account| self.engine.handle_flow(&account));
        self.settle();
        through
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

/// A record's way to the engine, and to the dump on the way.
#[inline]
fn hand_on(record: &Record<'_>, decoder: &mut Decoder, dump: &mut Option<Dump>, engine: &mut Engine) {
    match record {
        Record::Frame(seen) => {
            let segment = decoder.decode(seen.at, &seen.frame);
            if let Some(dump) = dump {
                dump.frame(seen, segment.as_ref());
            }
            if let Some(segment) = segment {
                engine.handle_segment(seen.at, &segment);
            }
        }
        Record::Account(account) => {
            if let Some(dump) = dump {
                dump.account(account);
            }
            engine.handle_flow(account);
        }
    }
}

/// What was lost was of data connections: their own numbers show the hole.
fn is_of_data(loss: &Loss) -> bool {
    Counter::ALL.iter().any(|counter| counter.is_of_data() && counter.name() == loss.reason)
}

/// How many bytes of a ring of `ring_bytes` may be handled after a look at the counters, until the next: so few that what
/// was lost is always known before the gap that it left is met.
///
/// A record is lost only while the ring has no room for it. What was written after a loss that the last look did not show
/// therefore lies about a whole ring behind where reading was at that look.
fn look_bytes(ring_bytes: usize) -> usize {
    const LONGEST_RECORD: usize = CHUNK_MAX + size_of::<RecordHeader>() + 16;
    (ring_bytes / 2).saturating_sub(LONGEST_RECORD).max(1)
}
