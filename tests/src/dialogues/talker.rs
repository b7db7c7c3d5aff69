//! The client: plays a session's steps and records what it knows of each.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Result;

use super::control::Control;
use super::data::{Pipe, listen};
use super::endpoint::Endpoint;
use super::record::{Heard, Leaving, Record, Said};
use super::step::{Fence, Setup, Step};
use super::told::Told;
use crate::ftp::{
    Reply, extended, host_port, parse_extended_port, parse_host_port, parse_last_port, resolve,
};

/// The time that the client waits for a reply. Some servers think about a wrong password for seconds.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// The time within which a reply too many comes.
const SURPLUS_LIMIT: Duration = Duration::from_millis(50);

/// The hosts of a dialogue.
#[derive(Clone, Copy, Debug)]
pub struct Cast {
    /// The place where the server listens.
    pub server: SocketAddr,
    /// The client's address.
    pub client: IpAddr,
    /// An address of the client's network that is not the client's.
    pub stranger: IpAddr,
}

/// A client in the middle of a session.
#[derive(Debug)]
pub struct Talker<'a> {
    told: &'a Told,
    pub(super) control: Control,
    pub(super) record: Record,
    pub(super) cast: Cast,
    pub(super) cwd: String,
    /// A reply named the working directory.
    pub(super) named: bool,
    /// REST that was accepted, for the next transfer.
    pub(super) offset: Option<u64>,
    /// A listing came between: the server may have kept the offset for the transfer behind it.
    pub(super) offset_kept: bool,
    pub(super) user: Option<String>,
    pub(super) logged_in_as: Option<String>,
    /// The place where a second login leads nobody knows.
    pub(super) cwd_known: bool,
    /// EPSV ALL was accepted: PASV is refused from then on.
    pub(super) extended_only: bool,
    /// USER was answered with 3yz, and nothing decided since.
    pub(super) undecided: bool,
    /// The server asked for an account.
    pub(super) account_due: bool,
    pub(super) logged_in: bool,
    pub(super) endpoint: Option<Endpoint>,
}

/// Plays a session from its first step to its end, in the caller's network namespace.
///
/// # Errors
/// No connection could be made, or the client lost the thread of the dialogue.
pub(super) fn play(cast: Cast, told: &Told, steps: &[Step]) -> Result<Record> {
    let control = Control::connect(cast.client, cast.server)?;
    let record = Record::new(control.local()?);
    let mut talker = Talker {
        told,
        control,
        record,
        cast,
        cwd: "/".into(),
        named: false,
        offset: None,
        offset_kept: false,
        user: None,
        logged_in_as: None,
        cwd_known: true,
        extended_only: false,
        undecided: false,
        account_due: false,
        logged_in: false,
        endpoint: None,
    };
    if let Err(error) = talker.talk(steps) {
        talker.record.lost = Some(format!("{error:#}"));
    }
    Ok(talker.record)
}

impl Talker<'_> {
    fn talk(&mut self, steps: &[Step]) -> Result<()> {
        if let Some(greeting) = self.next()? {
            self.hear(&greeting, None);
        }
        for step in steps {
            if self.control.ended || self.record.leaving != Leaving::Closed {
                break;
            }
            self.step(step)?;
        }
        self.end()
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Ask(line) => self.ask(line).map(drop),
            Step::Blank(line, fence) => self.blank(line, *fence),
            Step::Pipeline(lines) => self.pipeline(lines),
            Step::Announce { setup, connect } => self.visit(*setup, *connect),
            Step::Transfer(transfer) => self.transfer(transfer),
            Step::Leave { reset } => {
                self.leave(*reset);
                Ok(())
            }
        }
    }

    /// QUIT, and what the server says until it closes.
    fn end(&mut self) -> Result<()> {
        self.drop_endpoint();
        if self.record.leaving == Leaving::Closed {
            let quit = (!self.control.ended).then(|| self.say("QUIT")).transpose()?;
            let mut answer = quit;
            while let Some(reply) = self.next()? {
                let answers = answer.take_if(|quit| !self.is_notice(*quit, reply.code));
                self.hear(&reply, answers);
            }
        }
        if self.undecided {
            self.decide("abandoned");
        }
        Ok(())
    }

    pub(super) fn leave(&mut self, reset: bool) {
        if reset {
            self.control.reset_at_close();
        }
        self.record.leaving = if reset { Leaving::Reset } else { Leaving::Left };
    }

    /// Sends a line and its end.
    pub(super) fn say(&mut self, line: &str) -> Result<usize> {
        // What comes before a command is sent cannot answer it.
        while let Some(reply) = self.control.reply()? {
            self.hear(&reply, None);
        }
        self.control.send(format!("{line}\r\n").as_bytes());
        Ok(self.note(line))
    }

    pub(super) fn note(&mut self, line: &str) -> usize {
        self.record.commands.push(Said { line: line.to_owned() });
        self.record.commands.len() - 1
    }

    pub(super) fn hear(&mut self, reply: &Reply, answers: Option<usize>) {
        self.record.replies.push(Heard { code: reply.code, text: reply.text(), answers, doubtful: false });
        if let (Some(command), 200..) = (answers, reply.code) {
            self.learn(command, reply);
        }
    }

    /// The final reply to a command; none where the server ended.
    pub(super) fn answer(&mut self, command: usize) -> Result<Option<Reply>> {
        while let Some(reply) = self.next()? {
            // pyftpdlib tells of strangers that it refused whenever it notices them: by its code it may be an answer.
            let of_stranger = reply.code == 425 && reply.text().starts_with("Rejected data connection");
            // It serves a transfer that waited for a connection with the next one, and tells its end at any time.
            let of_another = of_stranger || (reply.code == 226 && self.is_notice(command, 226));
            if of_another || self.is_notice(command, reply.code) {
                self.hear(&reply, None);
                self.record
                    .replies
                    .last_mut()
                    .filter(|_| of_another)
                    .into_iter()
                    .for_each(|it| it.doubtful = true);
                continue;
            }
            self.check(command, reply.code);
            self.hear(&reply, Some(command));
            if reply.code >= 200 {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    pub(super) fn ask(&mut self, line: &str) -> Result<Option<Reply>> {
        let command = self.say(line)?;
        let answer = self.answer(command)?;
        // ProFTPD refuses it twice before a login.
        if !self.logged_in && line.starts_with("RNTO") && self.logged_in_as.is_none() {
            while let Some(surplus) = self.control.wait(SURPLUS_LIMIT)? {
                self.hear(&surplus, None);
            }
        }
        Ok(answer)
    }

    /// The next reply; none where the server ended, or does not answer: the client leaves then.
    pub(super) fn next(&mut self) -> Result<Option<Reply>> {
        let reply = self.control.wait(REPLY_LIMIT)?;
        if reply.is_none() && !self.control.ended {
            self.give_up();
        }
        Ok(reply)
    }

    /// The server does not answer: the client leaves, and resets, since a server that waits for something else does not see its FIN.
    pub(super) fn give_up(&mut self) {
        self.record.stalled = true;
        self.leave(true);
    }

    /// That which is said of a data connection cannot answer a command that has none, nor a preliminary reply one that is no transfer (RFC
    /// 959 section 5.4): pyftpdlib is known to say 226 before 150.
    fn is_notice(&self, command: usize, code: u16) -> bool {
        let verb = self.record.commands.get(command).map(Said::verb).unwrap_or_default();
        let is_transfer = ["RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD"].contains(&verb.as_str());
        let has_data = is_transfer || ["PASV", "EPSV", "PORT", "EPRT", "ABOR"].contains(&verb.as_str());
        match code {
            125 | 150 => !is_transfer,
            226 => !is_transfer && verb != "ABOR",
            425 | 426 => !has_data,
            _ => false,
        }
    }

    /// The client must not be out of step itself: some verbs have replies that no other verb has.
    fn check(&mut self, command: usize, code: u16) {
        let Some(said) = self.record.commands.get(command) else { return };
        let verb = said.verb();
        let right: &[u16] = match verb.as_str() {
            "PWD" | "XPWD" | "MKD" | "XMKD" => &[257],
            "SYST" => &[215],
            "PASV" => &[227],
            "EPSV" => &[229, 200, 220],
            "SIZE" | "MDTM" => &[213],
            "TYPE" | "STRU" | "MODE" | "PORT" | "EPRT" => &[200],
            "RNFR" | "REST" => &[350],
            "USER" => &[230, 331, 332],
            "NOOP" => &[200],
            "QUIT" => &[221],
            _ => return,
        };
        if code < 400 && !right.contains(&code) {
            self.record.lost = Some(format!("{code} to {verb}"));
        }
    }

    /// That which an accepted command changes.
    fn learn(&mut self, command: usize, reply: &Reply) {
        let Some(said) = self.record.commands.get(command).cloned() else { return };
        let done = (200..300).contains(&reply.code) && reply.code != 202;
        let arg = said.arg().unwrap_or("").to_owned();
        match said.verb().as_str() {
            // To the home, or nowhere.
            "CWD" | "XCWD" if arg.is_empty() => self.cwd_known = false,
            "CWD" | "XCWD" if done => self.cwd = resolve(&self.cwd, &arg),
            "CDUP" | "XCUP" if done => self.cwd = resolve(&self.cwd, ".."),
            "PWD" | "XPWD" if done => {
                if let Some((name, _)) =
                    reply.text().split_once('"').and_then(|(_, rest)| rest.split_once('"'))
                {
                    self.cwd = name.to_owned();
                    (self.named, self.cwd_known) = (true, true);
                }
            }
            "REST" => self.restart_answered(&arg, reply),
            "USER" => self.user_answered(&arg, reply.code),
            // RFC 959 section 6: it follows 332 only.
            "ACCT" if !self.undecided || (!self.account_due && reply.code != 230) => {}
            "PASS" | "ACCT" if self.undecided || !self.logged_in => self.secret_answered(reply.code),
            "REIN" if done => {
                if self.undecided {
                    self.decide("abandoned");
                }
                (self.logged_in, self.logged_in_as, self.user) = (false, None, None);
                (self.cwd, self.named, self.cwd_known) = ("/".into(), false, true);
            }
            "EPSV" if done && arg.eq_ignore_ascii_case("ALL") => self.extended_only = true,
            "PASV" | "EPSV" if done => self.announced_by_server(&said.verb(), reply),
            _ => {}
        }
    }

    fn announced_by_server(&mut self, verb: &str, reply: &Reply) {
        let server = self.cast.server;
        let (via, at) = match verb {
            // Over IPv6 a server has no four numbers to say, and means its own address.
            "PASV" if server.is_ipv6() => {
                let port = parse_last_port(&reply.text());
                ("PASV", port.map(|port| SocketAddr::new(server.ip(), port)))
            }
            "PASV" => ("PASV", parse_host_port(&reply.text())),
            _ => {
                let port = parse_extended_port(&reply.text());
                ("EPSV", port.map(|port| SocketAddr::new(server.ip(), port)))
            }
        };
        if let Some(at) = at {
            self.replace_endpoint(Endpoint::new(via, at, None));
        }
    }

    fn replace_endpoint(&mut self, endpoint: Endpoint) {
        self.record.announced.push((endpoint.via, endpoint.at));
        self.drop_endpoint();
        self.endpoint = Some(endpoint);
    }

    /// Lets go of the endpoint. Connections that it still has were used by nothing.
    pub(super) fn drop_endpoint(&mut self) {
        if let Some(mut endpoint) = self.endpoint.take() {
            // A server that connects at once is taken leave of in order.
            if let Some(listener) = &endpoint.own {
                endpoint.pipes.extend(Pipe::accept(listener).ok().flatten());
            }
            self.record.loose.extend(endpoint.pipes.iter().map(|pipe| pipe.ends).chain(endpoint.gone));
        }
    }

    /// Announces an endpoint. Gives whether there is a new one.
    pub(super) fn announce(&mut self, setup: Setup) -> Result<bool> {
        let local = self.record.client.ip();
        match setup {
            Setup::Pasv => {
                let before = self.record.announced.len();
                self.ask("PASV")?;
                let accepted = self.record.announced.len() > before;
                // PASV has no place for an IPv6 address: ProFTPD cuts it.
                let instead = !accepted && local.is_ipv6() && !self.control.ended;
                Ok(accepted || (instead && self.announce(Setup::Epsv)?))
            }
            Setup::Epsv => Ok(self.ask("EPSV")?.is_some_and(|reply| reply.is_success())),
            Setup::Kept | Setup::Pipelined => Ok(false),
            Setup::Port | Setup::Eprt | Setup::Deaf => {
                let listener = listen(SocketAddr::new(local, 0))?;
                let at = listener.local_addr()?;
                let own = (setup != Setup::Deaf).then_some(listener);
                let (via, argument) = match (setup, at.ip()) {
                    (Setup::Port | Setup::Deaf, IpAddr::V4(ip)) => ("PORT", host_port(ip, at.port())),
                    _ => ("EPRT", extended(at)),
                };
                let accepted =
                    self.ask(&format!("{via} {argument}"))?.is_some_and(|reply| reply.is_success());
                if accepted {
                    self.replace_endpoint(Endpoint::new(via, at, own));
                }
                Ok(accepted)
            }
            Setup::Foreign => {
                let (via, argument) = match self.cast.stranger {
                    IpAddr::V4(ip) => ("PORT", host_port(ip, 40_000)),
                    ip => ("EPRT", extended(SocketAddr::new(ip, 40_000))),
                };
                let accepted =
                    self.ask(&format!("{via} {argument}"))?.is_some_and(|reply| reply.is_success());
                if accepted {
                    let at = SocketAddr::new(self.cast.stranger, 40_000);
                    self.replace_endpoint(Endpoint::new(via, at, None));
                }
                Ok(accepted)
            }
        }
    }

    /// An endpoint that no transfer follows, with a connection or without.
    fn visit(&mut self, setup: Setup, connect: bool) -> Result<()> {
        if !self.announce(setup)? || !connect {
            return Ok(());
        }
        self.connect(false)?;
        let own = self.endpoint.as_mut().is_some_and(|endpoint| endpoint.own.take().is_some());
        self.drop_endpoint();
        // A server that connects at once may tell that its connection was reset.
        if own { self.fence(Fence::Pwd, &mut Vec::new()) } else { Ok(()) }
    }

    /// Connects to the server's endpoint, as the client or as the stranger. Gives whether it is connected.
    pub(super) fn connect(&mut self, stranger: bool) -> Result<bool> {
        let Some(endpoint) = self.endpoint.as_mut().filter(|endpoint| endpoint.own.is_none()) else {
            return Ok(false);
        };
        if endpoint.at.ip() != self.cast.server.ip() {
            return Ok(false);
        }
        let from = if stranger { self.cast.stranger } else { self.record.client.ip() };
        if stranger && !endpoint.used {
            // Until then the kernel programs pass over connections of other hosts (docs/operations.md).
            self.told.wait_for(self.record.client, endpoint.at.port())?;
        }
        endpoint.unwatched |= stranger && endpoint.used;
        let pipe = Pipe::open(SocketAddr::new(from, 0), endpoint.at, stranger)?;
        let opened = pipe.is_some();
        self.record.strangers.extend(pipe.as_ref().filter(|_| stranger).map(|pipe| pipe.ends.initiator));
        endpoint.pipes.extend(pipe);
        Ok(opened)
    }
}
