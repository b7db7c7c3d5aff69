use serde_json::{Value, json};

use super::*;
use crate::format::sample::{self, event, identity, session, transfer};
use ftpmon_event::Alert;

fn records(events: &[Event]) -> Vec<Value> {
    let (mut eve, mut out) = (Eve::new(&sample::origin("s")), Vec::new());
    events.iter().for_each(|event| eve.event(0, event, &mut out));
    String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names and types that the schema allows below `ftp`, `ftp_data` and `fileinfo`, and beside them.
fn allowed(place: &str, name: &str, value: &Value) -> bool {
    let strings = |value: &Value| {
        value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_string))
    };
    match (place, name) {
        ("", "timestamp" | "in_iface" | "event_type" | "src_ip" | "dest_ip" | "proto") => value.is_string(),
        ("", "community_id" | "app_proto" | "run") => value.is_string(),
        ("", "flow_id" | "parent_id" | "src_port" | "dest_port" | "tx_id" | "ip_v" | "seq") => value.is_u64(),
        ("", "vlan") => value.is_array(),
        ("ftp", "command" | "command_data") => value.is_string(),
        ("ftp", "command_truncated" | "reply_truncated") => value.is_boolean(),
        ("ftp", "completion_code" | "reply") => strings(value),
        ("ftp", "dynamic_port") => value.is_u64(),
        ("ftp", "mode") => value == "active" || value == "passive",
        ("ftp", "reply_received") => value == "yes" || value == "no",
        ("ftp_data", "filename" | "command") => value.is_string(),
        ("fileinfo", "filename" | "state" | "md5" | "sha1" | "sha256") => value.is_string(),
        ("fileinfo", "gaps" | "stored") => value.is_boolean(),
        ("fileinfo", "size" | "tx_id") => value.is_u64(),
        _ => false,
    }
}

#[test]
fn names_and_types_are_the_schemas() {
    let records = records(&session());
    assert_eq!(records.len(), 10);
    for record in &records {
        for (name, value) in record.as_object().unwrap() {
            if let ("ftp" | "ftp_data" | "fileinfo", Some(body)) = (name.as_str(), value.as_object()) {
                let of_file = name == "ftp_data" && record["event_type"] == "fileinfo";
                assert!(of_file || record["event_type"] == name.as_str());
                for (inner, value) in body {
                    assert!(allowed(name, inner, value), "{name}.{inner}: {value}");
                }
            } else {
                assert!(allowed("", name, value), "{name}: {value}");
            }
        }
    }
}

#[test]
fn a_transaction_is_one_record() {
    let records = records(&session());
    assert_eq!(records[0]["ftp"]["completion_code"], json!(["220"]));
    assert_eq!(records[0]["ftp"]["reply"], json!(["Welcome", "to", "FTP"]));
    assert!(records[0]["ftp"].get("command").is_none());
    assert_eq!(records[0]["timestamp"], "2023-11-14T22:13:20.000000+0000");
    assert_eq!((&records[0]["src_port"], &records[0]["dest_port"]), (&json!(57658), &json!(21)));
    let pasv = &records[4]["ftp"];
    assert_eq!((&pasv["mode"], &pasv["dynamic_port"]), (&json!("passive"), &json!(26758)));
    let retr = &records[5]["ftp"];
    assert_eq!((&retr["command_data"], &retr["completion_code"]), (&json!("a.txt"), &json!(["150", "226"])));
    assert_eq!(
        records[9]["ftp"],
        json!({"command": "QUIT", "reply_received": "no", "reply_truncated": false})
    );
}

#[test]
fn a_data_connection_names_its_parent_and_its_file() {
    let records = records(&session());
    let (data, file) = (&records[6], &records[7]);
    assert_eq!(data["ftp_data"], json!({"command": "RETR", "filename": "a.txt"}));
    assert_eq!(data["parent_id"], records[0]["flow_id"]);
    assert_ne!(data["flow_id"], records[0]["flow_id"]);
    assert_eq!((&data["src_port"], &data["dest_port"]), (&json!(58985), &json!(26758)));
    assert_eq!((&file["src_port"], &file["dest_port"]), (&json!(26758), &json!(58985)), "the server sent it");
    assert_eq!((&file["fileinfo"]["size"], &file["fileinfo"]["state"]), (&json!(77), &json!("CLOSED")));
    assert_eq!(file["flow_id"], data["flow_id"]);
    assert_eq!(file["ftp_data"], data["ftp_data"]);
    assert_eq!((&file["fileinfo"]["tx_id"], &file["ip_v"]), (&json!(0), &json!(4)));
}

#[test]
fn counters_alerts_and_drops_are_records() {
    let id = identity("0123456789abcdef");
    let alert = EventKind::Alert(Box::new(Alert { alert: sample::alert() }));
    let stats = Stats { uptime_ms: 61_000, seen: 7, ..Stats::default() };
    let of_sensor = |kind| Event { session: None, user: None, ..event(&id, 0, kind) };
    let records = records(&[
        event(&id, 0, alert),
        of_sensor(EventKind::Stats(Box::new(stats))),
        of_sensor(EventKind::Drop(sample::dropped())),
    ]);
    let types: Vec<_> = records.iter().map(|record| record["event_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["alert", "stats", "ftpmon"]);
    assert!(records.iter().all(|record| record["seq"] == 0 && record["run"] == "000000000000feed"));
    assert_eq!(records[0]["alert"]["metadata"]["detector"], json!(["bounce"]));
    assert!(records[0]["flow_id"].is_u64() && records[1].get("flow_id").is_none());
    assert_eq!(
        (&records[1]["stats"]["uptime"], &records[1]["stats"]["ftpmon"]["seen"]),
        (&json!(61), &json!(7))
    );
    assert_eq!(
        (&records[2]["ftpmon"]["event"], &records[2]["ftpmon"]["drop"]["count"]),
        (&json!("drop"), &json!(5))
    );
}

#[test]
fn a_listing_is_no_file() {
    let id = identity("s");
    let mut listing = transfer(1);
    if let EventKind::Transfer(told) = &mut listing {
        told.transfer.direction = Some(FileDirection::Listing);
        told.transfer.verb = Some("LIST".into());
    }
    let records = records(&[event(&id, 0, listing)]);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["ftp_data"], json!({"command": "LIST"}));
}
