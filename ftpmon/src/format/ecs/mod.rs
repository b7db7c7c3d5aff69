//! The Elastic Common Schema: one document an event. What it has no field for stands below `ftpmon` as ftpmon's own
//! schema has it.

mod document;

use std::net::IpAddr;

use self::document::{
    Container, Document, ECS_VERSION, Ecs as EcsFields, EventFields, FileFields, Hash, Ingress, Inner, Named,
    Network, Observer, OwnFields, Party, ProcessFields, ProcessUser, Related, Rule, Technique, Threat,
    TlsClient, TlsFields, Vlan,
};
use super::formatter::Formatter;
use super::json::value;
use ftpmon_event::time::Rfc3339;
use ftpmon_event::{
    ConfigOutcome, DataConnection, Event, EventKind, FileDirection, FileFacts, LocalProcess, LoginOutcome,
    Origin, Outcome, ReplyClass, RunId, SessionIdentity, Tls, TlsTurn, Transfer,
};

/// Writes documents of the Elastic Common Schema.
pub struct Ecs {
    clock: Rfc3339,
    origin: Origin,
}

impl Ecs {
    /// A writer of the events of `origin`.
    pub fn new(origin: &Origin) -> Self {
        Self { clock: Rfc3339::default(), origin: origin.clone() }
    }
}

impl Formatter for Ecs {
    fn event(&mut self, seq: u64, event: &Event, out: &mut Vec<u8>) {
        self.clock.set(event.ts);
        let identity = event.session.as_deref();
        let user = event.user.as_deref().map(|user| user.text.as_str());
        let (transfer, data) = match &event.kind {
            EventKind::Transfer(transfer) => (Some(&**transfer), transfer.data.as_ref()),
            _ => (None, None),
        };
        let file = transfer.and_then(file);
        let hash = file.as_ref().and_then(|file| file.hash.as_ref()).map(hashes);
        let process = process(&event.kind);
        let message = match &event.kind {
            EventKind::Alert(alert) => Some(alert.alert.message.as_str()),
            EventKind::Anomaly(anomaly) => Some(anomaly.anomaly.detail.as_str()),
            _ => None,
        };
        let document = Document {
            timestamp: self.clock.as_str(),
            ecs: EcsFields { version: ECS_VERSION },
            event: event_fields(self.origin.run, seq, event),
            message,
            observer: Observer {
                name: &self.origin.sensor,
                product: "ftpmon",
                kind: "sensor",
                version: env!("CARGO_PKG_VERSION"),
                ingress: identity
                    .and_then(|identity| identity.iface.as_deref())
                    .map(|name| Ingress { interface: Named { name } }),
            },
            network: identity.map(|identity| network(identity, data)),
            source: identity.map(|identity| Party {
                address: identity.client.ip,
                ip: identity.client.ip,
                port: identity.client.port,
                bytes: data.map(|data| data.bytes_from_client),
            }),
            destination: identity.map(|identity| Party {
                address: identity.server.ip,
                ip: identity.server.ip,
                port: identity.server.port,
                bytes: data.map(|data| data.bytes_from_server),
            }),
            user: user.map(|name| Named { name }),
            file,
            tls: match &event.kind {
                EventKind::Tls(tls) => Some(tls_fields(tls)),
                _ => None,
            },
            process: process.map(process_fields),
            container: process.and_then(|process| process.container.as_deref()).map(|id| Container { id }),
            rule: match &event.kind {
                EventKind::Alert(alert) => Some(Rule { id: &alert.alert.id, name: &alert.alert.title }),
                _ => None,
            },
            threat: match &event.kind {
                EventKind::Alert(alert) => alert.alert.technique.as_deref(),
                _ => None,
            }
            .map(|id| Threat { technique: Technique { id: [id] } }),
            related: identity.map(|identity| Related {
                ip: related(identity, event),
                user: user.map(|user| [user]),
                hash,
            }),
            ftpmon: OwnFields {
                run: self.origin.run,
                session: identity.map(SessionIdentity::id),
                kind: &event.kind,
            },
        };
        value(&document, out);
        out.push(b'\n');
    }
}

fn event_fields(run: RunId, seq: u64, event: &Event) -> EventFields<'_> {
    let name = event.kind.name();
    let mut fields = EventFields {
        kind: "event",
        category: &["network"],
        types: &["protocol", "info"],
        action: name,
        module: "ftpmon",
        dataset: format!("ftpmon.{name}"),
        sequence: seq,
        id: format!("{run}-{seq}"),
        outcome: None,
        code: None,
        duration: None,
        severity: None,
        reason: None,
    };
    match &event.kind {
        EventKind::SensorStart(_) => (fields.category, fields.types) = (&["process"], &["start"]),
        EventKind::Stats(_) => {
            fields.kind = "metric";
            (fields.category, fields.types) = (&["process"], &["info"]);
        }
        EventKind::SensorStop(stop) => {
            (fields.category, fields.types) = (&["process"], &["end"]);
            fields.reason = Some(stop.reason.as_str());
        }
        EventKind::Drop(_) => (fields.category, fields.types) = (&["process"], &["info"]),
        EventKind::Config(reload) => {
            (fields.category, fields.types) = (&["configuration"], &["change"]);
            fields.reason = reload.config.reason.as_deref();
            fields.outcome = Some(match reload.config.outcome {
                ConfigOutcome::Applied => "success",
                ConfigOutcome::Refused => "failure",
            });
        }
        EventKind::SessionStart(_) => {
            (fields.category, fields.types) = (&["network", "session"], &["connection", "start"]);
        }
        EventKind::Command(command) => fields.action = &command.command.verb,
        EventKind::Reply(reply) => {
            fields.action = reply.command.as_ref().map_or(name, |command| &command.verb);
            fields.code = reply.reply.code.map(|code| format!("{code:03}"));
            fields.duration = reply.latency_us.map(|micros| micros.saturating_mul(1_000));
            fields.outcome = match reply.reply.class {
                Some(ReplyClass::Completion) => Some("success"),
                Some(ReplyClass::TransientError | ReplyClass::PermanentError) => Some("failure"),
                _ => None,
            };
        }
        EventKind::Login(login) => {
            (fields.category, fields.types) = (&["authentication"], &["start"]);
            fields.code = login.login.code.map(|code| format!("{code:03}"));
            fields.outcome = Some(match login.login.outcome {
                LoginOutcome::Success => "success",
                LoginOutcome::Failure => "failure",
                LoginOutcome::Abandoned => "unknown",
            });
        }
        EventKind::Transfer(transfer) => {
            let facts = &transfer.transfer;
            fields.category = &["network", "file"];
            fields.types = match facts.direction {
                Some(FileDirection::Upload) => &["connection", "end", "creation"],
                _ => &["connection", "end", "access"],
            };
            fields.action = facts.verb.as_deref().unwrap_or(name);
            fields.code = facts.code.map(|code| format!("{code:03}"));
            fields.outcome = Some(match facts.outcome {
                Outcome::Complete => "success",
                Outcome::Unknown => "unknown",
                // The server reports success, and no data connection was seen to confirm it.
                Outcome::NoData if facts.code.is_some_and(|code| code / 100 == 2) => "unknown",
                _ => "failure",
            });
            let duration = transfer.data.as_ref().and_then(|data| data.duration_us);
            fields.duration = duration.map(|micros| micros.saturating_mul(1_000));
        }
        EventKind::Alert(alert) => {
            fields.kind = "alert";
            (fields.category, fields.types) = (&["intrusion_detection", "network"], &["info"]);
            fields.action = &alert.alert.id;
            fields.severity = Some(alert.alert.severity);
        }
        EventKind::SessionEnd(end) => {
            (fields.category, fields.types) = (&["network", "session"], &["connection", "end"]);
            fields.duration = Some(end.end.duration_ms.saturating_mul(1_000_000));
            fields.reason = Some(end.end.reason.as_str());
        }
        EventKind::Tls(_) | EventKind::DataChannel(_) | EventKind::Gap(_) | EventKind::Anomaly(_) => {}
    }
    fields
}

fn network<'a>(identity: &'a SessionIdentity, data: Option<&DataConnection>) -> Network<'a> {
    let mut tags = identity.vlan.as_slice().iter().map(|id| Vlan { id: id.to_string() });
    Network {
        transport: "tcp",
        protocol: "ftp",
        kind: if identity.client.ip.is_ipv4() { "ipv4" } else { "ipv6" },
        community_id: identity.community_id(),
        bytes: data.map(|data| data.bytes_from_client.saturating_add(data.bytes_from_server)),
        vlan: tags.next(),
        inner: tags.next().map(|vlan| Inner { vlan }),
    }
}

fn file(transfer: &Transfer) -> Option<FileFields<'_>> {
    let facts = &transfer.transfer;
    let path = facts.path.as_deref();
    let named = path.or(facts.arg.as_deref()).filter(|name| !name.is_empty())?;
    if facts.direction == Some(FileDirection::Listing) {
        return Some(FileFields { path, ..FileFields::default() });
    }
    let file = transfer.file.as_ref();
    Some(FileFields {
        name: named.rsplit('/').next(),
        path,
        size: facts.declared_bytes.or((facts.outcome == Outcome::Complete).then_some(facts.bytes)),
        mime_type: file.and_then(|file| file.mime.as_deref()),
        hash: file.and_then(hash),
    })
}

fn hash(file: &FileFacts) -> Option<Hash<'_>> {
    let hash = Hash { sha256: file.sha256.as_deref(), sha1: file.sha1.as_deref(), md5: file.md5.as_deref() };
    (!hashes(&hash).is_empty()).then_some(hash)
}

fn hashes<'a>(hash: &Hash<'a>) -> Vec<&'a str> {
    [hash.sha256, hash.sha1, hash.md5].into_iter().flatten().collect()
}

fn tls_fields(tls: &Tls) -> TlsFields<'_> {
    let version = tls.tls.version.as_deref();
    TlsFields {
        established: tls.tls.state == TlsTurn::Start,
        version: version.map(|version| version.trim_start_matches(|c: char| !c.is_ascii_digit())),
        version_protocol: version.map(|version| if version.starts_with("SSL") { "ssl" } else { "tls" }),
        cipher: tls.tls.cipher.as_deref(),
        client: tls.tls.sni.as_ref().map(|server_name| TlsClient { server_name }),
    }
}

/// The process of this host that the event is about: the server's, where both are here.
fn process(kind: &EventKind) -> Option<&LocalProcess> {
    let (client, server) = match kind {
        EventKind::SessionStart(start) => (&start.client_process, &start.server_process),
        EventKind::Transfer(transfer) => (&transfer.client_process, &transfer.server_process),
        _ => return None,
    };
    server.as_deref().or(client.as_deref())
}

fn process_fields(process: &LocalProcess) -> ProcessFields<'_> {
    ProcessFields {
        pid: process.pid,
        name: process.name.as_deref(),
        executable: process.exe.as_deref(),
        user: ProcessUser { id: process.uid.map(|uid| uid.to_string()), name: process.user.as_deref() },
    }
}

/// Every address that the event names.
fn related(identity: &SessionIdentity, event: &Event) -> Vec<IpAddr> {
    let announced = match &event.kind {
        EventKind::DataChannel(channel) => Some(&channel.data),
        EventKind::Transfer(transfer) => transfer.data.as_ref().map(|data| &data.announced),
        _ => None,
    };
    let mut ips = vec![identity.client.ip, identity.server.ip];
    for ip in announced.into_iter().flat_map(|data| [Some(data.ip), data.advertised_ip]).flatten() {
        if !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    ips.dedup();
    ips
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::format::sample::{self, event, identity, process, reply, session, transfer};
    use ftpmon_event::Alert;

    fn document(event: &Event) -> Value {
        let mut out = Vec::new();
        Ecs::new(&sample::origin("sensor-1")).event(7, event, &mut out);
        assert_eq!(out.pop(), Some(b'\n'));
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn every_document_has_the_categorization_fields() {
        for event in session() {
            let document = document(&event);
            for field in ["kind", "category", "type", "action", "dataset"] {
                assert!(document["event"].get(field).is_some(), "{field}");
            }
            assert_eq!(document["observer"]["name"], "sensor-1");
            assert_eq!(document["event"]["sequence"], 7);
            assert_eq!(document["event"]["id"], "000000000000feed-7");
            assert_eq!(document["ftpmon"]["session"], "0123456789abcdef");
            assert_eq!(document["network"]["vlan"]["id"], "100");
            assert_eq!(document["source"]["ip"], "192.168.1.106");
            assert_eq!(document["user"]["name"], "joe");
        }
    }

    #[test]
    fn a_reply_has_an_outcome() {
        let id = identity("s");
        let document = document(&event(&id, 0, reply(3, 550, "No.", Some(("DELE", Some("b"))))));
        assert_eq!(document["event"]["action"], "DELE");
        assert_eq!(
            (&document["event"]["outcome"], &document["event"]["code"]),
            (&json!("failure"), &json!("550"))
        );
        assert_eq!(document["event"]["duration"], 250_000);
        assert_eq!(document["ftpmon"]["reply"]["text"], "No.");
        assert_eq!(document["@timestamp"], "2023-11-14T22:13:20.000000000Z");
    }

    #[test]
    fn a_transfer_has_a_file() {
        let document = document(&event(&identity("s"), 0, transfer(5)));
        assert_eq!(document["event"]["category"], json!(["network", "file"]));
        assert_eq!(document["file"]["name"], "a.txt");
        assert_eq!(document["file"]["hash"]["sha256"], document["related"]["hash"][0]);
        assert_eq!(
            (&document["destination"]["bytes"], &document["network"]["bytes"]),
            (&json!(77), &json!(77))
        );
        assert_eq!(document["related"]["ip"], json!(["192.168.1.106", "192.168.1.109", "10.0.0.9"]));
    }

    #[test]
    fn success_without_a_data_connection_is_unknown() {
        for (code, expected) in [(Some(226), "unknown"), (Some(250), "unknown"), (None, "failure")] {
            let EventKind::Transfer(mut told) = transfer(5) else { panic!("not a transfer") };
            (told.transfer.outcome, told.transfer.code) = (Outcome::NoData, code);
            let document = document(&event(&identity("s"), 0, EventKind::Transfer(told)));
            assert_eq!(document["event"]["outcome"], expected, "{code:?}");
        }
    }

    #[test]
    fn an_alert_names_its_rule_and_technique() {
        let alert = EventKind::Alert(Box::new(Alert { alert: sample::alert() }));
        let document = document(&event(&identity("s"), 0, alert));
        assert_eq!(document["rule"], json!({ "id": "bounce", "name": "FTP bounce" }));
        assert_eq!(document["threat"]["technique"]["id"], json!(["T1090"]));
        assert_eq!(document["ftpmon"]["alert"]["evidence"]["counts"], json!({ "ports": 3 }));
    }

    #[test]
    fn a_process_of_this_host_has_its_fields() {
        let EventKind::Transfer(mut facts) = transfer(5) else { panic!("not a transfer") };
        facts.client_process = Some(process("curl", None));
        let got = document(&event(&identity("s"), 0, EventKind::Transfer(facts.clone())));
        assert_eq!(
            (&got["process"]["name"], &got["process"]["user"]["id"]),
            (&json!("curl"), &json!("1000"))
        );
        assert!(got.get("container").is_none());
        facts.server_process = Some(process("vsftpd", Some("c0ffee")));
        let got = document(&event(&identity("s"), 0, EventKind::Transfer(facts)));
        assert_eq!((&got["process"]["name"], &got["container"]["id"]), (&json!("vsftpd"), &json!("c0ffee")));
        assert_eq!(got["ftpmon"]["client_process"]["name"], "curl");
    }

    #[test]
    fn what_has_no_field_keeps_its_own() {
        let document = document(&event(&identity("s"), 0, transfer(5)));
        assert_eq!(document["ftpmon"]["data"]["nat"], "private");
        assert_eq!(document["ftpmon"]["tx"], 5);
    }
}
