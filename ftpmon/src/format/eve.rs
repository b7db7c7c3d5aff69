//! Suricata's EVE: `ftp` (a command with all its replies), `ftp_data` (a data connection) and `fileinfo` (a file that
//! went over it), in the names and types of its schema. `docs/formats.md` says what is different.

use std::net::IpAddr;

use serde::Serialize;

use super::Formatter;
use super::json::value;
use super::transaction::{Row, Transaction, Transactions};
use ftpmon_core::ftp::Verb;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::{Rfc3339, Timestamp};
use ftpmon_event::{
    DataConnection, Event, EventKind, FileDirection, Mode, Outcome, ReplyLine, SessionIdentity, Transfer,
};

/// Writes EVE.
pub struct Eve {
    clock: Rfc3339,
    transactions: Transactions<()>,
}

impl Eve {
    /// A writer that has seen nothing yet.
    pub fn new() -> Self {
        Self { clock: Rfc3339::default(), transactions: Transactions::new(false) }
    }
}

impl Default for Eve {
    fn default() -> Self {
        Self::new()
    }
}

impl Formatter for Eve {
    fn event(&mut self, _: u64, event: &Event, out: &mut Vec<u8>) {
        let clock = &mut self.clock;
        self.transactions.event(event, |row| ftp(clock, &row, out));
        if let (EventKind::Transfer(transfer), Some(identity)) = (&event.kind, &event.session) {
            data(clock, event.ts, identity, transfer, out);
        }
    }
}

/// What every record begins with.
#[derive(Serialize)]
struct Header<'a> {
    timestamp: &'a str,
    flow_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_iface: Option<&'a str>,
    event_type: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    vlan: &'a [u16],
    src_ip: IpAddr,
    src_port: u16,
    dest_ip: IpAddr,
    dest_port: u16,
    proto: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Ftp<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_truncated: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    completion_code: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reply: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dynamic_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    reply_received: &'static str,
    reply_truncated: bool,
}

#[derive(Serialize)]
struct FtpData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'static str>,
}

#[derive(Serialize)]
struct FileInfo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
    gaps: bool,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha1: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a str>,
    stored: bool,
    size: u64,
    tx_id: u64,
}

/// A record: header and, under the name of its type, body.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(flatten)]
    header: Header<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ftp: Option<Ftp<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ftp_data: Option<FtpData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fileinfo: Option<FileInfo<'a>>,
}

impl<'a> Record<'a> {
    const fn new(header: Header<'a>) -> Self {
        Self { header, ftp: None, ftp_data: None, fileinfo: None }
    }

    fn write(&self, out: &mut Vec<u8>) {
        value(self, out);
        out.push(b'\n');
    }
}

fn ftp(clock: &mut Rfc3339, row: &Row<'_, ()>, out: &mut Vec<u8>) {
    let Row { identity, transaction, .. } = row;
    let timestamp = timestamp(clock, transaction.ts);
    let record = Record {
        ftp: Some(dialogue(transaction)),
        ..Record::new(Header {
            timestamp: &timestamp,
            flow_id: flow_id(identity),
            parent_id: None,
            in_iface: identity.iface.as_deref(),
            event_type: "ftp",
            vlan: identity.vlan.as_slice(),
            src_ip: identity.client.ip,
            src_port: identity.client.port,
            dest_ip: identity.server.ip,
            dest_port: identity.server.port,
            proto: "TCP",
            tx_id: Some(transaction.tx),
            app_proto: None,
            community_id: Some(identity.community_id()),
        })
    };
    record.write(out);
}

fn dialogue(transaction: &Transaction) -> Ftp<'_> {
    let command_data = transaction.arg.as_deref().filter(|arg| !arg.is_empty());
    let code = |reply: &ReplyLine| reply.code.map(|code| format!("{code:03}"));
    let announces = transaction.known_verb();
    Ftp {
        command: transaction.verb.as_deref(),
        command_data,
        command_truncated: command_data.map(|_| transaction.cut),
        completion_code: transaction.replies.iter().filter_map(code).collect(),
        reply: transaction.replies.iter().flat_map(|reply| reply.text.split('\n')).collect(),
        dynamic_port: transaction.announced().map(|(_, endpoint)| endpoint.port),
        mode: if announces.announces_endpoint() {
            Some("active")
        } else if announces.asks_for_endpoint() {
            Some("passive")
        } else {
            None
        },
        reply_received: if transaction.replies.is_empty() { "no" } else { "yes" },
        reply_truncated: transaction.replies.iter().any(|reply| reply.truncated),
    }
}

/// The records of a data connection; none where no connection was seen.
fn data(
    clock: &mut Rfc3339,
    ts: Timestamp,
    identity: &SessionIdentity,
    transfer: &Transfer,
    out: &mut Vec<u8>,
) {
    let Some(data) = &transfer.data else { return };
    let (Some(initiator), Some(listener)) = (data.initiator, data.listener) else { return };
    let timestamp = timestamp(clock, ts);
    let parent_id = flow_id(identity);
    let flow_id = data_flow_id(parent_id, initiator, listener);
    let header = |event_type, from: Endpoint, to: Endpoint| Header {
        timestamp: &timestamp,
        flow_id,
        parent_id: Some(parent_id),
        in_iface: identity.iface.as_deref(),
        event_type,
        vlan: identity.vlan.as_slice(),
        src_ip: from.ip,
        src_port: from.port,
        dest_ip: to.ip,
        dest_port: to.port,
        proto: "TCP",
        tx_id: None,
        app_proto: None,
        community_id: None,
    };
    let facts = &transfer.transfer;
    let command = facts.verb.as_deref().and_then(moving_command);
    let listing = facts.direction == Some(FileDirection::Listing);
    let filename = facts.arg.as_deref().filter(|arg| !arg.is_empty()).or(facts.path.as_deref());
    let filename = filename.filter(|_| !listing);
    let ftp_data = Some(FtpData { filename, command });
    Record { ftp_data, ..Record::new(header("ftp_data", initiator, listener)) }.write(out);
    if listing || data.tls {
        return;
    }
    let (from, to) = sender_first(identity, data, initiator, listener, facts.direction);
    let file = transfer.file.as_ref();
    let whole =
        file.map_or_else(|| facts.outcome == Outcome::Complete && data.gap_bytes == 0, |file| file.complete);
    let fileinfo = FileInfo {
        filename,
        gaps: data.gap_bytes > 0,
        state: if whole { "CLOSED" } else { "TRUNCATED" },
        md5: file.and_then(|file| file.md5.as_deref()),
        sha1: file.and_then(|file| file.sha1.as_deref()),
        sha256: file.and_then(|file| file.sha256.as_deref()),
        stored: file.is_some_and(|file| file.stored.is_some()),
        size: facts.bytes,
        tx_id: transfer.tx,
    };
    let header = Header { app_proto: Some("ftp-data"), ..header("fileinfo", from, to) };
    Record { fileinfo: Some(fileinfo), ..Record::new(header) }.write(out);
}

/// The two ends of a data connection, the one that sent the file first.
fn sender_first(
    identity: &SessionIdentity,
    data: &DataConnection,
    initiator: Endpoint,
    listener: Endpoint,
    direction: Option<FileDirection>,
) -> (Endpoint, Endpoint) {
    let server_listens = match data.announced.mode {
        Some(mode) => mode == Mode::Passive,
        None => listener.ip == identity.server.ip,
    };
    let (client, server) = if server_listens { (initiator, listener) } else { (listener, initiator) };
    let upload = match direction {
        Some(direction) => direction == FileDirection::Upload,
        None => data.bytes_from_client > data.bytes_from_server,
    };
    if upload { (client, server) } else { (server, client) }
}

/// The commands that the schema lets `ftp_data` name.
fn moving_command(verb: &str) -> Option<&'static str> {
    match Verb::from_name(verb.as_bytes()) {
        verb @ (Verb::Stor | Verb::Appe | Verb::Stou | Verb::Retr | Verb::Nlst | Verb::List | Verb::Mlsd) => {
            verb.name()
        }
        _ => None,
    }
}

/// `2012-02-21T16:52:42.083353+0000`.
fn timestamp(clock: &mut Rfc3339, at: Timestamp) -> String {
    clock.set(at);
    let micros = clock.as_str().get(.."2012-02-21T16:52:42.083353".len()).unwrap_or_default();
    format!("{micros}+0000")
}

fn flow_id(identity: &SessionIdentity) -> u64 {
    hash(identity.id().bytes())
}

fn data_flow_id(parent: u64, initiator: Endpoint, listener: Endpoint) -> u64 {
    hash(parent.to_be_bytes().into_iter().chain(format!("{initiator}{listener}").into_bytes()))
}

/// FNV-1a, 53 bits of it: what every JSON reader keeps of an integer.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash >> 11
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::format::sample::{event, identity, session, transfer};

    fn records(events: &[Event]) -> Vec<Value> {
        let (mut eve, mut out) = (Eve::new(), Vec::new());
        events.iter().for_each(|event| eve.event(0, event, &mut out));
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The names and types that the schema allows below `ftp`, `ftp_data` and `fileinfo`, and beside them.
    fn allowed(place: &str, name: &str, value: &Value) -> bool {
        let strings = |value: &Value| {
            value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_string))
        };
        match (place, name) {
            ("", "timestamp" | "in_iface" | "event_type" | "src_ip" | "dest_ip" | "proto") => {
                value.is_string()
            }
            ("", "community_id" | "app_proto") => value.is_string(),
            ("", "flow_id" | "parent_id" | "src_port" | "dest_port" | "tx_id") => value.is_u64(),
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
                    assert_eq!(record["event_type"], name.as_str());
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
        assert_eq!(
            (&retr["command_data"], &retr["completion_code"]),
            (&json!("a.txt"), &json!(["150", "226"]))
        );
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
        assert_eq!(
            (&file["src_port"], &file["dest_port"]),
            (&json!(26758), &json!(58985)),
            "the server sent it"
        );
        assert_eq!((&file["fileinfo"]["size"], &file["fileinfo"]["state"]), (&json!(77), &json!("CLOSED")));
        assert_eq!(file["flow_id"], data["flow_id"]);
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
}
