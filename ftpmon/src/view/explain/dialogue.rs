//! Rows of commands, replies and the other events of a session.

use std::collections::HashMap;
use std::net::IpAddr;

use ftpmon_core::ftp::Verb;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{
    Command, Direction, Event, EventKind, Login, LoginOutcome, Reply, ReplyClass, TlsState, TlsTurn,
};

use super::ladder::{Arrow, Row, duration};
use super::step::{Step, StepKind};
use super::words::{Argument, Party, Say, joined, say};
use super::{argument, endpoint, transfer};
use crate::view::Language;
use crate::view::layout::shown;
use crate::view::terminal::Tone;

/// The part that an event has in the ladder.
pub(super) enum Part {
    /// A row.
    Row(Row),
    /// Explanations of the row of a command or its reply.
    Notes {
        /// The command.
        tx: u64,
        /// When they came.
        at: Timestamp,
        /// The explanations.
        notes: Vec<String>,
    },
    /// None: other parts of the ladder have it.
    None,
}

/// The part of an event. `step` is the segment that completed it, where that is known and the event is its first; of the begin of TLS
/// the segment with its first record. `strangers` are hosts that connected to the server where it listened for its client.
pub(super) fn part(
    event: &Event,
    step: Option<&Step>,
    strangers: &HashMap<Endpoint, IpAddr>,
    language: Language,
) -> Part {
    let sentence = |what: Say<'_>| say(language, what);
    let at = event.ts;
    match &event.kind {
        EventKind::Command(told) => Part::Row(command(at, told, step, language)),
        EventKind::Reply(told) => Part::Row(reply(at, told, step, language)),
        EventKind::Login(told) => Part::Notes { tx: told.tx, at, notes: vec![login(told, language)] },
        EventKind::DataChannel(told) => {
            let session = event.session.as_deref();
            let notes = endpoint::sentences(&told.data, session, strangers, language);
            Part::Notes { tx: told.tx, at, notes }
        }
        EventKind::Transfer(told) => Part::Row(transfer::row(at, told, event.session.as_deref(), language)),
        EventKind::Tls(told) => Part::Row(tls(step.map_or(at, |step| step.at), &told.tls, language)),
        EventKind::Gap(told) => {
            let from = Party::client(told.gap.direction == Direction::Command);
            let text = sentence(Say::Gap(from, told.gap.bytes, told.gap.cause));
            Part::Row(Row::statement(at, Tone::Odd, text))
        }
        EventKind::Anomaly(told) => {
            Part::Row(Row::statement(at, Tone::Odd, sentence(Say::Anomaly(told.anomaly.id))))
        }
        EventKind::Alert(told) => Part::Row(Row::statement(
            at,
            Tone::Bad,
            sentence(Say::Alert(&shown(&told.alert.title), &shown(&told.alert.id))),
        )),
        EventKind::SensorStart(_)
        | EventKind::Stats(_)
        | EventKind::SensorStop(_)
        | EventKind::Drop(_)
        | EventKind::Config(_)
        | EventKind::SessionStart(_)
        | EventKind::SessionEnd(_) => Part::None,
    }
}

fn command(at: Timestamp, told: &Command, step: Option<&Step>, language: Language) -> Row {
    let line = &told.command;
    let name = shown(&line.verb);
    let label = match &line.arg {
        Some(arg) => format!("{name} {}", shown(arg)),
        None => name.clone(),
    };
    let mut notes = Vec::from_iter(step.and_then(|step| segment(step, language)));
    let verb = Verb::from_name(line.verb.as_bytes());
    let meaning = argument::of(verb, line.arg.as_deref()).filter(|_| !line.malformed);
    match verb {
        Verb::Other if is_masked(&line.verb) => notes.push(say(language, Say::MaskedLine)),
        Verb::Other if line.malformed => notes.push(say(language, Say::NoCommand)),
        // It asks for nothing: its argument is all there is to say.
        Verb::Epsv if meaning == Some(Argument::EpsvAll) => {}
        _ => notes.push(say(language, Say::Purpose(&name, verb))),
    }
    if line.malformed && verb != Verb::Other {
        let is_odd = |c: char| c.is_control() && c != '\t';
        let in_argument = line.arg.as_deref().is_some_and(|arg| arg.contains(is_odd));
        notes.push(say(language, Say::OddCharacters(in_argument)));
    } else if let Some(meaning) = meaning {
        notes.push(say(language, Say::Argument(meaning)));
    }
    match line.arg.as_deref().filter(|arg| verb.has_secret_argument() && !arg.is_empty()) {
        Some(_) if matches!(verb, Verb::Adat | Verb::Mic | Verb::Conf | Verb::Enc) => {
            notes.push(say(language, Say::Protected(verb)));
        }
        Some(arg) if is_masked(arg) => notes.push(say(language, Say::SecretMasked)),
        Some(_) => notes.push(say(language, Say::SecretInClear)),
        None => {}
    }
    if line.truncated {
        notes.push(say(language, Say::Truncated));
    }
    Row {
        frame: step.map(|step| step.frame),
        arrow: Arrow::ToServer,
        notes,
        tx: Some(told.tx),
        ..Row::statement(at, Tone::Command, label)
    }
}

fn reply(at: Timestamp, told: &Reply, step: Option<&Step>, language: Language) -> Row {
    let line = &told.reply;
    let label = match line.code {
        Some(code) => format!("{code:03} {}", shown(&line.text)),
        None => shown(&line.text),
    };
    let mut notes = Vec::from_iter(step.and_then(|step| segment(step, language)));
    match line.code {
        Some(code) if !line.malformed => {
            let digits = say(language, Say::Code(code, line.class, line.category));
            let is_abort = told.command.as_ref().is_some_and(|command| command.verb == "ABOR");
            let what = if code == 226 && is_abort { Say::AbortDone } else { Say::CodeMeans(code) };
            let means = say(language, what);
            notes.push(joined(language, &[digits, means]).trim_end().to_owned());
        }
        _ => notes.push(say(language, Say::NoReply)),
    }
    if line.lines > 1 {
        notes.push(say(language, Say::Lines(line.lines)));
    }
    match (&told.command, told.latency_us) {
        // None: the clock did not tell them apart, or went back.
        (Some(_), Some(0)) => {}
        (Some(command), Some(us)) => {
            let name = shown(&command.verb);
            let named = Some(name.as_str()).filter(|name| !is_masked(name));
            notes.push(say(language, Say::Latency(&duration(us), named)));
        }
        // RFC 959 section 5.4, connection establishment.
        (None, _) if told.tx == 0 && matches!(line.code, Some(120 | 220)) => {
            notes.push(say(language, Say::Greeting));
        }
        (None, _) if told.tx == 0 => notes.push(say(language, Say::Unasked)),
        _ => {}
    }
    if line.truncated {
        notes.push(say(language, Say::Truncated));
    }
    let tone = match line.class {
        Some(ReplyClass::TransientError | ReplyClass::PermanentError) => Tone::Bad,
        _ => Tone::Good,
    };
    Row {
        frame: step.map(|step| step.frame),
        arrow: Arrow::ToClient,
        notes,
        tx: Some(told.tx),
        ..Row::statement(at, tone, label)
    }
}

/// The text stands for one that is not shown.
fn is_masked(text: &str) -> bool {
    text == "***"
}

/// The numbers of the segment that completed a line, and what is remarkable of it.
fn segment(step: &Step, language: Language) -> Option<String> {
    let end = step.seq.relative.wrapping_add(step.len);
    let bytes = say(language, Say::Bytes(step.seq.relative, end, step.ack.map(|ack| ack.relative)));
    let remark = match step.kind {
        StepKind::Copy => say(language, Say::Copy(step.len)),
        StepKind::Late => say(language, Say::Late(step.len)),
        StepKind::BehindHole { missing } => say(language, Say::Hole(missing)),
        _ => return Some(bytes),
    };
    Some(joined(language, &[bytes, remark]))
}

fn login(told: &Login, language: Language) -> String {
    let login = &told.login;
    let user = login.user.as_deref().map(shown);
    let outcome: LoginOutcome = login.outcome;
    say(language, Say::Login(user.as_deref(), outcome, login.encrypted))
}

fn tls(at: Timestamp, told: &TlsState, language: Language) -> Row {
    let what = match told.state {
        TlsTurn::Start => Say::TlsStarts(told.via),
        TlsTurn::Stop => Say::TlsStops,
    };
    let facts: Vec<String> = [
        told.version.as_deref().map(shown),
        told.cipher.as_deref().map(shown),
        told.sni.as_deref().map(|sni| format!("SNI {}", shown(sni))),
        told.ja4.as_deref().map(|ja4| format!("JA4 {}", shown(ja4))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let notes = (!facts.is_empty()).then(|| say(language, Say::TlsFacts(&facts.join(", "))));
    Row { notes: Vec::from_iter(notes), ..Row::statement(at, Tone::Odd, say(language, what)) }
}

#[cfg(test)]
mod tests {
    use ftpmon_event::Alert;

    use super::*;
    use crate::format::sample;

    /// The label and the notes of an event's row, in a language.
    fn text(kind: EventKind, language: Language) -> String {
        let event = sample::event(&sample::identity("000000000000000a"), 0, kind);
        let Part::Row(row) = part(&event, None, &HashMap::new(), language) else { panic!("no row") };
        format!("{} {}", row.label, row.notes.join(" "))
    }

    fn malformed(verb: &str, arg: Option<&str>) -> EventKind {
        let EventKind::Command(mut told) = sample::command(1, verb, arg) else { panic!() };
        told.command.malformed = true;
        EventKind::Command(told)
    }

    #[test]
    fn a_known_verb_keeps_its_purpose_beside_what_does_not_belong_in_its_line() {
        for language in Language::ALL {
            let plain = text(sample::command(1, "STOR", Some("a")), language);
            let purpose = say(language, Say::Purpose("STOR", Verb::Stor));
            let [controls, other, none] =
                [Say::OddCharacters(true), Say::OddCharacters(false), Say::NoCommand]
                    .map(|what| say(language, what));
            let odd = text(malformed("STOR", Some("a\u{1b}")), language);
            assert!(
                plain.contains(&purpose) && !plain.contains(&controls) && !plain.contains(&other),
                "{plain}"
            );
            assert!(odd.contains(&purpose) && odd.contains(&controls) && !odd.contains(&none), "{odd}");
            let space = text(malformed("STOR", Some("a")), language);
            assert!(space.contains(&purpose) && space.contains(&other), "{space}");
            let unknown = text(malformed("%%", None), language);
            assert!(unknown.contains(&none), "{unknown}");
        }
    }

    /// RFC 2228: what MIC, CONF and ENC carry is protected; PASS is not.
    #[test]
    fn protected_commands_are_no_secrets_in_clear_text() {
        for language in Language::ALL {
            let masked = say(language, Say::SecretMasked);
            for verb in ["MIC", "CONF", "ENC", "ADAT"] {
                let shown = text(sample::command(1, verb, Some("***")), language);
                assert!(!shown.contains(&masked) && shown.contains("RFC 2228"), "{shown}");
            }
            assert!(text(sample::command(1, "PASS", Some("***")), language).contains(&masked));
        }
    }

    #[test]
    fn a_masked_line_is_not_named_and_no_time_is_told_where_clocks_show_none() {
        let text = |kind| text(kind, Language::En);
        let line = text(sample::command(1, "***", None));
        assert!(line.contains("masked") && !line.contains("***:"), "{line}");
        let answer = |verb, us| {
            let EventKind::Reply(mut told) = sample::reply(1, 500, "what", Some((verb, None))) else {
                panic!()
            };
            told.latency_us = Some(us);
            text(EventKind::Reply(told))
        };
        assert!(answer("NOOP", 5).contains("5 µs after NOOP"));
        assert!(answer("***", 5).contains("5 µs after the line"));
        assert!(!answer("NOOP", 0).contains("after"));
    }

    /// RFC 959 section 4.1.3: 226 to ABOR says that the abort was carried out.
    #[test]
    fn the_same_code_answers_abor_and_transfers() {
        let of = |verb| text(sample::reply(1, 226, "x", Some((verb, None))), Language::En);
        assert!(of("ABOR").contains("the abort was carried out") && !of("RETR").contains("abort"));
    }

    #[test]
    fn an_alert_has_the_title_of_its_detector() {
        let alert = sample::alert();
        for language in Language::ALL {
            let shown = text(EventKind::Alert(Box::new(Alert { alert: alert.clone() })), language);
            assert!(shown.contains(alert.title.as_str()) && shown.contains(alert.id.as_str()), "{shown}");
        }
    }
}
