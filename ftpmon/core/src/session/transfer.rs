//! One transfer: what a command asked for, the endpoint announced for it, and their state so far.

use smol_str::SmolStr;

use super::contenders::{Contenders, DataState};
use super::data::{EndpointId, FoundData};
use super::due::Due;
use super::outbox::{Effect, ExpectedEndpoints, Outbox};
use super::remote::Basis;
use super::restart::Restart;
use crate::event::{DataAnnouncement, FileDirection, Mode, RepresentationType, SessionIdentity, Via};
use crate::text::Text;
use crate::time::Timestamp;
use crate::timing::{GRACE_NS, OTHERS_CAME_NS};

/// An announced endpoint.
#[derive(Debug)]
pub(super) struct Announced {
    pub(super) id: EndpointId,
    pub(super) data: DataAnnouncement,
    pub(super) contenders: Contenders,
    /// The command that announced it; 0 where nothing did for this transfer.
    pub(super) announced_by: u64,
    /// When it was announced.
    pub(super) said: Timestamp,
    /// The other party took it: an endpoint of the server is in a positive reply, one of the client needs one.
    pub(super) confirmed: bool,
    pub(super) endpoints: ExpectedEndpoints,
    /// A connection came to it, whatever became of that.
    pub(super) contacted: bool,
    /// When a connection that carried something ended.
    pub(super) moved_at: Option<Timestamp>,
    /// It was there for a command that was refused, or is over: a connection that moves nothing came for that one, too late.
    pub(super) refused: bool,
    /// It is expected though no command announced it for this transfer: the default port, or an endpoint that served before.
    pub(super) unannounced: bool,
    /// The endpoint that is meant where a connection comes to this one's port instead.
    pub(super) alternative: Option<Box<DataAnnouncement>>,
}

impl Announced {
    /// An endpoint that waits for its connection.
    pub(super) fn waiting(id: EndpointId, data: DataAnnouncement, endpoints: ExpectedEndpoints) -> Self {
        Self {
            id,
            data,
            contenders: Contenders::default(),
            announced_by: 0,
            said: Timestamp::LATEST,
            confirmed: data.mode != Some(Mode::Active) || data.via == Via::Inferred,
            endpoints,
            contacted: false,
            moved_at: None,
            refused: false,
            unannounced: data.via == Via::Inferred,
            alternative: None,
        }
    }

    /// A connection without a readable announcement: it is known at once.
    pub(super) fn inferred(id: EndpointId, data: DataAnnouncement) -> Self {
        Self::waiting(id, data, ExpectedEndpoints::new())
    }

    /// The state of its connection. `direction`: of the transfer that it is for.
    pub(super) fn state(&self, direction: Option<FileDirection>) -> DataState<'_> {
        self.contenders.state(direction)
    }

    /// The server may connect to the client's default port instead.
    pub(super) fn also_at(
        &mut self,
        said: Timestamp,
        data: DataAnnouncement,
        endpoints: &ExpectedEndpoints,
        session: &SessionIdentity,
        out: &mut Outbox,
    ) {
        if endpoints.is_empty() {
            return;
        }
        self.alternative = Some(Box::new(data));
        self.endpoints.extend(endpoints.iter().copied());
        out.effects.push(Effect::Announce {
            said,
            id: self.id,
            endpoints: endpoints.clone(),
            mode: data.mode,
            peer: session.server.ip,
            announcer: session.client.ip,
        });
    }

    /// The end that listens at a port of it.
    pub(super) fn mode_at(&self, port: u16) -> Option<Mode> {
        let other = self.alternative.as_deref().filter(|other| other.port == port);
        other.map_or(self.data.mode, |other| other.mode)
    }

    /// No command announced it for this transfer, and nothing came.
    pub(super) fn waits_by_default(&self) -> bool {
        self.unannounced && matches!(self.state(None), DataState::Waiting)
    }
}

/// An earlier announcement that a later one of the client puts aside.
#[derive(Debug)]
pub(super) struct Aside {
    /// The command that announces.
    pub(super) by: u64,
    pub(super) current: Option<Before>,
    pub(super) last_used: Option<Box<(DataAnnouncement, ExpectedEndpoints)>>,
    pub(super) in_force_since: Timestamp,
}

/// The endpoint that was in force before.
#[derive(Debug)]
pub(super) enum Before {
    /// No connection had come to it.
    Waiting(EndpointId, DataAnnouncement, ExpectedEndpoints),
    /// A connection had.
    Connected(EndpointId),
}

/// The request of a transfer command.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// The command; 0 for a data connection without one.
    pub(super) tx: u64,
    /// The time of the announcement.
    pub(super) at: Timestamp,
    pub(super) verb: Option<SmolStr>,
    pub(super) direction: Option<FileDirection>,
    pub(super) arg: Option<SmolStr>,
    pub(super) path: Option<Text>,
    /// The place in the file where it begins.
    pub(super) restart: Restart,
    /// A REST may be among what was lost since the transfer before.
    pub(super) offset_lost: bool,
    /// No more of the file than this is wanted, bytes.
    pub(super) part_len: Option<u64>,
    pub(super) representation: Option<RepresentationType>,
    pub(super) due: Due,
    /// The gaps of the dialogue when it was sent.
    pub(super) missed: Missed,
}

/// The gaps in a dialogue, by direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) commands: u32,
    pub(super) replies: u32,
}

impl Missed {
    /// Both a command and replies may be missing since: what answers the lost command may look like the answer to one that was seen.
    const fn both_since(self, before: Self) -> bool {
        self.commands != before.commands && self.replies != before.replies
    }
}

impl Request {
    /// The state of the server's side at its beginning.
    pub(super) fn set_basis(&mut self, basis: Basis) {
        self.path = basis.path.map(|path| Text::from_bytes(&path));
        self.representation = basis.parameters.representation.map(|representation| representation.kind);
        self.due = basis.due;
    }
}

/// Can't open data connection (RFC 959 section 4.2.2).
pub(super) const CANNOT_CONNECT: u16 = 425;

/// A transfer that is not reported yet.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) request: Request,
    pub(super) announced: Option<Box<Announced>>,
    /// A 1yz reply was seen.
    pub(super) preliminary: bool,
    /// ABOR was sent while it ran.
    pub(super) aborted: bool,
    /// The announcement of its endpoint may have been missed.
    pub(super) endpoint_lost: bool,
    /// Its bytes may go over the connection of a transfer before it, which is open still (RFC 959 section 3.3).
    pub(super) shares_connection: bool,
    /// The final reply.
    pub(super) code: Option<u16>,
    /// A reply that it was given may be another command's.
    pub(super) doubtful: bool,
    pub(super) decided_at: Option<Timestamp>,
    /// When the server was through with it: it said how it ended, or began anew. A connection that is opened later is for another.
    pub(super) through_at: Option<Timestamp>,
}

impl Transfer {
    /// Its memory, bytes.
    pub(super) fn held(&self) -> usize {
        let arg = self.request.arg.as_ref().map_or(0, SmolStr::len);
        size_of::<Self>() + arg + self.request.path.as_ref().map_or(0, |path| path.text.len())
    }

    /// [`Self::new`], where a session keeps it.
    pub(super) fn boxed(request: Request, announced: Option<Box<Announced>>) -> Box<Self> {
        Box::new(Self::new(request, announced))
    }

    pub(super) fn new(request: Request, announced: Option<Box<Announced>>) -> Self {
        Self {
            request,
            announced,
            preliminary: false,
            aborted: false,
            endpoint_lost: false,
            shares_connection: false,
            code: None,
            doubtful: false,
            decided_at: None,
            through_at: None,
        }
    }

    /// Takes the connections that came to its endpoint when the server was through with it, and the endpoint with them: servers are
    /// known that go on listening. The connections that it had stay its own.
    pub(super) fn split_late(&mut self) -> Option<Box<Announced>> {
        let announced = self.announced.as_deref_mut()?;
        let late = match self.through_at {
            Some(through) => announced.contenders.take_late(through),
            None if self.preliminary && self.code.is_none() => announced.contenders.take_behind_moved(),
            None => return None,
        };
        if late.is_empty() {
            return None;
        }
        Some(Box::new(Announced {
            moved_at: announced.moved_at.filter(|_| late.any_moved()),
            contenders: late,
            confirmed: true,
            contacted: true,
            refused: true,
            unannounced: true,
            said: announced.said,
            ..Announced::waiting(announced.id, announced.data, core::mem::take(&mut announced.endpoints))
        }))
    }

    pub(super) fn state(&self) -> Option<DataState<'_>> {
        self.announced.as_ref().map(|announced| announced.state(self.request.direction))
    }

    /// It began, has its final reply, and its connection carried nothing: an empty file, or another connection carried it.
    pub(super) fn ended_empty(&self) -> bool {
        let announced = self.announced.as_ref().is_some_and(|it| it.data.via != Via::Inferred);
        announced
            && self.code.is_some_and(|code| code != CANNOT_CONNECT)
            && !self.refused()
            && matches!(self.state(), Some(DataState::Ended(summary)) if !summary.has_moved())
    }

    /// A connection to its endpoint is open, or about to be.
    fn has_open_connection(&self) -> bool {
        self.announced.as_ref().is_some_and(|it| it.contenders.has_open())
    }

    /// It has begun, its connection has ended, and its final reply was not seen.
    pub(super) fn runs_without_connection(&self) -> bool {
        let over = || self.announced.as_deref().is_some_and(|it| it.contenders.are_over());
        self.preliminary && self.code.is_none() && self.request.tx != 0 && over()
    }

    /// Refused at once: no data connection was wanted for it any more.
    pub(super) fn refused(&self) -> bool {
        !self.preliminary && self.code.is_some_and(|code| code >= 400)
    }

    /// Its endpoint serves the next transfer command: it was refused, or its connection could not be opened (425).
    pub(super) fn frees_endpoint(&self) -> bool {
        self.refused()
            || (self.code == Some(CANNOT_CONNECT) && matches!(self.state(), Some(DataState::Waiting)))
    }

    /// Its endpoint was announced unseen, and this may be its connection. `disorder`: the time by which packets may be out of order.
    pub(super) fn lacks(&self, found: &FoundData, disorder: i64) -> bool {
        let uploads = self.request.direction == Some(FileDirection::Upload);
        let lacks_one = self.endpoint_lost && self.announced.is_none() && !self.refused();
        // What is sent is sent after the command, and before the server reports completion.
        let in_time = found.last.plus_nanos(disorder) >= self.request.at
            && self.decided_at.is_none_or(|decided| found.first <= decided.plus_nanos(disorder));
        lacks_one && uploads == found.upload && in_time
    }

    /// The final reply, at `at`. `missed`: what is missing of the dialogue so far.
    pub(super) fn decide(&mut self, at: Timestamp, code: u16, missed: Missed) {
        self.code = Some(code);
        self.decided_at = Some(at);
        self.doubtful |= missed.both_since(self.request.missed);
        let through = matches!(code, 200..=299) || (self.preliminary && code != CANNOT_CONNECT);
        self.through_at = Some(at).filter(|_| through);
    }

    /// It has its final reply, and no connection yet, though it was not refused.
    pub(super) fn waits_for_connection(&self) -> bool {
        matches!(self.state(), Some(DataState::Waiting) | None) && !self.refused()
    }

    /// When it can be reported whatever else comes; none as long as something decisive is due.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let decided = self.decided_at;
        match self.state() {
            // Another one that ended may be its own, and this one a stranger's who stays.
            Some(DataState::Open) if self.announced.as_ref().is_some_and(|it| it.contenders.has_ended()) => {
                Some(decided?.plus_nanos(GRACE_NS))
            }
            Some(DataState::Open) => None,
            Some(DataState::Ended(_)) if self.request.tx == 0 => Some(Timestamp::EARLIEST),
            // Another one that is still open may have carried it: a stranger's who stays.
            Some(DataState::Ended(_)) if self.ended_empty() && self.has_open_connection() => {
                Some(decided?.plus_nanos(GRACE_NS))
            }
            Some(DataState::Ended(_)) if self.ended_empty() => Some(decided?.plus_nanos(OTHERS_CAME_NS)),
            // Servers send 425 for a connection that they refused, and serve the next one.
            Some(DataState::Ended(_)) if self.code == Some(CANNOT_CONNECT) => {
                Some(decided?.plus_nanos(GRACE_NS))
            }
            Some(DataState::Ended(_)) => decided,
            // Its connection was under way when it was refused.
            Some(DataState::Waiting) if self.refused() && self.has_open_connection() => {
                Some(decided?.plus_nanos(GRACE_NS))
            }
            Some(DataState::Waiting) | None if self.refused() => decided,
            Some(DataState::Waiting) | None => Some(decided?.plus_nanos(GRACE_NS)),
        }
    }
}

#[cfg(test)]
mod tests;
