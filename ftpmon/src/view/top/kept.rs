//! The lines of events that a session is explained from.

use std::collections::VecDeque;

use ftpmon_event::{Event, EventLine};
use smol_str::SmolStr;

/// Bytes of lines that are kept. Stops a stream without end from filling memory; the oldest give way.
const BYTES_MAX: usize = 64 << 20;
/// Lines that are kept: a bound of what is beside their bytes.
const LINES_MAX: usize = 262_144;

/// The last lines, each with its session.
#[derive(Debug, Default)]
pub(super) struct Kept {
    lines: VecDeque<(SmolStr, Box<[u8]>)>,
    bytes: usize,
}

impl Kept {
    /// Keeps a line of a session.
    pub(super) fn push(&mut self, session: &str, line: Box<[u8]>) {
        self.bytes += line.len();
        self.lines.push_back((session.into(), line));
        while self.bytes > BYTES_MAX || self.lines.len() > LINES_MAX {
            let Some((_, line)) = self.lines.pop_front() else { break };
            self.bytes -= line.len();
        }
    }

    /// The events of a session, those of them that are kept.
    pub(super) fn of(&self, session: &str) -> Vec<Event> {
        let lines = self.lines.iter().filter(|(of, _)| of == session);
        lines.filter_map(|(_, line)| Some(serde_json::from_slice::<EventLine>(line).ok()?.event)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_give_way() {
        let mut kept = Kept::default();
        for _ in 0..3 {
            kept.push("a", vec![0; BYTES_MAX / 2].into());
        }
        assert_eq!((kept.lines.len(), kept.bytes), (2, BYTES_MAX));
        kept.push("b", vec![0].into());
        assert_eq!((kept.lines.len(), kept.bytes), (2, BYTES_MAX / 2 + 1));
    }
}
