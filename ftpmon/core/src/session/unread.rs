//! Lines that are counted instead of read: those of a segment behind the events that its session may still tell.
//!
//! They are treated as bytes that were not captured: what they changed is not known, each command waits for a reply, and what follows is
//! paired again as after a gap. Secrets in them are remembered; where that would cost too much, the texts of the session's replies are
//! hidden.

use super::outbox::{Effect, Outbox};
use super::{Context, Session};
use crate::config::Secrets;
use crate::event::Direction;
use crate::ftp::{Code, Command, LINE_MAX, Line, Lines, has_telnet_or_nul, secret};
use crate::time::Timestamp;

/// Lines of a segment that are examined for secrets. Stops segments of nothing but passwords from costing more than others.
const EXAMINED_MAX: usize = 8;

impl Session {
    /// Counts the lines that are left of a segment.
    pub(super) fn count_lines(
        &mut self,
        at: Timestamp,
        direction: Direction,
        lines: &mut Lines<'_, '_>,
        context: Context<'_>,
        out: &mut Outbox,
    ) {
        let skipped = lines.skip_lines();
        let count = with_text(skipped);
        if count == 0 {
            return;
        }
        let since = self.unread_at(direction).replace(at).unwrap_or(at);
        match direction {
            Direction::Reply => {
                let replies: u64 = skipped.split(|byte| *byte == b'\n').map(ends_reply).sum();
                self.replies += replies;
                // 331, 332 and 336 ask for one.
                self.secrets.may_be_due(memchr::memmem::find(skipped, b"33").is_some());
            }
            Direction::Command => {
                if *context.secrets != Secrets::Show {
                    self.examine_lines(skipped, out);
                }
                self.tx += u64::from(count);
                self.commands_unread(at, count, context, out);
            }
        }
        self.lose_track(direction);
        self.transfers.note_missing(at);
        self.allowance.count_unread(at, count, out);
        out.effects.push(Effect::Missed { direction, since });
    }

    /// When lines of a direction were last counted.
    fn unread_at(&mut self, direction: Direction) -> &mut Option<Timestamp> {
        let [commands, replies] = &mut self.unread_at;
        if direction == Direction::Command { commands } else { replies }
    }

    /// Remembers the secrets in whole lines of the client. Telnet and NUL may make others of them.
    fn examine_lines(&mut self, lines: &[u8], out: &mut Outbox) {
        if has_telnet_or_nul(lines) {
            return self.secrets.hide_all();
        }
        let (mut rest, mut room) = (lines, EXAMINED_MAX);
        while !rest.is_empty() && !self.secrets.is_hiding_all() {
            let start = if self.secrets.is_due() {
                0
            } else {
                let Some(at) = secret::first_sign(rest) else { return };
                rest.get(..at).and_then(|head| memchr::memrchr(b'\n', head)).map_or(0, |before| before + 1)
            };
            let (_, from) = rest.split_at_checked(start).unwrap_or_default();
            let end = memchr::memchr(b'\n', from).unwrap_or(from.len());
            let (line, behind) = from.split_at_checked(end).unwrap_or_default();
            rest = behind.get(1..).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let bytes = line.get(..LINE_MAX).unwrap_or(line);
            let truncated = bytes.len() < line.len();
            if !bytes.is_empty() {
                self.examine_line(
                    &Line { bytes, truncated, terminated: true, ..Line::default() },
                    &mut room,
                    out,
                );
            }
        }
    }

    /// Remembers the secrets in a line of the client.
    fn examine_line(&mut self, line: &Line<'_>, room: &mut usize, out: &mut Outbox) {
        let Some(left) = room.checked_sub(1) else { return self.secrets.hide_all() };
        *room = left;
        let Some(command) = Command::from_line(line) else {
            let forgotten = self.secrets.rest_of_a_line(line.bytes);
            return out.lose_if(forgotten, "secrets_forgotten");
        };
        let places = secret::Places::of(&command);
        let hidden = self.secrets.hide(&command, &places, line);
        let has_secret = hidden || places.has_secret();
        if has_secret {
            let forgotten = self.remember_secrets(&command, &places, line, hidden);
            out.lose_if(forgotten, "secrets_forgotten");
        }
        self.secrets.read(&command, has_secret);
    }
}

/// The number of lines that are not empty.
fn with_text(lines: &[u8]) -> u32 {
    let (mut count, mut text) = (0_u32, false);
    for byte in lines {
        match byte {
            b'\n' => {
                count += u32::from(text);
                text = false;
            }
            b'\r' | 0 => {}
            _ => text = true,
        }
    }
    count
}

/// 1 for a line that is a reply, or the last one of one.
fn ends_reply(line: &[u8]) -> u64 {
    let ends = matches!(line.get(3), None | Some(b' ' | b'\r')) && Code::at_head(line).is_some();
    u64::from(ends)
}

#[cfg(test)]
mod tests {
    use super::{ends_reply, with_text};

    #[test]
    fn lines_with_text_are_counted() {
        assert_eq!(with_text(b"A\nB\r\n\r\n\n\rC\nno end"), 3);
        assert_eq!(with_text(b""), 0);
    }

    #[test]
    fn replies_end_with_a_space_behind_their_code() {
        let lines = ["200 x", "200", "200-x", "2", "", "x00 y", "226 \r"];
        assert_eq!(lines.map(|line| ends_reply(line.as_bytes())), [1, 1, 0, 0, 0, 0, 1]);
    }
}
