//! One connection in the flow table.

use super::candidate::Candidate;
use super::data::SessionRef;
use super::role::Role;
use super::timers::Timers;
use crate::account::{DirectionAccount, FlowRecord, FlowReport, Side};
use crate::addr::Endpoint;
use crate::event::{FileFacts, Handshake};
use crate::output::OutputQueue;
use crate::pair::HostPair;
use crate::segment::{InterfaceId, Segment, VlanTags};
use crate::session::DataSummary;
use crate::tcp::{Connection, StreamLimits};
use crate::time::Timestamp;
use crate::timing::ANNOUNCEMENT_LATE_NS;
use crate::tls::TlsFacts;

/// A connection, whatever it carries.
pub(crate) struct Flow {
    pub(crate) initiator: Endpoint,
    pub(crate) listener: Endpoint,
    /// Which of the two is which is a guess: nothing that was seen tells.
    pub(crate) guessed: bool,
    pub(crate) connection: Connection,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) interface: InterfaceId,
    pub(crate) vlan: VlanTags,
    /// Index of the packet that began it.
    pub(crate) birth: u64,
    pub(crate) timers: Timers,
    /// Bytes that its connection holds back of a file, as counted last.
    pub(crate) held: u32,
    /// The kernel's latest account of it, until it ends.
    pub(crate) record: Option<Box<FlowRecord>>,
    /// Which connection between its ports the kernel's accounts were of; 0 where there was none.
    pub(crate) incarnation: u64,
    /// It came to an endpoint of this session, whose transfer had another connection.
    pub(crate) turned_down_by: Option<SessionRef>,
    pub(crate) role: Role,
}

impl Flow {
    /// A flow that begins with `segment`, sent by the end `from`. `birth`: the index of its packet.
    pub(crate) fn from_segment(
        at: Timestamp,
        birth: u64,
        segment: &Segment<'_>,
        from: Side,
        role: Role,
    ) -> Self {
        let (initiator, listener) = match from {
            Side::Initiator => (segment.src, segment.dst),
            Side::Listener => (segment.dst, segment.src),
        };
        Self::new(at, birth, (initiator, listener), segment.interface, segment.vlan, role)
    }

    /// A flow that the kernel reports.
    pub(crate) fn from_record(birth: u64, record: &FlowRecord, role: Role) -> Self {
        let ends = (record.initiator, record.listener);
        Self::new(record.first, birth, ends, record.interface, record.vlan, role)
    }

    fn new(
        at: Timestamp,
        birth: u64,
        (initiator, listener): (Endpoint, Endpoint),
        interface: InterfaceId,
        vlan: VlanTags,
        role: Role,
    ) -> Self {
        Self {
            initiator,
            listener,
            guessed: false,
            connection: Connection::new(),
            first: at,
            last: at,
            interface,
            vlan,
            birth,
            timers: Timers::default(),
            held: 0,
            record: None,
            incarnation: 0,
            turned_down_by: None,
            role,
        }
    }

    /// The end that was taken for the initiator is the listener.
    pub(crate) fn turn_round(&mut self) {
        core::mem::swap(&mut self.initiator, &mut self.listener);
        self.connection.turn_round();
        match &mut self.role {
            Role::Candidate(Candidate::Probe(probe)) => probe.turn_round(),
            Role::Candidate(Candidate::Early(early)) => early.turn_round(),
            _ => {}
        }
    }

    /// Its two hosts.
    pub(crate) fn pair(&self) -> HostPair {
        HostPair::new(self.initiator.ip, self.listener.ip)
    }

    /// The kernel gave its account.
    pub(crate) fn note_record(&mut self, record: &FlowRecord) {
        self.last = self.last.max(record.last);
        self.incarnation = record.incarnation;
        self.record = Some(Box::new(*record));
    }

    /// Nothing more will be reported of it: only what keeps its late packets apart stays. Returns its role until now.
    pub(crate) fn end(&mut self) -> Role {
        self.record = None;
        self.timers = Timers::default();
        self.connection.forget_bytes();
        core::mem::replace(&mut self.role, Role::Ended)
    }

    /// Counts a segment after which everything is as it was: a bare acknowledgment, every other packet of a dialogue.
    #[inline]
    pub(crate) fn count_bare(&mut self, at: Timestamp, segment: &Segment<'_>) -> bool {
        // In the other roles a decision may wait for it.
        let settled = matches!(
            self.role,
            Role::Control(_) | Role::Data(_) | Role::Candidate(Candidate::Plain) | Role::Ended
        );
        let counted = settled && self.connection.count_bare(self.side_of(segment), segment);
        if counted {
            self.note_packet(at);
        }
        counted
    }

    /// A packet was seen. The last acknowledgment, behind the end of both directions, is no part of the connection's time:
    /// whether it comes before the end is reported depends on what else is reported.
    #[inline]
    pub(crate) fn note_packet(&mut self, at: Timestamp) {
        if !self.connection.is_closed() {
            self.last = self.last.max(at);
        }
    }

    /// Which end sent a segment.
    pub(crate) fn side_of(&self, segment: &Segment<'_>) -> Side {
        if segment.src == self.initiator { Side::Initiator } else { Side::Listener }
    }

    /// The end that a side stands for.
    pub(crate) fn endpoint(&self, side: Side) -> Endpoint {
        match side {
            Side::Initiator => self.initiator,
            Side::Listener => self.listener,
        }
    }

    /// Its handshake, where the SYN was seen.
    pub(crate) fn handshake(&self) -> Option<Handshake> {
        let (syn, syn_ack, ack) = match &self.record {
            Some(record) => (record.syn?, record.syn_ack, record.ack),
            None => {
                let times = self.connection.handshake();
                (times.syn?, times.syn_ack, times.ack)
            }
        };
        let ack_us = syn_ack.and_then(|syn_ack| Some(ack?.micros_since(syn_ack)));
        Some(Handshake { syn, syn_ack_us: syn_ack.map(|at| at.micros_since(syn)), ack_us })
    }

    /// The caps on what its connection may hold back, and for how long.
    pub(crate) fn tcp_limits(&self, late_ms: u32) -> StreamLimits {
        match &self.role {
            // Bytes that the kernel only counted are not waited for.
            Role::Control(control) if late_ms != StreamLimits::NEVER && control.session.has_records() => {
                StreamLimits {
                    window: StreamLimits::BULK.window,
                    acknowledged_wait_ms: 0,
                    hole_wait_ms: 0,
                    ..StreamLimits::CONTROL
                }
            }
            Role::Nascent { .. } | Role::Control(_) | Role::Candidate(Candidate::Probe(_)) => {
                let hole_wait_ms = late_ms.max(StreamLimits::CONTROL.hole_wait_ms);
                StreamLimits { acknowledged_wait_ms: late_ms, hole_wait_ms, ..StreamLimits::CONTROL }
            }
            Role::Data(_) | Role::Candidate(_) | Role::Ended => StreamLimits::BULK,
        }
    }

    /// Whether it waits for an announcement, and somebody pays for that: its bytes are held, or the kernel counts it.
    pub(crate) fn waits_for_announcement(&self) -> bool {
        match self.role {
            Role::Candidate(Candidate::Early(_)) => true,
            Role::Candidate(Candidate::Plain) => self.record.is_some(),
            _ => false,
        }
    }

    /// The time until which it waits for its announcement; after that, the time of the next check.
    pub(crate) fn announcement_due(&self, at: Timestamp) -> Timestamp {
        let due = self.first.plus_nanos(ANNOUNCEMENT_LATE_NS);
        if due > at { due } else { at.plus_nanos(ANNOUNCEMENT_LATE_NS) }
    }

    /// Both ends sent FIN.
    pub(crate) fn both_finished(&self) -> bool {
        self.connection.account(Side::Initiator).fin && self.connection.account(Side::Listener).fin
    }

    /// An end sent RST.
    pub(crate) fn was_reset(&self) -> bool {
        let reset = |side| self.connection.account(side).rst;
        reset(Side::Initiator) || reset(Side::Listener)
    }

    /// When its last packet was seen, by the kernel where it gave its account.
    pub(crate) fn last_packet(&self) -> Timestamp {
        self.record.as_ref().map_or(self.last, |record| record.last)
    }

    /// A SYN-ACK was seen.
    pub(crate) fn was_opened(&self) -> bool {
        self.handshake().is_some_and(|handshake| handshake.syn_ack_us.is_some())
    }

    /// The connection was established, or payload was sent.
    pub(crate) fn was_established(&self) -> bool {
        self.was_opened() || self.has_moved()
    }

    /// The handshake is complete, as far as is known: that of a connection which the kernel counts is taken to be.
    pub(crate) fn is_established(&self) -> bool {
        self.record.is_some()
            || self.connection.handshake().ack.is_some()
            || (self.packets() > 0 && self.connection.handshake().syn.is_none())
            || self.has_moved_here()
            || self.connection.account(Side::Initiator).fin
            || self.connection.account(Side::Listener).fin
    }

    /// The handshake is complete, and the listener was seen to answer where the opening was seen.
    pub(crate) fn is_proven(&self) -> bool {
        let finished = |side| self.account(side).fin;
        let answered = self.handshake().is_none() || self.was_established();
        self.is_established() && (answered || finished(Side::Initiator) || finished(Side::Listener))
    }

    /// It ended and carried nothing.
    pub(crate) fn ended_empty(&self) -> bool {
        let ended = self.is_counted_to_its_end() || (self.record.is_none() && self.connection.is_closed());
        ended && !self.has_moved()
    }

    /// Payload was seen here, not only counted by the kernel.
    pub(crate) fn has_moved_here(&self) -> bool {
        let sent = |side| self.connection.account(side).bytes > 0;
        sent(Side::Initiator) || sent(Side::Listener)
    }

    /// The kernel gave its last account of it.
    pub(crate) fn is_counted_to_its_end(&self) -> bool {
        matches!(&self.record, Some(record) if record.report == FlowReport::Close)
    }

    /// Payload was sent.
    pub(crate) fn has_moved(&self) -> bool {
        self.account(Side::Initiator).bytes > 0 || self.account(Side::Listener).bytes > 0
    }

    /// Packets seen in both directions, by the kernel where it gave its account.
    pub(crate) fn packets(&self) -> u64 {
        let own = |side| self.connection.account(side).packets;
        self.record.as_deref().map_or_else(
            || own(Side::Initiator) + own(Side::Listener),
            |record| record.from_initiator.packets + record.from_listener.packets,
        )
    }

    /// The account of an end, by the kernel where it gave its account.
    pub(crate) fn account(&self, side: Side) -> DirectionAccount {
        match (self.record.as_deref(), side) {
            (Some(record), Side::Initiator) => record.from_initiator,
            (Some(record), Side::Listener) => record.from_listener,
            (None, side) => self.connection.account(side),
        }
    }

    /// The account of a data connection that ended.
    pub(crate) fn summary(&self) -> Box<DataSummary> {
        let record = self.record.as_deref();
        let (from_initiator, from_listener) = (self.account(Side::Initiator), self.account(Side::Listener));
        let mut summary = Box::new(DataSummary {
            initiator: self.initiator,
            listener: self.listener,
            from_initiator,
            from_listener,
            handshake: self.handshake(),
            first: record.map_or(self.first, |record| record.first),
            last: self.last_packet(),
            closed_by: record.map_or_else(|| self.connection.closed_by(), |record| record.closed_by),
            shared: false,
            tls: false,
            tls_facts: TlsFacts::default(),
            tls_opening: None,
            file_from_initiator: None,
            file_from_listener: None,
        });
        if let Role::Data(data) = &self.role {
            summary.tls = data.first_bytes.is_tls();
            summary.tls_facts = data.first_bytes.facts().clone();
            summary.tls_opening = data.first_bytes.client_opening();
        }
        summary
    }

    /// Adds the facts of the files that it carried, where its bytes could be copied. Once: then there are none left.
    pub(crate) fn finish_files(&mut self, summary: &mut DataSummary, out: &mut OutputQueue) {
        let from_start = !self.connection.midstream();
        let Role::Data(data) = &mut self.role else { return };
        if let Some(reason) = data.withheld_because() {
            let facts = || Some(FileFacts { reason: Some(reason), ..FileFacts::default() });
            (summary.file_from_initiator, summary.file_from_listener) = (facts(), facts());
            return;
        }
        if let Some(files) = data.files.take() {
            let whole = from_start && !data.late;
            let to_end = [summary.from_initiator.fin, summary.from_listener.fin];
            let [initiators, listeners] = files.finish(whole, to_end, out);
            summary.file_from_initiator = Some(initiators);
            summary.file_from_listener = Some(listeners);
        }
    }
}
