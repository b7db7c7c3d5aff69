//! Transfers and their outcomes.

use ftpmon_event::time::Timestamp;
use ftpmon_event::{Outcome, Transfer};

use super::ladder::{Row, duration, rate};
use super::words::{Say, joined, say};
use crate::view::Language;
use crate::view::layout::shown;
use crate::view::terminal::Tone;

/// The row of a transfer.
pub(super) fn row(at: Timestamp, transfer: &Transfer, language: Language) -> Row {
    let sentence = |what: Say<'_>| say(language, what);
    let facts = &transfer.transfer;
    let verb = facts.verb.as_deref().map(shown);
    let path = facts.path.as_deref().or(facts.arg.as_deref()).map(shown).unwrap_or_default();
    let head = sentence(Say::Transfer(verb.as_deref(), &path));
    let tone = match facts.outcome {
        Outcome::Complete => Tone::Good,
        Outcome::NoData | Outcome::Unknown => Tone::Odd,
        Outcome::Aborted | Outcome::Refused | Outcome::Failed | Outcome::Short => Tone::Bad,
    };
    let label = joined(Language::En, &[head, sentence(Say::Outcome(facts.outcome))]);
    let mut notes = Vec::new();
    match transfer.data.as_ref().filter(|data| data.initiator.is_some()) {
        Some(data) => {
            notes.push(sentence(Say::DataBytes(data.bytes_from_client, data.bytes_from_server)));
            if let Some(us) = data.duration_us {
                let rate = facts.rate_bps.map(rate);
                notes.push(sentence(Say::DataRate(&duration(us), rate.as_deref())));
            }
            if data.retransmitted_bytes > 0 || data.gap_bytes > 0 {
                notes.push(sentence(Say::DataLosses(data.retransmitted_bytes, data.gap_bytes)));
            }
            notes.extend(data.closed_by.map(|by| sentence(Say::DataClosedBy(by))));
            if data.tls {
                notes.push(sentence(Say::DataTls));
            }
        }
        None => notes.push(sentence(Say::NoData)),
    }
    if let Some(declared) = facts.declared_bytes {
        let moved = facts.bytes.saturating_add(facts.offset);
        notes.push(sentence(Say::Declared(declared, declared == facts.bytes || declared == moved)));
    }
    Row { notes, tx: Some(transfer.tx), ..Row::statement(at, tone, label) }
}
