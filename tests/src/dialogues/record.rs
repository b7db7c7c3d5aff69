//! That which a client knows of its session.

use std::net::SocketAddr;

/// A command line that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The line without its end.
    pub line: String,
}

impl Said {
    /// The verb in upper case.
    pub fn verb(&self) -> String {
        self.line.split(' ').next().unwrap_or("").to_ascii_uppercase()
    }

    /// That which follows the verb and a space.
    pub fn arg(&self) -> Option<&str> {
        self.line.split_once(' ').map(|(_, arg)| arg)
    }
}

/// A reply that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its code.
    pub code: u16,
    /// Its text, by the rule of the events.
    pub text: String,
    /// The command that it answers, counted from 0.
    pub answers: Option<usize>,
    /// The owner: whose it is cannot be told for certain.
    pub doubtful: bool,
}

/// The way in which an attempt to log in ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name given.
    pub user: String,
    /// `success`, `failure` or `abandoned`.
    pub outcome: &'static str,
}

/// The way in which many bytes a connection moved, as the client can know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// So many: the stream was read or written to its end.
    Exactly(u64),
    /// So many at least: the rest was not read.
    AtLeast(u64),
    /// So many at most: the rest was not sent.
    AtMost(u64),
    /// The client cannot tell.
    Unknown,
}

/// A data connection by its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    /// The one who opened it.
    pub initiator: SocketAddr,
    /// The one who accepted it.
    pub listener: SocketAddr,
}

/// That which must be reported of a transfer command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The command, counted from 0.
    pub command: usize,
    /// `download`, `upload` or `listing`.
    pub direction: &'static str,
    /// The file's absolute path, where the client knows it.
    pub path: Option<String>,
    /// A reply has named the working directory: the path has to be absolute.
    pub absolute: bool,
    /// The outcomes that are right.
    pub outcomes: Vec<&'static str>,
    /// The final reply's code.
    pub code: Option<u16>,
    /// The payload.
    pub bytes: Bytes,
    /// The hash of the payload, where all of it is known.
    pub sha256: Option<String>,
    /// REST; none where a listing came between, for which some servers keep it.
    pub offset: Option<u64>,
    /// PASV, EPSV, PORT or EPRT.
    pub via: Option<&'static str>,
    /// The connection that was used, where the client knows.
    pub ends: Option<Ends>,
    /// A stranger connected to its endpoint when a transfer before it was over and no command was there yet: nothing says that the endpoint
    /// is still one, so that ftpmon need not have seen it.
    pub unwatched: bool,
    /// The server called an upload complete and did not close its connection in order: it had another one. Or it sent on it: a file that was
    /// asked for before, whose transfer had no connection.
    pub contested: bool,
}

/// The way in which the client ended the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leaving {
    /// QUIT, and the server closed; or the server closed by itself.
    #[default]
    Closed,
    /// Without QUIT.
    Left,
    /// With RST.
    Reset,
}

/// Everything that a client knows of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The client's end of the control connection.
    pub client: SocketAddr,
    /// Command lines in order.
    pub commands: Vec<Said>,
    /// Replies in order.
    pub replies: Vec<Heard>,
    /// Attempts to log in, in order.
    pub logins: Vec<Login>,
    /// Transfer commands in order.
    pub transfers: Vec<Moved>,
    /// Endpoints that were announced and accepted, in order.
    pub announced: Vec<(&'static str, SocketAddr)>,
    /// Connections that no transfer used.
    pub loose: Vec<Ends>,
    /// The ends of the stranger's connections.
    pub strangers: Vec<SocketAddr>,
    /// The way in which it ended.
    pub leaving: Leaving,
    /// The server did not answer, and the client left.
    pub stalled: bool,
    /// So it did while several commands waited: which of them it answered nobody knows.
    pub unsure: bool,
    /// The reason why the client lost track; nothing can then be compared.
    pub lost: Option<String>,
}

impl Record {
    /// Of a session that begins.
    pub const fn new(client: SocketAddr) -> Self {
        Self {
            client,
            commands: Vec::new(),
            replies: Vec::new(),
            logins: Vec::new(),
            transfers: Vec::new(),
            announced: Vec::new(),
            loose: Vec::new(),
            strangers: Vec::new(),
            leaving: Leaving::Closed,
            stalled: false,
            unsure: false,
            lost: None,
        }
    }

    /// The replies to a command.
    pub fn replies_to(&self, command: usize) -> impl Iterator<Item = &Heard> {
        self.replies.iter().filter(move |reply| reply.answers == Some(command))
    }
}
