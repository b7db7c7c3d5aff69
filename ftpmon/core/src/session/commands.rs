//! The effects of a command line on a session.

use smol_str::{SmolStr, format_smolstr};

use super::due::Due;
use super::outbox::{Effect, Outbox};
use super::pending::{Intent, Pending};
use super::transfer::Request;
use super::transfers::{DataSource, SessionRef};
use super::{Context, Restart, STRIPES_MAX, Session, secrets};
use crate::config::Secrets;
use crate::event::{AnomalyId, Command as CommandEvent, CommandLine, EventKind, FileDirection, Login, Via};
use crate::ftp::{Announced, Command, LINE_MAX, Line, Mechanism, Verb, secret::Places, size};
use crate::text::Text;
use crate::time::Timestamp;

impl Session {
    /// A command line. True if TLS may follow it at once.
    pub(super) fn command_line(
        &mut self,
        at: Timestamp,
        line: &Line<'_>,
        context: Context<'_>,
        out: &mut Outbox,
    ) -> bool {
        let Some(command) = Command::from_line(line) else {
            let forgotten = self.secrets.rest_of_a_line(line.bytes);
            out.lose_if(forgotten, "secrets_forgotten");
            if self.tx == 0 {
                self.unseen_command(at, context, out);
            }
            return false;
        };
        if command.name.is_empty() && !command.cut {
            return self.empty_line(at, out);
        }
        let head_of_a_lost_line =
            command.cut && !line.truncated && (command.verb == Verb::Other || command.arg.is_none());
        if head_of_a_lost_line {
            self.secrets.read(&command, false);
            return false;
        }
        for reply in self.assembler.client_spoke() {
            self.reply(self.last_reply_line, &reply, out);
        }
        self.confirm_repeated(out);
        self.tx += 1;
        self.well_formed_command |= !command.malformed && command.verb != Verb::Other;
        let shows = *context.secrets == Secrets::Show;
        let places = if shows { Places::none_of(&command) } else { Places::of(&command) };
        let hidden = !shows && self.secrets.hide(&command, &places, line);
        let said =
            if hidden { Said::hidden(line.bytes, context) } else { Said::new(&command, &places, context) };
        self.before_telling(at, &command, &places, &said, out);
        if said.has_secret {
            let forgotten = self.remember_secrets(&command, &places, line, hidden);
            out.lose_if(forgotten, "secrets_forgotten");
        }
        self.secrets.read(&command, said.has_secret);
        self.tell_command(at, line, &command, &places, &said, out);
        // A path or a directory may have the secret in it.
        let shown = match places.argument {
            _ if hidden => Command { arg: None, ..command },
            Some((head, _)) => Command { arg: Some(head), cut: true, ..command },
            None => command,
        };
        let tls_may_follow = self.after_telling(at, &shown, said, context, out);
        self.report_decided_if_open(at, out);
        tls_may_follow
    }

    /// Remembers the secrets of a line. True if older ones were forgotten for them.
    pub(super) fn remember_secrets(
        &mut self,
        command: &Command<'_>,
        places: &Places<'_>,
        line: &Line<'_>,
        hidden: bool,
    ) -> bool {
        let user = self.logins.user.as_ref().map(|user| user.text.as_str());
        let mut forgotten = false;
        if let Some((_, secret)) = places.argument {
            forgotten |= self.secrets.remember(command, secret, user);
        }
        if hidden {
            forgotten |= self.secrets.remember_line(line.bytes);
        }
        forgotten | self.secrets.remember_name(places.name.1)
    }

    /// A line of nothing: no command, though some servers answer it. The first of a session is told, the others cost nothing.
    fn empty_line(&mut self, at: Timestamp, out: &mut Outbox) -> bool {
        self.pending.push_empty_lines(at, 1);
        if !core::mem::replace(&mut self.empty_line_told, true) {
            self.anomaly(at, None, AnomalyId::MalformedCommand, "an empty line", out);
        }
        false
    }

    /// Changes of the session's user, made first so that the command's own event has the new one.
    fn before_telling(
        &mut self,
        at: Timestamp,
        command: &Command<'_>,
        places: &Places<'_>,
        said: &Said,
        out: &mut Outbox,
    ) {
        match command.verb {
            Verb::User => {
                let waits = self.logins.last_said().is_some_and(|tx| self.pending.index_of(tx).is_some());
                let name = secrets::user_name(command, places).filter(|_| !said.is_hidden);
                let before = self.logins.user.clone();
                let abandoned = self.logins.user(self.tx, name.map(Text::from_bytes), waits);
                if let Some(abandoned) = abandoned {
                    let (identity, allowance) = (&self.identity, &self.allowance);
                    let session = SessionRef { identity, user: before.as_ref(), allowance };
                    session.tell(at, EventKind::Login(abandoned), out);
                }
            }
            Verb::Pass => self.logins.password(self.tx, said.text.clone()),
            Verb::Acct => self.logins.account(self.tx, said.text.clone()),
            _ => {}
        }
    }

    fn tell_command(
        &mut self,
        at: Timestamp,
        line: &Line<'_>,
        command: &Command<'_>,
        places: &Places<'_>,
        said: &Said,
        out: &mut Outbox,
    ) {
        let event = CommandLine {
            verb: said.name.clone(),
            arg: said.text.clone(),
            arg_hex: said.hex.clone(),
            truncated: command.cut,
            malformed: command.malformed,
        };
        self.tell(at, EventKind::Command(CommandEvent { tx: self.tx, command: event }), out);
        if command.malformed {
            let shown = match said.has_secret {
                true if said.is_hidden => said.name.as_bytes(),
                true => places.name.0,
                false => line.bytes,
            };
            self.malformed(at, Some(self.tx), AnomalyId::MalformedCommand, shown, out);
        }
        if line.truncated {
            let detail = format!("a command line has more than {LINE_MAX} bytes");
            self.anomaly(at, Some(self.tx), AnomalyId::CommandTooLong, &detail, out);
        }
    }

    fn after_telling(
        &mut self,
        at: Timestamp,
        command: &Command<'_>,
        said: Said,
        context: Context<'_>,
        out: &mut Outbox,
    ) -> bool {
        let arg = command.whole_arg();
        let intent = match command.verb.canonical() {
            Verb::Rest => {
                let asked = Restart::asked(self.tx, arg.and_then(size::in_rest), self.restart.as_deref());
                self.restart = Some(Box::new(asked));
                Intent::None
            }
            Verb::Auth if arg.is_some_and(|arg| Mechanism::from_argument(arg).is_tls()) => Intent::Tls,
            Verb::Abor => {
                self.transfers.abort();
                Intent::None
            }
            _ => Intent::None,
        };
        let tls_may_follow = intent == Intent::Tls;
        if let Some(direction) = command.verb.transfer() {
            self.begin_transfer(at, command, direction, &said, context, out);
        }
        let full = self.remote.asked(self.tx, command);
        out.lose_if(full, "remote_commands_full");
        let pending = Pending::new(self.tx, command.verb, said.name, said.text, at, intent);
        self.wait_for_reply(at, pending, context, out);
        if command.verb.announces_endpoint() {
            self.announced_by_client(at, command, out);
        }
        tls_may_follow
    }

    fn wait_for_reply(&mut self, at: Timestamp, pending: Pending, context: Context<'_>, out: &mut Outbox) {
        if self.evict_pending(context) && !core::mem::replace(&mut self.too_many_pending_told, true) {
            let detail = format!("more than {} commands wait for a reply", context.limits.pending_commands);
            self.anomaly(at, Some(self.tx), AnomalyId::TooManyPending, &detail, out);
        }
        let behind_end = self.transfers.run_without_connection();
        self.pending.push(pending.behind_end(behind_end));
    }

    /// A command was not captured: one of the next replies is its.
    pub(super) fn unseen_command(&mut self, at: Timestamp, context: Context<'_>, out: &mut Outbox) {
        if !self.pending.ends_unseen() {
            out.lose_if(self.evict_pending(context), "unseen_commands_full");
            self.pending.push_unseen(at);
        }
    }

    /// So many commands were counted: the next replies are theirs.
    pub(super) fn commands_unread(
        &mut self,
        at: Timestamp,
        count: u32,
        context: Context<'_>,
        out: &mut Outbox,
    ) {
        if !self.pending.ends_unseen() {
            out.lose_if(self.evict_pending(context), "unseen_commands_full");
        }
        self.pending.push_unread(at, count);
    }

    /// Makes room for one more waiting command. True if the cap was reached.
    fn evict_pending(&mut self, context: Context<'_>) -> bool {
        let full = self.pending.len() >= context.limits.pending_commands;
        while self.pending.len() >= context.limits.pending_commands.max(1) {
            self.pending.evict_oldest();
        }
        full
    }

    fn begin_transfer(
        &mut self,
        at: Timestamp,
        command: &Command<'_>,
        direction: FileDirection,
        said: &Said,
        context: Context<'_>,
        out: &mut Outbox,
    ) {
        self.allowance.charge();
        let basis = self.remote.basis_now(self.tx, command, direction);
        let part = command.part();
        let restart = self.take_restart(direction);
        let restart = part.as_ref().map_or(restart, |part| Restart::part(part.offset));
        let mut request = Request {
            tx: self.tx,
            at,
            verb: Some(said.name.clone()),
            direction: Some(direction),
            arg: said.text.clone(),
            path: None,
            restart,
            part_len: part.and_then(|part| part.len),
            offset_lost: part.is_none() && self.missed.commands != self.missed_before_transfer,
            missed: self.missed,
            representation: None,
            due: Due::default(),
        };
        if direction != FileDirection::Listing {
            self.missed_before_transfer = self.missed.commands;
        }
        request.set_basis(basis);
        if self.transfers.open().len() >= context.limits.open_transfers {
            let session = SessionRef::new(&self.identity, &self.logins, &self.allowance);
            self.transfers.evict_oldest(at, session, out);
        }
        // What was missing before the latest announcement says nothing of endpoints.
        let all_read = self.all_read || self.transfers.all_read_since_announced();
        if !all_read {
            self.transfers.disown_spent(at);
        }
        // The connection of the transfer before may serve this one as well.
        let parameters = self.remote.parameters();
        let one_each = if self.all_read { !parameters.keeps_connection() } else { parameters.is_stream() };
        let connection_due = all_read && one_each;
        // Once something is missing, so may be the reply: the endpoint of before is not this one's either.
        let endpoint_due = self.pending.awaits_endpoint((!all_read).then_some(self.announced_by));
        let source = self.transfers.begin(request, connection_due, endpoint_due);
        if source != DataSource::Unknown {
            // In stream mode the end of a file is that of its connection: the server may open another one.
            let may_have_another = source == DataSource::OpenConnection;
            if connection_due && (may_have_another || self.transfers.may_use_default(self.tx)) {
                self.expect_at_default_port(at, out);
            }
            return;
        }
        if !all_read {
            out.effects.push(Effect::EndpointMissed { at });
        } else if connection_due && !endpoint_due {
            self.expect_at_default_port(at, out);
            let detail = format!("{} without PASV, PORT or their like before it", said.name);
            self.anomaly(at, Some(self.tx), AnomalyId::TransferWithoutEndpoint, &detail, out);
        }
    }

    /// The offset for a transfer command. It stays where the command is a listing.
    fn take_restart(&mut self, direction: FileDirection) -> Restart {
        if direction != FileDirection::Listing {
            return self.restart.take().map_or_else(Restart::default, |restart| *restart);
        }
        let Some(restart) = self.restart.as_deref_mut() else { return Restart::default() };
        let listing = restart.for_listing();
        *restart = restart.kept();
        listing
    }

    fn announced_by_client(&mut self, at: Timestamp, command: &Command<'_>, out: &mut Outbox) {
        let arg = command.whole_arg().unwrap_or_default();
        let tx = self.tx;
        match Announced::in_command(command.verb, arg) {
            Some((via, Ok(endpoint))) => self.announce(at, tx, via, endpoint, out),
            Some((_, Err(error))) => {
                self.anomaly(at, Some(tx), AnomalyId::BadEndpoint, &error.to_string(), out);
            }
            None => {
                let mut stripes = Announced::stripes(arg);
                for endpoint in stripes.by_ref().take(STRIPES_MAX) {
                    self.announce(at, tx, Via::Spor, endpoint, out);
                }
                out.lose_if(stripes.next().is_some(), "stripes_full");
            }
        }
    }

    pub(super) fn tell_login(&self, at: Timestamp, login: Option<Login>, out: &mut Outbox) {
        if let Some(login) = login {
            self.tell(at, EventKind::Login(login), out);
        }
    }
}

/// A command as events have it.
struct Said {
    name: SmolStr,
    text: Option<SmolStr>,
    hex: Option<Box<str>>,
    /// Its line, or a part of it, is a secret.
    has_secret: bool,
    /// All of it may be a secret.
    is_hidden: bool,
}

impl Said {
    /// A line that may be a secret as a whole.
    fn hidden(line: &[u8], context: Context<'_>) -> Self {
        let name = context.secrets.render(line, Text::from_bytes(line).text);
        Self { name, text: None, hex: None, has_secret: true, is_hidden: true }
    }

    fn new(command: &Command<'_>, places: &Places<'_>, context: Context<'_>) -> Self {
        let name = command.verb.spelt(places.name.0);
        let has_secret = places.has_secret();
        let Some(arg) = command.arg else {
            return Self { name, text: None, hex: None, has_secret, is_hidden: false };
        };
        match places.argument {
            None => {
                let Text { text, hex } = Text::from_bytes(arg);
                Self { name, text: Some(text), hex, has_secret, is_hidden: false }
            }
            Some((shown, secret)) => {
                let secret = context.secrets.render(secret, Text::from_bytes(secret).text);
                let text = if shown.is_empty() {
                    secret
                } else {
                    format_smolstr!("{}{secret}", Text::from_bytes(shown).text)
                };
                Self { name, text: Some(text), hex: None, has_secret, is_hidden: false }
            }
        }
    }
}
