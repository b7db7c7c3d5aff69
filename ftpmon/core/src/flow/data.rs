//! Data connections.

use smallvec::SmallVec;

use super::early::EarlyBytes;
use super::file_reader::FileReader;
use super::first_bytes::{ContentKind, FirstBytes};
use super::table::FlowId;
use crate::account::Side;
use crate::config::Hashes;
use crate::event::{FileFacts, FileReason};
use crate::output::OutputQueue;
use crate::session::{DataSummary, EndpointId};
use crate::tcp::Keep;
use crate::time::Timestamp;

/// A session, wherever it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionRef {
    /// Number of the partition that owns it.
    pub(crate) partition: u8,
    /// Its control connection in that partition's table.
    pub(crate) flow: FlowId,
}

/// An announcement that a data connection fulfils.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClaimRef {
    pub(crate) session: SessionRef,
    pub(crate) endpoint: EndpointId,
    /// The connection's hosts are not those of the session, which is notified by message.
    pub(crate) foreign: bool,
    /// The end of the connection that is the session's server, where the server's own announcement or the client's names the
    /// other end: both servers of a transfer between two.
    pub(crate) server: Option<Side>,
    /// The operator allows the connection's hosts.
    pub(crate) allowed: bool,
    /// Of a foreign one: the other party took the announcement.
    pub(crate) confirmed: bool,
}

impl ClaimRef {
    /// A claim of a session between the connection's own hosts.
    pub(crate) const fn own(session: SessionRef, endpoint: EndpointId) -> Self {
        Self { session, endpoint, foreign: false, server: None, allowed: false, confirmed: false }
    }
}

/// A data connection.
#[derive(Default)]
pub(crate) struct DataFlow {
    /// The announcements that it fulfils: two in a transfer between two servers.
    pub(crate) claims: SmallVec<[ClaimRef; 1]>,
    /// With `--files`.
    pub(crate) files: Option<Box<Files>>,
    /// Its bytes may be copied: it was announced and taken, and both hosts are of the session, or servers of two sessions that
    /// announced it, or allowed by the operator.
    pub(crate) permitted: bool,
    /// It carries another protocol, or its listener serves one: its bytes are never copied.
    pub(crate) another_protocol: bool,
    /// Its files were dropped for that.
    pub(crate) files_refused: bool,
    /// The turns that the ends took in sending, in clear text.
    pub(crate) turns: Turns,
    /// With `--files`: its bytes until they may be.
    pub(crate) withheld: Option<Box<EarlyBytes>>,
    /// No announcement of it was read.
    pub(crate) inferred: bool,
    /// The first bytes of both directions.
    pub(crate) first_bytes: FirstBytes,
    /// Its sessions know that it was established.
    pub(crate) established_told: bool,
    /// They know that this was seen, and not only taken to be.
    pub(crate) proven_told: bool,
    /// They know that it is about to end.
    pub(crate) closing_told: bool,
    /// Bytes passed before the connection was known to be a data connection.
    pub(crate) late: bool,
    /// Its end and its account: sessions of other hosts are notified at the next exchange.
    pub(crate) ended: Option<(Timestamp, Box<DataSummary>)>,
}

impl DataFlow {
    /// The part of its payload that the core wants.
    pub(crate) fn keep(&self) -> Keep {
        if self.wants_bytes() { Keep::Bytes } else { Keep::Ranges }
    }

    /// Its bytes are wanted: not without `--files`, and not once some of a file's are missing.
    pub(crate) fn wants_bytes(&self) -> bool {
        let whole = |files: &Files| !files.from_initiator.is_broken() && !files.from_listener.is_broken();
        let held = self.withheld.as_deref().is_none_or(|withheld| !withheld.is_broken());
        self.files.as_deref().is_some_and(whole) && !self.late && held
    }

    /// Bytes under TLS are no file. A file in clear text may begin like TLS, where its connection was announced readably.
    pub(crate) fn discard_encrypted_file(&mut self, out: &mut OutputQueue) {
        if self.inferred
            && self.first_bytes.is_tls()
            && let Some(files) = self.files.take()
        {
            files.discard(out);
        }
    }

    /// Its bytes may be copied from now on.
    pub(crate) fn permit(&mut self, out: &mut OutputQueue) {
        self.permitted = true;
        if let Some(held) = self.withheld.take() {
            held.pieces().for_each(|(from, bytes)| self.keep_bytes(from, bytes, out));
            held.broken_ends().for_each(|from| self.miss(from));
        }
    }

    /// Nothing of its bytes is kept, now or later.
    pub(crate) fn refuse(&mut self, out: &mut OutputQueue) {
        (self.permitted, self.another_protocol, self.withheld) = (false, true, None);
        if let Some(files) = self.files.take() {
            files.discard(out);
            self.files_refused = true;
        }
    }

    /// It carries another protocol, and no file: its ends talk in clear text, or one of them began like another protocol and was answered.
    pub(crate) fn is_another_protocol(&self) -> bool {
        let kind = |side| self.first_bytes.kind(side);
        let [one, other] = [kind(Side::Initiator), kind(Side::Listener)];
        let foreign = one == ContentKind::Foreign || other == ContentKind::Foreign;
        let both = one != ContentKind::Silent && other != ContentKind::Silent;
        !self.first_bytes.is_tls() && (self.turns.are_a_dialogue() || (foreign && both))
    }

    /// The reason why none of its bytes were copied, with `--files`.
    pub(crate) fn withheld_because(&self) -> Option<FileReason> {
        if self.files_refused {
            return Some(FileReason::OtherProtocol);
        }
        if self.permitted || self.files.is_none() {
            return None;
        }
        let foreign = self.claims.iter().all(|claim| claim.foreign);
        Some(if foreign { FileReason::OtherHost } else { FileReason::Unconfirmed })
    }

    /// Takes over what was held of the connection.
    pub(crate) fn replay(&mut self, early: &EarlyBytes, out: &mut OutputQueue) {
        for (from, bytes) in early.pieces() {
            self.read(from, bytes, out);
        }
        early.broken_ends().for_each(|from| self.miss(from));
    }

    /// The next bytes of a direction.
    pub(crate) fn read(&mut self, from: Side, bytes: &[u8], out: &mut OutputQueue) {
        self.turns.note(from);
        self.keep_bytes(from, bytes, out);
    }

    /// Holds bytes until they may be copied, or copies them.
    fn keep_bytes(&mut self, from: Side, bytes: &[u8], out: &mut OutputQueue) {
        if let Some(withheld) = &mut self.withheld {
            withheld.hold(from, bytes);
            return;
        }
        if let Some(files) = &mut self.files {
            files.reader(from).data(bytes, out);
        }
    }

    /// Bytes of a direction are missing.
    pub(crate) fn miss(&mut self, from: Side) {
        if let Some(withheld) = &mut self.withheld {
            withheld.give_up(from);
            return;
        }
        if let Some(files) = &mut self.files {
            files.reader(from).gap();
        }
    }
}

/// Turns of sending that make a dialogue: each end answers the other. A data connection carries bytes one way (RFC 959 section 3.2), and
/// what the receiver may send by mistake has no answer.
pub(crate) const DIALOGUE_TURNS: usize = 4;

/// Ends that send by turns.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turns {
    last: Option<Side>,
    taken: u8,
}

impl Turns {
    fn note(&mut self, from: Side) {
        if self.last != Some(from) {
            self.last = Some(from);
            self.taken = self.taken.saturating_add(1);
        }
    }

    const fn are_a_dialogue(self) -> bool {
        self.taken as usize >= DIALOGUE_TURNS
    }
}

/// Both directions of a data connection, hashed.
pub(crate) struct Files {
    from_initiator: FileReader,
    from_listener: FileReader,
}

impl Files {
    /// Of each file `keep` bytes are handed out, if any.
    pub(crate) fn new(hashes: Hashes, keep: Option<u64>) -> Self {
        let reader = || FileReader::new(hashes, keep);
        Self { from_initiator: reader(), from_listener: reader() }
    }

    /// The connection was no data connection.
    pub(crate) fn discard(self, out: &mut OutputQueue) {
        self.from_initiator.discard(out);
        self.from_listener.discard(out);
    }

    /// The bytes of the initiator and of the listener. `whole`: their bytes were read from the first one; `to_end`: up to FIN.
    pub(crate) fn finish(self, whole: bool, to_end: [bool; 2], out: &mut OutputQueue) -> [FileFacts; 2] {
        let [initiator_done, listener_done] = to_end;
        [
            self.from_initiator.finish(whole, initiator_done, out),
            self.from_listener.finish(whole, listener_done, out),
        ]
    }

    fn reader(&mut self, from: Side) -> &mut FileReader {
        match from {
            Side::Initiator => &mut self.from_initiator,
            Side::Listener => &mut self.from_listener,
        }
    }
}
