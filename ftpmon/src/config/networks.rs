//! The networks whose sessions are followed, or left out.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::text;
use ftpmon_core::engine::{Network, Networks};

/// Networks whose sessions are followed, or left out; either end of a session counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworksConfig {
    /// With any, only sessions with an end in one of them are followed.
    #[serde(with = "text::list")]
    pub allow: Vec<Network>,
    /// Sessions with an end in one of them are left out.
    #[serde(with = "text::list")]
    pub deny: Vec<Network>,
}

impl NetworksConfig {
    /// As the engine and the kernel programs take them.
    pub fn networks(&self) -> Networks {
        Networks::new(&self.allow, &self.deny)
    }

    /// The number of networks in both lists.
    pub(super) fn len(&self) -> usize {
        self.allow.len().saturating_add(self.deny.len())
    }

    /// A network that is in both lists.
    pub(super) fn in_both(&self) -> Option<Network> {
        let allowed: HashSet<_> = self.allow.iter().map(Network::mapped).collect();
        self.deny.iter().find(|network| allowed.contains(&network.mapped())).copied()
    }
}
