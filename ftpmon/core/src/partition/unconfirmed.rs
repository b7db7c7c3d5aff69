//! The data connections of a partition that wait for permission to copy their bytes.

use super::stamp::Stamp;
use crate::addr::Endpoint;
use crate::flow::{FlowId, SessionRef};
use crate::session::EndpointId;

/// Data connections whose bytes may not be copied yet, the oldest first, and announcements that were confirmed since the last
/// exchange.
#[derive(Default)]
pub(super) struct Unconfirmed {
    pub(super) waiting: Vec<FlowId>,
    pub(super) confirmed: Vec<Confirmed>,
}

/// An announcement of a client that its server took.
pub(super) struct Confirmed {
    pub(super) stamp: Stamp,
    pub(super) listener: Endpoint,
    pub(super) session: SessionRef,
    pub(super) endpoint: EndpointId,
}
