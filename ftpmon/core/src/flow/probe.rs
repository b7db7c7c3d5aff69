//! Detection of FTP on any port, by the first lines of both ends.
//!
//! Its relatives must not be taken for it: SMTP and NNTP greet and answer with three digits too, POP3 and IRC know USER
//! and PASS. So it takes both ends to agree: a server that answers in FTP's codes, and a client that uses FTP's verbs.
//! One end alone is enough only if its lines occur in no other protocol.

use crate::account::Side;
use crate::fill::Fills;
use crate::ftp::{Announced, Code, Command, Verb};
use crate::time::Timestamp;

/// Bytes of one connection held for a decision. The longest greetings (terms of use) have a few kilobytes.
const HELD_MAX: usize = 16 * 1024;

/// The first bytes of a connection that is not decided yet.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    pieces: Vec<(Timestamp, Side, Vec<u8>)>,
    held: usize,
    gap: bool,
}

/// The verdict on the first lines of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProbeResult {
    /// More has to be seen.
    Undecided,
    /// It is FTP, and this end is the client.
    Ftp(Side),
    /// It is something else.
    Other,
}

impl Probe {
    /// The next bytes of an end.
    pub(crate) fn data(&mut self, at: Timestamp, from: Side, bytes: &[u8]) -> ProbeResult {
        self.held += bytes.len();
        self.pieces.push((at, from, bytes.to_vec()));
        match self.result() {
            ProbeResult::Undecided if self.held > HELD_MAX => ProbeResult::Other,
            result => result,
        }
    }

    /// The ends are the other way round.
    pub(crate) fn turn_round(&mut self) {
        self.pieces.iter_mut().for_each(|(_, from, _)| *from = from.other());
    }

    /// Bytes are missing among those held.
    pub(crate) fn gap(&mut self) {
        self.gap = true;
    }

    /// All bytes so far are held.
    pub(crate) fn is_whole(&self) -> bool {
        !self.gap
    }

    /// Bytes held.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Notes the fill.
    pub(crate) fn note_fill(&self, fills: &mut Fills) {
        fills.note("probe_bytes_of_connection", self.held, HELD_MAX);
    }

    /// The held bytes, in order, to be read again by the session that they begin.
    pub(crate) fn into_pieces(self) -> Vec<(Timestamp, Side, Vec<u8>)> {
        self.pieces
    }

    fn result(&self) -> ProbeResult {
        let (initiator, listener) = (self.said_by(Side::Initiator), self.said_by(Side::Listener));
        // A client that opened the connection; where its opening was not seen, the other way round as well.
        match (voice(&initiator), voice(&listener)) {
            (Voice::Foreign, _) | (_, Voice::Foreign) => ProbeResult::Other,
            (Voice::Client { .. }, Voice::Server { .. }) => ProbeResult::Ftp(Side::Initiator),
            (Voice::Server { .. }, Voice::Client { .. }) => ProbeResult::Ftp(Side::Listener),
            (Voice::Client { certain: true }, Voice::Silent) => ProbeResult::Ftp(Side::Initiator),
            (Voice::Silent, Voice::Client { certain: true }) => ProbeResult::Ftp(Side::Listener),
            (Voice::Server { certain: true }, Voice::Silent) => ProbeResult::Ftp(Side::Listener),
            (Voice::Silent, Voice::Server { certain: true }) => ProbeResult::Ftp(Side::Initiator),
            (Voice::Client { .. }, Voice::Client { .. }) | (Voice::Server { .. }, Voice::Server { .. }) => {
                ProbeResult::Other
            }
            _ => ProbeResult::Undecided,
        }
    }

    fn said_by(&self, side: Side) -> Vec<u8> {
        self.pieces
            .iter()
            .filter(|(_, from, _)| *from == side)
            .flat_map(|(_, _, bytes)| bytes)
            .copied()
            .collect()
    }
}

/// The protocol that an end's lines look like. `certain`: no other protocol has such lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    Silent,
    Client { certain: bool },
    Server { certain: bool },
    Foreign,
}

/// The first conclusive line decides.
fn voice(said: &[u8]) -> Voice {
    said.split_inclusive(|&byte| byte == b'\n')
        .map(|line| match line.strip_suffix(b"\n") {
            Some(line) => line_voice(line.strip_suffix(b"\r").unwrap_or(line), true),
            None => line_voice(line, false),
        })
        .find(|voice| *voice != Voice::Silent)
        .unwrap_or(Voice::Silent)
}

fn line_voice(line: &[u8], complete: bool) -> Voice {
    match line.first() {
        None => Voice::Foreign,
        Some(first) if first.is_ascii_digit() => server_voice(line, complete),
        Some(first) if !first.is_ascii_alphabetic() => Voice::Foreign,
        Some(_) if complete => client_voice(line),
        Some(_) if line.iter().take(4).any(|byte| !byte.is_ascii_graphic() && *byte != b' ') => {
            Voice::Foreign
        }
        Some(_) => Voice::Silent,
    }
}

fn server_voice(line: &[u8], complete: bool) -> Voice {
    if line.len() < 4 {
        return if complete { Voice::Foreign } else { Voice::Silent };
    }
    let Some(code) = Code::at_head(line).filter(|_| matches!(line.get(3), Some(b' ' | b'-'))) else {
        return Voice::Foreign;
    };
    let text = line.get(4..).unwrap_or_default();
    let names_endpoint = Announced::in_reply(code, text).is_some_and(|(_, endpoint)| endpoint.is_ok());
    if names_endpoint {
        return Voice::Server { certain: true };
    }
    if !complete {
        return Voice::Silent;
    }
    // SMTP's greeting is 220 as well: the client's commands decide. Its other codes count for FTP only if both protocols have
    // them.
    if code.is_assigned() { Voice::Server { certain: false } } else { Voice::Foreign }
}

fn client_voice(line: &[u8]) -> Voice {
    let command = Command::parse(line);
    if command.malformed {
        return Voice::Foreign;
    }
    let has_arg = command.arg.is_some_and(|arg| !arg.is_empty());
    match command.verb {
        Verb::Other => Voice::Foreign,
        // SMTP, POP3 and NNTP have these too: what comes next decides.
        Verb::Quit | Verb::Help | Verb::Noop | Verb::List | Verb::Stat | Verb::Mode => Voice::Silent,
        Verb::Dele | Verb::Retr | Verb::Mail => Voice::Silent,
        verb if verb.announces_endpoint() => {
            let endpoint = Announced::in_command(verb, command.arg.unwrap_or_default());
            Voice::Client { certain: endpoint.is_some_and(|(_, endpoint)| endpoint.is_ok()) }
        }
        Verb::Pasv | Verb::Epsv | Verb::Lpsv => Voice::Client { certain: !has_arg },
        _ => Voice::Client { certain: false },
    }
}

#[cfg(test)]
mod tests {
    use super::{Probe, ProbeResult};
    use crate::account::Side::{self, Initiator, Listener};
    use crate::time::Timestamp;

    fn result(said: &[(Side, &str)]) -> ProbeResult {
        let mut probe = Probe::default();
        let mut result = ProbeResult::Undecided;
        for (from, text) in said {
            if result == ProbeResult::Undecided {
                result = probe.data(Timestamp::default(), *from, text.as_bytes());
            }
        }
        result
    }

    #[test]
    fn ftp_is_found() {
        assert_eq!(
            result(&[(Listener, "220 hello\r\n"), (Initiator, "USER a\r\n")]),
            ProbeResult::Ftp(Initiator)
        );
        assert_eq!(
            result(&[(Listener, "220-hel"), (Listener, "lo\r\n"), (Initiator, "FEAT\r\n")]),
            ProbeResult::Ftp(Initiator)
        );
        assert_eq!(
            result(&[(Initiator, "US"), (Initiator, "ER a\n"), (Listener, "331 x\r\n")]),
            ProbeResult::Ftp(Initiator)
        );
        assert_eq!(
            result(&[(Initiator, "LIST\r\nCWD a\r\n"), (Listener, "150 x\r\n")]),
            ProbeResult::Ftp(Initiator)
        );
        assert_eq!(result(&[(Initiator, "227 x (1,2,3,4,5,6)\r\n")]), ProbeResult::Ftp(Listener));
        assert_eq!(result(&[(Initiator, "PORT 1,2,3,4,5,6\r\n")]), ProbeResult::Ftp(Initiator));
    }

    #[test]
    fn its_relatives_are_not_taken_for_it() {
        assert_eq!(result(&[(Listener, "220 mx ESMTP\r\n"), (Initiator, "EHLO a\r\n")]), ProbeResult::Other);
        assert_eq!(
            result(&[(Listener, "220 mx ESMTP\r\n"), (Initiator, "QUIT\r\n")]),
            ProbeResult::Undecided
        );
        assert_eq!(
            result(&[(Listener, "200 news\r\n"), (Initiator, "MODE READER\r\n")]),
            ProbeResult::Undecided
        );
        assert_eq!(result(&[(Listener, "+OK pop\r\n")]), ProbeResult::Other);
        assert_eq!(result(&[(Initiator, "USER a\r\n"), (Listener, "+OK\r\n")]), ProbeResult::Other);
        assert_eq!(result(&[(Initiator, "NICK a\r\n")]), ProbeResult::Other);
        assert_eq!(
            result(&[(Initiator, "USER a b c :d\r\n"), (Listener, ":irc 001 a\r\n")]),
            ProbeResult::Other
        );
        assert_eq!(result(&[(Initiator, "GET / HTTP/1.1\r\n")]), ProbeResult::Other);
        assert_eq!(result(&[(Initiator, "\x16\x03\x01\x02")]), ProbeResult::Other);
        assert_eq!(result(&[(Initiator, "SSH-2.0-x\r\n")]), ProbeResult::Other);
    }
}
