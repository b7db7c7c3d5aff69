//! Events against what the parties themselves say was said and moved.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::events::{Event, Events};
use crate::expected::Expected;
use crate::ftp::{Reply, Transcript};
use crate::party::Visit;

/// The mark that stands for a secret in the events.
pub const MASK: &str = "***";

/// The text of Pure-FTPd, with 530 again, to a client whose login it refused and that leaves.
const LOGOUT: &str = "Logout.";

/// A command line as the events should tell it: verb in upper case, secrets masked.
pub fn expected_command(line: &str) -> String {
    let (verb, argument) = match line.split_once(' ') {
        Some((verb, argument)) => (verb, Some(argument)),
        None => (line, None),
    };
    let verb = verb.to_ascii_uppercase();
    match (verb.as_str(), argument) {
        ("PASS" | "ACCT", _) => format!("{verb} {MASK}"),
        (_, Some(argument)) => format!("{verb} {argument}"),
        (_, None) => verb,
    }
}

/// Checks that a session's commands and replies are exactly those of a transcript. Some clients do not log their QUIT
/// (curl), do not wait for its reply (lftp), or are gone before Pure-FTPd's second 530: what is seen beyond such a log may be
/// that and nothing else.
///
/// # Errors
/// The first difference.
pub fn dialogue(session: &Events, transcript: &Transcript) -> Result<()> {
    let mut expected: Vec<String> = transcript.commands().iter().map(|line| expected_command(line)).collect();
    let found = session.commands();
    unlogged_end(&mut expected, &found, |command| command == "QUIT");
    same("command", &expected, &found)?;
    let reply = |reply: &Reply| (u64::from(reply.code), reply.text());
    let mut expected: Vec<(u64, String)> = transcript.replies().iter().map(reply).collect();
    let found = session.replies();
    unlogged_end(&mut expected, &found, |(code, text)| *code == 221 || text == LOGOUT);
    same("reply", &expected, &found)
}

/// Adds the last entry found to the expected ones where it is the only one more and is of the end.
pub fn unlogged_end<T: Clone>(expected: &mut Vec<T>, found: &[T], is_end: impl Fn(&T) -> bool) {
    if found.len() == expected.len() + 1 {
        expected.extend(found.last().filter(|last| is_end(last)).cloned());
    }
}

/// Checks that two lists are equal and names the first difference.
///
/// # Errors
/// The first difference.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &[T], found: &[T]) -> Result<()> {
    for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
        ensure!(expected == found, "{what} {at}: expected {expected:?}, found {found:?}");
    }
    let (want, have) = (expected.len(), found.len());
    let more = expected.get(have..).filter(|rest| !rest.is_empty()).or_else(|| found.get(want..));
    ensure!(want == have, "expected {want} {what} entries, found {have}; only one side has {more:?}");
    Ok(())
}

/// Checks that a session ended without gap, anomaly or loss. A reply that answers no command is the server's doing where it
/// is `LOGOUT`.
///
/// # Errors
/// What was not in order.
pub fn clean(session: &Events) -> Result<()> {
    let odd = session.replies().iter().any(|(_, text)| text == LOGOUT);
    let allowed = [("gap", 0), ("anomaly", usize::from(odd)), ("unreadable", 0)];
    for (name, count) in allowed {
        ensure!(session.count(name) <= count, "unexpected {name}: {:?}", session.of(name));
    }
    ensure!(
        session.count("session_start") == 1,
        "one session_start, found {}",
        session.count("session_start")
    );
    let start = session.of("session_start");
    let start = start.first().context("no session_start")?;
    ensure!(start.has("/handshake/syn_ack_us") && start.has("/handshake/ack_us"), "no handshake: {start:?}");
    ensure!(session.count("session_end") == 1, "one session_end, found {}", session.count("session_end"));
    Ok(())
}

/// Checks one transfer event: verb, bytes in the right direction and none in the other, endpoint, outcome.
///
/// # Errors
/// The first difference.
pub fn transfer(event: &Event, expected: &Expected) -> Result<()> {
    ensure!(event.has("/data/handshake"), "the data connection's handshake is missing in {}", event.0);
    moved(event, expected)
}

/// Checks one transfer but for its connection's handshake, which a flood may hide.
///
/// # Errors
/// The first difference.
pub fn moved(event: &Event, expected: &Expected) -> Result<()> {
    let check = || -> Result<()> {
        same("verb", &[expected.verb.as_str()], &[event.text("/transfer/verb")])?;
        same("via", &[expected.via.as_str()], &[event.text("/data/via")])?;
        same("outcome", &[expected.outcome.as_str()], &[event.text("/transfer/outcome")])?;
        let upload = matches!(expected.verb.as_str(), "STOR" | "APPE" | "STOU");
        let (ours, other) = if upload {
            ("/data/bytes_from_client", "/data/bytes_from_server")
        } else {
            ("/data/bytes_from_server", "/data/bytes_from_client")
        };
        let moved = event.number(ours).context("no byte count")?;
        if let Some(bytes) = expected.bytes {
            ensure!(moved == bytes, "{ours}: expected {bytes}, found {moved}");
        }
        ensure!(event.number(other) == Some(0), "{other} is not 0");
        ensure!(event.number("/data/gap_bytes") == Some(0), "bytes were not seen");
        let listener = event.endpoint("/data/listener");
        let announced = event.endpoint("/data");
        ensure!(listener == announced, "announced {announced}, connected {listener}");
        Ok(())
    };
    check().with_context(|| format!("in {}", event.0))
}

/// Checks all transfers of a session, in the order of their commands (each is told when its connection has ended, which
/// may be after later ones), and that each announced endpoint was learned.
///
/// # Errors
/// The first difference.
pub fn transfers(session: &Events, expected: &[Expected]) -> Result<()> {
    let found = session.transfers();
    for (event, expected) in found.iter().zip(expected) {
        transfer(event, expected)?;
    }
    let verbs: Vec<&str> = found.iter().map(|event| event.text("/transfer/verb")).collect();
    ensure!(found.len() == expected.len(), "expected {} transfers, found {verbs:?}", expected.len());
    Ok(())
}

/// Checks that the endpoints learned are those that the dialogue announced, in order.
///
/// # Errors
/// The first difference.
pub fn endpoints(session: &Events, transcript: &Transcript) -> Result<()> {
    let mut expected = Vec::new();
    for line in transcript.commands() {
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "PORT" => expected.extend(six_numbers(argument).map(|port| ("PORT".to_owned(), port))),
            "EPRT" => expected.extend(
                argument
                    .split('|')
                    .nth(3)
                    .and_then(|port| port.parse().ok())
                    .map(|port| ("EPRT".to_owned(), port)),
            ),
            _ => {}
        }
    }
    for reply in transcript.replies() {
        match reply.code {
            227 => expected.extend(six_numbers(&reply.text()).map(|port| ("PASV".to_owned(), port))),
            229 => {
                let text = reply.text();
                let port = text.split_once("|||").and_then(|(_, rest)| rest.split('|').next()?.parse().ok());
                expected.extend(port.map(|port| ("EPSV".to_owned(), port)));
            }
            _ => {}
        }
    }
    let learned =
        |event: &&Event| (event.text("/data/via").to_owned(), event.number("/data/port").unwrap_or(0));
    let mut found: Vec<(String, u64)> = session.of("data_channel").iter().map(learned).collect();
    // Announcements of commands and of replies are told apart above: compare them as sets with repetition.
    expected.sort();
    found.sort();
    same("endpoint", &expected, &found)
}

/// Checks a whole session of a visit: dialogue, endpoints, transfers, login, and that nothing was missed.
///
/// # Errors
/// The first difference.
pub fn visit(session: &Events, visit: &Visit) -> Result<()> {
    let check = || -> Result<()> {
        dialogue(session, &visit.transcript)?;
        endpoints(session, &visit.transcript)?;
        transfers(session, &visit.transfers)?;
        let logins: Vec<&str> =
            session.of("login").iter().map(|event| event.text("/login/outcome")).collect();
        same("login", &[visit.login], &logins)?;
        clean(session)
    };
    check().with_context(|| format!("visit: {}\n{}", visit.what, session.to_text()))
}

/// Checks the stream as a whole: it begins and ends as it should, no line is unreadable, `seq` has no hole, and nothing
/// was lost.
///
/// # Errors
/// What was not in order.
pub fn stream(events: &Events) -> Result<()> {
    let name = |event: Option<&Event>| event.map_or("nothing", Event::name).to_owned();
    same(
        "first and last event",
        &["sensor_start", "sensor_stop"],
        &[name(events.0.first()).as_str(), name(events.0.last()).as_str()],
    )?;
    ensure!(events.count("unreadable") == 0, "unreadable: {:?}", events.of("unreadable"));
    let numbers: Vec<Option<u64>> = events.0.iter().map(|event| event.number("/seq")).collect();
    for pair in numbers.windows(2) {
        let [Some(one), Some(next)] = *pair else {
            anyhow::bail!("an event without seq");
        };
        ensure!(next == one + 1, "seq jumps from {one} to {next}");
    }
    ensure!(events.lost() == 0, "lost: {:?}", events.last("stats"));
    Ok(())
}

/// The port in `h1,h2,h3,h4,p1,p2`, wherever it stands.
fn six_numbers(text: &str) -> Option<u64> {
    let run =
        text.split(|c: char| !c.is_ascii_digit() && c != ',').find(|run| run.matches(',').count() == 5)?;
    let mut last = run.split(',').skip(4).map(str::parse::<u64>);
    Some(last.next()?.ok()? * 256 + last.next()?.ok()?)
}

/// Takes out of an event's fields what the times, copies and sizes of packets decide.
pub fn without_times(value: &mut Value) {
    const DECIDED_BY_TIME: [&str; 9] = [
        "duration_ms",
        "duration_us",
        "handshake",
        "handshake_us",
        "latency_us",
        "rate_bps",
        "retransmitted_bytes",
        "syn",
        "tiny_segments",
    ];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !DECIDED_BY_TIME.contains(&name.as_str()));
            fields.values_mut().for_each(without_times);
        }
        Value::Array(items) => items.iter_mut().for_each(without_times),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_expected_masked_and_verbs_in_upper_case() {
        assert_eq!(expected_command("pass secret"), "PASS ***");
        assert_eq!(expected_command("retr My File"), "RETR My File");
        assert_eq!(expected_command("quit"), "QUIT");
    }

    #[test]
    fn port_of_227() {
        assert_eq!(six_numbers("Entering Passive Mode (192,168,1,109,104,134)."), Some(26758));
        assert_eq!(six_numbers("no numbers"), None);
    }

    #[test]
    fn a_missing_entry_is_named() {
        let error = same("command", &["a", "b"], &["a"]).unwrap_err().to_string();
        assert!(error.contains("\"b\""), "{error}");
        let error = same("command", &["a"], &["a", "c"]).unwrap_err().to_string();
        assert!(error.contains("\"c\""), "{error}");
    }
}
