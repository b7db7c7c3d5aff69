//! The working directory, and the kinds of objects in it.

/// A path longer than this many bytes is dropped (Linux's PATH_MAX). Bounds the working directory of a client that goes
/// down for ever.
pub const PATH_MAX: usize = 4096;

/// The working directory as far as the dialogue shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directory {
    /// The directory that the server chose at login. No reply has named it.
    Login,
    /// This directory. Relative to [`Login`](Self::Login) where no reply has named an absolute one.
    At(Box<[u8]>),
    /// Not known: a command that may have changed it was not seen, or its new name follows no known rule.
    Unknown,
}

/// The kind of object that a name refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file, or the argument of a listing.
    File,
    /// A directory.
    Directory,
}
