//! The messages between partitions.

use super::stamp::Stamp;
use crate::addr::Endpoint;
use crate::endpoints::Claim;
use crate::flow::{FlowId, SessionRef};
use crate::session::{DataSummary, EndpointId};
use crate::time::Timestamp;

/// A data connection, wherever it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionRef {
    /// Number of the partition that owns it.
    pub(crate) partition: u8,
    pub(crate) flow: FlowId,
}

/// A message.
#[derive(Clone, Debug)]
pub(crate) enum Mail {
    /// To all: a session announced an endpoint to which hosts outside its pair may connect.
    Announced { listener: Endpoint, claim: Claim },
    /// To all: it waits no longer.
    Retracted { listener: Endpoint, claim: Claim },
    /// To the session's partition: a connection between other hosts fulfils its announcement.
    DataOpened { session: SessionRef, endpoint: EndpointId, at: Timestamp, connection: ConnectionRef },
    /// To the connection's partition: the announcement is another connection's.
    Refused { connection: ConnectionRef, session: SessionRef, endpoint: EndpointId },
    /// To the session's partition: that connection ended.
    DataEnded { session: SessionRef, endpoint: EndpointId, at: Timestamp, summary: Box<DataSummary> },
}

/// A message with its sender's place in the order of all.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) stamp: Stamp,
    pub(crate) mail: Mail,
}
