//! Stores the pieces of files, and adds to an event where its file is. Live, such an event waits for its file.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::{Duration, Instant};

use super::session_queues::SessionQueues;
use crate::store::{FileOutcome, QUEUE_BYTES_MAX, Store, StoreOptions, StoreThread};
use crate::telemetry::{Kind, Sampled, Snapshot};
use ftpmon_core::engine::FilePiece;
use ftpmon_event::{Event, EventKind, FileFacts, FileId, FileReason};

/// Outcomes that are remembered for an event that is still to come. Stops files whose sessions never report them.
const OUTCOMES_MAX: usize = 8_192;
/// Events that may wait. Stops a disk that hangs: beyond it, none waits any longer.
const EVENTS_MAX: usize = 4_096;
/// The longest wait of an event for its file.
const PATIENCE: Duration = Duration::from_secs(5);

/// The stored files of a run.
pub(crate) struct Files {
    backend: Backend,
    outcomes: Outcomes,
    waiting: SessionQueues,
}

/// The way in which files are written.
enum Backend {
    /// On a thread of their own, so that a slow disk holds up no packet.
    Thread { store: StoreThread, quota: u64 },
    /// At once: reading capture files can wait for the disk.
    Here(Box<Store>),
}

impl Files {
    /// Stores files on a thread of their own.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn on_a_thread(options: StoreOptions) -> io::Result<Self> {
        let quota = options.quota;
        Ok(Self::new(Backend::Thread { store: StoreThread::start(options)?, quota }))
    }

    /// Stores files while the caller waits.
    pub(crate) fn at_once(options: StoreOptions) -> Self {
        let mut store = Store::new(options);
        store.open();
        Self::new(Backend::Here(Box::new(store)))
    }

    fn new(backend: Backend) -> Self {
        let waiting = SessionQueues::new(PATIENCE, EVENTS_MAX);
        Self { backend, outcomes: Outcomes::default(), waiting }
    }

    /// The next piece of a file.
    pub(super) fn piece(&mut self, piece: FilePiece) {
        match &mut self.backend {
            Backend::Thread { store, .. } => store.push(piece),
            Backend::Here(store) => {
                if let Some(outcome) = store.piece(piece) {
                    self.outcomes.learn(outcome);
                }
            }
        }
    }

    /// The event has to wait: [`Self::hold`] takes it. Otherwise it says now where its file is, if it has one.
    #[inline]
    pub(super) fn must_wait(&self, event: &mut Event) -> bool {
        match self.backend {
            Backend::Thread { .. } => self.waiting.must_wait(event, |event, _| self.outcomes.fill(event)),
            // An outcome that is not known now never will be.
            Backend::Here(_) => {
                self.outcomes.fill(event);
                false
            }
        }
    }

    /// Takes an event that has to wait.
    pub(super) fn hold(&mut self, event: Event) {
        self.waiting.hold(event, Instant::now());
    }

    /// Returns when a file is stored, or will not be.
    pub(super) async fn stored(&self) {
        match &self.backend {
            Backend::Thread { store, .. } => store.news().await,
            Backend::Here(_) => core::future::pending().await,
        }
    }

    /// The events whose files' outcomes came, or that waited too long; at the end all of them.
    pub(super) fn release(&mut self, end: bool) -> Vec<Event> {
        let Self { backend, outcomes, waiting } = self;
        if let Backend::Thread { store, .. } = backend {
            if end {
                store.finish();
            }
            for outcome in store.outcomes() {
                outcomes.learn(outcome);
            }
        }
        let mut released = Vec::new();
        if !waiting.is_empty() {
            let complete = |event: &mut Event, last: bool| outcomes.complete(event, last);
            waiting.release(Instant::now(), end, complete, |event| released.push(event));
        }
        released
    }
}

impl Sampled for Files {
    fn sample(&self, into: &mut Snapshot) {
        match &self.backend {
            Backend::Thread { store, quota } => {
                let counters = store.counters();
                let cap = QUEUE_BYTES_MAX as u64;
                into.add(Kind::Table { cap }, "files_queue_bytes", store.waiting() as u64);
                into.add(Kind::Table { cap: *quota }, "files_bytes", counters.used);
                counters.sample(into);
            }
            Backend::Here(store) => store.counters().sample(into),
        }
    }
}

/// Outcomes of files, for the events that report them.
#[derive(Debug, Default)]
struct Outcomes {
    stored: HashMap<FileId, Result<String, FileReason>>,
    order: VecDeque<FileId>,
}

impl Outcomes {
    /// A file's outcome is known.
    fn learn(&mut self, outcome: FileOutcome) {
        while self.order.len() >= OUTCOMES_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.stored.remove(&oldest);
            }
        }
        self.order.push_back(outcome.id);
        self.stored.insert(outcome.id, outcome.stored);
    }

    /// Adds to an event where its file is. False if that is not known yet.
    fn fill(&self, event: &mut Event) -> bool {
        let Some((id, facts)) = file_of(event) else { return true };
        let Some(stored) = self.stored.get(&id) else { return false };
        match stored {
            Ok(path) => facts.stored = Some(path.clone()),
            Err(reason) => not_stored(facts, *reason),
        }
        true
    }

    /// Likewise; at the `last` chance a file without an outcome counts as not stored.
    fn complete(&self, event: &mut Event, last: bool) -> bool {
        let known = self.fill(event);
        if !known
            && last
            && let Some((_, facts)) = file_of(event)
        {
            not_stored(facts, FileReason::StoreBusy);
        }
        known
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
    use ftpmon_event::{SensorStop, SessionIdentity, StopReason};

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
        event(session, EventKind::SensorStop(SensorStop { reason: StopReason::Signal }))
    }

    fn stored(event: &Event) -> Option<&str> {
        let EventKind::Transfer(transfer) = &event.kind else { return None };
        transfer.file.as_ref()?.stored.as_deref()
    }

    /// Files whose store never answers by itself: outcomes are learned by hand.
    fn files() -> Files {
        let folder = std::env::temp_dir().join(format!("ftpmon-chain-{}", std::process::id()));
        Files::on_a_thread(StoreOptions { folder, quota: 0 }).unwrap()
    }

    /// Takes an event; gives it back where it need not wait.
    fn offer(files: &mut Files, mut event: Event) -> Option<Event> {
        if files.must_wait(&mut event) {
            files.hold(event);
            return None;
        }
        Some(event)
    }

    #[test]
    fn a_sessions_events_stay_in_order_and_others_go_on() {
        let mut files = files();
        assert!(offer(&mut files, transfer("a", 1)).is_none());
        assert!(offer(&mut files, other("a")).is_none());
        assert!(offer(&mut files, other("b")).is_some());
        assert!(files.release(false).is_empty());
        files.outcomes.learn(FileOutcome { id: FileId(1), stored: Ok("here".into()) });
        let out = files.release(false);
        assert_eq!(out.iter().map(stored).collect::<Vec<_>>(), [Some("here"), None]);
        assert!(files.waiting.is_empty());
    }

    #[test]
    fn an_outcome_may_come_first_and_serve_two_sessions() {
        let mut files = files();
        files.outcomes.learn(FileOutcome { id: FileId(1), stored: Ok("here".into()) });
        for session in ["a", "b"] {
            assert_eq!(stored(&offer(&mut files, transfer(session, 1)).unwrap()), Some("here"));
        }
    }

    #[test]
    fn nothing_waits_for_ever() {
        let mut files = files();
        files.waiting.hold(transfer("a", 1), Instant::now() - PATIENCE);
        let out = files.release(false);
        let EventKind::Transfer(transfer) = &out[0].kind else { panic!() };
        assert_eq!(transfer.file.as_ref().unwrap().reason, Some(FileReason::StoreBusy));
    }
}
