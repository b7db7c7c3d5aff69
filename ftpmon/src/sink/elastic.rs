//! `_bulk` of Elasticsearch and OpenSearch.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::protocol::{LineAnswer, Protocol};
use ftpmon_event::text::hex;

/// A document that is there already: its line was sent before.
const CONFLICT: u16 = 409;
/// The reader has too much to do.
const TOO_MANY: u16 = 429;
/// Bytes of a line's hash that are its document's id.
const ID_BYTES: usize = 16;

/// `_bulk` with `create`: a document whose id is made of its line. A line has its run and number, so that one which is sent
/// twice is the same document.
pub(super) struct Elastic;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    errors: bool,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    status: u16,
    #[serde(default)]
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    reason: String,
}

impl Protocol for Elastic {
    fn path(&self) -> &'static str {
        "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
    }

    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn body(&self, lines: &[&[u8]]) -> Vec<u8> {
        let mut body = Vec::new();
        for line in lines {
            let digest = Sha256::digest(line);
            let id = hex(digest.get(..ID_BYTES).unwrap_or(&digest));
            body.extend_from_slice(format!("{{\"create\":{{\"_id\":\"{id}\"}}}}\n").as_bytes());
            body.extend_from_slice(line);
            body.push(b'\n');
        }
        body
    }

    fn line_answers(&self, answer: &[u8], lines: usize) -> Vec<LineAnswer> {
        let unreadable = |why: String| vec![LineAnswer::Again(why); lines];
        let answer: Answer = match serde_json::from_slice(answer) {
            Ok(answer) => answer,
            Err(error) => return unreadable(format!("the answer is none of _bulk: {error}")),
        };
        if !answer.errors {
            return vec![LineAnswer::Taken; lines];
        }
        if answer.items.len() != lines {
            return unreadable(format!("the answer names {} of {lines} documents", answer.items.len()));
        }
        let line_answer = |Item { create: Outcome { status, error } }| {
            let why = || {
                let Failure { kind, reason } =
                    error.unwrap_or(Failure { kind: String::new(), reason: String::new() });
                format!("{status} {kind}: {reason}")
            };
            match status {
                200..=299 | CONFLICT => LineAnswer::Taken,
                TOO_MANY | 500.. => LineAnswer::Again(why()),
                _ => LineAnswer::Refused(why()),
            }
        };
        answer.items.into_iter().map(line_answer).collect()
    }
}
