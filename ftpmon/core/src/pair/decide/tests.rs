use proptest::prelude::*;

use super::*;
use crate::flow::test_ids::flow_ids;

fn at(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

/// A session that asked for the connection and answered it, whose ClientHello is the same.
fn evidence(session: FlowId) -> Evidence {
    Evidence {
        session,
        mode: Mode::Passive,
        same_client: Some(true),
        asked_before: Some(1_000),
        answered: true,
        closing: false,
        overlaps: false,
        unlike_last: false,
        known_service: false,
    }
}

#[test]
fn two_of_three_kinds_of_evidence_are_enough() {
    let session = flow_ids(1)[0];
    for (same_client, asked, answered, enough) in [
        (true, true, true, true),
        (true, true, false, true),
        (true, false, true, true),
        (false, true, true, true),
        (true, false, false, false),
        (false, true, false, false),
        (false, false, true, false),
        (false, false, false, false),
    ] {
        let asked_before = asked.then_some(1_000);
        let weighed =
            weigh(&Evidence { same_client: Some(same_client), asked_before, answered, ..evidence(session) });
        assert_eq!(weighed.unwrap().points >= POINTS_ENOUGH, enough, "{same_client} {asked} {answered}");
    }
}

#[test]
fn what_speaks_against_a_data_connection_outweighs_the_rest() {
    let good = evidence(flow_ids(1)[0]);
    for (bad, is_none) in [
        (Evidence { same_client: None, ..good }, true),
        (Evidence { closing: true, asked_before: None, ..good }, true),
        (Evidence { closing: true, ..good }, false),
        (Evidence { known_service: true, answered: false, ..good }, true),
        (Evidence { known_service: true, ..good }, false),
    ] {
        assert_eq!(weigh(&bad).is_none(), is_none, "{bad:?}");
    }
    let overlapping = weigh(&Evidence { overlaps: true, answered: false, ..good }).unwrap();
    assert!(overlapping.points < POINTS_ENOUGH, "a session has one data connection at a time");
}

#[test]
fn of_equal_sessions_the_one_that_sent_something_last_is_likeliest() {
    let ids = flow_ids(3);
    let early = Evidence { asked_before: Some(9_000), ..evidence(ids[0]) };
    let late = Evidence { asked_before: Some(1_000), ..evidence(ids[1]) };
    let unlike = Evidence { asked_before: Some(10), unlike_last: true, ..evidence(ids[2]) };
    let best = likeliest([early, late, unlike].iter().filter_map(weigh)).unwrap();
    assert_eq!(best.session, ids[1]);
    assert_eq!(likeliest([].into_iter()), None);
}

#[test]
fn missing_bytes_announce_in_one_direction_and_within_their_time() {
    let session = flow_ids(1)[0];
    let window =
        |direction| Window { session, direction, since: at(10), until: at(20), told: at(20), open: false };
    for (direction, mode, opened, may) in [
        (Direction::Reply, Mode::Passive, 15, true),
        (Direction::Reply, Mode::Active, 15, false),
        (Direction::Command, Mode::Active, 15, true),
        (Direction::Command, Mode::Passive, 15, false),
        (Direction::Reply, Mode::Passive, 9, false),
        (Direction::Reply, Mode::Passive, 20 + 5_000_000, true),
        (Direction::Reply, Mode::Passive, 21 + 5_000_000, false),
    ] {
        assert_eq!(
            may_have_announced(&window(direction), mode, at(opened)),
            may,
            "{direction:?} {mode:?} {opened}"
        );
    }
}

fn gap_claim(session: FlowId, wanted: bool, due: i64) -> GapClaim {
    GapClaim { session, mode: Mode::Passive, wanted, due: at(due) }
}

#[test]
fn a_connection_is_one_sessions_or_none() {
    let ids = flow_ids(3);
    let (a, b) = (gap_claim(ids[0], false, 1), gap_claim(ids[1], false, 2));
    let wanted = GapClaim { wanted: true, ..b };
    assert_eq!(announcer(&[]), Announcer::None);
    assert_eq!(announcer(&[a]), Announcer::One(a));
    assert_eq!(announcer(&[a, b]), Announcer::Several(at(2)));
    assert_eq!(announcer(&[a, wanted]), Announcer::One(wanted), "only it waits for a connection");
    assert_eq!(announcer(&[GapClaim { wanted: true, ..a }, wanted]), Announcer::Several(at(2)));
}

/// A stranger that was quicker, the client, and the client's refused attempt before that.
fn connections() -> [EarlyConnection; 3] {
    let ids = flow_ids(3);
    let of = |n: usize, expected_peer, established, moved| EarlyConnection {
        flow: ids[n],
        expected_peer,
        established,
        counted: false,
        moved,
        open: true,
        opened: at(n as i64),
    };
    [of(0, false, true, true), of(1, true, false, false), of(2, true, true, false)]
}

proptest! {
    #[test]
    fn the_clients_connection_is_announced_in_whatever_order_they_are_known(
        order in Just([0, 1, 2]).prop_shuffle()
    ) {
        let known = connections();
        let shuffled: Vec<_> = order.iter().map(|&n| known[n]).collect();
        prop_assert_eq!(announced_connection(&shuffled), Some(known[2].flow));
    }

    #[test]
    fn a_connection_of_the_expected_host_goes_before_any_strangers(
        facts in proptest::collection::vec(any::<(bool, bool, bool, i64)>(), 1..8)
    ) {
        let ids = flow_ids(8);
        let known: Vec<_> = facts
            .iter()
            .zip(ids)
            .map(|(&(expected_peer, established, moved, opened), flow)| EarlyConnection {
                flow, expected_peer, established, counted: false, moved, open: true, opened: at(opened),
            })
            .collect();
        let best = announced_connection(&known);
        let chosen = known.iter().find(|it| Some(it.flow) == best).unwrap();
        prop_assert!(chosen.expected_peer || known.iter().all(|it| !it.expected_peer));
    }
}

#[test]
fn connections_that_wait_beside_the_best_one_may_be_used_as_well() {
    let ids = flow_ids(6);
    let of = |n: usize, expected_peer, established, moved, open| EarlyConnection {
        flow: ids[n],
        expected_peer,
        established,
        counted: false,
        moved,
        open,
        opened: at(-(n as i64)),
    };
    let known = [
        of(0, true, true, false, true),
        of(1, true, true, false, true),
        // A stranger's, one that was refused, one of a transfer before, one that is closed.
        of(2, false, true, false, true),
        of(3, true, false, false, true),
        of(4, true, true, true, true),
        of(5, true, true, false, false),
    ];
    assert_eq!(rivals(&known, ids[0], at(1)).as_slice(), [ids[1]]);
    assert_eq!(rivals(&known, ids[4], at(1)).as_slice(), [ids[1], ids[0]]);
    // What was opened after the announcement is one of its connections, whatever became of it.
    assert_eq!(rivals(&known, ids[0], at(-4)).as_slice(), [ids[4], ids[1]]);
    // The kernel counts one that is open, and has not said yet whether it was answered.
    let counted = known.map(|it| EarlyConnection { counted: true, ..it });
    assert_eq!(rivals(&counted, ids[0], at(1)).as_slice(), [ids[3], ids[1]]);
}

#[test]
fn who_opened_a_connection_is_known_or_guessed() {
    use Side::{Initiator, Listener};
    for (source, destination, sender, guessed) in [
        ((true, 21), (false, 40_000), Listener, false),
        ((false, 40_000), (true, 21), Initiator, false),
        // Announced, whatever the numbers of the ports are.
        ((true, 50_000), (false, 40_000), Listener, false),
        ((false, 40_000), (true, 50_000), Initiator, false),
        ((false, 20), (true, 40_000), Initiator, false),
        // Nothing tells.
        ((false, 40_000), (false, 50_000), Listener, true),
        ((false, 50_000), (false, 40_000), Initiator, true),
        ((true, 990), (true, 21), Initiator, true),
        // Active mode from port 20.
        ((false, 20), (false, 40_000), Initiator, true),
        ((false, 40_000), (false, 20), Listener, true),
    ] {
        let evidence = Opening {
            source_listens: source.0,
            destination_listens: destination.0,
            source_port: source.1,
            destination_port: destination.1,
        };
        assert_eq!(opener(&evidence), (sender, guessed), "{evidence:?}");
    }
}
