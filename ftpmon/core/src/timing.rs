//! The durations of the core, in nanoseconds. Those that an operator sets are in [`Limits`](crate::config::Limits).

/// How long a final reply waits for a data connection that was not seen yet, and a data connection that ended for its
/// command: either may be on its way, or be captured out of order.
pub(crate) const GRACE_NS: i64 = 2_000_000_000;

/// How far packets of two connections may be captured out of order.
pub(crate) const DISORDER_NS: i64 = 5_000_000;

/// How long bytes that are missing are attributed to lost records after the ring lost some.
pub(crate) const LOSS_ECHO_NS: u64 = 5_000_000_000;

/// How long a connection that ended is remembered, so that its late packets start nothing new; seconds.
pub(crate) const ENDED_KEPT_S: u32 = 10;

/// How long a connection that ended is kept in case that it turns out to be a data connection, seconds: that its
/// announcement is missing is known only when the session goes on.
pub(crate) const UNCLAIMED_KEPT_S: u32 = 300;

/// How long late packets are waited for after a RST, or after the FINs of both ends.
pub(crate) const AFTER_RST_NS: i64 = 200_000_000;

/// How long the other end's FIN is waited for after the first one.
pub(crate) const AFTER_FIN_NS: i64 = 60_000_000_000;

/// How long a connection waits for its announcement: the kernel stops counting it then, and bytes held of it go. One that
/// began longer ago than this before an announcement is another one, to a port that is used again.
pub(crate) const ANNOUNCEMENT_LATE_NS: i64 = 10_000_000_000;

/// How long after a transfer command its data connection is opened.
pub(crate) const OPENED_AFTER_COMMAND_NS: i64 = 2_000_000_000;

/// How long after payload of an unreadable session the data connection that it announced is opened.
pub(crate) const ASKED_NS: u64 = 2_000_000_000;

/// How long after its connection's last packet a transfer of an unreadable session is answered.
pub(crate) const ANSWERED_NS: i64 = 2_000_000_000;

/// How long before that it may be answered: the server's reply may overtake the client's FIN.
pub(crate) const ANSWERED_BEFORE_NS: i64 = 1_000_000_000;

/// How long two data connections of an unreadable session may overlap while one closes.
pub(crate) const OVERLAP_NS: u64 = 100_000_000;

/// How late an announcement that was seen may be. Less than a final reply waits for its connection.
pub(crate) const ANNOUNCED_LATE_NS: i64 = 1_000_000_000;

/// How long after a loss another session that lost something in it is known, mostly.
pub(crate) const OTHERS_KNOWN_NS: i64 = 5_000_000_000;

/// How far packet time goes on until partitions exchange what concerns each other.
pub(crate) const BORDER_NS: u64 = 50_000_000;
