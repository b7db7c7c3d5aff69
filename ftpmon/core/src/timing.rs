//! The durations of the core, in nanoseconds. Those that an operator sets are in [`Limits`](crate::config::Limits).

/// How long a final reply waits for a data connection that was not seen yet, and a data connection that ended for its
/// command: either may be on its way, or be captured out of order.
pub(crate) const GRACE_NS: i64 = 2_000_000_000;

/// How far packets of two connections may be captured out of order.
pub(crate) const DISORDER_NS: i64 = 5_000_000;
