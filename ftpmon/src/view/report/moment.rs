//! Times for people.

use ftpmon_event::time::{Rfc3339, Timestamp};

/// A time to the minute: `2026-01-01 00:00`.
pub(super) fn minute(at: Timestamp) -> String {
    let text = Rfc3339::of(at);
    text.as_str().get(..16).unwrap_or_default().replace('T', " ")
}

/// A time to the second: `2026-01-01 00:00:00`.
pub(super) fn second(at: Timestamp) -> String {
    let text = Rfc3339::of(at);
    text.as_str().get(..19).unwrap_or_default().replace('T', " ")
}
