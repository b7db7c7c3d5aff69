use std::net::{IpAddr, Ipv4Addr};

use super::{Admitted, CLAIMS_PER_ENDPOINT_MAX, Claim, Contacted, Endpoints, SharedEndpoints};
use crate::addr::Endpoint;
use crate::event::Mode;
use crate::flow::test_ids::flow_ids;
use crate::flow::{FlowId, SessionRef};
use crate::pair::PairTable;
use crate::session::EndpointId;
use crate::time::Timestamp;

fn host(n: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, n).into()
}

fn end(n: u8, port: u16) -> Endpoint {
    Endpoint::new(host(n), port)
}

fn flow(n: u16) -> FlowId {
    flow_ids(n.into()).pop().unwrap()
}

/// The claim of session `n`, whose hosts are 192.0.2.`peer` and 192.0.2.2, which announced it.
fn claim(n: u16, mode: Mode, peer: u8) -> Claim {
    Claim {
        session: SessionRef { partition: 0, flow: flow(n) },
        endpoint: EndpointId(n.into()),
        mode: Some(mode),
        peer: host(peer),
        announcer: host(2),
        epoch: 0,
        confirmed: false,
    }
}

struct Bench {
    endpoints: Endpoints,
    pairs: PairTable,
}

impl Bench {
    fn new(cap: usize) -> Self {
        Self { endpoints: Endpoints::new(cap, 60), pairs: PairTable::default() }
    }

    fn announce(&mut self, listener: Endpoint, claim: Claim) -> (Vec<Endpoint>, Admitted) {
        let (gone, admitted) =
            self.endpoints.announce(Timestamp::default(), listener, claim, &mut self.pairs);
        (gone.iter().filter(|gone| gone.last).map(|gone| gone.listener).collect(), admitted)
    }

    fn retract(&mut self, listener: Endpoint, claim: &Claim) -> bool {
        let gone = self.endpoints.retract(listener, claim.session, claim.endpoint, &mut self.pairs);
        gone.is_some_and(|gone| gone.last)
    }
}

#[test]
fn a_connection_between_the_hosts_of_a_session_fulfils_its_latest_claim() {
    let (mut bench, listener) = (Bench::new(9), end(2, 4_000));
    for (n, peer) in [(1, 1), (2, 3), (3, 4), (5, 3)] {
        bench.announce(listener, claim(n, Mode::Passive, peer));
    }
    assert_eq!(bench.endpoints.fulfilled(host(3), listener).as_slice(), [claim(5, Mode::Passive, 3)]);
    assert!(
        bench.endpoints.fulfilled(host(9), listener).is_empty(),
        "another host is told by the shared table"
    );
}

#[test]
fn other_hosts_may_connect_to_a_port_of_the_announcer() {
    let (mut shared, listener) = (SharedEndpoints::default(), end(2, 4_000));
    for (n, peer) in [(1, 1), (2, 3)] {
        shared.insert(listener, claim(n, Mode::Passive, peer));
    }
    assert_eq!(shared.fulfilled(host(9), listener).as_slice(), [claim(2, Mode::Passive, 3)]);
    assert_eq!(
        shared.fulfilled(host(1), listener).as_slice(),
        [claim(2, Mode::Passive, 3)],
        "its own session's claim is in its partition's table"
    );
    shared.remove(listener, &claim(2, Mode::Passive, 3));
    shared.remove(listener, &claim(1, Mode::Passive, 1));
    assert!(shared.is_empty());
}

#[test]
fn a_claim_to_which_a_connection_came_takes_more_behind_others() {
    let (mut bench, listener) = (Bench::new(9), end(2, 4_000));
    let (first, second) = (claim(1, Mode::Passive, 3), claim(2, Mode::Passive, 3));
    bench.announce(listener, first);
    let contacted = |bench: &mut Bench, claim: &Claim| {
        let contacted = bench.endpoints.contacted(listener, claim.session, claim.endpoint, &mut bench.pairs);
        contacted.map(|contacted| contacted.claim)
    };
    assert_eq!(contacted(&mut bench, &first), Some(first));
    assert_eq!(contacted(&mut bench, &first), None, "it waits no longer");
    assert_eq!(bench.endpoints.len(), 0, "nor counts as waiting");
    assert_eq!(bench.endpoints.fulfilled(host(3), listener).as_slice(), [first], "a second attempt");
    bench.announce(listener, second);
    assert_eq!(bench.endpoints.fulfilled(host(3), listener).as_slice(), [second], "nobody came to it yet");
    bench.retract(listener, &second);
    assert_eq!(bench.endpoints.fulfilled(host(3), listener).as_slice(), [first]);
    assert!(bench.endpoints.is_contacted(listener, &first));
    bench.retract(listener, &first);
    assert!(bench.endpoints.fulfilled(host(3), listener).is_empty());

    let mut shared = SharedEndpoints::default();
    shared.insert(listener, first);
    shared.contacted(listener, &first);
    assert_eq!(shared.fulfilled(host(9), listener).as_slice(), [first], "a stranger behind the client");
    shared.insert(listener, second);
    assert_eq!(shared.fulfilled(host(9), listener).as_slice(), [second]);
    shared.remove(listener, &second);
    shared.remove(listener, &first);
    assert!(shared.is_empty());
}

#[test]
fn evicted_claims_are_reported() {
    let (mut bench, mut shared, listener) = (Bench::new(99), SharedEndpoints::default(), end(2, 4_000));
    for n in 1..=CLAIMS_PER_ENDPOINT_MAX as u16 + 1 {
        let (claim, full) = (claim(n, Mode::Passive, 3), usize::from(n) > CLAIMS_PER_ENDPOINT_MAX);
        bench.announce(listener, claim);
        let Bench { endpoints, pairs } = &mut bench;
        let contacted = endpoints.contacted(listener, claim.session, claim.endpoint, pairs);
        assert_eq!(contacted, Some(Contacted { claim, evicted: full }));
        assert!(!shared.insert(listener, claim));
        assert_eq!(shared.contacted(listener, &claim), full);
    }
    let waiting = (100..).map(|n| claim(n, Mode::Passive, 3));
    let evicted: Vec<_> = waiting.map(|claim| shared.insert(end(2, 5_000), claim)).take(17).collect();
    assert_eq!(evicted, [[false; CLAIMS_PER_ENDPOINT_MAX].as_slice(), &[true]].concat());
}

#[test]
fn naming_a_third_host_does_not_make_its_connections_ones_own() {
    let (mut shared, victim) = (SharedEndpoints::default(), end(7, 8_080));
    shared.insert(victim, claim(1, Mode::Active, 3));
    assert!(shared.fulfilled(host(9), victim).is_empty());
    assert_eq!(shared.fulfilled(host(3), victim).len(), 1);
}

#[test]
fn a_transfer_between_two_servers_belongs_to_both_sessions() {
    let (mut shared, listener) = (SharedEndpoints::default(), end(2, 4_000));
    shared.insert(listener, claim(1, Mode::Passive, 1));
    shared.insert(listener, Claim { announcer: host(1), ..claim(2, Mode::Active, 3) });
    assert_eq!(shared.fulfilled(host(3), listener).len(), 2);
}

#[test]
fn the_cap_removes_the_oldest_and_superseded_claims_do_not_count() {
    let mut bench = Bench::new(2);
    bench.announce(end(2, 4_000), claim(1, Mode::Passive, 1));
    for port in 5_000..6_000 {
        let busy = claim(2, Mode::Passive, 1);
        assert_eq!(bench.announce(end(2, port), busy).0, []);
        assert!(bench.retract(end(2, port), &busy));
    }
    assert_eq!(bench.endpoints.fulfilled(host(1), end(2, 4_000)).len(), 1);
    assert!(bench.endpoints.expiry.len() < 100);
    bench.announce(end(2, 7_000), claim(3, Mode::Passive, 1));
    assert_eq!(bench.announce(end(2, 7_001), claim(4, Mode::Passive, 1)).0, [end(2, 4_000)]);
}

#[test]
fn two_hosts_that_announce_without_end_take_no_more_than_their_share() {
    let mut bench = Bench::new(2_048);
    let own = end(2, 4_000);
    bench.announce(own, claim(1, Mode::Passive, 1));
    let hostile = claim(2, Mode::Active, 9);
    let mut evicted = 0;
    for port in 0..20_000 {
        let claim = Claim { endpoint: EndpointId(port), ..hostile };
        evicted += bench.announce(end(2, 10_000 + u16::try_from(port).unwrap()), claim).0.len();
        assert!(bench.endpoints.len() <= 1 + 1_024);
    }
    assert!(evicted >= 20_000 - 1_024 && bench.endpoints.expiry.len() < 4_000);
    assert_eq!(bench.endpoints.fulfilled(host(1), own).len(), 1);
    assert_eq!(bench.pairs.len(), 2);
}

#[test]
fn strangers_who_name_a_port_do_not_push_its_owners_claim_out() {
    let (mut bench, own) = (Bench::new(2_048), end(2, 4_000));
    bench.announce(own, claim(1, Mode::Passive, 1));
    for n in 10..100 {
        let stranger = Claim { announcer: host(n), ..claim(2, Mode::Active, n + 100) };
        assert!(!bench.announce(own, stranger).1.anyone, "the port is not the stranger's");
    }
    assert_eq!(bench.endpoints.fulfilled(host(1), own).as_slice(), [claim(1, Mode::Passive, 1)]);
    let (_, admitted) = bench.announce(end(7, 4_000), claim(3, Mode::Active, 5));
    assert_eq!(admitted, Admitted { peer: host(5), anyone: false });
}

#[test]
fn a_claim_runs_out() {
    let (mut bench, listener) = (Bench::new(9), end(2, 4_000));
    bench.announce(listener, claim(1, Mode::Passive, 1));
    let Bench { endpoints, pairs } = &mut bench;
    assert_eq!(endpoints.next_expiry(), Some(Timestamp::from_parts(60, 0)));
    assert!(endpoints.expire(Timestamp::from_parts(59, 0), pairs).is_none());
    let gone = endpoints.expire(Timestamp::from_parts(60, 0), pairs).unwrap();
    assert!(gone.last && gone.listener == listener);
    assert_eq!((endpoints.len(), endpoints.next_expiry(), pairs.len()), (0, None, 0));
}
