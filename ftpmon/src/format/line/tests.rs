//! No format writes a line that is too long, tears a character apart, or shows what could mislead a reader.

use std::sync::Arc;

use ftpmon_event::text::{Text, is_disruptive};
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, Reply};
use proptest::prelude::*;
use serde_json::Value;

use super::LINE_BYTES_MIN;
use crate::format::{Encoder, Format, KindFilter, sample};

/// A session in which the peers said `said`: a user, commands, replies and a transfer.
fn session(said: &[u8]) -> Vec<Event> {
    let text = Text::from_bytes(said);
    let session = sample::identity("s");
    let mut command = sample::command(1, "RETR", Some(&text.text));
    if let EventKind::Command(command) = &mut command {
        command.command.arg_hex.clone_from(&text.hex);
    }
    let mut reply = sample::reply(1, 226, &text.text, Some(("RETR", Some(&text.text))));
    if let EventKind::Reply(Reply { reply, .. }) = &mut reply {
        reply.text_hex.clone_from(&text.hex);
    }
    let mut transfer = sample::transfer(1);
    if let EventKind::Transfer(transfer) = &mut transfer {
        let facts = &mut transfer.transfer;
        (facts.arg, facts.path) = (Some(text.text.clone()), Some(text.text.clone()));
        facts.path_hex.clone_from(&text.hex);
    }
    let user = Some(Arc::new(text.clone()));
    let last = sample::command(2, &text.text, Some("x"));
    let kinds = [command, reply, transfer, last, sample::session_end()];
    kinds.into_iter().map(|kind| Event { user: user.clone(), ..sample::event(&session, 0, kind) }).collect()
}

fn lines(format: Format, max: u32, events: &[Event]) -> Vec<String> {
    let mut encoder = Encoder::new(format.formatter(&sample::origin("s")), KindFilter::ALL, max);
    let mut out = Vec::new();
    encoder.header(Timestamp::default(), &mut out);
    for event in events {
        encoder.event(event, &mut out);
    }
    encoder.footer(Timestamp::default(), &mut out);
    let text = String::from_utf8(out).expect("every format writes UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(str::to_owned).collect()
}

fn check(format: Format, max: u32, events: &[Event]) {
    for line in lines(format, max, events) {
        assert!(line.len() < max as usize, "{format:?}: a line of {} bytes", line.len());
        assert!(!line.chars().any(|c| is_disruptive(c) && c != '\t'), "{format:?}: {line:?}");
        match format {
            Format::Zeek => {
                let columns = line.split('\t').count();
                assert!(line.starts_with('#') || columns == 24, "{columns} columns: {line}");
            }
            Format::Pretty
            | Format::Explain
            | Format::Xferlog
            | Format::Cef
            | Format::Leef
            | Format::Awstats => {}
            _ => drop(serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("{error}: {line}"))),
        }
    }
}

/// Text as peers send it: mostly text, with the characters that formats have to care for, and bytes that are no text at all.
fn said() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[ -~]{0,20}".prop_map(String::into_bytes),
        any::<char>().prop_map(|c| c.to_string().into_bytes()),
        proptest::sample::select(vec![
            '"', '\\', '\t', '\n', '\0', '\u{7f}', '\u{85}', '\u{9b}', '\u{2028}', '\u{202e}', '\u{2069}',
            '\u{fffd}'
        ])
        .prop_map(|c| c.to_string().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..8),
    ];
    (proptest::collection::vec(piece, 0..8), 1_usize..1_000)
        .prop_map(|(pieces, times)| pieces.concat().repeat(times))
        .prop_map(|mut said| {
            said.truncate(64 << 10);
            said
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn no_line_of_any_format_is_too_long_or_misleads(said in said(), max in LINE_BYTES_MIN..80_000) {
        let events = session(&said);
        for format in Format::ALL.iter().copied() {
            check(format, max, &events);
        }
    }
}

#[test]
fn what_fits_is_not_cut() {
    let events = session(b"pub/a.txt");
    for format in Format::ALL.iter().copied() {
        assert_eq!(lines(format, LINE_BYTES_MIN, &events), lines(format, 1 << 20, &events), "{format:?}");
    }
}

#[test]
fn a_cut_text_has_its_whole_length_beside_it() {
    let said = "\u{1}".repeat(60_000);
    let events = session(said.as_bytes());
    let of = |format| -> Vec<Value> {
        let text = lines(format, 64 << 10, &events);
        text.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let reply = &of(Format::Json)[1];
    assert_eq!((&reply["reply"]["truncated"], &reply["reply"]["text_bytes"]), (&true.into(), &60_000.into()));
    assert_eq!((&reply["truncated"], &reply["user_bytes"]), (&true.into(), &60_000.into()));
    let text = reply["reply"]["text"].as_str().unwrap();
    assert!(said.starts_with(text) && text.len() > 1_000);
    assert_eq!(reply["tx"], 1, "what is no text stays");
    assert_eq!(of(Format::Ecs)[1]["user"]["name_bytes"], 60_000);
    let table = lines(Format::Zeek, 64 << 10, &events).join("\n");
    assert!(table.contains("[60000 bytes]"));
}

#[test]
fn a_cut_hex_text_still_has_whole_bytes() {
    let mut said = vec![b'x'; 50_000];
    said.push(0xff);
    for line in lines(Format::Json, 10_001, &session(&said)) {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["user_hex"].as_str().unwrap().len() % 2, 0);
        assert_eq!(line["truncated"], true);
    }
}

#[test]
fn a_list_of_many_lines_is_cut_and_counted() {
    let text = "x\n".repeat(30_000);
    let session = sample::identity("s");
    let kinds = [
        sample::command(1, "HELP", None),
        sample::reply(1, 214, &text, Some(("HELP", None))),
        sample::session_end(),
    ];
    let events: Vec<Event> = kinds.into_iter().map(|kind| sample::event(&session, 0, kind)).collect();
    let all = lines(Format::Eve, LINE_BYTES_MIN, &events);
    let row: Value = serde_json::from_str(&all[0]).unwrap();
    assert_eq!(row["ftp"]["reply_count"], 30_001);
    assert!(row["ftp"]["reply"].as_array().unwrap().len() > 1_000);
}
