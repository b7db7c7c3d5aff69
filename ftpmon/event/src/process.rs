//! The process that holds an end of a connection, where that end is on the sensor's own host.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A process of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LocalProcess {
    /// Its id, as the sensor's own pid namespace has it.
    pub pid: u32,
    /// Its name, 15 bytes at most (comm); left out where it cannot be read, as are the fields below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<SmolStr>,
    /// The file that it runs, as its own mount namespace names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    /// The user that it acts as (effective uid).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// That user's name in the sensor's user database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<SmolStr>,
    /// Its cgroup: the path in the unified hierarchy, or in systemd's of version 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<SmolStr>,
    /// The id of the container that the cgroup belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<SmolStr>,
    /// The way in which it was found.
    pub found_by: FoundBy,
}

/// The way in which a process was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    /// It holds the connection's own socket.
    Connection,
    /// It holds the socket that listened for the connection, or for the session's control connection.
    Listener,
    /// It held the same end of the session's control connection; the data connection was over before the look-up.
    Control,
}
