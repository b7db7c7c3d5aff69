//! Everything that events tell.

use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, FileDirection, LoginOutcome, Transfer};

use super::happened::Happened;
use super::recent::Recent;
use crate::status::Remark;
use crate::view::ranking::{Counts, Ranking};
use crate::view::sessions::{Course, Table};

/// A fold of events. It has no clock: the time is that of the events, or what [`Self::advance`] says.
#[derive(Clone, Default)]
pub(super) struct State {
    /// The open sessions.
    pub(super) table: Table,
    /// Transfers by user, path, server and client.
    pub(super) users: Ranking,
    pub(super) paths: Ranking,
    pub(super) servers: Ranking,
    pub(super) clients: Ranking,
    /// Refused logins by user and client.
    pub(super) refused_users: Ranking,
    pub(super) refused_clients: Ranking,
    /// The last transfers that ended, refused logins and alerts.
    pub(super) ended: Recent<Happened>,
    pub(super) refused: Recent<Happened>,
    pub(super) alerts: Recent<Happened>,
    /// Events.
    pub(super) events: u64,
    /// Events that an output says are missing.
    pub(super) lost: u64,
    /// Bytes of all transfers that ended.
    pub(super) bytes: Counts,
}

impl State {
    /// Takes an event.
    pub(super) fn push(&mut self, event: &Event) {
        self.events = self.events.saturating_add(1);
        self.table.push(event);
        match &event.kind {
            EventKind::Transfer(told) => self.transfer(event, told),
            EventKind::Login(told) if told.login.outcome == LoginOutcome::Failure => {
                let refused = Happened::login(event, told);
                let one = Counts { count: 1, ..Counts::default() };
                let user = refused.user.as_deref().unwrap_or("-");
                self.refused_users.add(user, one);
                // A user or client that only fails stands in the tables as well.
                self.users.add(user, Counts::default());
                if let Some(client) = refused.client {
                    let client = client.ip.to_string();
                    self.refused_clients.add(&client, one);
                    self.clients.add(&client, Counts::default());
                }
                self.refused.push(refused);
            }
            EventKind::Alert(told) => self.alerts.push(Happened::alert(event, told)),
            EventKind::Drop(told) => self.lost = self.lost.saturating_add(told.drop.count),
            _ => {}
        }
    }

    /// Takes what an agent says between its events.
    pub(super) fn remark(&mut self, remark: &Remark) {
        match remark {
            Remark::Moved(moved) => self.table.count(moved.listener, moved.bytes, moved.ts),
            Remark::Missed(count) => self.lost = self.lost.saturating_add(*count),
            Remark::Open(open) => self.table.add_open(open),
            Remark::AllOpen(_) => {}
        }
    }

    /// Another agent tells events from now on: it tells of the sessions that are open as well.
    pub(super) fn forget_sessions(&mut self) {
        self.table.forget_sessions();
    }

    /// Takes how the transfer that runs in a session goes on.
    pub(super) fn foresee(&mut self, session: &str, course: Course) {
        self.table.foresee(session, course);
    }

    /// It is this time now, though nothing happened.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.table.advance(now);
    }

    fn transfer(&mut self, event: &Event, told: &Transfer) {
        let facts = &told.transfer;
        let (up, down) =
            told.data.as_ref().map_or((0, 0), |data| (data.bytes_from_client, data.bytes_from_server));
        let failed = u64::from(facts.outcome.is_failure());
        let counts = Counts { count: 1, failed, bytes_up: up, bytes_down: down };
        self.bytes.add(counts);
        self.users.add(event.user.as_deref().map_or("-", |user| user.text.as_str()), counts);
        if let Some(session) = event.session.as_deref() {
            self.servers.add(&session.server.to_string(), counts);
            self.clients.add(&session.client.ip.to_string(), counts);
        }
        if facts.direction != Some(FileDirection::Listing)
            && let Some(path) = facts.path.as_deref().or(facts.arg.as_deref())
        {
            self.paths.add(path, counts);
        }
        self.ended.push(Happened::transfer(event, told));
    }
}
