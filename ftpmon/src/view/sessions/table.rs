//! All open sessions, and totals.

use std::collections::HashMap;

use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{EndReason, Event, EventKind};
use smol_str::SmolStr;

use super::course::Course;
use super::filter::Filter;
use super::order::Order;
use super::session::Session;
use crate::status::Open;

/// Open sessions at most. Stops a stream without ends of sessions from filling memory; further ones are counted.
const SESSIONS_MAX: usize = 262_144;

/// The open sessions.
#[derive(Clone, Default)]
pub(in crate::view) struct Table {
    sessions: HashMap<SmolStr, Session>,
    /// The sessions that expect a data connection at a listener, as many as there are sessions at most.
    listeners: HashMap<Endpoint, SmolStr>,
    /// The latest time of all events.
    pub(in crate::view) now: Timestamp,
    /// Sessions that ended.
    pub(in crate::view) ended: u64,
    /// Refused logins of all sessions.
    pub(in crate::view) failed_logins: u64,
    /// Alerts of detectors.
    pub(in crate::view) alerts: u64,
    /// Sessions that had no room.
    pub(in crate::view) left_out: u64,
}

impl Table {
    /// Takes an event.
    pub(in crate::view) fn push(&mut self, event: &Event) {
        self.now = self.now.max(event.ts);
        self.alerts += u64::from(matches!(event.kind, EventKind::Alert(_)));
        let Some(identity) = event.session.as_deref() else { return };
        if let EventKind::SessionEnd(told) = &event.kind {
            // It was open when the capture or the agent ended.
            if told.end.reason != EndReason::EndOfInput
                && let Some(session) = self.sessions.remove(identity.id())
            {
                self.ended += 1;
                self.forget(session.announced);
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
        let announced = session.announced;
        session.push(event);
        let (now, failures) = (session.announced, session.failed_logins - failed);
        self.failed_logins += failures;
        if now != announced {
            self.forget(announced);
            self.listeners.extend(now.map(|listener| (listener, identity.id().into())));
        }
    }

    /// Takes a session that was open when this reader came. What is known of it already is from events, and stays.
    pub(in crate::view) fn add_open(&mut self, open: &Open) {
        self.now = self.now.max(open.latest);
        if self.sessions.contains_key(&open.session) {
            return;
        }
        if self.sessions.len() >= SESSIONS_MAX {
            self.left_out += 1;
            return;
        }
        let session = Session::of_open(open);
        self.listeners.extend(session.announced.map(|listener| (listener, open.session.clone())));
        self.sessions.insert(open.session.clone(), session);
    }

    /// Forgets all sessions, and keeps the totals.
    pub(in crate::view) fn forget_sessions(&mut self) {
        self.sessions.clear();
        self.listeners.clear();
    }

    /// The session with an id, if it is open.
    pub(in crate::view) fn get(&self, id: &str) -> Option<&Session> {
        self.sessions.get(id)
    }

    /// The data connection to a listener moved so many bytes until a moment. No event says so.
    pub(in crate::view) fn count(&mut self, listener: Endpoint, bytes: u64, at: Timestamp) {
        self.now = self.now.max(at);
        let session = self.listeners.get(&listener).and_then(|id| self.sessions.get_mut(id));
        if let Some(running) = session.and_then(|session| session.running.as_mut()) {
            running.count(bytes, at);
        }
    }

    /// The transfer that runs in a session goes on like this.
    pub(in crate::view) fn foresee(&mut self, id: &str, course: Course) {
        if let Some(running) = self.sessions.get_mut(id).and_then(|session| session.running.as_mut()) {
            running.course = Some(course);
        }
    }

    fn forget(&mut self, listener: Option<Endpoint>) {
        if let Some(listener) = listener {
            self.listeners.remove(&listener);
        }
    }

    /// All open sessions, in no order.
    pub(in crate::view) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// It is this time now, though nothing happened.
    pub(in crate::view) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// The sessions that all filters let through, in an order.
    pub(in crate::view) fn rows(&self, filters: &[Filter], order: Order) -> Vec<&Session> {
        let is_shown = |session: &&Session| filters.iter().all(|filter| filter.lets_through(*session));
        let mut rows: Vec<&Session> = self.sessions.values().filter(is_shown).collect();
        order.sort(&mut rows);
        rows
    }

    /// The number of open sessions.
    pub(in crate::view) fn len(&self) -> usize {
        self.sessions.len()
    }
}
