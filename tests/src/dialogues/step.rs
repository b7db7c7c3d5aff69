//! The steps of a client. Each stands for itself: any of them may be left out.

/// The way in which the endpoint of a transfer comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// PASV.
    Pasv,
    /// EPSV.
    Epsv,
    /// PORT.
    Port,
    /// EPRT.
    Eprt,
    /// PORT with a port that nobody listens on.
    Deaf,
    /// PORT with another host's address.
    Foreign,
    /// No announcement: the endpoint of an earlier step, if there was one.
    Kept,
    /// PASV, over IPv6 EPSV, and the transfer command at once.
    Pipelined,
}

/// The way in which the client connects to an endpoint of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connect {
    /// Before the transfer command.
    Early,
    /// After it.
    Late,
    /// Twice before it; both connections stay.
    Twice,
    /// Before it, closed, and opened again.
    Reopen {
        /// The first ends with RST.
        reset: bool,
    },
    /// Another host connects first.
    Stranger {
        /// It is still connected when the transfer command is sent.
        stays: bool,
    },
}

/// The way in which a transfer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All bytes are moved.
    Whole,
    /// The client says ABOR in the middle.
    Abort,
    /// The client closes the data connection in the middle.
    Cut {
        /// With RST.
        reset: bool,
    },
    /// The client closes both connections in the middle.
    Leave {
        /// With RST.
        reset: bool,
    },
}

/// A command with a reply that no other command waiting before it can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// PWD, 257.
    Pwd,
    /// SYST, 215.
    Syst,
    /// EPSV, 229.
    Epsv,
    /// PASV, 227.
    Pasv,
    /// CWD, 250.
    Cwd,
}

impl Fence {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pwd, Self::Syst, Self::Epsv, Self::Pasv, Self::Cwd];

    /// The command line, and the code of its success.
    pub const fn command(self) -> (&'static str, u16) {
        match self {
            Self::Pwd => ("PWD", 257),
            Self::Syst => ("SYST", 215),
            Self::Epsv => ("EPSV", 229),
            Self::Pasv => ("PASV", 227),
            Self::Cwd => ("CWD /", 250),
        }
    }
}

/// A transfer, with what is said and done around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The way in which its endpoint comes about.
    pub setup: Setup,
    /// The way in which the client connects.
    pub connect: Connect,
    /// REST before it.
    pub rest: Option<u64>,
    /// The transfer command.
    pub line: String,
    /// Bytes to send, of an upload.
    pub upload: Option<u64>,
    /// Commands said while it runs.
    pub during: Vec<String>,
    /// The way in which it ends.
    pub end: End,
    /// That which is asked after commands that were said while it ran.
    pub fence: Fence,
}

/// That which a client does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A command; its final reply is awaited.
    Ask(String),
    /// A line without a command, and then a fence.
    Blank(String, Fence),
    /// Commands sent at once, and then their replies.
    Pipeline(Vec<String>),
    /// An endpoint that no transfer follows.
    Announce {
        /// The way in which it is announced.
        setup: Setup,
        /// The client connects to it and closes.
        connect: bool,
    },
    /// A transfer.
    Transfer(Transfer),
    /// The client is gone; no QUIT.
    Leave {
        /// With RST.
        reset: bool,
    },
}
