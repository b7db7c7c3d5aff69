mod properties;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::string::tests::without_disruption;
use super::*;
use crate::format::sample;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::link::{InterfaceId, VlanTags};
use ftpmon_event::time::Timestamp;
use ftpmon_event::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn end(text: &str, port: u16) -> Endpoint {
    Endpoint::new(ip(text), port)
}

fn identity() -> SessionIdentity {
    let mut vlan = VlanTags::default();
    vlan.push(100);
    vlan.push(7);
    let mut identity = client_at(end("192.168.1.106", 57_658));
    (identity.iface, identity.vlan) = (Some("veth0".into()), vlan);
    identity
}

fn client_at(client: Endpoint) -> SessionIdentity {
    let first = Timestamp::from_parts(1_329_843_162, 0);
    SessionIdentity::new(client, end("::ffff:192.168.1.109", 21), first, InterfaceId(2))
        .with_id("0123456789abcdef")
}

fn event(kind: EventKind) -> Event {
    Event {
        ts: Timestamp::from_parts(1_329_843_162, 83_353_000),
        session: Some(identity().into()),
        user: Some(Text::from_bytes(b"al\xefce").into()),
        kind,
    }
}

fn written(event: &Event) -> Value {
    let mut out = b"kept\n".to_vec();
    Json::new(&sample::origin("sensor-1")).event(7, event, &mut out);
    let text = String::from_utf8(out).unwrap();
    let line = text.strip_prefix("kept\n").unwrap().strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "one line an event");
    let own = without_disruption(&serde_json::to_string(&event.kind).unwrap());
    assert!(line.ends_with(&own.replacen('{', ",", 1)), "{line} says {own} otherwise");
    let read: EventLine = serde_json::from_str(line).unwrap();
    assert_eq!(without_disruption(&serde_json::to_string(&read).unwrap()), line, "read and written by serde");
    assert_eq!((read.seq, read.origin, &read.event), (7, sample::origin("sensor-1"), event));
    serde_json::from_str(line).unwrap()
}

fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The event's own fields, the envelope checked and taken off.
fn own(kind: EventKind) -> Value {
    const ENVELOPE: [&str; 13] = [
        "ts",
        "event",
        "seq",
        "run",
        "sensor",
        "session",
        "community_id",
        "client",
        "server",
        "iface",
        "vlan",
        "user",
        "user_hex",
    ];
    let name = kind.name();
    let mut value = written(&event(kind));
    assert_eq!(value["event"], name);
    let object = value.as_object_mut().unwrap();
    for field in ENVELOPE {
        assert!(object.remove(field).is_some(), "{name} has no {field}");
    }
    value
}

fn sorted<const N: usize>(mut names: [&'static str; N]) -> Vec<&'static str> {
    names.sort_unstable();
    names.to_vec()
}

#[test]
fn the_envelope_says_what_the_schema_says() {
    let value =
        written(&event(EventKind::SessionStart(SessionStart { midstream: true, ..SessionStart::default() })));
    assert_eq!(value["ts"], "2012-02-21T16:52:42.083353000Z");
    assert_eq!((&value["seq"], &value["sensor"]), (&7.into(), &"sensor-1".into()));
    assert_eq!(value["run"], "000000000000feed");
    assert_eq!(value["client"], serde_json::json!({ "ip": "192.168.1.106", "port": 57_658 }));
    assert_eq!(
        value["server"],
        serde_json::json!({ "ip": "192.168.1.109", "port": 21 }),
        "a mapped address is IPv4"
    );
    assert_eq!((&value["iface"], &value["vlan"]), (&"veth0".into(), &serde_json::json!([100, 7])));
    assert_eq!((&value["user"], &value["user_hex"]), (&"al\u{fffd}ce".into(), &"616cef6365".into()));
}

#[test]
fn what_is_not_known_is_left_out() {
    let plain = client_at(end("192.168.1.106", 57_658));
    let kind = EventKind::SensorStop(SensorStop { reason: StopReason::Signal });
    let with_session = Event { user: None, session: Some(plain.into()), ..event(kind.clone()) };
    assert_eq!(
        fields(&written(&with_session)),
        sorted([
            "ts",
            "event",
            "seq",
            "run",
            "sensor",
            "session",
            "community_id",
            "client",
            "server",
            "reason"
        ])
    );
    let alone = Event { user: None, session: None, ..event(kind) };
    assert_eq!(fields(&written(&alone)), sorted(["ts", "event", "seq", "run", "sensor", "reason"]));
}

#[test]
fn what_a_peer_says_is_escaped() {
    let mut event = event(EventKind::Anomaly(Anomaly {
        tx: None,
        anomaly: AnomalyDetail {
            id: AnomalyId::NotFtp,
            detail: "\"}\n\u{1b}[31m\u{7f}".into(),
            repeated: None,
        },
    }));
    event.user = Some(Text::from_bytes(b"a\"b\\c\n\0").into());
    let mut out = Vec::new();
    Json::new(&sample::origin("quoted \"name\"")).event(0, &event, &mut out);
    assert!(out.iter().take(out.len() - 1).all(|&byte| byte >= 0x20), "no control character is written raw");
    let value: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((&value["sensor"], &value["user"]), (&"quoted \"name\"".into(), &"a\"b\\c\n\0".into()));
}

#[test]
fn sessions_taking_turns_keep_their_own_fields() {
    let mut json = Json::new(&sample::origin("s"));
    // More sessions than are kept in written form.
    let sessions: Vec<Arc<SessionIdentity>> =
        (0..2_000_u16).map(|n| Arc::new(client_at(end("10.0.0.1", 10_000 + n)))).collect();
    for _ in 0..2 {
        for session in &sessions {
            let kind = EventKind::SessionStart(SessionStart::default());
            let event = Event { session: Some(Arc::clone(session)), ..event(kind) };
            let mut out = Vec::new();
            json.event(0, &event, &mut out);
            let value: Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(value["client"]["port"], session.client.port);
        }
    }
}

fn handshake() -> Handshake {
    Handshake { syn: Timestamp::from_parts(1, 0), syn_ack_us: Some(120), ack_us: Some(80) }
}

#[test]
fn sessions_and_dialogue() {
    let value = own(EventKind::SessionStart(SessionStart {
        handshake: Some(handshake()),
        ..SessionStart::default()
    }));
    assert_eq!(fields(&value), sorted(["midstream", "handshake"]));
    assert_eq!(fields(&value["handshake"]), sorted(["syn", "syn_ack_us", "ack_us"]));

    let command =
        CommandLine { verb: "NOOP".into(), arg: None, arg_hex: None, truncated: false, malformed: false };
    let value = own(EventKind::Command(Command { tx: 3, command }));
    assert_eq!(fields(&value), sorted(["tx", "command"]));
    assert_eq!(fields(&value["command"]), sorted(["verb", "arg", "truncated", "malformed"]));
    assert!(value["command"]["arg"].is_null(), "no argument is null, not left out");

    let reply = ReplyLine {
        code: None,
        text: "a\nb".into(),
        text_hex: None,
        lines: 2,
        class: Some(ReplyClass::TransientError),
        category: Some(Category::Filesystem),
        is_final: true,
        truncated: false,
        malformed: true,
    };
    let command = Some(CommandRef { verb: "RETR".into(), arg: Some("x".into()) });
    let value = own(EventKind::Reply(Reply { tx: 3, reply, command, latency_us: Some(9) }));
    assert_eq!(fields(&value), sorted(["tx", "reply", "command", "latency_us"]));
    assert_eq!(
        fields(&value["reply"]),
        sorted(["code", "text", "lines", "class", "category", "final", "truncated", "malformed"])
    );
    assert!(value["reply"]["code"].is_null());
    assert_eq!(
        (&value["reply"]["class"], &value["reply"]["category"]),
        (&"transient_error".into(), &"filesystem".into())
    );
    assert_eq!(fields(&value["command"]), sorted(["verb", "arg"]));

    let login = LoginAttempt {
        user: Some("alice".into()),
        outcome: LoginOutcome::Success,
        anonymous: false,
        secret: Some("***".into()),
        code: Some(230),
        encrypted: false,
    };
    let value = own(EventKind::Login(Login { tx: 2, login }));
    assert_eq!(
        fields(&value["login"]),
        sorted(["user", "outcome", "anonymous", "secret", "code", "encrypted"])
    );

    let tls = TlsState {
        via: TlsVia::Auth,
        state: TlsTurn::Start,
        version: Some("TLSv1.3".into()),
        cipher: Some("TLS_AES_256_GCM_SHA384".into()),
        sni: Some("h".into()),
        alpn: vec!["ftp".into()],
        ja4: Some("t13d".into()),
    };
    let value = own(EventKind::Tls(Tls { tls }));
    assert_eq!(fields(&value["tls"]), sorted(["via", "state", "version", "cipher", "sni", "alpn", "ja4"]));

    let end = End {
        reason: EndReason::Fin,
        closed_by: Some(ClosedBy::Client),
        duration_ms: 1,
        commands: 2,
        replies: 3,
        logins: 4,
        failed_logins: 5,
        transfers: 6,
        bytes_up: 7,
        bytes_down: 8,
        gaps: 9,
        tiny_segments: None,
    };
    let value = own(EventKind::SessionEnd(SessionEnd { end }));
    let wanted = [
        "reason",
        "duration_ms",
        "commands",
        "replies",
        "logins",
        "transfers",
        "bytes_up",
        "bytes_down",
        "gaps",
    ];
    assert!(wanted.iter().all(|&field| value["end"].get(field).is_some()), "{value}");
}

#[test]
fn data_connections() {
    let announced = DataAnnouncement {
        mode: Some(Mode::Passive),
        via: Via::Pasv,
        ip: ip("192.168.1.109"),
        port: 26_758,
        advertised_ip: Some(ip("10.0.0.1")),
        nat: Nat::Private,
    };
    let value = own(EventKind::DataChannel(DataChannel { tx: 5, data: announced }));
    assert_eq!(fields(&value), sorted(["tx", "data"]));
    assert_eq!(fields(&value["data"]), sorted(["mode", "via", "ip", "port", "advertised_ip", "nat"]));
    assert_eq!((&value["data"]["via"], &value["data"]["nat"]), (&"PASV".into(), &"private".into()));

    let transfer = TransferFacts {
        verb: Some("RETR".into()),
        direction: Some(FileDirection::Download),
        arg: Some("f".into()),
        path: Some("/f".into()),
        path_hex: None,
        offset: 0,
        representation: Some(RepresentationType::Image),
        declared_bytes: Some(10),
        bytes: 10,
        rate_bps: Some(80),
        outcome: Outcome::NoData,
        reason: None,
        code: Some(226),
    };
    let data = DataConnection {
        announced,
        initiator: Some(end("192.168.1.106", 58_985)),
        listener: Some(end("192.168.1.109", 26_758)),
        bytes_from_client: 0,
        bytes_from_server: 10,
        gap_bytes: 0,
        retransmitted_bytes: 0,
        handshake: Some(handshake()),
        handshake_us: Some(200),
        duration_us: Some(900),
        closed_by: Some(ClosedBy::Server),
        tls: true,
        tls_facts: DataTls {
            version: Some("TLSv1.3".into()),
            cipher: Some("TLS_AES_256_GCM_SHA384".into()),
            sni: Some("h".into()),
            alpn: vec!["ftp".into()],
            ja4: Some("t13d".into()),
        },
    };
    let file = FileFacts {
        sha256: Some("00".into()),
        sha1: Some("11".into()),
        md5: Some("22".into()),
        size: 10,
        unpacked: Some(20),
        mime: Some("text/plain".into()),
        loot: Some("Snake".into()),
        complete: true,
        range: Some(FileRange { from: 5, to: 15 }),
        reason: Some(FileReason::Offset),
        stored: Some("out/00".into()),
        id: None,
    };
    let kind = EventKind::Transfer(Box::new(Transfer {
        tx: 6,
        transfer,
        data: Some(data),
        file: Some(file),
        client_process: None,
        server_process: None,
    }));
    let value = own(kind);
    assert_eq!(fields(&value), sorted(["tx", "transfer", "data", "file"]));
    assert_eq!(
        fields(&value["transfer"]),
        sorted([
            "verb",
            "direction",
            "arg",
            "path",
            "offset",
            "type",
            "declared_bytes",
            "bytes",
            "rate_bps",
            "outcome",
            "code"
        ])
    );
    let data = [
        "mode",
        "via",
        "ip",
        "port",
        "advertised_ip",
        "nat",
        "initiator",
        "listener",
        "bytes_from_client",
        "bytes_from_server",
        "gap_bytes",
        "retransmitted_bytes",
        "handshake_us",
        "duration_us",
        "closed_by",
        "tls",
        "tls_version",
        "tls_cipher",
        "tls_sni",
        "tls_alpn",
        "tls_ja4",
    ];
    assert!(data.iter().all(|&field| value["data"].get(field).is_some()), "{value}");
    let file = [
        "sha256", "sha1", "md5", "size", "unpacked", "mime", "loot", "complete", "range", "reason", "stored",
    ];
    assert_eq!(fields(&value["file"]), sorted(file));
    assert_eq!(fields(&value["file"]["range"]), sorted(["from", "to"]));
    assert_eq!(
        (&value["transfer"]["outcome"], &value["transfer"]["type"]),
        (&"no_data".into(), &"image".into())
    );
}

#[test]
fn what_is_odd_and_the_sensor_itself() {
    let gap = GapDetail { direction: Direction::Reply, bytes: 9, cause: GapCause::RingFull };
    let value = own(EventKind::Gap(Gap { gap }));
    assert_eq!(fields(&value["gap"]), sorted(["direction", "bytes", "cause"]));
    let anomaly = AnomalyDetail { id: AnomalyId::NotFtp, detail: "x".into(), repeated: None };
    let value = own(EventKind::Anomaly(Anomaly { tx: None, anomaly }));
    assert_eq!((fields(&value), fields(&value["anomaly"])), (vec!["anomaly"], sorted(["id", "detail"])));
    let alert = sample::alert();
    let value = own(EventKind::Alert(Box::new(Alert { alert })));
    assert_eq!(
        fields(&value["alert"]),
        sorted(["id", "severity", "title", "message", "technique", "confidence", "suppressed", "evidence"])
    );

    let interface = InterfaceFacts {
        name: "veth0".into(),
        ifindex: 2,
        ingress: Hook::Tcx,
        egress: Hook::Tcx,
        reason: "r".into(),
        offloads: vec!["GRO".into()],
    };
    let start = SensorStart {
        version: "0".into(),
        schema: SCHEMA_VERSION,
        source: Source::Live,
        kernel: Some("6".into()),
        interfaces: vec![interface],
        files: Vec::new(),
        ports: vec![21],
        tls_ports: vec![990],
        limits: BTreeMap::from([("flows".to_owned(), 1)]),
    };
    let value = own(EventKind::SensorStart(Box::new(start)));
    assert!(
        ["version", "kernel", "interfaces", "ports", "limits"]
            .iter()
            .all(|&field| value.get(field).is_some())
    );
    let stats = Stats {
        tables: BTreeMap::from([("flows".to_owned(), TableFill { used: 1, cap: 2 })]),
        ..Stats::default()
    };
    let value = own(EventKind::Stats(Box::new(stats)));
    assert!(["seen", "matched", "emitted", "lost", "tables"].iter().all(|&field| value.get(field).is_some()));
    assert_eq!(value["tables"]["flows"], serde_json::json!({ "used": 1, "cap": 2 }));
}
