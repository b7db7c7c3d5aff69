//! Events made by hand, for tests: a session that logs in, downloads a file and is refused another.

use std::sync::Arc;

use ftpmon_event::addr::Endpoint;
use ftpmon_event::link::{InterfaceId, VlanTags};
use ftpmon_event::text::Text;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{
    AlertDetail, ClosedBy, Command, CommandLine, CommandRef, Confidence, ConfigChange, ConfigDetail,
    ConfigOutcome, ConfigReload, DataAnnouncement, DataChannel, DataConnection, DataTls, DropDetail,
    DropReason, Dropped, End, EndReason, Event, EventKind, Evidence, FileDirection, FileFacts, FoundBy,
    LocalProcess, Mode, Nat, Origin, Outcome, Reply, ReplyClass, ReplyLine, RepresentationType, RunId,
    SessionEnd, SessionIdentity, Transfer, TransferFacts, Via,
};

pub(crate) fn endpoint(text: &str) -> Endpoint {
    let socket: std::net::SocketAddr = text.parse().unwrap();
    Endpoint::new(socket.ip(), socket.port())
}

pub(crate) fn identity(id: &str) -> Arc<SessionIdentity> {
    let mut vlan = VlanTags::default();
    vlan.push(100);
    let (client, server) = (endpoint("192.168.1.106:57658"), endpoint("192.168.1.109:21"));
    let first = Timestamp::from_parts(1_700_000_000, 0);
    let mut identity = SessionIdentity::new(client, server, first, InterfaceId(2)).with_id(id);
    (identity.iface, identity.vlan) = (Some("eth0".into()), vlan);
    Arc::new(identity)
}

pub(crate) fn origin(sensor: &str) -> Origin {
    Origin { run: RunId(0xfeed), sensor: sensor.to_owned() }
}

/// An event of a session, `millis` after its begin.
pub(crate) fn event(session: &Arc<SessionIdentity>, millis: i64, kind: EventKind) -> Event {
    let ts = Timestamp::from_parts(1_700_000_000, millis * 1_000_000);
    let user = Some(Arc::new(Text::from_bytes(b"joe")));
    Event { ts, session: Some(Arc::clone(session)), user, kind }
}

pub(crate) fn command(tx: u64, verb: &str, arg: Option<&str>) -> EventKind {
    EventKind::Command(Command {
        tx,
        command: CommandLine {
            verb: verb.into(),
            arg: arg.map(Into::into),
            arg_hex: None,
            truncated: false,
            malformed: false,
        },
    })
}

pub(crate) fn reply(tx: u64, code: u16, text: &str, asked: Option<(&str, Option<&str>)>) -> EventKind {
    let class = match code / 100 {
        1 => ReplyClass::Preliminary,
        2 => ReplyClass::Completion,
        3 => ReplyClass::Intermediate,
        4 => ReplyClass::TransientError,
        _ => ReplyClass::PermanentError,
    };
    EventKind::Reply(Reply {
        tx,
        reply: ReplyLine {
            code: Some(code),
            text: text.into(),
            text_hex: None,
            lines: 1,
            class: Some(class),
            category: None,
            is_final: code >= 200,
            truncated: false,
            malformed: false,
        },
        command: asked.map(|(verb, arg)| CommandRef { verb: verb.into(), arg: arg.map(Into::into) }),
        latency_us: Some(250),
    })
}

fn announcement() -> DataAnnouncement {
    DataAnnouncement {
        mode: Some(Mode::Passive),
        via: Via::Pasv,
        ip: endpoint("192.168.1.109:0").ip,
        port: 26758,
        advertised_ip: Some(endpoint("10.0.0.9:0").ip),
        nat: Nat::Private,
    }
}

pub(crate) fn data_channel(tx: u64) -> EventKind {
    EventKind::DataChannel(DataChannel { tx, data: announcement() })
}

pub(crate) fn transfer(tx: u64) -> EventKind {
    EventKind::Transfer(Box::new(Transfer {
        tx,
        transfer: TransferFacts {
            verb: Some("RETR".into()),
            direction: Some(FileDirection::Download),
            arg: Some("a.txt".into()),
            path: Some("/pub/a.txt".into()),
            path_hex: None,
            offset: 0,
            representation: Some(RepresentationType::Image),
            declared_bytes: Some(77),
            bytes: 77,
            rate_bps: Some(616),
            outcome: Outcome::Complete,
            reason: None,
            code: Some(226),
        },
        data: Some(DataConnection {
            announced: announcement(),
            initiator: Some(endpoint("192.168.1.106:58985")),
            listener: Some(endpoint("192.168.1.109:26758")),
            bytes_from_client: 0,
            bytes_from_server: 77,
            gap_bytes: 0,
            retransmitted_bytes: 0,
            handshake: None,
            handshake_us: Some(300),
            duration_us: Some(1_000_001),
            closed_by: Some(ClosedBy::Server),
            tls: false,
            tls_facts: DataTls::default(),
        }),
        client_process: None,
        server_process: None,
        file: Some(FileFacts {
            sha256: Some("ab".repeat(32).into()),
            size: 77,
            mime: Some("text/plain".into()),
            complete: true,
            ..FileFacts::default()
        }),
    }))
}

pub(crate) fn session_end() -> EventKind {
    EventKind::SessionEnd(SessionEnd {
        end: End {
            reason: EndReason::Fin,
            closed_by: Some(ClosedBy::Client),
            duration_ms: 70,
            commands: 7,
            replies: 8,
            logins: 1,
            failed_logins: 0,
            transfers: 1,
            bytes_up: 0,
            bytes_down: 77,
            gaps: 0,
            tiny_segments: None,
        },
    })
}

pub(crate) fn alert() -> AlertDetail {
    AlertDetail {
        id: "bounce".into(),
        severity: 3,
        title: "FTP bounce".into(),
        message: "x".into(),
        technique: Some("T1090".into()),
        confidence: Confidence::High,
        suppressed: 2,
        evidence: Evidence {
            sessions: vec!["0123456789abcdef".into()],
            tx: vec![4],
            counts: [("ports".into(), 3)].into(),
            first: Timestamp::from_parts(1_700_000_000, 0),
            last: Timestamp::from_parts(1_700_000_001, 0),
            examples: vec!["PORT 10,0,0,9,0,22".into()],
        },
        geo: None,
    }
}

pub(crate) fn dropped() -> Dropped {
    let reason = DropReason::QueueFull;
    Dropped {
        drop: DropDetail {
            output: "tcp:192.0.2.1:514".into(),
            from_seq: 5,
            to_seq: 9,
            count: 5,
            reason,
            run: None,
        },
    }
}

pub(crate) fn reload() -> ConfigReload {
    let change = ConfigChange { name: "ports.control".into(), old: "[21]".into(), new: "[21,2121]".into() };
    let reason = Some("files.policy needs a restart".into());
    let detail = ConfigDetail { outcome: ConfigOutcome::Refused, changes: vec![change], reason };
    ConfigReload { config: detail }
}

/// The whole session.
pub(crate) fn session() -> Vec<Event> {
    let id = identity("0123456789abcdef");
    let pasv = "Entering Passive Mode (10,0,0,9,104,134).";
    let kinds = [
        reply(0, 220, "Welcome\nto\nFTP", None),
        command(1, "USER", Some("joe")),
        reply(1, 331, "Password?", Some(("USER", Some("joe")))),
        command(2, "PASS", Some("***")),
        reply(2, 230, "In.", Some(("PASS", Some("***")))),
        command(3, "CWD", Some("/pub")),
        reply(3, 250, "Done.", Some(("CWD", Some("/pub")))),
        command(4, "PASV", None),
        reply(4, 227, pasv, Some(("PASV", None))),
        data_channel(4),
        command(5, "RETR", Some("a.txt")),
        reply(5, 150, "Opening (77 bytes).", Some(("RETR", Some("a.txt")))),
        reply(5, 226, "Done.", Some(("RETR", Some("a.txt")))),
        transfer(5),
        command(6, "DELE", Some("b")),
        reply(6, 550, "No.", Some(("DELE", Some("b")))),
        command(7, "QUIT", None),
        session_end(),
    ];
    (0..).zip(kinds).map(|(at, kind)| event(&id, at * 10, kind)).collect()
}

pub(crate) fn process(name: &str, container: Option<&str>) -> Arc<LocalProcess> {
    Arc::new(LocalProcess {
        pid: 4711,
        name: Some(name.into()),
        exe: Some(format!("/usr/sbin/{name}")),
        uid: Some(1000),
        user: Some("joe".into()),
        cgroup: Some("/system.slice/ftp.service".into()),
        container: container.map(Into::into),
        found_by: FoundBy::Connection,
    })
}
