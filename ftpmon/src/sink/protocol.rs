//! The interface of the protocols over HTTP.

/// The meaning of an answer for a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LineAnswer {
    /// The reader has it.
    Taken,
    /// The reader will never take it.
    Refused(String),
    /// The reader takes it later.
    Again(String),
}

/// A protocol over HTTP.
pub(super) trait Protocol: Send {
    /// The path of requests, below that of the address.
    fn path(&self) -> &'static str {
        ""
    }

    /// The type of bodies.
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    /// The scheme of tokens (RFC 9110 section 11.1).
    fn scheme(&self) -> &'static str {
        "Bearer"
    }

    /// The body of a request with `lines`, none of which is empty or ends in a line feed.
    fn body(&self, lines: &[&[u8]]) -> Vec<u8>;

    /// The meaning of an answer of success for each of `lines` lines.
    fn line_answers(&self, answer: &[u8], lines: usize) -> Vec<LineAnswer> {
        let _ = answer;
        vec![LineAnswer::Taken; lines]
    }
}
