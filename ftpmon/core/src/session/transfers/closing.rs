//! Transfers whose connections are over before their replies say so.

use super::Transfers;
use crate::session::data::{ConnectionId, EndpointId};

impl Transfers {
    /// A transfer has begun, its connection has ended, and its final reply was not seen.
    pub(in crate::session) fn run_without_connection(&self) -> bool {
        self.open.iter().any(|transfer| transfer.runs_without_connection())
    }

    /// A connection is about to end, or it is not, after all.
    pub(in crate::session) fn closing(
        &mut self,
        id: EndpointId,
        connection: ConnectionId,
        closing: bool,
        moved: bool,
    ) {
        if let Some(announced) = self.announced(id, connection) {
            announced.contenders.closing(connection, closing, moved);
        }
    }
}
