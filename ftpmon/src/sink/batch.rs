//! Finished lines on their way to the outputs.

use std::sync::Arc;

/// Whole lines, shared by all outputs.
#[derive(Clone, Debug)]
pub struct LineBatch {
    lines: Arc<Vec<u8>>,
    events: u64,
}

impl LineBatch {
    /// `lines` hold `events` events and end with a line feed.
    pub fn new(lines: Vec<u8>, events: u64) -> Self {
        Self { lines: Arc::new(lines), events }
    }

    /// Its size in memory, bytes.
    pub fn capacity(&self) -> usize {
        self.lines.capacity()
    }

    /// The lines.
    pub fn bytes(&self) -> &[u8] {
        &self.lines
    }

    /// The number of events in it.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The number of events that are incomplete when only the first `written` bytes are written.
    pub(super) fn events_after(&self, written: usize) -> u64 {
        if written == 0 {
            return self.events;
        }
        let rest = self.lines.get(written..).unwrap_or_default();
        self.events.min(rest.iter().filter(|&&byte| byte == b'\n').count() as u64)
    }

    /// The start of the line that byte `at` belongs to.
    pub(super) fn line_start(&self, at: usize) -> usize {
        let before = self.lines.get(..at).unwrap_or_default();
        before.iter().rposition(|&byte| byte == b'\n').map_or(0, |feed| feed + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::LineBatch;

    #[test]
    fn a_cut_falls_back_to_its_line() {
        let batch = LineBatch::new(b"one\ntwo\nthree\n".to_vec(), 3);
        assert_eq!(batch.line_start(0), 0);
        assert_eq!(batch.line_start(2), 0);
        assert_eq!(batch.line_start(4), 4);
        assert_eq!(batch.line_start(9), 8);
        assert_eq!(batch.events_after(0), 3);
        assert_eq!(batch.events_after(4), 2);
        assert_eq!(batch.events_after(9), 1);
        assert_eq!(batch.events_after(14), 0);
    }
}
