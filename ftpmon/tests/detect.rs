//! The command `ftpmon detect`, over the events of the golden folders.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ftpmon_core::detect::ALL;
use ftpmon_tests::bed::Scratch;
use ftpmon_tests::golden::{Format, Golden};
use serde_json::Value;

fn ftpmon(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ftpmon")).args(args).output().unwrap()
}

fn alerts(lines: &[u8]) -> Vec<Value> {
    let lines = std::str::from_utf8(lines).unwrap().lines();
    let alert = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        (event["event"] == "alert").then(|| event["alert"].clone())
    };
    lines.filter_map(alert).collect()
}

fn events_of(name: &str, folder: &Path) -> String {
    let golden = Golden::all().unwrap().into_iter().find(|golden| golden.name == name).unwrap();
    golden.output(&PathBuf::from(env!("CARGO_BIN_EXE_ftpmon")), Format::Json, folder).unwrap()
}

#[test]
fn stored_events_give_the_alerts_that_reading_the_capture_gave() {
    let scratch = Scratch::new("detect").unwrap();
    for name in
        ["detect-login-guessing", "detect-bounce-scan", "detect-exploits", "detect-tls-stripped", "fxp"]
    {
        let events = events_of(name, scratch.path());
        let path = scratch.path().join("events.jsonl");
        std::fs::write(&path, &events).unwrap();
        let output = ftpmon(&["detect", path.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (found, expected) = (alerts(&output.stdout), alerts(events.as_bytes()));
        assert!(!expected.is_empty(), "{name}");
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn events_come_by_standard_input_and_the_choice_counts() {
    let scratch = Scratch::new("detect-stdin").unwrap();
    let events = events_of("detect-login-guessing", scratch.path());
    let mut child = Command::new(env!("CARGO_BIN_EXE_ftpmon"))
        .args(["detect", "--detect", "none,login-guessing=2/60", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(events.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let counts: Vec<_> = alerts(&output.stdout)
        .iter()
        .map(|alert| alert["evidence"]["counts"]["occurrences"].as_u64())
        .collect();
    assert_eq!(counts, [Some(2), Some(4), Some(8)]);
}

#[test]
fn a_line_that_is_no_event_is_reported_and_passed_over() {
    let scratch = Scratch::new("detect-lines").unwrap();
    let events = events_of("detect-stealer", scratch.path());
    let path = scratch.path().join("events.jsonl");
    std::fs::write(&path, format!("{{\"event\":\"command\"}}\n{events}half a li")).unwrap();
    let output = ftpmon(&["detect", path.to_str().unwrap()]);
    assert_eq!((output.status.code(), alerts(&output.stdout).len()), (Some(1), 1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("line 1 is no event"), "{errors}");
    assert!(errors.contains("2 lines are no events"), "{errors}");
}

#[test]
fn detectors_are_listed_explained_and_documented() {
    let list = String::from_utf8(ftpmon(&["detect", "--list"]).stdout).unwrap();
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/detections.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    for entry in ALL {
        assert!(list.lines().any(|line| line.starts_with(entry.id())), "{}", entry.id());
        let row = docs.lines().find(|line| line.starts_with(&format!("| `{}`", entry.id()))).unwrap();
        let on = if entry.on { "| yes |" } else { "| no |" };
        assert!(row.ends_with(on), "{row}");
        assert!(entry.subject.technique.is_none_or(|technique| row.contains(technique)), "{row}");
        let explained = String::from_utf8(ftpmon(&["detect", "--explain", entry.id()]).stdout).unwrap();
        assert!(explained.contains(entry.about) && explained.contains(entry.tuning), "{explained}");
    }
    assert_eq!(ftpmon(&["detect", "--explain", "x"]).status.code(), Some(1));
    assert_eq!(ftpmon(&["detect"]).status.code(), Some(2));
}
