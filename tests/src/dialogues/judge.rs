//! Events against a client's record.

use std::net::SocketAddr;

use crate::events::{Event, Events};

use super::record::{Bytes, Ends, Leaving, Moved, Record};

/// Differences between what a client knows and what was reported; none where all is right.
pub fn differences(record: &Record, session: &Events) -> Vec<String> {
    if let Some(why) = &record.lost {
        return vec![format!("the client lost track: {why}")];
    }
    let mut found = Vec::new();
    commands(record, session, &mut found);
    replies(record, session, &mut found);
    logins(record, session, &mut found);
    transfers(record, session, &mut found);
    announced(record, session, &mut found);
    whole(record, session, &mut found);
    found
}

/// The first place where two lists part, as a text.
fn parting(what: &str, expected: &[String], found: &[String], may_go_on: bool) -> Option<String> {
    for (at, (want, have)) in expected.iter().zip(found).enumerate() {
        if want != have {
            return Some(format!("{what} {at}: expected {want}, found {have}"));
        }
    }
    if let Some(missing) = expected.get(found.len()) {
        return Some(format!("{what} {}: expected {missing}, found none", found.len()));
    }
    match found.get(expected.len()) {
        Some(more) if !may_go_on => Some(format!("{what} {}: expected none, found {more}", expected.len())),
        _ => None,
    }
}

fn commands(record: &Record, session: &Events, out: &mut Vec<String>) {
    let expected: Vec<String> = record
        .commands
        .iter()
        .map(|said| match said.arg() {
            Some(arg) if !said.verb().is_empty() => format!("{} {arg}", said.verb()),
            _ => said.verb(),
        })
        .collect();
    out.extend(parting("command", &expected, &session.commands(), false));
}

fn replies(record: &Record, session: &Events, out: &mut Vec<String>) {
    let whose = |doubtful: bool, tx: usize| if doubtful { "?".into() } else { tx.to_string() };
    let doubtful = |at: usize| record.replies.get(at).is_some_and(|heard| heard.doubtful);
    let expected: Vec<String> = record
        .replies
        .iter()
        .map(|heard| {
            let tx = whose(heard.doubtful, heard.answers.map_or(0, |at| at + 1));
            format!("{} {:?} to {tx}", heard.code, heard.text)
        })
        .collect();
    let told = |(at, event): (usize, &&Event)| {
        let (code, tx) = (event.number("/reply/code"), event.number("/tx"));
        let tx = whose(doubtful(at), tx.unwrap_or(0) as usize);
        format!("{} {:?} to {tx}", code.unwrap_or(0), event.text("/reply/text"))
    };
    let found: Vec<String> = session.of("reply").iter().enumerate().map(told).collect();
    // A client that is gone does not read what the server still says.
    out.extend(parting("reply", &expected, &found, record.leaving != Leaving::Closed));
}

fn logins(record: &Record, session: &Events, out: &mut Vec<String>) {
    let expected: Vec<String> =
        record.logins.iter().map(|login| format!("{} {}", login.user, login.outcome)).collect();
    let told = |event: &&Event| format!("{} {}", event.text("/login/user"), event.text("/login/outcome"));
    let found: Vec<String> = session.of("login").iter().map(told).collect();
    out.extend(parting("login", &expected, &found, false));
}

fn transfers(record: &Record, session: &Events, out: &mut Vec<String>) {
    let told = session.transfers();
    let (loose, told): (Vec<&Event>, Vec<&Event>) =
        told.into_iter().partition(|event| event.number("/tx") == Some(0));
    let number = |moved: &Moved| (moved.command + 1).to_string();
    let expected: Vec<String> = record.transfers.iter().map(number).collect();
    let found: Vec<String> = told.iter().map(|event| event.number("/tx").unwrap_or(0).to_string()).collect();
    out.extend(parting("transfer of command", &expected, &found, false));
    for moved in &record.transfers {
        let own = told.iter().find(|event| event.number("/tx") == Some(moved.command as u64 + 1));
        if let Some(event) = own {
            let line = record.commands.get(moved.command).map_or("", |said| said.line.as_str());
            if moved.contested || moved.ends.is_some_and(|ends| is_unseen(record, moved, session, ends)) {
                continue;
            }
            let wrong = transfer(record, moved, event);
            out.extend(wrong.into_iter().map(|what| format!("{line} (tx {}): {what}", moved.command + 1)));
        }
    }
    let used = |ends: &Ends| record.transfers.iter().any(|moved| moved.ends == Some(*ends));
    for event in loose {
        if ends(event).as_ref().is_some_and(used) {
            out.push(format!("a transfer's connection is told without its command: {:?}", ends(event)));
        }
    }
}

fn ends(event: &Event) -> Option<Ends> {
    let end = |pointer: &str| event.endpoint(pointer).parse::<SocketAddr>().ok();
    event.has("/data/initiator").then_some(())?;
    Some(Ends { initiator: end("/data/initiator")?, listener: end("/data/listener")? })
}

fn transfer(record: &Record, moved: &Moved, event: &Event) -> Vec<String> {
    let mut out = Vec::new();
    let mut differ = |what: &str, expected: String, found: String| {
        if expected != found {
            out.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    differ("direction", moved.direction.into(), event.text("/transfer/direction").into());
    if let Some(code) = moved.code {
        differ("code", code.to_string(), event.number("/transfer/code").unwrap_or(0).to_string());
    }
    let outcome = event.text("/transfer/outcome");
    if !moved.outcomes.is_empty() && !moved.outcomes.contains(&outcome) {
        differ("outcome", moved.outcomes.join(" or "), outcome.into());
    }
    let bytes = event.number("/transfer/bytes");
    match moved.bytes {
        Bytes::Exactly(count) => differ("bytes", count.to_string(), bytes.unwrap_or(0).to_string()),
        Bytes::AtLeast(count) if bytes.is_none_or(|bytes| bytes < count) => {
            differ("bytes", format!("{count} or more"), format!("{bytes:?}"));
        }
        Bytes::AtMost(count) if bytes.is_some_and(|bytes| bytes > count) => {
            differ("bytes", format!("{count} at most"), format!("{bytes:?}"));
        }
        _ => {}
    }
    let by_stranger = moved.ends.is_some_and(|ends| record.strangers.contains(&ends.initiator));
    match &moved.sha256 {
        // The operator has not allowed that host's bytes to be read.
        Some(_) if by_stranger => differ("file", "other_host".into(), event.text("/file/reason").into()),
        Some(sha256) if outcome == "complete" => {
            differ("sha256", sha256.clone(), event.text("/file/sha256").into());
        }
        _ => {}
    }
    if let Some(offset) = moved.offset.filter(|_| moved.direction == "download") {
        differ("offset", offset.to_string(), event.number("/transfer/offset").unwrap_or(0).to_string());
    }
    if let Some(path) = moved.path.as_ref().filter(|_| moved.direction != "listing") {
        let told = event.text("/transfer/path");
        let relative = !told.starts_with('/') && !moved.absolute && !told.is_empty();
        // Before a reply has named the directory a path is relative to that of the login, which is the root here.
        let whole = if relative { crate::ftp::resolve("/", told) } else { told.to_owned() };
        differ("path", path.clone(), whole);
    }
    if let Some(via) = moved.via {
        differ("via", via.into(), event.text("/data/via").into());
    }
    let told = ends(event);
    match (moved.ends, told) {
        (Some(own), told) => {
            differ("connection", format!("{own:?}"), told.map_or("none".into(), |told| format!("{told:?}")));
        }
        (None, Some(told)) if record.transfers.iter().any(|other| other.ends == Some(told)) => {
            differ("connection", "not that of another transfer".into(), format!("{told:?}"));
        }
        _ => {}
    }
    out
}

fn announced(record: &Record, session: &Events, out: &mut Vec<String>) {
    let mut found: Vec<String> = session
        .of("data_channel")
        .iter()
        .map(|event| format!("{} {}", event.text("/data/via"), event.number("/data/port").unwrap_or(0)))
        .collect();
    for (via, at) in &record.announced {
        let want = format!("{via} {}", at.port());
        match found.iter().position(|have| *have == want) {
            Some(at) => drop(found.remove(at)),
            None => out.push(format!("data_channel: expected {want}, found none")),
        }
    }
    // What the client announces may be told before it is refused.
    found.retain(|told| told.starts_with("PASV") || told.starts_with("EPSV"));
    if record.leaving == Leaving::Closed {
        out.extend(found.iter().map(|told| format!("data_channel: expected none, found {told}")));
    }
}

fn whole(record: &Record, session: &Events, out: &mut Vec<String>) {
    for name in ["session_start", "session_end"] {
        if session.count(name) != 1 {
            out.push(format!("{} {name} events", session.count(name)));
        }
    }
    for gap in session.of("gap") {
        out.push(format!("gap: {:?}", gap.0.get("gap")));
    }
    let surplus =
        record.replies.iter().skip(1).filter(|reply| reply.answers.is_none() || reply.doubtful).count();
    for anomaly in session.of("anomaly") {
        match anomaly.text("/anomaly/id") {
            "unasked_reply" if surplus > 0 || record.leaving != Leaving::Closed => {}
            "malformed_command" | "transfer_without_endpoint" | "bad_endpoint" => {}
            "unexpected_peer" => out.extend(stranger(record, anomaly)),
            id => out.push(format!("anomaly {id}: {}", anomaly.text("/anomaly/detail"))),
        }
    }
    let end = session.last("session_end");
    let reason = end.map_or("", |end| end.text("/end/reason"));
    let right: &[&str] = match record.leaving {
        Leaving::Closed => &["fin", "rst"],
        Leaving::Left => &["fin", "rst"],
        Leaving::Reset => &["rst"],
    };
    if !right.contains(&reason) {
        out.push(format!("end: expected {right:?}, found {reason}"));
    }
}

/// A transfer had a stranger's connection to an endpoint that was none any more, and no event tells of the stranger.
fn is_unseen(record: &Record, moved: &Moved, session: &Events, ends: Ends) -> bool {
    let told = |anomaly: &&Event| {
        anomaly.text("/anomaly/detail").starts_with(&format!("{} connected", ends.initiator))
    };
    moved.unwatched && record.strangers.contains(&ends.initiator) && !session.of("anomaly").iter().any(told)
}

/// The transfer of a command had such a connection, or one that the client does not know.
pub(super) fn has_unseen_connection(record: &Record, session: &Events, tx: u64) -> bool {
    let its = |moved: &&Moved| moved.command as u64 + 1 == tx;
    let moved = record.transfers.iter().find(its);
    moved.is_some_and(|moved| {
        moved.contested || moved.ends.is_some_and(|ends| is_unseen(record, moved, session, ends))
    })
}

/// A stranger who is told has to be one who connected, and to have had the transfer's connection where the client knows so.
fn stranger(record: &Record, anomaly: &Event) -> Option<String> {
    let detail = anomaly.text("/anomaly/detail");
    let who = detail.split(' ').next().and_then(|who| who.parse::<SocketAddr>().ok());
    let Some(who) = who.filter(|who| record.strangers.contains(who)) else {
        return Some(format!("anomaly unexpected_peer: nobody but the client connected: {detail}"));
    };
    let tx = anomaly.number("/tx");
    let moved = record.transfers.iter().find(|moved| Some(moved.command as u64 + 1) == tx)?;
    let served = moved.ends.map(|ends| ends.initiator == who)?;
    let told = detail.contains("the transfer had its connection");
    (served != told).then(|| format!("anomaly unexpected_peer: served {served}, told {detail}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialogues::record::{Heard, Said};

    fn record() -> Record {
        let mut record = Record::new("10.0.0.1:4000".parse().unwrap());
        record.commands.push(Said { line: "NOOP".into() });
        record.replies.push(Heard { code: 220, text: "hello".into(), answers: None, doubtful: false });
        record.replies.push(Heard { code: 200, text: "ok".into(), answers: Some(0), doubtful: false });
        record
    }

    fn events() -> Events {
        let events = [
            json!({"event": "session_start"}),
            json!({"event": "reply", "tx": 0, "reply": {"code": 220, "text": "hello"}}),
            json!({"event": "command", "tx": 1, "command": {"verb": "NOOP", "arg": null}}),
            json!({"event": "reply", "tx": 1, "reply": {"code": 200, "text": "ok"}}),
            json!({"event": "session_end", "end": {"reason": "fin"}}),
        ];
        Events(events.into_iter().map(Event).collect())
    }

    #[test]
    fn a_reply_of_another_command_is_a_difference() {
        assert_eq!(differences(&record(), &events()), Vec::<String>::new());
        let mut record = record();
        record.replies[1].answers = None;
        assert_eq!(differences(&record, &events()).len(), 1);
    }

    /// A download that a stranger had, and the event of it without a connection.
    fn taken(unwatched: bool) -> (Record, Events) {
        let ends =
            Ends { initiator: "10.0.0.3:5000".parse().unwrap(), listener: "10.0.0.2:4000".parse().unwrap() };
        let (mut record, mut events) = (record(), events());
        record.strangers.push(ends.initiator);
        record.transfers.push(Moved {
            command: 0,
            direction: "download",
            path: None,
            absolute: false,
            outcomes: vec!["complete"],
            code: None,
            bytes: Bytes::Unknown,
            sha256: None,
            offset: None,
            via: None,
            ends: Some(ends),
            unwatched,
            contested: false,
        });
        let facts = json!({"direction": "download", "outcome": "no_data"});
        events.0.insert(4, Event(json!({"event": "transfer", "tx": 1, "transfer": facts})));
        (record, events)
    }

    #[test]
    fn a_stranger_is_missed_only_where_nothing_says_that_there_is_an_endpoint() {
        let (record, events) = taken(true);
        assert_eq!(differences(&record, &events), Vec::<String>::new());
        assert!(has_unseen_connection(&record, &events, 1) && !has_unseen_connection(&record, &events, 2));
        let (record, mut told) = taken(true);
        let detail =
            "10.0.0.3:5000 connected to the announced endpoint: the transfer did not have its connection";
        let anomaly = json!({"id": "unexpected_peer", "detail": detail});
        told.0.insert(4, Event(json!({"event": "anomaly", "tx": 1, "anomaly": anomaly})));
        assert_eq!(differences(&record, &told).len(), 3);
        let (record, events) = taken(false);
        assert_eq!(differences(&record, &events).len(), 2);
    }

    #[test]
    fn what_is_missing_or_too_much_is_a_difference() {
        let mut more = events();
        more.0.insert(1, Event(json!({"event": "gap", "gap": {"bytes": 1}})));
        assert_eq!(differences(&record(), &more).len(), 1);
        let mut fewer = events();
        fewer.0.pop();
        assert_eq!(differences(&record(), &fewer).len(), 2);
    }
}
