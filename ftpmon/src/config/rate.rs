//! The rates of event types on a route.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Events of a type that take a route in a second, by the type's name. A second's worth may come at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RateConfig(pub BTreeMap<String, u32>);

impl RateConfig {
    /// No type is limited.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
