//! Connections that may turn out to be FTP's.

use smallvec::SmallVec;

use super::data::DataFlow;
use super::early::EarlyBytes;
use super::probe::Probe;
use super::table::FlowId;

/// A connection that may turn out to be FTP's, by what is held of it until then.
pub(crate) enum Candidate {
    /// Nothing. It may still be announced, or inferred from missing bytes.
    Plain,
    /// Its first bytes, in case that they are a file's.
    Early(Box<EarlyBytes>),
    /// Its first lines, which decide whether it is a control connection.
    Probe(Box<Probe>),
    /// It was opened between the hosts of a session that cannot be read, and is followed as a data connection.
    Inference(Box<InferenceCandidate>),
}

/// A connection between the hosts of a session that cannot be read.
pub(crate) struct InferenceCandidate {
    /// The data connection that it becomes.
    pub(crate) data: DataFlow,
    /// The sessions that sent something just before it was opened, and how long before, nanoseconds.
    pub(crate) asked: SmallVec<[(FlowId, u64); 2]>,
    /// It ended, and waits for evidence.
    pub(crate) ended: bool,
    /// Its listener is known to serve another protocol.
    pub(crate) known_service: bool,
}

impl InferenceCandidate {
    /// Nanoseconds from a session's payload to the connection's opening, if there was any payload.
    pub(crate) fn asked_by(&self, session: FlowId) -> Option<u64> {
        self.asked.iter().find(|(asked, _)| *asked == session).map(|(_, before)| *before)
    }
}
