//! The bytes, gaps and ends of the two directions of a control connection.

use super::channel::Channel;
use super::outbox::{Effect, Outbox};
use super::{Context, Session};
use crate::config::Secrets;
use crate::event::{AnomalyId, Direction, EventKind, Gap, GapCause, GapDetail};
use crate::ftp::LineSplitter;
use crate::text::Text;
use crate::time::Timestamp;

/// A session whose first lines are all malformed, this many of them, or the first lines of its server, is no FTP: its lines are
/// read no more.
const MALFORMED_MAX: u8 = 8;

/// Bytes of the shortest command, without its line's end.
const COMMAND_MIN: u64 = 3;

/// Bytes of the shortest announcement of a data connection, with its line's end: `229 (|||1024|)`.
const ANNOUNCEMENT_MIN: u64 = 16;

impl Session {
    /// The next bytes of a direction.
    pub fn data(
        &mut self,
        at: Timestamp,
        direction: Direction,
        bytes: &[u8],
        context: Context<'_>,
        out: &mut Outbox,
    ) {
        self.last = self.last.max(at);
        let mut bytes = bytes;
        while !bytes.is_empty() {
            if self.turns_to_tls(direction, bytes) {
                self.start_tls(direction);
            }
            bytes = match core::mem::replace(self.channel(direction), Channel::Opaque) {
                Channel::Text(lines) => self.text(at, direction, lines, bytes, context, out),
                Channel::Tls(records) => self.records(at, direction, records, bytes, out),
                Channel::Opaque => &[],
            };
        }
    }

    /// Bytes of a direction were never seen.
    pub fn gap(
        &mut self,
        at: Timestamp,
        direction: Direction,
        bytes: u64,
        cause: GapCause,
        context: Context<'_>,
        out: &mut Outbox,
    ) {
        // Nothing was received: `last` stays, also for a gap in the other direction that is reported now as well.
        let mut channel = core::mem::take(self.channel(direction));
        let unreadable = self.tls.is_some() || matches!(channel, Channel::Tls(_));
        match &mut channel {
            Channel::Text(lines) => {
                let known = self.tx;
                let head = lines.gap();
                if let Some(line) = &head {
                    // Its end was not received: its time is that of what was.
                    self.line(self.last, direction, line, context, out);
                }
                self.lose_track(direction);
                self.transfers.note_missing(at);
                let lost_a_command = if head.is_some() { self.tx == known } else { bytes >= COMMAND_MIN };
                if direction == Direction::Command && lost_a_command {
                    self.unseen_command(at, context, out);
                }
            }
            Channel::Tls(records) => records.gap(),
            Channel::Opaque => {}
        }
        *self.channel(direction) = channel;
        // Bytes under TLS that were not asked for are not missing.
        if !unreadable {
            self.gaps += 1;
            self.tell(at, EventKind::Gap(Gap { gap: GapDetail { direction, bytes, cause } }), out);
            // What a frame has no room for may be the end of an announcement; whole frames lost hold the whole of it.
            if bytes >= ANNOUNCEMENT_MIN || cause == GapCause::CutShort {
                out.effects.push(Effect::Missed { direction, since: self.last });
            }
        }
    }

    /// A direction ended: its last line is complete.
    pub fn half_closed(
        &mut self,
        at: Timestamp,
        direction: Direction,
        context: Context<'_>,
        out: &mut Outbox,
    ) {
        self.last = self.last.max(at);
        if let Channel::Text(mut lines) = core::mem::replace(self.channel(direction), Channel::Opaque) {
            if let Some(line) = lines.finish() {
                self.line(at, direction, &line, context, out);
            }
            if direction == Direction::Reply {
                self.finish_reply(out);
            }
        }
    }

    pub(super) fn channel(&mut self, direction: Direction) -> &mut Channel {
        match direction {
            Direction::Command => &mut self.from_client,
            Direction::Reply => &mut self.from_server,
        }
    }

    /// Takes lines from `bytes` until they are used up, or until a line may have turned the rest into something else;
    /// gives that rest.
    fn text<'b>(
        &mut self,
        at: Timestamp,
        direction: Direction,
        mut splitter: LineSplitter,
        bytes: &'b [u8],
        context: Context<'_>,
        out: &mut Outbox,
    ) -> &'b [u8] {
        let mut lines = splitter.feed(bytes);
        let mut rest: &[u8] = &[];
        while let Some(line) = lines.next() {
            let is_empty = line.bytes.is_empty();
            if is_empty && line.stripped {
                self.allowance.charge();
            }
            if self.line(at, direction, &line, context, out) {
                rest = lines.rest();
                break;
            }
            if is_empty {
                let more = lines.skip_empty_lines();
                match direction {
                    Direction::Command => self.pending.push_empty_lines(at, more),
                    Direction::Reply => self.assembler.push_empty_lines(more),
                }
            }
            if self.not_ftp {
                lines.skip_all();
            } else if self.allowance.is_spent() {
                self.count_lines(at, direction, &mut lines, context, out);
            }
        }
        *self.channel(direction) = Channel::Text(splitter);
        rest
    }

    /// One line of a direction; true if the next bytes may be TLS.
    pub(super) fn line(
        &mut self,
        at: Timestamp,
        direction: Direction,
        line: &crate::ftp::Line<'_>,
        context: Context<'_>,
        out: &mut Outbox,
    ) -> bool {
        if self.not_ftp {
            return false;
        }
        match direction {
            Direction::Command => {
                if line.telnet_within {
                    self.telnet_within(at, out);
                }
                self.command_line(at, line, context, out)
            }
            Direction::Reply => {
                if !self.all_read && *context.secrets != Secrets::Show {
                    self.secrets.may_be_lost();
                }
                self.reply_line(at, line, out)
            }
        }
    }

    /// Lines were lost: what they changed is not known.
    pub(super) fn lose_track(&mut self, direction: Direction) {
        self.all_read = false;
        match direction {
            Direction::Reply => {
                self.missed.replies = self.missed.replies.wrapping_add(1);
                self.assembler.gap();
                self.pending.doubt_all();
                self.remote.replies_lost();
                self.greeting_due = false;
            }
            Direction::Command => {
                self.missed.commands = self.missed.commands.wrapping_add(1);
                self.remote.commands_lost(self.tx);
            }
        }
    }

    /// A malformed line. Enough of them, and nothing else, and the session is no FTP.
    pub(super) fn malformed(
        &mut self,
        at: Timestamp,
        tx: Option<u64>,
        id: AnomalyId,
        line: &[u8],
        out: &mut Outbox,
    ) {
        let head = Text::from_bytes(line.get(..line.len().min(64)).unwrap_or_default());
        self.anomaly(at, tx, id, &head.text, out);
        let of_reply = id == AnomalyId::MalformedReply;
        self.malformed = self.malformed.saturating_add(1);
        self.malformed_replies = self.malformed_replies.saturating_add(u8::from(of_reply));
        // Other protocols have FTP's verbs: IRC has PASS, USER and QUIT. A server that never sends a reply code does not speak
        // FTP.
        let server_is_foreign =
            self.malformed_replies >= MALFORMED_MAX && !self.well_formed_reply && self.all_read;
        let nothing_fits =
            self.malformed >= MALFORMED_MAX && !self.well_formed_reply && !self.well_formed_command;
        if (server_is_foreign || nothing_fits) && !self.not_ftp {
            self.not_ftp = true;
            self.anomaly(
                at,
                None,
                AnomalyId::NotFtp,
                "no line had the form of FTP; its lines are read no more",
                out,
            );
        }
    }
}
