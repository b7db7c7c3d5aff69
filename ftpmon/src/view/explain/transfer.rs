//! Transfers and their outcomes.

use ftpmon_event::time::Timestamp;
use ftpmon_event::{ClosedBy, DataConnection, Outcome, SessionIdentity, Transfer};

use super::connections::sides;
use super::ladder::{Row, duration, rate};
use super::words::{Party, Say, joined, say};
use crate::view::Language;
use crate::view::layout::shown;
use crate::view::terminal::Tone;

/// The sentences about a data connection that opens: its number and its ends.
pub(super) fn opening(
    number: usize,
    data: &DataConnection,
    session: &SessionIdentity,
    language: Language,
) -> Vec<String> {
    let (Some(initiator), Some(listener)) = (data.initiator, data.listener) else { return Vec::new() };
    let opens = Say::DataOpens(number, &initiator.to_string(), &listener.to_string());
    let mut notes = vec![say(language, opens)];
    let own = [session.client.ip, session.server.ip];
    let third = [initiator.ip, listener.ip].into_iter().find(|ip| !own.contains(ip));
    notes.extend(third.map(|ip| say(language, Say::ThirdHost(&ip.to_string()))));
    notes
}

/// The row of a transfer.
pub(super) fn row(
    at: Timestamp,
    transfer: &Transfer,
    session: Option<&SessionIdentity>,
    language: Language,
) -> Row {
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
            let sides = session.map_or([Party::Client, Party::Server], |session| sides(data, session));
            notes.push(sentence(Say::DataBytes(sides, data.bytes_from_client, data.bytes_from_server)));
            if let Some(us) = data.duration_us {
                let rate = facts.rate_bps.map(rate);
                notes.push(sentence(Say::DataRate(&duration(us), rate.as_deref())));
            }
            if data.retransmitted_bytes > 0 || data.gap_bytes > 0 {
                notes.push(sentence(Say::DataLosses(data.retransmitted_bytes, data.gap_bytes)));
            }
            let [client, server] = sides;
            let closed = |by: ClosedBy| match by {
                ClosedBy::Client => Some(client),
                ClosedBy::Server => Some(server),
                ClosedBy::Nobody => None,
            };
            notes.extend(data.closed_by.map(|by| sentence(Say::DataClosedBy(closed(by)))));
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
