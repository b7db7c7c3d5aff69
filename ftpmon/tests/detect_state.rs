//! The memory of all detectors under a flood of made-up sources.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ftpmon_core::detect::{ALL, Detectors};
use ftpmon_event::addr::Endpoint;
use ftpmon_event::link::InterfaceId;
use ftpmon_event::text::Text;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, SessionIdentity};
use serde_json::{Value, json};

const SOURCES: u32 = 1_000_000;
const STATE_MAX: u64 = 64 << 20;

/// Resident memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Events of a source, one at least for each kind of detector to remember.
fn kinds() -> Vec<EventKind> {
    fn made<T: serde::de::DeserializeOwned>(fields: Value) -> T {
        serde_json::from_value(fields).unwrap()
    }
    let reply = |code: u16, text: &str, command: Value| {
        let mut fields = json!({ "tx": 0, "reply": {
            "code": code, "text": text, "lines": 1, "final": true, "truncated": false, "malformed": false } });
        if !command.is_null() {
            fields.as_object_mut().unwrap().insert("command".to_owned(), command);
        }
        EventKind::Reply(made(fields))
    };
    let transfer = |direction: &str, path: &str| {
        EventKind::Transfer(made(json!({ "tx": 3, "transfer": {
            "direction": direction, "path": path, "offset": 0, "bytes": 900, "outcome": "complete" } })))
    };
    let login = |outcome: &str, secret: &str| {
        EventKind::Login(made(json!({ "tx": 2, "login": {
            "user": "root", "outcome": outcome, "anonymous": false, "secret": secret, "encrypted": false } })))
    };
    let command = |verb: &str, arg: &str| {
        EventKind::Command(made(json!({ "tx": 1, "command": {
            "verb": verb, "arg": arg, "truncated": false, "malformed": false } })))
    };
    vec![
        login("failure", "hmac-sha256:0011223344556677"),
        login("success", "hmac-sha256:0011223344556677"),
        command("RETR", "../../../../etc/passwd"),
        command("CWD", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        transfer("upload", "/PW_bob-DESKTOP_2026_01_02_03_04_05.html"),
        transfer("download", "/home/a-rather-long-name/.ssh/authorized_keys"),
        reply(331, "", json!({ "verb": "USER", "arg": "somebody" })),
        reply(220, "StnyFtpd 0wns j0", Value::Null),
        reply(421, "Too many connections from you", Value::Null),
        reply(425, "Cannot open the data connection", json!({ "verb": "LIST", "arg": null })),
        reply(502, "", json!({ "verb": "AUTH", "arg": "TLS" })),
        reply(220, "ProFTPD 1.3.5 Server ready", Value::Null),
        EventKind::SessionStart(made(json!({ "midstream": false }))),
        EventKind::SessionEnd(made(json!({ "end": {
            "reason": "fin", "duration_ms": 9, "commands": 9, "replies": 0, "logins": 0, "failed_logins": 0,
            "transfers": 0, "bytes_up": 0, "bytes_down": 0, "gaps": 0, "tiny_segments": 9_000 } }))),
        EventKind::DataChannel(made(json!({ "tx": 4, "data": {
            "mode": "active", "via": "PORT", "ip": "203.0.113.5", "port": 22, "advertised_ip": "203.0.113.5",
            "nat": "mismatch" } }))),
    ]
}

/// All detectors, also those that are off by default, and not less than a million sources, each of which is gone when the next one comes. It runs alone in this process.
#[test]
fn a_million_sources_take_less_than_64_mib() {
    let kinds = kinds();
    let all = ALL.iter().copied().map(|entry| (entry, entry.threshold));
    let mut detectors = Detectors::start(all, &[]);
    let before = resident();
    let user = Arc::new(Text { text: "root".into(), hex: None });
    for (number, kind) in (0..SOURCES).zip(kinds.iter().cycle()) {
        let client = Endpoint::new(IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number)), 40_000);
        let server = Endpoint::new(IpAddr::V4(Ipv4Addr::from(0xc000_0200 + number % 50_000)), 21);
        let ts = Timestamp::from_nanos(i64::from(number) * 1_000);
        let session = Arc::new(SessionIdentity::new(client, server, ts, InterfaceId(0)));
        let event = Event { ts, session: Some(session), user: Some(Arc::clone(&user)), kind: kind.clone() };
        detectors.event(&event);
        while detectors.pop().is_some() {}
    }
    let grown = resident().saturating_sub(before);
    let fill = detectors.fill();
    println!("{grown} bytes for {} entries, {} gave way", fill.used, fill.forgotten);
    assert!(fill.forgotten > 0, "the caps were reached");
    assert!(grown < STATE_MAX, "{grown} bytes for {} entries", fill.used);
}
