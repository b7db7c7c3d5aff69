//! Announced endpoints that wait for their data connection.

use std::collections::VecDeque;
use std::net::IpAddr;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::table::FlowId;
use crate::addr::Endpoint;
use crate::event::Mode;
use crate::session::EndpointId;
use crate::time::Timestamp;

/// One session's claim on the next connection to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The control connection.
    pub(super) control: FlowId,
    /// The announcement within its session.
    pub(super) endpoint: EndpointId,
    /// Who listens.
    pub(super) mode: Option<Mode>,
    /// The host that is expected to connect.
    pub(super) peer: IpAddr,
    /// The host that announced it.
    pub(super) announcer: IpAddr,
}

impl Claim {
    /// The two hosts of its session.
    fn hosts(&self) -> (IpAddr, IpAddr) {
        (self.peer.min(self.announcer), self.peer.max(self.announcer))
    }
}

/// Who may connect to an announced endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    /// The host that is expected.
    pub(super) peer: IpAddr,
    /// It is a port of the host that announced it, so that others may come as well.
    pub(super) anyone: bool,
}

/// The claims of all sessions by endpoint, capped and expiring.
pub(super) struct Expected {
    claims: HashMap<Endpoint, SmallVec<[Claim; 1]>>,
    /// In the order of expiry; an entry whose claim is gone already is passed over.
    expiry: VecDeque<(Timestamp, Endpoint, Claim)>,
    waiting: usize,
    /// How many of them by the two hosts of their sessions.
    shares: HashMap<(IpAddr, IpAddr), usize>,
    cap: usize,
    ttl_ns: i64,
}

/// One pair of hosts may have the so-manieth part of all claims. Stops two hosts that fill the table with what never comes,
/// so that others' announcements give way.
const SHARE: usize = 16;
/// A pair of hosts may have as many claims whatever the cap is.
const SHARE_MIN: usize = 64;
/// Sessions that may claim one endpoint at once. Two are an FXP transfer; more is a server that hands one port to many.
const CLAIMS_PER_ENDPOINT_MAX: usize = 16;

impl Expected {
    /// `cap` claims at most, each for `ttl_s` seconds.
    pub(super) fn new(cap: usize, ttl_s: u32) -> Self {
        Self {
            claims: HashMap::new(),
            expiry: VecDeque::new(),
            waiting: 0,
            shares: HashMap::new(),
            cap,
            ttl_ns: i64::from(ttl_s).saturating_mul(1_000_000_000),
        }
    }

    /// Claims that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// Adds a claim; returns the endpoints that nobody claims any more since claims had to give way at a cap: the oldest of
    /// the same two hosts where they have more than their share, otherwise the oldest of all.
    pub(super) fn announce(&mut self, at: Timestamp, endpoint: Endpoint, claim: Claim) -> Vec<Endpoint> {
        let hosts = claim.hosts();
        let share = (self.cap / SHARE).max(SHARE_MIN);
        let evicted = if self.shares.get(&hosts).is_some_and(|&waiting| waiting >= share) {
            self.drop_oldest_of(hosts, share / 2)
        } else if self.waiting >= self.cap {
            self.drop_oldest().into_iter().collect()
        } else {
            Vec::new()
        };
        let claims = self.claims.entry(endpoint).or_default();
        if claims.len() >= CLAIMS_PER_ENDPOINT_MAX {
            // Of those that announced a port of somebody else rather than their own.
            let foreign = claims.iter().position(|claim| claim.announcer != endpoint.ip);
            let gone = claims.remove(foreign.unwrap_or(0));
            self.let_go(&gone);
        }
        self.claims.entry(endpoint).or_default().push(claim);
        self.waiting += 1;
        *self.shares.entry(hosts).or_default() += 1;
        self.expiry.push_back((at.plus_nanos(self.ttl_ns), endpoint, claim));
        evicted
    }

    /// Who may connect to an endpoint, as far as one can tell without knowing who does.
    pub(super) fn admitted(&self, endpoint: Endpoint) -> Option<Admitted> {
        let claims = self.claims.get(&endpoint)?;
        let anyone = claims.iter().any(|claim| claim.announcer == endpoint.ip);
        Some(Admitted { peer: claims.last()?.peer, anyone })
    }

    /// Takes a claim back; true when nobody else claims the endpoint.
    pub(super) fn retract(&mut self, endpoint: Endpoint, control: FlowId, id: EndpointId) -> bool {
        let Some(claims) = self.claims.get_mut(&endpoint) else { return false };
        let mut gone: SmallVec<[Claim; 1]> = SmallVec::new();
        claims.retain(|claim| {
            let goes = claim.control == control && claim.endpoint == id;
            gone.extend(goes.then_some(*claim));
            !goes
        });
        let unclaimed = claims.is_empty();
        gone.iter().for_each(|claim| self.let_go(claim));
        if unclaimed {
            self.claims.remove(&endpoint);
        }
        self.trim_expiry();
        unclaimed
    }

    /// The claims that a connection from `initiator` to `listener` fulfils: of each mode the latest, one whose peer is
    /// the initiator before any other. Two modes at once are an FXP transfer, which belongs to two sessions.
    ///
    /// Another host than the expected one may connect (load balancers, several addresses), but only to a port of the
    /// host that announced it: otherwise a peer could make connections between two strangers its own by naming them.
    pub(super) fn matching(&self, initiator: IpAddr, listener: Endpoint) -> SmallVec<[Claim; 2]> {
        let Some(claims) = self.claims.get(&listener) else { return SmallVec::new() };
        let of_mode = |mode: Mode| claims.iter().rev().filter(move |claim| claim.mode == Some(mode));
        let expected = |mode: Mode| of_mode(mode).find(|claim| claim.peer == initiator);
        let own_port = |mode: Mode| of_mode(mode).find(|claim| claim.announcer == listener.ip);
        let best = |mode: Mode| expected(mode).or_else(|| own_port(mode)).copied();
        [best(Mode::Passive), best(Mode::Active)].into_iter().flatten().collect()
    }

    /// When the next claim runs out.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.expiry.front().map(|(at, ..)| *at)
    }

    /// Drops a claim that has run out at `now`, if there is one; the endpoint, when nobody else claims it.
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Option<Endpoint>> {
        self.expiry.front().filter(|(at, ..)| *at <= now)?;
        Some(self.drop_oldest())
    }

    /// A claim is gone: it does not count any more.
    fn let_go(&mut self, claim: &Claim) {
        self.waiting -= 1;
        if let Some(share) = self.shares.get_mut(&claim.hosts()) {
            *share -= 1;
            if *share == 0 {
                self.shares.remove(&claim.hosts());
            }
        }
    }

    /// Drops the `count` oldest claims of two hosts at a time, since they have to be looked for among all; the endpoints
    /// that nobody claims then.
    fn drop_oldest_of(&mut self, hosts: (IpAddr, IpAddr), count: usize) -> Vec<Endpoint> {
        let theirs = self.expiry.iter().filter(|(_, endpoint, claim)| {
            claim.hosts() == hosts && is_waiting(&self.claims, endpoint, claim)
        });
        let oldest: Vec<_> = theirs.take(count).map(|(_, endpoint, claim)| (*endpoint, *claim)).collect();
        let drop = |(endpoint, claim): (Endpoint, Claim)| {
            self.retract(endpoint, claim.control, claim.endpoint).then_some(endpoint)
        };
        oldest.into_iter().filter_map(drop).collect()
    }

    fn drop_oldest(&mut self) -> Option<Endpoint> {
        self.trim_front();
        let (_, endpoint, claim) = self.expiry.pop_front()?;
        self.retract(endpoint, claim.control, claim.endpoint).then_some(endpoint)
    }

    /// Entries of claims that were used or superseded go: at once from the front, and from the middle when they are the
    /// most. Otherwise a session that announces without end would fill the queue, and push others' claims out.
    fn trim_expiry(&mut self) {
        self.trim_front();
        if self.expiry.len() > 64 + 2 * self.waiting {
            let claims = &self.claims;
            self.expiry.retain(|(_, endpoint, claim)| is_waiting(claims, endpoint, claim));
        }
    }

    fn trim_front(&mut self) {
        while self
            .expiry
            .front()
            .is_some_and(|(_, endpoint, claim)| !is_waiting(&self.claims, endpoint, claim))
        {
            self.expiry.pop_front();
        }
    }
}

fn is_waiting(claims: &HashMap<Endpoint, SmallVec<[Claim; 1]>>, endpoint: &Endpoint, claim: &Claim) -> bool {
    claims.get(endpoint).is_some_and(|waiting| waiting.contains(claim))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{Admitted, Claim, Expected};
    use crate::addr::Endpoint;
    use crate::engine::table::{Class, FlowId, FlowKey, FlowTable};
    use crate::event::Mode;
    use crate::session::EndpointId;
    use crate::time::Timestamp;

    fn host(n: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, n).into()
    }

    fn control(n: u16) -> FlowId {
        let key = FlowKey::new(Endpoint::new(host(1), n), Endpoint::new(host(2), 21));
        let mut table = FlowTable::new(|_| 1);
        (0..n).map(|_| table.insert(key, Class::Control, Timestamp::default(), ())).last().unwrap()
    }

    fn claim(n: u16, mode: Mode, peer: u8) -> Claim {
        Claim {
            control: control(n),
            endpoint: EndpointId(n.into()),
            mode: Some(mode),
            peer: host(peer),
            announcer: host(2),
        }
    }

    #[test]
    fn the_latest_claim_whose_peer_connects_wins() {
        let (mut expected, endpoint) = (Expected::new(9, 60), Endpoint::new(host(2), 4_000));
        for (n, peer) in [(1, 1), (2, 3), (3, 4)] {
            expected.announce(Timestamp::default(), endpoint, claim(n, Mode::Passive, peer));
        }
        assert_eq!(expected.matching(host(3), endpoint).as_slice(), [claim(2, Mode::Passive, 3)]);
        assert_eq!(expected.matching(host(9), endpoint).as_slice(), [claim(3, Mode::Passive, 4)]);
    }

    #[test]
    fn naming_a_stranger_does_not_make_its_connections_ones_own() {
        let (mut expected, victim) = (Expected::new(9, 60), Endpoint::new(host(7), 8_080));
        expected.announce(Timestamp::default(), victim, claim(1, Mode::Active, 3));
        assert!(expected.matching(host(9), victim).is_empty());
        assert_eq!(expected.matching(host(3), victim).len(), 1);
    }

    #[test]
    fn a_transfer_between_two_servers_belongs_to_both_sessions() {
        let (mut expected, endpoint) = (Expected::new(9, 60), Endpoint::new(host(2), 4_000));
        expected.announce(Timestamp::default(), endpoint, claim(1, Mode::Passive, 1));
        expected.announce(Timestamp::default(), endpoint, claim(2, Mode::Active, 3));
        assert_eq!(expected.matching(host(3), endpoint).len(), 2);
    }

    #[test]
    fn the_cap_drops_the_oldest_and_superseded_claims_do_not_count() {
        let mut expected = Expected::new(2, 60);
        let endpoint = |port| Endpoint::new(host(2), port);
        expected.announce(Timestamp::default(), endpoint(4_000), claim(1, Mode::Passive, 1));
        for port in 5_000..6_000 {
            let busy = claim(2, Mode::Passive, 1);
            assert_eq!(expected.announce(Timestamp::default(), endpoint(port), busy), []);
            assert!(expected.retract(endpoint(port), busy.control, busy.endpoint));
        }
        assert_eq!(expected.matching(host(1), endpoint(4_000)).len(), 1);
        assert!(expected.expiry.len() < 100);
        expected.announce(Timestamp::default(), endpoint(7_000), claim(3, Mode::Passive, 1));
        let evicted = expected.announce(Timestamp::default(), endpoint(7_001), claim(4, Mode::Passive, 1));
        assert_eq!(evicted, [endpoint(4_000)]);
    }

    #[test]
    fn two_hosts_that_announce_without_end_take_no_more_than_their_share() {
        let mut expected = Expected::new(2_048, 60);
        let own = Endpoint::new(host(2), 4_000);
        expected.announce(Timestamp::default(), own, claim(1, Mode::Passive, 1));
        let hostile = claim(2, Mode::Active, 9);
        let mut evicted = 0;
        for port in 0..20_000 {
            // Each of a session of its own, as far as the table knows.
            let claim = Claim { endpoint: EndpointId(port), ..hostile };
            let endpoint = Endpoint::new(host(2), 10_000 + u16::try_from(port).unwrap());
            evicted += expected.announce(Timestamp::default(), endpoint, claim).len();
            assert!(expected.len() <= 1 + 128);
        }
        assert!(evicted >= 20_000 - 128 && expected.expiry.len() < 1_000);
        assert_eq!(expected.matching(host(1), own).len(), 1);
        assert_eq!(expected.shares.len(), 2);
    }

    #[test]
    fn strangers_who_name_a_port_do_not_push_its_owners_claim_out() {
        let (mut expected, own) = (Expected::new(2_048, 60), Endpoint::new(host(2), 4_000));
        expected.announce(Timestamp::default(), own, claim(1, Mode::Passive, 1));
        for n in 10..100 {
            let stranger = Claim { announcer: host(n), ..claim(2, Mode::Active, n + 100) };
            expected.announce(Timestamp::default(), own, stranger);
        }
        assert_eq!(expected.matching(host(1), own).as_slice(), [claim(1, Mode::Passive, 1)]);
        assert!(expected.admitted(own).unwrap().anyone);
        let foreign = Endpoint::new(host(7), 4_000);
        expected.announce(Timestamp::default(), foreign, claim(3, Mode::Active, 5));
        assert_eq!(expected.admitted(foreign), Some(Admitted { peer: host(5), anyone: false }));
    }

    #[test]
    fn a_claim_runs_out() {
        let (mut expected, endpoint) = (Expected::new(9, 60), Endpoint::new(host(2), 4_000));
        expected.announce(Timestamp::from_parts(100, 0), endpoint, claim(1, Mode::Passive, 1));
        assert_eq!(expected.next_expiry(), Some(Timestamp::from_parts(160, 0)));
        assert_eq!(expected.expire(Timestamp::from_parts(159, 0)), None);
        assert_eq!(expected.expire(Timestamp::from_parts(160, 0)), Some(Some(endpoint)));
        assert_eq!((expected.len(), expected.next_expiry()), (0, None));
    }
}
