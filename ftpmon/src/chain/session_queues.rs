//! Events that wait for something, queued by session: later ones of the same session wait with it, so that a
//! session's events stay in order. Other sessions' events do not wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use smol_str::SmolStr;

use ftpmon_event::Event;

/// Events that wait, queued by session. Their owner knows what they wait for: its function `complete` adds to an event what is
/// known, receives whether this is the last chance, and returns whether the event is complete.
#[derive(Debug)]
pub(crate) struct SessionQueues {
    sessions: HashMap<SmolStr, VecDeque<(Event, Instant)>>,
    events: usize,
    /// When the first of them is to go: never later than that.
    due: Option<Instant>,
    patience: Duration,
    cap: usize,
}

impl SessionQueues {
    /// No event waits for longer than `patience`, and none any longer where more than `cap` do.
    pub(crate) fn new(patience: Duration, cap: usize) -> Self {
        Self { sessions: HashMap::new(), events: 0, due: None, patience, cap }
    }

    /// The event has to wait: [`Self::hold`] takes it. One of no session never has to.
    pub(crate) fn must_wait(
        &self,
        event: &mut Event,
        complete: impl FnOnce(&mut Event, bool) -> bool,
    ) -> bool {
        let Some(session) = &event.session else { return false };
        self.sessions.contains_key(session.id()) || !complete(event, false)
    }

    /// Takes an event that has to wait.
    pub(crate) fn hold(&mut self, event: Event, now: Instant) {
        let session = event.session.as_ref().map(|session| SmolStr::new(session.id())).unwrap_or_default();
        self.sessions.entry(session).or_default().push_back((event, now));
        self.events += 1;
        self.due.get_or_insert(now + self.patience);
    }

    /// None waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// More wait than may.
    pub(crate) fn is_over(&self) -> bool {
        self.events > self.cap
    }

    /// The latest time at which [`Self::release`] has something to do.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Hands out every event that need not wait any longer: all of them where `all`, or where there are too many.
    pub(crate) fn release(
        &mut self,
        now: Instant,
        all: bool,
        mut complete: impl FnMut(&mut Event, bool) -> bool,
        mut give: impl FnMut(Event),
    ) {
        let all = all || self.is_over();
        let Self { sessions, events, due, patience, .. } = self;
        *due = None;
        sessions.retain(|_, queue| {
            while let Some((event, since)) = queue.front_mut() {
                let until = *since + *patience;
                let last = all || now >= until;
                if !complete(event, last) && !last {
                    *due = Some(due.map_or(until, |due| due.min(until)));
                    return true;
                }
                if let Some((event, _)) = queue.pop_front() {
                    *events -= 1;
                    give(event);
                }
            }
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use super::*;
    use ftpmon_event::addr::Endpoint;
    use ftpmon_event::link::InterfaceId;
    use ftpmon_event::time::Timestamp;
    use ftpmon_event::{Anomaly, AnomalyDetail, AnomalyId, EventKind, SessionIdentity};

    const PATIENCE: Duration = Duration::from_millis(100);

    fn event(session: Option<&str>, name: &str) -> Event {
        let end = Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 21);
        let identity = session.map(|session| {
            Arc::new(SessionIdentity::new(end, end, Timestamp::default(), InterfaceId(0)).with_id(session))
        });
        let kind = EventKind::Anomaly(Anomaly {
            tx: None,
            anomaly: AnomalyDetail { id: AnomalyId::NotFtp, detail: name.into(), repeated: None },
        });
        Event { ts: Timestamp::default(), session: identity, user: None, kind }
    }

    fn name(event: &Event) -> &str {
        let EventKind::Anomaly(Anomaly { anomaly, .. }) = &event.kind else { panic!() };
        &anomaly.detail
    }

    /// It waits.
    fn offered(held: &mut SessionQueues, mut event: Event, now: Instant, ready: bool) -> bool {
        let waits = held.must_wait(&mut event, |_, _| ready);
        if waits {
            held.hold(event, now);
        }
        waits
    }

    fn released(held: &mut SessionQueues, now: Instant, all: bool, ready: bool) -> Vec<String> {
        let mut out = Vec::new();
        held.release(
            now,
            all,
            |event, _| ready || name(event) != "waits",
            |event| out.push(name(&event).into()),
        );
        out
    }

    #[test]
    fn a_session_waits_in_order_and_nobody_with_it() {
        let (mut held, now) = (SessionQueues::new(PATIENCE, 10), Instant::now());
        let mut offer = |session, name: &str, ready| !offered(&mut held, event(session, name), now, ready);
        assert!(!offer(Some("a"), "waits", false));
        assert!(!offer(Some("a"), "second", true), "it is behind another");
        assert!(!offer(Some("a"), "waits", true));
        assert!(offer(Some("b"), "other", true));
        assert!(offer(None, "of no session", false));
        assert!(released(&mut held, now, false, false).is_empty());
        assert_eq!(released(&mut held, now, false, true), ["waits", "second", "waits"]);
        assert!(held.is_empty() && held.due().is_none() && held.sessions.is_empty());
    }

    #[test]
    fn none_waits_for_longer_than_it_may() {
        let (mut held, now) = (SessionQueues::new(PATIENCE, 10), Instant::now());
        let later = now + PATIENCE / 2;
        for (session, at) in [("a", now), ("b", later)] {
            assert!(offered(&mut held, event(Some(session), "waits"), at, false));
        }
        assert_eq!(held.due(), Some(now + PATIENCE));
        assert_eq!(released(&mut held, now + PATIENCE, false, false).len(), 1);
        assert_eq!(held.due(), Some(later + PATIENCE));
        assert_eq!(released(&mut held, later + PATIENCE, false, false).len(), 1);
        assert!(held.is_empty() && held.due().is_none());
    }

    #[test]
    fn too_many_go_and_at_the_end_all_do() {
        let (mut held, now) = (SessionQueues::new(PATIENCE, 10), Instant::now());
        for n in 0..=10 {
            assert!(!held.is_over());
            assert!(offered(&mut held, event(Some(&n.to_string()), "waits"), now, false));
        }
        assert_eq!(released(&mut held, now, false, false).len(), 11);
        assert!(offered(&mut held, event(Some("a"), "waits"), now, false));
        assert_eq!(released(&mut held, now, true, false), ["waits"]);
    }
}
