//! The state of one pair of hosts.

use smallvec::SmallVec;

use super::services::Services;
use super::window::Window;
use crate::flow::FlowId;
use crate::time::Timestamp;

/// The state of two hosts. Most pairs have sessions and announcements only; the rest is boxed.
#[derive(Debug, Default)]
pub(crate) struct PairState {
    /// Sessions between the hosts. Counted where files are wanted.
    pub(crate) sessions: u32,
    /// When one of them last sent something. Kept where files are wanted.
    pub(crate) spoke: Timestamp,
    /// Announced endpoints of these sessions that wait for a connection.
    pub(crate) claims: u32,
    /// Connections that may turn out to be data connections, in the order in which they were opened.
    pub(super) unclaimed: SmallVec<[FlowId; 2]>,
    /// More of them were opened than are kept.
    pub(super) crowded: bool,
    pub(super) rare: Option<Box<Rare>>,
}

/// The parts of the state that few pairs of hosts have.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// Sessions that cannot be read. The one that sent something last comes last.
    pub(super) unreadable: Vec<FlowId>,
    /// Inference candidates, in the order in which they were opened.
    pub(super) candidates: Vec<FlowId>,
    /// Times in which sessions may have sent something that was not seen.
    pub(super) windows: Vec<Window>,
    /// Listeners whose first bytes are those of another protocol.
    pub(super) foreign: Services,
    /// Listeners that take and send bytes on one connection, as no data connection in clear text does.
    pub(super) answering: Services,
}

impl PairState {
    /// Nothing is known but perhaps listeners of other protocols.
    pub(super) fn is_idle(&self) -> bool {
        let rare_is_idle =
            |rare: &Rare| rare.unreadable.is_empty() && rare.candidates.is_empty() && rare.windows.is_empty();
        self.sessions == 0
            && self.claims == 0
            && self.unclaimed.is_empty()
            && self.rare.as_deref().is_none_or(rare_is_idle)
    }

    /// Nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        let no_services = |rare: &Rare| rare.foreign.is_empty() && rare.answering.is_empty();
        self.is_idle() && self.rare.as_deref().is_none_or(no_services)
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}
