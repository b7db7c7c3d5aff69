//! The connections that came to one announced endpoint, and which of them its transfer had.
//!
//! Anybody may connect to an endpoint: a scanner, a stranger who wants the file, the client twice. The transfer's connection is
//! the one that carried bytes its way; of several, or of none, one that the expected host opened.

use core::mem;

use smallvec::SmallVec;

use super::data::{ConnectionId, Contact, DataSummary};
use crate::account::Side;
use crate::addr::Endpoint;
use crate::event::{FileDirection, Mode};
use crate::fill::Fills;
use crate::time::Timestamp;
use crate::timing::DISORDER_NS;

/// Connections to one endpoint that are considered. Stops a flood of connections to it.
const CONTENDERS_MAX: usize = 8;

/// The state of an announced endpoint.
#[derive(Debug)]
pub(super) enum DataState<'a> {
    /// No connection yet.
    Waiting,
    /// A connection is open.
    Open,
    /// A connection came and ended.
    Ended(&'a DataSummary),
}

#[derive(Debug)]
enum Stage {
    Open {
        established: bool,
        /// Both ends closed it, or one reset it: late packets are waited for.
        closing: bool,
        /// It had carried something when that was told.
        moved: bool,
    },
    Ended(Box<DataSummary>),
}

/// A connection to an endpoint.
#[derive(Debug)]
struct Contender {
    connection: ConnectionId,
    initiator: Endpoint,
    opened: Timestamp,
    /// The expected host opened it.
    expected: bool,
    /// The end that listens.
    mode: Option<Mode>,
    stage: Stage,
}

/// The likelihood that a connection is the transfer's: the greater the more. An earlier field outweighs all later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// It carried bytes in the transfer's direction.
    moved: bool,
    established: bool,
    /// The server called the transfer complete, its sender ended the connection in order, and the server did not reset it.
    finished: bool,
    /// The expected host opened it.
    expected: bool,
    open: bool,
    /// It carried bytes in any direction.
    moved_any: bool,
    not_reset: bool,
}

impl Contender {
    /// The end that is to send, by the direction of the transfer; none if either may.
    fn sender(&self, direction: Option<FileDirection>) -> Option<Side> {
        let server = match self.mode? {
            Mode::Passive => Side::Listener,
            Mode::Active => Side::Initiator,
        };
        Some(if direction? == FileDirection::Upload { server.other() } else { server })
    }

    fn rank(&self, direction: Option<FileDirection>, completed: bool) -> Rank {
        match &self.stage {
            &Stage::Open { established, .. } => Rank {
                moved: false,
                established,
                finished: false,
                expected: self.expected,
                open: true,
                moved_any: false,
                not_reset: true,
            },
            Stage::Ended(summary) => {
                let sent = |side| summary.from_side(side).bytes > 0;
                let moved = self.sender(direction).map_or_else(|| summary.has_moved(), sent);
                let reset = summary.from_initiator.rst || summary.from_listener.rst;
                let server = self.sender(Some(FileDirection::Download));
                let rejected = server.is_some_and(|server| summary.from_side(server).rst);
                let sender = self.sender(direction).filter(|_| completed && !rejected);
                Rank {
                    moved,
                    established: true,
                    finished: sender.is_some_and(|sender| summary.from_side(sender).fin),
                    expected: self.expected,
                    open: false,
                    moved_any: summary.has_moved(),
                    not_reset: !reset,
                }
            }
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open { .. })
    }

    fn is_established(&self) -> bool {
        !matches!(self.stage, Stage::Open { established: false, .. })
    }

    fn has_moved(&self) -> bool {
        match &self.stage {
            Stage::Open { moved, .. } => *moved,
            Stage::Ended(summary) => summary.has_moved(),
        }
    }

    /// It ended, but for late packets.
    fn is_over(&self) -> bool {
        !matches!(self.stage, Stage::Open { closing: false, .. })
    }
}

/// A host that was not expected and connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stranger {
    pub(super) initiator: Endpoint,
    /// The transfer had its connection.
    pub(super) chosen: bool,
}

/// The connection that the transfer of an endpoint had, and the others.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) summary: Option<Box<DataSummary>>,
    /// Open connections that it did not have.
    pub(super) turned_down: SmallVec<[ConnectionId; 1]>,
    pub(super) strangers: Vec<Stranger>,
}

/// The connections to an endpoint, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Contenders(SmallVec<[Contender; 1]>);

impl Contenders {
    /// Notes the fill.
    pub(super) fn note_fill(&self, fills: &mut Fills) {
        fills.note("contenders_of_endpoint", self.0.len(), CONTENDERS_MAX);
    }

    /// A connection was opened at `at`, or it is established now. False if there are too many.
    pub(super) fn contact(
        &mut self,
        at: Timestamp,
        contact: Contact,
        expected: bool,
        mode: Option<Mode>,
    ) -> bool {
        let Contact { connection, initiator, established, .. } = contact;
        let known = self.0.iter_mut().find(|it| it.connection == connection);
        if let Some(Contender { stage, .. }) = known {
            if let Stage::Open { established: now, .. } = stage {
                *now |= established;
            }
            return true;
        }
        if self.0.len() >= CONTENDERS_MAX {
            let weakest = self.0.iter().enumerate().min_by_key(|(_, it)| it.rank(None, false));
            let Some((weakest, _)) = weakest.filter(|(_, it)| expected && !it.expected) else { return false };
            self.0.remove(weakest);
        }
        let stage = Stage::Open { established, closing: false, moved: false };
        self.0.push(Contender { connection, initiator, opened: at, expected, mode, stage });
        true
    }

    /// A connection ended. What was refused, reset or not answered was none. True if it carried something.
    pub(super) fn ended(&mut self, connection: ConnectionId, summary: Box<DataSummary>) -> bool {
        let Some(place) = self.0.iter().position(|it| it.connection == connection && it.is_open()) else {
            return false;
        };
        let moved = summary.has_moved();
        if summary.was_established() {
            if let Some(contender) = self.0.get_mut(place) {
                contender.stage = Stage::Ended(summary);
            }
        } else {
            self.0.remove(place);
        }
        moved
    }

    /// Forgets connections that ended before `at` and carried nothing: they were not made for a command sent then. Unexpected
    /// hosts are reported all the same. `refused`: the endpoint was there for a command that was refused, whose connection
    /// this was.
    pub(super) fn forget_spent(&mut self, at: Timestamp, refused: bool) {
        let disorder = if refused { 0 } else { DISORDER_NS };
        let is_spent = |it: &Contender| {
            matches!(&it.stage, Stage::Ended(summary)
                if it.expected && !summary.has_moved() && summary.last.plus_nanos(disorder) < at)
        };
        self.0.retain(|it| !is_spent(it));
    }

    /// It is one of them.
    pub(super) fn knows(&self, connection: ConnectionId) -> bool {
        self.0.iter().any(|it| it.connection == connection)
    }

    /// Takes the connections of the expected host that were opened when the server was `through` with the transfer, which had
    /// another one: they are for what comes next. Nothing is taken where it had none: servers are known that report completion first.
    pub(super) fn take_late(&mut self, through: Timestamp) -> Self {
        if !self.0.iter().any(|it| it.opened <= through && it.is_established()) {
            return Self::default();
        }
        let is_late = |it: &Contender| it.expected && it.opened > through;
        let (late, own) = mem::take(&mut self.0).into_iter().partition(is_late);
        self.0 = own;
        Self(late)
    }

    /// Takes the connections of the expected host that are open and came behind one that carried something and is over: a transfer
    /// whose end was not said had that one, and these are for what comes next.
    pub(super) fn take_behind_moved(&mut self) -> Self {
        let Some(own) = self.0.iter().position(|it| it.is_over() && it.has_moved()) else {
            return Self::default();
        };
        let (own, behind): (SmallVec<_>, SmallVec<_>) = mem::take(&mut self.0)
            .into_iter()
            .enumerate()
            .partition(|(place, it)| *place <= own || !it.expected || it.is_over());
        let only = |all: SmallVec<[(usize, Contender); 1]>| all.into_iter().map(|(_, it)| it).collect();
        self.0 = only(own);
        Self(only(behind))
    }

    /// There are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One of them ended and carried something.
    pub(super) fn any_moved(&self) -> bool {
        self.0.iter().any(|it| !it.is_open() && it.has_moved())
    }

    /// Takes the connections that are still open.
    pub(super) fn take_open(&mut self) -> Self {
        let (open, ended) = mem::take(&mut self.0).into_iter().partition(Contender::is_open);
        self.0 = ended;
        Self(open)
    }

    /// The state of the transfer's connection. `direction`: of the transfer, where it is known.
    pub(super) fn state(&self, direction: Option<FileDirection>) -> DataState<'_> {
        match self.best(direction, false, |_| true).and_then(|best| self.0.get(best)).map(|best| &best.stage)
        {
            None | Some(Stage::Open { established: false, .. }) => DataState::Waiting,
            Some(Stage::Open { established: true, .. }) => DataState::Open,
            Some(Stage::Ended(summary)) => DataState::Ended(summary),
        }
    }

    /// One of the connections is open, or about to be.
    pub(super) fn has_open(&self) -> bool {
        self.0.iter().any(Contender::is_open)
    }

    /// A connection is about to end, or it is not, after all.
    pub(super) fn closing(&mut self, connection: ConnectionId, is: bool, has_moved: bool) {
        let own = self.0.iter_mut().find(|it| it.connection == connection);
        if let Some(Contender { stage: Stage::Open { closing, moved, .. }, .. }) = own {
            (*closing, *moved) = (is, has_moved);
        }
    }

    /// There was one, and none is open but for late packets.
    pub(super) fn are_over(&self) -> bool {
        let served = self.0.iter().any(|it| it.is_over() && it.has_moved());
        // A stranger may stay as long as he likes.
        !self.0.is_empty() && self.0.iter().all(|it| it.is_over() || (served && !it.expected))
    }

    /// The connections that are open, or about to be.
    pub(super) fn open_connections(&self) -> SmallVec<[ConnectionId; 1]> {
        self.0.iter().filter(|it| it.is_open()).map(|it| it.connection).collect()
    }

    /// One of the connections ended.
    pub(super) fn has_ended(&self) -> bool {
        self.0.iter().any(|it| !it.is_open())
    }

    /// Decides which connection that ended the transfer had. None if none did. `completed`: the server said that it was done.
    pub(super) fn choose(self, direction: Option<FileDirection>, completed: bool) -> Chosen {
        let best = self.best(direction, completed, |it| !it.is_open());
        let mut chosen = Chosen::default();
        for (place, contender) in self.0.into_iter().enumerate() {
            let is_chosen = Some(place) == best;
            let shared = matches!(&contender.stage, Stage::Ended(summary) if summary.shared);
            if !contender.expected && contender.is_established() && !shared {
                chosen.strangers.push(Stranger { initiator: contender.initiator, chosen: is_chosen });
            }
            match contender.stage {
                Stage::Open { .. } => chosen.turned_down.push(contender.connection),
                Stage::Ended(summary) if is_chosen => chosen.summary = Some(summary),
                Stage::Ended(_) => {}
            }
        }
        chosen
    }

    fn best(
        &self,
        direction: Option<FileDirection>,
        completed: bool,
        some: impl Fn(&Contender) -> bool,
    ) -> Option<usize> {
        let all = self.0.iter().enumerate().filter(|(_, it)| some(it));
        all.max_by_key(|(_, it)| it.rank(direction, completed)).map(|(place, _)| place)
    }
}

#[cfg(test)]
pub(super) mod tests;
