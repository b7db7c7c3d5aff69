//! Commands of which it is doubtful whether they will be answered.

use super::{DOUBTFUL_MAX, Doubt, Fit, Pending, PendingCommands, PendingKind};
use crate::ftp::Verb;

impl PendingCommands {
    /// Of a command without doubt and a doubtful one, each with its fit, whether the latter has the reply.
    pub(super) fn prefers_doubtful(
        &self,
        (sure, fit_of_sure): (usize, Fit),
        (doubtful, fit_of_doubtful): (usize, Fit),
        code: u16,
        text: &[u8],
    ) -> bool {
        let (Some(sure_one), Some(doubtful_one)) = (self.get(sure), self.get(doubtful)) else { return false };
        if doubtful < sure && doubtful_one.doubt == Doubt::AnsweredUnseen {
            return false;
        }
        // Any command can have the error that answers an empty line.
        if doubtful_one.is_empty_line() {
            return false;
        }
        // ABOR behind the end of its transfer, rather than a command before which another one is still to be answered.
        if doubtful_one.verb == Verb::Abor
            && fit_of_doubtful == Fit::Typical
            && doubtful < sure
            && self.is_behind_another(sure, code)
        {
            return true;
        }
        // What was not answered in a transfer is not by a reply that names another command.
        if sure_one.is_named_by(text) && !doubtful_one.is_named_by(text) {
            return false;
        }
        // A server that is through with a transfer refuses what was asked behind it.
        if doubtful_one.preliminary && doubtful < sure && matches!(code, 425 | 450 | 550..=553) {
            return false;
        }
        // 211 is a "system status, or system help reply" (RFC 959 section 4.2.2): servers answer STAT with it, and HELP with 214.
        let status = code == 211 && (doubtful_one.verb, sure_one.verb) == (Verb::Stat, Verb::Help);
        fit_of_doubtful > fit_of_sure
            || (fit_of_doubtful == fit_of_sure
                && (status || (doubtful_one.is_named_by(text) && !sure_one.is_named_by(text))))
    }

    /// Replies were lost: any command that waits may have been answered.
    pub(in super::super) fn doubt_all(&mut self) {
        let doubt = match self.queue.as_slice() {
            [only] if only.is_sure() && !only.runs() && only.kind == PendingKind::Command => {
                Doubt::AnsweredUnseen
            }
            _ => Doubt::ReplyLost,
        };
        self.queue.iter_mut().for_each(|pending| pending.doubt = doubt);
        self.forget_oldest_doubtful();
    }

    /// A reply that cannot be read was probably meant for the oldest command.
    pub(in super::super) fn doubt_oldest(&mut self) {
        if let Some(pending) = self.queue.iter_mut().find(|pending| pending.doubt == Doubt::None) {
            pending.doubt = Doubt::ReplyLost;
        }
    }

    /// Servers answer a transfer and the ABOR that ended it with two replies or with one.
    pub(in super::super) fn doubt_aborts(&mut self) {
        self.doubt_where(|pending| pending.verb == Verb::Abor);
    }

    pub(super) fn doubt_where(&mut self, wanted: impl Fn(&Pending) -> bool) {
        for pending in self.queue.iter_mut().filter(|it| it.doubt == Doubt::None && wanted(it)) {
            pending.doubt = Doubt::Unanswered(0);
        }
        self.forget_oldest_doubtful();
    }

    /// Keeps the newest commands that may have been answered.
    pub(super) fn forget_oldest_doubtful(&mut self) {
        if self.queue.len() <= DOUBTFUL_MAX {
            return;
        }
        let doubtful = self.queue.iter().filter(|pending| !pending.is_sure()).count();
        let mut excess = doubtful.saturating_sub(DOUBTFUL_MAX);
        if excess > 0 {
            self.retain_before(usize::MAX, |pending| {
                let forgets = excess > 0 && !pending.is_sure();
                excess -= usize::from(forgets);
                !forgets
            });
        }
    }
}
