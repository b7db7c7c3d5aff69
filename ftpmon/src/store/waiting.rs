//! Events that wait to hear where their file is.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::Verdict;
use crate::chain::Held;
use ftpmon_event::{Event, EventKind, FileFacts, FileId, FileReason};

/// Verdicts that are remembered for an event that is still to come. Stops files whose sessions never tell of them.
const VERDICTS_MAX: usize = 8_192;
/// Events that may wait. Stops a disk that hangs: beyond it, none waits any longer.
const EVENTS_MAX: usize = 4_096;
/// How long an event waits for its file.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of files, for the events that tell of them.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    verdicts: HashMap<FileId, Result<String, FileReason>>,
    order: VecDeque<FileId>,
}

impl Outcomes {
    /// A file's outcome is known.
    pub(crate) fn learn(&mut self, verdict: Verdict) {
        while self.order.len() >= VERDICTS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.verdicts.remove(&oldest);
            }
        }
        self.order.push_back(verdict.id);
        self.verdicts.insert(verdict.id, verdict.stored);
    }

    /// Says in an event where its file is. False where that is not known yet.
    pub(crate) fn fill(&self, event: &mut Event) -> bool {
        let Some((id, facts)) = file_of(event) else { return true };
        let Some(stored) = self.verdicts.get(&id) else { return false };
        match stored {
            Ok(path) => facts.stored = Some(path.clone()),
            Err(reason) => not_stored(facts, *reason),
        }
        true
    }
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Waiting {
    outcomes: Outcomes,
    held: Held,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { outcomes: Outcomes::default(), held: Held::new(PATIENCE, EVENTS_MAX) }
    }
}

impl Waiting {
    /// The event has to wait: [`Self::hold`] takes it. Otherwise it says now where its file is, if it has one.
    pub(crate) fn must_wait(&self, event: &mut Event) -> bool {
        self.held.must_wait(event, |event, _| self.outcomes.fill(event))
    }

    /// Takes an event that has to wait.
    pub(crate) fn hold(&mut self, event: Event, now: Instant) {
        self.held.hold(event, now);
    }

    /// A file's outcome is known.
    pub(crate) fn learn(&mut self, verdict: Verdict) {
        self.outcomes.learn(verdict);
    }

    /// Nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Hands out every event that need not wait any longer: all of them where `all`, or where there are too many.
    pub(crate) fn release(&mut self, now: Instant, all: bool, give: impl FnMut(Event)) {
        let Self { outcomes, held } = self;
        let settle = |event: &mut Event, last: bool| {
            let known = outcomes.fill(event);
            if !known
                && last
                && let Some((_, facts)) = file_of(event)
            {
                not_stored(facts, FileReason::StoreBusy);
            }
            known
        };
        held.release(now, all, settle, give);
    }
}

fn file_of(event: &mut Event) -> Option<(FileId, &mut FileFacts)> {
    let EventKind::Transfer(transfer) = &mut event.kind else { return None };
    let facts = transfer.file.as_mut()?;
    Some((facts.id?, facts))
}

fn not_stored(facts: &mut FileFacts, reason: FileReason) {
    facts.reason = facts.reason.filter(|known| *known != FileReason::SizeCap).or(Some(reason));
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use super::*;
    use crate::format::sample;
    use ftpmon_event::addr::Endpoint;
    use ftpmon_event::link::InterfaceId;
    use ftpmon_event::time::Timestamp;
    use ftpmon_event::{SensorStop, SessionIdentity};

    fn event(session: &str, kind: EventKind) -> Event {
        let end = Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 21);
        let identity = SessionIdentity::new(end, end, Timestamp::default(), InterfaceId(0)).with_id(session);
        Event { ts: Timestamp::default(), session: Some(Arc::new(identity)), user: None, kind }
    }

    fn transfer(session: &str, id: u64) -> Event {
        let mut kind = sample::transfer(4);
        let EventKind::Transfer(transfer) = &mut kind else { panic!() };
        transfer.file.as_mut().unwrap().id = Some(FileId(id));
        event(session, kind)
    }

    fn other(session: &str) -> Event {
        event(session, EventKind::SensorStop(SensorStop { reason: "x".into() }))
    }

    fn stored(event: &Event) -> Option<&str> {
        let EventKind::Transfer(transfer) = &event.kind else { return None };
        transfer.file.as_ref()?.stored.as_deref()
    }

    /// Takes an event; gives it back where it need not wait.
    fn offer(waiting: &mut Waiting, mut event: Event, now: Instant) -> Option<Event> {
        if waiting.must_wait(&mut event) {
            waiting.hold(event, now);
            return None;
        }
        Some(event)
    }

    #[test]
    fn a_sessions_events_stay_in_order_and_others_go_on() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        assert!(offer(&mut waiting, transfer("a", 1), now).is_none());
        assert!(offer(&mut waiting, other("a"), now).is_none());
        assert!(offer(&mut waiting, other("b"), now).is_some());
        let mut out = Vec::new();
        waiting.release(now, false, |event| out.push(event));
        assert!(out.is_empty());
        waiting.learn(Verdict { id: FileId(1), stored: Ok("here".into()) });
        waiting.release(now, false, |event| out.push(event));
        assert_eq!(out.iter().map(stored).collect::<Vec<_>>(), [Some("here"), None]);
        assert!(waiting.is_empty());
    }

    #[test]
    fn a_verdict_may_come_first_and_serve_two_sessions() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        waiting.learn(Verdict { id: FileId(1), stored: Ok("here".into()) });
        for session in ["a", "b"] {
            assert_eq!(stored(&offer(&mut waiting, transfer(session, 1), now).unwrap()), Some("here"));
        }
    }

    #[test]
    fn nothing_waits_for_ever() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        offer(&mut waiting, transfer("a", 1), now);
        let mut out = Vec::new();
        waiting.release(now + PATIENCE, false, |event| out.push(event));
        let EventKind::Transfer(transfer) = &out[0].kind else { panic!() };
        assert_eq!(transfer.file.as_ref().unwrap().reason, Some(FileReason::StoreBusy));
    }
}
