use core::net::IpAddr;

use super::{CONTENDERS_MAX, Chosen, Contenders, DataState};
use crate::account::DirectionAccount;
use crate::addr::Endpoint;
use crate::event::{FileDirection, Handshake, Mode};
use crate::session::{ConnectionId, Contact, DataSummary};
use crate::time::Timestamp;
use crate::tls::TlsFacts;

/// The course of a connection, and the bytes that its initiator and its listener sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) enum Came {
    /// A SYN that was refused or not answered.
    Attempt,
    /// SYN, SYN-ACK, RST.
    HalfOpen,
    Closed(u64, u64),
    Reset(u64, u64),
    /// It is established, and open still.
    Open,
    /// Its SYN was seen, and nothing else yet.
    Opening,
}

use Came::{Attempt, Closed, HalfOpen, Open, Opening, Reset};

fn id(n: u64) -> ConnectionId {
    ConnectionId { partition: 0, flow: n }
}

/// When the connection of this number was opened.
fn at(n: u64) -> Timestamp {
    Timestamp::from_nanos(n as i64)
}

fn initiator(n: u64) -> Endpoint {
    Endpoint::new(IpAddr::from([192, 0, 2, 10]), 41_000 + n as u16)
}

fn summary(n: u64, came: Came) -> Box<DataSummary> {
    let (from_initiator, from_listener) = match came {
        Closed(up, down) | Reset(up, down) => (up, down),
        _ => (0, 0),
    };
    let reset = matches!(came, Reset(..) | HalfOpen);
    let account = |bytes| DirectionAccount {
        bytes,
        fin: !reset && !matches!(came, Attempt),
        rst: reset,
        ..Default::default()
    };
    let established = matches!(came, Closed(..) | Reset(..));
    let syn_ack = established || matches!(came, HalfOpen);
    Box::new(DataSummary {
        initiator: initiator(n),
        listener: Endpoint::new(IpAddr::from([192, 0, 2, 21]), 50_000),
        from_initiator: account(from_initiator),
        from_listener: account(from_listener),
        handshake: Some(Handshake {
            syn: Timestamp::default(),
            syn_ack_us: syn_ack.then_some(1),
            ack_us: established.then_some(1),
        }),
        first: Timestamp::default(),
        last: Timestamp::default(),
        closed_by: None,
        shared: false,
        tls: false,
        tls_facts: TlsFacts::default(),
        tls_opening: None,
        file_from_initiator: None,
        file_from_listener: None,
    })
}

/// Connections in the order in which they came: whether the expected host opened it, and how it went.
pub(in crate::session) fn contenders(came: &[(bool, Came)]) -> Contenders {
    let mut contenders = Contenders::default();
    for (n, &(expected, came)) in (0..).zip(came) {
        let mut contact = Contact {
            connection: id(n),
            initiator: initiator(n),
            listener: initiator(n),
            established: false,
            proven: false,
        };
        assert!(contenders.contact(at(n), contact, expected, Some(Mode::Passive)));
        if !matches!(came, Opening | Attempt | HalfOpen) {
            contact.established = true;
            assert!(contenders.contact(at(n), contact, expected, Some(Mode::Passive)));
        }
        if !matches!(came, Opening | Open) {
            contenders.ended(id(n), summary(n, came));
        }
    }
    contenders
}

/// In passive mode, of which these connections are, the listener sends.
const LISTENER: Option<FileDirection> = Some(FileDirection::Download);
const INITIATOR: Option<FileDirection> = Some(FileDirection::Upload);

#[test]
fn the_transfer_has_the_connection_that_carried_the_file() {
    const OWN: bool = true;
    const STRANGE: bool = false;
    for (came, sender, wanted) in [
        (&[(OWN, Closed(0, 9))][..], LISTENER, Some(0)),
        // Refused, not answered, scanned half-open: nothing came.
        (&[(OWN, Attempt)], LISTENER, None),
        (&[(OWN, HalfOpen)], LISTENER, None),
        (&[(OWN, Attempt), (OWN, Closed(0, 9))], LISTENER, Some(1)),
        (&[(STRANGE, Attempt), (STRANGE, HalfOpen), (OWN, Closed(0, 9))], LISTENER, Some(2)),
        // The client opens, resets and opens again; it opens two, of which either may be used.
        (&[(OWN, Reset(0, 0)), (OWN, Closed(0, 9))], LISTENER, Some(1)),
        (&[(OWN, Closed(0, 0)), (OWN, Closed(0, 9))], LISTENER, Some(1)),
        (&[(OWN, Closed(0, 9)), (OWN, Closed(0, 0))], LISTENER, Some(0)),
        (&[(OWN, Reset(0, 0)), (OWN, Closed(0, 0))], LISTENER, Some(1)),
        // A stranger comes first, comes second, or takes the file.
        (&[(STRANGE, Closed(0, 0)), (OWN, Closed(0, 9))], LISTENER, Some(1)),
        (&[(OWN, Closed(0, 0)), (STRANGE, Closed(0, 9))], LISTENER, Some(1)),
        (&[(STRANGE, Closed(0, 9)), (OWN, Closed(0, 0))], LISTENER, Some(0)),
        // What a stranger sends to the server is no download, and what the server greets a stranger with no upload.
        (&[(STRANGE, Closed(7, 0)), (OWN, Closed(0, 9))], LISTENER, Some(1)),
        (&[(STRANGE, Closed(0, 7)), (OWN, Closed(9, 0))], INITIATOR, Some(1)),
        // An empty file.
        (&[(STRANGE, Closed(0, 0)), (OWN, Closed(0, 0))], LISTENER, Some(1)),
        (&[(OWN, Closed(0, 0)), (STRANGE, Closed(0, 0))], LISTENER, Some(0)),
        // Nobody knows yet which way the bytes should go.
        (&[(OWN, Closed(0, 0)), (OWN, Closed(5, 0))], None, Some(1)),
    ] {
        let Chosen { summary, turned_down, .. } = contenders(came).choose(sender, false);
        let chosen = summary.map(|summary| summary.initiator);
        assert_eq!(chosen, wanted.map(initiator), "{came:?}");
        assert!(turned_down.is_empty());
    }
}

#[test]
fn what_is_open_may_still_carry_the_file() {
    let is = |came: &[(bool, Came)], wanted: &str| {
        let state = match contenders(came).state(LISTENER) {
            DataState::Waiting => "waiting",
            DataState::Open => "open",
            DataState::Ended(_) => "ended",
        };
        assert_eq!(state, wanted, "{came:?}");
    };
    is(&[], "waiting");
    is(&[(true, Opening)], "waiting");
    is(&[(true, Open)], "open");
    is(&[(true, Closed(0, 9))], "ended");
    is(&[(true, Attempt)], "waiting");
    is(&[(true, Closed(0, 0)), (true, Open)], "open");
    is(&[(true, Closed(0, 0)), (true, Opening)], "ended");
    is(&[(true, Closed(0, 9)), (true, Open)], "ended");
    is(&[(true, Closed(0, 0)), (false, Open)], "ended");
    is(&[(false, Closed(0, 0)), (true, Open)], "open");
}

#[test]
fn strangers_that_were_established_are_told() {
    let came =
        [(false, Attempt), (false, Closed(0, 0)), (true, Closed(0, 9)), (false, Open), (false, Opening)];
    let Chosen { strangers, turned_down, .. } = contenders(&came).choose(LISTENER, false);
    let told: Vec<_> = strangers.iter().map(|it| (it.initiator, it.chosen)).collect();
    assert_eq!(told, [(initiator(1), false), (initiator(3), false)]);
    assert_eq!(turned_down.as_slice(), [id(3), id(4)]);
    let Chosen { strangers, .. } =
        contenders(&[(true, Closed(0, 0)), (false, Closed(0, 9))]).choose(LISTENER, false);
    assert!(matches!(strangers.as_slice(), [one] if one.chosen && one.initiator == initiator(1)));
}

#[test]
fn a_flood_of_strangers_keeps_no_expected_host_out() {
    let mut contenders = Contenders::default();
    let contact = |n| Contact {
        connection: id(n),
        initiator: initiator(n),
        listener: initiator(n),
        established: true,
        proven: true,
    };
    for n in 0..CONTENDERS_MAX as u64 {
        assert!(contenders.contact(at(n), contact(n), false, Some(Mode::Passive)));
    }
    assert!(!contenders.contact(at(90), contact(90), false, None));
    assert!(contenders.contact(at(91), contact(91), true, Some(Mode::Passive)));
    contenders.ended(id(91), summary(91, Closed(0, 9)));
    assert_eq!(contenders.choose(LISTENER, false).summary.map(|it| it.initiator), Some(initiator(91)));
}

#[test]
fn what_was_over_before_a_command_is_not_its_own() {
    let late = Timestamp::from_nanos(60_000_000_000);
    let mut spent = contenders(&[(true, Closed(0, 0)), (true, Closed(0, 9)), (true, Open)]);
    spent.forget_spent(Timestamp::default(), false);
    spent.forget_spent(Timestamp::default(), true);
    assert_eq!(spent.0.len(), 3);
    spent.forget_spent(late, false);
    assert_eq!(spent.0.len(), 2);
    assert_eq!(spent.take_open().0.len(), 1);
}

#[test]
fn an_empty_file_went_over_the_connection_that_the_server_closed_in_order() {
    let came = [(false, Closed(0, 0)), (true, Reset(0, 0))];
    let chosen = |completed| contenders(&came).choose(LISTENER, completed).summary.map(|it| it.initiator);
    assert_eq!(chosen(true), Some(initiator(0)));
    assert_eq!(chosen(false), Some(initiator(1)));
    // Of two that it closed in order the expected host's.
    let came = [(false, Closed(0, 0)), (true, Closed(0, 0))];
    let own = contenders(&came).choose(LISTENER, true).summary.map(|it| it.initiator);
    assert_eq!(own, Some(initiator(1)));
    // So went an empty upload.
    let came = [(false, Closed(0, 0)), (true, Reset(0, 0))];
    let taken = contenders(&came).choose(INITIATOR, true).summary.map(|it| it.initiator);
    assert_eq!(taken, Some(initiator(0)));
}

#[test]
fn what_came_when_the_server_was_through_is_for_what_follows() {
    const THROUGH: Timestamp = Timestamp::from_nanos(1);
    for (came, late) in [
        (&[(true, Closed(0, 0)), (true, Closed(0, 9)), (true, Closed(0, 0))][..], &[2][..]),
        (&[(true, Closed(0, 0)), (true, Open), (true, Open), (true, Opening)], &[2, 3]),
        (&[(false, Closed(0, 9)), (true, Opening), (true, Open)], &[2]),
        // A stranger is told with the transfer.
        (&[(true, Closed(0, 9)), (true, Open), (false, Open), (true, Open)], &[3]),
        // It had none, or none that was established: what comes later may be its own.
        (&[(true, Attempt), (true, Opening), (true, Closed(0, 9))], &[]),
    ] {
        let mut contenders = contenders(came);
        let taken: Vec<_> = contenders.take_late(THROUGH).0.iter().map(|it| it.connection).collect();
        assert_eq!(taken, late.iter().copied().map(id).collect::<Vec<_>>(), "{came:?}");
        assert!(late.iter().all(|&n| !contenders.knows(id(n))));
    }
    assert!(Contenders::default().take_late(THROUGH).is_empty());
}

/// A transfer whose end the server did not say: a connection that came behind the one that carried it is for the next command.
#[test]
fn what_came_behind_the_connection_that_carried_it_is_for_the_next() {
    const OWN: bool = true;
    const STRANGE: bool = false;
    for (came, left, taken) in [
        (&[(OWN, Reset(0, 9)), (OWN, Open)][..], 1, 1),
        (&[(OWN, Reset(0, 9)), (OWN, Open), (OWN, Opening)], 1, 2),
        (&[(OWN, Closed(9, 0)), (OWN, Open)], 1, 1),
        // It may have been opened for this one: nothing was carried before.
        (&[(OWN, Reset(0, 0)), (OWN, Open)], 2, 0),
        (&[(OWN, Open), (OWN, Reset(0, 9))], 2, 0),
        (&[(OWN, Open), (OWN, Open)], 2, 0),
        // What is over, and what strangers opened, is told with the transfer.
        (&[(OWN, Reset(0, 9)), (OWN, Closed(0, 0))], 2, 0),
        (&[(OWN, Reset(0, 9)), (STRANGE, Open), (OWN, Open)], 2, 1),
    ] {
        let mut all = contenders(came);
        let behind = all.take_behind_moved();
        assert_eq!((all.0.len(), behind.0.len()), (left, taken), "{came:?}");
    }
    // A stranger who stays does not hold up the end.
    assert!(contenders(&[(STRANGE, Open), (OWN, Reset(0, 9))]).are_over());
    assert!(!contenders(&[(STRANGE, Open), (OWN, Reset(0, 0))]).are_over());
    assert!(!contenders(&[(OWN, Open), (OWN, Reset(0, 9))]).are_over());
    // It is about to end.
    let mut all = contenders(&[(OWN, Open), (OWN, Open)]);
    all.closing(id(0), true, false);
    assert!(all.take_behind_moved().is_empty());
    all.closing(id(0), true, true);
    assert_eq!(all.take_behind_moved().0.len(), 1);
}
