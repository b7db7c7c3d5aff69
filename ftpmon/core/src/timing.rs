//! The durations of the core, in nanoseconds. Those that an operator sets are in [`Limits`](crate::config::Limits).

/// The time that a final reply waits for a data connection that was not seen yet, and a data connection that ended for its
/// command: either may be on its way, or be captured out of order.
pub(crate) const GRACE_NS: i64 = 2_000_000_000;

/// The time by which packets of two connections may be captured out of order.
pub(crate) const DISORDER_NS: i64 = 5_000_000;

/// The time for which missing bytes are attributed to lost records after the ring lost some.
pub(crate) const LOSS_ECHO_NS: u64 = 5_000_000_000;

/// The time for which missing bytes are attributed to fragments that were not put together.
pub(crate) const FRAGMENTS_ECHO_NS: u64 = 60_000_000_000;

/// The time for which a connection that ended is remembered, so that its late packets start nothing new; seconds.
pub(crate) const ENDED_KEPT_S: u32 = 10;

/// The time for which a connection that ended is kept in case that it turns out to be a data connection, seconds: that its
/// announcement is missing is known only when the session continues.
pub(crate) const UNCLAIMED_KEPT_S: u32 = 300;

/// The wait for late packets after a RST, or after the FINs of both ends.
pub(crate) const AFTER_RST_NS: i64 = 200_000_000;

/// The wait for the other end's FIN after the first one.
pub(crate) const AFTER_FIN_NS: i64 = 60_000_000_000;

/// The time for which a connection waits for its announcement: the kernel stops counting it then, and bytes held of it go. One
/// that began longer ago than this before an announcement is another one, to a port that is used again.
pub(crate) const ANNOUNCEMENT_LATE_NS: i64 = 10_000_000_000;

/// The longest time between the last payload of a session and the opening of a connection that it may be about to announce, or have
/// announced in bytes that are late: the connection's first bytes are held.
pub(crate) const ANNOUNCING_NS: i64 = 2_000_000_000;

/// The longest time between a transfer command and the opening of its data connection.
pub(crate) const OPENED_AFTER_COMMAND_NS: i64 = 2_000_000_000;

/// The longest time between payload of an unreadable session and the opening of the data connection that it announced.
pub(crate) const ASKED_NS: u64 = 2_000_000_000;

/// The longest time between a connection's last packet and the reply to its transfer in an unreadable session.
pub(crate) const ANSWERED_NS: i64 = 2_000_000_000;

/// The longest time by which the reply may precede that packet: the server's reply may overtake the client's FIN.
pub(crate) const ANSWERED_BEFORE_NS: i64 = 1_000_000_000;

/// The time by which two data connections of an unreadable session may overlap while one closes.
pub(crate) const OVERLAP_NS: u64 = 100_000_000;

/// The time for which events that are held back are counted before one event stands for them.
pub(crate) const HELD_BACK_NS: i64 = 1_000_000_000;

/// The delay that an announcement may have. Less than a final reply waits for its connection.
pub(crate) const ANNOUNCED_LATE_NS: i64 = 1_000_000_000;

/// The time after a loss within which other sessions that lost something in it are mostly known.
pub(crate) const OTHERS_KNOWN_NS: i64 = 5_000_000_000;

/// The time for which a transfer that ended and moved nothing waits for another connection to its endpoint: one of a third
/// host is known after the next exchange.
pub(crate) const OTHERS_CAME_NS: i64 = BORDER_NS as i64 + DISORDER_NS;

/// The packet time between two exchanges of mail between partitions.
pub(crate) const BORDER_NS: u64 = 50_000_000;
