//! A partition: everything that is known of the pairs of hosts that it owns. Partitions share nothing but a read-mostly
//! table of endpoints; what concerns a session of another partition goes to it as [`Mail`].

mod announced;
mod budget;
mod content;
mod control;
mod data;
mod effects;
mod exchange;
mod fragmented;
mod held;
mod inference;
mod lifecycle;
mod mail;
mod memory;
mod repeats;
mod roles;
mod segments;
mod sources;
mod stamp;
mod timeouts;
mod unclaimed;
mod unconfirmed;

use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::SmallVec;

pub(crate) use budget::Budgets;
use mail::Saying;
pub(crate) use mail::{Mail, Posted};
pub(crate) use stamp::{Phase, Run, Stamp};

use crate::addr::Endpoint;
use crate::config::{EngineConfig, FilesMode, Limits};
use crate::counters::EngineCounters;
use crate::endpoints::Endpoints;
use crate::event::{GapCause, TableFill};
use crate::fill::Fills;
use crate::flow::{
    Candidate, Class, EARLY_BYTES_MAX, Flow, FlowId, FlowKey, FlowTable, Moment, Role, TimerQueue,
};
use crate::output::OutputQueue;
use crate::pair::{HostPair, PairTable};
use crate::segment::{InterfaceId, Segment};
use crate::selector::SelectorUpdate;
use crate::session::{OpenSession, Outbox};
use crate::time::Timestamp;
use crate::timing::{ENDED_KEPT_S, LOSS_ECHO_NS, UNCLAIMED_KEPT_S};
use budget::{Held, Memory};
use fragmented::Fragmented;
use repeats::Repeats;
use sources::Sources;
use unconfirmed::Unconfirmed;

/// Connections to one listener that are considered when it is announced: the latest. Stops a flood of connections to one port,
/// and leaves a busy listener of another protocol cheap.
const CONNECTIONS_OF_LISTENER_MAX: usize = 8;

/// Connections to one listener whose announcement may still come, the oldest first.
#[derive(Debug, Default)]
struct Waiting {
    flows: SmallVec<[FlowId; 2]>,
    /// At the cap, older ones were left out.
    crowded: bool,
}

/// Everything that is known of some pairs of hosts.
pub(crate) struct Partition {
    number: u8,
    config: Arc<EngineConfig>,
    /// The latest packet's time and index.
    now: Moment,
    stamp: Stamp,
    flows: FlowTable<Flow>,
    timers: TimerQueue,
    endpoints: Endpoints,
    pairs: PairTable,
    /// Connections whose announcement may still come, by their listener.
    by_listener: HashMap<Endpoint, Waiting>,
    held: Held,
    memory: Memory,
    /// Sessions whose server did not answer yet: they are given up before others.
    unanswered_sessions: usize,
    repeats: Repeats,
    sources: Sources,
    out: Outbox,
    /// In which order outputs stand among those of other partitions.
    runs: Vec<Run>,
    posted: Vec<Posted>,
    /// Claims announced since the last exchange.
    announced: Vec<Saying>,
    /// The listeners of connections that nobody had announced, since the last exchange.
    newcomers: Vec<Endpoint>,
    /// Counts exchanges.
    epoch: u32,
    /// Flows whose end waits for the next exchange.
    ending: Vec<FlowId>,
    unconfirmed: Unconfirmed,
    interfaces: HashMap<InterfaceId, Arc<str>>,
    last_loss: Option<(Timestamp, GapCause)>,
    fragmented: Fragmented,
    counters: EngineCounters,
    /// Its share of the cap on flows, and on those that ended.
    flows_max: usize,
    ended_max: usize,
}

impl Partition {
    /// Partition `number` of `count`, which has seen nothing.
    pub(crate) fn new(number: u8, count: u8, config: Arc<EngineConfig>, budgets: &Budgets) -> Self {
        let share = |cap: usize| cap.div_ceil(usize::from(count.max(1)));
        let limits = &config.limits;
        Self {
            number,
            now: Moment::default(),
            stamp: Stamp::default(),
            flows: FlowTable::new(|class| idle_ns(limits, class)),
            timers: TimerQueue::default(),
            endpoints: Endpoints::new(share(limits.announced_endpoints), limits.announcement_s),
            pairs: PairTable::default(),
            by_listener: HashMap::new(),
            held: Held::new(budgets),
            memory: Memory::new(limits.memory_bytes, count, budgets.memory()),
            unanswered_sessions: 0,
            repeats: Repeats::default(),
            sources: Sources::default(),
            // 2⁴⁸ files a partition: names never meet.
            out: Outbox {
                outputs: OutputQueue::numbered_from(u64::from(number) << 48),
                effects: Vec::new(),
                unseen: None,
            },
            runs: Vec::new(),
            posted: Vec::new(),
            announced: Vec::new(),
            newcomers: Vec::new(),
            epoch: 0,
            ending: Vec::new(),
            unconfirmed: Unconfirmed::default(),
            interfaces: HashMap::new(),
            last_loss: None,
            fragmented: Fragmented::default(),
            counters: EngineCounters::default(),
            flows_max: share(limits.flows).max(1),
            ended_max: share(limits.ended_flows).max(1),
            config,
        }
    }

    /// Applies these settings, for the `count` partitions that there are. Sessions continue; a table that is above its new
    /// cap shrinks as entries come.
    pub(crate) fn reconfigure(&mut self, count: usize, config: Arc<EngineConfig>) {
        let share = |cap: usize| cap.div_ceil(count.max(1));
        let limits = &config.limits;
        self.flows.set_idle(|class| idle_ns(limits, class));
        self.endpoints.set_limits(share(limits.announced_endpoints), limits.announcement_s);
        self.flows_max = share(limits.flows).max(1);
        self.ended_max = share(limits.ended_flows).max(1);
        self.memory.set_limit(limits.memory_bytes, count);
        self.config = config;
    }

    /// A control connection that is followed has this port.
    pub(crate) fn serves(&self, port: u16) -> bool {
        self.flows.keys_of(Class::Control).any(|key| key.has_port(port))
    }

    /// Sets the name that events have for an interface; an empty one takes it away.
    pub(crate) fn name_interface(&mut self, interface: InterfaceId, name: &Arc<str>) {
        if name.is_empty() {
            self.interfaces.remove(&interface);
        } else {
            self.interfaces.insert(interface, Arc::clone(name));
        }
    }

    /// Records that would have come were lost.
    pub(crate) fn note_loss(&mut self, at: Timestamp, cause: GapCause) {
        self.last_loss = Some((at, cause));
    }

    /// A fragment between two hosts was seen; `waits`: not all of those that were seen are put together.
    pub(crate) fn note_fragment(&mut self, at: Timestamp, hosts: HostPair, waits: bool) {
        self.fragmented.note(at, hosts, waits);
    }

    /// A segment is of a control connection: by its ports, where the networks of the operator admit it, or of one that is followed.
    pub(crate) fn is_of_control(&mut self, segment: &Segment<'_>) -> bool {
        let by_port = self.is_control(segment.src.port) || self.is_control(segment.dst.port);
        if by_port && self.config.networks.admit(segment.src.ip, segment.dst.ip) {
            return true;
        }
        let id = self.flows.find(&FlowKey::new(segment.src, segment.dst));
        id.is_some_and(|id| matches!(self.role(id), Some(Role::Control(_))))
    }

    /// Connections went by unseen.
    pub(crate) fn note_unseen(&mut self, at: Timestamp, reason: &'static str) {
        self.out.unseen = Some((at, reason));
    }

    /// The outputs, in causal order.
    #[inline]
    pub(crate) fn outputs(&mut self) -> &mut OutputQueue {
        &mut self.out.outputs
    }

    /// Says what the next calls are about: the place of their outputs among those of other partitions, and the time.
    #[inline]
    pub(crate) fn begin(&mut self, stamp: Stamp, now: Timestamp) {
        self.end_run();
        self.stamp = stamp;
        self.now = Moment { at: now, index: stamp.index };
    }

    /// Outputs of one stamp end here.
    #[inline]
    fn end_run(&mut self) {
        let len = self.out.outputs.mark();
        if len > 0 {
            self.runs.push(Run { stamp: self.stamp, partition: self.number, len: len as u32 });
        }
    }

    /// Hands over the order of the outputs since the last call.
    #[inline]
    pub(crate) fn take_runs(&mut self, into: &mut impl Extend<Run>) {
        self.end_run();
        if !self.runs.is_empty() {
            into.extend(self.runs.drain(..));
        }
    }

    /// The order of the outputs of the packet given to [`Self::begin`]; none if there are none.
    #[inline]
    pub(crate) fn take_run(&mut self) -> Option<Run> {
        let len = self.out.outputs.mark();
        (len > 0).then_some(Run { stamp: self.stamp, partition: self.number, len: len as u32 })
    }

    /// Adds what this partition counted, and how full its tables are, to a sum.
    pub(crate) fn count(&self, sum: &mut EngineCounters) {
        sum.add(&self.counters);
        sum.lose("file_pieces_full", self.out.outputs.files_lost());
        sum.lose("selector_updates_full", self.out.outputs.updates_lost());
        sum.lose("services_forgotten", self.pairs.services_forgotten());
        let mut fill = |name, used: usize, cap: usize| {
            let table: &mut TableFill = sum.tables.entry(name).or_default();
            table.used += used as u64;
            table.cap += cap as u64;
        };
        fill("flows", self.flows.len(), self.flows_max);
        fill("sessions", self.flows.len_of(Class::Control) + self.unanswered_sessions, self.flows_max);
        let (used, share) = self.memory_fill();
        fill("memory_bytes", used, share);
        fill("timers", self.timers.len(), self.flows_max);
        fill("announced_endpoints", self.endpoints.len(), self.endpoints.cap());
        let (unclaimed, most) = self.pairs.unclaimed_fill();
        fill("unclaimed_connections", unclaimed, most);
        let (windows, most) = self.pairs.windows_fill();
        fill("missed_windows", windows, most);
        fill("host_pairs", self.pairs.len(), self.flows_max + self.endpoints.cap());
        fill("probe_bytes", self.held.probe.used(), 0);
        if self.config.files != FilesMode::Off {
            fill("early_bytes", self.held.early.used(), 0);
            fill("reorder_bytes", self.held.reorder.used(), 0);
        }
    }

    /// The number of connections that are followed.
    pub(crate) fn flows_len(&self) -> usize {
        self.flows.len()
    }

    /// The sessions that are open, in no order.
    pub(crate) fn open_sessions(&self) -> impl Iterator<Item = OpenSession> + '_ {
        self.flows.ids().filter_map(|id| match self.role(id)? {
            Role::Control(control) if !control.unanswered && control.ending.is_none() => {
                control.session.open_session()
            }
            _ => None,
        })
    }

    /// Notes the fill of every container.
    pub(crate) fn note_fill(&self, fills: &mut Fills) {
        self.endpoints.note_fill(fills);
        self.pairs.note_fill(fills);
        self.repeats.note_fill(fills);
        self.fragmented.note_fill(fills);
        self.out.outputs.note_fill(fills);
        fills.note("ended_flows", self.flows.len_of(Class::Ended), self.ended_max + 1);
        for waiting in self.by_listener.values() {
            fills.note("connections_of_listener", waiting.flows.len(), CONNECTIONS_OF_LISTENER_MAX);
        }
        for flow in self.flows.ids().filter_map(|id| self.flows.get(id)) {
            flow.connection.note_fill(&flow.tcp_limits(self.config.limits.late_ms), fills);
            match &flow.role {
                Role::Control(control) => control.session.note_fill(&self.config.limits, fills),
                Role::Candidate(Candidate::Early(early)) => {
                    fills.note("early_bytes_of_connection", early.cost(), EARLY_BYTES_MAX);
                }
                Role::Candidate(Candidate::Probe(probe)) => probe.note_fill(fills),
                _ => {}
            }
        }
    }

    fn role(&self, id: FlowId) -> Option<&Role> {
        self.flows.get(id).map(|flow| &flow.role)
    }

    fn update(&mut self, update: SelectorUpdate) {
        if self.config.selects {
            self.out.outputs.update(update);
        }
    }

    /// The cause that bytes have which are missing in a connection, where it is known.
    fn cause_of_gaps(&self, at: Timestamp, id: FlowId) -> Option<GapCause> {
        if !self.fragmented.is_empty()
            && let Some(flow) = self.flows.get(id)
            && self.fragmented.waits(at, HostPair::new(flow.initiator.ip, flow.listener.ip))
        {
            return Some(GapCause::Fragments);
        }
        self.last_loss.filter(|(loss, _)| at.nanos_since(*loss) < LOSS_ECHO_NS).map(|(_, cause)| cause)
    }

    fn is_control(&self, port: u16) -> bool {
        self.config.control_ports.contains(&port) || self.config.tls_ports.contains(&port)
    }
}

/// The longest time that a flow may be idle.
fn idle_ns(limits: &Limits, class: Class) -> i64 {
    let seconds = match class {
        Class::Control => limits.control_idle_s,
        Class::Other => limits.data_idle_s,
        Class::Unclaimed => UNCLAIMED_KEPT_S,
        Class::Ended => ENDED_KEPT_S,
    };
    i64::from(seconds).saturating_mul(1_000_000_000)
}
