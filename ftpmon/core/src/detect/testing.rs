//! Events for the tests of detectors.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::entry::Entry;
use super::set::Detectors;
use crate::addr::Endpoint;
use crate::event::link::InterfaceId;
use crate::event::{
    AlertDetail, Anomaly, AnomalyDetail, AnomalyId, Command, CommandLine, CommandRef, DataAnnouncement,
    DataChannel, Event, EventKind, FileDirection, Login, LoginAttempt, LoginOutcome, Mode, Nat, Outcome,
    Reply, ReplyLine, SessionIdentity, Transfer, TransferFacts, Via,
};
use crate::time::Timestamp;

/// A session of the host 192.0.2.N with the server 192.0.2.1.
pub(super) struct Session {
    identity: Arc<SessionIdentity>,
    at: Timestamp,
}

impl Session {
    pub(super) fn new(host: u8) -> Self {
        let end = |last, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port);
        let first = Timestamp::from_nanos(i64::from(host));
        let identity = SessionIdentity::new(end(host, 40_000), end(1, 21), first, InterfaceId(0));
        Self { identity: Arc::new(identity), at: Timestamp::from_nanos(0) }
    }

    /// Its next event is at this second.
    pub(super) fn at(mut self, second: i64) -> Self {
        self.at = Timestamp::from_nanos(second * 1_000_000_000);
        self
    }

    fn event(self, kind: EventKind) -> Event {
        Event { ts: self.at, session: Some(self.identity), user: None, kind }
    }

    pub(super) fn command(self, verb: &str, arg: Option<&str>) -> Event {
        let command = CommandLine {
            verb: verb.into(),
            arg: arg.map(Into::into),
            arg_hex: None,
            truncated: false,
            malformed: false,
        };
        self.event(EventKind::Command(Command { tx: 1, command }))
    }

    pub(super) fn reply(self, command: (&str, Option<&str>), code: u16, text: &str) -> Event {
        self.reply_to(1, command, code, text)
    }

    pub(super) fn reply_to(self, tx: u64, (verb, arg): (&str, Option<&str>), code: u16, text: &str) -> Event {
        let reply = ReplyLine {
            code: Some(code),
            text: text.into(),
            text_hex: None,
            lines: 1,
            class: None,
            category: None,
            is_final: true,
            truncated: false,
            malformed: false,
        };
        let command = Some(CommandRef { verb: verb.into(), arg: arg.map(Into::into) });
        self.event(EventKind::Reply(Reply { tx, reply, command, latency_us: None }))
    }

    pub(super) fn login(self, user: &str, success: bool) -> Event {
        self.attempt(user, success, false)
    }

    pub(super) fn encrypted_login(self, user: &str) -> Event {
        self.attempt(user, true, true)
    }

    fn attempt(self, user: &str, success: bool, encrypted: bool) -> Event {
        let login = LoginAttempt {
            user: Some(user.into()),
            outcome: if success { LoginOutcome::Success } else { LoginOutcome::Failure },
            anonymous: user == "anonymous",
            secret: Some("***".into()),
            code: Some(if success { 230 } else { 530 }),
            encrypted,
        };
        self.event(EventKind::Login(Login { tx: 2, login }))
    }

    /// PORT.
    pub(super) fn active(self, tx: u64, ip: &str, port: u16) -> Event {
        self.announcement(tx, Via::Port, ip, port)
    }

    /// 227.
    pub(super) fn passive(self, tx: u64, ip: &str, port: u16) -> Event {
        self.announcement(tx, Via::Pasv, ip, port)
    }

    fn announcement(self, tx: u64, via: Via, ip: &str, port: u16) -> Event {
        let ip: IpAddr = ip.parse().unwrap();
        let own =
            if via.mode() == Some(Mode::Active) { self.identity.client.ip } else { self.identity.server.ip };
        let nat = match ip {
            ip if ip == own => Nat::None,
            IpAddr::V4(v4) if v4.is_private() => Nat::Private,
            _ => Nat::Mismatch,
        };
        let data = DataAnnouncement { mode: via.mode(), via, ip, port, advertised_ip: Some(ip), nat };
        self.event(EventKind::DataChannel(DataChannel { tx, data }))
    }

    pub(super) fn anomaly(self, id: AnomalyId, detail: &str) -> Event {
        let anomaly = AnomalyDetail { id, detail: detail.into(), repeated: None };
        self.event(EventKind::Anomaly(Anomaly { tx: Some(1), anomaly }))
    }

    /// A complete STOR.
    pub(super) fn upload(self, tx: u64, path: &str) -> Event {
        let transfer = TransferFacts {
            verb: Some("STOR".into()),
            direction: Some(FileDirection::Upload),
            arg: Some(path.into()),
            path: Some(path.into()),
            path_hex: None,
            offset: 0,
            representation: None,
            declared_bytes: None,
            bytes: 100,
            rate_bps: None,
            outcome: Outcome::Complete,
            reason: None,
            code: Some(226),
        };
        let transfer =
            Transfer { tx, transfer, data: None, file: None, client_process: None, server_process: None };
        self.event(EventKind::Transfer(Box::new(transfer)))
    }
}

/// The alerts of one detector, with its own threshold, about some events.
pub(super) fn alerts_of(entry: &'static Entry, events: &[Event]) -> Vec<AlertDetail> {
    let mut detectors = Detectors::start([(entry, entry.threshold)]);
    let mut found = Vec::new();
    for event in events {
        detectors.event(event);
        found.extend(core::iter::from_fn(|| detectors.pop()));
    }
    found
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::Alert(alert) => Some(alert.alert),
            _ => None,
        })
        .collect()
}
