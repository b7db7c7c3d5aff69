//! The role of a connection, as far as it is known.

use super::candidate::Candidate;
use super::control::Control;
use super::data::DataFlow;
use super::unproven::Unproven;

/// The role of a connection.
pub(crate) enum Role {
    /// A connection to a control port that is no session yet: only one of its ends was seen. A flood of SYNs makes many of these,
    /// and nothing larger.
    Nascent {
        implicit_tls: bool,
        /// The words of that end.
        unproven: Option<Box<Unproven>>,
    },
    /// A control connection.
    Control(Box<Control>),
    /// A data connection.
    Data(Box<DataFlow>),
    /// Any other connection. It may turn out to be one of the above.
    Candidate(Candidate),
    /// A connection that ended. Its late packets belong to it and start nothing new.
    Ended,
}

impl Role {
    /// Nothing is held or known of the connection.
    pub(crate) const PLAIN: Self = Self::Candidate(Candidate::Plain);

    /// Its bytes are, or may turn out to be, those of a file.
    pub(crate) fn may_be_a_file(&self) -> bool {
        matches!(self, Self::Data(_) | Self::Candidate(Candidate::Early(_) | Candidate::Inference(_)))
    }

    /// The connection ended, and what follows from that waits for the next exchange.
    pub(crate) fn is_ending(&self) -> bool {
        match self {
            Self::Control(control) => control.ending.is_some(),
            Self::Data(data) => data.ended.is_some(),
            _ => false,
        }
    }
}
