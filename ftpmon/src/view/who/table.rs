//! All open sessions, and totals.

use std::collections::HashMap;

use ftpmon_event::time::Timestamp;
use ftpmon_event::{EndReason, Event, EventKind};
use smol_str::SmolStr;

use super::filter::{Filter, Order};
use super::session::Session;

/// Open sessions at most. Stops a stream without ends of sessions from filling memory; further ones are counted.
const SESSIONS_MAX: usize = 262_144;

/// The open sessions.
#[derive(Default)]
pub(super) struct Table {
    sessions: HashMap<SmolStr, Session>,
    /// The latest time of all events.
    pub(super) now: Timestamp,
    /// Sessions that ended.
    pub(super) ended: u64,
    /// Refused logins of all sessions.
    pub(super) failed_logins: u64,
    /// Alerts of detectors.
    pub(super) alerts: u64,
    /// Sessions that had no room.
    pub(super) left_out: u64,
}

impl Table {
    /// Takes an event.
    pub(super) fn push(&mut self, event: &Event) {
        self.now = self.now.max(event.ts);
        self.alerts += u64::from(matches!(event.kind, EventKind::Alert(_)));
        let Some(identity) = event.session.as_deref() else { return };
        if let EventKind::SessionEnd(told) = &event.kind {
            // It was open when the capture or the agent ended.
            if told.end.reason != EndReason::EndOfInput && self.sessions.remove(identity.id()).is_some() {
                self.ended += 1;
            }
            return;
        }
        if matches!(event.kind, EventKind::Alert(_)) {
            return;
        }
        let is_new = !self.sessions.contains_key(identity.id());
        if is_new && self.sessions.len() >= SESSIONS_MAX {
            self.left_out += u64::from(matches!(event.kind, EventKind::SessionStart(_)));
            return;
        }
        let session =
            self.sessions.entry(identity.id().into()).or_insert_with(|| Session::new(identity, event.ts));
        let failed = session.failed_logins;
        session.push(event);
        self.failed_logins += session.failed_logins - failed;
    }

    /// The sessions that all filters let through, in an order.
    pub(super) fn rows(&self, filters: &[Filter], order: Order) -> Vec<&Session> {
        let is_shown = |session: &&Session| filters.iter().all(|filter| filter.lets_through(session));
        let mut rows: Vec<&Session> = self.sessions.values().filter(is_shown).collect();
        order.sort(&mut rows);
        rows
    }

    /// The number of open sessions.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }
}
