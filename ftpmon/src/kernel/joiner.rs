//! Joining of frames that came in several records.
//!
//! A frame longer than [`ftpmon_common::CHUNK_MAX`] is delivered in parts, in order of their offset, though records of
//! other frames may stand between them. A frame that came whole passes through untouched and uncopied.

use std::collections::VecDeque;

use ftpmon_common::{FRAME_MAX, RecordHeader};

/// Frames that may be incomplete at a time; with [`FRAME_MAX`] bytes each, 16 MiB at most. Parts are delivered back to
/// back by one CPU, so that many are there only where parts were lost: the oldest is evicted, cut.
const FRAMES_MAX: usize = 32;
/// A frame waits this long for its next part, nanoseconds of boot time: the kernel delivers them back to back.
const PATIENCE_NS: u64 = 1_000_000_000;

/// A frame, or its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Joined {
    /// The header of its first record.
    pub(super) header: RecordHeader,
    /// Its bytes from the first.
    pub(super) bytes: Vec<u8>,
}

/// The result of a part of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The record holds the frame whole: the caller has it already.
    Whole,
    /// The frame is complete, or as complete as it gets.
    Ready(Joined),
    /// More parts are due.
    Wait,
    /// A part whose beginning never came, or of a frame that was given up.
    Orphan,
}

/// Incomplete frames, oldest first.
#[derive(Default)]
pub(super) struct Joiner {
    frames: VecDeque<Joined>,
    /// Frames that were put together.
    pub(super) joined: u64,
    /// Frames that were cut because a part never came.
    pub(super) cut: u64,
    /// Parts whose beginning never came.
    pub(super) orphans: u64,
}

impl Joiner {
    /// Takes a record of a frame.
    pub(super) fn part(&mut self, header: &RecordHeader, bytes: &[u8]) -> Part {
        let wanted = (header.frame_len as usize).min(FRAME_MAX);
        if header.offset == 0 {
            if bytes.len() >= wanted {
                return Part::Whole;
            }
            return self.begin(header, bytes);
        }
        let Some(index) = self.frames.iter().position(|frame| frame.header.frame_id == header.frame_id)
        else {
            self.orphans += 1;
            return Part::Orphan;
        };
        let follows = self.frames.get(index).is_some_and(|frame| frame.bytes.len() == header.offset as usize);
        if !follows {
            // A part between was lost. What follows it cannot be joined; what came before stands.
            self.cut += 1;
            return self.frames.remove(index).map_or(Part::Orphan, Part::Ready);
        }
        let complete = self.frames.get_mut(index).is_some_and(|frame| {
            frame.bytes.extend_from_slice(bytes);
            frame.bytes.len() >= wanted
        });
        if !complete {
            return Part::Wait;
        }
        self.joined += 1;
        self.frames.remove(index).map_or(Part::Orphan, Part::Ready)
    }

    /// A frame whose next part is overdue at `boot_ns`, cut where it ends.
    pub(super) fn overdue(&mut self, boot_ns: u64) -> Option<Joined> {
        let oldest = self.frames.front()?;
        if boot_ns.saturating_sub(oldest.header.at_ns) < PATIENCE_NS {
            return None;
        }
        self.cut += 1;
        self.frames.pop_front()
    }

    fn begin(&mut self, header: &RecordHeader, bytes: &[u8]) -> Part {
        let evicted = if self.frames.len() >= FRAMES_MAX { self.frames.pop_front() } else { None };
        // A frame that is not completed costs no more than one that is.
        let mut whole = Vec::with_capacity((header.frame_len as usize).min(FRAME_MAX));
        whole.extend_from_slice(bytes);
        self.frames.push_back(Joined { header: *header, bytes: whole });
        evicted.map_or(Part::Wait, |frame| {
            self.cut += 1;
            Part::Ready(frame)
        })
    }
}

#[cfg(test)]
mod tests {
    use ftpmon_common::CHUNK_MAX;

    use super::*;

    fn header(frame_id: u64, frame_len: usize, offset: usize) -> RecordHeader {
        RecordHeader {
            frame_id,
            frame_len: frame_len as u32,
            offset: offset as u32,
            at_ns: frame_id,
            ..RecordHeader::default()
        }
    }

    /// Feeds the chunks of a frame at the given offsets.
    fn feed(joiner: &mut Joiner, frame_id: u64, frame: &[u8], offsets: &[usize]) -> Vec<Part> {
        offsets
            .iter()
            .map(|&offset| {
                let chunk = &frame[offset..frame.len().min(offset + CHUNK_MAX)];
                joiner.part(&header(frame_id, frame.len(), offset), chunk)
            })
            .collect()
    }

    fn frame(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i % 251) as u8).collect()
    }

    #[test]
    fn a_frame_of_one_record_is_not_copied() {
        let mut joiner = Joiner::default();
        assert_eq!(feed(&mut joiner, 1, &frame(1500), &[0]), [Part::Whole]);
        assert!(joiner.frames.is_empty());
    }

    #[test]
    fn parts_are_joined_though_others_stand_between() {
        let mut joiner = Joiner::default();
        let (one, two) = (frame(3 * CHUNK_MAX - 7), frame(CHUNK_MAX + 1));
        assert_eq!(feed(&mut joiner, 1, &one, &[0]), [Part::Wait]);
        assert_eq!(feed(&mut joiner, 2, &two, &[0]), [Part::Wait]);
        assert_eq!(feed(&mut joiner, 1, &one, &[CHUNK_MAX]), [Part::Wait]);
        let Part::Ready(second) = feed(&mut joiner, 2, &two, &[CHUNK_MAX]).remove(0) else { panic!() };
        assert_eq!(second.bytes, two);
        let Part::Ready(first) = feed(&mut joiner, 1, &one, &[2 * CHUNK_MAX]).remove(0) else { panic!() };
        assert_eq!(first.bytes, one);
        assert_eq!((joiner.joined, joiner.cut, joiner.frames.len()), (2, 0, 0));
    }

    #[test]
    fn a_lost_part_cuts_the_frame_and_orphans_the_rest() {
        let mut joiner = Joiner::default();
        let whole = frame(4 * CHUNK_MAX);
        let mut parts = feed(&mut joiner, 1, &whole, &[0, 2 * CHUNK_MAX, 3 * CHUNK_MAX]);
        assert_eq!(parts.pop(), Some(Part::Orphan));
        let Some(Part::Ready(head)) = parts.pop() else { panic!() };
        assert_eq!(head.bytes, whole[..CHUNK_MAX]);
        assert_eq!((joiner.cut, joiner.orphans, joiner.frames.len()), (1, 1, 0));
    }

    #[test]
    fn a_frame_that_is_never_completed_is_given_up_in_time() {
        let mut joiner = Joiner::default();
        feed(&mut joiner, 5, &frame(2 * CHUNK_MAX), &[0]);
        assert_eq!(joiner.overdue(5), None);
        assert_eq!(joiner.overdue(5 + PATIENCE_NS).unwrap().bytes.len(), CHUNK_MAX);
        assert_eq!(joiner.overdue(u64::MAX), None);
    }

    #[test]
    fn beginnings_without_ends_are_bounded() {
        let mut joiner = Joiner::default();
        let long = frame(FRAME_MAX);
        for frame_id in 0..1000 {
            feed(&mut joiner, frame_id, &long, &[0]);
            assert!(joiner.frames.len() <= FRAMES_MAX);
        }
        assert_eq!(joiner.cut as usize + joiner.frames.len(), 1000);
    }
}
