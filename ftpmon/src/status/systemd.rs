//! Messages to a supervisor by the protocol of sd_notify: the agent is ready, lives, and what it does.
//!
//! The socket is opened once, at the start: the thread that sends the messages may open none.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The supervisor that started the agent.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    socket: Option<UnixDatagram>,
    wants_watchdog: bool,
}

impl Supervisor {
    /// The supervisor that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`), or none.
    ///
    /// # Errors
    /// Its socket cannot be used.
    pub(crate) fn of_process() -> io::Result<Self> {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Ok(Self::default()) };
        let name = name.as_encoded_bytes();
        let address = match name.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(std::path::Path::new(std::ffi::OsStr::new(
                core::str::from_utf8(name).map_err(io::Error::other)?,
            )))?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // A supervisor that does not read holds nothing up.
        socket.set_nonblocking(true)?;
        let pid = env::var("WATCHDOG_PID").ok();
        let is_ours = pid.is_none_or(|pid| pid == std::process::id().to_string());
        Ok(Self { socket: Some(socket), wants_watchdog: is_ours && env::var_os("WATCHDOG_USEC").is_some() })
    }

    /// The agent watches; `status` says what, in a line.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// The agent lives, and does this.
    pub(crate) fn alive(&self, status: &str) {
        let watchdog = if self.wants_watchdog { "WATCHDOG=1\n" } else { "" };
        self.send(&format!("{watchdog}STATUS={status}"));
    }

    /// The agent ends.
    pub(crate) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(message.as_bytes());
        }
    }
}
