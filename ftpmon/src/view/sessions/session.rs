//! The state of one session, as its events tell it.

use ftpmon_core::ftp::Verb;
use ftpmon_core::ftp::size::{in_213, in_preliminary};
use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{
    CommandRef, Event, EventKind, FileDirection, LoginOutcome, ReplyClass, SessionIdentity, TlsTurn,
};
use serde::Serialize;
use smol_str::SmolStr;

use super::running::Running;
use crate::status::{Login, Open};

/// The activity of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::view) enum State {
    /// Nobody is logged in.
    #[default]
    Connected,
    /// USER was sent, and the login is not decided.
    Authenticating,
    /// Somebody is logged in, and nothing is transferred.
    Idle,
    /// A file goes to the client.
    Downloading,
    /// A file goes to the server.
    Uploading,
    /// A listing goes to the client.
    Listing,
    /// The dialogue is under TLS and cannot be read.
    Encrypted,
}

impl State {
    /// The name, as `state:` takes it.
    pub(in crate::view) const fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Authenticating => "authenticating",
            Self::Idle => "idle",
            Self::Downloading => "downloading",
            Self::Uploading => "uploading",
            Self::Listing => "listing",
            Self::Encrypted => "encrypted",
        }
    }

    const fn of_transfer(direction: FileDirection) -> Self {
        match direction {
            FileDirection::Download => Self::Downloading,
            FileDirection::Upload => Self::Uploading,
            FileDirection::Listing => Self::Listing,
        }
    }
}

/// An open session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::view) struct Session {
    #[serde(rename = "session")]
    pub(in crate::view) id: SmolStr,
    pub(in crate::view) client: Endpoint,
    pub(in crate::view) server: Endpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::view) user: Option<SmolStr>,
    pub(in crate::view) state: State,
    /// When it began, or its first event came.
    #[serde(skip)]
    pub(in crate::view) begun: Timestamp,
    /// When its last event came.
    #[serde(skip)]
    pub(in crate::view) latest: Timestamp,
    /// The last command that was seen, with its argument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::view) command: Option<SmolStr>,
    /// The argument of the transfer that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::view) path: Option<SmolStr>,
    pub(in crate::view) transfers: u64,
    pub(in crate::view) bytes_up: u64,
    pub(in crate::view) bytes_down: u64,
    pub(in crate::view) failed_logins: u64,
    pub(in crate::view) tls: bool,
    /// The transfer that runs, where the server took its command.
    #[serde(skip)]
    pub(in crate::view) running: Option<Running>,
    /// The listener at which the next data connection is expected.
    #[serde(skip)]
    pub(in crate::view) announced: Option<Endpoint>,
    /// The size of a file, where the client asked for it.
    #[serde(skip)]
    sized: Option<(SmolStr, u64)>,
    /// The number of its events.
    #[serde(skip)]
    pub(in crate::view) events: u64,
    /// The transfer command that waits for its first reply.
    #[serde(skip)]
    asked: Option<(u64, State, Option<SmolStr>)>,
    /// Somebody is logged in.
    #[serde(skip)]
    is_logged_in: bool,
    /// It was open when its reader came: earlier events are not known.
    #[serde(skip)]
    pub(in crate::view) found_open: bool,
}

impl Session {
    pub(in crate::view) fn new(identity: &SessionIdentity, at: Timestamp) -> Self {
        Self {
            id: identity.id().into(),
            client: identity.client,
            server: identity.server,
            user: None,
            state: State::default(),
            begun: at,
            latest: at,
            command: None,
            path: None,
            transfers: 0,
            bytes_up: 0,
            bytes_down: 0,
            failed_logins: 0,
            tls: false,
            running: None,
            announced: None,
            sized: None,
            events: 0,
            asked: None,
            is_logged_in: false,
            found_open: false,
        }
    }

    /// A session whose earlier events were not seen.
    pub(in crate::view) fn of_open(open: &Open) -> Self {
        let running = open.running.as_ref();
        let state = match (running, open.login) {
            _ if open.encrypted => State::Encrypted,
            (Some(running), _) => State::of_transfer(running.direction),
            (None, Login::LoggedIn) => State::Idle,
            (None, Login::Undecided) => State::Authenticating,
            (None, Login::Nobody) => State::Connected,
        };
        Self {
            id: open.session.clone(),
            client: open.client,
            server: open.server,
            user: open.user.clone(),
            state,
            begun: open.begun,
            latest: open.latest,
            command: None,
            path: running.and_then(|running| running.arg.clone()),
            transfers: open.transfers,
            bytes_up: open.bytes_up,
            bytes_down: open.bytes_down,
            failed_logins: open.failed_logins,
            tls: open.encrypted,
            running: running.map(|running| Running::new(running.since, running.declared)),
            announced: open.announced,
            sized: None,
            events: 0,
            asked: None,
            is_logged_in: open.login == Login::LoggedIn,
            found_open: true,
        }
    }

    /// Takes an event of it.
    pub(in crate::view) fn push(&mut self, event: &Event) {
        self.events = self.events.saturating_add(1);
        if !is_abandoned(event) {
            self.latest = self.latest.max(event.ts);
        }
        self.user = event.user.as_deref().map(|user| user.text.clone()).or(self.user.take());
        match &event.kind {
            EventKind::SessionStart(start) => {
                self.begun = start.handshake.map_or(event.ts, |handshake| handshake.syn);
            }
            EventKind::Command(told) => {
                let line = &told.command;
                let verb = Verb::from_name(line.verb.as_bytes());
                let arg = line.arg.as_deref().map(|arg| format!(" {arg}")).unwrap_or_default();
                self.command = Some(format!("{}{arg}", line.verb).into());
                if verb == Verb::User {
                    self.state = State::Authenticating;
                }
                if let Some(direction) = verb.transfer() {
                    self.asked = Some((told.tx, State::of_transfer(direction), line.arg.clone()));
                }
            }
            EventKind::Reply(told) => {
                let begins = told.reply.class == Some(ReplyClass::Preliminary);
                if let Some((_, state, path)) = self.asked.take_if(|(tx, ..)| *tx == told.tx)
                    && begins
                {
                    let text = in_preliminary(told.reply.text.as_bytes(), path.as_deref().map(str::as_bytes));
                    let asked = self.sized.take().filter(|(of, _)| Some(of) == path.as_ref());
                    let by_size = asked.map(|(_, size)| size).filter(|_| state == State::Downloading);
                    self.running = Some(Running::new(event.ts, text.or(by_size)));
                    (self.state, self.path) = (state, path);
                }
                let size = |of: &CommandRef| Verb::from_name(of.verb.as_bytes()) == Verb::Size;
                if let Some(of) = told.command.as_ref().filter(|of| size(of))
                    && told.reply.code == Some(213)
                {
                    let size = in_213(told.reply.text.as_bytes());
                    self.sized = of.arg.clone().zip(size);
                }
            }
            EventKind::DataChannel(told) => {
                self.announced = Some(Endpoint::new(told.data.ip, told.data.port));
            }
            EventKind::Login(told) => match told.login.outcome {
                LoginOutcome::Success => {
                    self.is_logged_in = true;
                    self.rest();
                }
                LoginOutcome::Failure => {
                    self.failed_logins += 1;
                    self.rest();
                }
                // Another attempt took its place, or the session is over.
                LoginOutcome::Abandoned => {}
            },
            EventKind::Transfer(told) => {
                let facts = &told.transfer;
                self.transfers += 1;
                if let Some(data) = &told.data {
                    self.bytes_up = self.bytes_up.saturating_add(data.bytes_from_client);
                    self.bytes_down = self.bytes_down.saturating_add(data.bytes_from_server);
                }
                if facts.direction.map(State::of_transfer) == Some(self.state) {
                    (self.path, self.running) = (None, None);
                    self.rest();
                }
            }
            EventKind::Tls(told) => {
                self.tls = told.tls.state == TlsTurn::Start;
                self.rest();
            }
            _ => {}
        }
    }

    /// When it last did something: an event, or bytes of the transfer that runs, where these are counted.
    pub(in crate::view) fn active(&self) -> Timestamp {
        let moved = self.running.as_ref().and_then(|running| running.moved);
        moved.map_or(self.latest, |moved| moved.grew.max(self.latest))
    }

    /// Bytes from the client and from the server: those of transfers that ended, and of the one that runs, where these are counted.
    pub(in crate::view) fn bytes(&self) -> (u64, u64) {
        let running = self.running.as_ref().and_then(|running| running.moved).map_or(0, |moved| moved.bytes);
        match self.state {
            State::Uploading => (self.bytes_up.saturating_add(running), self.bytes_down),
            _ => (self.bytes_up, self.bytes_down.saturating_add(running)),
        }
    }

    /// A transfer runs and moves nothing.
    pub(in crate::view) fn is_stalled(&self) -> bool {
        self.running.as_ref().is_some_and(Running::is_stalled)
    }

    /// Nothing is transferred any more.
    fn rest(&mut self) {
        self.state = match (self.tls, self.is_logged_in) {
            (true, _) => State::Encrypted,
            (false, true) => State::Idle,
            (false, false) => State::Connected,
        };
    }
}

/// A login that nobody decided is told when something else ended it: neither end did anything.
fn is_abandoned(event: &Event) -> bool {
    matches!(&event.kind, EventKind::Login(told) if told.login.outcome == LoginOutcome::Abandoned)
}
