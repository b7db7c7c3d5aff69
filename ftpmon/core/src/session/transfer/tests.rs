//! The states of a transfer: its connection, and what the server replied, decide together what may happen next.

use core::net::IpAddr;

use super::{Announced, EndpointId, Request, Transfer};
use crate::addr::Endpoint;
use crate::event::{DataAnnouncement, FileDirection, Mode, Nat, Via};
use crate::session::contenders::tests::{Came, contenders};
use crate::session::outbox::ExpectedEndpoints;
use crate::time::Timestamp;
use crate::timing::{GRACE_NS, OTHERS_CAME_NS};

/// The time of the final reply.
const DECIDED: Timestamp = Timestamp::from_nanos(1_000_000_000);

/// When a transfer can be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    /// Something decisive is still due.
    Later,
    /// With the final reply.
    AtOnce,
    /// This many nanoseconds after the final reply.
    After(i64),
}

use Report::{After, AtOnce, Later};

/// A download over an announced endpoint to which these connections came, and the replies to it: `150`, and the final one.
fn transfer(connections: &[Came], preliminary: bool, code: Option<u16>) -> Transfer {
    let listener = Endpoint::new(IpAddr::from([192, 0, 2, 21]), 50_000);
    let data = DataAnnouncement {
        mode: Some(Mode::Passive),
        via: Via::Pasv,
        ip: listener.ip,
        port: listener.port,
        advertised_ip: None,
        nat: Nat::None,
    };
    let mut announced = Announced::waiting(EndpointId(1), data, ExpectedEndpoints::from_elem(listener, 1));
    let expected: Vec<(bool, Came)> = connections.iter().map(|came| (true, *came)).collect();
    announced.contenders = contenders(&expected);
    let request = Request { tx: 1, direction: Some(FileDirection::Download), ..Request::default() };
    let decided_at = code.map(|_| DECIDED);
    Transfer { preliminary, code, decided_at, ..Transfer::new(request, Some(Box::new(announced))) }
}

fn report(transfer: &Transfer) -> Report {
    match transfer.due() {
        None => Later,
        Some(at) if at <= DECIDED => AtOnce,
        Some(at) => After(at.nanos_since(DECIDED) as i64),
    }
}

#[test]
fn connection_and_replies_decide_together() {
    const FILE: &[Came] = &[Came::Closed(0, 100)];
    const EMPTY: &[Came] = &[Came::Closed(0, 0)];
    const OPEN: &[Came] = &[Came::Open];
    const NONE: &[Came] = &[];
    const GRACE: Report = After(GRACE_NS);
    // Connections, 1yz, final reply; when it is reported, whether it was refused (RFC 959 section 5.4: an error without a 1yz
    // reply before it), whether its endpoint serves the next command, whether it still waits for a connection.
    for (connections, preliminary, code, when, refused, frees, waits) in [
        (NONE, false, None, Later, false, false, true),
        (NONE, true, None, Later, false, false, true),
        (NONE, true, Some(226), GRACE, false, false, true),
        (NONE, false, Some(226), GRACE, false, false, true),
        (NONE, true, Some(425), GRACE, false, true, true),
        (NONE, true, Some(426), GRACE, false, false, true),
        (NONE, false, Some(550), AtOnce, true, true, false),
        (NONE, false, Some(425), AtOnce, true, true, false),
        (OPEN, true, None, Later, false, false, false),
        (OPEN, true, Some(226), Later, false, false, false),
        (OPEN, true, Some(426), Later, false, false, false),
        (FILE, true, None, Later, false, false, false),
        (FILE, true, Some(226), AtOnce, false, false, false),
        (FILE, true, Some(451), AtOnce, false, false, false),
        (FILE, true, Some(425), GRACE, false, false, false),
        // An empty file, or one that another connection carries.
        (EMPTY, true, Some(226), After(OTHERS_CAME_NS), false, false, false),
        (EMPTY, true, Some(552), After(OTHERS_CAME_NS), false, false, false),
        // An attempt that was not established is none.
        (&[Came::Attempt], true, Some(226), GRACE, false, false, true),
        (&[Came::HalfOpen], false, Some(550), AtOnce, true, true, false),
        // Its connection was on the way when it was refused.
        (&[Came::Opening], false, Some(550), GRACE, true, true, false),
        // One ended, another stays open.
        (&[Came::Closed(0, 0), Came::Open], true, Some(226), GRACE, false, false, false),
    ] {
        let it = transfer(connections, preliminary, code);
        let found = (report(&it), it.refused(), it.frees_endpoint(), it.waits_for_connection());
        assert_eq!(found, (when, refused, frees, waits), "{connections:?}, 1yz {preliminary}, {code:?}");
    }
}

#[test]
fn a_connection_without_a_command_is_reported_when_it_ends() {
    let without = |connections: &[Came]| {
        let mut it = transfer(connections, false, None);
        it.request.tx = 0;
        report(&it)
    };
    assert_eq!(
        (without(&[]), without(&[Came::Open]), without(&[Came::Closed(0, 9)])),
        (Later, Later, AtOnce)
    );
}

#[test]
fn an_endpoint_that_serves_again_takes_the_late_connections_with_it() {
    let mut it = transfer(&[Came::Closed(0, 0), Came::Open], true, Some(226));
    assert!(it.split_late().is_none(), "the server may not be through with it");
    it.through_at = Some(Timestamp::default());
    let next = it.split_late().unwrap();
    let own = it.announced.as_deref().unwrap();
    assert_eq!((own.id, own.endpoints.len()), (next.id, 0));
    assert!(own.contenders.has_ended() && !own.contenders.has_open());
    assert!(next.contenders.has_open() && !next.contenders.has_ended());
    assert!(next.contacted && next.unannounced && next.endpoints.len() == 1);
    assert!(it.split_late().is_none());
}
