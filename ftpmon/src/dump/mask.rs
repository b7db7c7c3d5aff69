//! Passwords overwritten in frames.
//!
//! Each direction to a control port is followed line by line: what stands behind PASS and ACCT becomes `*`, byte for byte.
//! A segment that does not follow on what was seen (a retransmission, one that overtook another) may begin anywhere in a
//! line: it is overwritten up to its first line's end. So a password is never written, and at worst more than it is
//! overwritten. The TCP checksum is left as it was, and is wrong then.

use crate::bounded::BoundedMap;
use ftpmon_core::segment::Segment;
use ftpmon_event::addr::Endpoint;

/// Directions that are followed at a time. One that was given up is overwritten up to its next line's end.
pub const LINES_MAX: usize = 65_536;
/// Verbs whose argument is a secret.
const SECRET: [&[u8; 4]; 2] = [b"PASS", b"ACCT"];

/// A line as far as it was seen.
#[derive(Clone, Copy, Default)]
struct Line {
    next: u32,
    verb: [u8; 4],
    letters: u8,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Nothing, or a part of the verb.
    #[default]
    Verb,
    /// Behind a verb that needs no masking.
    Harmless,
    /// Behind one that does, or at an unknown place in a line.
    Secret,
}

/// Overwrites passwords in the frames of control connections.
pub(super) struct Mask {
    ports: Vec<u16>,
    lines: BoundedMap<(Endpoint, Endpoint), Line>,
}

impl Mask {
    /// Overwrites what goes to these ports.
    pub(super) fn new(ports: Vec<u16>) -> Self {
        Self { ports, lines: BoundedMap::new(LINES_MAX) }
    }

    /// Overwrites secrets in `bytes`, a copy of `frame`. No where it cannot tell where they are.
    pub(super) fn apply(&mut self, frame: &[u8], segment: Option<&Segment<'_>>, bytes: &mut [u8]) -> bool {
        let Some(segment) = segment else { return false };
        let to_server = self.ports.contains(&segment.dst.port);
        let key = (segment.src, segment.dst);
        if !to_server {
            return true;
        }
        if segment.flags.syn() {
            self.lines.insert(key, Line { next: segment.seq.wrapping_add(1), ..Line::default() });
        }
        if segment.payload.is_empty() {
            return true;
        }
        let at = (segment.payload.as_ptr() as usize).checked_sub(frame.as_ptr() as usize);
        let Some(payload) = at.and_then(|at| bytes.get_mut(at..at.checked_add(segment.payload.len())?))
        else {
            // It was put together from several frames.
            return false;
        };
        let seq = segment.seq.wrapping_add(u32::from(segment.flags.syn()));
        let known = self.lines.get(&key).copied();
        let follows = known.is_some_and(|line| line.next == seq);
        let mut line = known.filter(|_| follows).unwrap_or(Line { state: State::Secret, ..Line::default() });
        for byte in payload {
            line.mask_byte(byte);
        }
        let next = seq.wrapping_add(segment.wire_payload_len);
        // One that comes again moves nothing on.
        let ahead = known.is_none_or(|known| (next.wrapping_sub(known.next) as i32) > 0);
        if ahead {
            // Where the capture cut the frame the line goes on unseen.
            let whole = segment.wire_payload_len as usize == segment.payload.len();
            let state = if whole { line.state } else { State::Secret };
            self.lines.insert(key, Line { next, state, ..line });
        }
        true
    }
}

impl Line {
    fn mask_byte(&mut self, byte: &mut u8) {
        if *byte == b'\n' {
            *self = Self { next: self.next, ..Self::default() };
            return;
        }
        match self.state {
            State::Harmless => {}
            State::Secret => {
                if *byte != b'\r' {
                    *byte = b'*';
                }
            }
            State::Verb => self.verb(*byte),
        }
    }

    /// Telnet's bytes may stand anywhere in a verb.
    fn verb(&mut self, byte: u8) {
        if byte.is_ascii_alphabetic() {
            match self.verb.get_mut(usize::from(self.letters)) {
                Some(slot) => {
                    *slot = byte.to_ascii_uppercase();
                    self.letters += 1;
                }
                None => self.state = State::Harmless,
            }
        } else if byte.is_ascii_graphic() || (self.letters > 0 && matches!(byte, b' ' | b'\t')) {
            let secret = usize::from(self.letters) == self.verb.len() && SECRET.contains(&&self.verb);
            self.state = if secret { State::Secret } else { State::Harmless };
        }
    }
}
