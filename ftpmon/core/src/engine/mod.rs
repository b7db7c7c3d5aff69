//! The core's one door: segments, accounts and time go in; events and port updates come out.
//!
//! ```
//! use ftpmon_core::engine::{Engine, EngineConfig};
//! use ftpmon_event::time::Timestamp;
//!
//! let mut engine = Engine::new(EngineConfig::default());
//! // engine.handle_segment(at, &segment) for each segment, then:
//! while let Some(event) = engine.poll_event() {
//!     println!("{}", event.kind.name());
//! }
//! engine.finish(Timestamp::from_parts(0, 0));
//! ```
//!
//! After each `handle_…` poll events and port updates until there are none, and call [`Engine::handle_timeout`] when
//! [`Engine::poll_timeout`] says so; a call before its time does nothing. Time is whatever comes in: that of the packets in
//! a file, the wall clock's live.

mod config;
mod control;
mod counters;
mod data;
mod early;
mod effects;
mod encrypted;
mod expected;
mod files;
mod flow;
mod head;
mod infer;
mod lifecycle;
mod missed;
mod pieces;
mod probe;
mod reorder;
mod streams;
mod table;
#[cfg(test)]
mod tests;
mod unclaimed;
mod update;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

pub use config::EngineConfig;
pub use counters::EngineCounters;
pub use pieces::FilePiece;
pub use update::{Loss, PortUpdate};

use crate::account::Side;
use crate::addr::Endpoint;
pub use crate::config::{FilesMode, Hashes, Limits, Secrets};
use crate::event::{EndReason, Event, TableFill};
use crate::segment::{InterfaceId, Segment};
use crate::session::Outbox;
use crate::tcp::Connection;
use crate::time::Timestamp;
use encrypted::Encrypted;
use expected::Expected;
use flow::{Flow, Role};
use infer::Services;
use pieces::Pieces;
use table::{Class, FlowId, FlowKey, FlowTable};
use unclaimed::Unclaimed;

/// Port updates that may wait to be polled. Each is safe to lose; a caller that never polls must not make them pile up.
const UPDATES_MAX: usize = 4_096;
/// Missing bytes are laid to lost records for this long after a loss.
const LOSS_ECHO_NS: u64 = 5_000_000_000;
/// An ended connection's late packets belong to it for this long.
const ENDED_KEPT_S: u32 = 10;
/// One that may yet turn out to be a data connection is kept for this long: what announced it is found to be missing when the
/// session goes on.
const UNCLAIMED_KEPT_S: u32 = 300;

/// See the module's text.
pub struct Engine {
    config: EngineConfig,
    flows: FlowTable<Flow>,
    expected: Expected,
    /// Connections that may turn out to be data connections whose announcement is still to come, by their listener.
    early: HashMap<Endpoint, FlowId>,
    /// Sessions by client and server, while files are wanted.
    hosts: HashMap<(IpAddr, IpAddr), u32>,
    /// Bytes held of connections whose announcement may be behind.
    early_bytes: usize,
    /// Bytes of files held because others are missing before them.
    reorder_bytes: usize,
    /// Control connections under TLS, and what may be their data connections.
    encrypted: Encrypted,
    services: Services,
    /// Connections that nobody claims so far, and what sessions said unseen meanwhile.
    unclaimed: Unclaimed,
    /// Listeners that take and send bytes on one connection, as those of data connections in clear text do not.
    answering: Services,
    wakes: BinaryHeap<Reverse<(Timestamp, FlowId)>>,
    out: Outbox,
    updates: VecDeque<PortUpdate>,
    pieces: Pieces,
    interfaces: HashMap<InterfaceId, Arc<str>>,
    last_loss: Option<Timestamp>,
    probed_bytes: usize,
    counters: EngineCounters,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(config: EngineConfig) -> Self {
        Self {
            flows: FlowTable::new(|class| idle_ns(&config.limits, class)),
            expected: Expected::new(config.limits.announced_endpoints, config.limits.announcement_s),
            early: HashMap::new(),
            hosts: HashMap::new(),
            early_bytes: 0,
            reorder_bytes: 0,
            encrypted: Encrypted::default(),
            services: Services::default(),
            unclaimed: Unclaimed::default(),
            answering: Services::default(),
            wakes: BinaryHeap::new(),
            out: Outbox::default(),
            updates: VecDeque::new(),
            pieces: Pieces::default(),
            interfaces: HashMap::new(),
            last_loss: None,
            probed_bytes: 0,
            counters: EngineCounters::default(),
            config,
        }
    }

    /// Gives an interface the name that events have for it; an empty one takes it away.
    pub fn name_interface(&mut self, interface: InterfaceId, name: &str) {
        if name.is_empty() {
            self.interfaces.remove(&interface);
        } else {
            self.interfaces.insert(interface, name.into());
        }
    }

    /// A segment was seen.
    pub fn handle_segment(&mut self, at: Timestamp, segment: &Segment<'_>) {
        self.counters.segments += 1;
        let key = FlowKey::new(segment.src, segment.dst);
        // Only a SYN begins another connection.
        let known =
            self.flows.find(&key).filter(|&id| !(segment.flags.syn() && self.is_replaced(at, id, segment)));
        let Some(id) = known.or_else(|| self.open(at, key, segment)) else {
            self.counters.stray_segments += 1;
            return;
        };
        if !self.flows.touch(id, at).is_some_and(|flow| flow.count_bare(at, segment)) {
            self.feed(at, id, segment);
        }
    }

    /// Records that would have come were lost.
    pub fn handle_loss(&mut self, at: Timestamp, loss: Loss) {
        self.counters.lose(loss.reason, loss.records);
        self.last_loss = Some(at);
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        [self.flows.due(), self.next_wake(), self.expected.next_expiry()].into_iter().flatten().min()
    }

    fn next_wake(&self) -> Option<Timestamp> {
        self.wakes.peek().map(|Reverse((at, _))| *at)
    }

    /// Does what is due at `now`. Before that it is quick to see that nothing is.
    #[inline]
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if self.flows.idle_until() <= now || is_due(self.next_wake()) || is_due(self.expected.next_expiry()) {
            self.do_what_is_due(now);
        }
    }

    fn do_what_is_due(&mut self, now: Timestamp) {
        while let Some(&Reverse((at, id))) = self.wakes.peek()
            && at <= now
        {
            self.wakes.pop();
            self.wake(now, at, id);
        }
        for class in Class::ALL {
            while let Some(id) = self.flows.idle(class, now) {
                self.remove(now, id, EndReason::Idle);
            }
        }
        self.flows.idle_are_gone();
        while let Some(unclaimed) = self.expected.expire(now) {
            if let Some(listener) = unclaimed {
                self.update(PortUpdate::Forget { listener });
            }
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.out.events.pop_front()?;
        self.counters.events += 1;
        Some(event)
    }

    /// Events that wait to be polled.
    #[inline]
    pub fn events_waiting(&self) -> usize {
        self.out.events.len()
    }

    /// All events that wait, for a queue that has room for those to come: quicker than one by one.
    pub fn exchange_events(&mut self, emptied: VecDeque<Event>) -> VecDeque<Event> {
        self.counters.events += self.out.events.len() as u64;
        let waiting = core::mem::replace(&mut self.out.events, emptied);
        // What it brings along would be told anew.
        self.out.events.clear();
        waiting
    }

    /// The next port update.
    pub fn poll_port_update(&mut self) -> Option<PortUpdate> {
        self.updates.pop_front()
    }

    /// The next piece of a file, with [`FilesMode::Extract`]. To be polled before the events: an event that tells of a file
    /// comes after its last piece.
    pub fn poll_file_piece(&mut self) -> Option<FilePiece> {
        self.pieces.poll()
    }

    /// The input is over: all that is open is ended and reported.
    pub fn finish(&mut self, at: Timestamp) {
        let ids: Vec<FlowId> = self.flows.ids().collect();
        let (data, rest): (Vec<_>, Vec<_>) =
            ids.into_iter().partition(|&id| matches!(self.role(id), Some(Role::Data(_) | Role::Suspect(_))));
        for id in data {
            self.remove(at, id, EndReason::EndOfInput);
        }
        // Sessions may find out, as they end, that what nobody claimed is theirs.
        let (unclaimed, rest): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|&id| matches!(self.role(id), Some(Role::Plain | Role::Early(_) | Role::Probed(_))));
        for &id in &unclaimed {
            self.end(at, id, None);
        }
        for &id in &rest {
            self.tell_missed(at, id);
        }
        for id in rest.into_iter().chain(unclaimed) {
            self.remove(at, id, EndReason::EndOfInput);
        }
    }

    /// What was counted, with the tables as they are now.
    pub fn counters(&self) -> EngineCounters {
        let mut counters = self.counters.clone();
        if self.pieces.lost() > 0 {
            counters.lose("file_pieces_full", self.pieces.lost());
        }
        let limits = &self.config.limits;
        let fill = |used: usize, cap: usize| TableFill { used: used as u64, cap: cap as u64 };
        counters.tables.insert("flows", fill(self.flows.len(), limits.flows));
        counters.tables.insert("sessions", fill(self.flows.len_of(Class::Control), limits.flows));
        counters.tables.insert("announced_endpoints", fill(self.expected.len(), limits.announced_endpoints));
        counters.tables.insert("probe_bytes", fill(self.probed_bytes, limits.probe_bytes));
        let (unclaimed, most) = self.unclaimed.fill();
        counters.tables.insert("unclaimed_connections", fill(unclaimed, most));
        if self.config.files != FilesMode::Off {
            counters.tables.insert("early_bytes", fill(self.early_bytes, limits.early_bytes));
            counters.tables.insert("reorder_bytes", fill(self.reorder_bytes, limits.reorder_bytes));
        }
        counters
    }

    /// The known flow ended, or ends with this segment, which opens another connection between the same ports.
    fn is_replaced(&mut self, at: Timestamp, id: FlowId, segment: &Segment<'_>) -> bool {
        let Some(flow) = self.flows.get(id) else { return true };
        let opens = segment.flags.syn() && !segment.flags.ack();
        let replaced = match flow.role {
            Role::Ended => opens || flow.connection.goes_on(flow.side_of(segment), segment),
            // On a living connection it is the SYN-ACK that tells.
            _ => flow.connection.starts_anew(flow.side_of(segment), segment),
        };
        if replaced {
            self.remove(at, id, EndReason::Replaced);
        }
        replaced
    }

    /// Opens a flow for the first segment seen of a connection, where that says anything.
    fn open(&mut self, at: Timestamp, key: FlowKey, segment: &Segment<'_>) -> Option<FlowId> {
        if !segment.flags.syn() && segment.wire_payload_len == 0 {
            return None;
        }
        let from = self.sender_of(segment);
        let (initiator, listener) = match from {
            Side::Initiator => (segment.src, segment.dst),
            Side::Listener => (segment.dst, segment.src),
        };
        let opened = segment.flags.syn().then_some(at);
        let role = self.role_of_new(initiator, listener, true, opened);
        Some(self.insert(at, key, Flow::from_segment(at, segment, from, role)))
    }

    /// Who sent the first segment seen of a connection: told by SYN, by the ports that are known, by the lower port.
    fn sender_of(&self, segment: &Segment<'_>) -> Side {
        if segment.flags.syn() {
            return Connection::sender_of(segment);
        }
        let listens = |end: Endpoint, other: Endpoint| {
            self.is_control(end.port) || !self.expected.matching(other.ip, end).is_empty()
        };
        match (listens(segment.src, segment.dst), listens(segment.dst, segment.src)) {
            (true, false) => Side::Listener,
            (false, true) => Side::Initiator,
            _ if segment.src.port < segment.dst.port => Side::Listener,
            _ => Side::Initiator,
        }
    }

    fn is_control(&self, port: u16) -> bool {
        self.config.control_ports.contains(&port) || self.config.tls_ports.contains(&port)
    }

    /// `opened`: when, where its opening was seen.
    fn role_of_new(
        &mut self,
        initiator: Endpoint,
        listener: Endpoint,
        has_segments: bool,
        opened: Option<Timestamp>,
    ) -> Role {
        if has_segments && self.is_control(listener.port) {
            return Role::Nascent { implicit_tls: self.config.tls_ports.contains(&listener.port) };
        }
        if let Some(data) = self.data_role(initiator, listener) {
            return data;
        }
        if let Some(suspect) = opened.and_then(|at| self.suspect_role(at, initiator, listener)) {
            return suspect;
        }
        if has_segments && self.config.detect_by_content {
            if self.probed_bytes < self.config.limits.probe_bytes {
                return Role::Probed(Box::default());
            }
            self.counters.lose("probe_bytes_full", 1);
        }
        if self.holds_early(initiator, listener) { Role::Early(Box::default()) } else { Role::Plain }
    }

    /// Puts a new flow into the table; the longest idle one gives way at the cap.
    fn insert(&mut self, at: Timestamp, key: FlowKey, flow: Flow) -> FlowId {
        while self.flows.len() >= self.config.limits.flows.max(1) {
            let victim = [Class::Ended, Class::Unclaimed, Class::Other, Class::Control]
                .into_iter()
                .find_map(|class| self.flows.longest_idle(class));
            let Some((victim, _)) = victim else { break };
            if !matches!(self.role(victim), Some(Role::Ended)) {
                self.counters.lose("flows_evicted", 1);
            }
            self.remove(at, victim, EndReason::Evicted);
        }
        if self.flows.len_of(Class::Ended) > self.config.limits.ended_flows
            && let Some((first, _)) = self.flows.longest_idle(Class::Ended)
        {
            self.remove(at, first, EndReason::Evicted);
        }
        let listener = flow.listener;
        let suspected = matches!(flow.role, Role::Suspect(_));
        let may_be_data = suspected || matches!(flow.role, Role::Probed(_) | Role::Plain | Role::Early(_));
        let id = self.flows.insert(key, Class::Other, at, flow);
        if may_be_data {
            self.early.insert(listener, id);
            if suspected {
                self.watch_suspect(at, id);
            } else {
                self.keep_unclaimed(at, id);
            }
        } else {
            self.tell_claimants(id);
        }
        id
    }

    fn role(&self, id: FlowId) -> Option<&Role> {
        self.flows.get(id).map(|flow| &flow.role)
    }

    fn update(&mut self, update: PortUpdate) {
        // What was announced and superseded since the last poll need not be known to anybody.
        if let (PortUpdate::Forget { listener: gone }, Some(PortUpdate::Expect { listener, .. })) =
            (update, self.updates.back())
            && gone == *listener
        {
            self.updates.pop_back();
        }
        if self.updates.len() >= UPDATES_MAX {
            self.updates.pop_front();
        }
        self.updates.push_back(update);
    }

    /// Asks for [`Self::wake`] of a flow at `at`, unless it comes earlier anyhow, or never.
    fn schedule(&mut self, id: FlowId, at: Timestamp) {
        let Some(flow) = self.flows.get_mut(id).filter(|_| at < Timestamp::LATEST) else { return };
        if at < flow.wake_at {
            flow.wake_at = at;
            self.wakes.push(Reverse((at, id)));
        }
    }

    fn lost_lately(&self, at: Timestamp) -> bool {
        self.last_loss.is_some_and(|loss| at.nanos_since(loss) < LOSS_ECHO_NS)
    }
}

/// How long a flow may be idle.
fn idle_ns(limits: &Limits, class: Class) -> i64 {
    let seconds = match class {
        Class::Control => limits.control_idle_s,
        Class::Other => limits.data_idle_s,
        Class::Unclaimed => UNCLAIMED_KEPT_S,
        Class::Ended => ENDED_KEPT_S,
    };
    i64::from(seconds).saturating_mul(1_000_000_000)
}
