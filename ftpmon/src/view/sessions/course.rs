//! The course of a transfer whose end is known while it runs, for its events are stored.

use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind};

/// When a transfer's data began and ended, and how many bytes there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::view) struct Course {
    began: Timestamp,
    ended: Timestamp,
    bytes: u64,
}

impl Course {
    /// That of the transfer that an event reports, by its SYN and its last packet; without its SYN by the time of the report.
    pub(in crate::view) fn of(event: &Event) -> Option<Self> {
        let EventKind::Transfer(told) = &event.kind else { return None };
        let data = told.data.as_ref()?;
        let ns = i64::try_from(data.duration_us?.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let began = data.handshake.map_or(event.ts.plus_nanos(-ns), |handshake| handshake.syn);
        let bytes = data.bytes_from_client.saturating_add(data.bytes_from_server);
        Some(Self { began, ended: began.plus_nanos(ns), bytes })
    }

    /// The bytes at a time, if every second had as many.
    pub(in crate::view) fn bytes_at(&self, now: Timestamp) -> u64 {
        let whole = u128::from(self.ended.micros_since(self.began));
        let past = u128::from(now.micros_since(self.began)).min(whole);
        let part = (u128::from(self.bytes) * past).checked_div(whole);
        part.and_then(|part| u64::try_from(part).ok()).unwrap_or(self.bytes)
    }

    /// Bits a second from its beginning to its end; none where it took no time.
    pub(in crate::view) fn rate_bps(&self) -> Option<u64> {
        let us = u128::from(self.ended.micros_since(self.began));
        u64::try_from((u128::from(self.bytes) * 8_000_000).checked_div(us)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_grow_from_none_to_all() {
        let at = |ms: i64| Timestamp::from_nanos(ms * 1_000_000);
        let course = Course { began: at(1_000), ended: at(5_000), bytes: 8_000 };
        let of = |ms| course.bytes_at(at(ms));
        assert_eq!(
            [of(0), of(1_000), of(2_000), of(4_999), of(5_000), of(9_000)],
            [0, 0, 2_000, 7_998, 8_000, 8_000]
        );
        assert_eq!(course.rate_bps(), Some(16_000));
        let at_once = Course { ended: at(1_000), ..course };
        assert_eq!((at_once.bytes_at(at(1_000)), at_once.rate_bps()), (8_000, None));
    }
}
