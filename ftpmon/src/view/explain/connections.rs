//! The connections of a session, and the segments that belong to them.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ftpmon_core::segment::Segment;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{DataConnection, EventKind, Mode, SessionIdentity};

use super::follower::Follower;
use super::record::SessionRecord;
use super::step::{Lane, Step, StepKind};
use super::words::Party;

/// Steps of a session that are kept. Stops a session of millions of segments from filling memory.
const STEPS_MAX: usize = 200_000;
/// A segment that comes later than this after a session's last event belongs to another connection.
const AFTERWARDS_NS: i64 = 10_000_000_000;

/// A connection that is followed.
struct Followed {
    initiator: Endpoint,
    listener: Endpoint,
    /// Segments before this time belong to an earlier connection with the same ends.
    from: Timestamp,
    follower: Follower,
    is_over: bool,
}

/// The connections of a session, by their ends: the lower endpoint first. Those of the same ends are in the order in which they
/// are asked.
pub(super) struct Connections {
    followed: HashMap<(Endpoint, Endpoint), Vec<Followed>>,
    until: Timestamp,
    steps: Vec<Step>,
}

/// The data connections that the events tell of, in the order of their beginnings.
pub(super) fn data_connections(record: &SessionRecord) -> Vec<DataConnection> {
    let mut found: Vec<(Timestamp, DataConnection)> = Vec::new();
    for event in &record.events {
        let EventKind::Transfer(transfer) = &event.kind else { continue };
        let Some(data) = transfer.data.as_ref().filter(|data| data.initiator.is_some()) else { continue };
        found.push((beginning(data, event.ts), data.clone()));
    }
    found.sort_by_key(|(from, _)| *from);
    found.into_iter().map(|(_, data)| data).collect()
}

/// The time before which no segment of a data connection was seen that was over at `ended`.
fn beginning(data: &DataConnection, ended: Timestamp) -> Timestamp {
    match (&data.handshake, data.duration_us) {
        (Some(handshake), _) => handshake.syn,
        (None, Some(us)) => {
            ended.plus_nanos(i64::try_from(us.saturating_mul(1_000)).map_or(i64::MIN, |ns| -ns))
        }
        (None, None) => Timestamp::EARLIEST,
    }
}

/// The two ends of a connection, whoever sends.
fn ends(one: Endpoint, other: Endpoint) -> (Endpoint, Endpoint) {
    if one <= other { (one, other) } else { (other, one) }
}

/// The session's client opens a data connection.
pub(super) fn client_opens(data: &DataConnection, session: &SessionIdentity) -> bool {
    let opens = |end: Endpoint| end.ip == session.client.ip;
    match data.announced.mode {
        Some(mode) => mode == Mode::Passive,
        None => data.initiator.is_some_and(opens),
    }
}

/// The hosts on the client's and on the server's side of a data connection.
pub(super) fn sides(data: &DataConnection, session: &SessionIdentity) -> [Party; 2] {
    let (client, server) = match client_opens(data, session) {
        true => (data.initiator, data.listener),
        false => (data.listener, data.initiator),
    };
    let party =
        |end: Option<Endpoint>, usual: Party| match end.map(|end| end.ip) {
            Some(ip) if ip == usual.of(session) || ip == usual.other().of(session) => {
                if ip == usual.of(session) { usual } else { usual.other() }
            }
            Some(_) => Party::Third,
            None => usual,
        };
    [party(client, Party::Client), party(server, Party::Server)]
}

/// The hosts other than the session's client that connected to the server, by the endpoint where it listened.
pub(super) fn strangers(data: &[DataConnection], session: &SessionIdentity) -> HashMap<Endpoint, IpAddr> {
    let connected = data.iter().filter_map(|data| {
        let [client, _] = sides(data, session);
        let is_stranger = client == Party::Third && client_opens(data, session);
        is_stranger.then_some((data.listener?, data.initiator?.ip))
    });
    connected.collect()
}

impl Connections {
    pub(super) fn of(record: &SessionRecord) -> Self {
        let session = &record.identity;
        let control = Followed {
            initiator: session.client,
            listener: session.server,
            from: session.first,
            follower: Follower::new(Lane::Control, true),
            is_over: false,
        };
        let data = data_connections(record).into_iter().enumerate().filter_map(|(number, data)| {
            Some(Followed {
                initiator: data.initiator?,
                listener: data.listener?,
                from: data.handshake.map_or(session.first, |handshake| handshake.syn),
                follower: Follower::new(Lane::Data(number), client_opens(&data, session)),
                is_over: false,
            })
        });
        let until = record.events.iter().map(|event| event.ts).max().unwrap_or_default();
        let mut followed: HashMap<_, Vec<Followed>> = HashMap::new();
        for connection in core::iter::once(control).chain(data) {
            followed.entry(ends(connection.initiator, connection.listener)).or_default().push(connection);
        }
        Self { followed, until: until.plus_nanos(AFTERWARDS_NS), steps: Vec::new() }
    }

    /// Takes a segment of the capture. False where it belongs to none of the connections.
    pub(super) fn push(&mut self, at: Timestamp, frame: u64, segment: &Segment<'_>) -> bool {
        if at > self.until {
            return false;
        }
        for followed in self.followed.get_mut(&ends(segment.src, segment.dst)).into_iter().flatten() {
            let from_initiator = (segment.src, segment.dst) == (followed.initiator, followed.listener);
            if followed.is_over || at < followed.from {
                continue;
            }
            if followed.follower.is_over(from_initiator, segment) {
                followed.is_over = true;
                continue;
            }
            let room = STEPS_MAX.saturating_sub(self.steps.len());
            self.steps.extend(followed.follower.push(at, frame, from_initiator, segment).take(room));
            return true;
        }
        false
    }

    /// All steps, by frame.
    pub(super) fn finish(mut self) -> Vec<Step> {
        let mut later = HashSet::new();
        for step in self.steps.iter_mut().rev() {
            let sender = (step.lane, step.from_client);
            match &mut step.kind {
                StepKind::Reset { went_on, .. } => *went_on = later.contains(&sender),
                _ => _ = later.insert(sender),
            }
        }
        self.steps
    }
}
