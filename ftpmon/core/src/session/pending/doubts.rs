//! Commands of which it is doubtful whether they will be answered.

use super::{Doubt, Pending, PendingCommands};
use crate::ftp::Verb;

impl PendingCommands {
    /// Replies were lost: any command that waits may have been answered.
    pub(in super::super) fn doubt_all(&mut self) {
        self.queue.iter_mut().for_each(|pending| pending.doubt = Doubt::ReplyLost);
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
    }
}
