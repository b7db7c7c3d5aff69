//! The borders of batches, at which partitions exchange mail.

use crate::time::Timestamp;
use crate::timing::BORDER_NS;

/// Packets between two exchanges at most.
const BORDER_PACKETS: u64 = 4_096;

/// Divides the input into batches of packets, between which partitions exchange. Borders depend on the packets' indexes and
/// times alone, so that they are the same whoever owns the partitions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Borders {
    /// When the batch began, and with which packet.
    batch: Option<(Timestamp, u64)>,
    now: Timestamp,
}

impl Borders {
    /// Packet `index` was seen at `at`. True if a batch ended before it.
    #[inline]
    pub fn packet(&mut self, at: Timestamp, index: u64) -> bool {
        self.now = self.now.max(at);
        let Some((began, first)) = self.batch else {
            self.batch = Some((self.now, index));
            return false;
        };
        let over = index.wrapping_sub(first) >= BORDER_PACKETS || self.now.nanos_since(began) >= BORDER_NS;
        if over {
            self.batch = Some((self.now, index));
        }
        over
    }

    /// Time advanced to `now` without a packet. True if the batch ends with that, or ended before: no packet has to come for
    /// what timers do.
    pub fn time(&mut self, now: Timestamp) -> bool {
        self.now = self.now.max(now);
        let over = self.batch.is_none_or(|(began, _)| self.now.nanos_since(began) >= BORDER_NS);
        if over {
            self.batch = None;
        }
        over
    }

    /// The time at which the batch ends, if there is one.
    pub fn due(&self) -> Option<Timestamp> {
        self.batch.map(|(began, _)| began.plus_nanos(BORDER_NS as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_ends_by_count_or_by_time() {
        let mut borders = Borders::default();
        let at = Timestamp::from_nanos;
        assert!(!borders.packet(at(0), 0) && !borders.packet(at(1), BORDER_PACKETS - 1));
        assert!(borders.packet(at(2), BORDER_PACKETS) && !borders.packet(at(3), BORDER_PACKETS + 1));
        assert!(borders.packet(at(2 + BORDER_NS as i64), BORDER_PACKETS + 2));
        assert!(!borders.packet(at(5), BORDER_PACKETS + 3), "time does not step back");
        assert!(!borders.time(at(1 + 2 * BORDER_NS as i64)));
        assert!(borders.time(at(2 + 2 * BORDER_NS as i64)) && borders.due().is_none());
        assert!(borders.time(at(3 + 2 * BORDER_NS as i64)), "what timers do is exchanged at once");
    }
}
