//! Segments that contradict others: reported as anomalies, never read as part of the dialogue.

use super::tiny::TINY_BYTES;
use super::{Outbox, Session};
use crate::event::{AnomalyId, Direction};
use crate::ftp::Verb;
use crate::tcp::{Conflict, Oddity};
use crate::text::Text;
use crate::time::Timestamp;

/// The bit of `doubts_told` for Telnet within commands.
const TELNET_TOLD: u16 = 1 << 7;
/// Bytes of a text that an anomaly shows.
const SHOWN_MAX: usize = 64;
/// Shown in place of a text that may hold a secret.
const MASKED: &str = "***";

impl Session {
    /// Two different texts were seen for the same bytes.
    pub fn conflict(
        &mut self,
        at: Timestamp,
        direction: Direction,
        conflict: &Conflict<'_>,
        out: &mut Outbox,
    ) {
        let shown = |text| shown(direction, conflict.line, text);
        let detail = format!(
            "{} bytes of the {} came again with other content; the first are taken: {}, then {}",
            conflict.bytes,
            sender(direction),
            shown(conflict.first),
            shown(conflict.second),
        );
        self.anomaly(at, None, AnomalyId::OverlapConflict, &detail, out);
    }

    /// A segment came that its receiver drops or reads otherwise, or that another host forged. The first of each kind is told, the
    /// others are counted.
    pub fn doubtful(&mut self, at: Timestamp, direction: Direction, doubt: Oddity, out: &mut Outbox) {
        let (number, what) = match doubt {
            Oddity::Checksum => (0, "has a wrong checksum"),
            Oddity::NoAck => (1, "has no ACK flag"),
            Oddity::OldTimestamp => (2, "has an old timestamp"),
            Oddity::Signature => (3, "differs from the others in its MD5 signature"),
            Oddity::HopLimit => (4, "came over another number of hops than the others"),
            Oddity::Urgent => (5, "has an urgent byte, which its receiver may take out of the text"),
        };
        let told = 1 << (number + if direction == Direction::Command { 0 } else { 8 });
        let detail = || format!("a segment of the {} {what}", sender(direction));
        self.tell_first(at, AnomalyId::DoubtfulSegment, told, detail, out);
    }

    /// Telnet stood within a command: monitors that do not take it out as servers do see another verb. Told once, then counted.
    pub(super) fn telnet_within(&mut self, at: Timestamp, out: &mut Outbox) {
        let detail = || "Telnet stands within a command of the client".to_owned();
        self.tell_first(at, AnomalyId::TelnetInCommand, TELNET_TOLD, detail, out);
    }

    /// Tells an anomaly, or counts it where its bit says that one like it was told.
    fn tell_first(
        &mut self,
        at: Timestamp,
        id: AnomalyId,
        told: u16,
        detail: impl FnOnce() -> String,
        out: &mut Outbox,
    ) {
        if self.doubts_told & told != 0 {
            return self.allowance.repeat(at, id, out);
        }
        self.doubts_told |= told;
        self.anomaly(at, None, id, &detail(), out);
    }

    /// A segment with payload came.
    #[inline]
    pub fn note_segment(&mut self, at: Timestamp, direction: Direction, sequence: u32, payload: usize) {
        if payload > TINY_BYTES {
            if let Some(tiny) = &mut self.tiny {
                tiny.larger(direction);
            }
        } else if !self.not_ftp {
            self.tiny.get_or_insert_default().add(at, direction, sequence);
        }
    }

    /// An RST or FIN did not end the connection.
    pub fn end_revoked(&mut self, at: Timestamp, direction: Direction, out: &mut Outbox) {
        let detail = format!("an RST or FIN of the {} did not end the connection", sender(direction));
        self.anomaly(at, None, AnomalyId::DoubtfulSegment, &detail, out);
    }
}

const fn sender(direction: Direction) -> &'static str {
    match direction {
        Direction::Command => "client",
        Direction::Reply => "server",
    }
}

/// A text as an anomaly shows it: escaped, cut, and masked where it may be a secret.
fn shown(direction: Direction, line: Option<&[u8]>, text: &[u8]) -> String {
    if direction == Direction::Command && !line.is_some_and(|line| is_harmless(&[line, text].concat())) {
        return MASKED.to_owned();
    }
    let head = text.get(..SHOWN_MAX).unwrap_or(text);
    format!("{:?}{}", Text::from_bytes(head).text.as_str(), if head.len() < text.len() { "..." } else { "" })
}

/// Whether none of these command lines, the last of which may be incomplete, can hold a secret: their verbs are known, and are
/// none of those whose arguments are or may be secrets.
fn is_harmless(lines: &[u8]) -> bool {
    lines.split(|byte| *byte == b'\n').all(|line| {
        let verb_end = line.iter().position(|byte| matches!(byte, b' ' | b'\r'));
        let (verb, is_whole) =
            verb_end.and_then(|end| line.get(..end)).map_or((line, false), |verb| (verb, true));
        if verb.is_empty() || (!is_whole && verb.len() <= 4 && verb.iter().all(u8::is_ascii_alphabetic)) {
            return verb.len() == line.len() || line == b"\r";
        }
        let verb = Verb::from_name(verb);
        let may_be_secret =
            matches!(verb, Verb::User | Verb::Site | Verb::Adat | Verb::Enc | Verb::Mic | Verb::Conf);
        verb.name().is_some() && !verb.has_secret_argument() && !may_be_secret
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_harmless_commands_are_shown() {
        let shown =
            |line: &str, text: &str| shown(Direction::Command, Some(line.as_bytes()), text.as_bytes());
        assert_eq!(shown("RETR ", "secret.txt\r\n"), r#""secret.txt\r\n""#);
        assert_eq!(shown("", "R"), r#""R""#);
        assert_eq!(shown("RE", "TR a\r\nQUIT\r\n"), r#""TR a\r\nQUIT\r\n""#);
        assert_eq!(shown("CWD ", &"x".repeat(80)), format!("\"{}\"...", "x".repeat(64)));
    }

    #[test]
    fn texts_that_may_be_secrets_are_masked() {
        for (line, text) in [
            ("PASS ", "hunter2\r\n"),
            ("PASS hun", "t"),
            ("", "PASS hunter2\r\n"),
            ("NOOP", "\r\nPASS hunter2\r\n"),
            ("", "hunter2\r\n"),
            ("", "hunter2"),
            ("SITE PSWD ", "a b"),
            ("USER ", "alice:hunter2\r\n"),
            (" ", "hunter2"),
        ] {
            assert_eq!(
                shown(Direction::Command, Some(line.as_bytes()), text.as_bytes()),
                "***",
                "{line}{text}"
            );
        }
        assert_eq!(shown(Direction::Command, None, b"hunter2"), "***");
    }
}
