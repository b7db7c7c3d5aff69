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
use serde_json::{Value, json};

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

/// An event of a session as `--format json` writes it, with these fields of its own.
fn event(second: u32, kind: &str, own: &Value) -> String {
    let mut event = json!({
        "ts": format!("2026-01-01T00:00:{second:02}.000000000Z"), "event": kind, "seq": 0, "run": "00000000000000ab",
        "sensor": "s", "session": "0123456789abcdef", "community_id": "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
        "client": { "ip": "203.0.113.9", "port": 4000 }, "server": { "ip": "192.0.2.2", "port": 21 },
        "user": "mallory",
    });
    event.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    event.to_string()
}

type Made = (&'static str, Value);

fn login(user: &str, outcome: &str) -> Made {
    let anonymous = user == "anonymous";
    let login = json!({ "user": user, "outcome": outcome, "anonymous": anonymous, "encrypted": false });
    ("login", json!({ "tx": 1, "login": login }))
}

fn transfer(direction: &str, path: &str, bytes: u64) -> Made {
    let transfer =
        json!({ "direction": direction, "path": path, "offset": 0, "bytes": bytes, "outcome": "complete" });
    ("transfer", json!({ "tx": 2, "transfer": transfer }))
}

fn reply(code: u16, verb: &str) -> Made {
    let reply = json!({
        "code": code, "text": "", "lines": 1, "final": true, "truncated": false, "malformed": false,
    });
    ("reply", json!({ "tx": 3, "reply": reply, "command": { "verb": verb, "arg": "x" } }))
}

fn command(verb: &str, arg: &str) -> Made {
    let command = json!({ "verb": verb, "arg": arg, "truncated": false, "malformed": false });
    ("command", json!({ "tx": 4, "command": command }))
}

fn tls(version: &str) -> Made {
    ("tls", json!({ "tls": { "via": "auth", "state": "start", "version": version } }))
}

/// A rule's id, events about which it alerts, and events about which it does not.
fn examples_of_rules() -> Vec<(&'static str, Vec<Made>, Vec<Made>)> {
    let fetched = || transfer("download", "/x", 1);
    vec![
        ("program-upload", vec![transfer("upload", "/x.exe", 1)], vec![transfer("download", "/x.exe", 1)]),
        ("backup-from-elsewhere", vec![login("backup", "success")], vec![login("backup", "failure")]),
        ("many-refusals", vec![login("u", "failure"); 5], vec![login("u", "failure"); 4]),
        ("large-upload", vec![transfer("upload", "/x", 500_000)], vec![transfer("upload", "/x", 499_999)]),
        ("site-chmod", vec![command("SITE", "CHMOD 777 x")], vec![command("SITE", "UMASK 022")]),
        ("payroll", vec![transfer("download", "/payroll/a", 1)], vec![transfer("download", "/pay/a", 1)]),
        ("looking-for-files", vec![reply(550, "SIZE"); 30], vec![reply(550, "SIZE"); 19]),
        ("old-tls", vec![tls("TLSv1.0")], vec![tls("TLSv1.3")]),
        (
            "anonymous-script",
            vec![login("anonymous", "success"), transfer("upload", "/x.php", 1)],
            vec![transfer("upload", "/x.php", 1), login("anonymous", "success")],
        ),
        (
            "fetched-and-deleted",
            vec![fetched(), reply(250, "DELE"), fetched(), reply(250, "DELE")],
            vec![fetched(), reply(250, "DELE"), reply(250, "DELE")],
        ),
    ]
}

#[test]
fn each_example_of_a_rule_alerts_at_what_it_is_about_and_at_nothing_less() {
    let rules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/rules/examples.toml");
    let cases = examples_of_rules();
    assert_eq!(std::fs::read_to_string(&rules).unwrap().matches("[[rule]]").count(), cases.len());
    let scratch = Scratch::new("rules").unwrap();
    let path = scratch.path().join("events.jsonl");
    for (id, alerting, silent) in cases {
        for (events, expected) in [(alerting, true), (silent, false)] {
            let lines: Vec<String> = (0..).zip(&events).map(|(n, (kind, own))| event(n, kind, own)).collect();
            std::fs::write(&path, lines.join("\n")).unwrap();
            let rules = rules.to_str().unwrap();
            let output =
                ftpmon(&["detect", "--detect", "none", "--detect-rules", rules, path.to_str().unwrap()]);
            assert!(output.status.success(), "{id}: {}", String::from_utf8_lossy(&output.stderr));
            let found = alerts(&output.stdout).iter().any(|alert| alert["id"] == format!("rule-{id}"));
            assert_eq!(found, expected, "{id}: {lines:?}");
        }
    }
}

#[test]
fn lists_and_allowances_count_and_a_wrong_rule_is_named() {
    let scratch = Scratch::new("lists").unwrap();
    let (path, list) = (scratch.path().join("events.jsonl"), scratch.path().join("users.txt"));
    let (kind, own) = login("mallory", "failure");
    std::fs::write(&path, event(1, kind, &own)).unwrap();
    std::fs::write(&list, "# bad\nmallory\n").unwrap();
    let spec = format!("users={}", list.display());
    let run = |more: &[&str]| {
        let common = ["detect", "--detect", "none,login-guessing=1/60", "--detect-lists", &spec];
        ftpmon(&[&common, more, &[path.to_str().unwrap()]].concat())
    };
    let ids = |output: Output| -> Vec<String> {
        alerts(&output.stdout).iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(run(&[])), ["login-guessing", "list-match"]);
    assert_eq!(ids(run(&["--detect-allow", "login-guessing=203.0.113.0/24"])), ["list-match"]);
    assert_eq!(ids(run(&["--detect-allow", "login-spraying=203.0.113.0/24"])).len(), 2);
    std::fs::write(&list, "").unwrap();
    assert_eq!(ids(run(&[])), ["login-guessing"]);
    let rules = scratch.path().join("rules.toml");
    std::fs::write(&rules, "\n[[rule]]\nid = \"x\"\ntitle = \"X\"\nevent = \"logins\"\n").unwrap();
    let output = run(&["--detect-rules", rules.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("rules.toml:2: "), "{errors}");
}
