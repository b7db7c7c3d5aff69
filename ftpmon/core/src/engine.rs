//! The core's door: segments, accounts of the kernel and time go in; [`Output`]s come out, in causal order.
//!
//! ```
//! use ftpmon_core::engine::{Engine, EngineConfig, Output};
//! use ftpmon_event::time::Timestamp;
//!
//! let mut engine = Engine::new(EngineConfig::default());
//! // engine.handle_segment(at, index, &segment) for each segment, then:
//! while let Some(output) = engine.poll() {
//!     if let Output::Event(event) = output {
//!         println!("{}", event.kind.name());
//!     }
//! }
//! engine.finish(Timestamp::from_parts(0, 0));
//! ```
//!
//! Time is that of the packets in a file, the wall clock's live. Call [`Engine::handle_timeout`] when
//! [`Engine::poll_timeout`] says so; a call before its time does nothing. After each call poll until there is no output.
//!
//! An engine owns partitions of the pairs of hosts, all of them or a part ([`Engine::part`]). Several engines that own parts
//! of the same partitions give together what one engine gives that owns them all: each is given every packet, takes those
//! of its partitions, and what comes out is merged ([`for_each_output`]). Messages between partitions are
//! exchanged at [`Borders`], which depend on the packets alone.

mod borders;
mod exchange;
mod outputs;

use std::collections::VecDeque;
use std::sync::Arc;

pub use borders::Borders;
pub use exchange::{exchange, finish};
pub use outputs::{Order, Outputs, for_each_output};

pub use crate::config::{
    Checksums, EngineConfig, FilesMode, Hashes, Limits, Network, Networks, NoNetwork, Secrets,
};
pub use crate::counters::EngineCounters;
pub use crate::output::{FilePiece, Output};
pub use crate::selector::{Loss, SelectorUpdate};
pub use crate::session::{LoginProgress, OpenSession, RunningTransfer};

use crate::account::FlowRecord;
use crate::addr::Endpoint;
use crate::endpoints::SharedEndpoints;
use crate::event::TableFill;
use crate::fill::Fills;
use crate::frame::SeenFragment;
use crate::pair::HostPair;
use crate::partition::{Budgets, Partition, Run, Stamp};
use crate::segment::{InterfaceId, Segment};
use crate::tcp::Connection;
use crate::time::Timestamp;

/// The pools that the parts of an engine draw on together.
#[derive(Clone, Debug, Default)]
pub struct Pools(Budgets);

/// Bytes of the largest segment: what a pool may hold beyond its cap for a moment.
const SEGMENT_MAX: usize = 65_535;

/// The protocol core, or a part of it.
pub struct Engine {
    config: Arc<EngineConfig>,
    /// By number; those of other parts are not there.
    partitions: Vec<Option<Partition>>,
    shared: SharedEndpoints,
    /// The latest time, which never steps back.
    now: Timestamp,
    index: u64,
    /// The borders at which partitions exchange; none in a part of an engine: its owner exchanges.
    borders: Option<Borders>,
    /// Before this time no partition has anything to do.
    quiet_until: Timestamp,
    /// The partition whose outputs come next, and their number.
    runs: VecDeque<Run>,
    counters: EngineCounters,
}

impl Engine {
    /// An engine that has seen nothing, and owns all partitions.
    pub fn new(config: EngineConfig) -> Self {
        let borders = Some(Borders::default());
        Self { borders, ..Self::part(config, 0, 1, &Pools::default()) }
    }

    /// Part `part` of `parts` of an engine: it owns every `parts`-th partition. All parts have the same `pools`. Whoever owns
    /// the parts calls [`exchange`] at the [`Borders`].
    pub fn part(config: EngineConfig, part: u8, parts: u8, pools: &Pools) -> Self {
        let config = Arc::new(config);
        let count = config.partitions.clamp(1, 64);
        let own = |number: u8| number % parts.max(1) == part;
        let partition = |number| Partition::new(number, count, Arc::clone(&config), &pools.0);
        Self {
            partitions: (0..count).map(|number| own(number).then(|| partition(number))).collect(),
            config,
            shared: SharedEndpoints::default(),
            now: Timestamp::EARLIEST,
            index: 0,
            borders: None,
            quiet_until: Timestamp::LATEST,
            runs: VecDeque::new(),
            counters: EngineCounters::default(),
        }
    }

    /// From now on ports, networks, secrets and limits are those of `config`; everything else stays. Sessions continue, also those on
    /// ports that are no longer control ports, and of networks that are left out now.
    pub fn reconfigure(&mut self, config: &EngineConfig) {
        let config = Arc::new(EngineConfig {
            control_ports: config.control_ports.clone(),
            tls_ports: config.tls_ports.clone(),
            secrets: config.secrets.clone(),
            networks: config.networks.clone(),
            limits: config.limits,
            ..(*self.config).clone()
        });
        let count = self.partitions.len();
        self.partitions.iter_mut().flatten().for_each(|it| it.reconfigure(count, Arc::clone(&config)));
        self.quiet_until =
            self.partitions.iter().flatten().map(Partition::quiet_until).min().unwrap_or(Timestamp::LATEST);
        self.config = config;
    }

    /// A control connection that is followed has this port.
    pub fn serves(&self, port: u16) -> bool {
        self.partitions.iter().flatten().any(|it| it.serves(port))
    }

    /// Sets the name that events have for an interface; an empty one takes it away.
    pub fn name_interface(&mut self, interface: InterfaceId, name: &str) {
        let name: Arc<str> = name.into();
        self.partitions.iter_mut().flatten().for_each(|it| it.name_interface(interface, &name));
    }

    /// Number of the partition that the packets of a segment belong to.
    #[inline]
    pub fn partition_of(&self, segment: &Segment<'_>) -> u8 {
        HostPair::partition_of(segment.src.ip, segment.dst.ip, self.partitions.len() as u8)
    }

    /// A segment was seen in packet `index` of the input. Ignored where its partition is owned by another part.
    #[inline]
    pub fn handle_segment(&mut self, at: Timestamp, index: u64, segment: &Segment<'_>) {
        self.handle_time(at, index);
        self.handle_segment_of(self.partition_of(segment), at, segment);
    }

    /// A segment of partition `partition` was seen at `at`, in the packet given to [`Self::handle_time`] last.
    pub fn handle_segment_of(&mut self, partition: u8, at: Timestamp, segment: &Segment<'_>) {
        let Some(Some(own)) = self.partitions.get_mut(usize::from(partition)) else { return };
        self.counters.segments += 1;
        own.begin(Stamp::packet(self.index), self.now);
        if !own.handle_segment(at, segment, &self.shared) {
            self.counters.stray_segments += 1;
        }
        self.quiet_until = self.quiet_until.min(own.quiet_until());
        if let Some(run) = own.take_run() {
            self.runs.push_back(run);
        }
    }

    /// Before this time [`Self::handle_time`] and [`Self::handle_timeout`] do nothing but note the time.
    #[inline]
    pub fn quiet_until(&self) -> Timestamp {
        self.quiet_until
    }

    /// The kernel gave its account of a connection.
    pub fn handle_flow(&mut self, record: &FlowRecord) {
        let count = self.partitions.len() as u8;
        let partition = HostPair::new(record.initiator.ip, record.listener.ip).partition(count);
        self.now = self.now.max(record.at);
        let now = self.now;
        let Some(Some(own)) = self.partitions.get_mut(usize::from(partition)) else { return };
        own.begin(Stamp::packet(self.index), now);
        own.handle_flow(record, &self.shared);
        self.quiet_until = self.quiet_until.min(own.quiet_until());
        own.take_runs(&mut self.runs);
    }

    /// The connection between two endpoints is a data connection whose bytes may be copied.
    pub fn permits_copy(&mut self, one: Endpoint, other: Endpoint) -> bool {
        let partition = HostPair::new(one.ip, other.ip).partition(self.partitions.len() as u8);
        let own = self.partitions.get_mut(usize::from(partition)).and_then(Option::as_mut);
        own.is_some_and(|own| own.permits_copy(one, other))
    }

    /// Records that would have come were lost.
    pub fn handle_loss(&mut self, at: Timestamp, loss: Loss) {
        self.counters.lose(loss.reason, loss.records);
        self.partitions.iter_mut().flatten().for_each(|it| it.note_loss(at, loss.cause));
    }

    /// A fragment of an IP packet was seen.
    pub fn handle_fragment(&mut self, at: Timestamp, fragment: SeenFragment) {
        let SeenFragment { src, dst, waits } = fragment;
        let hosts = HostPair::new(src, dst);
        let partition = hosts.partition(self.partitions.len() as u8);
        if let Some(Some(own)) = self.partitions.get_mut(usize::from(partition)) {
            own.note_fragment(at, hosts, waits);
        }
    }

    /// A segment is of a control connection: by its ports, or of one that is followed.
    pub fn is_of_control(&mut self, segment: &Segment<'_>) -> bool {
        let partition = usize::from(self.partition_of(segment));
        let own = self.partitions.get_mut(partition).and_then(Option::as_mut);
        own.is_some_and(|own| own.is_of_control(segment))
    }

    /// The kernel's tables had no room for connections: that none was seen says nothing for a while.
    pub fn handle_unseen(&mut self, at: Timestamp, reason: &'static str) {
        self.partitions.iter_mut().flatten().for_each(|it| it.note_unseen(at, reason));
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let timer = self.partitions.iter().flatten().filter_map(Partition::due).min();
        let border = self.borders.as_ref().filter(|_| self.has_mail()).and_then(Borders::due);
        [timer, border].into_iter().flatten().min()
    }

    /// Does what is due at `now`: timers, and an exchange that is overdue.
    #[inline]
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        // What is due may depend on what other partitions have to tell, and may itself concern them.
        let over = self.borders.as_mut().is_some_and(|borders| borders.time(now));
        if over {
            self.exchange();
        }
        if self.quiet_until <= self.now {
            self.do_what_is_due();
            if over {
                self.exchange();
            }
        }
    }

    /// Packet `index` was seen, which is of no interest or of a partition of another part: what is due by its time is done.
    #[inline]
    pub fn handle_time(&mut self, at: Timestamp, index: u64) {
        if self.borders.as_mut().is_some_and(|borders| borders.packet(at, index)) {
            self.exchange();
        }
        self.index = index;
        self.now = self.now.max(at);
        if self.quiet_until <= self.now {
            self.do_what_is_due();
        }
    }

    #[cold]
    fn do_what_is_due(&mut self) {
        let now = self.now;
        // The order is that of all partitions together, whoever owns them.
        while let Some((stamp, number)) = self.next_due() {
            let Some(Some(partition)) = self.partitions.get_mut(number) else { break };
            partition.do_next_due(stamp, now);
            partition.take_runs(&mut self.runs);
        }
        self.quiet_until =
            self.partitions.iter().flatten().map(Partition::quiet_until).min().unwrap_or(Timestamp::LATEST);
    }

    fn next_due(&mut self) -> Option<(Stamp, usize)> {
        let (now, index) = (self.now, self.index);
        let due = |(number, partition): (usize, &mut Option<Partition>)| {
            let partition = partition.as_mut().filter(|it| it.quiet_until() <= now)?;
            Some((partition.next_due(now, index)?, number))
        };
        self.partitions.iter_mut().enumerate().filter_map(due).min()
    }

    /// The next output.
    pub fn poll(&mut self) -> Option<Output> {
        loop {
            let run = self.runs.front_mut()?;
            if run.len == 0 {
                self.runs.pop_front();
                continue;
            }
            run.len -= 1;
            let partition = self.partitions.get_mut(usize::from(run.partition))?.as_mut()?;
            self.counters.events += 1;
            return partition.outputs().pop();
        }
    }

    /// The counters, with the tables as they are now.
    pub fn counters(&self) -> EngineCounters {
        let mut counters = self.counters.clone();
        self.partitions.iter().flatten().for_each(|it| it.count(&mut counters));
        let limits = &self.config.limits;
        let shared =
            TableFill { used: self.shared.waiting_len() as u64, cap: limits.announced_endpoints as u64 };
        counters.tables.insert("shared_endpoints", shared);
        if !self.config.networks.is_empty() {
            let networks = TableFill { used: self.config.networks.len() as u64, cap: Networks::MAX as u64 };
            counters.tables.insert("networks", networks);
        }
        for (name, cap) in [
            ("probe_bytes", limits.probe_bytes),
            ("early_bytes", limits.early_bytes),
            ("reorder_bytes", limits.reorder_bytes),
            ("memory_bytes", limits.memory_bytes),
        ] {
            if let Some(table) = counters.tables.get_mut(name) {
                table.cap = cap as u64;
            }
        }
        counters
    }

    /// The sessions of a partition that are open, in no order; none behind the last partition. Each partition is asked alone, so
    /// that its owner can do other things between two of them.
    pub fn open_sessions(&self, partition: u8) -> Option<impl Iterator<Item = OpenSession> + '_> {
        let partition = self.partitions.get(usize::from(partition))?;
        Some(partition.iter().flat_map(Partition::open_sessions))
    }

    /// The fill of every container beside its cap. Visits every connection.
    pub fn fills(&self) -> Fills {
        let mut fills = Fills::default();
        for (name, table) in self.counters().tables {
            // What a connection may hold beside its share of these bytes has a cap of its own.
            let flows = self.partitions.iter().flatten().map(Partition::flows_len).sum::<usize>();
            let beside = match name {
                "reorder_bytes" => flows * Connection::HELD_BESIDE_MAX,
                // The pool is compared with its cap when a segment was added.
                "probe_bytes" | "early_bytes" => SEGMENT_MAX,
                _ => 0,
            };
            fills.note(name, table.used as usize, table.cap as usize + beside);
        }
        self.shared.note_fill(&mut fills);
        self.partitions.iter().flatten().for_each(|it| it.note_fill(&mut fills));
        fills
    }
}

#[cfg(test)]
mod tests;
