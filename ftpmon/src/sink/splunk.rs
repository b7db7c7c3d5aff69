//! Splunk's HTTP Event Collector.

use super::json_line::{time_and_type, value};
use super::protocol::Protocol;

const NANOS_IN_MILLI: i128 = 1_000_000;

/// `/services/collector/event`.
pub(super) struct Splunk;

impl Protocol for Splunk {
    fn path(&self) -> &'static str {
        "/services/collector/event"
    }

    fn scheme(&self) -> &'static str {
        "Splunk"
    }

    fn body(&self, lines: &[&[u8]]) -> Vec<u8> {
        let mut body = Vec::new();
        for line in lines {
            let millis = time_and_type(line).0.div_euclid(NANOS_IN_MILLI);
            let (seconds, rest) = (millis.div_euclid(1_000), millis.rem_euclid(1_000));
            let head = format!(
                "{{\"time\":{seconds}.{rest:03},\"source\":\"ftpmon\",\"sourcetype\":\"ftpmon\",\"event\":"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(&value(line));
            body.extend_from_slice(b"}\n");
        }
        body
    }
}
