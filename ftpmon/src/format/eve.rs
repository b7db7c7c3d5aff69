//! Suricata's EVE: `ftp` (a command with all its replies), `ftp_data` (a data connection), `fileinfo` (a file that went
//! over it), `alert` and `stats`, in the names and types of its schema. `docs/formats.md` says what is different.

mod alert;

use std::net::IpAddr;

use serde::Serialize;

use self::alert::AlertBody;
use super::formatter::Formatter;
use super::json::value;
use super::transaction::{Row, Transaction, Transactions};
use ftpmon_core::ftp::Verb;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::{Rfc3339, Timestamp};
use ftpmon_event::{
    AlertDetail, DataConnection, Event, EventKind, FileDirection, Mode, Origin, Outcome, ReplyLine, RunId,
    SessionIdentity, Stats, Transfer,
};

/// The transaction of a data connection, which has one only.
const DATA_TX_ID: u64 = 0;

/// Writes EVE.
pub struct Eve {
    clock: Rfc3339,
    run: RunId,
    transactions: Transactions<()>,
}

impl Eve {
    /// A writer of the events of `origin`.
    pub fn new(origin: &Origin) -> Self {
        Self { clock: Rfc3339::default(), run: origin.run, transactions: Transactions::new(false) }
    }
}

impl Formatter for Eve {
    fn event(&mut self, seq: u64, event: &Event, out: &mut Vec<u8>) {
        let (clock, place) = (&mut self.clock, EventKey { seq, run: self.run });
        self.transactions.event(event, |row| ftp(clock, place, &row, out));
        match &event.kind {
            EventKind::Transfer(transfer) => {
                if let Some(identity) = &event.session {
                    data(clock, place, event.ts, identity, transfer, out);
                }
            }
            EventKind::Stats(stats) => {
                let stats = Some(StatsBody { uptime: stats.uptime_ms / 1_000, ftpmon: stats });
                own(clock, place, event, &OwnRecord { event_type: "stats", stats, ftpmon: None }, out);
            }
            EventKind::Alert(found) => {
                if let Some(identity) = &event.session {
                    alert(clock, place, event.ts, identity, &found.alert, out);
                }
            }
            EventKind::Drop(_) | EventKind::Config(_) => {
                let ftpmon = Some(OwnBody { event: event.kind.name(), kind: &event.kind });
                own(clock, place, event, &OwnRecord { event_type: "ftpmon", stats: None, ftpmon }, out);
            }
            _ => {}
        }
    }
}

/// The event that completed a record, in its run.
#[derive(Clone, Copy, Serialize)]
struct EventKey {
    seq: u64,
    run: RunId,
}

/// A record of what Suricata has no type for, and of the sensor's own counters.
#[derive(Serialize)]
struct OwnRecord<'a> {
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<StatsBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ftpmon: Option<OwnBody<'a>>,
}

#[derive(Serialize)]
struct StatsBody<'a> {
    /// Seconds.
    uptime: u64,
    ftpmon: &'a Stats,
}

/// An event as ftpmon's own schema has it.
#[derive(Serialize)]
struct OwnBody<'a> {
    event: &'static str,
    #[serde(flatten)]
    kind: &'a EventKind,
}

fn own(clock: &mut Rfc3339, place: EventKey, event: &Event, record: &OwnRecord<'_>, out: &mut Vec<u8>) {
    #[derive(Serialize)]
    struct Line<'a> {
        timestamp: &'a str,
        #[serde(flatten)]
        place: EventKey,
        #[serde(skip_serializing_if = "Option::is_none")]
        flow_id: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        community_id: Option<&'a str>,
        #[serde(flatten)]
        record: &'a OwnRecord<'a>,
    }
    let identity = event.session.as_deref();
    let line = Line {
        timestamp: &timestamp(clock, event.ts),
        place,
        flow_id: identity.map(flow_id),
        community_id: identity.map(SessionIdentity::community_id),
        record,
    };
    value(&line, out);
    out.push(b'\n');
}

/// The first fields of every record.
#[derive(Serialize)]
struct Header<'a> {
    timestamp: &'a str,
    #[serde(flatten)]
    place: EventKey,
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
    ip_v: u8,
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

#[derive(Clone, Copy, Serialize)]
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
struct EveRecord<'a> {
    #[serde(flatten)]
    header: Header<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ftp: Option<Ftp<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ftp_data: Option<FtpData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fileinfo: Option<FileInfo<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<AlertBody<'a>>,
}

impl<'a> EveRecord<'a> {
    const fn new(header: Header<'a>) -> Self {
        Self { header, ftp: None, ftp_data: None, fileinfo: None, alert: None }
    }

    fn write(&self, out: &mut Vec<u8>) {
        value(self, out);
        out.push(b'\n');
    }
}

fn ftp(clock: &mut Rfc3339, place: EventKey, row: &Row<'_, ()>, out: &mut Vec<u8>) {
    let Row { identity, transaction, .. } = row;
    let timestamp = timestamp(clock, transaction.ts);
    let header = Header { tx_id: Some(transaction.tx), ..of_session("ftp", &timestamp, place, identity) };
    EveRecord { ftp: Some(dialogue(transaction)), ..EveRecord::new(header) }.write(out);
}

fn alert(
    clock: &mut Rfc3339,
    place: EventKey,
    at: Timestamp,
    identity: &SessionIdentity,
    found: &AlertDetail,
    out: &mut Vec<u8>,
) {
    let timestamp = timestamp(clock, at);
    let header = Header { app_proto: Some("ftp"), ..of_session("alert", &timestamp, place, identity) };
    EveRecord { alert: Some(found.into()), ..EveRecord::new(header) }.write(out);
}

/// The header of a record about a control connection.
fn of_session<'a>(
    event_type: &'static str,
    timestamp: &'a str,
    place: EventKey,
    identity: &'a SessionIdentity,
) -> Header<'a> {
    Header {
        timestamp,
        place,
        flow_id: flow_id(identity),
        parent_id: None,
        in_iface: identity.iface.as_deref(),
        event_type,
        vlan: identity.vlan.as_slice(),
        src_ip: identity.client.ip,
        src_port: identity.client.port,
        dest_ip: identity.server.ip,
        dest_port: identity.server.port,
        proto: "TCP",
        ip_v: ip_version(identity.client.ip),
        tx_id: None,
        app_proto: None,
        community_id: Some(identity.community_id()),
    }
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
        dynamic_port: transaction.channel.as_ref().map(|channel| channel.port),
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

/// The records of a data connection; none if no connection was seen.
fn data(
    clock: &mut Rfc3339,
    place: EventKey,
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
        place,
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
        ip_v: ip_version(from.ip),
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
    EveRecord { ftp_data, ..EveRecord::new(header("ftp_data", initiator, listener)) }.write(out);
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
        tx_id: DATA_TX_ID,
    };
    let header = Header { app_proto: Some("ftp-data"), ..header("fileinfo", from, to) };
    EveRecord { ftp_data, fileinfo: Some(fileinfo), ..EveRecord::new(header) }.write(out);
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

const fn ip_version(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 4 } else { 6 }
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
mod tests;
