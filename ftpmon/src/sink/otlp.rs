//! Logs of OpenTelemetry over HTTP (OTLP 1, JSON).

use serde::Deserialize;
use serde_json::Value;

use super::protocol::{LineAnswer, Protocol};

/// `/v1/logs`: lines are records (`--format otel`).
pub(super) struct Otlp;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    #[serde(default)]
    partial_success: Option<Partial>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Partial {
    /// A number, or one as a string: JSON's numbers hold no 64 bits.
    #[serde(default)]
    rejected_log_records: Value,
    #[serde(default)]
    error_message: String,
}

impl Protocol for Otlp {
    fn path(&self) -> &'static str {
        "/v1/logs"
    }

    fn body(&self, lines: &[&[u8]]) -> Vec<u8> {
        let head = concat!(
            r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"ftpmon"}}]},"#,
            r#""scopeLogs":[{"scope":{"name":"ftpmon","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#""},"logRecords":["#
        );
        [head.as_bytes(), &lines.join(&b','), b"]}]}]}"].concat()
    }

    /// Which records are refused is not told: the first ones count as those. They must not be sent again.
    fn line_answers(&self, answer: &[u8], lines: usize) -> Vec<LineAnswer> {
        let mut line_answers = vec![LineAnswer::Taken; lines];
        let partial = serde_json::from_slice::<Answer>(answer).ok().and_then(|answer| answer.partial_success);
        let Some(Partial { rejected_log_records, error_message }) = partial else { return line_answers };
        let count = match &rejected_log_records {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        };
        let count = usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX).min(lines);
        for line_answer in line_answers.iter_mut().take(count) {
            *line_answer = LineAnswer::Refused(format!("{count} of {lines} records: {error_message}"));
        }
        line_answers
    }
}
