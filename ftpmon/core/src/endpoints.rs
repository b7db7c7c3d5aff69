//! Announced endpoints that wait for their data connection: those of a partition's own sessions, and the shared ones that
//! connections of other pairs of hosts may fulfil.

mod shared;

use std::collections::VecDeque;
use std::net::IpAddr;

use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::account::Side;
use crate::addr::Endpoint;
use crate::event::Mode;
use crate::fill::Fills;
use crate::flow::{ClaimRef, SessionRef};
use crate::pair::{HostPair, PairTable};
use crate::selector::SelectorUpdate;
use crate::session::EndpointId;
use crate::time::Timestamp;

pub(crate) use shared::SharedEndpoints;

/// One pair of hosts may have at most 1/SHARE of all claims of its partition. Stops two hosts that fill the table with
/// announcements that nothing follows, so that those of others are evicted.
const SHARE: usize = 2;
/// A pair of hosts may have as many claims whatever the cap is.
const SHARE_MIN: usize = 64;
/// Sessions that may claim one endpoint at once. Two are a transfer between two servers; more is a server that announces one
/// port to many.
const CLAIMS_PER_ENDPOINT_MAX: usize = 16;

/// One session's claim on the next connection to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The session that announced it.
    pub(crate) session: SessionRef,
    /// The announcement within its session.
    pub(crate) endpoint: EndpointId,
    /// The party that listens.
    pub(crate) mode: Option<Mode>,
    /// The host that is expected to connect.
    pub(crate) peer: IpAddr,
    /// The host that announced it.
    pub(crate) announcer: IpAddr,
    /// The number of exchanges that its partition had made when it was announced.
    pub(crate) epoch: u32,
    /// The other party took it, as far as the shared table knows: what a server announces is in a positive reply already.
    pub(crate) confirmed: bool,
}

impl Claim {
    /// It is the claim of a session's announcement.
    fn is_of(&self, session: SessionRef, endpoint: EndpointId) -> bool {
        (self.session, self.endpoint) == (session, endpoint)
    }

    /// The two hosts of its session.
    pub(crate) fn pair(&self) -> HostPair {
        HostPair::new(self.peer, self.announcer)
    }

    /// The claim as a data connection between other hosts than those of its session keeps it. `allowed`: hosts that the operator
    /// allows.
    pub(crate) fn foreign(
        &self,
        initiator: IpAddr,
        listener: Endpoint,
        allowed: impl Fn(IpAddr) -> bool,
    ) -> ClaimRef {
        let server = match self.mode {
            Some(Mode::Passive) => (self.announcer == listener.ip).then_some(Side::Listener),
            Some(Mode::Active) => (self.peer == initiator).then_some(Side::Initiator),
            None => None,
        };
        let known = |host: IpAddr| host == self.peer || host == self.announcer || allowed(host);
        let allowed = known(initiator) && known(listener.ip);
        let &Self { session, endpoint, confirmed, .. } = self;
        ClaimRef { session, endpoint, foreign: true, server, allowed, confirmed }
    }
}

/// The claims on one endpoint.
type Claims = SmallVec<[Claim; 1]>;

/// Of the claims on `listener`, those that a connection from `initiator` fulfils: of each mode the latest, one whose peer
/// is the initiator before any other. Two modes at once are a transfer between two servers, which belongs to two sessions.
///
/// Another host than the expected one may connect (load balancers, several addresses), but only to a port of the host that
/// announced it: otherwise a peer could make connections between two strangers its own by naming them.
fn fulfilled<'a>(
    claims: impl DoubleEndedIterator<Item = &'a Claim> + Clone,
    initiator: IpAddr,
    listener: Endpoint,
) -> SmallVec<[Claim; 2]> {
    let best = |mode: Mode| {
        let of_mode = || claims.clone().rev().filter(move |claim| claim.mode == Some(mode));
        let expected = of_mode().find(|claim| claim.peer == initiator);
        expected.or_else(|| of_mode().find(|claim| claim.announcer == listener.ip)).copied()
    };
    [best(Mode::Passive), best(Mode::Active)].into_iter().flatten().collect()
}

/// The hosts that may connect to an announced endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// The host that is expected.
    pub(crate) peer: IpAddr,
    /// It is a port of the host that announced it, so that others may connect as well.
    pub(crate) anyone: bool,
}

/// A claim in the order of expiry.
#[derive(Clone, Copy, Debug)]
struct Expiry {
    at: Timestamp,
    listener: Endpoint,
    claim: Claim,
}

/// A claim that was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) listener: Endpoint,
    pub(crate) claim: Claim,
    /// No other session between the same hosts claims the endpoint.
    pub(crate) last: bool,
}

impl Gone {
    /// The update for the kernel's selection, where no other session of the same hosts claims the endpoint.
    pub(crate) fn forget(&self) -> SelectorUpdate {
        SelectorUpdate::Forget { listener: self.listener, peer: self.claim.peer }
    }
}

/// A claim that waited, and to which a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contacted {
    pub(crate) claim: Claim,
    /// Another claim on the endpoint was evicted for it.
    pub(crate) evicted: bool,
}

/// The claims of a partition's sessions by endpoint, capped and expiring.
pub(crate) struct Endpoints {
    claims: HashMap<Endpoint, Claims>,
    /// Claims to which a connection came that need not be the one that was meant. No more than there are unfinished transfers.
    contacted: HashMap<Endpoint, Claims>,
    /// An entry whose claim is gone already is passed over.
    expiry: VecDeque<Expiry>,
    waiting: usize,
    cap: usize,
    ttl_ns: i64,
}

impl Endpoints {
    /// `cap` claims at most, each for `ttl_s` seconds.
    pub(crate) fn new(cap: usize, ttl_s: u32) -> Self {
        Self {
            claims: HashMap::new(),
            contacted: HashMap::new(),
            expiry: VecDeque::new(),
            waiting: 0,
            cap,
            ttl_ns: i64::from(ttl_s).saturating_mul(1_000_000_000),
        }
    }

    /// Claims that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    /// From now on `cap` claims at most, and new ones for `ttl_s` seconds. One behind others that wait longer goes with them.
    pub(crate) fn set_limits(&mut self, cap: usize, ttl_s: u32) {
        self.cap = cap;
        self.ttl_ns = i64::from(ttl_s).saturating_mul(1_000_000_000);
    }

    /// The number of updates that may wait.
    pub(crate) fn cap(&self) -> usize {
        self.cap
    }

    /// Adds a claim. Returns those evicted at a cap, the oldest of the same two hosts where they have more than
    /// their share, otherwise the oldest of all; and who may connect to the endpoint now.
    pub(crate) fn announce(
        &mut self,
        at: Timestamp,
        listener: Endpoint,
        claim: Claim,
        pairs: &mut PairTable,
    ) -> (SmallVec<[Gone; 1]>, Admitted) {
        let share = (self.cap / SHARE).max(SHARE_MIN);
        let own = pairs.get(claim.pair()).map_or(0, |state| state.claims as usize);
        let mut gone = if own >= share {
            self.remove_oldest_of(claim.pair(), share / 2, pairs)
        } else if self.waiting >= self.cap {
            self.remove_oldest(pairs).into_iter().collect()
        } else {
            SmallVec::new()
        };
        let claims = self.claims.entry(listener).or_default();
        if claims.len() >= CLAIMS_PER_ENDPOINT_MAX {
            // Of those that announced a port of another host rather than their own.
            let foreign = claims.iter().position(|claim| claim.announcer != listener.ip);
            let claim = claims.remove(foreign.unwrap_or(0));
            gone.push(Gone { listener, claim, last: false });
            self.waiting -= 1;
            release_share(&claim, pairs);
        }
        let claims = self.claims.entry(listener).or_default();
        claims.push(claim);
        // Of this pair's claims: what other pairs announce must not depend on which partitions they are in.
        let own_port = |it: &Claim| it.announcer == listener.ip && it.pair() == claim.pair();
        let anyone = claims.iter().any(own_port);
        self.waiting += 1;
        pairs.entry(claim.pair()).claims += 1;
        self.expiry.push_back(Expiry { at: at.plus_nanos(self.ttl_ns), listener, claim });
        (gone, Admitted { peer: claim.peer, anyone })
    }

    /// A connection came to a claim that waits: it takes more of them, but claims to which none came go first. Returns the
    /// claim where it waited.
    pub(crate) fn contacted(
        &mut self,
        listener: Endpoint,
        session: SessionRef,
        endpoint: EndpointId,
        pairs: &mut PairTable,
    ) -> Option<Contacted> {
        let Gone { claim, .. } = self.take_waiting(listener, session, endpoint, pairs)?;
        let evicted = add_contacted(&mut self.contacted, listener, claim);
        Some(Contacted { claim, evicted })
    }

    /// Connections came to a claim.
    pub(crate) fn is_contacted(&self, listener: Endpoint, claim: &Claim) -> bool {
        self.contacted.get(&listener).is_some_and(|claims| claims.contains(claim))
    }

    /// Takes a session's claim out, if there is one.
    pub(crate) fn retract(
        &mut self,
        listener: Endpoint,
        session: SessionRef,
        endpoint: EndpointId,
        pairs: &mut PairTable,
    ) -> Option<Gone> {
        if let Some(gone) = self.take_waiting(listener, session, endpoint, pairs) {
            return Some(gone);
        }
        let claims = self.contacted.get_mut(&listener)?;
        let place = claims.iter().position(|it| it.session == session && it.endpoint == endpoint)?;
        let claim = claims.remove(place);
        if claims.is_empty() {
            self.contacted.remove(&listener);
        }
        Some(Gone { listener, claim, last: false })
    }

    fn take_waiting(
        &mut self,
        listener: Endpoint,
        session: SessionRef,
        endpoint: EndpointId,
        pairs: &mut PairTable,
    ) -> Option<Gone> {
        let claims = self.claims.get_mut(&listener)?;
        let place = claims.iter().position(|it| it.session == session && it.endpoint == endpoint)?;
        let claim = claims.remove(place);
        let last = !claims.iter().any(|it| it.pair() == claim.pair());
        if claims.is_empty() {
            self.claims.remove(&listener);
        }
        self.waiting -= 1;
        release_share(&claim, pairs);
        self.trim_expiry();
        Some(Gone { listener, claim, last })
    }

    /// The claims of sessions between the same two hosts that a connection fulfils.
    pub(crate) fn fulfilled(&self, initiator: IpAddr, listener: Endpoint) -> SmallVec<[Claim; 2]> {
        let pair = HostPair::new(initiator, listener.ip);
        first_fulfilled([&self.claims, &self.contacted], initiator, listener, |its| its == pair)
    }

    /// A session's announcement waits, or connections came to it.
    pub(crate) fn knows(&self, listener: Endpoint, session: SessionRef, endpoint: EndpointId) -> bool {
        let tables = [&self.claims, &self.contacted];
        tables.iter().filter_map(|table| table.get(&listener)).flatten().any(|it| it.is_of(session, endpoint))
    }

    /// A claim waits.
    pub(crate) fn waits(&self, listener: Endpoint, claim: &Claim) -> bool {
        self.claims.get(&listener).is_some_and(|waiting| waiting.contains(claim))
    }

    /// When the next claim runs out.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        self.expiry.front().map(|next| next.at)
    }

    /// Takes out a claim that has run out at `now`.
    pub(crate) fn expire(&mut self, now: Timestamp, pairs: &mut PairTable) -> Option<Gone> {
        self.expiry.front().filter(|next| next.at <= now)?;
        self.remove_oldest(pairs)
    }

    /// Takes out the `count` oldest claims of two hosts at a time, since they have to be looked for among all.
    fn remove_oldest_of(
        &mut self,
        pair: HostPair,
        count: usize,
        pairs: &mut PairTable,
    ) -> SmallVec<[Gone; 1]> {
        let theirs =
            self.expiry.iter().filter(|it| it.claim.pair() == pair && self.waits(it.listener, &it.claim));
        let oldest: Vec<Expiry> = theirs.take(count).copied().collect();
        let retract = |it: Expiry| self.retract(it.listener, it.claim.session, it.claim.endpoint, pairs);
        oldest.into_iter().filter_map(retract).collect()
    }

    fn remove_oldest(&mut self, pairs: &mut PairTable) -> Option<Gone> {
        self.trim_front();
        let Expiry { listener, claim, .. } = self.expiry.pop_front()?;
        self.retract(listener, claim.session, claim.endpoint, pairs)
    }

    /// Drops entries of claims that are gone: at once from the front, and from the middle when they are the most. Otherwise a
    /// session that announces without end would fill the queue.
    fn trim_expiry(&mut self) {
        self.trim_front();
        if self.expiry.len() > 64 + 2 * self.waiting {
            let claims = &self.claims;
            self.expiry.retain(|it| claims.get(&it.listener).is_some_and(|now| now.contains(&it.claim)));
        }
    }

    fn trim_front(&mut self) {
        while self.expiry.front().is_some_and(|it| !self.waits(it.listener, &it.claim)) {
            self.expiry.pop_front();
        }
    }
}

/// The claims that a connection fulfils: those to which none came before others.
fn first_fulfilled(
    tables: [&HashMap<Endpoint, Claims>; 2],
    initiator: IpAddr,
    listener: Endpoint,
    pairs: impl Fn(HostPair) -> bool,
) -> SmallVec<[Claim; 2]> {
    for table in tables {
        if let Some(claims) = table.get(&listener) {
            let found = fulfilled(claims.iter().filter(|claim| pairs(claim.pair())), initiator, listener);
            if !found.is_empty() {
                return found;
            }
        }
    }
    SmallVec::new()
}

/// Adds a claim to which a connection came. True if the oldest one was evicted at the cap.
fn add_contacted(table: &mut HashMap<Endpoint, Claims>, listener: Endpoint, claim: Claim) -> bool {
    let claims = table.entry(listener).or_default();
    let full = claims.len() >= CLAIMS_PER_ENDPOINT_MAX;
    if full {
        claims.remove(0);
    }
    claims.push(claim);
    full
}

fn release_share(claim: &Claim, pairs: &mut PairTable) {
    let state = pairs.entry(claim.pair());
    state.claims = state.claims.saturating_sub(1);
    pairs.tidy(claim.pair());
}

fn note_fill_of(table: &HashMap<Endpoint, Claims>, fills: &mut Fills) {
    table.values().for_each(|claims| fills.note("claims_of_endpoint", claims.len(), CLAIMS_PER_ENDPOINT_MAX));
}

impl Endpoints {
    /// Notes the fill of each endpoint's claims.
    pub(crate) fn note_fill(&self, fills: &mut Fills) {
        [&self.claims, &self.contacted].into_iter().for_each(|table| note_fill_of(table, fills));
    }
}

#[cfg(test)]
mod tests;
