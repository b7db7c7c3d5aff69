//! One control session: the two ordered streams of a control connection, and what they mean together.
//!
//! A [`Session`] owns no connection and keeps no time. Its caller hands it the bytes, gaps and ends of each direction in
//! order, reports the ends of the data connections that it announced, and calls [`Session::report_due`] when it asked
//! for that. Events and wishes go into an [`Outbox`].

mod allowance;
mod answers;
mod channel;
mod commands;
mod contenders;
mod data;
mod doubt;
mod due;
mod encryption;
mod input;
mod login;
mod open_session;
mod outbox;
mod outcome;
mod overhead;
mod pending;
mod remote;
mod repeated;
mod replies;
mod restart;
mod secrets;
mod tiny;
mod tls_watch;
mod transfer;
mod transfers;
mod unread;

use std::sync::Arc;

use smol_str::SmolStr;

pub use data::{ConnectionId, Contact, DataSummary, EndpointId, FoundData};
pub use login::LoginProgress;
pub use open_session::{OpenSession, RunningTransfer};
pub use outbox::{Effect, ExpectedEndpoints, Outbox};

use crate::config::{EngineConfig, Limits, Secrets};
use crate::event::{
    Anomaly, AnomalyDetail, AnomalyId, ClosedBy, DataAnnouncement, Direction, End, EndReason, EventKind,
    Handshake, Mode, SessionEnd, SessionIdentity, SessionStart, TlsVia,
};
use crate::fill::Fills;
use crate::ftp::{LINE_MAX, LineSplitter, REPLY_TEXT_MAX, ReplyAssembler};
use crate::time::Timestamp;
use crate::tls::TlsFacts;
use allowance::Allowance;
use channel::Channel;
use login::Logins;
use pending::PendingCommands;
use remote::Remote;
use repeated::RepeatedError;
use restart::Restart;
use secrets::MaskedSecrets;
use tiny::Tiny;
use tls_watch::TlsWatch;
use transfer::Missed;
use transfers::{Reception, SessionRef, Transfers, tell_stranger};

/// Endpoints of one striped transfer (GridFTP) that are reported. Stops an argument of nothing but endpoints.
const STRIPES_MAX: usize = 16;

/// The part of the configuration that a session needs with each call.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The treatment of secrets.
    pub secrets: &'a Secrets,
    /// The caps.
    pub limits: &'a Limits,
}

impl<'a> From<&'a EngineConfig> for Context<'a> {
    fn from(config: &'a EngineConfig) -> Self {
        Self { secrets: &config.secrets, limits: &config.limits }
    }
}

/// The beginning of a control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Its beginning was not seen.
    pub midstream: bool,
    /// Its handshake, where the SYN was seen.
    pub handshake: Option<Handshake>,
    /// It uses TLS from the first byte.
    pub implicit_tls: bool,
}

/// A control session, from its first line until its last data connection has ended.
#[derive(Debug)]
pub struct Session {
    identity: Arc<SessionIdentity>,
    started: Timestamp,
    last: Timestamp,
    from_client: Channel,
    from_server: Channel,
    assembler: ReplyAssembler,
    last_reply_line: Timestamp,
    pending: PendingCommands,
    repeated: Option<Box<RepeatedError>>,
    logins: Logins,
    transfers: Transfers,
    tls: Option<Box<TlsWatch>>,
    /// AUTH for TLS was accepted, and no record was seen yet.
    tls_agreed: bool,
    tx: u64,
    replies: u64,
    /// The command that announced the latest endpoint, or the latest one then.
    announced_by: u64,
    gaps: u64,
    greeting_due: bool,
    /// All of the dialogue so far was read: what does not fit is an anomaly.
    all_read: bool,
    /// The count of gaps in it.
    missed: Missed,
    /// The count of gaps in the commands when a file was asked for last.
    missed_before_transfer: u32,
    malformed: u8,
    malformed_replies: u8,
    well_formed_command: bool,
    well_formed_reply: bool,
    /// The anomaly `not_ftp` was reported.
    not_ftp: bool,
    secrets: MaskedSecrets,
    too_many_pending_told: bool,
    empty_line_told: bool,
    allowance: Allowance,
    /// When lines of each direction were last counted instead of read.
    unread_at: [Option<Timestamp>; 2],
    /// The doubts that were told, a bit each.
    doubts_told: u16,
    tiny: Option<Box<Tiny>>,
    remote: Remote,
    restart: Option<Box<Restart>>,
    /// The reason and the closer of the control connection's end, while data connections are still open.
    ended: Option<(EndReason, Option<ClosedBy>)>,
    over: bool,
}

impl Session {
    /// Begins a session at `at` and reports it.
    pub fn begin(
        at: Timestamp,
        identity: Arc<SessionIdentity>,
        beginning: Beginning,
        out: &mut Outbox,
    ) -> Self {
        let Beginning { midstream, handshake, implicit_tls } = beginning;
        let start = SessionStart { midstream, handshake, ..SessionStart::default() };
        out.event(at, &identity, None, EventKind::SessionStart(start));
        // The first line may be the rest of one, of PASS perhaps: only a verb that is known is believed.
        let commands = if midstream { LineSplitter::midstream() } else { LineSplitter::new() };
        let channel = |lines| if implicit_tls { Channel::Tls(Box::default()) } else { Channel::Text(lines) };
        Self {
            identity,
            started: handshake.map_or(at, |handshake| handshake.syn),
            last: at,
            from_client: channel(commands),
            from_server: channel(LineSplitter::new()),
            assembler: ReplyAssembler::new(),
            last_reply_line: at,
            pending: PendingCommands::default(),
            repeated: None,
            logins: Logins::default(),
            transfers: Transfers::default(),
            tls: implicit_tls.then(|| Box::new(TlsWatch::new(TlsVia::Implicit))),
            tls_agreed: false,
            tx: 0,
            replies: 0,
            announced_by: 0,
            gaps: 0,
            greeting_due: !midstream,
            all_read: !midstream,
            missed: Missed::default(),
            missed_before_transfer: 0,
            malformed: 0,
            malformed_replies: 0,
            well_formed_command: false,
            well_formed_reply: false,
            not_ftp: false,
            secrets: MaskedSecrets::default(),
            too_many_pending_told: false,
            empty_line_told: false,
            allowance: Allowance::default(),
            unread_at: [None; 2],
            doubts_told: 0,
            tiny: None,
            remote: Remote::new(midstream),
            restart: None,
            ended: None,
            over: false,
        }
    }

    /// The session's addresses and id.
    pub fn identity(&self) -> &Arc<SessionIdentity> {
        &self.identity
    }

    /// `session_end` was reported: the session can be removed.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The control connection ended; the session waits for data connections that are still open.
    pub fn is_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// The dialogue cannot be read: it is under TLS.
    pub fn is_unreadable(&self) -> bool {
        self.tls.is_some()
    }

    /// A direction carries TLS records: not all of its bytes may be handed over.
    pub fn has_records(&self) -> bool {
        matches!((&self.from_client, &self.from_server), (Channel::Tls(_), _) | (_, Channel::Tls(_)))
    }

    /// Little waits in the session besides lines that are not complete: nothing that has to be counted.
    #[inline]
    pub fn is_light(&self) -> bool {
        self.pending.len() <= 2 && self.transfers.open().len() <= 1 && self.assembler.held() == 0
    }

    /// Memory of what waits in the session for more to come, bytes: commands without a reply, unfinished transfers, lines and
    /// replies that are not complete; and of what was said to be remembered.
    pub fn held(&self) -> usize {
        let user = self.logins.user.as_ref().map_or(0, |user| user.text.len());
        self.pending.held()
            + self.transfers.open().iter().map(|transfer| transfer.held()).sum::<usize>()
            + self.assembler.held()
            + self.from_client.held()
            + self.from_server.held()
            + self.secrets.held()
            + self.remote.held()
            + user
    }

    /// The facts in the hellos on the control connection, while it is under TLS.
    pub fn tls_facts(&self) -> Option<&TlsFacts> {
        self.tls.as_ref().map(|watch| &watch.facts)
    }

    /// An announced endpoint waits for its connection, or did lately: what other hosts did there is known at the next exchange between
    /// partitions.
    pub fn awaits_exchange(&self, at: Timestamp) -> bool {
        self.transfers.awaits_connection() || self.transfers.used_lately(at)
    }

    /// A connection to an announced endpoint was opened, or established. False if the endpoint takes none any longer.
    pub fn data_opened(&mut self, at: Timestamp, id: EndpointId, contact: Contact, out: &mut Outbox) -> bool {
        let Contact { initiator, established, proven, .. } = contact;
        let (client, server) = (self.identity.client.ip, self.identity.server.ip);
        let expected = |mode| initiator.ip == if mode == Mode::Active { server } else { client };
        let reception = self.transfers.contact(at, id, contact, expected, out);
        let stranger = established && initiator.ip != client && initiator.ip != server;
        // Where the listener has not answered, it may be an attempt that is refused: more will be known.
        let undecided = matches!(reception, Reception::Late { .. }) && !proven;
        if let Reception::Late { tx } = reception
            && stranger
            && proven
        {
            let session = SessionRef::new(&self.identity, &self.logins, &self.allowance);
            tell_stranger(at, tx, initiator, false, session, out);
        }
        out.lose_if(reception == Reception::Full, "contenders_full");
        reception == Reception::Taken || undecided
    }

    /// A connection to an announced endpoint ended.
    pub fn data_ended(
        &mut self,
        at: Timestamp,
        id: EndpointId,
        connection: ConnectionId,
        summary: Box<DataSummary>,
        out: &mut Outbox,
    ) {
        let at = self.transfers.ended(at, id, connection, summary);
        let session = SessionRef::new(&self.identity, &self.logins, &self.allowance);
        self.transfers.report_decided(at, session, out);
        self.end_if_nothing_open(at, out);
    }

    /// A connection to an announced endpoint is about to end, but for late packets; or it is not, after all.
    pub fn data_closing(&mut self, id: EndpointId, connection: ConnectionId, closing: bool, moved: bool) {
        self.transfers.closing(id, connection, closing, moved);
    }

    /// A data connection without a readable announcement was opened.
    pub fn data_inferred(&mut self, data: DataAnnouncement) -> EndpointId {
        self.transfers.infer(data)
    }

    /// The other party took an announcement.
    pub fn is_confirmed(&self, id: EndpointId) -> bool {
        self.transfers.is_confirmed(id)
    }

    /// A transfer whose endpoint was announced unseen waits for such a connection.
    pub fn lacks(&self, found: &FoundData) -> bool {
        self.transfers.lack(found)
    }

    /// The connection of such a transfer was found.
    pub fn data_found(&mut self, data: DataAnnouncement, found: &FoundData) -> EndpointId {
        self.transfers.find(data, found)
    }

    /// Reports the transfers that are decided by now.
    pub fn report_due(&mut self, at: Timestamp, out: &mut Outbox) {
        let session = SessionRef::new(&self.identity, &self.logins, &self.allowance);
        self.transfers.report_due(at, session, out);
        self.tell_held_back(at, false, out);
        self.end_if_nothing_open(at, out);
    }

    /// The session ends with its last data connection.
    fn end_if_nothing_open(&mut self, at: Timestamp, out: &mut Outbox) {
        if self.transfers.is_empty()
            && let Some(ended) = self.ended.take()
        {
            let (reason, closed_by) = ended;
            self.tell_end(at, reason, closed_by, out);
        }
    }

    /// The control connection ended. `session_end` follows when the data connections that are still open have ended,
    /// at once where `all` is to end.
    pub fn end(
        &mut self,
        at: Timestamp,
        reason: EndReason,
        closed_by: Option<ClosedBy>,
        all: bool,
        context: Context<'_>,
        out: &mut Outbox,
    ) {
        if self.over {
            return;
        }
        self.half_closed(at, Direction::Command, context, out);
        self.half_closed(at, Direction::Reply, context, out);
        self.confirm_repeated(out);
        self.report_tls(at, out);
        while let Some(abandoned) = self.logins.abandon() {
            self.tell_login(at, Some(abandoned), out);
        }
        let session = SessionRef::new(&self.identity, &self.logins, &self.allowance);
        self.transfers.finish(at, all, session, out);
        let (reason, closed_by) = self.ended.take().unwrap_or((reason, closed_by));
        if self.transfers.is_empty() {
            self.tell_end(at, reason, closed_by, out);
        } else {
            self.ended = Some((reason, closed_by));
        }
    }

    /// Notes the fill of what the session holds, beside these caps.
    pub(crate) fn note_fill(&self, limits: &Limits, fills: &mut Fills) {
        // The next command evicts what an empty line, a lost command or a transfer that goes on after 425 added.
        fills.note("pending_of_session", self.pending.len(), limits.pending_commands + 3);
        self.transfers.note_fill(limits.open_transfers, fills);
        self.remote.note_fill(fills);
        self.logins.note_fill(fills);
        self.secrets.note_fill(fills);
        fills.note("reply_bytes_of_session", self.assembler.held(), 3 * REPLY_TEXT_MAX);
        for channel in [&self.from_client, &self.from_server] {
            if let Channel::Text(splitter) = channel {
                fills.note("line_bytes_of_session", splitter.held(), 3 * LINE_MAX);
            }
        }
    }

    /// Tells an event, if the session may have more.
    #[inline]
    fn tell(&self, at: Timestamp, kind: EventKind, out: &mut Outbox) {
        SessionRef::new(&self.identity, &self.logins, &self.allowance).tell(at, kind, out);
    }

    /// A segment of the control connection came with this many bytes of payload: what it says may be told. True where that may
    /// be more than the session is allowed.
    #[inline]
    pub fn earn_events(&mut self, payload: usize) -> bool {
        self.allowance.earn(payload);
        self.allowance.is_short_of(payload)
    }

    /// The session may tell so many events more.
    pub fn lend_events(&mut self, events: u32) {
        self.allowance.lend(events);
    }

    /// Gives back what is left of events that were lent, and the number of those that were not told since the last call.
    pub fn settle_events(&mut self, lent: u32) -> (u32, u64) {
        (self.allowance.give_back(lent), self.allowance.take_counted())
    }

    /// Tells of the events that were not told, when that is due, or if `all` is.
    fn tell_held_back(&self, at: Timestamp, all: bool, out: &mut Outbox) {
        if let Some(held) = self.allowance.take_held_back(at, all) {
            for anomaly in held.anomalies() {
                out.event(at, &self.identity, self.logins.user.as_ref(), EventKind::Anomaly(anomaly));
            }
        }
    }

    fn anomaly(&self, at: Timestamp, tx: Option<u64>, id: AnomalyId, detail: &str, out: &mut Outbox) {
        let anomaly = AnomalyDetail { id, detail: SmolStr::new(detail), repeated: None };
        self.tell(at, EventKind::Anomaly(Anomaly { tx, anomaly }), out);
    }

    fn tell_end(&mut self, at: Timestamp, reason: EndReason, closed_by: Option<ClosedBy>, out: &mut Outbox) {
        self.over = true;
        let totals = self.transfers.totals;
        let end = End {
            reason,
            closed_by,
            duration_ms: self.last.millis_since(self.started),
            commands: self.tx,
            replies: self.replies,
            logins: self.logins.succeeded.into(),
            failed_logins: self.logins.failed.into(),
            transfers: totals.transfers,
            bytes_up: totals.bytes_up,
            bytes_down: totals.bytes_down,
            gaps: self.gaps,
            tiny_segments: self.tiny.as_ref().and_then(|tiny| tiny.told()),
        };
        self.tell_held_back(at, true, out);
        let kind = EventKind::SessionEnd(SessionEnd { end });
        out.event(at, &self.identity, self.logins.user.as_ref(), kind);
    }
}
