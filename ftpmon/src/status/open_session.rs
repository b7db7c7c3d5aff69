//! The state of an open session, as a line between events: what a reader that has just come cannot learn from them.

use ftpmon_core::engine::{LoginProgress, OpenSession};
use ftpmon_event::FileDirection;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A session that was open when a reader came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Open {
    /// The session's id.
    pub(crate) session: SmolStr,
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) begun: Timestamp,
    /// When its last command, reply or record was seen.
    pub(crate) latest: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<SmolStr>,
    pub(crate) login: Login,
    /// Its dialogue is under TLS.
    pub(crate) encrypted: bool,
    pub(crate) transfers: u64,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
    pub(crate) failed_logins: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) running: Option<Running>,
    /// The endpoint at which a data connection is expected, or was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) announced: Option<Endpoint>,
}

/// The progress of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Login {
    Nobody,
    Undecided,
    LoggedIn,
}

/// A transfer that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) direction: FileDirection,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) arg: Option<SmolStr>,
    pub(crate) since: Timestamp,
    /// Its size by the dialogue, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) declared: Option<u64>,
}

impl From<OpenSession> for Open {
    fn from(session: OpenSession) -> Self {
        let running = session.running.map(|running| Running {
            direction: running.direction,
            arg: running.arg,
            since: running.since,
            declared: running.declared,
        });
        Self {
            session: session.identity.id().into(),
            client: session.identity.client,
            server: session.identity.server,
            begun: session.started,
            latest: session.last,
            user: session.user.map(|user| user.text.clone()),
            login: match session.login {
                LoginProgress::Nobody => Login::Nobody,
                LoginProgress::Undecided => Login::Undecided,
                LoginProgress::LoggedIn => Login::LoggedIn,
            },
            encrypted: session.encrypted,
            transfers: session.transfers,
            bytes_up: session.bytes_up,
            bytes_down: session.bytes_down,
            failed_logins: session.failed_logins,
            running,
            announced: session.announced,
        }
    }
}
