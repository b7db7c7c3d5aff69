//! Requests to the look-up thread, its answers and its counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ftpmon_event::LocalProcess;
use ftpmon_event::addr::Endpoint;

use super::addresses::Scopes;
use super::processes::ProcessCounters;

/// Look-ups that may be repeated at a time; a further one gets the answer known so far.
pub const PENDING_MAX: usize = 1_024;

/// A request to the look-up thread.
pub(super) enum Request {
    /// An endpoint was announced.
    Listener(Endpoint, Scopes),
    /// Look up the owners of a connection's ends, the initiator's and the listener's. One that is not this host's may be that of another
    /// network namespace.
    Connection { ticket: u64, initiator: Endpoint, listener: Endpoint, own: [Scopes; 2], youngest: bool },
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The request's ticket.
    pub ticket: u64,
    /// The owner of the end that sent the SYN.
    pub initiator: Option<Arc<LocalProcess>>,
    /// The owner of the other end.
    pub listener: Option<Arc<LocalProcess>>,
}

/// Counters of the thread.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) waiting: AtomicU64,
    /// Processes of other network namespaces have sockets.
    pub(super) others: AtomicBool,
    pub(super) scans: AtomicU64,
    pub(super) unreadable: AtomicU64,
}

impl Shared {
    pub(super) fn update(&self, counters: &ProcessCounters) {
        self.scans.store(counters.scans, Ordering::Relaxed);
        self.unreadable.store(counters.unreadable, Ordering::Relaxed);
    }
}
