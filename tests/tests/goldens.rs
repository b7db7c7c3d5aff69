//! One folder a behaviour under `tests/goldens`: a script, the events that `ftpmon read` makes of its capture, and a
//! README that says what is shown. Options for `ftpmon read` may stand in `options`, separated by blanks.
//!
//! `FTPMON_GOLDEN=NAME` runs one folder. `FTPMON_BLESS=1` writes what ftpmon says as the new expectation: read the
//! difference before you commit it.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ftpmon_tests::{schema, script};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens")
}

/// The binary under test, built by the cargo that runs this test.
fn ftpmon() -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "ftpmon", "--bin", "ftpmon"])
        .status()
        .expect("cargo runs");
    assert!(status.success(), "ftpmon does not build");
    // This test lies in TARGET/debug/deps.
    let here = std::env::current_exe().unwrap();
    let target = here.ancestors().nth(3).unwrap();
    target.join("debug/ftpmon")
}

/// What ftpmon says of a capture, one JSON object a line, without what changes from run to run: `seq` (checked here),
/// `sensor`, the sensor's own events but for what was lost, and session ids, which become `s1`, `s2`, ... .
fn events(binary: &Path, capture: &Path, options: &str) -> Result<String, String> {
    let run = Command::new(binary)
        .arg("read")
        .args(options.split_whitespace())
        .arg(capture)
        .output()
        .map_err(|e| e.to_string())?;
    if !run.status.success() {
        return Err(format!("{}: {}", run.status, String::from_utf8_lossy(&run.stderr)));
    }
    let mut out = String::new();
    let mut sessions = BTreeMap::new();
    let mut last = Value::Null;
    for (number, line) in String::from_utf8(run.stdout).map_err(|e| e.to_string())?.lines().enumerate() {
        let mut event: Value = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
        schema::check(&event).map_err(|e| format!("{e:#}"))?;
        let object = event.as_object_mut().ok_or("an event is an object")?;
        if object.remove("seq").and_then(|seq| seq.as_u64()) != Some(number as u64) {
            return Err(format!("seq does not count up by one: {line}"));
        }
        object.remove("sensor").ok_or("no sensor")?;
        let name = object.get("event").cloned().unwrap_or_default();
        if (name == "sensor_start") != (number == 0) {
            return Err(format!("sensor_start is first and only there: {line}"));
        }
        last = name.clone();
        match name.as_str() {
            Some("sensor_start" | "sensor_stop") => continue,
            Some("stats") => {
                let lost = object.get("lost").cloned().unwrap_or_default();
                if lost.as_object().is_some_and(|lost| !lost.is_empty()) {
                    writeln!(out, "{}", serde_json::json!({ "event": "stats", "lost": lost })).unwrap();
                }
                continue;
            }
            _ => {}
        }
        if let Some(Value::String(session)) = object.get_mut("session") {
            let next = format!("s{}", sessions.len() + 1);
            *session = sessions.entry(session.clone()).or_insert(next).clone();
        }
        writeln!(out, "{event}").unwrap();
    }
    if last != "sensor_stop" {
        return Err(format!("the last event is {last}, not sensor_stop"));
    }
    Ok(out)
}

/// The first lines that differ.
fn difference(expected: &str, got: &str) -> String {
    let (mut expected, mut got) = (expected.lines(), got.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (expected.next(), got.next()) {
            (None, None) => return "nothing differs".to_owned(),
            (a, b) if a != b => {
                let show = |line: Option<&str>| line.unwrap_or("(nothing)").to_owned();
                return format!("event {number}\n  expected {}\n  got      {}", show(a), show(b));
            }
            _ => {}
        }
    }
}

#[test]
fn every_golden_holds() {
    let bless = std::env::var_os("FTPMON_BLESS").is_some_and(|value| value != "0");
    let only = std::env::var("FTPMON_GOLDEN").ok();
    let binary = ftpmon();
    let work = std::env::temp_dir().join(format!("ftpmon-goldens-{}", std::process::id()));
    std::fs::create_dir_all(&work).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| only.as_ref().is_none_or(|only| only == name))
        .collect();
    names.sort();
    let mut failures = String::new();
    for name in &names {
        let golden = folder().join(name);
        let readme = std::fs::read_to_string(golden.join("README.md")).unwrap_or_default();
        assert!(!readme.trim().is_empty(), "{name} has no README.md");
        let script = std::fs::read_to_string(golden.join("script.ftp")).unwrap();
        let bytes = script::capture(&script).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let capture = work.join(format!("{name}.pcap"));
        std::fs::write(&capture, bytes).unwrap();
        let expectation = golden.join("expect.jsonl");
        let options = std::fs::read_to_string(golden.join("options")).unwrap_or_default();
        match events(&binary, &capture, &options) {
            Ok(got) if bless => std::fs::write(&expectation, got).unwrap(),
            Ok(got) => {
                let expected = std::fs::read_to_string(&expectation).unwrap_or_default();
                if got != expected {
                    writeln!(failures, "{name}: {}", difference(&expected, &got)).unwrap();
                }
            }
            Err(error) => writeln!(failures, "{name}: {error}").unwrap(),
        }
    }
    std::fs::remove_dir_all(&work).unwrap();
    assert!(!names.is_empty(), "no golden is called {only:?}");
    assert!(failures.is_empty(), "\n{failures}\nFTPMON_BLESS=1 takes these as right");
}
