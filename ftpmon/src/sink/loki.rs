//! Loki's push API.

use std::collections::BTreeMap;

use super::json_line::{string, time_and_type};
use super::protocol::Protocol;

/// `/loki/api/v1/push`: a stream for each type of event, which are sixteen at most.
pub(super) struct Loki;

impl Protocol for Loki {
    fn path(&self) -> &'static str {
        "/loki/api/v1/push"
    }

    fn body(&self, lines: &[&[u8]]) -> Vec<u8> {
        let mut streams: BTreeMap<Option<String>, Vec<(i128, &[u8])>> = BTreeMap::new();
        for line in lines {
            let (at, name) = time_and_type(line);
            streams.entry(name).or_default().push((at, line));
        }
        let mut body = b"{\"streams\":[".to_vec();
        for (number, (name, values)) in streams.into_iter().enumerate() {
            if number > 0 {
                body.push(b',');
            }
            body.extend_from_slice(b"{\"stream\":{\"job\":\"ftpmon\"");
            if let Some(name) = name {
                body.extend_from_slice(b",\"event\":");
                body.extend_from_slice(&string(name.as_bytes()));
            }
            body.extend_from_slice(b"},\"values\":[");
            for (number, (at, line)) in values.into_iter().enumerate() {
                let comma = if number > 0 { "," } else { "" };
                body.extend_from_slice(format!("{comma}[\"{at}\",").as_bytes());
                body.extend_from_slice(&string(line));
                body.push(b']');
            }
            body.extend_from_slice(b"]}");
        }
        body.extend_from_slice(b"]}");
        body
    }
}
