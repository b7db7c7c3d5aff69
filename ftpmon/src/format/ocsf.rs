//! The Open Cybersecurity Schema Framework: FTP Activity for files, Authentication for logins, Detection Finding for alerts.

use serde_json::{Map, Value, json};

use super::Formatter;
use super::json::value;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::{
    AlertDetail, Event, EventKind, FileDirection, LoginAttempt, LoginOutcome, Mode, Origin, Outcome, Reply,
    Transfer,
};

const VERSION: &str = "1.8.0";
/// IANA's number of TCP.
const TCP: u8 = 6;

/// Classes by their numbers.
const FTP_ACTIVITY: u32 = 4008;
const AUTHENTICATION: u32 = 3002;
const DETECTION_FINDING: u32 = 2004;
/// Activities of the class FTP Activity.
const PUT: u32 = 1;
const GET: u32 = 2;
const DELETE: u32 = 4;
const RENAME: u32 = 5;
const LIST: u32 = 6;
/// The only activity of the other classes that is used: Logon, and Create.
const FIRST: u32 = 1;
/// The reply to a DELE or RNTO that did it (RFC 959 section 5.4).
const DONE: u16 = 250;
/// `SHA-256` among the algorithms of fingerprints.
const SHA_256: u32 = 3;
const REGULAR_FILE: u32 = 1;
const FOLDER: u32 = 2;

/// Writes OCSF.
pub struct Ocsf {
    origin: Origin,
}

impl Ocsf {
    /// A writer of the events of `origin`.
    pub fn new(origin: &Origin) -> Self {
        Self { origin: origin.clone() }
    }
}

impl Formatter for Ocsf {
    fn event(&mut self, seq: u64, event: &Event, out: &mut Vec<u8>) {
        let fields = match &event.kind {
            EventKind::Transfer(transfer) => of_transfer(event, transfer),
            EventKind::Reply(reply) => of_reply(event, reply),
            EventKind::Login(login) => Some(of_login(event, &login.login)),
            EventKind::Alert(alert) => Some(of_alert(event, &alert.alert)),
            _ => None,
        };
        let Some(mut fields) = fields else { return };
        let mut metadata = json!({
            "version": VERSION,
            "product": {"name": "ftpmon", "vendor_name": "ftpmon", "version": env!("CARGO_PKG_VERSION")},
            "log_provider": self.origin.sensor,
            "sequence": seq,
            "uid": format!("{}-{seq}", self.origin.run),
        });
        if let (Some(session), Value::Object(metadata)) = (event.session.as_deref(), &mut metadata) {
            metadata.insert("correlation_uid".to_owned(), session.id().into());
        }
        fields.insert("metadata".to_owned(), metadata);
        value(&fields, out);
        out.push(b'\n');
    }
}

/// The fields that all classes have.
fn base(event: &Event, class: u32, activity: u32, severity: u32) -> Map<String, Value> {
    let mut fields = Map::new();
    let numbers = [
        ("category_uid", class / 1000),
        ("class_uid", class),
        ("activity_id", activity),
        ("type_uid", class * 100 + activity),
        ("severity_id", severity),
    ];
    fields.extend(numbers.map(|(name, number)| (name.to_owned(), number.into())));
    fields.insert("time".to_owned(), event.ts.millis().into());
    if let Some(session) = event.session.as_deref() {
        fields.insert("src_endpoint".to_owned(), endpoint(session.client));
        fields.insert("dst_endpoint".to_owned(), endpoint(session.server));
    }
    fields
}

fn endpoint(Endpoint { ip, port }: Endpoint) -> Value {
    json!({"ip": ip.to_string(), "port": port})
}

/// The fields of FTP Activity.
fn activity(event: &Event, activity: u32, code: Option<u16>, success: Option<bool>) -> Map<String, Value> {
    let mut fields = base(event, FTP_ACTIVITY, activity, 1);
    if let Some(session) = event.session.as_deref() {
        let connection = json!({
            "protocol_num": TCP,
            "protocol_name": "tcp",
            "direction_id": 0,
            "community_uid": session.community_id(),
        });
        fields.insert("connection_info".to_owned(), connection);
    }
    if let Some(user) = event.user.as_deref() {
        fields.insert("actor".to_owned(), json!({"user": {"name": user.text}}));
    }
    fields.extend(code.map(|code| ("codes".to_owned(), json!([code]))));
    fields.insert("status_id".to_owned(), status(success));
    fields
}

fn text(value: &impl AsRef<str>) -> Value {
    value.as_ref().into()
}

fn status(success: Option<bool>) -> Value {
    match success {
        Some(true) => 1,
        Some(false) => 2,
        None => 0,
    }
    .into()
}

fn of_transfer(event: &Event, transfer: &Transfer) -> Option<Map<String, Value>> {
    let facts = &transfer.transfer;
    let (number, kind) = match facts.direction? {
        FileDirection::Upload => (PUT, REGULAR_FILE),
        FileDirection::Download => (GET, REGULAR_FILE),
        FileDirection::Listing => (LIST, FOLDER),
    };
    let success = match facts.outcome {
        Outcome::Complete => Some(true),
        Outcome::Unknown | Outcome::NoData => None,
        _ => Some(false),
    };
    let mut fields = activity(event, number, facts.code, success);
    if let Some(verb) = &facts.verb {
        fields.insert("command".to_owned(), text(verb));
    }
    if let Some(path) = facts.path.as_deref().or(facts.arg.as_deref()) {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let mut file = json!({"name": name, "path": path, "type_id": kind, "size": facts.bytes});
        if let (Some(hash), Value::Object(file)) =
            (transfer.file.as_ref().and_then(|file| file.sha256.as_deref()), &mut file)
        {
            file.insert("hashes".to_owned(), json!([{"algorithm_id": SHA_256, "value": hash}]));
        }
        fields.insert("name".to_owned(), name.into());
        fields.insert("file".to_owned(), file);
    }
    if let Some(data) = &transfer.data {
        fields.insert("port".to_owned(), data.announced.port.into());
        let mode = data.announced.mode.map(|mode| match mode {
            Mode::Passive => "passive",
            Mode::Active => "active",
        });
        fields.extend(mode.map(|mode| ("type".to_owned(), mode.into())));
        let traffic = json!({
            "bytes_out": data.bytes_from_client,
            "bytes_in": data.bytes_from_server,
            "bytes": data.bytes_from_client.saturating_add(data.bytes_from_server),
        });
        fields.insert("traffic".to_owned(), traffic);
    }
    Some(fields)
}

/// A file that was deleted or renamed.
fn of_reply(event: &Event, reply: &Reply) -> Option<Map<String, Value>> {
    let command = reply.command.as_ref().filter(|_| reply.reply.code == Some(DONE))?;
    let number = match &command.verb {
        verb if *verb == "DELE" => DELETE,
        verb if *verb == "RNTO" => RENAME,
        _ => return None,
    };
    let path = command.arg.as_deref()?;
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let mut fields = activity(event, number, reply.reply.code, Some(true));
    fields.insert("command".to_owned(), text(&command.verb));
    fields.insert("command_responses".to_owned(), json!([reply.reply.text]));
    fields.insert("name".to_owned(), name.into());
    fields.insert("file".to_owned(), json!({"name": name, "path": path, "type_id": REGULAR_FILE}));
    Some(fields)
}

fn of_login(event: &Event, login: &LoginAttempt) -> Map<String, Value> {
    let success = match login.outcome {
        LoginOutcome::Success => Some(true),
        LoginOutcome::Failure => Some(false),
        LoginOutcome::Abandoned => None,
    };
    let mut fields = base(event, AUTHENTICATION, FIRST, if success == Some(false) { 2 } else { 1 });
    let name = login.user.as_deref().or(event.user.as_deref().map(|user| user.text.as_str()));
    fields.insert("user".to_owned(), json!({"name": name.unwrap_or_default()}));
    fields.insert("is_cleartext".to_owned(), (!login.encrypted).into());
    fields.insert("is_remote".to_owned(), true.into());
    fields.insert("status_id".to_owned(), status(success));
    fields.extend(login.code.map(|code| ("status_code".to_owned(), code.to_string().into())));
    if let Some(session) = event.session.as_deref() {
        fields.insert("session".to_owned(), json!({"uid": session.id()}));
    }
    fields
}

fn of_alert(event: &Event, alert: &AlertDetail) -> Map<String, Value> {
    let mut fields = base(event, DETECTION_FINDING, FIRST, u32::from(alert.severity.clamp(1, 4)) + 1);
    let mut finding = json!({"uid": alert.id, "title": alert.title, "desc": alert.message});
    if let (Some(technique), Value::Object(finding)) = (&alert.technique, &mut finding) {
        finding.insert("attacks".to_owned(), json!([{"technique": {"uid": technique}}]));
    }
    fields.insert("finding_info".to_owned(), finding);
    fields.insert("count".to_owned(), alert.suppressed.saturating_add(1).into());
    fields.insert("message".to_owned(), alert.message.as_str().into());
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn document(kind: EventKind) -> Value {
        let mut out = Vec::new();
        Ocsf::new(&sample::origin("s")).event(7, &sample::event(&sample::identity("s"), 0, kind), &mut out);
        serde_json::from_slice(&out).unwrap_or_default()
    }

    #[test]
    fn a_download_is_an_ftp_activity() {
        let document = document(sample::transfer(1));
        let number = |name: &str| document[name].as_u64().unwrap();
        assert_eq!(
            ["category_uid", "class_uid", "activity_id", "type_uid"].map(number),
            [4, 4008, 2, 400_802]
        );
        assert_eq!(document["file"]["hashes"][0]["algorithm_id"], 3);
        assert_eq!((&document["codes"][0], &document["type"]), (&json!(226), &json!("passive")));
        assert_eq!(document["metadata"]["sequence"], 7);
        assert_eq!(document["time"], 1_700_000_000_000_i64);
    }

    #[test]
    fn other_events_have_their_classes_or_none() {
        let deleted = document(sample::reply(1, 250, "Gone.", Some(("DELE", Some("a")))));
        assert_eq!(deleted["type_uid"], 400_804);
        let alert = document(EventKind::Alert(Box::new(ftpmon_event::Alert { alert: sample::alert() })));
        assert_eq!((&alert["class_uid"], &alert["severity_id"]), (&json!(2004), &json!(4)));
        assert_eq!(document(sample::command(1, "NOOP", None)), Value::Null);
    }
}
