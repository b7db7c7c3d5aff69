//! Transfers of a dialogue of which bytes are missing: what was lost may have changed whose endpoint and whose reply is whose.

use super::Transfers;
use crate::session::transfer::{Request, Transfer};
use crate::time::Timestamp;

impl Transfers {
    /// Bytes of the dialogue are missing, as is known at `at`.
    pub(in crate::session) fn note_missing(&mut self, at: Timestamp) {
        self.missing_told = self.missing_told.max(at);
        for transfer in self.open.iter_mut().filter(|transfer| transfer.announced.is_none()) {
            transfer.endpoint_lost |= transfer.request.tx != 0 && !transfer.shares_connection;
        }
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
