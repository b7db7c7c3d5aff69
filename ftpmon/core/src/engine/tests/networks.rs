//! Sessions of networks that the operator leaves out.

use super::*;
use crate::networks::Networks;

fn denying(text: &str) -> Networks {
    Networks::new(&[], &[text.parse().unwrap()])
}

/// A session with a download, on this port of a server.
fn session(bench: &mut Bench, client: u8, port: u16) -> Talk {
    let mut control = bench.connect(end(client, 40_000), end(2, port));
    bench.say(&mut control, &["220 hello", "USER mary", "230 in", "PASV", "227 here (192,0,2,2,104,134)"]);
    let mut data = bench.connect(end(client, 40_001), end(2, 26_758));
    bench.say(&mut control, &["RETR a", "150 go"]);
    bench.send(&mut data, false, ACK, b"hello");
    bench.close(&mut data);
    bench.say(&mut control, &["226 done"]);
    control
}

#[test]
fn a_session_that_is_left_out_gives_nothing_and_others_are_as_before() {
    for (port, detect_by_content) in [(21, false), (21, true), (2121, true)] {
        let networks = denying("192.0.2.8/30");
        let mut bench = Bench::new(EngineConfig { networks, detect_by_content, ..EngineConfig::default() });
        session(&mut bench, 9, port);
        assert_eq!(names(&bench.events()), [""; 0], "port {port}");
        session(&mut bench, 1, port);
        let events = bench.finish();
        assert_eq!(transfers(&events).len(), 1, "port {port}");
        assert_eq!(names(&events).iter().filter(|name| **name == "session_start").count(), 1, "port {port}");
        let counters = bench.engine.counters();
        assert_eq!(counters.denied_connections, u64::from(port == 21));
        assert_eq!((counters.tables["networks"].used, counters.tables["networks"].cap), (1, 4_096));
    }
}

#[test]
fn an_open_session_goes_on_when_its_network_is_left_out() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 9, 21);
    bench.events();
    bench.engine.reconfigure(&EngineConfig { networks: denying("192.0.2.9"), ..EngineConfig::default() });
    bench.say(&mut control, &["NOOP", "200 ok"]);
    assert_eq!(names(&bench.events()), ["command", "reply"]);
    let mut second = bench.connect(end(9, 40_002), end(2, 21));
    bench.say(&mut second, &["220 hello", "USER mary"]);
    assert_eq!(names(&bench.events()), [""; 0]);
    bench.engine.reconfigure(&EngineConfig::default());
    let mut third = bench.connect(end(9, 40_003), end(2, 21));
    bench.say(&mut third, &["220 hello"]);
    assert_eq!(names(&bench.events()), ["session_start", "reply"]);
}

#[test]
fn a_fragment_of_a_connection_that_is_left_out_is_of_no_dialogue() {
    let mut bench = Bench::new(EngineConfig { networks: denying("192.0.2.9"), ..EngineConfig::default() });
    let segment = |client| Segment {
        src: end(client, 40_000),
        dst: end(2, 21),
        seq: 1,
        ack: 1,
        flags: TcpFlags(ACK),
        payload: b"NOOP\r\n",
        wire_payload_len: 6,
        interface: InterfaceId(1),
        vlan: VlanTags::default(),
        signs: Signs::default(),
    };
    assert!(bench.engine.is_of_control(&segment(1)) && !bench.engine.is_of_control(&segment(9)));
}
