//! The conditions of a route: which events take it, by what they are about.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::name_pattern::NamePattern;
use super::text;

/// The conditions of a route. An event takes the route if it meets each that is given; one that has no such value does not. The
/// sensor's own events (`stats`, `drop` …) always take it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterConfig {
    /// Names of users.
    #[serde(with = "text::list")]
    pub users: Vec<NamePattern>,
    /// Verbs of commands, and of the replies and transfers that belong to them.
    pub verbs: Vec<String>,
    /// Paths of transfers, and arguments of commands and of the replies to them.
    #[serde(with = "text::list")]
    pub paths: Vec<NamePattern>,
    /// Networks: the client or the server is in one.
    #[serde(with = "text::list")]
    pub networks: Vec<IpNet>,
    /// Networks: neither client nor server is in one.
    #[serde(with = "text::list")]
    pub except_networks: Vec<IpNet>,
    /// Directions of transfers.
    pub directions: Vec<TransferDirection>,
}

/// The direction of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferDirection {
    /// From server to client.
    Download,
    /// From client to server.
    Upload,
    /// A listing.
    Listing,
}

impl FilterConfig {
    /// No condition is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
