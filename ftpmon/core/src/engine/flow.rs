//! One connection in the flow table.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::control::Missed;
use super::early::Early;
use super::files::FileReader;
use super::head::Heads;
use super::infer::{InferredData, Suspect};
use super::pieces::Pieces;
use super::probe::{Probe, Verdict};
use super::streams::CANDIDATE_NS;
use super::table::FlowId;
use crate::account::{DirectionAccount, FlowRecord, Side};
use crate::addr::Endpoint;
use crate::config::Hashes;
use crate::event::{GapCause, Handshake};
use crate::segment::{InterfaceId, Segment, VlanTags};
use crate::session::{DataSummary, EndpointId, Session};
use crate::tcp::{Closing, Conflict, Connection, Keep, Limits, Receiver};
use crate::time::Timestamp;
use crate::tls::TlsFacts;

/// A connection, whatever it carries.
pub(super) struct Flow {
    pub(super) initiator: Endpoint,
    pub(super) listener: Endpoint,
    pub(super) connection: Connection,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) interface: InterfaceId,
    pub(super) vlan: VlanTags,
    /// When the flow is to be looked at next; [`Timestamp::LATEST`] for never.
    pub(super) wake_at: Timestamp,
    /// When it ends, though its end was not seen whole: some time after the first FIN, or after RST. Until then
    /// [`Timestamp::LATEST`].
    pub(super) ends_at: Timestamp,
    /// What its connection holds back of a file, bytes, as it was counted last.
    pub(super) held: u32,
    /// The kernel's latest account of it, until it is over.
    pub(super) record: Option<Box<FlowRecord>>,
    /// Which connection between its ports the kernel's accounts were of; 0 where there was none.
    pub(super) incarnation: u64,
    pub(super) role: Role,
}

/// What a connection carries, as far as it is known.
pub(super) enum Role {
    /// It goes to a control port, and is no session yet: nobody answered, nobody said anything. A flood of SYNs makes
    /// many of these, and nothing larger.
    Nascent { implicit_tls: bool },
    /// A control connection.
    Control(Box<Control>),
    /// Whether it is FTP will be told from its first lines.
    Probed(Box<Probe>),
    /// A data connection.
    Data(Box<DataFlow>),
    /// What [`Role::Plain`] is, with its bytes held for the case that they are a file's.
    Early(Box<Early>),
    /// A connection between the hosts of a session that cannot be read, which may be its data connection.
    Suspect(Box<Suspect>),
    /// Anything else. It may yet turn out to be a data connection whose announcement is still to come.
    Plain,
    /// It ended. Its late packets belong to it and start nothing.
    Ended,
}

/// A control connection.
pub(super) struct Control {
    pub(super) session: Session,
    /// The end that sends commands.
    pub(super) client: Side,
    pub(super) missed: Missed,
    /// What is known while it cannot be read. Few sessions come to need it, and a million idle ones pay for its room.
    pub(super) unread: Option<Box<Unread>>,
}

/// What is known of a session that cannot be read.
pub(super) struct Unread {
    /// When the client said something last.
    pub(super) last_request: Timestamp,
    /// When the server did.
    pub(super) last_reply: Timestamp,
    /// The data connection that was inferred last.
    pub(super) last_data: Option<InferredData>,
}

impl Default for Unread {
    fn default() -> Self {
        Self { last_request: Timestamp::EARLIEST, last_reply: Timestamp::EARLIEST, last_data: None }
    }
}

/// A data connection.
#[derive(Default)]
pub(super) struct DataFlow {
    /// The announcements that it fulfils: two in a transfer between two servers.
    pub(super) claims: SmallVec<[(FlowId, EndpointId); 1]>,
    /// With `--files`.
    pub(super) files: Option<Box<Files>>,
    /// Nobody announced it readably.
    pub(super) inferred: bool,
    /// What its two directions begin with.
    pub(super) heads: Heads,
    /// Bytes went by before the connection was known to be a data connection.
    pub(super) late: bool,
}

/// Both directions of a data connection, hashed.
pub(super) struct Files {
    from_initiator: FileReader,
    from_listener: FileReader,
}

impl Files {
    /// Of each file `keep` bytes are handed out, if any.
    pub(super) fn new(hashes: Hashes, keep: Option<u64>) -> Self {
        let reader = || FileReader::new(hashes, keep);
        Self { from_initiator: reader(), from_listener: reader() }
    }

    /// They are none after all.
    pub(super) fn discard(self, pieces: &mut Pieces) {
        self.from_initiator.discard(pieces);
        self.from_listener.discard(pieces);
    }

    fn of(&mut self, from: Side) -> &mut FileReader {
        match from {
            Side::Initiator => &mut self.from_initiator,
            Side::Listener => &mut self.from_listener,
        }
    }
}

impl Flow {
    /// A flow that begins with `segment`, sent by the `listener` or by the other end.
    pub(super) fn from_segment(at: Timestamp, segment: &Segment<'_>, from: Side, role: Role) -> Self {
        let (initiator, listener) = match from {
            Side::Initiator => (segment.src, segment.dst),
            Side::Listener => (segment.dst, segment.src),
        };
        Self::new(at, initiator, listener, segment.interface, segment.vlan, role)
    }

    /// A flow that the kernel tells of.
    pub(super) fn from_record(record: &FlowRecord, role: Role) -> Self {
        Self::new(record.first, record.initiator, record.listener, record.interface, record.vlan, role)
    }

    fn new(
        at: Timestamp,
        initiator: Endpoint,
        listener: Endpoint,
        interface: InterfaceId,
        vlan: VlanTags,
        role: Role,
    ) -> Self {
        Self {
            initiator,
            listener,
            connection: Connection::new(),
            first: at,
            last: at,
            interface,
            vlan,
            wake_at: Timestamp::LATEST,
            ends_at: Timestamp::LATEST,
            held: 0,
            record: None,
            incarnation: 0,
            role,
        }
    }

    /// The kernel gave its account.
    pub(super) fn note_record(&mut self, record: &FlowRecord) {
        self.last = self.last.max(record.last);
        self.incarnation = record.incarnation;
        self.record = Some(Box::new(*record));
    }

    /// Nothing more will be told of it: only what keeps its late packets apart stays. Gives what it was.
    pub(super) fn over(&mut self) -> Role {
        self.record = None;
        core::mem::replace(&mut self.role, Role::Ended)
    }

    /// Counts a segment after which everything is as it was: a bare acknowledgment, every other packet of a dialogue.
    #[inline]
    pub(super) fn count_bare(&mut self, at: Timestamp, segment: &Segment<'_>) -> bool {
        // In the other roles it may be what a decision waits for.
        let settled = matches!(self.role, Role::Control(_) | Role::Data(_) | Role::Plain | Role::Ended);
        let counted = settled && self.connection.count_bare(self.side_of(segment), segment);
        if counted {
            self.last = self.last.max(at);
        }
        counted
    }

    /// Which end sent a segment.
    pub(super) fn side_of(&self, segment: &Segment<'_>) -> Side {
        if segment.src == self.initiator { Side::Initiator } else { Side::Listener }
    }

    /// The end that a side stands for.
    pub(super) fn endpoint(&self, side: Side) -> Endpoint {
        match side {
            Side::Initiator => self.initiator,
            Side::Listener => self.listener,
        }
    }

    /// Its handshake, where the SYN was seen.
    pub(super) fn handshake(&self) -> Option<Handshake> {
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
    pub(super) fn tcp_limits(&self, late_ms: u32) -> Limits {
        match &self.role {
            // Bytes that the kernel only counted are not waited for.
            Role::Control(control) if late_ms != Limits::NEVER && control.session.has_records() => Limits {
                window: Limits::BULK.window,
                acknowledged_wait_ms: 0,
                hole_wait_ms: 0,
                ..Limits::CONTROL
            },
            Role::Data(_) | Role::Suspect(_) | Role::Early(_) | Role::Plain | Role::Ended => Limits::BULK,
            Role::Nascent { .. } | Role::Control(_) | Role::Probed(_) => {
                let hole_wait_ms = late_ms.max(Limits::CONTROL.hole_wait_ms);
                Limits { acknowledged_wait_ms: late_ms, hole_wait_ms, ..Limits::CONTROL }
            }
        }
    }

    /// When it has to be decided whether it is a data connection, where that is open and somebody waits for it; once that time
    /// is over, when to look again.
    pub(super) fn undecided_until(&self, at: Timestamp) -> Option<Timestamp> {
        let waits = match self.role {
            Role::Early(_) => true,
            Role::Plain => self.record.is_some(),
            _ => false,
        };
        let until = self.first.plus_nanos(CANDIDATE_NS);
        waits.then(|| if until > at { until } else { at.plus_nanos(CANDIDATE_NS) })
    }

    /// Packets seen in both directions, by the kernel where it gave its account.
    pub(super) fn packets(&self) -> u64 {
        let own = |side| self.connection.account(side).packets;
        self.record.as_deref().map_or_else(
            || own(Side::Initiator) + own(Side::Listener),
            |record| record.from_initiator.packets + record.from_listener.packets,
        )
    }

    /// What an end sent, by the kernel where it gave its account.
    pub(super) fn account(&self, side: Side) -> DirectionAccount {
        match (self.record.as_deref(), side) {
            (Some(record), Side::Initiator) => record.from_initiator,
            (Some(record), Side::Listener) => record.from_listener,
            (None, side) => self.connection.account(side),
        }
    }

    /// The account of a data connection that ended.
    pub(super) fn summary(&mut self, pieces: &mut Pieces) -> DataSummary {
        let record = self.record.as_deref();
        let (from_initiator, from_listener) = (self.account(Side::Initiator), self.account(Side::Listener));
        let mut summary = DataSummary {
            initiator: self.initiator,
            listener: self.listener,
            from_initiator,
            from_listener,
            handshake: self.handshake(),
            first: record.map_or(self.first, |record| record.first),
            last: record.map_or(self.last, |record| record.last),
            closed_by: record.map_or_else(|| self.connection.closed_by(), |record| record.closed_by),
            tls: false,
            tls_facts: TlsFacts::default(),
            tls_opening: None,
            file_from_initiator: None,
            file_from_listener: None,
        };
        let from_start = !self.connection.midstream();
        if let Role::Data(data) = &mut self.role {
            summary.tls = data.heads.is_tls();
            summary.tls_facts = data.heads.facts().clone();
            summary.tls_opening = data.heads.client_opening();
            if let Some(files) = data.files.take() {
                let whole = from_start && !data.late;
                let Files { from_initiator: initiators, from_listener: listeners } = *files;
                summary.file_from_initiator = Some(initiators.finish(whole, from_initiator.fin, pieces));
                summary.file_from_listener = Some(listeners.finish(whole, from_listener.fin, pieces));
            }
        }
        summary
    }
}

impl Control {
    /// The hosts of its two ends, the client's first.
    pub(super) fn hosts(&self) -> (IpAddr, IpAddr) {
        let identity = self.session.identity();
        (identity.client.ip, identity.server.ip)
    }

    /// Notes that an end of a session that cannot be read says something; whether it answers. None where it says nothing.
    pub(super) fn note_unreadable(
        &mut self,
        at: Timestamp,
        from: Side,
        segment: &Segment<'_>,
    ) -> Option<bool> {
        if segment.wire_payload_len == 0 || !self.session.is_unreadable() {
            return None;
        }
        let answers = from != self.client;
        let unread = self.unread.get_or_insert_default();
        let last = if answers { &mut unread.last_reply } else { &mut unread.last_request };
        *last = at.max(*last);
        Some(answers)
    }
}

impl DataFlow {
    /// What of its payload the core wants.
    pub(super) fn keep(&self) -> Keep {
        if self.wants_bytes() { Keep::Bytes } else { Keep::Ranges }
    }

    /// Its bytes are wanted: not without `--files`, and not once some of a file's are missing.
    pub(super) fn wants_bytes(&self) -> bool {
        let whole = |files: &Files| !files.from_initiator.is_broken() && !files.from_listener.is_broken();
        self.files.as_deref().is_some_and(whole) && !self.late
    }

    /// What is under TLS is no file. A file that is clear may begin like TLS, where its connection was announced readably.
    pub(super) fn forget_encrypted_file(&mut self, pieces: &mut Pieces) {
        if self.inferred
            && self.heads.is_tls()
            && let Some(files) = self.files.take()
        {
            files.discard(pieces);
        }
    }

    /// The next bytes of a direction.
    pub(super) fn take(&mut self, from: Side, bytes: &[u8], pieces: &mut Pieces) {
        if let Some(files) = &mut self.files {
            files.of(from).data(bytes, pieces);
        }
    }

    /// Bytes of a direction are missing.
    pub(super) fn miss(&mut self, from: Side) {
        if let Some(files) = &mut self.files {
            files.of(from).gap();
        }
    }
}

/// Takes the streams of a data connection.
pub(super) struct Reading<'a> {
    pub(super) data: &'a mut DataFlow,
    pub(super) pieces: &'a mut Pieces,
}

impl Receiver for Reading<'_> {
    fn data(&mut self, _at: Timestamp, from: Side, bytes: &[u8]) {
        self.data.take(from, bytes, self.pieces);
    }

    fn gap(&mut self, _at: Timestamp, from: Side, _bytes: u64, _cause: GapCause) {
        self.data.miss(from);
    }

    fn conflict(&mut self, _at: Timestamp, _from: Side, _conflict: &Conflict<'_>) {}
    fn end_revoked(&mut self, _at: Timestamp, _from: Side) {}

    fn closed(&mut self, _at: Timestamp, _from: Side, _how: Closing) {}
}

/// Takes the streams of a connection whose bytes nobody wants.
pub(super) struct Nobody;

impl Receiver for Nobody {
    fn data(&mut self, _at: Timestamp, _from: Side, _bytes: &[u8]) {}
    fn gap(&mut self, _at: Timestamp, _from: Side, _bytes: u64, _cause: GapCause) {}
    fn conflict(&mut self, _at: Timestamp, _from: Side, _conflict: &Conflict<'_>) {}
    fn end_revoked(&mut self, _at: Timestamp, _from: Side) {}
    fn closed(&mut self, _at: Timestamp, _from: Side, _how: Closing) {}
}

/// Takes the streams of a connection that is probed.
pub(super) struct Prober<'a> {
    pub(super) probe: &'a mut Probe,
    pub(super) verdict: Verdict,
}

impl Receiver for Prober<'_> {
    fn data(&mut self, at: Timestamp, from: Side, bytes: &[u8]) {
        // The rest of a segment after the decision is read with what was held.
        match self.verdict {
            Verdict::Undecided => self.verdict = self.probe.data(at, from, bytes),
            Verdict::Ftp(_) | Verdict::Other => {
                self.probe.data(at, from, bytes);
            }
        }
    }

    fn gap(&mut self, _at: Timestamp, _from: Side, _bytes: u64, _cause: GapCause) {
        self.probe.gap();
    }
    fn conflict(&mut self, _at: Timestamp, _from: Side, _conflict: &Conflict<'_>) {}
    fn end_revoked(&mut self, _at: Timestamp, _from: Side) {}
    fn closed(&mut self, _at: Timestamp, _from: Side, _how: Closing) {}
}
