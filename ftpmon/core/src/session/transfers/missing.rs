//! The effect of missing lines on the transfers of a session.

use super::Transfers;
use crate::event::Mode;
use crate::session::data::{Contact, EndpointId};
use crate::session::transfer::{Announced, Request, Transfer};
use crate::time::Timestamp;

impl Transfers {
    /// Bytes of the dialogue are missing, as is known at `at`.
    pub(in crate::session) fn note_missing(&mut self, at: Timestamp) {
        self.missing_told = self.missing_told.max(at);
        for transfer in self.open.iter_mut().filter(|transfer| transfer.announced.is_none()) {
            transfer.endpoint_lost |= transfer.request.tx != 0 && !transfer.shares_connection;
        }
    }

    /// An endpoint was announced behind the last missing bytes, and known at once: what is in force since is known.
    pub(in crate::session) fn all_read_since_announced(&self) -> bool {
        self.in_force_since > self.missing_told
    }

    /// The endpoint that a connection comes to. One of an unexpected host may be known late: of several transfers that the endpoint serves, it is the
    /// latest one's that was asked for by then.
    pub(in crate::session) fn contacted_at(
        &mut self,
        at: Timestamp,
        id: EndpointId,
        contact: Contact,
        expected: &impl Fn(Mode) -> bool,
    ) -> Option<&mut Announced> {
        let its = |announced: &Announced| announced.id == id;
        let serves = |it: &Transfer| it.announced.as_deref().is_some_and(its);
        if self.open.len() > 1 && !self.current.as_deref().is_some_and(its) {
            let is_known = |it: &Transfer| {
                it.announced.as_deref().is_some_and(|it| its(it) && it.contenders.knows(contact.connection))
            };
            let is_expected = |it: &Transfer| {
                let mode = it.announced.as_deref().and_then(|it| it.mode_at(contact.listener.port));
                expected(mode.unwrap_or(Mode::Passive))
            };
            let asked = |it: &Transfer| serves(it) && !is_expected(it) && it.request.at <= at;
            if !self.open.iter().any(|it| is_known(it))
                && let Some(place) = self.open.iter().rposition(|it| asked(it))
            {
                return self.open.get_mut(place)?.announced.as_deref_mut();
            }
        }
        self.announced(id, contact.connection)
    }

    /// A reply to the transfer of `tx` may be another command's.
    pub(in crate::session) fn doubt(&mut self, tx: u64) {
        if let Some(transfer) = self.by_command(tx) {
            transfer.doubtful = true;
        }
    }

    /// A transfer began whose command was lost: it has the endpoint that was announced last.
    pub(in crate::session) fn spend(&mut self, at: Timestamp) {
        if let Some(current) = self.current.take() {
            let decided_at = Some(at);
            let transfer = Transfer { decided_at, ..Transfer::new(Request::default(), Some(current)) };
            self.open.push(Box::new(transfer));
        }
    }
}
