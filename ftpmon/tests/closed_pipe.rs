//! Commands whose reader has enough, as `head` has: an ordinary end, as it is for `read`.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use ftpmon_tests::bed::Scratch;
use ftpmon_tests::script;

const SCRIPT: &str = "
host client 192.0.2.10
host server 192.0.2.21
open a client:40000 server:21
S: 220 ready
C: USER alice
S: 331 word
C: PASS wrong
S: 530 no
C: QUIT
S: 221 bye
close a <
";

/// Exit code and standard error of a command whose standard output nobody reads.
fn unread(words: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftpmon"));
    command.args(words).stdin(Stdio::null()).stdout(writer).env_remove("FTPMON_CONFIG");
    let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// The events of the script, as `read` writes them.
fn events(capture: &Path) -> Vec<u8> {
    std::fs::write(capture, script::capture(SCRIPT).unwrap()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_ftpmon")).arg("read").arg(capture).output().unwrap().stdout
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn nothing_is_said_and_the_end_is_an_ordinary_one() {
    let scratch = Scratch::new("closed-pipe").unwrap();
    let (capture, events) = (scratch.path().join("in.pcap"), scratch.path().join("events.json"));
    std::fs::write(&events, self::events(&capture)).unwrap();
    let (capture, events) = (text(&capture), text(&events));
    for words in [
        &["read", capture][..],
        &["explain", capture],
        &["explain", "--layers", capture],
        &["explain", events],
        &["report", "--json", events],
        &["report", events],
        &["top", "--once", events],
        &["who", events],
        &["who", "--json", events],
        &["detect", events],
        &["detect", "--list"],
        &["config", "example"],
        &["completions", "bash"],
        &["schema"],
        &["verify", events],
    ] {
        assert_eq!(unread(words), (Some(0), String::new()), "{words:?}");
    }
}

/// Only an error of standard output is an ordinary end, and only a judgement that was good is a good one.
#[test]
fn what_fails_still_fails() {
    let scratch = Scratch::new("closed-pipe-fails").unwrap();
    let (holed, missing) = (scratch.path().join("holed.json"), scratch.path().join("missing.pcap"));
    let events = String::from_utf8(events(&scratch.path().join("in.pcap"))).unwrap();
    let holed_events: Vec<&str> = events.lines().take(2).chain(events.lines().skip(3)).collect();
    std::fs::write(&holed, format!("{}\n", holed_events.join("\n"))).unwrap();
    for words in [["explain", text(&missing)], ["report", text(&missing)], ["verify", text(&holed)]] {
        assert_eq!(unread(&words).0, Some(1), "{words:?}");
    }
}
