//! A session: its events, and the steps of its connections.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use ftpmon_event::{Event, EventKind, SessionIdentity};
use smol_str::SmolStr;

use super::options::Selection;
use super::step::Step;

/// Events of a session that are kept. Stops a session of millions of commands from filling memory.
const EVENTS_MAX: usize = 100_000;
/// Other sessions that are listed.
const OTHERS_MAX: usize = 20;
/// Sessions that are counted. Stops a file of millions of sessions from filling memory.
const SESSIONS_MAX: usize = 1 << 20;

/// A session.
pub(super) struct SessionRecord {
    /// The control connection.
    pub(super) identity: Arc<SessionIdentity>,
    /// Its number in the file, from 1.
    pub(super) number: u64,
    /// Its events, in causal order.
    pub(super) events: Vec<Event>,
    /// Events beyond the cap.
    pub(super) left_out: u64,
    /// The steps of its connections, by frame. None in a file of events.
    pub(super) steps: Vec<Step>,
    /// Sessions of the file.
    pub(super) sessions: u64,
    /// The first of them: number, id, client and server as text.
    pub(super) others: Vec<(u64, SmolStr, String)>,
}

/// Gathers the events of one session out of those of all.
pub(super) struct Collector<'s> {
    wanted: &'s Selection,
    seen: HashSet<SmolStr>,
    chosen: Option<SessionRecord>,
    ports: BTreeSet<u16>,
    others: Vec<(u64, SmolStr, String)>,
}

impl<'s> Collector<'s> {
    pub(super) fn new(wanted: &'s Selection) -> Self {
        Self { wanted, seen: HashSet::new(), chosen: None, ports: BTreeSet::new(), others: Vec::new() }
    }

    /// Takes an event.
    pub(super) fn push(&mut self, event: Event) {
        let Some(session) = event.session.clone() else { return };
        self.ports.insert(session.server.port);
        let of_chosen = |record: &SessionRecord| record.identity.id() == session.id();
        if !self.chosen.as_ref().is_some_and(of_chosen)
            && self.seen.len() < SESSIONS_MAX
            && self.seen.insert(session.id().into())
        {
            self.begin(&session);
        }
        let Some(record) = self.chosen.as_mut().filter(|record| of_chosen(record)) else { return };
        if record.events.len() < EVENTS_MAX || matches!(event.kind, EventKind::SessionEnd(_)) {
            record.events.push(event);
        } else {
            record.left_out += 1;
        }
    }

    fn begin(&mut self, session: &Arc<SessionIdentity>) {
        let number = self.seen.len() as u64;
        let is_wanted = match self.wanted {
            Selection::First => number == 1,
            Selection::Number(wanted) => number == *wanted,
            Selection::Id(id) => session.id() == id,
        };
        if is_wanted {
            self.chosen = Some(SessionRecord {
                identity: Arc::clone(session),
                number,
                events: Vec::new(),
                left_out: 0,
                steps: Vec::new(),
                sessions: 0,
                others: Vec::new(),
            });
        } else if self.others.len() < OTHERS_MAX {
            let ends = format!("{} → {}", session.client, session.server);
            self.others.push((number, session.id().into(), ends));
        }
    }

    /// The servers' ports of all sessions.
    pub(super) fn ports(&self) -> BTreeSet<u16> {
        self.ports.clone()
    }

    /// The session, if it was there.
    pub(super) fn finish(self) -> Option<SessionRecord> {
        let (sessions, others) = (self.seen.len() as u64, self.others);
        self.chosen.map(|record| SessionRecord { sessions, others, ..record })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    #[test]
    fn sessions_are_chosen_by_number_and_by_id() {
        let gather = |selection: &Selection| {
            let mut collector = Collector::new(selection);
            for id in ["000000000000000a", "000000000000000b", "000000000000000a"] {
                collector.push(sample::event(&sample::identity(id), 0, sample::transfer(1)));
            }
            collector
                .finish()
                .map(|record| (record.identity.id().to_owned(), record.number, record.events.len()))
        };
        let (a, b) = ("000000000000000a".to_owned(), "000000000000000b".to_owned());
        assert_eq!(gather(&Selection::First), Some((a, 1, 2)));
        assert_eq!(gather(&Selection::Number(2)), Some((b.clone(), 2, 1)));
        assert_eq!(gather(&Selection::Id(b.clone())), Some((b, 2, 1)));
        assert_eq!(gather(&Selection::Number(3)), None);
    }
}
