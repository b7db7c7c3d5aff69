//! The client in a transfer: bytes and replies at once, and what it knows of both in the end.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::control::readable;
use super::data::Pipe;
use super::outcomes::{is_listing, outcomes};
use super::record::{Bytes, Leaving, Moved};
use super::step::{Connect, End, Setup, Transfer};
use super::talker::Talker;
use crate::ftp::resolve;

/// The time that commands that were said in the middle of a transfer may be answered before it goes on.
const PAUSE: Duration = Duration::from_millis(20);
/// The time that the first reply to a transfer command may take.
const FIRST_LIMIT: Duration = Duration::from_secs(4);
/// The time that a transfer may take.
const FINAL_LIMIT: Duration = Duration::from_secs(10);
/// The time in which nothing moves, after which a server waits for something that will not come: another connection, mostly.
const IDLE_LIMIT: Duration = Duration::from_millis(1500);
/// The same where the client has no connection, or has ended it.
const SHORT_LIMIT: Duration = Duration::from_millis(500);
/// The time that the end of a data connection may lag behind the final reply.
const LAG: Duration = Duration::from_secs(5);
/// The same of connections that moved nothing: the server may have had another one.
const EMPTY_LAG: Duration = Duration::from_millis(250);
/// Bytes of a download that are read before something is done in its middle.
const SOME: usize = 20_000;
/// Final replies of a transfer that has begun.
const FINAL: [u16; 12] = [226, 250, 425, 426, 450, 451, 452, 550, 551, 552, 553, 554];

/// A transfer command that was sent.
struct Going {
    command: usize,
    /// Commands said meanwhile that wait for an answer.
    extras: Vec<usize>,
    preliminary: bool,
    code: Option<u16>,
    /// Bytes that are sent by now.
    send: u64,
    /// Bytes that are read.
    read: usize,
    /// A stranger connected first.
    stranger: bool,
    /// The client ended the data connection, or asked for its end.
    cut: bool,
    /// The working directory when the command was sent, if it is known, and whether a reply had named it.
    directory: (Option<String>, bool),
}

impl Going {
    fn has_ended(&self) -> bool {
        self.code.is_some()
    }

    /// The absolute path of a name.
    fn path(&self, name: &str) -> Option<String> {
        let directory = self.directory.0.as_deref().or_else(|| name.starts_with('/').then_some("/"))?;
        Some(resolve(directory, name))
    }
}

impl Talker<'_> {
    pub(super) fn transfer(&mut self, plan: &Transfer) -> Result<()> {
        if let Some(offset) = plan.rest {
            self.ask(&format!("REST {offset}"))?;
        }
        let offset = self.offset.take();
        let kept = std::mem::replace(&mut self.offset_kept, offset.is_some() && is_listing(&plan.line));
        let offset = Some(offset.unwrap_or(0)).filter(|_| !kept);
        let Some(command) = self.begin(plan)? else { return Ok(()) };
        let directory = (self.cwd_known.then(|| self.cwd.clone()), self.named);
        let mut going = Going {
            command,
            extras: Vec::new(),
            preliminary: false,
            code: None,
            send: 0,
            read: 0,
            stranger: matches!(plan.connect, Connect::Stranger { .. }),
            cut: false,
            directory,
        };
        let connected = self.endpoint.as_ref().is_some_and(|endpoint| !endpoint.pipes.is_empty());
        let limit = if connected { FIRST_LIMIT } else { IDLE_LIMIT };
        self.pump(&mut going, limit, |_, going| going.preliminary || going.has_ended())?;
        if going.preliminary && !going.has_ended() && !self.control.ended {
            self.middle(plan, &mut going)?;
        }
        if let (Some(command), End::Leave { reset }) = (going.preliminary.then_some(command), plan.end) {
            self.endpoint
                .iter_mut()
                .flat_map(|endpoint| &mut endpoint.pipes)
                .for_each(|pipe| pipe.close(reset));
            self.leave(reset);
            going.command = command;
        } else {
            self.finish(plan, &mut going)?;
            if !going.extras.is_empty() && !self.control.ended && self.record.leaving == Leaving::Closed {
                // A fence that asks for an endpoint does away with this one; what came to it is known all the same.
                let own = self.endpoint.take();
                self.fence(plan.fence, &mut going.extras)?;
                let next = std::mem::replace(&mut self.endpoint, own);
                self.conclude(plan, &going, offset);
                if let Some(next) = next {
                    self.drop_endpoint();
                    self.endpoint = Some(next);
                }
                return Ok(());
            }
        }
        self.conclude(plan, &going, offset);
        Ok(())
    }

    /// Announces, connects and sends the command, in the order that the plan says. Gives the command's number, if it could
    /// be sent.
    fn begin(&mut self, plan: &Transfer) -> Result<Option<usize>> {
        if plan.setup == Setup::Pipelined {
            while let Some(reply) = self.control.reply()? {
                self.hear(&reply, None);
            }
            let verb = if self.cast.server.is_ipv6() { "EPSV" } else { "PASV" };
            self.control.send(format!("{verb}\r\n{}\r\n", plan.line).as_bytes());
            let (pasv, command) = (self.note(verb), self.note(&plan.line));
            if self.answer(pasv)?.is_some_and(|reply| reply.is_success()) {
                self.connect(false)?;
            }
            return Ok(Some(command));
        }
        let fresh = self.announce(plan.setup)?;
        if self.control.ended || self.record.leaving != Leaving::Closed {
            return Ok(None);
        }
        if !fresh {
            self.let_go_of_closed();
        }
        let idle = self.endpoint.as_ref().is_none_or(|endpoint| endpoint.pipes.is_empty());
        match plan.connect {
            _ if !idle => {}
            Connect::Early => drop(self.connect(false)?),
            Connect::Late => {
                let command = self.say(&plan.line)?;
                self.connect(false)?;
                return Ok(Some(command));
            }
            Connect::Twice => {
                self.connect(false)?;
                self.connect(false)?;
            }
            Connect::Reopen { reset } => {
                self.connect(false)?;
                self.close_last(reset);
                self.connect(false)?;
            }
            Connect::Stranger { stays } => {
                self.connect(true)?;
                if !stays {
                    self.close_last(false);
                }
                self.connect(false)?;
            }
        }
        self.say(&plan.line).map(Some)
    }

    fn close_last(&mut self, reset: bool) {
        let Some(endpoint) = &mut self.endpoint else { return };
        if let Some(mut pipe) = endpoint.pipes.pop() {
            pipe.close(reset);
            endpoint.gone.push(pipe.ends);
        }
    }

    /// Connections of an earlier step that the server has closed since.
    fn let_go_of_closed(&mut self) {
        let Some(endpoint) = &mut self.endpoint else { return };
        for pipe in &mut endpoint.pipes {
            pipe.receive(1);
        }
        let (over, open): (Vec<Pipe>, Vec<Pipe>) = endpoint.pipes.drain(..).partition(Pipe::is_over);
        endpoint.pipes = open;
        endpoint.left_over |= !over.is_empty();
        self.record.loose.extend(over.iter().map(|pipe| pipe.ends));
    }

    /// That which happens in the middle of a transfer.
    fn middle(&mut self, plan: &Transfer, going: &mut Going) -> Result<()> {
        if plan.end == End::Whole && plan.during.is_empty() {
            return Ok(());
        }
        let half = plan.upload.unwrap_or(0) / 2;
        (going.send, going.read) = (half, SOME);
        self.pump(going, PAUSE, |talker, _| talker.moved() >= half.max(1))?;
        going.read = 0;
        let abort = (plan.end == End::Abort).then_some("ABOR");
        for line in plan.during.iter().map(String::as_str).chain(abort) {
            self.control.send(format!("{line}\r\n").as_bytes());
            let extra = self.note(line);
            going.extras.push(extra);
        }
        if !going.extras.is_empty() {
            self.pump(going, PAUSE, |_, going| going.extras.is_empty())?;
        }
        match plan.end {
            End::Abort | End::Cut { .. } if !going.has_ended() => {
                going.cut = true;
                let reset = plan.end == End::Cut { reset: true };
                let pipes = self.endpoint.iter_mut().flat_map(|endpoint| &mut endpoint.pipes);
                pipes.for_each(|pipe| pipe.close(reset));
            }
            _ => {}
        }
        Ok(())
    }

    /// Moves the rest, and waits for the final reply and for the end of the data connection.
    fn finish(&mut self, plan: &Transfer, going: &mut Going) -> Result<()> {
        going.read = usize::MAX;
        going.send = plan.upload.unwrap_or(0);
        let upload = plan.upload.is_some();
        let over = |talker: &Self, going: &Going| {
            let pipes = || talker.endpoint.iter().flat_map(|endpoint| &endpoint.pipes);
            // Of several connections the one that moved bytes ends; the others may stay.
            let own = |pipe: &Pipe| if upload { pipe.written > 0 } else { pipe.read > 0 };
            let served = pipes().any(|pipe| pipe.finished && own(pipe));
            going.has_ended() && (served || pipes().all(Pipe::is_over))
        };
        let aborted = plan.end == End::Abort && going.preliminary;
        // As long as bytes move it is worth waiting for more.
        let deadline = Instant::now() + FINAL_LIMIT;
        while !going.has_ended() && !self.control.ended && Instant::now() < deadline {
            let before = self.moved();
            let pipes = || self.endpoint.iter().flat_map(|endpoint| &endpoint.pipes);
            let limit = if aborted || pipes().all(Pipe::is_over) { SHORT_LIMIT } else { IDLE_LIMIT };
            self.pump(going, limit, |_, going| going.has_ended())?;
            if self.moved() == before {
                break;
            }
        }
        // A refused transfer leaves its connections open.
        if going.preliminary && going.has_ended() {
            let lag = if self.moved() > 0 { LAG } else { EMPTY_LAG };
            self.pump(going, lag, over)?;
        }
        let over = {
            let mut pipes = self.endpoint.iter().flat_map(|endpoint| &endpoint.pipes).peekable();
            going.preliminary && pipes.peek().is_some() && pipes.all(Pipe::is_over)
        };
        // Where nothing moved it may wait for a connection still, and have the next one.
        if (aborted || over) && self.moved() > 0 && !going.has_ended() && !self.control.ended {
            // Some servers answer ABOR alone, or never say how a broken transfer ended: the fence will tell.
            going.extras.insert(0, going.command);
            return Ok(());
        }
        if !going.has_ended() && !self.control.ended {
            self.record.unsure |= !going.extras.is_empty();
            self.give_up();
        }
        Ok(())
    }

    fn moved(&self) -> u64 {
        self.endpoint.iter().flat_map(|endpoint| &endpoint.pipes).map(|pipe| pipe.read + pipe.written).sum()
    }

    /// Moves bytes and reads replies until `done`, the end of the control connection, or `limit`.
    fn pump(
        &mut self,
        going: &mut Going,
        limit: Duration,
        done: impl Fn(&Self, &Going) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            while let Some(reply) = self.control.reply()? {
                let answers = self.owner(going, reply.code, &reply.text());
                self.hear(&reply, answers);
                // Pure-FTPd says the end of a transfer with the code of what it said last.
                let of_transfer = answers == Some(going.command);
                let borrowed = of_transfer && going.preliminary && (500..=504).contains(&reply.code);
                if borrowed {
                    going.code = Some(0);
                }
                // So it says the end of what was asked meanwhile: which of them an error answers nobody can tell.
                let of_stranger = of_transfer && reply.code == 425 && !going.has_ended();
                let guessed = (answers.is_some() && !of_transfer && reply.code >= 400) || of_stranger;
                if let Some(heard) = self.record.replies.last_mut().filter(|_| borrowed || guessed) {
                    heard.doubtful = true;
                }
            }
            let moved = self.move_bytes(going)?;
            if self.control.ended || done(self, going) {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            if !moved {
                let mut files = vec![self.control.file()];
                if let Some(endpoint) = &self.endpoint {
                    files.extend(endpoint.own.iter().map(std::os::fd::AsFd::as_fd));
                    files.extend(endpoint.pipes.iter().filter(|_| going.read > 0).filter_map(Pipe::file));
                }
                // Short, since bytes that cannot be sent now are not polled for.
                readable(&files, left.min(Duration::from_millis(5)));
            }
        }
    }

    fn move_bytes(&mut self, going: &Going) -> Result<bool> {
        let Some(endpoint) = &mut self.endpoint else { return Ok(false) };
        if let Some(listener) = &endpoint.own
            && let Some(pipe) = Pipe::accept(listener)?
        {
            endpoint.pipes.push(pipe);
        }
        let mut moved = false;
        for pipe in &mut endpoint.pipes {
            if going.preliminary && going.read > 0 {
                moved |= pipe.receive(going.read);
            }
        }
        if going.send > 0
            && let Some(pipe) = endpoint.pipes.iter_mut().find(|pipe| !pipe.stranger)
        {
            moved |= pipe.transmit(going.send);
        }
        // All is sent once nothing is held back: `read` is unlimited from then on.
        if going.read == usize::MAX {
            let sent = |pipe: &&mut Pipe| pipe.written >= going.send;
            endpoint.pipes.iter_mut().filter(sent).for_each(Pipe::close_writing);
        }
        Ok(moved)
    }

    /// Which command a reply answers while a transfer runs: its code says so.
    fn owner(&self, going: &mut Going, code: u16, text: &str) -> Option<usize> {
        if code < 200 {
            // Pure-FTPd ends a broken transfer with a second preliminary reply, and says no more.
            going.code = going.code.or(going.preliminary.then_some(code));
            going.preliminary = true;
            return Some(going.command);
        }
        if code == 425 && going.stranger && going.code.is_none() && text.starts_with("Rejected") {
            // pyftpdlib tells that it refused the stranger, and serves the client.
            return Some(going.command);
        }
        let own = |extra: &usize| {
            let verb = self.record.commands.get(*extra).map(super::record::Said::verb).unwrap_or_default();
            match verb.as_str() {
                "NOOP" => code == 200,
                "STAT" => (211..=213).contains(&code),
                "HELP" | "SITE" => code == 214,
                "SYST" => code == 215,
                "PWD" => code == 257,
                "ABOR" => code == 225 || (code == 226 && going.code.is_some()),
                _ => false,
            }
        };
        if let Some(at) = going.extras.iter().position(own) {
            return Some(going.extras.remove(at));
        }
        if going.code.is_none() && (!going.preliminary || FINAL.contains(&code) || going.extras.is_empty()) {
            going.code = Some(code);
            return Some(going.command);
        }
        (!going.extras.is_empty()).then(|| going.extras.remove(0))
    }

    /// That which must be reported of the transfer.
    fn conclude(&mut self, plan: &Transfer, going: &Going, offset: Option<u64>) {
        let refused = !going.preliminary && going.code.is_some_and(|code| code >= 400);
        // Some servers keep REST over a command that they refuse.
        self.offset_kept |= refused && offset.is_none_or(|offset| offset > 0);
        let mut unwatched = false;
        let left_over = self.endpoint.as_ref().is_some_and(|endpoint| endpoint.left_over);
        let (pipes, gone) = match &mut self.endpoint {
            Some(endpoint) if !refused => {
                endpoint.used = true;
                unwatched = std::mem::take(&mut endpoint.unwatched);
                (std::mem::take(&mut endpoint.pipes), std::mem::take(&mut endpoint.gone))
            }
            _ => Default::default(),
        };
        let own: Vec<&Pipe> = pipes.iter().filter(|pipe| pipe.read + pipe.written > 0).collect();
        let served = match (own.as_slice(), pipes.as_slice()) {
            ([pipe], _) => Some(*pipe),
            ([], [pipe]) if gone.is_empty() && !pipe.stranger && !left_over => Some(pipe),
            _ => None,
        };
        let all_used = pipes.len() + gone.len() == usize::from(served.is_some());
        if let Some(endpoint) = self.endpoint.as_mut().filter(|_| !all_used) {
            endpoint.left_over = true;
        }
        let certain = served.is_some_and(|pipe| pipe.finished) && !going.cut;
        let done = going.code.is_some_and(|code| code / 100 == 2);
        let bytes = match (served, plan.upload) {
            (Some(pipe), None) if certain => Bytes::Exactly(pipe.read),
            (Some(pipe), None) => Bytes::AtLeast(pipe.read),
            (Some(pipe), Some(_)) if certain && done => Bytes::Exactly(pipe.written),
            (Some(pipe), Some(_)) => Bytes::AtMost(pipe.written),
            (None, _) => Bytes::Unknown,
        };
        // A server that was through with it would have closed it.
        let through = done || (going.code.is_some_and(|code| code >= 400) && !going.cut);
        let anothers = |pipe: &Pipe| (through && !pipe.finished) || pipe.read > 0;
        let contested = plan.upload.is_some() && served.is_some_and(anothers);
        let sha256 = served.filter(|_| matches!(bytes, Bytes::Exactly(_)) && done).map(Pipe::sha256);
        let line = self.record.commands.get(going.command).cloned();
        let arg = line.as_ref().and_then(|line| line.arg()).filter(|arg| !arg.starts_with('-'));
        let verb = line.as_ref().map(super::record::Said::verb).unwrap_or_default();
        let direction = match verb.as_str() {
            "RETR" => "download",
            "STOR" | "STOU" | "APPE" => "upload",
            _ => "listing",
        };
        let kept = self.endpoint.as_ref().filter(|_| plan.setup != Setup::Kept);
        let moved = Moved {
            command: going.command,
            direction,
            path: arg.filter(|_| verb != "STOU").and_then(|arg| going.path(arg)),
            absolute: going.directory.1,
            outcomes: outcomes(going.code, going.preliminary, going.cut, served.is_some(), certain),
            code: going.code.filter(|code| *code >= 200),
            bytes,
            sha256,
            offset,
            via: kept.filter(|_| served.is_some()).map(|endpoint| endpoint.via),
            ends: served.filter(|_| !contested).map(|pipe| pipe.ends),
            unwatched,
            contested,
        };
        if served.is_some() {
            let served = moved.ends;
            let others = pipes.iter().map(|pipe| pipe.ends).filter(|ends| Some(*ends) != served);
            self.record.loose.extend(others.chain(gone));
        }
        self.record.transfers.push(moved);
    }
}
