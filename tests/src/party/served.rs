//! A server's account of each command that moved something.

/// A transfer command as its server logged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The command, as the server has it.
    pub command: String,
    /// The final reply's code.
    pub code: u16,
    /// Bytes that the server counted for it.
    pub bytes: u64,
}
