//! The command `ftpmon who`, over the events of scripted sessions.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ftpmon_tests::bed::Scratch;
use ftpmon_tests::script;
use serde_json::Value;

/// One session that downloads, one that waits, one whose user no terminal should see, and one that ended.
const SCRIPT: &str = "
host one 192.0.2.10
host two 192.0.2.11
host server 192.0.2.21
open a one:40000 server:21
S: 220 ready
C: USER alice
S: 331 word
C: PASS secret
S: 230 in
C: PASV
S: 227 Entering Passive Mode (192,0,2,21,4,1)
open d one:40001 server:1025
C: RETR big.iso
S: 150 here it comes
send d < bytes 5000
open b two:40000 server:21
use b
S: 220 ready
C: USER bob
S: 331 word
C: PASS wrong
S: 530 no
open e two:40002 server:21
use e
S: 220 ready
C: USER eve\\x1b[2J
S: 331 word
open f two:40003 server:21
use f
S: 220 ready
C: QUIT
S: 221 bye
close f <
wait 90s
use b
C: NOOP
S: 200 fine
";

fn events(folder: &Path) -> PathBuf {
    let capture = folder.join("who.pcap");
    std::fs::write(&capture, script::capture(SCRIPT).unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ftpmon")).arg("read").arg(&capture).output().unwrap();
    // A transfer that the end of the capture cuts is reported there; a running agent has not got there.
    let lines = String::from_utf8(output.stdout).unwrap();
    let open: Vec<&str> = lines.lines().filter(|line| !line.contains("\"event\":\"transfer\"")).collect();
    let path = folder.join("events.jsonl");
    std::fs::write(&path, open.join("\n") + "\n").unwrap();
    path
}

fn who(arguments: &[&str], events: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ftpmon")).arg("who").args(arguments).arg(events).output().unwrap()
}

fn rows(arguments: &[&str], events: &Path) -> Vec<Value> {
    let output = who(&[arguments, &["--json"]].concat(), events);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn open_sessions_have_their_state() {
    let scratch = Scratch::new("who-state").unwrap();
    let events = events(scratch.path());
    let rows = rows(&[], &events);
    let of =
        |row: &Value| (row["user"].as_str().unwrap().to_owned(), row["state"].as_str().unwrap().to_owned());
    let found: Vec<_> = rows.iter().map(of).collect();
    let expected = [("alice", "downloading"), ("bob", "connected"), ("eve\u{1b}[2J", "authenticating")];
    assert_eq!(found, expected.map(|(user, state)| (user.to_owned(), state.to_owned())));
    assert_eq!((&rows[0]["path"], &rows[1]["failed_logins"]), (&"big.iso".into(), &1.into()));
    assert!(rows[0]["idle_ms"].as_u64() > Some(90_000) && rows[1]["idle_ms"] == 0, "{rows:?}");
}

#[test]
fn sessions_are_filtered_and_sorted() {
    let scratch = Scratch::new("who-filter").unwrap();
    let events = events(scratch.path());
    let users = |arguments: &[&str]| -> Vec<String> {
        rows(arguments, &events)
            .iter()
            .map(|row| row["user"].as_str().unwrap().chars().take(3).collect())
            .collect()
    };
    assert_eq!(users(&["--filter", "user:ALI"]), ["ali"]);
    assert_eq!(users(&["--filter", "state:auth"]), ["eve"]);
    assert_eq!(users(&["--filter", "path:big"]), ["ali"]);
    assert_eq!(users(&["--filter", "192.0.2.11", "--filter", "state:connected"]), ["bob"]);
    assert_eq!(users(&["--sort", "failed"]), ["bob", "ali", "eve"]);
    assert_eq!(users(&["--sort", "idle"]), ["ali", "eve", "bob"]);
    assert_eq!(who(&["--filter", "user:"], &events).status.code(), Some(2));
}

#[test]
fn the_table_is_for_people_and_safe_for_terminals() {
    let scratch = Scratch::new("who-table").unwrap();
    let output = who(&["--width", "120"], &events(scratch.path()));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "3 of 3 open sessions; 1 connected, 1 authenticating, 1 downloading; ended: 1; refused logins: 1"
    );
    assert!(lines[1].starts_with("CLIENT") && lines[2].contains("alice"), "{text}");
    assert!(lines[2].ends_with("big.iso") && lines[2].contains("1m30s"), "{text}");
    assert!(!text.contains('\u{1b}') && text.contains("eve\\x1b[2J"), "{text}");
    assert!(lines.iter().all(|line| line.chars().count() <= 120), "{text}");
}

#[test]
fn a_stream_is_shown_again_and_again() {
    let scratch = Scratch::new("who-stream").unwrap();
    let events = std::fs::read(events(scratch.path())).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ftpmon"))
        .args(["who", "-", "--every", "1", "-n", "2", "--filter", "alice"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&events).unwrap();
    // The stream stays open: the tables come by the clock.
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let shown = lines.map_while(Result::ok).filter(|line| line.contains("of 3 open sessions")).count();
    assert_eq!((shown, child.wait().unwrap().code()), (2, Some(0)));
    drop(stdin);
}

#[test]
fn a_line_that_is_no_event_is_passed_over_and_told() {
    let scratch = Scratch::new("who-lines").unwrap();
    let path = events(scratch.path());
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"half a li").unwrap();
    let output = who(&[], &path);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("3 of 3 open sessions"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 line is no event"));
}
