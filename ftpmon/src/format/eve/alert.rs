//! EVE's `alert`, in the names of Suricata's schema.

use serde::Serialize;

use ftpmon_core::detect::find;
use ftpmon_event::{AlertDetail, Confidence};

/// Signatures of ftpmon are numbered from here, above the ranges that public rule sets use.
const FIRST_SIGNATURE: u32 = 9_210_000;

/// The record's body.
#[derive(Serialize)]
pub(super) struct AlertBody<'a> {
    action: &'static str,
    gid: u32,
    signature_id: u32,
    rev: u32,
    signature: &'a str,
    category: &'static str,
    /// 1 is the gravest.
    severity: u8,
    metadata: Metadata<'a>,
}

/// Lists of texts, as Suricata has them.
#[derive(Serialize)]
struct Metadata<'a> {
    detector: [&'a str; 1],
    confidence: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    mitre_technique_id: Option<[&'a str; 1]>,
    message: [&'a str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<[String; 1]>,
}

impl<'a> From<&'a AlertDetail> for AlertBody<'a> {
    fn from(alert: &'a AlertDetail) -> Self {
        Self {
            action: "allowed",
            gid: 1,
            // Another version's detector may be unknown here.
            signature_id: FIRST_SIGNATURE + find(&alert.id).map_or(0, |entry| entry.subject.number),
            rev: 1,
            signature: &alert.title,
            category: "ftpmon",
            severity: match alert.severity {
                4.. => 1,
                3 => 2,
                _ => 3,
            },
            metadata: Metadata {
                detector: [&alert.id],
                confidence: [match alert.confidence {
                    Confidence::Low => "Low",
                    Confidence::Medium => "Medium",
                    Confidence::High => "High",
                }],
                mitre_technique_id: alert.technique.as_deref().map(|technique| [technique]),
                message: [&alert.message],
                suppressed: (alert.suppressed > 0).then(|| [alert.suppressed.to_string()]),
            },
        }
    }
}
