//! Budgets of bytes that are held for a decision, and of all memory. All partitions draw on one pool for each purpose.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use crate::account::Side;
use crate::config::{EngineConfig, FilesMode};
use crate::flow::Flow;
use crate::tcp::StreamLimits;

/// Bytes that all partitions hold together, by purpose.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budgets {
    probe: Arc<AtomicUsize>,
    early: Arc<AtomicUsize>,
    reorder: Arc<AtomicUsize>,
    memory: Arc<AtomicUsize>,
}

impl Budgets {
    /// The memory that partitions drew from what they share.
    pub(super) fn memory(&self) -> &Arc<AtomicUsize> {
        &self.memory
    }
}

/// A partition's part of a pool.
#[derive(Debug)]
pub(super) struct Share {
    used: usize,
    pool: Arc<AtomicUsize>,
}

impl Share {
    fn new(pool: &Arc<AtomicUsize>) -> Self {
        Self { used: 0, pool: Arc::clone(pool) }
    }

    /// Bytes that this partition holds.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Bytes that all partitions hold.
    pub(super) fn total(&self) -> usize {
        self.pool.load(Ordering::Relaxed)
    }

    /// A holder of `before` bytes holds `now` bytes.
    pub(super) fn change(&mut self, before: usize, now: usize) {
        if before == now {
            return;
        }
        self.used = (self.used + now).saturating_sub(before);
        // Wraps where less is held than before: the sum over all is right.
        self.pool.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
    }
}

/// The bytes that a partition holds.
#[derive(Debug)]
pub(super) struct Held {
    /// First lines of connections that may be control connections.
    pub(super) probe: Share,
    /// First bytes of connections that may be data connections.
    pub(super) early: Share,
    /// Bytes of files after missing ones.
    pub(super) reorder: Share,
}

impl Held {
    pub(super) fn new(budgets: &Budgets) -> Self {
        Self {
            probe: Share::new(&budgets.probe),
            early: Share::new(&budgets.early),
            reorder: Share::new(&budgets.reorder),
        }
    }
}

/// The limits of a flow's connection for a segment that `from` sent: less than its own caps where the connections of files hold
/// `held` bytes together, nearly as many as they may. The caps of [`StreamLimits`] are those of one connection; a thousand
/// connections with a hole each would multiply them.
pub(super) fn limits_with_room(config: &EngineConfig, held: usize, flow: &Flow, from: Side) -> StreamLimits {
    let mut limits = flow.tcp_limits(config.limits.late_ms);
    limits.checksums = config.checksums;
    if config.files != FilesMode::Off && flow.role.may_be_a_file() {
        let others = held.saturating_sub(flow.held as usize);
        let room = config.limits.reorder_bytes.saturating_sub(others);
        if room < 2 * limits.held_bytes as usize {
            let payload = flow.connection.payload_that_fits(from, room);
            limits.held_bytes = limits.held_bytes.min(u32::try_from(payload).unwrap_or(u32::MAX));
        }
    }
    limits
}

/// Steps in which a partition draws on the pool, bytes. Threads meet there seldom.
const STEP: usize = 64 << 10;

/// A partition's part of the budget.
#[derive(Debug)]
pub(super) struct Memory {
    /// Bytes that are this partition's alone.
    pub(super) own: usize,
    /// Bytes in sessions beyond what each takes anyway: commands that wait, lines and replies that are not complete.
    pub(super) waiting: usize,
    /// Bytes drawn from the pool.
    drawn: usize,
    pool: Arc<AtomicUsize>,
    pool_max: usize,
    /// Bytes of the budget divided by the partitions.
    pub(super) share: usize,
}

impl Memory {
    /// The part of one of `count` partitions in a budget of `bytes`.
    pub(super) fn new(bytes: usize, count: u8, pool: &Arc<AtomicUsize>) -> Self {
        let mut memory = Self { own: 0, waiting: 0, drawn: 0, pool: Arc::clone(pool), pool_max: 0, share: 0 };
        memory.set_limit(bytes, usize::from(count));
        memory
    }

    /// From now on the budget of `count` partitions has so many bytes.
    pub(super) fn set_limit(&mut self, bytes: usize, count: usize) {
        self.share = bytes / count.max(1);
        (self.own, self.pool_max) = (self.share / 2, bytes / 2);
    }

    /// The partition takes `used` bytes. False where the budget does not have them.
    pub(super) fn has_room_for(&mut self, used: usize) -> bool {
        let drawn = used.saturating_sub(self.own).next_multiple_of(STEP);
        if drawn != self.drawn {
            // Wraps where less is drawn than before: the sum over all is right.
            self.pool.fetch_add(drawn.wrapping_sub(self.drawn), Ordering::Relaxed);
            self.drawn = drawn;
        }
        drawn == 0 || self.pool.load(Ordering::Relaxed) <= self.pool_max
    }
}
