//! Data connections of sessions that cannot be read. Between the hosts of such a session every new connection is a suspect:
//! counted from its first packet, and adopted or let go when the evidence is in.
//!
//! For a session speak: it said something just before the connection was opened (the endpoint was announced), it answered
//! about when the connection ended (226), and the connection's ClientHello has the cipher suites of the session's own. Two
//! of the three make a data connection. Against it speak: the banner of another protocol, clear text both ways, TLS on one
//! side only, another program's ClientHello or one that offers another protocol, a client where the server should be.

use core::cmp::Reverse;

use hashbrown::HashSet;
use smallvec::SmallVec;

use super::flow::{Control, DataFlow, Flow, Role};
use super::head::{Heads, Kind};
use super::table::{Class, FlowId};
use super::{Engine, PortUpdate};
use crate::account::Side;
use crate::addr::Endpoint;
use crate::event::{DataAnnouncement, EndReason, Mode, Nat, Via};
use crate::time::Timestamp;

/// Nobody listens below for a data connection that was not announced readably.
const INFERRED_PORT_MIN: u16 = 1024;
/// A data connection is opened so soon after the words that announced it, nanoseconds.
const ASKED_NS: u64 = 2_000_000_000;
/// Packets of two connections may come out of order by so much, nanoseconds.
const DISORDER_NS: i64 = 5_000_000;
/// A transfer is answered so soon after its connection's last packet, nanoseconds.
const ANSWERED_NS: i64 = 2_000_000_000;
/// Or as much before it: the server's answer may overtake the client's FIN, nanoseconds.
const ANSWERED_BEFORE_NS: i64 = 1_000_000_000;
/// A session has one data connection at a time: two may overlap by so much while one closes, nanoseconds.
const OVERLAP_NS: u64 = 100_000_000;
/// Points of evidence that make a data connection: two points each for what speaks for it.
const ENOUGH: u8 = 4;
/// Sessions that may have asked for a connection.
const ASKED_MAX: usize = 8;
/// Listeners known to serve something else. At the cap all are forgotten: they will be known again.
const SERVICES_MAX: usize = 4_096;

/// A connection between the hosts of a session that cannot be read.
pub(super) struct Suspect {
    /// What it is to become.
    pub(super) data: DataFlow,
    /// The sessions that spoke just before it was opened, and how long before, nanoseconds.
    asked: SmallVec<[(FlowId, u64); 2]>,
    /// It ended, and is decided by then at the latest.
    pub(super) decide_by: Option<Timestamp>,
    /// Its listener is known to serve something else.
    service: bool,
}

impl Suspect {
    /// How long before it was opened a session spoke, if it did, nanoseconds.
    fn asked_by(&self, session: FlowId) -> Option<u64> {
        self.asked.iter().find(|(asked, _)| *asked == session).map(|(_, before)| *before)
    }
}

/// The data connection that was inferred last for a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct InferredData {
    first: Timestamp,
    last: Timestamp,
    mode: Mode,
    tls: bool,
}

/// Listeners that serve something else, by who connected.
#[derive(Debug, Default)]
pub(super) struct Services(HashSet<(std::net::IpAddr, Endpoint)>);

impl Services {
    pub(super) fn insert(&mut self, initiator: std::net::IpAddr, listener: Endpoint) {
        if self.0.len() >= SERVICES_MAX {
            self.0.clear();
        }
        self.0.insert((initiator, listener));
    }

    pub(super) fn contains(&self, initiator: std::net::IpAddr, listener: Endpoint) -> bool {
        self.0.contains(&(initiator, listener))
    }
}

/// A session that a suspect may belong to.
#[derive(Clone, Copy)]
struct Claim {
    session: FlowId,
    mode: Mode,
    points: u8,
    /// The session's last one was opened by the other end, or under TLS where this is not, or the other way round.
    unlike: bool,
    /// How long before the SYN the session spoke, nanoseconds.
    before: u64,
    answered: bool,
}

impl Engine {
    /// The role of a connection opened at `at` between the hosts of sessions that cannot be read.
    pub(super) fn suspect_role(
        &self,
        at: Timestamp,
        initiator: Endpoint,
        listener: Endpoint,
    ) -> Option<Role> {
        if self.encrypted.is_empty() || listener.port < INFERRED_PORT_MIN {
            return None;
        }
        let mut sessions = self.encrypted.sessions(initiator.ip, listener.ip).peekable();
        sessions.peek()?;
        let asked = sessions.filter_map(|session| {
            let control = self.unreadable(session).filter(|_| !self.is_closing(session))?;
            let unread = control.unread.as_deref()?;
            let spoke = match mode_of(control, initiator, listener)? {
                Mode::Passive => unread.last_reply,
                Mode::Active => unread.last_request,
            };
            let before = at.nanos_since(spoke);
            (spoke <= at.plus_nanos(DISORDER_NS) && before <= ASKED_NS).then_some((session, before))
        });
        let data = DataFlow { inferred: true, ..self.new_data() };
        Some(Role::Suspect(Box::new(Suspect {
            data,
            asked: asked.take(ASKED_MAX).collect(),
            decide_by: None,
            service: self.services.contains(initiator.ip, listener),
        })))
    }

    /// A suspect is in the table.
    pub(super) fn watch_suspect(&mut self, at: Timestamp, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        let (one, other) = (flow.initiator.ip, flow.listener.ip);
        if let Some(oldest) = self.encrypted.suspect(one, other, id) {
            self.decide(at, oldest, true);
        }
    }

    /// A session that cannot be read said something.
    pub(super) fn session_spoke(&mut self, at: Timestamp, session: FlowId, answer: bool) {
        let Some(control) = self.unreadable(session) else { return };
        let (client, server) = control.hosts();
        self.encrypted.spoke(client, server, session);
        if answer {
            for id in self.ended_suspects(client, server) {
                self.decide(at, id, false);
            }
        }
    }

    /// A session ends, or can be read again: what may be its own is decided while it is known.
    pub(super) fn settle_suspects(&mut self, at: Timestamp, session: FlowId) {
        let Some(Role::Control(control)) = self.role(session) else { return };
        let (client, server) = control.hosts();
        let alone = self.encrypted.sessions(client, server).all(|other| other == session);
        for id in self.encrypted.suspects(client, server).to_vec() {
            let Some(Flow { role: Role::Suspect(suspect), .. }) = self.flows.get(id) else { continue };
            if !alone && suspect.asked_by(session).is_none() {
                continue;
            }
            if suspect.decide_by.is_some() {
                self.decide(at, id, true);
            } else if let Some(claim) = self.best_claim(id).filter(|claim| claim.session == session)
                && (claim.points >= ENOUGH || (claim.points >= ENOUGH / 2 && self.moves(id)))
            {
                // It outlives the session.
                self.adopt_suspect(at, id, claim);
            }
        }
    }

    /// A suspect's first bytes told something: it may be known by now to be something else.
    pub(super) fn look_at_suspect(&mut self, at: Timestamp, id: FlowId) {
        let Some(flow) = self.flows.get(id) else { return };
        let Role::Suspect(suspect) = &flow.role else { return };
        let heads = &suspect.data.heads;
        if is_something_else(heads) || (heads.client().is_some() && self.best_claim(id).is_none()) {
            self.services.insert(flow.initiator.ip, flow.listener);
            let Some((initiator, listener, counted)) = self.give_up_suspect(at, id) else { return };
            if counted {
                self.update(PortUpdate::Release { initiator, listener });
                self.remove(at, id, EndReason::Idle);
            }
        }
    }

    /// A suspect ended.
    pub(super) fn end_suspect(&mut self, at: Timestamp, id: FlowId, last_call: bool) {
        let Some(Flow { role: Role::Suspect(suspect), .. }) = self.flows.get_mut(id) else { return };
        let by = *suspect.decide_by.get_or_insert(at.plus_nanos(ANSWERED_NS));
        self.decide(at, id, last_call || by <= at);
        if matches!(self.role(id), Some(Role::Suspect(_))) {
            self.schedule(id, by);
        }
    }

    /// Adopts a suspect, or lets it go, or waits for more unless this is the `last_call`.
    pub(super) fn decide(&mut self, at: Timestamp, id: FlowId, last_call: bool) {
        let best = self.best_claim(id).filter(|claim| claim.points >= ENOUGH && self.was_open(id));
        match best {
            Some(claim) if claim.answered || last_call => self.adopt_suspect(at, id, claim),
            None if last_call => {
                self.give_up_suspect(at, id);
                // It may still be announced.
                self.watch_candidate(id);
            }
            _ => {}
        }
    }

    fn ended_suspects(&self, one: std::net::IpAddr, other: std::net::IpAddr) -> Vec<FlowId> {
        let ended = |id: &FlowId| matches!(self.role(*id), Some(Role::Suspect(suspect)) if suspect.decide_by.is_some());
        self.encrypted.suspects(one, other).iter().copied().filter(ended).collect()
    }

    /// The session that a suspect belongs to most likely, if to any.
    fn best_claim(&self, id: FlowId) -> Option<Claim> {
        let flow = self.flows.get(id)?;
        let Role::Suspect(suspect) = &flow.role else { return None };
        if is_something_else(&suspect.data.heads) {
            return None;
        }
        let sessions = self.encrypted.sessions(flow.initiator.ip, flow.listener.ip);
        let claims = sessions.filter_map(|session| self.claim(flow, suspect, session));
        // Of equals none whose last data connection was another kind, then the one that spoke last before it was opened.
        claims.max_by_key(|claim| (claim.points, !claim.unlike, Reverse(claim.before)))
    }

    /// What speaks for a suspect's being a session's data connection; none where something speaks against it.
    fn claim(&self, flow: &Flow, suspect: &Suspect, session: FlowId) -> Option<Claim> {
        let control = self.unreadable(session)?;
        let mode = mode_of(control, flow.initiator, flow.listener)?;
        let same_client = resembles(control, mode, &suspect.data.heads)?;
        let asked = suspect.asked_by(session);
        if asked.is_none() && self.is_closing(session) {
            return None;
        }
        let last = flow.record.as_ref().map_or(flow.last, |record| record.last);
        let unread = control.unread.as_deref();
        let answered = suspect.decide_by.is_some()
            && unread.is_some_and(|unread| {
                unread.last_reply > flow.first
                    && unread.last_reply >= last.plus_nanos(-ANSWERED_BEFORE_NS)
                    && unread.last_reply <= last.plus_nanos(ANSWERED_NS)
            });
        if suspect.service && !(same_client && asked.is_some() && answered) {
            return None;
        }
        let tls = suspect.data.heads.is_tls();
        let (overlaps, unlike) = unread.and_then(|unread| unread.last_data).map_or((false, false), |other| {
            let both = other.last.min(last).nanos_since(other.first.max(flow.first));
            (both > OVERLAP_NS, (other.mode, other.tls) != (mode, tls))
        });
        let points =
            [same_client, asked.is_some(), answered].map(|speaks| 2 * u8::from(speaks)).iter().sum::<u8>();
        let (points, before) = (points.saturating_sub(u8::from(overlaps)), asked.unwrap_or(u64::MAX));
        Some(Claim { session, mode, points, unlike, before, answered })
    }

    /// A control session that cannot be read and has not ended.
    fn unreadable(&self, id: FlowId) -> Option<&Control> {
        match self.role(id)? {
            Role::Control(control) if control.session.is_unreadable() && !control.session.is_ended() => {
                Some(control)
            }
            _ => None,
        }
    }

    /// An end of a control connection said goodbye.
    fn is_closing(&self, id: FlowId) -> bool {
        self.flows.get(id).is_some_and(|flow| flow.connection.closed_by().is_some())
    }

    /// Somebody answered the SYN, or something was said.
    fn was_open(&self, id: FlowId) -> bool {
        self.flows.get(id).is_some_and(|flow| {
            flow.handshake().is_some_and(|handshake| handshake.syn_ack_us.is_some()) || self.moves(id)
        })
    }

    /// A suspect said something.
    fn moves(&self, id: FlowId) -> bool {
        let Some(Role::Suspect(suspect)) = self.role(id) else { return false };
        [Side::Initiator, Side::Listener].iter().any(|&side| suspect.data.heads.kind(side) != Kind::Silent)
    }

    fn adopt_suspect(&mut self, at: Timestamp, id: FlowId, claim: Claim) {
        let Some(flow) = self.flows.get(id) else { return };
        let Role::Suspect(suspect) = &flow.role else { return };
        let listener = flow.listener;
        let inferred = InferredData {
            first: flow.first,
            last: flow.record.as_ref().map_or(flow.last, |record| record.last),
            mode: claim.mode,
            tls: suspect.data.heads.is_tls(),
        };
        let Some(Flow { role: Role::Control(control), .. }) = self.flows.get_mut(claim.session) else {
            return;
        };
        let (ip, port) = (listener.ip, listener.port);
        let (mode, via, nat) = (Some(claim.mode), Via::Inferred, Nat::None);
        let endpoint =
            control.session.data_inferred(DataAnnouncement { mode, via, ip, port, advertised_ip: None, nat });
        control.unread.get_or_insert_default().last_data = Some(inferred);
        let Some(suspect) = self.take_suspect(id) else { return };
        let mut data = suspect.data;
        data.claims.push((claim.session, endpoint));
        if let Some(flow) = self.flows.get_mut(id) {
            flow.role = Role::Data(Box::new(data));
        }
        self.forget_early(id);
        self.counters.data_connections += 1;
        self.counters.inferred += 1;
        self.flows.move_to(id, Class::Other, at);
        self.tell_claimants(id);
        if suspect.decide_by.is_some() {
            self.end(at, id, None);
        }
    }

    /// A suspect is no data connection, as far as is known. Its ends, and whether the kernel still counts it.
    fn give_up_suspect(&mut self, at: Timestamp, id: FlowId) -> Option<(Endpoint, Endpoint, bool)> {
        let suspect = self.take_suspect(id)?;
        self.counters.not_inferred += 1;
        if let Some(files) = suspect.data.files {
            files.discard(&mut self.pieces);
        }
        let ended = suspect.decide_by.is_some();
        if ended {
            self.flows.move_to(id, Class::Ended, at);
        }
        let flow = self.flows.get(id)?;
        Some((flow.initiator, flow.listener, flow.record.is_some() && !ended))
    }

    /// A suspect is none any more, whatever becomes of it.
    pub(super) fn take_suspect(&mut self, id: FlowId) -> Option<Box<Suspect>> {
        let flow = self.flows.get_mut(id)?;
        let (one, other) = (flow.initiator.ip, flow.listener.ip);
        if !matches!(flow.role, Role::Suspect(_)) {
            return None;
        }
        let Role::Suspect(suspect) = core::mem::replace(&mut flow.role, Role::Plain) else {
            return None;
        };
        self.encrypted.decided(one, other, id);
        Some(suspect)
    }
}

/// How a connection between these ends would be a session's.
pub(super) fn mode_of(control: &Control, initiator: Endpoint, listener: Endpoint) -> Option<Mode> {
    let (client, server) = control.hosts();
    if (initiator.ip, listener.ip) == (client, server) {
        Some(Mode::Passive)
    } else {
        ((initiator.ip, listener.ip) == (server, client)).then_some(Mode::Active)
    }
}

/// What the first bytes say is no data connection: those are TLS both ways, or one way only.
fn is_something_else(heads: &Heads) -> bool {
    let kinds = (heads.kind(Side::Initiator), heads.kind(Side::Listener));
    match kinds {
        (Kind::Foreign, _) | (_, Kind::Foreign) => true,
        (Kind::Silent, _) | (_, Kind::Silent) => false,
        kinds => kinds != (Kind::Tls, Kind::Tls),
    }
}

/// The connection's ClientHello is like the session's own; none where it is another program's, or comes from the end that
/// should be the server (RFC 4217 section 7: the FTP client is the TLS client, whoever opens the connection).
fn resembles(control: &Control, mode: Mode, heads: &Heads) -> Option<bool> {
    let client = match mode {
        Mode::Passive => Side::Initiator,
        Mode::Active => Side::Listener,
    };
    if heads.client().is_some_and(|side| side != client) {
        return None;
    }
    let own = control.session.tls_facts().and_then(|facts| facts.client.as_ref());
    let Some(hello) = &heads.facts().client else { return Some(false) };
    let offers = |protocol: &_| own.is_some_and(|own| own.alpn.contains(protocol));
    if hello.alpn.iter().any(|protocol| !protocol.starts_with("ftp") && !offers(protocol)) {
        return None;
    }
    let Some(own) = own else { return Some(false) };
    (own.ciphers_fingerprint() == hello.ciphers_fingerprint()).then_some(true)
}
