//! The effects of a reply on a session.

use std::borrow::Cow;
use std::net::IpAddr;

use super::outbox::{Effect, ExpectedEndpoints, Outbox};
use super::outcome::UNPRIVILEGED;
use super::pending::{Intent, Pending};
use super::repeated::RepeatedError;
use super::restart::Restart;
use super::transfers::SessionRef;
use super::{STRIPES_MAX, Session};
use crate::addr::Endpoint;
use crate::event::{
    AnomalyId, CommandRef, DataAnnouncement, DataChannel, EventKind, Mode, Nat, Reply as ReplyEvent,
    ReplyLine, Via,
};
use crate::ftp::{Announced, Code, Ending, LINE_MAX, Line, Reply, Verb, size, stou};
use crate::text::Text;
use crate::time::Timestamp;

/// FTP's own data port (RFC 959 section 8).
const DATA_PORT: u16 = 20;

/// Whether data connections to a port are followed. To a port of another well-known service they are not, whoever announces
/// it: it would make the monitor look at that service's traffic.
const fn is_followed(port: u16) -> bool {
    port >= UNPRIVILEGED || port == DATA_PORT
}

impl Session {
    /// A line of the server.
    pub(super) fn reply_line(&mut self, at: Timestamp, line: &Line<'_>, out: &mut Outbox) -> bool {
        let began = self.last_reply_line;
        self.last_reply_line = at;
        if line.truncated {
            let detail = format!("a reply line has more than {LINE_MAX} bytes");
            self.anomaly(at, None, AnomalyId::ReplyTooLong, &detail, out);
        }
        for reply in self.assembler.push(line) {
            // A reply that this line showed to have ended before it ended with the line before.
            let at = if reply.ending == Ending::Regular { at } else { began };
            self.reply(at, &reply, out);
        }
        self.tls_agreed
    }

    /// The stream of replies ended.
    pub(super) fn finish_reply(&mut self, out: &mut Outbox) {
        for reply in self.assembler.finish() {
            self.reply(self.last_reply_line, &reply, out);
        }
    }

    /// A complete reply.
    pub(super) fn reply(&mut self, at: Timestamp, reply: &Reply<'_>, out: &mut Outbox) {
        self.replies += 1;
        let code = reply.code.filter(|code| code.class().is_some());
        let number = code.map(Code::number);
        self.well_formed_reply |= number.is_some() && !reply.malformed;
        if let Some(number) = number {
            self.decide_repeated(number, &reply.text, out);
        }
        let index = match number {
            Some(number) if self.is_greeting(number) => {
                self.remote.greeted(reply);
                None
            }
            Some(number) => {
                let waiting = self.pending.answered_by(number, &reply.text).or_else(|| {
                    let over = self.transfers.run_without_connection();
                    over.then(|| self.pending.ended_oddly(number)).flatten()
                });
                self.pending.resume(number, waiting)
            }
            None => None,
        };
        let is_repeated = |&(index, number): &_| self.pending.is_repeated(index, number, &reply.text);
        match index.zip(number).filter(is_repeated) {
            Some((index, _)) => {
                let tx = self.pending.get(index).map_or(0, |command| command.tx);
                let reply = Reply { text: Cow::Owned(reply.text.to_vec()), ..*reply };
                self.repeated = Some(Box::new(RepeatedError { at, tx, reply }));
            }
            None => self.tell_reply(at, reply, index, out),
        }
    }

    /// A reply, and what it changes: `index` is the waiting command that it answers.
    fn tell_reply(&mut self, at: Timestamp, reply: &Reply<'_>, index: Option<usize>, out: &mut Outbox) {
        let code = reply.code.filter(|code| code.class().is_some());
        let number = code.map(Code::number);
        let preliminary = code.is_some_and(Code::is_preliminary);
        let waiting = index.and_then(|index| self.pending.get(index));
        let to_empty_line = waiting.is_some_and(Pending::is_empty_line);
        let command = waiting.filter(|command| !command.is_unseen() && !command.is_empty_line());
        let tx = command.map_or(0, |command| command.tx);
        let latency_us = command.map(|command| at.micros_since(command.at));
        let command =
            command.map(|command| CommandRef { verb: command.name.clone(), arg: command.arg.clone() });
        let unasked = command.is_none() && !to_empty_line;
        // Endpoints are read from the reply itself.
        let text = if unasked {
            self.secrets.masked_unseen(number, &reply.text)
        } else {
            self.secrets.masked(&reply.text)
        };
        let masked = Reply { text, ..*reply };
        if let Some(basis) = self.remote.heard(tx, &masked)
            && let Some(transfer) = self.transfers.by_command(tx)
        {
            transfer.request.set_basis(basis);
        }
        let Text { text, hex } = Text::from_bytes(&masked.text);
        let line = ReplyLine {
            code: reply.code.map(Code::number),
            text,
            text_hex: hex,
            lines: reply.lines,
            class: code.and_then(Code::class),
            category: code.and_then(Code::category),
            is_final: number.is_some() && !preliminary,
            truncated: reply.truncated,
            malformed: reply.malformed,
        };
        self.tell(at, EventKind::Reply(ReplyEvent { tx, reply: line, command, latency_us }), out);
        self.tell_oddities(at, tx, &masked, out);
        if let Some(number) = number.filter(|_| !preliminary) {
            self.secrets.replied(number);
        }
        let Some(number) = number else {
            // It was probably meant for the oldest command: the next reply's code decides.
            self.pending.doubt_oldest();
            return;
        };
        if let Some(index) = index.filter(|&index| self.pending.may_be_anothers(index, number)) {
            self.transfers.doubt(self.pending.get(index).map_or(0, |command| command.tx));
        }
        let completed = match index {
            Some(index) if preliminary => {
                self.pending.begin(index);
                None
            }
            Some(index) => self.pending.complete(index, number),
            None => None,
        };
        if unasked {
            self.unasked(at, number, reply, out);
        } else if preliminary {
            self.preliminary(at, tx, reply, out);
        } else if let Some(command) = completed.filter(|_| !to_empty_line) {
            self.answered(at, *command, number, reply, out);
        }
        for tx in self.pending.take_abandoned() {
            self.transfers.abandon(at, tx);
        }
        self.report_decided_if_open(at, out);
    }

    /// The greeting answers nothing, even where a client did not wait for it.
    fn is_greeting(&mut self, code: u16) -> bool {
        if !self.greeting_due {
            return false;
        }
        let greets = self.pending.len() == 0 || matches!(code, 120 | 220 | 421);
        self.greeting_due = greets && code == 120;
        greets
    }

    /// The next reply is there: an error that waits was a reply too many where this one answers its command after all.
    fn decide_repeated(&mut self, code: u16, text: &[u8], out: &mut Outbox) {
        let Some(repeated) = self.repeated.take() else { return };
        let index = self.pending.index_of(repeated.tx);
        let error = repeated.reply.code.map_or(0, Code::number);
        let own = index.filter(|&index| !self.pending.is_answered_after_all(index, error, code, text));
        let own = own.or_else(|| self.pending.empty_line_before(index?, error));
        self.tell_reply(repeated.at, &repeated.reply, own, out);
    }

    /// Nothing more can show that an error that waits was a reply too many.
    pub(super) fn confirm_repeated(&mut self, out: &mut Outbox) {
        if let Some(repeated) = self.repeated.take() {
            let index = self.pending.index_of(repeated.tx);
            self.tell_reply(repeated.at, &repeated.reply, index, out);
        }
    }

    fn tell_oddities(&mut self, at: Timestamp, tx: u64, reply: &Reply<'_>, out: &mut Outbox) {
        let tx = Some(tx).filter(|&tx| tx != 0);
        if reply.malformed {
            self.malformed(at, tx, AnomalyId::MalformedReply, &reply.text, out);
        }
        match reply.ending {
            Ending::Regular => {}
            // Its end may be what is missing.
            _ if reply.truncated => {}
            Ending::OtherCode => {
                let detail = "a multi-line reply ended with another code than it began with";
                self.anomaly(at, tx, AnomalyId::ReplyUnterminated, detail, out);
            }
            Ending::Missing => {
                self.anomaly(at, tx, AnomalyId::ReplyUnterminated, "a multi-line reply never ended", out);
            }
        }
    }

    fn unasked(&mut self, at: Timestamp, code: u16, reply: &Reply<'_>, out: &mut Outbox) {
        if matches!(code, 125 | 150) && !self.all_read {
            out.effects.push(Effect::EndpointMissed { at });
        }
        if matches!(code, 125 | 150 | 226) && !self.all_read {
            self.transfers.spend(at);
        }
        if matches!(code, 227..=229) {
            self.announced_by_server(at, 0, reply, out);
        } else if !matches!(code, 120 | 220 | 421) && self.all_read {
            let detail = format!("{code} answers no command");
            self.anomaly(at, None, AnomalyId::UnaskedReply, &detail, out);
        }
    }

    fn preliminary(&mut self, at: Timestamp, tx: u64, reply: &Reply<'_>, out: &mut Outbox) {
        self.transfers.confirm(tx, out);
        self.transfers.is_begun(at, tx);
        let Some(transfer) = self.transfers.by_command(tx) else { return };
        let request = &mut transfer.request;
        let arg = request.arg.as_ref().map(|arg| arg.as_bytes());
        request.due.said = size::in_preliminary(reply.certain_text(), arg);
        self.stored_as(tx, reply);
    }

    /// The name that the server gave a file of STOU, in whichever reply has it.
    fn stored_as(&mut self, tx: u64, reply: &Reply<'_>) {
        let text = self.secrets.masked(&reply.text);
        if let Some(transfer) = self.transfers.by_command(tx)
            && transfer.request.verb.as_deref() == Some("STOU")
            && !reply.truncated
            && let Some(name) = reply.code.and_then(|code| stou::name(code, &text))
        {
            let asked = transfer.request.arg.as_ref().map_or(&b""[..], |arg| arg.as_bytes());
            let name = stou::beside(asked, name);
            transfer.request.path = self.remote.path(&name).map(|path| Text::from_bytes(&path));
        }
    }

    fn answered(&mut self, at: Timestamp, command: Pending, code: u16, reply: &Reply<'_>, out: &mut Outbox) {
        let completed = Code::completes(code);
        let masked = Reply { text: self.secrets.masked(&reply.text), ..*reply };
        self.remote.answered(command.tx, &masked);
        match (command.verb.canonical(), command.intent) {
            (Verb::User | Verb::Pass | Verb::Acct | Verb::Adat, _) => {
                let login = self.logins.reply(command.tx, command.verb, code);
                self.tell_login(at, login, out);
            }
            (Verb::Rest, _) => {
                let settle = |restart: &mut Restart| restart.settle(command.tx, code, &reply.text);
                self.restart.as_deref_mut().into_iter().for_each(settle);
                self.transfers.settle_restarts(settle);
            }
            (verb, _) if verb.asks_for_endpoint() && code >= 400 => {
                self.transfers.endpoint_refused(command.tx);
            }
            (verb, _) if verb.announces_endpoint() && code >= 400 => {
                let session = SessionRef::new(&self.identity, &self.logins, &self.allowance);
                self.transfers.announcement_refused(at, command.tx, session, out);
            }
            (verb, _) if verb.announces_endpoint() && completed => self.transfers.confirm(command.tx, out),
            (Verb::Auth, Intent::Tls) if completed => self.agree_on_tls(at, command.tx, out),
            (Verb::Rein, _) if completed => {
                let login = self.logins.reinitialize(command.tx);
                self.tell_login(at, login, out);
                self.restart = None;
            }
            (verb, _) if verb.transfer().is_some() => {
                self.stored_as(command.tx, reply);
                if completed {
                    self.transfers.confirm(command.tx, out);
                }
                self.keep_restart(command.tx, code);
                self.transfers.decide(at, command.tx, code, self.missed);
                self.pending.doubt_aborts();
            }
            _ => {}
        }
        if command.verb == Verb::Spas && completed {
            let mut stripes = Announced::stripes(&reply.text);
            for endpoint in stripes.by_ref().take(STRIPES_MAX) {
                self.announce(at, command.tx, Via::Spas, endpoint, out);
            }
            out.lose_if(stripes.next().is_some(), "stripes_full");
        } else {
            self.announced_by_server(at, command.tx, reply, out);
        }
    }

    /// A transfer was refused that had an offset: servers are known that keep it for the next one (vsftpd behind STOU).
    fn keep_restart(&mut self, tx: u64, code: u16) {
        let Some(refused) = self.transfers.by_command(tx).filter(|transfer| !transfer.preliminary) else {
            return;
        };
        let restart = refused.request.restart;
        if code >= 400 && restart.by != 0 {
            self.restart.get_or_insert_with(|| Box::new(restart.kept()));
        }
    }

    fn announced_by_server(&mut self, at: Timestamp, tx: u64, reply: &Reply<'_>, out: &mut Outbox) {
        let Some((via, endpoint)) =
            reply.code.and_then(|code| Announced::in_reply(code, reply.certain_text()))
        else {
            return;
        };
        match endpoint {
            Ok(endpoint) => self.announce(at, tx, via, endpoint, out),
            Err(_) if reply.truncated => {}
            Err(error) => {
                let tx = Some(tx).filter(|&tx| tx != 0);
                self.anomaly(at, tx, AnomalyId::BadEndpoint, &error.to_string(), out);
            }
        }
    }

    /// A transfer command without an endpoint: the server may connect to the port that the control connection comes from.
    pub(super) fn expect_at_default_port(&mut self, at: Timestamp, out: &mut Outbox) {
        let client = self.identity.client;
        let data = DataAnnouncement {
            mode: Some(Mode::Active),
            via: Via::Inferred,
            ip: client.ip,
            port: client.port,
            advertised_ip: None,
            nat: Nat::None,
        };
        let session = SessionRef::new(&self.identity, &self.logins, &self.allowance);
        self.transfers.expect_default(
            at,
            self.tx,
            data,
            [client].into_iter().filter(|client| is_followed(client.port)).collect(),
            session,
            out,
        );
    }

    /// An endpoint was announced: it is reported, and expected as advertised and at the address of the peer that announced it,
    /// since that is where clients and servers connect when the advertised one is behind NAT.
    pub(super) fn announce(
        &mut self,
        at: Timestamp,
        tx: u64,
        via: Via,
        endpoint: Announced,
        out: &mut Outbox,
    ) {
        let Announced { ip: advertised, port } = endpoint;
        self.announced_by = if tx == 0 { self.tx } else { tx };
        let mode = via.mode();
        let peer = if mode == Some(Mode::Active) { self.identity.client.ip } else { self.identity.server.ip };
        let nat = nat(advertised, peer);
        let ip = match (advertised, nat) {
            // An address of another family is reached at the peer: NAT64 (RFC 6384).
            (Some(ip), Nat::None | Nat::Mismatch)
                if mode == Some(Mode::Active) || ip.is_ipv4() == peer.is_ipv4() =>
            {
                ip
            }
            _ => peer,
        };
        let data = DataAnnouncement { mode, via, ip, port, advertised_ip: advertised, nat };
        self.tell(at, EventKind::DataChannel(DataChannel { tx, data }), out);
        self.allowance.charge();
        let mut endpoints = ExpectedEndpoints::new();
        if is_followed(port) {
            endpoints.push(Endpoint::new(peer, port));
            endpoints.extend(
                advertised.filter(|ip| *ip != peer && !ip.is_unspecified()).map(|ip| Endpoint::new(ip, port)),
            );
        }
        let session = SessionRef::new(&self.identity, &self.logins, &self.allowance);
        self.transfers.announce(at, tx, data, endpoints, session, out);
        self.transfers.report_decided(at, session, out);
    }

    /// Transfers may have become due: only where there are any.
    pub(super) fn report_decided_if_open(&mut self, at: Timestamp, out: &mut Outbox) {
        if !self.transfers.is_empty() {
            let session = SessionRef::new(&self.identity, &self.logins, &self.allowance);
            self.transfers.report_decided(at, session, out);
        }
    }
}

/// The relation of an advertised address to the peer that sent it.
fn nat(advertised: Option<IpAddr>, peer: IpAddr) -> Nat {
    match advertised {
        None => Nat::None,
        Some(ip) if ip == peer => Nat::None,
        Some(ip) if ip.is_unspecified() => Nat::Unspecified,
        Some(ip) if is_private(ip) => Nat::Private,
        Some(_) => Nat::Mismatch,
    }
}

/// An address that means nothing outside its own network (RFC 1918, 3927, 4193, 6598).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
