//! One direction's bytes cut into lines.

use memchr::{memchr2, memchr3, memrchr};

use super::telnet::{AfterIac, IAC, SB, SE, SUBNEGOTIATION_MAX, after_iac, is_ambiguous, is_option};
use crate::text::has_no;

/// A line longer than this many bytes (terminator and Telnet not counted) keeps its head and is flagged; the rest is
/// dropped up to the line's end. Bounds what a peer that never sends a line feed can make the monitor hold. No RFC has
/// a limit; the paths that servers take end at 4096 bytes.
pub const LINE_MAX: usize = 8192;

/// A line without its terminator, Telnet taken out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its bytes: no LF, no NUL, no CR before the LF; at most [`LINE_MAX`].
    pub bytes: &'a [u8],
    /// It was longer than [`LINE_MAX`]: `bytes` is its head.
    pub truncated: bool,
    /// Its end was seen. Not so before a gap and at the end of the stream: `bytes` is its head then.
    pub terminated: bool,
    /// It is the first after a gap: bytes may be missing before its first.
    pub after_gap: bool,
    /// NUL bytes were dropped from it, or Telnet, or what looked like Telnet at first.
    pub stripped: bool,
    /// Telnet in it, or at the end of the line before, can be read in another way: it erases what is before it (EC, EL), an
    /// option is a letter, a CR or an LF, a subnegotiation does not end within its line. Other programs may see another line here.
    pub ambiguous: bool,
    /// Telnet stood behind its first byte.
    pub telnet_within: bool,
}

impl Line<'_> {
    /// Nothing is missing at its end.
    pub const fn has_end(&self) -> bool {
        self.terminated && !self.truncated
    }
}

/// Cuts one direction of a control connection into lines, however it was cut into segments.
///
/// A line ends with LF; CRs directly before and behind that belong to the end (so CRLF, LF, LF CR and CR CR LF all do). A CR
/// elsewhere stays in the line, a NUL (also that of Telnet's CR NUL) does not. Telnet commands are taken out as `ftp::telnet`
/// describes.
///
/// A line that lies whole in one segment and holds neither Telnet nor NUL is handed out without being copied. Only
/// for others there is a buffer, which is freed as soon as its line was handed out.
#[derive(Debug, Default)]
pub struct LineSplitter {
    /// Head of a line whose end was not seen yet, or the line that was just handed out.
    partial: Vec<u8>,
    /// CRs after `partial`: part of the line's end if LF follows, of the line otherwise.
    carriage_returns: u16,
    telnet: Telnet,
    flags: Flags,
    after_gap: bool,
    /// `partial` was handed out: it is freed before anything else happens.
    handed_out: bool,
}

/// The state of the line that has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flags {
    /// It has a byte.
    begun: bool,
    truncated: bool,
    stripped: bool,
    ambiguous: bool,
    telnet_within: bool,
    /// The LF that ends it may be a part of a Telnet command, so that the line goes on behind it.
    may_go_on: bool,
}

/// The splitter's position within a Telnet command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Telnet {
    #[default]
    Text,
    /// After IAC.
    Iac,
    /// After IAC and this WILL, WONT, DO or DONT.
    Negotiation(u8),
    /// In what is kept as text from this index of `partial` on, until it proves to be a subnegotiation.
    Subnegotiation { start: u16, iac: bool },
}

impl LineSplitter {
    /// A splitter at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// A splitter whose first line may have begun before the stream that is seen.
    pub fn midstream() -> Self {
        Self { after_gap: true, ..Self::default() }
    }

    /// Takes the stream's next bytes; the lines that they complete come from the result, which must be asked until it
    /// gives none (or for its [`rest`](Lines::rest)): input that it still holds when it is dropped is lost.
    pub fn feed<'s, 'i>(&'s mut self, input: &'i [u8]) -> Lines<'s, 'i> {
        Lines { splitter: self, input, begins: true }
    }

    /// Bytes of the stream were never seen. Returns the line that they interrupted, unterminated; the next line is
    /// flagged as [`after_gap`](Line::after_gap).
    pub fn gap(&mut self) -> Option<Line<'_>> {
        self.interrupt(true)
    }

    /// The stream ended. Returns the line that has no end, as unterminated.
    pub fn finish(&mut self) -> Option<Line<'_>> {
        self.interrupt(false)
    }

    /// The line that has begun, as far as it was seen, without CRs that may belong to its end. Holds the bytes of a
    /// Telnet subnegotiation that has not ended.
    pub fn head(&self) -> &[u8] {
        if self.handed_out { &[] } else { &self.partial }
    }

    /// A line has begun whose end was not seen yet.
    pub fn is_mid_line(&self) -> bool {
        self.flags.begun || self.telnet != Telnet::Text
    }

    /// Bytes of memory held beyond the splitter itself, at most twice what the line's cap and that of
    /// a subnegotiation come to.
    pub fn held(&self) -> usize {
        self.partial.capacity()
    }

    fn interrupt(&mut self, gap: bool) -> Option<Line<'_>> {
        self.free_if_handed_out();
        self.telnet_was_text();
        let after_gap = core::mem::replace(&mut self.after_gap, gap);
        if self.flags.begun {
            Some(self.hand_out(false, after_gap))
        } else {
            self.flags = Flags::default();
            self.carriage_returns = 0;
            None
        }
    }

    fn hand_out(&mut self, terminated: bool, after_gap: bool) -> Line<'_> {
        let Flags { truncated, stripped, ambiguous, telnet_within, may_go_on, .. } =
            core::mem::take(&mut self.flags);
        self.flags.ambiguous = may_go_on;
        self.carriage_returns = 0;
        self.handed_out = true;
        let bytes = &self.partial;
        Line { bytes, truncated, terminated, after_gap, stripped, ambiguous, telnet_within }
    }

    fn free_if_handed_out(&mut self) {
        if core::mem::take(&mut self.handed_out) {
            self.partial = Vec::new();
        }
    }

    /// Nothing of a line is held.
    fn is_between_lines(&self) -> bool {
        self.flags == Flags::default() && self.carriage_returns == 0 && self.telnet == Telnet::Text
    }

    /// Adds text without LF.
    fn keep(&mut self, text: &[u8]) {
        let mut text = text;
        if !self.flags.begun {
            text = without_leading_cr(text);
            self.carriage_returns = 0;
        }
        let body = without_cr(text);
        if !body.is_empty() {
            self.flags.begun = true;
            for _ in 0..core::mem::take(&mut self.carriage_returns) {
                self.keep_capped(b"\r");
            }
            self.keep_capped(body);
        }
        let more = usize::from(self.carriage_returns) + text.len() - body.len();
        // The cap fits.
        self.carriage_returns = more.min(LINE_MAX + 1) as u16;
    }

    fn keep_capped(&mut self, text: &[u8]) {
        let room = LINE_MAX.saturating_sub(self.partial.len());
        let kept = text.get(..room).unwrap_or(text);
        self.partial.extend_from_slice(kept);
        self.flags.truncated |= kept.len() < text.len();
    }

    /// Bytes that looked like the beginning of a Telnet command were text.
    fn telnet_was_text(&mut self) {
        match core::mem::take(&mut self.telnet) {
            Telnet::Text => {}
            Telnet::Iac => self.keep(&[IAC]),
            Telnet::Negotiation(verb) => self.keep(&[IAC, verb]),
            Telnet::Subnegotiation { start, .. } => {
                self.flags.ambiguous = true;
                let mut text = self.partial.split_off(start.into());
                text.retain(|&byte| byte != 0);
                self.keep(&text);
            }
        }
    }

    /// Takes one byte of a line; true if it ended the line.
    fn push_byte(&mut self, byte: u8) -> bool {
        match self.telnet {
            Telnet::Text => match byte {
                b'\n' => return true,
                IAC => (self.telnet, self.flags.stripped) = (Telnet::Iac, true),
                0 => self.flags.stripped = true,
                _ => self.keep(&[byte]),
            },
            Telnet::Iac => match after_iac(byte) {
                AfterIac::Data => {
                    self.telnet = Telnet::Text;
                    self.keep(&[IAC]);
                }
                AfterIac::Negotiation => self.telnet = Telnet::Negotiation(byte),
                AfterIac::Subnegotiation => {
                    // A line's cap fits.
                    let start = u16::try_from(self.partial.len()).unwrap_or(u16::MAX);
                    self.telnet = Telnet::Subnegotiation { start, iac: false };
                    self.partial.extend_from_slice(&[IAC, SB]);
                }
                AfterIac::Command => {
                    self.flags.ambiguous |= is_ambiguous(byte);
                    self.telnet_ends();
                }
                AfterIac::Text => return self.take_as_text(byte),
            },
            Telnet::Negotiation(_) if is_option(byte) => {
                // A letter may be the first of a verb.
                self.flags.ambiguous |= byte == b'\r' || byte.is_ascii_alphabetic();
                self.telnet_ends();
            }
            Telnet::Negotiation(_) => return self.take_as_text(byte),
            Telnet::Subnegotiation { start, iac: true } if byte == SE => {
                self.telnet_ends();
                self.partial.truncate(start.into());
            }
            Telnet::Subnegotiation { start, .. }
                if byte == b'\n' || self.partial.len() - usize::from(start) >= SUBNEGOTIATION_MAX =>
            {
                return self.take_as_text(byte);
            }
            Telnet::Subnegotiation { start, iac } => {
                self.telnet = Telnet::Subnegotiation { start, iac: byte == IAC && !iac };
                self.partial.push(byte);
            }
        }
        false
    }

    /// A Telnet command is complete, and leaves the line.
    fn telnet_ends(&mut self) {
        self.telnet = Telnet::Text;
        self.flags.stripped = true;
        self.flags.telnet_within |= self.flags.begun;
    }

    /// Takes a byte that proved the bytes before it to be no Telnet.
    fn take_as_text(&mut self, byte: u8) -> bool {
        if byte == b'\n' {
            (self.flags.ambiguous, self.flags.may_go_on) = (true, true);
        }
        self.telnet_was_text();
        self.push_byte(byte)
    }
}

/// Bytes of lines that are taken out of them.
pub fn has_telnet_or_nul(lines: &[u8]) -> bool {
    memchr2(IAC, 0, lines).is_some()
}

/// The bytes that [`Lines::next`] searches for: the end of a line, and those that are removed from it.
const fn is_special(byte: u8) -> bool {
    (byte == b'\n') | (byte == IAC) | (byte == 0)
}

/// The byte after an IAC that makes a Telnet command with it, which vanishes whoever reads it.
const fn is_no_text(command: u8) -> bool {
    matches!(after_iac(command), AfterIac::Command) && !is_ambiguous(command)
}

/// Bytes that are looked at one by one before a search begins, which takes longer than they last.
const NEAR: usize = 8;

/// The offset of the first special byte. A flood has them close together.
#[inline]
fn special_at(input: &[u8]) -> Option<usize> {
    let (near, far) = input.split_at_checked(NEAR).unwrap_or((input, &[]));
    if let Some(at) = near.iter().position(|byte| is_special(*byte)) {
        return Some(at);
    }
    memchr3(b'\n', IAC, 0, far).map(|at| near.len() + at)
}

/// The lines that one segment completes.
#[derive(Debug)]
pub struct Lines<'s, 'i> {
    splitter: &'s mut LineSplitter,
    input: &'i [u8],
    /// Nothing of it was taken yet.
    begins: bool,
}

impl<'i> Lines<'_, 'i> {
    /// The next complete line. After none, all input was taken.
    #[allow(clippy::should_implement_trait, reason = "lends from itself, which Iterator cannot say")]
    pub fn next(&mut self) -> Option<Line<'_>> {
        let splitter = &mut *self.splitter;
        splitter.free_if_handed_out();
        if self.input.is_empty() {
            return None;
        }
        if splitter.is_between_lines() {
            // A plain line can be lent from the input, which is seldom more than one. Asked once: a segment may have hundreds.
            let end = match self.input {
                [line @ .., b'\n'] if self.begins && has_no(line, is_special) => Some(line.len()),
                input => special_at(input),
            };
            self.begins = false;
            if let Some((line, rest)) = end.and_then(|at| self.input.split_at_checked(at))
                && let Some((b'\n', rest)) = rest.split_first()
            {
                self.input = rest;
                let (bytes, truncated) = match without_leading_cr(without_cr(line)) {
                    long if long.len() > LINE_MAX => (long.get(..LINE_MAX).unwrap_or_default(), true),
                    line => (line, false),
                };
                let after_gap = core::mem::take(&mut splitter.after_gap);
                return Some(Line {
                    bytes,
                    truncated,
                    terminated: true,
                    after_gap,
                    stripped: false,
                    ambiguous: false,
                    telnet_within: false,
                });
            }
        }
        while !self.input.is_empty() {
            if splitter.telnet == Telnet::Text {
                let plain = special_at(self.input).unwrap_or(self.input.len());
                if plain > 0 {
                    let (text, rest) = self.input.split_at_checked(plain).unwrap_or((self.input, &[]));
                    splitter.keep(text);
                    self.input = rest;
                }
            }
            if let [IAC, command, rest @ ..] = self.input
                && splitter.telnet == Telnet::Text
                && is_no_text(*command)
            {
                splitter.telnet_ends();
                self.input = rest;
                continue;
            }
            let Some((&byte, rest)) = self.input.split_first() else { break };
            self.input = rest;
            if splitter.push_byte(byte) {
                let after_gap = core::mem::take(&mut splitter.after_gap);
                return Some(splitter.hand_out(true, after_gap));
            }
        }
        None
    }

    /// Takes the empty lines that follow on a line that was given, and gives their number: a segment may have nothing else. Empty are
    /// also those of NUL and of Telnet that nobody reads in another way.
    pub fn skip_empty_lines(&mut self) -> usize {
        if !self.splitter.is_between_lines() {
            return 0;
        }
        let (mut lines, mut rest) = (0, self.input);
        loop {
            rest = match rest {
                [b'\n', behind @ ..] => {
                    lines += 1;
                    self.input = behind;
                    behind
                }
                [b'\r' | 0, behind @ ..] => behind,
                [IAC, command, behind @ ..] if is_no_text(*command) => behind,
                _ => return lines,
            };
        }
    }

    /// Takes the whole lines that are left, to be counted instead of read. Where Telnet or NUL is in them, the line behind them may be
    /// another one.
    pub fn skip_lines(&mut self) -> &'i [u8] {
        self.splitter.free_if_handed_out();
        if self.splitter.is_mid_line() {
            return &[];
        }
        let end = memrchr(b'\n', self.input).map_or(0, |at| at + 1);
        let (lines, rest) = self.input.split_at_checked(end).unwrap_or_default();
        self.input = rest;
        self.splitter.flags.ambiguous |= has_telnet_or_nul(lines);
        lines
    }

    /// Takes all input that is left, without reading it.
    pub fn skip_all(&mut self) {
        self.input = &[];
    }

    /// The input not taken yet. If the lines given so far turned the stream into something else (TLS after 234),
    /// it is the first of that.
    pub fn rest(self) -> &'i [u8] {
        self.splitter.free_if_handed_out();
        self.input
    }
}

/// A line without the CRs before it: some servers end their lines with LF CR.
fn without_leading_cr(line: &[u8]) -> &[u8] {
    let mut line = line;
    while let Some((b'\r', rest)) = line.split_first() {
        line = rest;
    }
    line
}

/// A line without the CRs at its end.
fn without_cr(line: &[u8]) -> &[u8] {
    let mut line = line;
    while let Some((b'\r', head)) = line.split_last() {
        line = head;
    }
    line
}

#[cfg(test)]
mod tests;
