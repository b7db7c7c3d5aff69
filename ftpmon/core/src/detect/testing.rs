//! Events for the tests of detectors.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::allow::Allowance;
use super::entry::Entry;
use super::set::Detectors;
use super::table::Fill;
use crate::addr::Endpoint;
use crate::event::link::InterfaceId;
use crate::event::text::Text;
use crate::event::{
    AlertDetail, Anomaly, AnomalyDetail, AnomalyId, Command, CommandLine, CommandRef, DataAnnouncement,
    DataChannel, DataConnection, DataTls, Direction, End, EndReason, Event, EventKind, FileDirection, Gap,
    GapCause, GapDetail, Login, LoginAttempt, LoginOutcome, Mode, Nat, Outcome, Reply, ReplyLine, SessionEnd,
    SessionIdentity, SessionStart, Tls, TlsState, TlsTurn, TlsVia, Transfer, TransferFacts, Via,
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

    /// A session of any two hosts, told apart from others by a number.
    pub(super) fn between(client: &str, server: &str, number: i64) -> Self {
        let end = |ip: &str, port| Endpoint::new(ip.parse().unwrap(), port);
        let (client, server) = (end(client, 40_000), end(server, 21));
        let identity = SessionIdentity::new(client, server, Timestamp::from_nanos(number), InterfaceId(0));
        Self { identity: Arc::new(identity), at: Timestamp::from_nanos(0) }
    }

    /// A session of a client with an address of its own for each number.
    pub(super) fn of_source(number: u32) -> Self {
        let client = Ipv4Addr::from(0x0a00_0000 + number).to_string();
        Self::between(&client, "192.0.2.1", number.into())
    }

    /// A session with a server with an address of its own for each number.
    pub(super) fn with_server(number: u32) -> Self {
        let server = Ipv4Addr::from(0x0a00_0000 + number).to_string();
        Self::between("192.0.2.9", &server, number.into())
    }

    /// The same with another port of the server.
    pub(super) fn with_port(self, port: u16) -> Self {
        let SessionIdentity { client, server, .. } = *self.identity;
        let server = Endpoint::new(server.ip, port);
        let identity = SessionIdentity::new(client, server, self.at, InterfaceId(0));
        Self { identity: Arc::new(identity), at: self.at }
    }

    /// Its next event is at this second.
    pub(super) fn at(mut self, second: i64) -> Self {
        self.at = Timestamp::from_nanos(second * 1_000_000_000);
        self
    }

    pub(super) fn start(self) -> Event {
        self.event(EventKind::SessionStart(SessionStart::default()))
    }

    pub(super) fn end(self, with: impl FnOnce(&mut End)) -> Event {
        let mut end = End {
            reason: EndReason::Fin,
            closed_by: None,
            duration_ms: 1_000,
            commands: 1,
            replies: 2,
            logins: 0,
            failed_logins: 0,
            transfers: 0,
            bytes_up: 0,
            bytes_down: 0,
            gaps: 0,
            tiny_segments: None,
        };
        with(&mut end);
        self.event(EventKind::SessionEnd(SessionEnd { end }))
    }

    pub(super) fn tls(self, with: impl FnOnce(&mut TlsState)) -> Event {
        let mut tls = TlsState {
            via: TlsVia::Auth,
            state: TlsTurn::Start,
            version: Some("TLSv1.3".into()),
            cipher: Some("TLS_AES_128_GCM_SHA256".into()),
            sni: None,
            alpn: Vec::new(),
            ja4: None,
        };
        with(&mut tls);
        self.event(EventKind::Tls(Tls { tls }))
    }

    pub(super) fn gap(self, cause: GapCause) -> Event {
        self.event(EventKind::Gap(Gap { gap: GapDetail { direction: Direction::Command, bytes: 9, cause } }))
    }

    /// The server's first reply, or another one that nobody asked for.
    pub(super) fn unasked(self, code: u16, text: &str) -> Event {
        let mut event = self.reply_to(0, ("", None), code, text);
        if let EventKind::Reply(reply) = &mut event.kind {
            reply.command = None;
        }
        event
    }

    /// A reply after so many microseconds.
    pub(super) fn reply_after(self, latency_us: u64, verb: &str) -> Event {
        let mut event = self.reply((verb, None), 250, "");
        if let EventKind::Reply(reply) = &mut event.kind {
            reply.latency_us = Some(latency_us);
        }
        event
    }

    /// A login whose secret is shown as its hash.
    pub(super) fn login_with(self, user: &str, secret: &str, success: bool) -> Event {
        let mut event = self.login(user, success);
        if let EventKind::Login(login) = &mut event.kind {
            login.login.secret = Some(secret.into());
        }
        event
    }

    /// A complete transfer, altered.
    pub(super) fn transfer(self, verb: &str, path: &str, with: impl FnOnce(&mut Transfer)) -> Event {
        let mut event = self.upload(1, path);
        if let EventKind::Transfer(transfer) = &mut event.kind {
            transfer.transfer.verb = Some(verb.into());
            transfer.transfer.direction = Some(match verb {
                "RETR" => FileDirection::Download,
                "LIST" | "NLST" | "MLSD" => FileDirection::Listing,
                _ => FileDirection::Upload,
            });
            with(transfer);
        }
        event
    }

    /// A complete transfer whose connection was announced.
    pub(super) fn data_connection(self, verb: &str, tls: bool) -> Event {
        let server = self.identity.server;
        self.transfer(verb, "/x", |transfer| {
            transfer.data = Some(DataConnection {
                announced: DataAnnouncement {
                    mode: Some(Mode::Passive),
                    via: Via::Pasv,
                    ip: server.ip,
                    port: 50_000,
                    advertised_ip: Some(server.ip),
                    nat: Nat::None,
                },
                initiator: None,
                listener: None,
                bytes_from_client: 0,
                bytes_from_server: 100,
                gap_bytes: 0,
                retransmitted_bytes: 0,
                handshake: None,
                handshake_us: None,
                duration_us: None,
                closed_by: None,
                tls,
                tls_facts: DataTls::default(),
            });
        })
    }

    /// Sets the user of an event.
    pub(super) fn as_user(event: Event, user: &str) -> Event {
        Event { user: Some(Arc::new(Text { text: user.into(), hex: None })), ..event }
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
    alerts_allowing(entry, &[], events)
}

/// The same with allowances.
pub(super) fn alerts_allowing(
    entry: &'static Entry,
    allowances: &[Allowance],
    events: &[Event],
) -> Vec<AlertDetail> {
    alerts_from(Detectors::start([(entry, entry.threshold)], allowances), events)
}

/// The alerts of some detectors about some events.
pub(super) fn alerts_from(mut detectors: Detectors, events: &[Event]) -> Vec<AlertDetail> {
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

/// The content of a detector's tables after some events: entries, and those that gave way.
pub(super) fn fill_after(entry: &'static Entry, events: impl Iterator<Item = Event>) -> Fill {
    let mut detectors = Detectors::start([(entry, entry.threshold)], &[]);
    for event in events {
        detectors.event(&event);
        while detectors.pop().is_some() {}
    }
    detectors.fill()
}
