//! Data connections of sessions that nobody can read: which are taken for theirs, and which are not.

use super::{ACK, Bench, Event, SYN, Talk, end, transfers};
use crate::account::{DirectionAccount, FlowRecord, FlowReport};
use crate::addr::Endpoint;
use crate::engine::{EngineConfig, SelectorUpdate};
use crate::event::{AnomalyId, EventKind, FileDirection, Mode, Via};
use crate::segment::{InterfaceId, VlanTags};
use crate::tls::client_hello_record;

/// A ServerHello that chooses TLS 1.3 and TLS_AES_128_GCM_SHA256, in a record.
fn server_hello() -> Vec<u8> {
    let mut hello = vec![22, 3, 3, 0, 50, 2, 0, 0, 46, 3, 3];
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(&[0, 0x13, 0x01, 0, 0, 6, 0, 43, 0, 2, 3, 4]);
    hello
}

/// A record of application data.
fn record(len: u16) -> Vec<u8> {
    let [high, low] = len.to_be_bytes();
    [&[23, 3, 3, high, low][..], &vec![0xee; usize::from(len)]].concat()
}

/// A session of host 1 with host 2 that turned to TLS; the client offers this cipher suite.
fn session(bench: &mut Bench, port: u16, cipher: u8) -> Talk {
    let mut control = bench.connect(end(1, port), end(2, 21));
    bench.say(&mut control, &["220 hello", "AUTH TLS", "234 go"]);
    bench.send(&mut control, true, ACK, &client_hello_record(cipher, b"ftp"));
    bench.send(&mut control, false, ACK, &server_hello());
    control
}

/// The client asks something, the server answers.
fn exchange(bench: &mut Bench, control: &mut Talk) {
    bench.send(control, true, ACK, &record(40));
    bench.send(control, false, ACK, &record(60));
}

/// The server says something.
fn answer(bench: &mut Bench, control: &mut Talk) {
    bench.send(control, false, ACK, &record(50));
}

/// A hello each way; `client` is the talk's first end.
fn hellos(bench: &mut Bench, data: &mut Talk, client: bool, cipher: u8, protocol: &[u8; 3]) {
    bench.send(data, client, ACK, &client_hello_record(cipher, protocol));
    bench.send(data, !client, ACK, &server_hello());
    // Finished, in a record.
    bench.send(data, client, ACK, &record(53));
}

fn wait(bench: &mut Bench, seconds: i64) {
    bench.now += seconds * 1_000_000_000;
}

fn inferred(events: &[Event]) -> Vec<(u16, FileDirection, u64)> {
    transfers(events)
        .iter()
        .filter_map(|transfer| {
            let data = transfer.data.as_ref()?;
            assert_eq!(data.announced.via, Via::Inferred);
            Some((data.announced.port, transfer.transfer.direction?, transfer.transfer.bytes))
        })
        .collect()
}

#[test]
fn transfers_in_a_row_are_told_once_each_with_what_their_hellos_say() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000, 1);
    for (port, upload) in [(5_000, false), (5_001, true), (5_002, false)] {
        wait(&mut bench, 30);
        exchange(&mut bench, &mut control);
        let mut data = bench.connect(end(1, port + 1_000), end(2, port));
        exchange(&mut bench, &mut control);
        hellos(&mut bench, &mut data, true, 1, b"ftp");
        // A certificate and tickets: more than a small upload has.
        bench.send(&mut data, false, ACK, &record(3_000));
        bench.send(&mut data, upload, ACK, &record(500));
        bench.close(&mut data);
        answer(&mut bench, &mut control);
    }
    bench.close(&mut control);
    let events = bench.events();
    let found: Vec<_> = inferred(&events).into_iter().map(|(port, direction, _)| (port, direction)).collect();
    let (down, up) = (FileDirection::Download, FileDirection::Upload);
    assert_eq!(found, [(5_000, down), (5_001, up), (5_002, down)]);
    let data = transfers(&events)[0].data.clone().unwrap();
    assert!(data.tls && data.announced.mode == Some(Mode::Passive));
    assert_eq!(data.tls_facts.version.as_deref(), Some("TLSv1.3"));
    assert_eq!(data.tls_facts.cipher.as_deref(), Some("TLS_AES_128_GCM_SHA256"));
    assert_eq!(data.tls_facts.sni.as_deref(), Some("ftp.example"));
    assert_eq!(data.tls_facts.alpn, ["ftp"]);
    assert!(data.tls_facts.ja4.unwrap().starts_with("t13d0104fp_"));
    assert_eq!((bench.engine.counters().inferred, bench.engine.counters().not_inferred), (3, 0));
}

#[test]
fn a_server_that_connects_is_no_tls_client() {
    for (client_is_listener, found) in [(true, 1), (false, 0)] {
        let mut bench = Bench::new(EngineConfig::default());
        let mut control = session(&mut bench, 40_000, 1);
        exchange(&mut bench, &mut control);
        let mut data = bench.connect(end(2, 20), end(1, 6_000));
        hellos(&mut bench, &mut data, !client_is_listener, 1, b"ftp");
        bench.send(&mut data, true, ACK, &record(500));
        bench.close(&mut data);
        answer(&mut bench, &mut control);
        let events = bench.finish();
        assert_eq!(transfers(&events).len(), found);
        let mode = transfers(&events).first().and_then(|transfer| transfer.data.as_ref()?.announced.mode);
        assert_eq!(mode, client_is_listener.then_some(Mode::Active));
    }
}

#[test]
fn clear_data_is_told_by_when_it_comes_and_goes() {
    for (asked, answered, found) in [(true, true, 1), (true, false, 0), (false, true, 0), (false, false, 0)] {
        let mut bench = Bench::new(EngineConfig::default());
        let mut control = session(&mut bench, 40_000, 1);
        wait(&mut bench, 60);
        if asked {
            exchange(&mut bench, &mut control);
        }
        let mut data = bench.connect(end(1, 41_000), end(2, 5_000));
        bench.send(&mut data, false, ACK, b"drwxr-xr-x 2 0 0 4096 pub\r\n");
        wait(&mut bench, 5);
        bench.close(&mut data);
        if answered {
            answer(&mut bench, &mut control);
        }
        wait(&mut bench, 30);
        let events = bench.finish();
        assert_eq!(transfers(&events).len(), found, "asked {asked}, answered {answered}");
        assert!(transfers(&events).iter().all(|transfer| !transfer.data.as_ref().unwrap().tls));
    }
}

/// Other protocols, each opened and ended as a data connection would be.
#[test]
fn what_is_no_ftp_is_not_adopted() {
    type Say = fn(&mut Bench, &mut Talk);
    let cases: [(&str, Say); 7] = [
        ("HTTP", |bench, data| {
            bench.send(data, true, ACK, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            bench.send(data, false, ACK, b"HTTP/1.1 200 OK\r\n\r\nhello");
        }),
        ("SSH", |bench, data| bench.send(data, false, ACK, b"SSH-2.0-OpenSSH_9.2p1\r\n")),
        ("clear text both ways", |bench, data| {
            bench.send(data, true, ACK, b"SELECT 1;");
            bench.send(data, false, ACK, b"one row");
        }),
        ("HTTPS of the same program", |bench, data| hellos(bench, data, true, 1, b"h2c")),
        ("another program's TLS", |bench, data| hellos(bench, data, true, 2, b"ftp")),
        ("TLS on one side", |bench, data| {
            bench.send(data, true, ACK, &client_hello_record(1, b"ftp"));
            bench.send(data, false, ACK, b"HELLO\r\n");
        }),
        ("a port that is closed", |_, _| {}),
    ];
    for (what, say) in cases {
        let mut bench = Bench::new(EngineConfig::default());
        let mut control = session(&mut bench, 40_000, 1);
        exchange(&mut bench, &mut control);
        let mut data = Talk { client: end(1, 41_000), server: end(2, 8_080), seq: [1, 1] };
        bench.send(&mut data, true, SYN, b"");
        if what != "a port that is closed" {
            bench.send(&mut data, false, SYN | ACK, b"");
            bench.send(&mut data, true, ACK, b"");
        }
        say(&mut bench, &mut data);
        bench.close(&mut data);
        answer(&mut bench, &mut control);
        wait(&mut bench, 30);
        let events = bench.finish();
        assert_eq!(transfers(&events).len(), 0, "{what}");
        assert_eq!(bench.engine.counters().not_inferred, 1, "{what}");
    }
}

#[test]
fn a_connection_older_than_tls_is_not_adopted() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut old = bench.connect(end(1, 41_000), end(2, 5_000));
    let mut control = session(&mut bench, 40_000, 1);
    hellos(&mut bench, &mut old, true, 1, b"ftp");
    exchange(&mut bench, &mut control);
    bench.close(&mut old);
    answer(&mut bench, &mut control);
    assert_eq!(transfers(&bench.finish()).len(), 0);
}

/// Two sessions of two programs between the same hosts, their transfers at the same time.
#[test]
fn each_session_gets_its_own() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut controls = [session(&mut bench, 40_000, 1), session(&mut bench, 40_001, 3)];
    for control in &mut controls {
        exchange(&mut bench, control);
    }
    let mut data = [(5_000, 1), (5_001, 3)].map(|(port, cipher)| {
        let mut data = bench.connect(end(1, port + 1_000), end(2, port));
        hellos(&mut bench, &mut data, true, cipher, b"ftp");
        data
    });
    for data in &mut data {
        bench.send(data, false, ACK, &record(900));
        bench.close(data);
    }
    for control in &mut controls {
        answer(&mut bench, control);
    }
    let events = bench.finish();
    let of = |port: u16| {
        let transfer = |event: &&Event| match &event.kind {
            EventKind::Transfer(transfer) => transfer.data.as_ref().unwrap().announced.port == port,
            _ => false,
        };
        events.iter().find(transfer).unwrap().session.as_ref().unwrap().client.port
    };
    assert_eq!((of(5_000), of(5_001)), (40_000, 40_001));
}

#[test]
fn a_data_connection_may_outlive_its_session() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000, 1);
    exchange(&mut bench, &mut control);
    let mut data = bench.connect(end(1, 41_000), end(2, 5_000));
    hellos(&mut bench, &mut data, true, 1, b"ftp");
    bench.close(&mut control);
    bench.send(&mut data, false, ACK, &record(900));
    bench.close(&mut data);
    let events = bench.finish();
    assert_eq!(inferred(&events).len(), 1);
    assert_eq!(super::names(&events).last(), Some(&"session_end"));
}

fn kernels_account(bench: &mut Bench, report: FlowReport, initiator: Endpoint, listener: Endpoint) {
    let at = bench.at();
    let bytes = |bytes| DirectionAccount { bytes, fin: true, ..DirectionAccount::default() };
    let opened = crate::time::Timestamp::from_nanos(u64::from(listener.port) as i64);
    bench.engine.handle_flow(&FlowRecord {
        at,
        report,
        initiator,
        listener,
        incarnation: u64::from(initiator.port),
        first: if report == FlowReport::Open { at } else { opened },
        last: at,
        syn: Some(at),
        syn_ack: Some(at),
        ack: Some(at),
        from_initiator: bytes(700),
        from_listener: bytes(90_000),
        closed_by: None,
        interface: InterfaceId(1),
        vlan: VlanTags::default(),
    });
}

/// Live the kernel counts, and hands over the first segments.
#[test]
fn accounts_and_first_segments_are_enough() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000, 1);
    exchange(&mut bench, &mut control);
    let (initiator, listener) = (end(1, 41_000), end(2, 5_000));
    kernels_account(&mut bench, FlowReport::Open, initiator, listener);
    let mut data = Talk { client: initiator, server: listener, seq: [10, 20] };
    hellos(&mut bench, &mut data, true, 1, b"ftp");
    let (other, service) = (end(1, 41_001), end(2, 2_222));
    kernels_account(&mut bench, FlowReport::Open, other, service);
    let mut shell = Talk { client: other, server: service, seq: [10, 20] };
    bench.send(&mut shell, false, ACK, b"SSH-2.0-OpenSSH_9.2p1\r\n");
    let updates = bench.updates();
    assert!(updates.contains(&SelectorUpdate::Release { initiator: other, listener: service }));
    kernels_account(&mut bench, FlowReport::Close, initiator, listener);
    answer(&mut bench, &mut control);
    let events = bench.events();
    assert_eq!(inferred(&events), [(5_000, FileDirection::Download, 90_000)]);
    assert!(transfers(&events)[0].data.as_ref().unwrap().tls);
}

/// A peer that opens connections and says nothing.
#[test]
fn silent_connections_are_bounded() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000, 1);
    wait(&mut bench, 60);
    for port in 10_000..12_000 {
        bench.connect(end(1, port), end(2, 9_000));
    }
    assert!(bench.engine.counters().not_inferred >= 2_000 - 256);
    exchange(&mut bench, &mut control);
    assert_eq!(transfers(&bench.finish()).len(), 0);
}

/// A session that said goodbye, and another of the same program at once.
#[test]
fn goodbye_is_the_end_of_a_sessions_data() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut old = session(&mut bench, 40_000, 1);
    let mut new = session(&mut bench, 40_001, 1);
    exchange(&mut bench, &mut new);
    exchange(&mut bench, &mut old);
    bench.send(&mut old, false, ACK | super::FIN, b"");
    let mut data = bench.connect(end(1, 41_000), end(2, 5_000));
    hellos(&mut bench, &mut data, true, 1, b"ftp");
    bench.close(&mut data);
    answer(&mut bench, &mut new);
    let events = bench.finish();
    let of = |event: &&Event| matches!(event.kind, EventKind::Transfer(_));
    let owners: Vec<u16> =
        events.iter().filter(of).map(|event| event.session.as_ref().unwrap().client.port).collect();
    assert_eq!(owners, [40_001]);
}

#[test]
fn a_command_in_clear_text_behind_an_accepted_auth_is_told() {
    let told = |lines: &[&str]| {
        let mut bench = Bench::new(EngineConfig::default());
        let mut control = bench.connect(end(1, 40_000), end(2, 21));
        bench.say(&mut control, lines);
        let is_it = |event: &Event| match &event.kind {
            EventKind::Anomaly(anomaly) if anomaly.anomaly.id == AnomalyId::CommandBehindAuth => anomaly.tx,
            _ => None,
        };
        bench.finish().iter().filter_map(is_it).collect::<Vec<_>>()
    };
    assert_eq!(told(&["220 hello", "AUTH TLS\r\nUSER bob\r\nNOOP", "234 go"]), [2]);
    assert_eq!(told(&["220 hello", "SYST", "215 x", "AUTH TLS", "NOOP", "234 go"]), [3]);
    assert!(
        told(&["220 hello", "AUTH TLS", "USER bob", "502 no", "331 password"]).is_empty(),
        "all stays in clear text"
    );
    assert!(told(&["220 hello", "AUTH TLS", "234 go"]).is_empty());
}
