//! The messages between partitions.

use super::stamp::Stamp;
use crate::addr::Endpoint;
use crate::endpoints::Claim;
use crate::flow::SessionRef;
use crate::session::{ConnectionId, Contact, DataSummary, EndpointId};
use crate::time::Timestamp;

/// A message.
#[derive(Clone, Debug)]
pub(crate) enum Mail {
    /// To all: a session announced an endpoint to which hosts outside its pair may connect.
    Announced { said: Timestamp, listener: Endpoint, claim: Claim },
    /// To all: a connection to it came, which need not be the one that was meant.
    Contacted { listener: Endpoint, claim: Claim },
    /// To all: an endpoint was announced and is used by now, and in the same batch somebody connected to its port.
    Passed { listener: Endpoint, claim: Claim },
    /// To all: the server took what its client announced.
    Confirmed { listener: Endpoint, session: SessionRef, endpoint: EndpointId },
    /// To all: it waits no longer.
    Retracted { listener: Endpoint, claim: Claim },
    /// To the session's partition: a connection between other hosts came to its endpoint, or was established.
    DataOpened { session: SessionRef, endpoint: EndpointId, at: Timestamp, contact: Contact },
    /// To the connection's partition: the announcement is another connection's.
    Refused { connection: ConnectionId, session: SessionRef, endpoint: EndpointId },
    /// To the session's partition: that connection ended.
    DataEnded {
        session: SessionRef,
        endpoint: EndpointId,
        at: Timestamp,
        connection: ConnectionId,
        summary: Box<DataSummary>,
    },
}

/// An announcement that may be posted at the next exchange.
pub(super) struct Saying {
    pub(super) stamp: Stamp,
    pub(super) said: Timestamp,
    pub(super) listener: Endpoint,
    pub(super) claim: Claim,
}

/// A message with its sender's place in the order of all.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) stamp: Stamp,
    pub(crate) mail: Mail,
}
