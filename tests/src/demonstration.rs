//! The sessions that `cargo xtask demo` shows and that every kernel is tried with: a login, a passive download, an active upload
//! and a failed login.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use crate::compare;
use crate::events::Events;
use crate::expected::Expected;
use crate::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use crate::net::Namespace;
use crate::party::Visit;

/// The path of the file that is downloaded.
const PATH: &str = "/pub/report.bin";

/// The sessions between one client and one server.
#[derive(Clone, Copy, Debug)]
pub struct Demonstration {
    /// The server's control port.
    pub server: SocketAddr,
    /// The download's size, bytes.
    pub download: u64,
    /// The upload's size, bytes.
    pub upload: u64,
}

impl Demonstration {
    /// Starts the server in its namespace.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn serve(&self, namespace: &Namespace) -> Result<Server> {
        let behaviour = Behaviour::default().with_file(PATH, Content::Pattern(self.download));
        namespace.run(|| Server::start(self.server, behaviour))
    }

    /// The first client: logs in, downloads in passive mode and uploads in active mode.
    ///
    /// # Errors
    /// The session failed, or what was downloaded is not the file.
    pub fn transfers(&self, namespace: &Namespace) -> Result<Visit> {
        let transcript = namespace.run(|| {
            let mut client = Client::connect(self.server, ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            let got = client.retrieve(DataMode::Pasv, PATH, Some(&Content::Pattern(self.download)))?;
            ensure!(got.intact, "the download was not what the server has");
            client.store(DataMode::Port, "STOR", "/in/notes.bin", &Content::Pattern(self.upload))?;
            client.quit()
        })?;
        let transfers = vec![
            Expected::complete("RETR", "PASV", self.download),
            Expected::complete("STOR", "PORT", self.upload),
        ];
        Ok(Visit { what: "login, download, upload", transcript, transfers, login: "success" })
    }

    /// The second client: gives a wrong password.
    ///
    /// # Errors
    /// The session failed.
    pub fn wrong_password(&self, namespace: &Namespace) -> Result<Visit> {
        let transcript = namespace.run(|| {
            let mut client = Client::connect(self.server, ClientOptions::default())?;
            client.command("USER alice")?;
            client.command("PASS a guess")?;
            client.quit()
        })?;
        Ok(Visit { what: "wrong password", transcript, transfers: Vec::new(), login: "failure" })
    }
}

/// Checks that the events of a whole run are those of these visits, in their order, and of nothing else.
///
/// # Errors
/// The first difference.
pub fn check(events: &Events, visits: &[Visit]) -> Result<()> {
    let sessions = events.sessions();
    ensure!(sessions.len() == visits.len(), "{} sessions, expected {}", sessions.len(), visits.len());
    for (session, visit) in sessions.iter().zip(visits) {
        compare::visit(session, visit)?;
    }
    compare::stream(events)
}
