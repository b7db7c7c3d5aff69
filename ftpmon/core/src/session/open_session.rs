//! The state of an open session, for those who ask before its next event.

use std::sync::Arc;

use smol_str::SmolStr;

use super::Session;
use super::login::LoginProgress;
use super::transfer::Transfer;
use crate::addr::Endpoint;
use crate::event::{FileDirection, SessionIdentity};
use crate::text::Text;
use crate::time::Timestamp;

/// The state of an open session.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenSession {
    /// Its addresses and id.
    pub identity: Arc<SessionIdentity>,
    /// When it began.
    pub started: Timestamp,
    /// When its last command, reply or record was seen.
    pub last: Timestamp,
    /// The name given last.
    pub user: Option<Arc<Text>>,
    /// The progress of its login.
    pub login: LoginProgress,
    /// Its dialogue is under TLS and cannot be read.
    pub encrypted: bool,
    /// Transfers that were reported.
    pub transfers: u64,
    /// Bytes of those from the client.
    pub bytes_up: u64,
    /// Bytes of those from the server.
    pub bytes_down: u64,
    /// Logins that were refused.
    pub failed_logins: u64,
    /// The transfer that runs.
    pub running: Option<RunningTransfer>,
    /// The endpoint at which a data connection is expected, or was last.
    pub announced: Option<Endpoint>,
}

/// A transfer that a 1yz reply began, and no final reply ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningTransfer {
    /// Which way it goes.
    pub direction: FileDirection,
    /// The argument of its command.
    pub arg: Option<SmolStr>,
    /// When its command was sent.
    pub since: Timestamp,
    /// Its size by the dialogue, bytes.
    pub declared: Option<u64>,
}

impl Session {
    /// The state of the session; none where its control connection ended.
    pub fn open_session(&self) -> Option<OpenSession> {
        if self.is_over() || self.is_ended() {
            return None;
        }
        let transfer = self.transfers.open().iter().rfind(|it| is_running(it));
        let announced = transfer.and_then(|it| it.announced.as_deref()).or(self.transfers.current.as_deref());
        let running = transfer.and_then(|it| {
            Some(RunningTransfer {
                direction: it.request.direction?,
                arg: it.request.arg.clone(),
                since: it.request.at,
                declared: it.request.due.declared(),
            })
        });
        let totals = self.transfers.totals;
        Some(OpenSession {
            identity: Arc::clone(&self.identity),
            started: self.started,
            last: self.last,
            user: self.logins.user.clone(),
            login: self.logins.progress(),
            encrypted: self.is_unreadable(),
            transfers: totals.transfers,
            bytes_up: totals.bytes_up,
            bytes_down: totals.bytes_down,
            failed_logins: self.logins.failed.into(),
            running,
            announced: announced.map(|it| Endpoint::new(it.data.ip, it.data.port)),
        })
    }
}

/// A command asked for it, the server began it, and did not say that it ended.
fn is_running(transfer: &Transfer) -> bool {
    transfer.request.tx != 0 && transfer.preliminary && transfer.code.is_none()
}
