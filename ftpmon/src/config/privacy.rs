//! Names that a route does not tell.

use serde::{Deserialize, Serialize};

/// The names that a route's events have. What may repeat a name that is not kept goes with it: texts of replies, arguments of
/// commands, the words of alerts and anomalies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyConfig {
    /// Names of users.
    pub user: NamePolicy,
    /// Names of files and directories.
    pub path: NamePolicy,
    /// Local processes and their users.
    pub processes: ProcessPolicy,
}

impl PrivacyConfig {
    /// All names are kept.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Some names are hashed.
    pub(crate) fn hashes(&self) -> bool {
        self.user == NamePolicy::Hash || self.path == NamePolicy::Hash
    }
}

/// The treatment of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamePolicy {
    /// It stays.
    #[default]
    Keep,
    /// It is left out.
    Remove,
    /// Its keyed hash stands in its place: equal names can be recognised, and not read.
    Hash,
}

/// The treatment of the processes that own a connection's ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessPolicy {
    /// They stay.
    #[default]
    Keep,
    /// They are left out.
    Remove,
}
