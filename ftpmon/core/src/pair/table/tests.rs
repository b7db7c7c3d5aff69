use std::net::{IpAddr, Ipv4Addr};

use super::{
    IDLE_PAIRS_MAX, PairTable, UNCLAIMED_MAX, UNCLAIMED_OF_PAIR_MAX, WINDOWS_MAX, WINDOWS_OF_PAIR_MAX,
};
use crate::addr::Endpoint;
use crate::event::Direction;
use crate::flow::FlowId;
use crate::flow::test_ids::flow_ids;
use crate::pair::{HostPair, Window};
use crate::time::Timestamp;

fn host(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(n).into()
}

fn pair(n: u32) -> HostPair {
    HostPair::new(host(n), host(0))
}

fn window(session: FlowId, since: i64, until: i64) -> Window {
    let (since, until) = (Timestamp::from_nanos(since), Timestamp::from_nanos(until));
    Window { session, direction: Direction::Reply, since, until, told: until, open: false }
}

#[test]
fn the_caps_on_connections_hold_and_nothing_stays_behind() {
    let ids = flow_ids(UNCLAIMED_MAX + 200);
    let mut pairs = PairTable::default();
    for (n, id) in ids.iter().enumerate().take(100) {
        let gone = pairs.keep_unclaimed(pair(1), *id);
        assert_eq!(gone, n.checked_sub(UNCLAIMED_OF_PAIR_MAX).map(|n| ids[n]));
    }
    assert_eq!((pairs.unclaimed(pair(1)).len(), pairs.unclaimed), (64, 64));
    assert!(pairs.add_window(pair(1), window(ids[0], 1, 2)).flows, "some are unknown");
    for (n, id) in ids.iter().enumerate().skip(100) {
        pairs.keep_unclaimed(pair(n as u32), *id);
    }
    assert_eq!(pairs.unclaimed, UNCLAIMED_MAX);
    for (n, id) in ids.iter().enumerate() {
        pairs.forget_unclaimed(pair(if n < 100 { 1 } else { n as u32 }), *id);
    }
    pairs.forget_windows_of(pair(1), ids[0]);
    assert_eq!((pairs.unclaimed, pairs.windows, pairs.len()), (0, 0, 0));
}

#[test]
fn windows_that_touch_become_one_and_too_many_are_forgotten() {
    let ids = flow_ids(2);
    let mut pairs = PairTable::default();
    pairs.add_window(pair(1), window(ids[0], 1, 5));
    pairs.add_window(pair(1), window(ids[0], 5, 9));
    pairs.add_window(pair(1), window(ids[1], 6, 7));
    assert_eq!(pairs.windows(pair(1)), [window(ids[0], 1, 9), window(ids[1], 6, 7)]);
    for n in 0..WINDOWS_MAX as i64 {
        let other = n / (WINDOWS_OF_PAIR_MAX as i64 + 1);
        pairs.add_window(pair(11 + other as u32), window(ids[0], n * 10, n * 10 + 1));
    }
    assert!(pairs.windows <= WINDOWS_MAX);
    let last = pairs.add_window(pair(1), window(ids[0], 90, 99));
    assert!(pairs.windows < WINDOWS_MAX || last.windows > 0);
}

#[test]
fn the_last_unreadable_session_leaves_its_candidates() {
    let ids = flow_ids(4);
    let mut pairs = PairTable::default();
    pairs.note_unreadable(pair(1), ids[0]);
    pairs.note_unreadable(pair(1), ids[1]);
    pairs.note_unreadable(pair(1), ids[0]);
    assert_eq!(pairs.unreadable(pair(1)).collect::<Vec<_>>(), [ids[0], ids[1]]);
    assert_eq!(pairs.add_candidate(pair(1), ids[2]), None);
    assert!(pairs.forget_unreadable(pair(1), ids[0]).is_empty());
    assert_eq!(pairs.forget_unreadable(pair(1), ids[1]), [ids[2]]);
    assert!(pairs.all_readable() && pairs.len() == 0);
}

#[test]
fn of_idle_pairs_no_more_listeners_are_remembered_than_may_be() {
    let mut pairs = PairTable::default();
    for n in 0..2 * IDLE_PAIRS_MAX as u32 {
        pairs.note_answering(host(n + 1), Endpoint::new(host(0), 443));
    }
    assert_eq!(pairs.len(), IDLE_PAIRS_MAX);
    assert_eq!(pairs.services_forgotten(), IDLE_PAIRS_MAX as u64);
    assert!(!pairs.is_service(host(1), Endpoint::new(host(0), 443)));
    assert!(pairs.is_service(host(IDLE_PAIRS_MAX as u32 + 1), Endpoint::new(host(0), 443)));
}
