//! The events that ftpmon has written so far, for a client that has to wait for one.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use crate::events::{Event, Events};
use crate::poll;
use crate::process::Lines;

/// The time that ftpmon may take to report an endpoint that its client knows.
const LIMIT: Duration = Duration::from_secs(10);

/// The events of a round.
#[derive(Clone, Debug)]
pub(super) struct Told {
    lines: Lines,
    /// Lines of rounds before.
    from: usize,
}

impl Told {
    pub(super) const fn new(lines: Lines, from: usize) -> Self {
        Self { lines, from }
    }

    /// Waits until a session's endpoint at this port is reported. From then on whoever connects to it is seen: the kernel programs know
    /// it before.
    ///
    /// # Errors
    /// It was not, in time.
    pub(super) fn wait_for(&self, client: SocketAddr, port: u16) -> Result<()> {
        let (client, mut from) = (client.to_string(), self.from);
        let is_it = |event: &Event| {
            event.name() == "data_channel"
                && event.endpoint("/client") == client
                && event.number("/data/port") == Some(port.into())
        };
        poll::until(&format!("the data_channel event of port {port}"), LIMIT, || {
            let lines = self.lines.from(from);
            from += lines.len();
            Ok(Events::from_lines(&lines).0.iter().any(is_it).then_some(()))
        })
    }
}
