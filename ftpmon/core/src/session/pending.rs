//! The commands that wait for their reply, and which of them a reply answers.
//!
//! Servers answer commands in their order (RFC 959 section 5.4), so a reply answers the oldest command that it *can* answer
//! ([`answers`](super::answers)). Commands before that one were not answered: they are *doubtful*, and forgotten when
//! [`UNANSWERED_MAX`] later commands have been answered. A transfer that has its preliminary reply is a second track beside the
//! dialogue: what is asked meanwhile may be answered before it, behind it, or never. If a reply was lost or cannot be read,
//! every command that it may have answered is doubtful. A reply that fits no command answers none, and shifts nothing.

mod doubts;
mod search;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::answers::{Fit, fit, fit_empty_line, fit_running, is_asked_during_transfers};
use super::transfer::CANNOT_CONNECT;
use crate::ftp::Verb;
use crate::time::Timestamp;

/// Commands that may have been answered. Stops each reply from being compared with a thousand of them.
const DOUBTFUL_MAX: usize = 128;

/// So many later commands are answered before an unanswered one is forgotten.
const UNANSWERED_MAX: u8 = 2;

/// One of so many commands that wait is evicted with the oldest.
const EVICTED_SHARE: usize = 32;

/// A command that waits for its final reply.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) tx: u64,
    pub(super) verb: Verb,
    /// As events have it.
    pub(super) name: SmolStr,
    /// As events have it: masked where it is a secret.
    pub(super) arg: Option<SmolStr>,
    pub(super) at: Timestamp,
    pub(super) intent: Intent,
    kind: PendingKind,
    doubt: Doubt,
    /// It has its preliminary reply.
    preliminary: bool,
    /// It was sent while a transfer waited for its final reply.
    during_transfer: bool,
    /// It was sent when the connection of the transfer that waited for its final reply had ended.
    behind_end: bool,
}

/// The change that a command makes when it succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// Nothing that a session keeps.
    None,
    /// AUTH for TLS.
    Tls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PendingKind {
    Command,
    /// Nothing but ends of lines: so many in a row.
    EmptyLine(u32),
    /// Commands that were not captured, or not read: so many in a row.
    Unseen(u32),
}

/// Whether a reply is still to be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    /// So many later commands were answered, and this one was not.
    Unanswered(u8),
    /// Its reply may have been lost.
    ReplyLost,
    /// Replies were lost while it waited alone: one of them was probably its own.
    AnsweredUnseen,
}

impl Pending {
    pub(super) fn new(
        tx: u64,
        verb: Verb,
        name: SmolStr,
        arg: Option<SmolStr>,
        at: Timestamp,
        intent: Intent,
    ) -> Self {
        let kind = PendingKind::Command;
        Self {
            tx,
            verb,
            name,
            arg,
            at,
            intent,
            kind,
            doubt: Doubt::None,
            preliminary: false,
            during_transfer: false,
            behind_end: false,
        }
    }

    /// It is sent when the connection of the transfer that waits for its final reply has ended.
    pub(super) fn behind_end(self, behind_end: bool) -> Self {
        Self { behind_end, ..self }
    }

    fn unseen(at: Timestamp) -> Self {
        let unnamed = Self::new(0, Verb::Other, SmolStr::default(), None, at, Intent::None);
        Self { kind: PendingKind::Unseen(1), ..unnamed }
    }

    fn empty_line(at: Timestamp) -> Self {
        let unnamed = Self::new(0, Verb::Other, SmolStr::default(), None, at, Intent::None);
        Self { kind: PendingKind::EmptyLine(1), ..unnamed }
    }

    /// It is no command, but a server may answer it.
    pub(super) fn is_empty_line(&self) -> bool {
        matches!(self.kind, PendingKind::EmptyLine(_))
    }

    /// A transfer, or something else that has its preliminary reply.
    fn runs(&self) -> bool {
        self.preliminary || self.is_transfer()
    }

    /// It stands for a command that was not captured.
    pub(super) fn is_unseen(&self) -> bool {
        matches!(self.kind, PendingKind::Unseen(_))
    }

    /// It stands for one command that was not captured. Of several the server may have answered fewer.
    fn is_one_unseen(&self) -> bool {
        self.kind == PendingKind::Unseen(1)
    }

    /// Its memory, bytes.
    fn bytes(&self) -> usize {
        size_of::<Self>() + 32 + self.name.len() + self.arg.as_ref().map_or(0, SmolStr::len)
    }

    fn is_sure(&self) -> bool {
        self.doubt == Doubt::None
    }

    fn is_transfer(&self) -> bool {
        self.verb.transfer().is_some()
    }

    fn fit(&self, code: u16) -> Fit {
        match self.kind {
            _ if self.preliminary => fit_running(code),
            PendingKind::Unseen(_) => Fit::Possible,
            PendingKind::EmptyLine(_) => fit_empty_line(code),
            // EPSV ALL sets an option (RFC 2428 section 4): 200, and servers are known that say 220.
            PendingKind::Command if self.verb == Verb::Epsv && self.has_arg("ALL") => match code {
                200 | 220 | 229 => Fit::Typical,
                _ => fit(Verb::Opts, code),
            },
            PendingKind::Command => fit(self.verb, code),
        }
    }

    fn has_arg(&self, wanted: &str) -> bool {
        self.arg.as_ref().is_some_and(|arg| arg.eq_ignore_ascii_case(wanted))
    }

    /// A reply's text has the verb's name in it.
    fn is_named_by(&self, text: &[u8]) -> bool {
        self.verb.name().filter(|name| name.len() > 3).is_some_and(|name| {
            let mut words = text.split(|byte| !byte.is_ascii_alphanumeric());
            words.any(|word| word.eq_ignore_ascii_case(name.as_bytes()))
        })
    }
}

/// The commands that wait, the oldest first. An idle session holds nothing here, and nearly always one command waits at a
/// time: it has its place in memory, and a list of several only where there are several.
#[derive(Debug, Default)]
pub(super) struct PendingCommands {
    queue: SmallVec<[Box<Pending>; 1]>,
    /// Memory of those that wait, bytes.
    bytes: usize,
    /// The number of those that run.
    running: usize,
    /// One was asked while another ran.
    asked_meanwhile: bool,
    /// The last final reply, and the verb that it answered.
    last: Option<(u16, Verb)>,
    /// Transfer commands that will not be answered any more.
    abandoned: SmallVec<[u64; 1]>,
    /// The last transfer command, where it was answered with 425.
    unconnected: Option<Box<Pending>>,
}

impl PendingCommands {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Memory of the commands that wait, bytes.
    pub(super) fn held(&self) -> usize {
        self.bytes
    }

    /// A command was sent.
    pub(super) fn push(&mut self, pending: Pending) {
        // Boxed first: it is copied once.
        let mut pending = Box::new(pending);
        let runs = self.running > 0;
        pending.during_transfer = runs;
        if !runs && core::mem::take(&mut self.asked_meanwhile) {
            // The client goes on behind the transfer without a reply to what it asked meanwhile.
            self.doubt_where(|waiting| waiting.during_transfer);
        }
        self.asked_meanwhile |= runs;
        self.add(pending);
    }

    /// Empty lines, which a server may answer. Those in a row are one.
    pub(super) fn push_empty_lines(&mut self, at: Timestamp, count: usize) {
        let more = u32::try_from(count).unwrap_or(u32::MAX);
        match self.queue.last_mut().map(|last| &mut last.kind) {
            Some(PendingKind::EmptyLine(lines)) => *lines = lines.saturating_add(more),
            _ if more == 0 => {}
            _ => self.push(Pending::empty_line(at)),
        }
    }

    fn add(&mut self, pending: Box<Pending>) {
        self.bytes += pending.bytes();
        self.running += usize::from(pending.runs());
        self.queue.push(pending);
    }

    /// One that waited is gone.
    fn forget(&mut self, gone: &Pending) {
        self.bytes = self.bytes.saturating_sub(gone.bytes());
        self.running = self.running.saturating_sub(usize::from(gone.runs()));
    }

    /// A command was not captured: one of the next replies is its.
    pub(super) fn push_unseen(&mut self, at: Timestamp) {
        if !self.ends_unseen() {
            self.add(Box::new(Pending::unseen(at)));
        }
    }

    /// So many commands were sent that nobody read: each of the next replies is one of theirs.
    pub(super) fn push_unread(&mut self, at: Timestamp, count: u32) {
        match self.queue.last_mut().map(|last| &mut last.kind) {
            Some(PendingKind::Unseen(commands)) => *commands = commands.saturating_add(count),
            _ if count == 0 => {}
            _ => {
                let unseen = Pending::unseen(at);
                self.add(Box::new(Pending { kind: PendingKind::Unseen(count), ..unseen }));
            }
        }
    }

    /// The last command that waits was not captured.
    pub(super) fn ends_unseen(&self) -> bool {
        self.queue.last().is_some_and(|last| last.is_unseen())
    }

    /// Evicts the oldest commands at the cap, some of many at once: those behind them move.
    pub(super) fn evict_oldest(&mut self) {
        let count = (self.queue.len() / EVICTED_SHARE).max(1).min(self.queue.len());
        let Self { queue, bytes, running, .. } = self;
        for gone in queue.drain(..count) {
            *bytes = bytes.saturating_sub(gone.bytes());
            *running = running.saturating_sub(usize::from(gone.runs()));
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Pending> {
        self.queue.get(index).map(Box::as_ref)
    }

    /// A command has a preliminary reply. A transfer that ran before ended: a session has one at a time.
    pub(super) fn begin(&mut self, index: usize) {
        let Some(pending) = self.queue.get_mut(index) else { return };
        if matches!(pending.kind, PendingKind::Unseen(2..)) {
            // One of them has it.
            return;
        }
        let ran = pending.runs();
        if !core::mem::replace(&mut pending.preliminary, true) {
            self.running += usize::from(!ran);
            self.retain_before(index, |older| !older.preliminary);
        } else if pending.is_sure() {
            // Servers are known that end a broken transfer with a second preliminary reply.
            pending.doubt = Doubt::Unanswered(0);
        }
    }

    /// A reply that answers no waiting command belongs to a transfer that was answered with 425: servers send that for a
    /// connection which they refused, and serve the next one. So does 426 before the reply to ABOR (RFC 959 section 4.1.3).
    pub(super) fn resume(&mut self, code: u16, waiting: Option<usize>) -> Option<usize> {
        let to_abort = |index| self.get(index).is_some_and(|it| it.verb == Verb::Abor && it.is_sure());
        if waiting.is_some_and(|index| code != 426 || !to_abort(index)) {
            return waiting;
        }
        let fits = |pending: &mut Box<Pending>| {
            pending.fit(code) == Fit::Typical
                && matches!(code, 125 | 150 | 226 | 250 | 426 | 450 | 451 | 452 | 550..=553)
        };
        let Some(resumed) = self.unconnected.take_if(fits) else { return waiting };
        self.bytes += resumed.bytes();
        self.running += usize::from(resumed.runs());
        self.queue.insert(0, resumed);
        Some(0)
    }

    pub(super) fn index_of(&self, tx: u64) -> Option<usize> {
        self.queue.iter().position(|pending| pending.tx == tx)
    }

    /// The first command that waits and came behind a transaction.
    pub(super) fn first_behind(&self, tx: u64) -> Option<&Pending> {
        self.queue.iter().map(|waiting| &**waiting).find(|waiting| waiting.tx > tx)
    }

    /// A command has its final reply.
    pub(super) fn complete(&mut self, index: usize, code: u16) -> Option<Box<Pending>> {
        self.last = Some((code, self.get(index)?.verb));
        if let Some(PendingKind::EmptyLine(lines @ 2..) | PendingKind::Unseen(lines @ 2..)) =
            self.queue.get_mut(index).map(|pending| &mut pending.kind)
        {
            *lines -= 1;
            return None;
        }
        let completed = self.queue.remove(index);
        self.forget(&completed);
        let beside_transfers = completed.is_empty_line() || is_asked_during_transfers(completed.verb);
        // A server that has a new endpoint is through with the transfer before it.
        let of_endpoint = completed.verb.asks_for_endpoint() || completed.verb.announces_endpoint();
        if code == CANNOT_CONNECT && completed.is_transfer() {
            self.unconnected = Some(completed.clone());
        } else if of_endpoint || completed.is_transfer() {
            self.unconnected = None;
        }
        // A server that has a new endpoint, or has aborted, is through with the transfer before. So is one that answers what was said
        // behind ABOR, or when the transfer had no connection any more.
        let abort_waits = self.queue.iter().take(index).any(|older| older.verb == Verb::Abor);
        let ends_transfers = (code < 400 && (of_endpoint || completed.verb == Verb::Abor))
            || ((abort_waits || completed.behind_end) && !beside_transfers);
        self.retain_before(index, |older| {
            let unanswered = match older.doubt {
                Doubt::ReplyLost | Doubt::AnsweredUnseen => return false,
                _ if older.is_unseen() => return false,
                // Servers answer it at once or not at all.
                _ if older.is_empty_line() => return false,
                Doubt::None if older.preliminary && ends_transfers => 0,
                Doubt::None if older.preliminary => return true,
                _ if beside_transfers && older.is_transfer() => return true,
                Doubt::None => 1,
                Doubt::Unanswered(count) => count + 1,
            };
            older.doubt = Doubt::Unanswered(unanswered);
            unanswered < UNANSWERED_MAX
        });
        if index > DOUBTFUL_MAX {
            self.forget_oldest_doubtful();
        }
        if self.queue.is_empty() {
            self.queue = SmallVec::new();
        }
        Some(completed)
    }

    /// Transfer commands that will not be answered any more.
    pub(super) fn take_abandoned(&mut self) -> SmallVec<[u64; 1]> {
        core::mem::take(&mut self.abandoned)
    }

    fn retain_before(&mut self, end: usize, mut keep: impl FnMut(&mut Pending) -> bool) {
        if end == 0 {
            return;
        }
        let mut index = 0;
        let Self { abandoned, bytes, running, .. } = self;
        self.queue.retain(|pending| {
            let kept = index >= end || keep(pending);
            index += 1;
            if !kept {
                *bytes = bytes.saturating_sub(pending.bytes());
                *running = running.saturating_sub(usize::from(pending.runs()));
            }
            if !kept && pending.is_transfer() {
                abandoned.push(pending.tx);
            }
            kept
        });
    }
}

#[cfg(test)]
mod tests;
