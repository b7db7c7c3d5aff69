//! The turns of a session to TLS and back to text.

use super::Session;
use super::channel::Channel;
use super::outbox::{Effect, Outbox};
use super::remote::Remote;
use super::tls_watch::TlsWatch;
use crate::event::{AnomalyId, Direction, EventKind, Tls, TlsState, TlsTurn, TlsVia};
use crate::ftp::{LINE_MAX, Verb};
use crate::time::Timestamp;
use crate::tls::{self, RecordReader};

impl Session {
    pub(super) fn records<'b>(
        &mut self,
        at: Timestamp,
        direction: Direction,
        mut records: Box<RecordReader>,
        bytes: &'b [u8],
        out: &mut Outbox,
    ) -> &'b [u8] {
        // Where bytes are missing, any byte may stand where a record should begin: then only a whole line is text.
        let text = if records.is_lost() && is_line(direction, bytes) {
            Some(bytes)
        } else {
            let read = records.feed(bytes);
            if let (Some(hello), Some(watch)) = (read.hello, &mut self.tls) {
                watch.facts.learn(hello);
                if direction == Direction::Reply {
                    self.report_tls(at, out);
                }
            }
            if read.text.is_some_and(|text| records.has_gaps() && !is_line(direction, text)) {
                records.gap();
                None
            } else {
                read.text
            }
        };
        match text {
            Some(text) => {
                *self.channel(direction) = Channel::default();
                self.stop_tls(at, out);
                text
            }
            None => {
                *self.channel(direction) = Channel::Tls(records);
                &[]
            }
        }
    }

    pub(super) fn turns_to_tls(&mut self, direction: Direction, bytes: &[u8]) -> bool {
        let agreed = self.tls_agreed || self.tls.is_some();
        let Channel::Text(lines) = self.channel(direction) else { return false };
        !lines.is_mid_line() && (tls::begins_handshake(bytes) || (agreed && tls::begins_record(bytes)))
    }

    /// The server accepted AUTH. A server that runs what came behind it under TLS takes for protected what anybody on the way could
    /// put there: RFC 4217 section 4.2 has the client wait.
    pub(super) fn agree_on_tls(&mut self, at: Timestamp, auth: u64, out: &mut Outbox) {
        self.tls_agreed = true;
        if let Some(behind) = self.pending.first_behind(auth) {
            let detail = format!("{} came behind AUTH, before its reply", behind.name);
            self.anomaly(at, Some(behind.tx), AnomalyId::CommandBehindAuth, &detail, out);
        }
    }

    pub(super) fn start_tls(&mut self, direction: Direction) {
        *self.channel(direction) = Channel::Tls(Box::default());
        let via = if self.tls_agreed { TlsVia::Auth } else { TlsVia::Detected };
        self.tls.get_or_insert_with(|| Box::new(TlsWatch::new(via)));
    }

    pub(super) fn report_tls(&mut self, at: Timestamp, out: &mut Outbox) {
        let Some(watch) = self.tls.as_mut().filter(|watch| !watch.reported) else { return };
        watch.reported = true;
        let state = TlsState {
            via: watch.via,
            state: TlsTurn::Start,
            version: watch.facts.version(),
            cipher: watch.facts.cipher(),
            sni: watch.facts.sni(),
            alpn: watch.facts.alpn(),
            ja4: watch.facts.ja4(),
        };
        self.tell(at, EventKind::Tls(Tls { tls: state }), out);
        out.effects.push(Effect::Unreadable(true));
    }

    /// One direction is text again; the other one will be.
    pub(super) fn stop_tls(&mut self, at: Timestamp, out: &mut Outbox) {
        self.report_tls(at, out);
        if self.tls.take().is_some() {
            self.tls_agreed = false;
            // Commands and replies under TLS are not known: neither the pairing nor the directory.
            self.pending.doubt_all();
            self.all_read = false;
            self.remote = Remote::new(true);
            let state = TlsState {
                via: TlsVia::Ccc,
                state: TlsTurn::Stop,
                version: None,
                cipher: None,
                sni: None,
                alpn: Vec::new(),
                ja4: None,
            };
            self.tell(at, EventKind::Tls(Tls { tls: state }), out);
            out.effects.push(Effect::Unreadable(false));
        }
    }
}

/// `bytes` begin with a whole line of FTP: a verb that is known, or a reply's code, and no control character up to its end.
fn is_line(direction: Direction, bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(LINE_MAX)).unwrap_or_default();
    let Some(end) = memchr::memchr(b'\n', head) else { return false };
    let line = head.get(..end).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.iter().any(u8::is_ascii_control) {
        return false;
    }
    match direction {
        Direction::Reply => {
            matches!(line, [b'1'..=b'6', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..])
        }
        Direction::Command => {
            let verb = line.split(|byte| *byte == b' ').next().unwrap_or_default();
            Verb::from_name(verb) != Verb::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_line;
    use crate::event::Direction;

    #[test]
    fn a_line_of_ftp_is_told_from_what_only_begins_like_one() {
        for line in ["PASV\r\n", "retr a b\r\n", "QUIT\n"] {
            assert!(is_line(Direction::Command, line.as_bytes()), "{line:?}");
        }
        for line in ["200 clear\r\n", "220-one\r\n220 two\r\n"] {
            assert!(is_line(Direction::Reply, line.as_bytes()), "{line:?}");
        }
        for bytes in
            ["PASV", "BLAH x\r\n", "RETR a\x01\r\n", "\r\n", "230 unfinished", "950 x\r\n", "200\r\n"]
        {
            assert!(!is_line(Direction::Command, bytes.as_bytes()), "{bytes:?}");
            assert!(!is_line(Direction::Reply, bytes.as_bytes()), "{bytes:?}");
        }
    }

    /// Ten million segments from the middle of records: none is taken for a line.
    #[test]
    fn bytes_that_look_like_nothing_are_no_lines() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut segment = [0_u8; 64];
        for _ in 0..10_000_000 / if cfg!(debug_assertions) { 50 } else { 1 } {
            for word in segment.as_chunks_mut::<8>().0 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *word = state.to_le_bytes();
            }
            assert!(!is_line(Direction::Command, &segment) && !is_line(Direction::Reply, &segment));
        }
    }
}
