//! Segments of one or two bytes, one after another: what hides the words of a dialogue from monitors that look at segments.
//!
//! A program that sends what a user types key by key does the same, slowly and for a while. So a segment counts at once where it follows
//! the one before it faster than anybody types, and else only behind as many as nobody types in a session.

use crate::event::Direction;
use crate::time::Timestamp;

/// Bytes of a tiny segment at most. An end of a line of its own (CR LF) is one.
pub(super) const TINY_BYTES: usize = 2;
/// Tiny segments in a row that programs send: the space before an argument, an argument of one letter, the end of the line; and the
/// Synch of ABOR.
const IN_A_ROW: u8 = 3;
/// The least time between keys. The fastest typists take 50 ms, a key that is held down 30 ms.
const BETWEEN_KEYS_NS: u64 = 20_000_000;
/// Slower segments of one end that do not count: two hundred commands typed by hand.
const TYPED_MAX: u32 = 2_048;
/// Fewer are not told: whatever program, terminal or network made them, no monitor has to know.
const TOLD_MIN: u64 = 64;

/// The tiny segments of a session.
#[derive(Debug, Default)]
pub(super) struct Tiny {
    client: Sent,
    server: Sent,
    /// Those that counted.
    counted: u64,
}

/// The latest ones of an end.
#[derive(Debug, Default)]
struct Sent {
    sequence: u32,
    at: Timestamp,
    in_a_row: u8,
    typed: u32,
}

impl Sent {
    /// A tiny segment came. True if it counts.
    fn add(&mut self, at: Timestamp, sequence: u32) -> bool {
        // A probe, a retransmission, or the same seen at another interface.
        if self.in_a_row > 0 && self.sequence == sequence {
            return false;
        }
        let is_fast = at.nanos_since(self.at) < BETWEEN_KEYS_NS;
        (self.sequence, self.at) = (sequence, at);
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row <= IN_A_ROW {
            return false;
        }
        self.typed = self.typed.saturating_add(u32::from(!is_fast));
        is_fast || self.typed > TYPED_MAX
    }
}

impl Tiny {
    fn of(&mut self, direction: Direction) -> &mut Sent {
        match direction {
            Direction::Command => &mut self.client,
            Direction::Reply => &mut self.server,
        }
    }

    /// A larger segment came.
    pub(super) fn larger(&mut self, direction: Direction) {
        self.of(direction).in_a_row = 0;
    }

    /// A tiny segment came.
    pub(super) fn add(&mut self, at: Timestamp, direction: Direction, sequence: u32) {
        let counts = self.of(direction).add(at, sequence);
        self.counted += u64::from(counts);
    }

    /// The number of those that counted, where they are so many that it is told.
    pub(super) fn told(&self) -> Option<u64> {
        Some(self.counted).filter(|counted| *counted >= TOLD_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that count of so many segments, each so many milliseconds behind the one before it, with larger ones between.
    fn counted(number: u32, apart_ms: i64, between: impl Fn(u32) -> bool) -> usize {
        let mut sent = Sent::default();
        let count = |n: u32| {
            if between(n) {
                sent.in_a_row = 0;
            }
            sent.add(Timestamp::from_nanos(i64::from(n) * apart_ms * 1_000_000), n)
        };
        (0..number).map(count).filter(|counts| *counts).count()
    }

    #[test]
    fn fast_ones_count_and_typed_ones_do_not() {
        assert_eq!(counted(100, 1, |_| false), 97);
        assert_eq!(counted(100, 19, |_| false), 97);
        assert_eq!(counted(2_000, 20, |_| false), 0);
        assert_eq!(counted(2_000, 150, |_| false), 0);
    }

    #[test]
    fn slow_ones_count_behind_as_many_as_nobody_types() {
        assert_eq!(counted(TYPED_MAX + 3 + 50, 150, |_| false), 50);
    }

    #[test]
    fn pieces_between_larger_segments_do_not_count() {
        assert_eq!(counted(3_000, 1, |n| n % 3 == 0), 0);
    }

    #[test]
    fn the_same_segment_again_does_not_count() {
        let mut sent = Sent::default();
        assert!((0..100).all(|n| !sent.add(Timestamp::from_nanos(n), 7)));
    }
}
