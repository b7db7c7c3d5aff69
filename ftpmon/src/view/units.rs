//! Times, sizes, rates, shares and counts for people.

use ftpmon_event::time::{Rfc3339, Timestamp};

/// So many open sessions.
pub(super) fn open_sessions(count: usize) -> String {
    format!("{count} open {}", if count == 1 { "session" } else { "sessions" })
}

/// Percent of a number; none of nothing.
pub(super) fn percent(part: u64, of: u64) -> Option<u64> {
    u64::try_from((u128::from(part) * 100).checked_div(of.into())?).ok()
}

/// A time to the minute: `2026-01-01 00:00`.
pub(super) fn minute(at: Timestamp) -> String {
    begun(at, 16)
}

/// A time to the second: `2026-01-01 00:00:00`.
pub(super) fn second(at: Timestamp) -> String {
    begun(at, 19)
}

/// The first characters of a time, without the `T`.
fn begun(at: Timestamp, characters: usize) -> String {
    Rfc3339::of(at).as_str().get(..characters).unwrap_or_default().replace('T', " ")
}

/// The time since a moment: `12s`, `3m04s`, `5h07m`, `2d03h`.
pub(super) fn age(now: Timestamp, since: Timestamp) -> String {
    let seconds = now.millis_since(since) / 1_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// Bytes in the largest unit of 1,000 that leaves a digit before the point.
pub(super) fn size(bytes: u64) -> String {
    let units = [(1_000_000_000_000_u64, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{}{name}", bytes / unit, bytes % unit / (unit / 10)),
        None => bytes.to_string(),
    }
}

/// Bits a second as bytes a second: `1.5k/s`.
pub(super) fn rate(bps: u64) -> String {
    size(bps / 8) + "/s"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_for_people() {
        let ages = [0, 59, 184, 18_420, 183_600];
        let since = Timestamp::from_parts(1_000, 0);
        assert_eq!(
            ages.map(|seconds| age(Timestamp::from_parts(1_000 + seconds, 0), since)),
            ["0s", "59s", "3m04s", "5h07m", "2d03h"]
        );
        assert_eq!([0, 999, 1_550, 2_000_000].map(size), ["0", "999", "1.5k", "2.0M"]);
        assert_eq!(rate(12_000), "1.5k/s");
    }
}
