//! The ladder: rows between the lifelines of client and server.

use ftpmon_event::time::{Rfc3339, Timestamp};

use super::step::Lane;
use crate::view::terminal::Tone;

/// The ladder of a session.
pub(super) struct Ladder {
    /// Lines above it.
    pub(super) heading: Vec<String>,
    /// The client: its name and its endpoint.
    pub(super) client: [String; 2],
    /// The server.
    pub(super) server: [String; 2],
    /// The endpoints of the data connections: that of the client's side, that of the server's side.
    pub(super) data: Vec<[String; 2]>,
    /// The rows, from top to bottom.
    pub(super) rows: Vec<Row>,
    /// Lines below it.
    pub(super) footing: Vec<String>,
}

/// A row of the ladder. Its texts are safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// When it happened.
    pub(super) at: Timestamp,
    /// Its frame.
    pub(super) frame: Option<u64>,
    /// Its connection.
    pub(super) lane: Lane,
    /// Its direction.
    pub(super) arrow: Arrow,
    /// The text at the arrow.
    pub(super) label: String,
    /// The explanations below.
    pub(super) notes: Vec<String>,
    /// Its colour.
    pub(super) tone: Tone,
    /// The command that it is or answers.
    pub(super) tx: Option<u64>,
}

/// The direction of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrow {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
    /// A statement about both.
    None,
}

impl Arrow {
    /// The direction of what the client sends, or the server.
    pub(super) const fn from_client(from_client: bool) -> Self {
        if from_client { Self::ToServer } else { Self::ToClient }
    }
}

impl Row {
    /// A row without an arrow.
    pub(super) fn statement(at: Timestamp, tone: Tone, label: String) -> Self {
        Self {
            at,
            frame: None,
            lane: Lane::Control,
            arrow: Arrow::None,
            label,
            notes: Vec::new(),
            tone,
            tx: None,
        }
    }
}

impl Ladder {
    /// The time of its first row.
    pub(super) fn begin(&self) -> Timestamp {
        self.rows.first().map_or_else(Timestamp::default, |row| row.at)
    }
}

/// Seconds and microseconds from one time to a later one: `0.004000`.
pub(super) fn seconds(from: Timestamp, to: Timestamp) -> String {
    let us = to.micros_since(from);
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// Seconds as [`seconds`] has them, in so many columns: with fewer decimal places where there are too many digits.
pub(super) fn seconds_within(from: Timestamp, to: Timestamp, columns: usize) -> String {
    let text = seconds(from, to);
    let whole = text.find('.').unwrap_or(text.len());
    let end = text.len().min(columns.max(whole));
    text.get(..end).unwrap_or(&text).trim_end_matches('.').to_owned()
}

/// A duration in its largest unit: `312 µs`, `1.000 ms`, `2.500 s`.
pub(super) fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{:03} ms", us / 1_000, us % 1_000),
        _ => format!("{}.{:03} s", us / 1_000_000, us / 1_000 % 1_000),
    }
}

/// A rate in bytes a second, from bits a second.
pub(super) fn rate(bits: u64) -> String {
    let bytes = bits / 8;
    let unit = [(1_000_000_000_u64, "GB/s"), (1_000_000, "MB/s"), (1_000, "kB/s")];
    match unit.iter().find(|(factor, _)| bytes >= *factor) {
        Some((factor, name)) => {
            format!("{}.{:02} {name}", bytes / factor, u128::from(bytes % factor) * 100 / u128::from(*factor))
        }
        None => format!("{bytes} B/s"),
    }
}

/// A time as `2026-01-01 00:00:00.001000 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    let text = Rfc3339::of(at);
    let part = |range: core::ops::Range<usize>| text.as_str().get(range).unwrap_or_default().to_owned();
    format!("{} {} UTC", part(0..10), part(11..26))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_rates_for_people() {
        assert_eq!([12, 1_000, 1_234, 2_500_000].map(duration), ["12 µs", "1.000 ms", "1.234 ms", "2.500 s"]);
        assert_eq!([8, 3_984_000, 8_000_000_000].map(rate), ["1 B/s", "498.00 kB/s", "1.00 GB/s"]);
        let at = Timestamp::from_parts(1_767_225_600, 1_000_000);
        assert_eq!(moment(at), "2026-01-01 00:00:00.001000 UTC");
        assert_eq!(seconds(at, at.plus_nanos(61_000_004_999)), "61.000004");
        let later = at.plus_nanos(536_755_986_884_968_000);
        assert_eq!(seconds(at, later), "536755986.884968");
        assert_eq!(
            [16, 12, 10, 9, 3].map(|columns| seconds_within(at, later, columns)),
            ["536755986.884968", "536755986.88", "536755986", "536755986", "536755986"]
        );
    }
}
