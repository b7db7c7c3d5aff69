//! The expected transfer, by the account of a party.

/// The expected transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// RETR, STOR, APPE, LIST, …
    pub verb: String,
    /// PASV, EPSV, PORT or EPRT.
    pub via: String,
    /// Payload bytes of the data connection; none: not known beforehand.
    pub bytes: Option<u64>,
    /// The outcome.
    pub outcome: String,
}

impl Expected {
    /// A complete transfer of this many bytes.
    pub fn complete(verb: &str, via: &str, bytes: u64) -> Self {
        Self { verb: verb.into(), via: via.into(), bytes: Some(bytes), outcome: "complete".into() }
    }

    /// A complete transfer of an unknown number of bytes, such as a listing.
    pub fn some(verb: &str, via: &str) -> Self {
        Self { verb: verb.into(), via: via.into(), bytes: None, outcome: "complete".into() }
    }
}
