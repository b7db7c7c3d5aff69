//! Rows of segments that open, close or trouble a connection.

use ftpmon_event::time::Timestamp;

use super::ladder::{Arrow, Row, duration};
use super::step::{Lane, Number, Step, StepKind};
use super::words::{Party, Say, say};
use crate::view::Language;
use crate::view::terminal::Tone;

/// The row of a step. `opened` is when the SYN of its connection was seen; `sides` are the hosts on the client's and on the server's
/// side.
pub(super) fn row(step: &Step, opened: Option<Timestamp>, sides: [Party; 2], language: Language) -> Row {
    let sentence = |what: Say<'_>| say(language, what);
    let [client, server] = sides;
    let (by, other) = if step.from_client { (client, server) } else { (server, client) };
    let tone = if step.lane == Lane::Control { Tone::Handshake } else { Tone::Data };
    let mut notes = Vec::new();
    let (name, tone) = match step.kind {
        StepKind::Syn => {
            notes.push(sentence(Say::Syn(by, step.seq.absolute)));
            ("SYN", tone)
        }
        StepKind::SynAck { initial } => {
            notes.push(sentence(Say::SynAck(by, step.seq.absolute)));
            if let (Some(initial), Some(ack)) = (initial, step.ack) {
                notes.push(sentence(Say::AckMustBe(other, ack.absolute, initial)));
            }
            ("SYN, ACK", tone)
        }
        StepKind::HandshakeAck { own, other: initial } => {
            notes.push(sentence(Say::HandshakeAck(by)));
            notes.push(sentence(Say::SeqMustBe(by, step.seq.absolute, own)));
            if let Some(ack) = step.ack {
                notes.push(sentence(Say::AckMustBe(other, ack.absolute, initial)));
            }
            if let Some(opened) = opened {
                notes.push(sentence(Say::HandshakeTook(&duration(step.at.micros_since(opened)))));
            }
            ("ACK", tone)
        }
        StepKind::SynAgain => {
            notes.push(sentence(Say::SynAgain));
            (if step.ack.is_some() { "SYN, ACK" } else { "SYN" }, Tone::Odd)
        }
        StepKind::Payload => {
            notes.push(sentence(Say::DataBegins(by)));
            ("PSH, ACK", tone)
        }
        StepKind::Copy => {
            notes.push(sentence(Say::Copy(step.len)));
            ("ACK", Tone::Odd)
        }
        StepKind::Late => {
            notes.push(sentence(Say::Late(step.len)));
            ("ACK", Tone::Odd)
        }
        StepKind::BehindHole { missing } => {
            notes.push(sentence(Say::Hole(missing)));
            ("ACK", Tone::Odd)
        }
        StepKind::Fin => {
            notes.push(sentence(Say::Fin(by)));
            (if step.ack.is_some() { "FIN, ACK" } else { "FIN" }, tone)
        }
        StepKind::FinAck => {
            notes.extend(step.ack.map(|ack| sentence(Say::FinAck(other, ack.relative))));
            ("ACK", tone)
        }
        StepKind::Reset { exact, went_on } => {
            notes.push(sentence(Say::Reset(by, exact, went_on)));
            ("RST", Tone::Bad)
        }
    };
    Row {
        at: step.at,
        frame: Some(step.frame),
        lane: step.lane,
        arrow: Arrow::from_client(step.from_client),
        label: label(name, step),
        notes,
        tone,
        tx: None,
    }
}

/// The name of a segment with its numbers, absolute and relative: `SYN, ACK seq=5000 (0) ack=1001 (1)`.
fn label(name: &str, step: &Step) -> String {
    let number = |Number { absolute, relative }: Number| format!("{absolute} ({relative})");
    let mut label = format!("{name} seq={}", number(step.seq));
    if let Some(ack) = step.ack {
        label.push_str(&format!(" ack={}", number(ack)));
    }
    if step.len > 0 {
        label.push_str(&format!(" len={}", step.len));
    }
    label
}

/// The rows of a handshake of which only the times are known: when the SYN was seen, and the microseconds to the other two.
pub(super) fn rows_of_times(
    handshake: &ftpmon_event::Handshake,
    lane: Lane,
    client_opens: bool,
    language: Language,
) -> Vec<Row> {
    let tone = if lane == Lane::Control { Tone::Handshake } else { Tone::Data };
    let row = |at, name: &str, from_initiator: bool| Row {
        lane,
        arrow: Arrow::from_client(from_initiator == client_opens),
        ..Row::statement(at, tone, name.to_owned())
    };
    let mut rows = vec![row(handshake.syn, "SYN", true)];
    let after =
        |us: u64| handshake.syn.plus_nanos(i64::try_from(us.saturating_mul(1_000)).unwrap_or(i64::MAX));
    if let Some(syn_ack_us) = handshake.syn_ack_us {
        rows.push(row(after(syn_ack_us), "SYN, ACK", false));
        if let Some(ack_us) = handshake.ack_us {
            let took = syn_ack_us.saturating_add(ack_us);
            rows.push(Row {
                notes: vec![say(language, Say::HandshakeTook(&duration(took)))],
                ..row(after(took), "ACK", true)
            });
        }
    }
    if lane == Lane::Control
        && let Some(last) = rows.last_mut()
    {
        last.notes.push(say(language, Say::NumbersUnknown));
    }
    rows
}
