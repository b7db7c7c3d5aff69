//! The search for the command that a reply answers.

use super::super::answers::{Fit, is_asked_during_transfers, is_distinctive};
use super::super::transfer::CANNOT_CONNECT;
use super::{DOUBTFUL_MAX, Pending, PendingCommands};
use crate::ftp::Verb;

/// The oldest commands that a reply is compared with: those that are doubtful, and as many without doubt as one looks ahead. Stops replies
/// that fit none of a thousand.
const OLDEST_MAX: usize = DOUBTFUL_MAX + 64;

/// The newest commands that are looked at: a reply is compared with them where servers answered none of the oldest.
const NEWEST_MAX: usize = 64;

impl PendingCommands {
    /// PASV or its like waits for its reply. `after`: where that may be lost, it was sent behind this command.
    pub(in super::super) fn awaits_endpoint(&self, after: Option<u64>) -> bool {
        let mut newest = self.queue.iter().rev().take(NEWEST_MAX);
        newest.any(|it| it.verb.asks_for_endpoint() && after.map_or(it.is_sure(), |after| it.tx > after))
    }

    /// A reply was given to one of transfers that may all have it: replies were lost, and no order tells which.
    pub(in super::super) fn may_be_anothers(&self, index: usize, code: u16) -> bool {
        let Some(own) = self.get(index).filter(|own| !own.is_sure() && own.is_transfer()) else {
            return false;
        };
        let fit = own.fit(code);
        // A transfer and the ABOR that ends it have a reply each.
        let is_like_it = |it: &Pending| it.is_transfer() || it.verb == Verb::Abor;
        let mut others = self.compared().filter(|(other, it)| *other != index && is_like_it(it));
        others.any(|(_, other)| !other.is_sure() && other.fit(code) == fit)
    }

    /// The waiting command that a reply answers; none where it can answer none of them.
    pub(in super::super) fn answered_by(&self, code: u16, text: &[u8]) -> Option<usize> {
        let (sure, doubtful) = (self.oldest_sure(code, text), self.best_doubtful(code));
        let (Some(sure), Some(doubtful)) = (sure, doubtful) else {
            return sure.or(doubtful).map(|(index, _)| index).or_else(|| self.oldest_odd(code));
        };
        Some(if self.prefers_doubtful(sure, doubtful, code, text) { doubtful.0 } else { sure.0 })
    }

    /// The oldest command without doubt that can be answered so.
    fn oldest_sure(&self, code: u16, text: &[u8]) -> Option<(usize, Fit)> {
        let mut fitting = self
            .sure()
            .map(|(index, pending)| (index, pending, pending.fit(code)))
            .filter(|(_, _, fit)| *fit >= Fit::Possible);
        let (index, oldest, fit) = fitting.next()?;
        if let Some(odd) = self.odd_before(index, code).filter(|_| oldest.verb == Verb::Other) {
            return Some((odd, Fit::Possible));
        }
        let other = if matches!(code, 125 | 150) && oldest.preliminary {
            // The transfer before it ended, though its final reply was not seen.
            fitting.find(|(_, pending, _)| pending.is_transfer() && !pending.preliminary)
        } else if code == 200
            && !oldest.is_unseen()
            && may_stay_unanswered(oldest)
            && !oldest.is_named_by(text)
        {
            fitting.find(|(_, pending, _)| pending.verb != Verb::Mode && pending.is_named_by(text))
        } else if fit == Fit::Possible && !oldest.is_one_unseen() && is_distinctive(code) {
            fitting.find(|(_, pending, fit)| *fit == Fit::Typical || pending.is_one_unseen())
        } else {
            None
        };
        Some(other.map_or((index, fit), |(index, _, fit)| (index, fit)))
    }

    /// A command before another one that a server may answer with a code of its own, and does not leave unanswered. So it is likelier to
    /// have the code than one of which nothing is known.
    fn odd_before(&self, index: usize, code: u16) -> Option<usize> {
        let mut older = self.sure().take_while(|(older, _)| *older < index);
        // A login is not answered with what another command asked for.
        let is_anothers = |pending: &Pending| pending.verb.is_login() && is_distinctive(code);
        let odd = |pending: &Pending| {
            let fits = pending.fit(code) == Fit::Odd && !may_stay_unanswered(pending);
            // What is asked while a transfer runs is answered before its end.
            fits && !pending.preliminary && !is_anothers(pending)
        };
        older.find(|(_, pending)| code < 300 && odd(pending)).map(|(older, _)| older)
    }

    /// A command without doubt that servers do answer, and not with this code, waits before another one: replies come in order.
    pub(super) fn is_behind_another(&self, index: usize, code: u16) -> bool {
        let mut older = self.sure().take_while(|(older, _)| *older < index);
        older.any(|(_, it)| !it.preliminary && it.fit(code) <= Fit::Odd && !may_stay_unanswered(it))
    }

    /// The doubtful command that fits best, among equals the oldest.
    fn best_doubtful(&self, code: u16) -> Option<(usize, Fit)> {
        self.compared()
            .filter(|(_, pending)| !pending.is_sure())
            .map(|(index, pending)| (index, pending.fit(code)))
            .filter(|(_, fit)| *fit >= Fit::Possible)
            .max_by_key(|(index, fit)| (*fit, core::cmp::Reverse(*index)))
    }

    /// The oldest command where a server may use a code of its own. A code that repeats the last one is a reply too many.
    fn oldest_odd(&self, code: u16) -> Option<usize> {
        if self.last.is_some_and(|(last, _)| last == code) {
            return None;
        }
        self.sure().find(|(_, pending)| pending.fit(code) == Fit::Odd).map(|(index, _)| index)
    }

    /// The running transfer that has ended so, where its connection is over: servers are known that repeat the code of their last reply then.
    pub(in super::super) fn ended_oddly(&self, code: u16) -> Option<usize> {
        let mut running = self.sure().filter(|(_, pending)| pending.preliminary);
        running.find(|(_, pending)| pending.fit(code) == Fit::Odd && code >= 400).map(|(index, _)| index)
    }

    fn sure(&self) -> impl Iterator<Item = (usize, &Pending)> {
        self.compared().filter(|(_, pending)| pending.is_sure())
    }

    /// The commands that a reply is compared with.
    fn compared(&self) -> impl Iterator<Item = (usize, &Pending)> {
        let head = self.queue.len().min(OLDEST_MAX);
        let tail = self.queue.len().saturating_sub(NEWEST_MAX).max(head);
        let all = |from: usize, to: usize| {
            let some = self.queue.get(from..to).unwrap_or_default();
            some.iter().enumerate().map(move |(index, pending)| (from + index, pending.as_ref()))
        };
        all(0, head).chain(all(tail, self.queue.len()))
    }

    /// The empty line before a command that was not answered, and may be by this reply.
    pub(in super::super) fn empty_line_before(&self, index: usize, code: u16) -> Option<usize> {
        let mut older = self.compared().take_while(|(older, _)| *older < index);
        let fits = |it: &Pending| it.is_empty_line() && it.fit(code) == Fit::Typical;
        older.find(|(_, it)| fits(it)).map(|(older, _)| older)
    }

    /// A reply that would answer a command repeats the error that answered another one before: it may be a reply too many. Or an empty line
    /// before it may have it.
    pub(in super::super) fn is_repeated(&self, index: usize, code: u16, text: &[u8]) -> bool {
        let is_named = self.get(index).is_some_and(|own| own.is_named_by(text));
        if !is_named && self.empty_line_before(index, code).is_some() {
            return true;
        }
        if self.is_notice(index, code) {
            return true;
        }
        self.get(index).zip(self.last).is_some_and(|(pending, (last, verb))| {
            let odd = pending.preliminary && pending.fit(code) == Fit::Odd;
            let own = pending.is_sure() && (!pending.preliminary || odd) && !pending.is_unseen();
            code >= 400 && last == code && verb != pending.verb && own
        })
    }

    /// 425 to a command that moves nothing: servers send it unasked for a connection of a stranger that they turned down, and it may cross the
    /// command.
    fn is_notice(&self, index: usize, code: u16) -> bool {
        code == CANNOT_CONNECT
            && self
                .get(index)
                .is_some_and(|it| it.is_sure() && !it.runs() && !it.is_unseen() && !it.is_empty_line())
    }

    /// A command, of whose error that is not certain, is answered by this reply rather than another one.
    pub(in super::super) fn is_answered_after_all(
        &self,
        index: usize,
        error: u16,
        code: u16,
        text: &[u8],
    ) -> bool {
        let notice = self.is_notice(index, error) && code != error;
        // Where a command behind it can have this reply as well, each has one.
        let allowed = if notice { Fit::Typical } else { Fit::Possible };
        let mut others = self.sure().filter(|(other, _)| *other != index);
        (code < 400 || notice)
            && self.answered_by(code, text) == Some(index)
            && others.all(|(_, pending)| pending.fit(code) < allowed)
    }
}

/// Servers are known that do not answer it.
fn may_stay_unanswered(pending: &Pending) -> bool {
    pending.is_empty_line() || pending.verb == Verb::Other || is_asked_during_transfers(pending.verb)
}
