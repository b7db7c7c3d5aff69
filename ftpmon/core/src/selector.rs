//! The engine's messages to the packet selection: which data connections come next, and how much of each flow
//! it wants to see.

use std::net::IpAddr;

use crate::addr::Endpoint;
use crate::event::GapCause;

/// A wish of the engine. The live agent turns it into entries of the kernel's maps; a file reader may ignore it.
/// Every wish is safe to lose: it costs detail, never correctness of what is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectorUpdate {
    /// A data connection to `listener` is announced: track it from its SYN.
    Expect {
        /// The endpoint at which it will arrive.
        listener: Endpoint,
        /// The host that is expected to open it.
        peer: IpAddr,
        /// Other hosts may open it as well: it is a port of the host that announced it. Otherwise what a peer announces for a
        /// third host would have that host's connections counted and copied.
        anyone: bool,
        /// For how long the announcement holds, seconds.
        ttl_s: u32,
        /// Its payload is wanted (`--files`). Never set for a port below 1024.
        payload: bool,
    },
    /// The announcement was superseded or used up.
    Forget {
        /// The endpoint announced before.
        listener: Endpoint,
        /// The host that was expected there. An announcement of the same endpoint for another host stays.
        peer: IpAddr,
    },
    /// A tracked connection is a data connection of FTP.
    Adopt {
        /// The end that sent the SYN.
        initiator: Endpoint,
        /// The end that took it.
        listener: Endpoint,
        /// Its payload is wanted.
        payload: bool,
    },
    /// A tracked connection is none of FTP: stop counting it.
    Release {
        /// The end that sent the SYN.
        initiator: Endpoint,
        /// The end that took it.
        listener: Endpoint,
    },
    /// From now on the control connection's segments are wanted (`true`), or only counted (`false`, after TLS began).
    ControlPayload {
        /// The end that sends commands.
        client: Endpoint,
        /// The end that sends replies.
        server: Endpoint,
        /// Segments wanted.
        wanted: bool,
    },
}

/// Records that never reached the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The number of records.
    pub records: u64,
    /// The reason: a kernel counter's name.
    pub reason: &'static str,
    /// The cause that gaps have at the time.
    pub cause: GapCause,
}
