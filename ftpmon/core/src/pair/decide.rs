//! The session that a data connection belongs to: pure functions from evidence to a decision.
//!
//! Two kinds of connections reach a session without an announcement that was read. Between the hosts of a session under TLS
//! every new connection is a candidate, and points of evidence decide ([`weigh`]). If bytes of a dialogue are missing, a
//! connection that was opened meanwhile may have been announced in them ([`announcer`]).

use core::cmp::Reverse;

use smallvec::SmallVec;

use super::window::Window;
use crate::account::Side;
use crate::event::{Direction, Mode};
use crate::flow::{ContentKind, FirstBytes, FlowId};
use crate::time::Timestamp;
use crate::tls::TlsFacts;

/// Points of evidence that make a data connection: each kind of evidence has two.
pub(crate) const POINTS_ENOUGH: u8 = 4;

/// The evidence on a candidate and one unreadable session of its hosts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    pub(crate) session: FlowId,
    pub(crate) mode: Mode,
    /// The ClientHello compared with the session's own; none if it is evidence against a data connection.
    pub(crate) same_client: Option<bool>,
    /// Nanoseconds from the session's possible announcement to the connection's opening.
    pub(crate) asked_before: Option<u64>,
    /// The session sent a reply about when the connection ended.
    pub(crate) answered: bool,
    /// An end of the control connection has sent FIN.
    pub(crate) closing: bool,
    /// The session's last data connection overlaps with this one.
    pub(crate) overlaps: bool,
    /// The session's last data connection was opened by the other end, or under TLS where this one is not, or the reverse.
    pub(crate) unlike_last: bool,
    /// The listener is known to serve another protocol.
    pub(crate) known_service: bool,
}

/// A session that a candidate may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weighed {
    pub(crate) session: FlowId,
    pub(crate) mode: Mode,
    pub(crate) points: u8,
    pub(crate) answered: bool,
    unlike_last: bool,
    asked_before: u64,
}

/// The strength of the evidence that a candidate is a session's data connection; none if there is evidence against it.
pub(crate) fn weigh(evidence: &Evidence) -> Option<Weighed> {
    let Evidence { session, mode, answered, unlike_last, .. } = *evidence;
    let same_client = evidence.same_client?;
    let asked = evidence.asked_before.is_some();
    if evidence.closing && !asked {
        return None;
    }
    if evidence.known_service && !(same_client && asked && answered) {
        return None;
    }
    let points = 2 * [same_client, asked, answered].map(u8::from).iter().sum::<u8>();
    Some(Weighed {
        session,
        mode,
        points: points.saturating_sub(u8::from(evidence.overlaps)),
        answered,
        unlike_last,
        asked_before: evidence.asked_before.unwrap_or(u64::MAX),
    })
}

/// The session that a candidate belongs to most likely: of equals one whose last data connection was alike, then the one
/// that sent something last before the connection was opened.
pub(crate) fn likeliest(sessions: impl Iterator<Item = Weighed>) -> Option<Weighed> {
    sessions.max_by_key(|it| (it.points, !it.unlike_last, Reverse(it.asked_before)))
}

/// The first bytes are those of no data connection: data connections have TLS in both directions, or bytes in one only.
pub(crate) fn is_another_protocol(first_bytes: &FirstBytes) -> bool {
    match (first_bytes.kind(Side::Initiator), first_bytes.kind(Side::Listener)) {
        (ContentKind::Foreign, _) | (_, ContentKind::Foreign) => true,
        (ContentKind::Silent, _) | (_, ContentKind::Silent) => false,
        kinds => kinds != (ContentKind::Tls, ContentKind::Tls),
    }
}

/// The connection's ClientHello is like the control connection's (`own`). None if it is another program's, or comes from
/// the end that should be the TLS server (RFC 4217 section 7: the FTP client is the TLS client, whoever opens the
/// connection).
pub(crate) fn same_client(own: Option<&TlsFacts>, mode: Mode, first_bytes: &FirstBytes) -> Option<bool> {
    let client = match mode {
        Mode::Passive => Side::Initiator,
        Mode::Active => Side::Listener,
    };
    if first_bytes.client().is_some_and(|side| side != client) {
        return None;
    }
    let own = own.and_then(|facts| facts.client.as_ref());
    let Some(hello) = &first_bytes.facts().client else { return Some(false) };
    let offers = |protocol: &_| own.is_some_and(|own| own.alpn.contains(protocol));
    if hello.alpn.iter().any(|protocol| !protocol.starts_with("ftp") && !offers(protocol)) {
        return None;
    }
    let Some(own) = own else { return Some(false) };
    (own.ciphers_fingerprint() == hello.ciphers_fingerprint()).then_some(true)
}

/// The evidence on who opened a connection whose SYN and SYN-ACK were not seen, by the first segment that was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    /// The end that sent it is a control port, or was announced to the other one.
    pub(crate) source_listens: bool,
    /// The same of the other end.
    pub(crate) destination_listens: bool,
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
}

/// The port from which servers open data connections (RFC 959 section 3.2).
const FTP_DATA: u16 = 20;

/// The end that sent the first segment, and whether that is a guess: then the connection may be announced by either end.
pub(crate) fn opener(evidence: &Opening) -> (Side, bool) {
    let &Opening { source_port, destination_port, .. } = evidence;
    match (evidence.source_listens, evidence.destination_listens) {
        (true, false) => return (Side::Listener, false),
        (false, true) => return (Side::Initiator, false),
        _ => {}
    }
    let source_is_lower = source_port < destination_port;
    let lower = source_port.min(destination_port);
    // Whoever listens mostly has the lower port; a server that connects to its client has the lowest.
    let source_listens = source_is_lower != (lower == FTP_DATA);
    (if source_listens { Side::Listener } else { Side::Initiator }, true)
}

/// Which ends of a connection sent payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Senders {
    /// Neither, or the connection's opening was not seen.
    Neither,
    One(Side),
    Both,
}

/// Missing bytes of a session may have announced a connection that was opened at `opened`: they went in the direction that
/// announces one of its mode (227 and 229 come from the server, PORT and EPRT from the client), and at that time.
pub(crate) fn may_have_announced(window: &Window, mode: Mode, opened: Timestamp) -> bool {
    let announced_by = match mode {
        Mode::Passive => Direction::Reply,
        Mode::Active => Direction::Command,
    };
    window.covers(opened) && window.direction == announced_by
}

/// A session that may have announced a connection unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GapClaim {
    pub(crate) session: FlowId,
    pub(crate) mode: Mode,
    /// The session has a transfer whose endpoint was lost and that waits for just such a connection.
    pub(crate) wanted: bool,
    /// Until then there may be evidence against it.
    pub(crate) due: Timestamp,
}

/// The announcer of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announcer {
    /// No session's: none lost what could have announced it.
    None,
    /// One of several; until then evidence may decide which.
    Several(Timestamp),
    /// This session's.
    One(GapClaim),
}

/// The announcer of a connection, of the sessions that may have announced it unseen: a session that waits for it comes first; of
/// several like that it belongs to none.
pub(crate) fn announcer(claims: &[GapClaim]) -> Announcer {
    let among = |wanted: bool| {
        let mut some = claims.iter().filter(|claim| claim.wanted || !wanted);
        let first = some.next()?;
        let latest = some.map(|claim| claim.due).max();
        Some(latest.map_or(Announcer::One(*first), |due| Announcer::Several(due.max(first.due))))
    };
    among(true).or_else(|| among(false)).unwrap_or(Announcer::None)
}

/// The evidence on a connection to an endpoint that is announced only now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EarlyConnection {
    pub(crate) flow: FlowId,
    /// The host that was expected opened it.
    pub(crate) expected_peer: bool,
    pub(crate) established: bool,
    /// The kernel counts it, and says only now and then what it saw: that it was established may not be known yet.
    pub(crate) counted: bool,
    /// Payload was sent.
    pub(crate) moved: bool,
    /// Neither end has closed it.
    pub(crate) open: bool,
    pub(crate) opened: Timestamp,
}

/// Which of the connections to an endpoint its announcement was for: one of the expected host before that of a stranger, one
/// that was established before one that was refused, one that moved bytes before an empty one, then the latest.
pub(crate) fn announced_connection(connections: &[EarlyConnection]) -> Option<FlowId> {
    let best = connections.iter().max_by_key(|it| (it.expected_peer, it.established, it.moved, it.opened));
    best.map(|it| it.flow)
}

/// Of the connections to an endpoint those that its announcement may be for as well as for the `best` one, in the order in which they were
/// opened: the expected host opened them, and they wait for what is to come, or came after it was `said`. Which of them is used their bytes
/// will show, and what was said behind the announcement.
pub(crate) fn rivals(connections: &[EarlyConnection], best: FlowId, said: Timestamp) -> Gathered<FlowId> {
    let may_be_meant = |it: &EarlyConnection| (it.open && !it.moved) || it.opened >= said;
    let may_be_there = |it: &EarlyConnection| it.established || (it.counted && it.open);
    let is_rival =
        |it: &&EarlyConnection| it.expected_peer && may_be_there(it) && may_be_meant(it) && it.flow != best;
    let mut rivals: Gathered<EarlyConnection> = connections.iter().filter(is_rival).copied().collect();
    rivals.sort_by_key(|it| it.opened);
    rivals.into_iter().map(|it| it.flow).collect()
}

/// Sessions of which a connection's evidence is gathered at once.
pub(crate) type Gathered<T> = SmallVec<[T; 4]>;

#[cfg(test)]
mod tests;
