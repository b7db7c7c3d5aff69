//! Passwords overwritten in frames.
//!
//! Each direction to a control port is split into lines by the core's [`LineSplitter`], so that Telnet commands hide
//! nothing. Only what is known to be harmless stays: the letters of a known verb, and the argument of a verb that takes no
//! secret. Anything else becomes `*`, byte for byte, up to the line's end: an unknown verb, a secret, what follows a CR. A
//! segment that does not follow on what was seen (a retransmission, one that overtook another) may begin anywhere in a
//! line: it is overwritten up to its first line's end. So a password is never written, and at worst more than it is
//! overwritten. In replies, the passwords that the client sent are overwritten. The TCP checksum is adjusted: a right one
//! stays right.

use crate::bounded::BoundedMap;
use ftpmon_core::checksum::adjusted;
use ftpmon_core::ftp::{LineSplitter, Verb};
use ftpmon_core::segment::Segment;
use ftpmon_event::addr::Endpoint;

/// Connections that are followed at a time. One that was given up is overwritten up to its next line's end.
pub const LINES_MAX: usize = 65_536;

/// Passwords of a connection that are looked for in its replies. Stops a client that only sends passwords.
const SECRETS_MAX: usize = 2;

/// Bytes of a password that are compared.
const COMPARED_MAX: usize = 128;

/// A shorter password would overwrite ordinary words.
const COMPARED_MIN: usize = 4;

/// A client's line as far as it was seen, and its passwords.
#[derive(Default)]
pub(super) struct Client {
    /// Sequence number of the next byte.
    next: u32,
    /// Splits the line up to its verb.
    splitter: LineSplitter,
    state: State,
    /// The argument of PASS or ACCT in this line.
    secret: Option<Vec<u8>>,
    /// Earlier ones, the oldest first.
    secrets: Vec<Box<[u8]>>,
    /// Sequence number of the server's next byte, and the bytes before it that may begin a password.
    server: (u32, Vec<u8>),
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Nothing, or a part of the verb.
    #[default]
    Verb,
    /// Behind a verb whose argument is no secret.
    Harmless,
    /// After USER: a name, perhaps followed by a secret.
    User,
    /// Behind a CR: the line's end, or of what some servers take for the next line.
    Return,
    /// In what may be a secret.
    Secret,
}

/// Overwrites passwords in the frames of control connections.
pub(crate) struct Mask {
    ports: Vec<u16>,
    /// By client and server.
    clients: BoundedMap<(Endpoint, Endpoint), Client>,
}

impl Mask {
    /// Overwrites what goes to and comes from these ports.
    pub(crate) fn new(ports: Vec<u16>) -> Self {
        Self { ports, clients: BoundedMap::new(LINES_MAX) }
    }

    /// Overwrites secrets in `bytes`, a copy of `frame`. False where it cannot tell where they are.
    pub(crate) fn apply(&mut self, frame: &[u8], segment: Option<&Segment<'_>>, bytes: &mut [u8]) -> bool {
        let Some(segment) = segment else { return false };
        let is_known = self.overwrite(frame, segment, bytes);
        if is_known {
            adjust_checksum(frame, segment, bytes);
        }
        is_known
    }

    /// It goes to or comes from one of the ports.
    pub(crate) fn covers(&self, segment: &Segment<'_>) -> bool {
        self.ports.contains(&segment.dst.port) || self.ports.contains(&segment.src.port)
    }

    fn overwrite(&mut self, frame: &[u8], segment: &Segment<'_>, bytes: &mut [u8]) -> bool {
        let to_server = self.ports.contains(&segment.dst.port);
        if !to_server && !self.ports.contains(&segment.src.port) {
            return true;
        }
        let key = if to_server { (segment.src, segment.dst) } else { (segment.dst, segment.src) };
        let seq = segment.seq.wrapping_add(u32::from(segment.flags.syn()));
        if to_server && segment.flags.syn() {
            self.clients.insert(key, Client { next: seq, ..Client::default() });
        }
        if segment.payload.is_empty() {
            return true;
        }
        let at = place_of(segment, frame);
        let Some(payload) = at.and_then(|at| bytes.get_mut(at..at.checked_add(segment.payload.len())?))
        else {
            // It was put together from several frames.
            return !to_server;
        };
        let next = seq.wrapping_add(segment.wire_payload_len);
        if !to_server {
            if let Some(client) = self.clients.get_mut(&key) {
                client.mask_reply(seq, next, payload);
            }
            return true;
        }
        if self.clients.get(&key).is_none() {
            self.clients.insert(key, Client { next: seq, state: State::Secret, ..Client::default() });
        }
        let Some(client) = self.clients.get_mut(&key) else { return false };
        if client.next == seq {
            payload.iter_mut().for_each(|byte| client.mask_byte(byte));
            client.next = next;
        } else {
            let mut other = Client { state: State::Secret, ..Client::default() };
            payload.iter_mut().for_each(|byte| other.mask_byte(byte));
            // One that comes again moves nothing on.
            if (next.wrapping_sub(client.next) as i32) <= 0 {
                return true;
            }
            (other.next, other.secrets, other.server) =
                (next, core::mem::take(&mut client.secrets), core::mem::take(&mut client.server));
            *client = other;
        }
        // Where the capture cut the frame the line continues unseen.
        if segment.wire_payload_len as usize != segment.payload.len() {
            client.state = State::Secret;
        }
        true
    }
}

/// The place of a segment's payload in its frame, if it is a part of that.
fn place_of(segment: &Segment<'_>, frame: &[u8]) -> Option<usize> {
    (segment.payload.as_ptr() as usize).checked_sub(frame.as_ptr() as usize)
}

/// Adjusts the TCP checksum in `bytes`, a copy of `frame` with another payload.
fn adjust_checksum(frame: &[u8], segment: &Segment<'_>, bytes: &mut [u8]) {
    const FIELD: usize = 16;
    let Some(at) = place_of(segment, frame).filter(|_| segment.header_len() > 0) else { return };
    let Some(new) = at.checked_add(segment.payload.len()).and_then(|end| bytes.get(at..end)) else { return };
    if new == segment.payload {
        return;
    }
    let checksum = adjusted(segment.signs.sum.checksum, segment.payload, new);
    let field = at.checked_sub(segment.header_len()).map(|header| header + FIELD);
    if let Some(field) = field.and_then(|field| bytes.get_mut(field..field + 2)) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

impl Client {
    pub(super) fn mask_byte(&mut self, byte: &mut u8) {
        if *byte == b'\n' {
            self.end_line();
            return;
        }
        let state = match self.state {
            State::Verb => self.verb(*byte),
            State::Harmless if *byte == b'\r' => State::Return,
            State::User if matches!(*byte, b':' | b' ' | b'\t' | b'\r') => State::Return,
            State::Return if *byte == b'\r' => State::Return,
            State::Return => State::Secret,
            state => state,
        };
        // The space after a verb belongs to neither.
        let was_secret = self.state == State::Secret;
        let shows = state != State::Secret || (!was_secret && self.state == State::Verb && *byte == b' ');
        self.state = state;
        if shows || *byte == b'\r' {
            return;
        }
        if let Some(secret) = self.secret.as_mut().filter(|secret| secret.len() < COMPARED_MAX) {
            secret.push(*byte);
        }
        *byte = b'*';
    }

    /// The state after this byte of a verb.
    fn verb(&mut self, byte: u8) -> State {
        // It completes no line: that takes an LF.
        let _ = self.splitter.feed(&[byte]).next();
        let head = self.splitter.head();
        let separator = head.iter().position(|byte| !byte.is_ascii_alphanumeric());
        let (name, separator) = head.split_at(separator.unwrap_or(head.len()));
        let verb = Verb::from_name(name);
        match separator {
            [] if is_prefix_of_a_verb(name) => State::Verb,
            [b' '] if verb.has_secret_argument() => {
                self.secret = matches!(verb, Verb::Pass | Verb::Acct).then(Vec::new);
                State::Secret
            }
            [b' '] if verb == Verb::User => State::User,
            // The words that take a password after SITE depend on the server.
            [b' '] if matches!(verb, Verb::Site | Verb::Other) => State::Secret,
            [b' '] => State::Harmless,
            _ => State::Secret,
        }
    }

    fn end_line(&mut self) {
        self.splitter = LineSplitter::new();
        self.state = State::Verb;
        let Some(secret) = self.secret.take().filter(|secret| secret.len() >= COMPARED_MIN) else { return };
        if self.secrets.iter().any(|known| **known == *secret) {
            return;
        }
        if self.secrets.len() >= SECRETS_MAX {
            self.secrets.remove(0);
        }
        self.secrets.push(secret.into());
    }

    /// Overwrites the passwords in a reply, whatever the case of their letters, also where one is in two segments.
    pub(super) fn mask_reply(&mut self, seq: u32, next: u32, payload: &mut [u8]) {
        if self.secrets.is_empty() {
            return;
        }
        let tail = core::mem::take(&mut self.server.1);
        let tail = if self.server.0 == seq { tail } else { Vec::new() };
        let text = [&tail, &*payload].concat();
        let mut overwrite = |from: usize, to: usize| {
            let from = from.saturating_sub(tail.len());
            let to = to.saturating_sub(tail.len());
            payload.get_mut(from..to).unwrap_or_default().fill(b'*');
        };
        let mut kept = 0;
        for secret in &self.secrets {
            for at in 0..text.len() {
                let rest = text.get(at..).unwrap_or_default();
                let len = rest.len().min(secret.len());
                let matches = rest.get(..len).zip(secret.get(..len));
                if matches.is_some_and(|(found, secret)| found.eq_ignore_ascii_case(secret)) {
                    overwrite(at, at + len);
                    if len < secret.len() {
                        kept = kept.max(len);
                    }
                }
            }
        }
        let tail = text.get(text.len() - kept..).unwrap_or_default();
        self.server = (next, tail.to_vec());
    }
}

fn is_prefix_of_a_verb(name: &[u8]) -> bool {
    let begins =
        |verb: &str| verb.as_bytes().get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
    Verb::KNOWN.iter().filter_map(|verb| verb.name()).any(begins)
}
