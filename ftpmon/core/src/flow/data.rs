//! Data connections.

use smallvec::SmallVec;

use super::file_reader::FileReader;
use super::first_bytes::FirstBytes;
use super::table::FlowId;
use crate::account::Side;
use crate::config::Hashes;
use crate::event::FileFacts;
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
}

/// A data connection.
#[derive(Default)]
pub(crate) struct DataFlow {
    /// The announcements that it fulfils: two in a transfer between two servers.
    pub(crate) claims: SmallVec<[ClaimRef; 1]>,
    /// With `--files`.
    pub(crate) files: Option<Box<Files>>,
    /// No announcement of it was read.
    pub(crate) inferred: bool,
    /// The first bytes of both directions.
    pub(crate) first_bytes: FirstBytes,
    /// Its sessions know that it was established.
    pub(crate) established_told: bool,
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
        self.files.as_deref().is_some_and(whole) && !self.late
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

    /// The next bytes of a direction.
    pub(crate) fn read(&mut self, from: Side, bytes: &[u8], out: &mut OutputQueue) {
        if let Some(files) = &mut self.files {
            files.reader(from).data(bytes, out);
        }
    }

    /// Bytes of a direction are missing.
    pub(crate) fn miss(&mut self, from: Side) {
        if let Some(files) = &mut self.files {
            files.reader(from).gap();
        }
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
