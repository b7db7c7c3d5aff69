//! The state of the agent at a moment, where the thread that serves it finds it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::feed::Feed;
use super::tally::Tally;
use crate::telemetry::{Kind, Snapshot};
use ftpmon_event::InterfaceFacts;

/// An agent that put nothing on the board for so long hangs.
const STALE: Duration = Duration::from_secs(10);

/// The state of the agent at a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Published {
    /// The sensor's name.
    pub(crate) sensor: String,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// Milliseconds since the start.
    pub(crate) uptime_ms: u64,
    /// The watched interfaces.
    pub(crate) interfaces: Vec<InterfaceFacts>,
    /// All counters.
    pub(crate) snapshot: Snapshot,
    /// Counts of events.
    pub(crate) tally: Tally,
}

impl Published {
    /// The reasons why the agent is not ready; none where it is.
    pub(super) fn unready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.interfaces.is_empty() {
            reasons.push("no interface is watched".to_owned());
        }
        for sample in self.snapshot.samples() {
            if sample.kind == Kind::Gauge && sample.name == "output_up" && sample.value == 0 {
                let output = sample.labels.first().map_or("", |(_, name)| name);
                reasons.push(format!("output {output} takes nothing"));
            }
        }
        reasons
    }
}

/// A state with the time at which it was put up.
type Latest = (Instant, Arc<Published>);

/// The board: the latest state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    latest: Arc<Mutex<Option<Latest>>>,
    feed: Feed,
}

impl Board {
    /// The events.
    pub(crate) const fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Puts a state in the place of the last one.
    pub(crate) fn publish(&self, state: Published) {
        let latest = Some((Instant::now(), Arc::new(state)));
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = latest;
    }

    /// The latest state, and whether it is recent; none before the first.
    pub(super) fn latest(&self) -> Option<(Arc<Published>, bool)> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.as_ref().map(|(at, state)| (Arc::clone(state), at.elapsed() < STALE))
    }
}
