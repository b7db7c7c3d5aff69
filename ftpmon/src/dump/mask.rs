//! Passwords overwritten in frames.
//!
//! Each direction to a control port is split into lines by the core's [`LineSplitter`], so that Telnet commands hide
//! nothing. Only what is known to be harmless stays: the letters of a known verb, and the argument of a verb that takes no
//! secret. Anything else becomes `*`, byte for byte, up to the line's end: an unknown verb, a secret, what follows a CR. A
//! segment that does not follow on what was seen (a retransmission, one that overtook another) may begin anywhere in a
//! line: it is overwritten up to its first line's end. So is what stands behind Telnet that programs read in different ways. So a
//! password is never written, and at worst more than it is overwritten. In replies, the secrets that the client sent are
//! overwritten. The TCP checksum is adjusted: a right one stays right.

use crate::bounded::BoundedMap;
use ftpmon_core::checksum::adjusted;
use ftpmon_core::ftp::{Command, Line, LineSplitter, Verb, secret};
use ftpmon_core::segment::Segment;
use ftpmon_core::tls::begins_handshake;
use ftpmon_event::addr::Endpoint;

/// Connections that are followed at a time. One that was given up is overwritten up to its next line's end.
pub const LINES_MAX: usize = 65_536;

/// Secrets of a connection that are looked for in its replies. Stops a client that only sends secrets.
const SECRETS_MAX: usize = 8;

/// Parts of a line that is no known command, the whole and the last ones, that are looked for in its reply.
const PARTS_MAX: usize = 8;

/// Bytes of a secret that are compared. What follows them in a reply's line is overwritten too.
const COMPARED_MAX: usize = 64;

/// Bytes of an unfinished line that are kept for the secrets in it. Stops clients that never end their lines.
const HEAD_MAX: usize = 512;

/// A shorter secret is overwritten behind the word that it was sent with.
const COMPARED_MIN: usize = 4;

/// Bytes of the end of a secret at the beginning of a segment that does not follow on what was seen.
const REST_MIN: usize = 3;

/// A client's line as far as it was seen, and its secrets.
#[derive(Default)]
pub(super) struct Client {
    /// Sequence number of the next byte.
    next: u32,
    /// Splits the line up to its verb.
    splitter: LineSplitter,
    state: State,
    telnet: Telnet,
    /// Splits whole lines, for the secrets in them.
    lines: LineSplitter,
    /// Secrets, the oldest first.
    secrets: Vec<Box<[u8]>>,
    /// The last line that is no known command, and its words: the server may repeat it.
    unknown: Vec<Box<[u8]>>,
    /// Sequence number of the server's next byte, and the bytes before it that may begin a secret.
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

/// The position in a Telnet command.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Telnet {
    #[default]
    Text,
    /// After IAC.
    Iac,
    /// After IAC and WILL, WONT, DO or DONT.
    Negotiation,
}

/// Overwrites passwords in the frames of control connections.
pub struct Mask {
    ports: Vec<u16>,
    /// By client and server.
    clients: BoundedMap<(Endpoint, Endpoint), Client>,
}

impl Mask {
    /// Overwrites what goes to and comes from these ports.
    pub fn new(ports: Vec<u16>) -> Self {
        Self { ports, clients: BoundedMap::new(LINES_MAX) }
    }

    /// Overwrites secrets in `bytes`, a copy of `frame`. False where it cannot tell where they are.
    pub fn apply(&mut self, frame: &[u8], segment: Option<&Segment<'_>>, bytes: &mut [u8]) -> bool {
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
            client.mask(segment.payload, payload);
            client.next = next;
        } else {
            let mut other =
                Client { state: State::Secret, lines: LineSplitter::midstream(), ..Client::default() };
            // One that comes again moves nothing on.
            if (next.wrapping_sub(client.next) as i32) <= 0 {
                other.mask(segment.payload, payload);
                return true;
            }
            other.next = next;
            core::mem::swap(&mut other.secrets, &mut client.secrets);
            core::mem::swap(&mut other.unknown, &mut client.unknown);
            core::mem::swap(&mut other.server, &mut client.server);
            other.mask(segment.payload, payload);
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
    /// Overwrites what may be a secret in `payload`, a copy of `said`.
    pub(super) fn mask(&mut self, said: &[u8], payload: &mut [u8]) {
        payload.iter_mut().for_each(|byte| self.mask_byte(byte));
        let mut splitter = core::mem::take(&mut self.lines);
        let mut lines = splitter.feed(said);
        while let Some(line) = lines.next() {
            self.remember(&line);
        }
        if splitter.head().len() > HEAD_MAX {
            self.remember(&Line { bytes: splitter.head(), ..Line::default() });
            splitter = LineSplitter::midstream();
        }
        self.lines = splitter;
    }

    fn mask_byte(&mut self, byte: &mut u8) {
        let telnet = self.telnet;
        self.telnet = match (telnet, *byte) {
            (Telnet::Text, 0xff) => Telnet::Iac,
            (Telnet::Iac, 251..=254) => Telnet::Negotiation,
            _ => Telnet::Text,
        };
        // SE, EC, EL and SB, and an option that is the end of a line: what the line is depends on who reads it.
        let is_ambiguous = match telnet {
            Telnet::Iac => matches!(*byte, 240 | 247 | 248 | 250),
            Telnet::Negotiation => matches!(*byte, b'\r' | b'\n'),
            Telnet::Text => false,
        };
        if *byte == b'\n' {
            self.splitter = LineSplitter::new();
            self.state = if is_ambiguous { State::Secret } else { State::Verb };
            return;
        }
        let state = match self.state {
            _ if is_ambiguous => State::Secret,
            State::Verb => self.verb(*byte),
            State::Harmless | State::User if *byte == b'\r' => State::Return,
            State::User if matches!(*byte, b':' | b' ' | b'\t') => State::Return,
            State::Harmless | State::User if byte.is_ascii_control() && *byte != b'\t' => State::Secret,
            State::Return if *byte == b'\r' => State::Return,
            State::Return => State::Secret,
            state => state,
        };
        // The space after a verb belongs to neither.
        let was_secret = self.state == State::Secret;
        let shows = state != State::Secret || (!was_secret && self.state == State::Verb && *byte == b' ');
        self.state = state;
        if !shows && *byte != b'\r' {
            *byte = b'*';
        }
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
            [b' '] if verb.has_secret_argument() => State::Secret,
            [b' '] if verb == Verb::User => State::User,
            // The words that take a password after SITE depend on the server.
            [b' '] if matches!(verb, Verb::Site | Verb::Other) => State::Secret,
            [b' '] => State::Harmless,
            _ => State::Secret,
        }
    }

    /// Remembers the secrets of a line.
    fn remember(&mut self, line: &Line<'_>) {
        let command = Command::parse(line.bytes);
        let places = secret::Places::of(&command);
        for part in secret::parts_of_name(places.name.1) {
            self.add(part);
        }
        let Some((_, secret)) = places.argument else {
            let is_unknown =
                command.verb == Verb::Other || command.malformed || line.after_gap || line.ambiguous;
            // A TLS hello is no line, and its random bytes no words.
            if is_unknown && !begins_handshake(line.bytes) {
                self.unknown = parts_of_unknown(line.bytes);
            }
            return;
        };
        secret::parts(secret, false).for_each(|part| self.add(part));
    }

    fn add(&mut self, secret: &[u8]) {
        let secret = secret.get(..COMPARED_MAX).unwrap_or(secret);
        if secret.is_empty() || self.secrets.iter().any(|known| **known == *secret) {
            return;
        }
        if self.secrets.len() >= SECRETS_MAX {
            self.secrets.remove(0);
        }
        self.secrets.push(secret.into());
    }

    /// Overwrites the secrets in a reply, whatever the case of their letters, also where one is in two segments.
    pub(super) fn mask_reply(&mut self, seq: u32, next: u32, payload: &mut [u8]) {
        let tail = core::mem::take(&mut self.server.1);
        let follows = self.server.0 == seq;
        self.server.0 = next;
        if self.secrets.is_empty() && self.unknown.is_empty() {
            return;
        }
        let tail = if follows { tail } else { Vec::new() };
        let text = [&tail, &*payload].concat();
        let mut overwrite = |from: usize, to: usize| {
            let from = from.saturating_sub(tail.len());
            let to = to.saturating_sub(tail.len());
            payload.get_mut(from..to).unwrap_or_default().fill(b'*');
        };
        let mut kept = 0;
        for secret in self.secrets.iter().chain(&self.unknown) {
            if !follows {
                // The segment may begin within one.
                let ends = 1..(secret.len() + 1).saturating_sub(REST_MIN);
                let rest = ends.filter_map(|from| secret.get(from..)).find(|rest| begins_with(&text, rest));
                overwrite(0, rest.map_or(0, <[u8]>::len));
            }
            for at in places_of(secret, &text) {
                let rest = text.get(at..).unwrap_or_default();
                let len = rest.len().min(secret.len());
                if !secret.get(..len).is_some_and(|head| begins_with(rest, head)) {
                    continue;
                }
                if secret.len() >= COMPARED_MIN || secret::follows_its_word(&text, at, at + len) {
                    let is_head = secret.len() == COMPARED_MAX && len == secret.len();
                    let rest_of_line = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                    overwrite(at, if is_head { at + rest_of_line } else { at + len });
                }
                if len < secret.len() {
                    kept = kept.max(len);
                }
            }
        }
        let tail = text.get(text.len() - kept..).unwrap_or_default();
        self.server = (next, tail.to_vec());
    }
}

/// The whole line, and the last of its parts, as far as they are compared.
fn parts_of_unknown(line: &[u8]) -> Vec<Box<[u8]>> {
    let long = secret::parts(line, false).filter(|part| part.len() >= COMPARED_MIN);
    let mut parts: Vec<Box<[u8]>> =
        long.map(|part| part.get(..COMPARED_MAX).unwrap_or(part).into()).collect();
    let more = parts.len().saturating_sub(PARTS_MAX);
    if more > 0 {
        parts.drain(1..=more);
    }
    parts
}

/// Whatever the case of ASCII letters.
fn begins_with(text: &[u8], head: &[u8]) -> bool {
    text.get(..head.len()).is_some_and(|found| found.eq_ignore_ascii_case(head))
}

/// Offsets in a text where the first byte of a secret stands.
fn places_of(secret: &[u8], text: &[u8]) -> impl Iterator<Item = usize> {
    let first = secret.first().copied();
    let is_first = move |byte: &u8| first.is_some_and(|first| first.eq_ignore_ascii_case(byte));
    text.iter().enumerate().filter(move |(_, byte)| is_first(byte)).map(|(at, _)| at)
}

fn is_prefix_of_a_verb(name: &[u8]) -> bool {
    let begins =
        |verb: &str| verb.as_bytes().get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
    Verb::KNOWN.iter().filter_map(|verb| verb.name()).any(begins)
}
