//! The output of the JSON format is valid by the schema.

use std::sync::Arc;

use ftpmon_event::text::Text;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{
    Alert, Anomaly, AnomalyDetail, AnomalyId, DataChannel, Direction, Event, EventKind, Gap, GapCause,
    GapDetail, Handshake, Hook, InterfaceFacts, Login, LoginAttempt, LoginOutcome, SCHEMA_VERSION,
    SensorStart, SensorStop, SessionStart, Source, Stats, StopReason, TableFill, Tls, TlsState, TlsTurn,
    TlsVia, schema,
};
use serde_json::{Value, json};

use super::{Format, sample};

/// One event of each type that the sample session has none of.
fn others() -> Vec<EventKind> {
    let handshake = Handshake { syn: Timestamp::default(), syn_ack_us: Some(1), ack_us: None };
    let login = LoginAttempt {
        user: Some("joe".into()),
        outcome: LoginOutcome::Success,
        anonymous: false,
        secret: None,
        code: Some(230),
        encrypted: false,
    };
    let tls = TlsState {
        via: TlsVia::Auth,
        state: TlsTurn::Start,
        version: None,
        cipher: None,
        sni: Some("a".into()),
        alpn: Vec::new(),
        ja4: None,
    };
    let gap = GapDetail { direction: Direction::Reply, bytes: 7, cause: GapCause::RingFull };
    let anomaly = AnomalyDetail { id: AnomalyId::BadEndpoint, detail: "x".into(), repeated: None };
    let EventKind::Transfer(transfer) = sample::transfer(1) else { panic!("not a transfer") };
    vec![
        EventKind::SessionStart(SessionStart { handshake: Some(handshake), ..SessionStart::default() }),
        EventKind::Login(Login { tx: 2, login }),
        EventKind::Tls(Tls { tls }),
        EventKind::DataChannel(DataChannel { tx: 4, data: transfer.data.unwrap().announced }),
        EventKind::Gap(Gap { gap }),
        EventKind::Anomaly(Anomaly { tx: None, anomaly }),
        EventKind::Alert(Box::new(Alert { alert: sample::alert() })),
    ]
}

fn of_the_sensor() -> Vec<EventKind> {
    let interface = InterfaceFacts {
        name: "eth0".into(),
        ifindex: 2,
        ingress: Hook::Tcx,
        egress: Hook::Tcx,
        reason: "a veth".into(),
        offloads: vec!["GRO".into()],
    };
    let start = SensorStart {
        version: "1".into(),
        schema: SCHEMA_VERSION,
        source: Source::Live,
        kernel: Some("6.18".into()),
        interfaces: vec![interface],
        files: vec![],
        ports: vec![21],
        tls_ports: vec![990],
        limits: [("flows".to_owned(), 9)].into(),
    };
    let tables = [("flows".to_owned(), TableFill { used: 1, cap: 9 })].into();
    let stats = Stats { tables, lost: [("ring_full".to_owned(), 3)].into(), ..Stats::default() };
    vec![
        EventKind::SensorStart(Box::new(start)),
        EventKind::Stats(Box::new(stats)),
        EventKind::SensorStop(SensorStop { reason: StopReason::Signal }),
        EventKind::Drop(sample::dropped()),
        EventKind::Config(Box::new(sample::reload())),
    ]
}

#[test]
fn events_of_every_type_are_valid() {
    let session = sample::identity("s");
    let latin = Some(Arc::new(Text::from_bytes(b"jos\xe9")));
    let mut events = sample::session();
    events.extend(others().into_iter().map(|kind| sample::event(&session, 0, kind)));
    events.extend(of_the_sensor().into_iter().map(|kind| Event {
        ts: Timestamp::default(),
        session: None,
        user: None,
        kind,
    }));
    events.push(Event { user: latin, ..sample::event(&session, 0, sample::session_end()) });
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let mut json = Format::Json.formatter(&sample::origin("sensor"));
    let mut seen = std::collections::BTreeSet::new();
    for event in &events {
        let mut line = Vec::new();
        json.event(1, event, &mut line);
        let line: Value = serde_json::from_slice(&line).unwrap();
        validator.validate(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        seen.insert(event.kind.name());
    }
    assert_eq!(seen.len(), EventKind::NAMES.len());
}

#[test]
fn what_no_event_says_is_not_valid() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let stop = json!({ "ts": "2026-01-01T00:00:00Z", "event": "sensor_stop", "seq": 0, "run": "00000000000000ab", "sensor": "s", "reason": "signal" });
    assert!(validator.is_valid(&stop));
    for (field, value) in [("event", "stop".into()), ("reason", Value::Null), ("more", 1.into())] {
        let mut other = stop.clone();
        other[field] = value;
        assert!(!validator.is_valid(&other), "{field}");
    }
}
