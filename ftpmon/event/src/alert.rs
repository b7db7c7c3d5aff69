//! The findings of detectors.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::place::Places;
use crate::time::Timestamp;

/// `alert`: a detector found something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// The finding.
    pub alert: AlertDetail,
}

/// A detector's finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertDetail {
    /// The detector's stable name.
    pub id: SmolStr,
    /// 1 (note) to 4 (act now).
    pub severity: u8,
    /// The subject of the detector, the same in all its alerts.
    pub title: SmolStr,
    /// The finding of this alert, for people.
    pub message: SmolStr,
    /// The MITRE ATT&CK technique, `T1110.001`; left out where none fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub technique: Option<SmolStr>,
    /// The detector's confidence.
    pub confidence: Confidence,
    /// Occurrences of the incident since the alert before this one, which had no alert of their own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub suppressed: u64,
    /// The evidence.
    pub evidence: Evidence,
    /// Country and autonomous system of the session's ends, with `--geo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo: Option<Box<Places>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(suppressed: &u64) -> bool {
    *suppressed == 0
}

/// The confidence of a detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Ordinary use often looks like this.
    Low,
    /// Ordinary use seldom looks like this.
    Medium,
    /// Ordinary use does not look like this.
    High,
}

/// The evidence for an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The ids of the sessions concerned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<SmolStr>,
    /// The commands concerned, by their `tx` in the alert's own session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tx: Vec<u64>,
    /// Counts by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<SmolStr, u64>,
    /// When the first of it was seen.
    pub first: Timestamp,
    /// When the last of it was seen.
    pub last: Timestamp,
    /// Commands, users or names of files that show it, masked as `--secrets` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<SmolStr>,
}
