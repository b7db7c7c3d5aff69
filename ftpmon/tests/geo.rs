//! `--geo`: databases that this test writes by the MaxMind DB specification 2.0, without the library that reads them.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unreachable,
    clippy::cast_possible_truncation,
    reason = "a test ends where something is not as it should be"
)]

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use ftpmon_tests::bed::Scratch;
use ftpmon_tests::script;
use serde_json::{Value, json};

/// A field of the data section: its type and size, and its bytes.
fn encoded(value: &Value, out: &mut Vec<u8>) {
    let control = |out: &mut Vec<u8>, kind: u8, size: usize| {
        let size = u8::try_from(size).expect("small values");
        // From 29 on, the size less 29 is in another byte.
        let here = size.min(29);
        // Types above 7 are extended: 0 there, and the type less 7 behind it.
        if kind > 7 {
            out.extend([here, kind - 7]);
        } else {
            out.push(kind << 5 | here);
        }
        out.extend(size.checked_sub(29));
    };
    match value {
        Value::String(text) => {
            control(out, 2, text.len());
            out.extend(text.bytes());
        }
        Value::Number(number) => {
            let number = number.as_u64().expect("a count");
            // The format's own numbers are of 16 bits, its time of 64, all others of 32.
            let kind = match number {
                0..100 => 5,
                100..1_000_000 => 6,
                _ => 9,
            };
            let bytes = number.to_be_bytes();
            let bytes: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
            control(out, kind, bytes.len());
            out.extend(bytes);
        }
        Value::Object(fields) => {
            control(out, 7, fields.len());
            for (name, value) in fields {
                encoded(&name.as_str().into(), out);
                encoded(value, out);
            }
        }
        Value::Array(items) => {
            control(out, 11, items.len());
            items.iter().for_each(|item| encoded(item, out));
        }
        Value::Null | Value::Bool(_) => unreachable!("not in these databases"),
    }
}

#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(usize),
    Data(usize),
}

/// A database of addresses with records: IPv6, with IPv4 in ::/96, and records of 24 bits.
fn database(kind: &str, records: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes = vec![[Record::Nothing; 2]];
    let mut data = Vec::new();
    for (ip, record) in records {
        let bits = match ip.parse().expect("an address") {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => u128::from(v6),
        };
        let mut node = 0;
        for depth in 0..128 {
            let side = usize::from(bits >> (127 - depth) & 1 == 1);
            if depth == 127 {
                nodes[node][side] = Record::Data(data.len());
                break;
            }
            node = match nodes[node][side] {
                Record::Node(next) => next,
                _ => {
                    nodes.push([Record::Nothing; 2]);
                    let next = nodes.len() - 1;
                    nodes[node][side] = Record::Node(next);
                    next
                }
            };
        }
        encoded(record, &mut data);
    }
    let count = nodes.len();
    let number = |record: &Record| match record {
        Record::Nothing => count,
        Record::Node(next) => *next,
        // 16 bytes of zeros stand between tree and data.
        Record::Data(offset) => count + 16 + offset,
    };
    let mut out: Vec<u8> = nodes
        .iter()
        .flatten()
        .flat_map(|record| (number(record) as u32).to_be_bytes()[1..].to_vec())
        .collect();
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    let meta = json!({
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1_700_000_000,
        "database_type": kind, "description": { "en": "of a test" }, "ip_version": 6, "languages": ["en"],
        "node_count": count, "record_size": 24 });
    encoded(&meta, &mut out);
    out
}

const CLIENT: &str = "203.0.113.9";
const SERVER: &str = "2001:db8::21";

fn countries() -> Vec<u8> {
    let country = |code: &str| json!({ "country": { "geoname_id": 1, "iso_code": code } });
    database(
        "GeoLite2-Country",
        &[(CLIENT, country("NZ")), ("198.51.100.4", country("PT")), (SERVER, country("DE"))],
    )
}

fn systems() -> Vec<u8> {
    let system =
        json!({ "autonomous_system_number": 64_500, "autonomous_system_organization": "Example Networks" });
    database("GeoLite2-ASN", &[(CLIENT, system)])
}

/// A dialogue of the client with a server of the same family.
fn dialogue(client: &str, server: &str) -> Result<Vec<u8>> {
    script::capture(&format!(
        "host client {client}\nhost server {server}\nopen c client:40000 server:21\nS: 220 ready\nC: USER bob\n\
         S: 331 Password\nC: PASS x\nS: 230 In\nC: SITE EXEC %p%p%p\nS: 200 Ok\nC: QUIT\nS: 221 Bye\nclose c <\n"
    ))
}

struct Bed {
    scratch: Scratch,
    databases: String,
}

impl Bed {
    fn new() -> Result<Self> {
        let scratch = Scratch::new("geo")?;
        let written = [scratch.write("country.mmdb", countries())?, scratch.write("asn.mmdb", systems())?];
        let databases = written.map(|path: PathBuf| path.display().to_string()).join(",");
        Ok(Self { scratch, databases })
    }

    fn run(&self, words: &[&str]) -> Result<(bool, Vec<Value>, String)> {
        let output = Command::new(env!("CARGO_BIN_EXE_ftpmon")).args(words).output()?;
        let lines = String::from_utf8(output.stdout)?;
        let events = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok((output.status.success(), events, String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    fn read(&self, capture: Vec<u8>, options: &[&str]) -> Result<Vec<Value>> {
        let path = self.scratch.write("c.pcap", capture)?.display().to_string();
        let (is_good, events, errors) = self.run(&[&["read", &path], options].concat())?;
        ensure!(is_good, "{errors}");
        Ok(events)
    }
}

/// `geo` of the events of a type, by their order.
fn told(events: &[Value], kind: &str) -> Vec<Value> {
    let of = events.iter().filter(|event| event["event"] == kind);
    of.map(|event| event.pointer("/alert/geo").or(event.get("geo")).cloned().unwrap_or_default()).collect()
}

#[test]
fn sessions_and_alerts_tell_the_places_of_both_ends() -> Result<()> {
    let bed = Bed::new()?;
    let client = json!({ "country": "NZ", "asn": 64_500, "as_org": "Example Networks" });
    for threads in ["1", "4"] {
        let events =
            bed.read(dialogue(CLIENT, "198.51.100.4")?, &["--geo", &bed.databases, "--threads", threads])?;
        let both = json!({ "client": client, "server": { "country": "PT" } });
        ensure!(told(&events, "session_start") == [both.clone()], "{events:?}");
        let alerts = told(&events, "alert");
        ensure!(!alerts.is_empty() && alerts.iter().all(|geo| *geo == both), "{events:?}");
    }
    let six = bed.read(dialogue("2001:db8::9", SERVER)?, &["--geo", &bed.databases])?;
    ensure!(told(&six, "session_start") == [json!({ "server": { "country": "DE" } })], "{six:?}");
    Ok(())
}

#[test]
fn ends_that_no_database_knows_have_none() -> Result<()> {
    let bed = Bed::new()?;
    for (options, ends) in [
        (vec!["--geo", bed.databases.as_str()], ("192.168.1.4", "10.0.0.1")),
        (vec![], (CLIENT, "198.51.100.4")),
    ] {
        let events = bed.read(dialogue(ends.0, ends.1)?, &options)?;
        ensure!(told(&events, "session_start") == [Value::Null], "{events:?}");
    }
    Ok(())
}

#[test]
fn stored_events_give_the_same_alerts() -> Result<()> {
    let bed = Bed::new()?;
    let events = bed.read(dialogue(CLIENT, "198.51.100.4")?, &["--geo", &bed.databases])?;
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let stored = bed.scratch.write("events.jsonl", lines)?.display().to_string();
    let (is_good, alerts, errors) = bed.run(&["detect", "--geo", &bed.databases, &stored])?;
    ensure!(is_good && told(&alerts, "alert") == told(&events, "alert"), "{errors} {alerts:?}");
    Ok(())
}

#[test]
fn a_rule_may_ask_for_a_country() -> Result<()> {
    let bed = Bed::new()?;
    let rule = |condition: &str| {
        format!(
            "[[rule]]\nid = \"abroad\"\ntitle = \"A login from abroad\"\n[[rule.step]]\nevent = \"session_start\"\n\
             where = {{ {condition} }}\n[[rule.step]]\nevent = \"login\"\n\
             where = {{ \"login.outcome\" = \"success\" }}\n"
        )
    };
    let abroad = |home: &str| {
        format!("\"geo.client.country\" = \"*\", \"not geo.client.country\" = [\"DE\", \"{home}\"]")
    };
    let is = |country: &str| format!("\"geo.client.country\" = \"{country}\"");
    for (condition, client, count) in [
        (is("NZ"), CLIENT, 1),
        (is("PT"), CLIENT, 0),
        (abroad("PT"), CLIENT, 1),
        (abroad("NZ"), CLIENT, 0),
        (abroad("PT"), "192.0.2.77", 0),
    ] {
        let rules = bed.scratch.write("rules.toml", rule(&condition))?.display().to_string();
        let options = ["--geo", &bed.databases, "--detect", "none", "--detect-rules", &rules];
        let events = bed.read(dialogue(client, "198.51.100.4")?, &options)?;
        ensure!(told(&events, "alert").len() == count, "{condition}: {events:?}");
    }
    Ok(())
}

#[test]
fn files_that_are_no_databases_are_named_and_damaged_ones_say_nothing() -> Result<()> {
    let bed = Bed::new()?;
    let capture = bed.scratch.write("d.pcap", dialogue(CLIENT, "198.51.100.4")?)?.display().to_string();
    let none = bed.scratch.write("none.mmdb", "no database")?.display().to_string();
    let (is_good, _, errors) = bed.run(&["read", &capture, "--geo", &none])?;
    ensure!(!is_good && errors.contains("none.mmdb is no MaxMind DB"), "{errors}");
    let (is_good, _, errors) = bed.run(&["read", &capture, "--geo", "/nowhere"])?;
    ensure!(!is_good && errors.contains("cannot read the database /nowhere"), "{errors}");
    // Each byte of tree and data in turn is another one: events go on, and a place is told or not.
    let whole = countries();
    for at in (0..whole.len()).step_by(whole.len() / 60) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        let path = bed.scratch.write("damaged.mmdb", damaged)?.display().to_string();
        let (is_good, events, errors) = bed.run(&["read", &capture, "--geo", &path])?;
        let is_refused = errors.contains("is no MaxMind DB");
        ensure!(is_good && told(&events, "session_start").len() == 1 || is_refused, "byte {at}: {errors}");
    }
    Ok(())
}
