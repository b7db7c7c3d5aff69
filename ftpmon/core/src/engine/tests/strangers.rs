//! Strangers at an endpoint whose transfer was reported: told where they were connected, by the kernel's accounts as well.

use super::*;

const LISTENER: u16 = 5_000;

/// The kernel's account of a stranger's connection: whether its listener answered, and how it ended.
fn account(bench: &mut Bench, report: FlowReport, answered: bool, fin: bool) {
    let at = bench.at();
    let opened = Timestamp::from_nanos(bench.now - 1_000);
    let initiator = DirectionAccount { packets: 1, fin, ..DirectionAccount::default() };
    let reset = report == FlowReport::Close && !fin;
    bench.engine.handle_timeout(at);
    bench.engine.handle_flow(&FlowRecord {
        at,
        report,
        initiator: end(3, 41_000),
        listener: end(2, LISTENER),
        incarnation: 1,
        first: opened,
        last: at,
        syn: Some(opened),
        syn_ack: answered.then_some(opened),
        ack: (answered && fin).then_some(opened),
        from_initiator: initiator,
        from_listener: DirectionAccount { rst: reset, ..initiator },
        closed_by: None,
        interface: InterfaceId(1),
        vlan: VlanTags::default(),
    });
}

/// Addresses of strangers that are told when these accounts come behind a transfer, whether the listener answered and a FIN was seen.
fn told(accounts: &[(FlowReport, bool, bool)]) -> usize {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello", "PASV", "227 (192,0,2,2,19,136)"]);
    // Partitions exchange what they know: the stranger's has the endpoint until the exchange behind the transfer.
    bench.now += 60_000_000;
    bench.say(&mut control, &["RETR a", "150 go"]);
    let mut data = bench.connect(end(1, 41_000), end(2, LISTENER));
    bench.send(&mut data, false, ACK, b"content");
    bench.close(&mut data);
    bench.say(&mut control, &["226 done"]);
    for &(report, answered, fin) in accounts {
        account(&mut bench, report, answered, fin);
    }
    bench.now += 100_000_000;
    bench.say(&mut control, &["NOOP", "200 ok"]);
    let events = bench.finish();
    assert_eq!(transfers(&events).len(), 1);
    events.iter().filter(|event| matches!(&event.kind, EventKind::Anomaly(_))).count()
}

#[test]
fn one_that_is_refused_behind_the_transfer_is_none() {
    assert_eq!(told(&[(FlowReport::Open, false, false), (FlowReport::Close, false, false)]), 0);
    assert_eq!(told(&[(FlowReport::Open, false, false)]), 0);
}

#[test]
fn one_that_is_connected_behind_the_transfer_is_told_once() {
    assert_eq!(told(&[(FlowReport::Open, false, false), (FlowReport::Close, true, true)]), 1);
    assert_eq!(told(&[(FlowReport::Open, true, false), (FlowReport::Progress, true, false)]), 1);
    let seen_late = [
        (FlowReport::Open, false, false),
        (FlowReport::Progress, true, false),
        (FlowReport::Close, true, true),
    ];
    assert_eq!(told(&seen_late), 1);
}
