//! The command `ftpmon report`, over the events of scripted sessions.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ftpmon_tests::bed::Scratch;
use ftpmon_tests::script;
use serde_json::Value;

/// A download, an upload under a hostile name, a refused login.
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
C: TYPE I
S: 200 fine
C: PASV
S: 227 Entering Passive Mode (192,0,2,21,4,1)
open d one:40001 server:1025
C: RETR /pub/big.iso
S: 150 here it comes
send d < bytes 5000
close d <
S: 226 done
C: PASV
S: 227 Entering Passive Mode (192,0,2,21,4,2)
open u one:40002 server:1026
C: STOR /up/<script>alert(1)</script>,\"x\".ISO
S: 150 send it
send u > bytes 300
close u >
S: 226 done
C: QUIT
S: 221 bye
close a <
open b two:40000 server:21
use b
S: 220 ready
C: USER bob
S: 331 word
C: PASS wrong
S: 530 no
close b <
";

fn events(folder: &Path) -> PathBuf {
    events_of(folder, SCRIPT)
}

fn events_of(folder: &Path, script: &str) -> PathBuf {
    let capture = folder.join("report.pcap");
    std::fs::write(&capture, script::capture(script).unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ftpmon")).arg("read").arg(&capture).output().unwrap();
    let path = folder.join("events.jsonl");
    std::fs::write(&path, output.stdout).unwrap();
    path
}

fn report(arguments: &[&str], events: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ftpmon")).arg("report").args(arguments).arg(events).output().unwrap()
}

#[test]
fn tables_have_the_sums_of_the_events() {
    let scratch = Scratch::new("report-json").unwrap();
    let output = report(&["--json"], &events(scratch.path()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tables: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&tables["sessions"], &tables["transfers"]["count"]), (&2.into(), &2.into()));
    assert_eq!(tables["transfers"]["bytes_down"], 5000);
    assert_eq!(tables["transfers"]["bytes_up"], 300);
    assert_eq!((&tables["logins"]["count"], &tables["logins"]["failed"]), (&2.into(), &1.into()));
    assert_eq!(tables["logins_clear_text"], 2);
    assert_eq!(tables["outcomes"]["complete"], 2);
    assert_eq!(tables["users"]["rows"][0]["name"], "alice");
    assert_eq!(tables["types"]["rows"][0]["name"], "iso");
    assert_eq!(tables["types"]["rows"][0]["count"], 2);
    assert_eq!(tables["refused_clients"]["rows"][0]["name"], "192.0.2.11");
    // The 150 alone: the 226 took as long as the transfer.
    assert_eq!(tables["latency"]["RETR"]["count"], 1);
}

/// Two sessions of one server, a third of another one: of TLS 1.3, of TLS 1.2, and one whose hellos were not seen.
const TLS: &str = "
host client 192.0.2.10
host one 192.0.2.21
host two 192.0.2.22
open a client:40000 one:21
S: 220 vsFTPd <3.0.5>
C: AUTH TLS
S: 234 go on
hello a > ftp.example.net
hello a < 1.3
record a < 800
close a >
open b client:40001 one:21
use b
S: 220 vsFTPd <3.0.5>
C: AUTH TLS
S: 234 go on
hello b > ftp.example.net
hello b < 1.2
record b < 800
close b >
open c client:40002 two:21
use c
S: 220 ProFTPD
C: AUTH TLS
S: 234 go on
record c > 80
record c < 800
close c >
open d client:40003 two:21
use d
S: 220 ProFTPD
C: USER alice
S: 230 in
C: QUIT
S: 221 bye
close d <
";

#[test]
fn tls_versions_and_greetings_are_in_every_form() {
    let scratch = Scratch::new("report-tls").unwrap();
    let events = events_of(scratch.path(), TLS);
    let json: Value = serde_json::from_slice(&report(&["--json"], &events).stdout).unwrap();
    assert_eq!((&json["sessions"], &json["sessions_tls"]), (&4.into(), &3.into()));
    let rows = |table: &str| -> Vec<(String, u64)> {
        let rows = json[table]["rows"].as_array().unwrap();
        let mut rows: Vec<_> = rows
            .iter()
            .map(|row| (row["name"].as_str().unwrap().to_owned(), row["count"].as_u64().unwrap()))
            .collect();
        rows.sort();
        rows
    };
    let named = |rows: &[(&str, u64)]| {
        rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>()
    };
    assert_eq!(rows("tls_versions"), named(&[("TLSv1.2", 1), ("TLSv1.3", 1), ("not seen", 1)]));
    assert_eq!(
        rows("greetings"),
        named(&[("192.0.2.21:21: vsFTPd <3.0.5>", 2), ("192.0.2.22:21: ProFTPD", 2)])
    );
    let path = scratch.path().join("report.html");
    report(&["--html", path.to_str().unwrap()], &events);
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("192.0.2.21:21: vsFTPd &lt;3.0.5&gt;") && page.contains("192.0.2.22:21: ProFTPD"));
    let csv = String::from_utf8(report(&["--tables"], &events).stdout).unwrap();
    for row in
        ["greetings,192.0.2.21:21: vsFTPd <3.0.5>,2", "tls_versions,TLSv1.3,1", "tls_versions,not seen,1"]
    {
        assert!(csv.lines().any(|line| line.starts_with(row)), "{row} in\n{csv}");
    }
}

#[test]
fn transfers_whose_outcome_nothing_tells_did_not_fail() {
    let scratch = Scratch::new("report-unknown").unwrap();
    let script = include_str!("../../tests/goldens/tls-implicit-data/script.ftp");
    let json: Value =
        serde_json::from_slice(&report(&["--json"], &events_of(scratch.path(), script)).stdout).unwrap();
    assert!(json["outcomes"]["unknown"].as_u64() > Some(0));
    assert_eq!(json["outcomes"]["unknown"], json["transfers"]["count"]);
    assert_eq!((&json["transfers"]["failed"], &json["users"]["rows"][0]["failed"]), (&0.into(), &0.into()));
    // All of them are under TLS.
    assert_eq!(
        (&json["transfers_connected"], &json["transfers_clear_text"]),
        (&json["transfers"]["count"], &0.into())
    );
}

#[test]
fn a_report_of_nothing_that_can_be_read_is_none() {
    let output = report(&["--json"], Path::new("/nonexistent/events.jsonl"));
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent/events.jsonl"));
}

#[test]
fn a_page_goes_to_standard_output() {
    let scratch = Scratch::new("report-stdout").unwrap();
    let page = report(&["--html", "-"], &events(scratch.path())).stdout;
    assert!(page.starts_with(b"<!DOCTYPE html>") && page.ends_with(b"</html>\n"));
}

/// Thirty files, each fetched once.
#[test]
fn tables_for_programs_have_every_name() {
    let scratch = Scratch::new("report-names").unwrap();
    let mut script =
        "host one 192.0.2.10\nhost server 192.0.2.21\nopen a one:40000 server:21\nS: 220 ready\n\
                      C: USER alice\nS: 230 in\n"
            .to_owned();
    for number in 0..30 {
        script += &format!("C: DELE x{number}\nS: 250 gone\nC: RETR /f{number}\nS: 550 no\n");
    }
    let events = events_of(scratch.path(), &script);
    let json: Value = serde_json::from_slice(&report(&["--json"], &events).stdout).unwrap();
    assert_eq!(json["paths"]["rows"].as_array().map(Vec::len), Some(30));
    let tables = String::from_utf8(report(&["--tables"], &events).stdout).unwrap();
    assert_eq!(tables.lines().filter(|line| line.starts_with("paths,/f")).count(), 30);
}

#[test]
fn the_page_is_whole_and_runs_nothing() {
    let scratch = Scratch::new("report-html").unwrap();
    let path = scratch.path().join("report.html");
    let output = report(&["--html", path.to_str().unwrap()], &events(scratch.path()));
    assert!(output.status.success() && output.stdout.is_empty());
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("default-src 'none'"));
    for active in ["src=", "href=", "url(", "@import", "onload"] {
        assert!(!page.contains(active), "{active}");
    }
    // The records, and the script that searches them: the policy names it alone.
    assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (2, 2));
    assert!(page.contains("script-src 'sha256-") && page.contains("/up/\\u003cscript\\u003e"), "{page}");
    assert!(page.contains("alice") && page.contains("/pub/big.iso") && page.contains("<svg"), "{page}");
}

#[test]
fn every_transfer_is_a_row_of_csv() {
    let scratch = Scratch::new("report-csv").unwrap();
    let output = report(&["--csv"], &events(scratch.path()));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<&str> = text.split_terminator("\r\n").collect();
    assert!(rows.len() == 3 && rows[0].starts_with("time,session,client"), "{text}");
    assert!(rows[1].contains(",alice,RETR,download,/pub/big.iso,complete,226,5000,0,"), "{text}");
    assert!(rows[2].contains(",\"/up/<script>alert(1)</script>,\"\"x\"\".ISO\",complete,226,300,"), "{text}");
}

#[test]
fn no_form_has_what_a_terminal_acts_on() {
    let scratch = Scratch::new("report-hostile").unwrap();
    let script = SCRIPT
        .replace("big.iso", "\\x1b]0;t\\x07\\xc2\\x9b2J\\xe2\\x80\\xae.iso")
        .replace("alice", "al\\x1b[2Jice");
    let capture = scratch.path().join("hostile.pcap");
    std::fs::write(&capture, script::capture(&script).unwrap()).unwrap();
    let read = Command::new(env!("CARGO_BIN_EXE_ftpmon")).arg("read").arg(&capture).output().unwrap();
    let stored = scratch.path().join("hostile.jsonl");
    std::fs::write(&stored, read.stdout).unwrap();
    for form in ["--json", "--csv", "--tables", "--audit", "--xferlog"] {
        let text = String::from_utf8(report(&[form], &stored).stdout).unwrap();
        let is_plain = |c: char| matches!(c, '\n' | '\r') || !ftpmon_event::text::is_disruptive(c);
        assert!(text.contains("2Jice") && text.chars().all(is_plain), "{form}: {text:?}");
        // What is escaped reads back as it was.
        if form == "--json" {
            let tables: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(tables["users"]["rows"][0]["name"], "al\u{1b}[2Jice");
        }
    }
}

#[test]
fn csv_has_the_same_tables() {
    let scratch = Scratch::new("report-tables").unwrap();
    let stored = events(scratch.path());
    let text = String::from_utf8(report(&["--tables"], &stored).stdout).unwrap();
    let tables: Value = serde_json::from_slice(&report(&["--json"], &stored).stdout).unwrap();
    for row in [
        "transfers,all,2,0,300,5000,,,\r\n",
        "users,alice,2,0,300,5000,,,\r\n",
        "types,iso,2,0,300,5000,,,\r\n",
    ] {
        assert!(text.contains(row), "{row} of {text}");
    }
    assert!(text.contains("logins_clear_text,all,2,") && text.contains("outcomes,complete,2,"), "{text}");
    let retr = &tables["latency"]["RETR"];
    assert!(text.contains(&format!(
        "latency,RETR,1,,,,{},{},{}\r\n",
        retr["median_us"], retr["p95_us"], retr["max_us"]
    )));
    // Of three replies or more: PASS of two sessions has two.
    assert!(
        tables["slowest"]
            .as_array()
            .is_some_and(|slowest| slowest.iter().all(|pair| pair["count"].as_u64() >= Some(3)))
    );
}

#[test]
fn the_audit_trail_has_every_record() {
    let scratch = Scratch::new("report-audit").unwrap();
    let output = report(&["--audit"], &events(scratch.path()));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(rows[0], "time,user,action,path,bytes,source,server,result,code,session");
    let has = |part: &str| rows.iter().filter(|row| row.contains(part)).count();
    assert_eq!(rows.len(), 5, "{text}");
    assert_eq!(has(",alice,login,,,192.0.2.10:40000,192.0.2.21:21,success,230,"), 1, "{text}");
    assert_eq!(
        has(",alice,download,/pub/big.iso,5000,192.0.2.10:40000,192.0.2.21:21,success,226,"),
        1,
        "{text}"
    );
    assert_eq!(has(",bob,login,,,192.0.2.11:40000,192.0.2.21:21,failure,530,"), 1, "{text}");
}

#[test]
fn xferlog_is_that_of_a_run() {
    let scratch = Scratch::new("report-xferlog").unwrap();
    let stored = events(scratch.path());
    let output = report(&["--xferlog"], &stored);
    let capture = scratch.path().join("report.pcap");
    let mut read = Command::new(env!("CARGO_BIN_EXE_ftpmon"));
    let run = read.args(["read", "--format", "xferlog"]).arg(capture).output().unwrap();
    assert!(output.status.success() && output.stdout.iter().filter(|byte| **byte == b'\n').count() == 2);
    assert_eq!(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&run.stdout));
}

#[test]
fn forms_exclude_each_other_and_errors_are_told() {
    let scratch = Scratch::new("report-errors").unwrap();
    let path = events(scratch.path());
    assert_eq!(report(&["--json", "--csv"], &path).status.code(), Some(2));
    let output = report(&[], Path::new("/nowhere.jsonl"));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere.jsonl"));
    // A file that breaks off, as a compressed one does where its writer died, does not cost the report of the others.
    let broken = scratch.path().join("broken.jsonl.gz");
    std::fs::write(&broken, [0x1f, 0x8b, 8, 0]).unwrap();
    let output = report(&["--json", "/nowhere.jsonl", broken.to_str().unwrap()], &path);
    let tables: Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && tables["transfers"]["count"] == 2, "{tables}");
    assert!(told.contains("/nowhere.jsonl") && told.contains("broken.jsonl.gz"), "{told}");
    let mut lines = std::fs::read(&path).unwrap();
    lines.extend(b"{}\n");
    std::fs::write(&path, lines).unwrap();
    let output = report(&["--json"], &path);
    assert!(output.status.code() == Some(1) && !output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 line is no event"));
}

/// A reply and a transfer that take long, a session that ends unanswered, a transfer that ends early.
const STALLS: &str = "
host one 192.0.2.10
host server 192.0.2.21
open a one:40000 server:21
S: 220 ready
C: USER alice
S: 331 word
C: PASS secret
wait 12s
S: 230 in
C: PASV
S: 227 Entering Passive Mode (192,0,2,21,4,1)
open d one:40001 server:1025
C: RETR /=slow<b>,\"x\"
S: 150 here it comes (9000 bytes)
send d < bytes 500
wait 30s
rst d <
S: 426 broken
C: NOOP
C: NOOP
C: NOOP
C: NOOP
C: NOOP
wait 1s
close a <
";

#[test]
fn stalls_and_transfers_that_ended_early_are_in_every_form() {
    let scratch = Scratch::new("report-stalls").unwrap();
    let stored = events_of(scratch.path(), STALLS);
    let tables: Value = serde_json::from_slice(&report(&["--json"], &stored).stdout).unwrap();
    let expected = serde_json::json!({
        "nothing_moved": 0, "trickled": 1, "late_reply": 1, "unanswered": 1, "short": 0, "aborted": 1
    });
    assert_eq!(tables["stalls"]["counts"], expected, "{}", tables["stalls"]);
    let rows = tables["stalls"]["rows"].as_array().unwrap();
    let row = |matter: &str| rows.iter().find(|row| row["matter"] == matter).unwrap();
    let (trickled, late) = (row("trickled"), row("late_reply"));
    assert_eq!((&trickled["bytes_down"], &trickled["declared_bytes"]), (&500.into(), &9000.into()));
    assert_eq!((&trickled["path"], &trickled["user"]), (&"/=slow<b>,\"x\"".into(), &"alice".into()));
    assert!(trickled["duration_us"].as_u64() >= Some(30_000_000), "{trickled}");
    assert!(late["verb"] == "PASS" && late["duration_us"].as_u64() >= Some(12_000_000), "{late}");
    assert_eq!(row("unanswered")["unanswered"], 3);
    assert_eq!(tables["stalls"]["servers"]["rows"][0]["count"], 3);

    let text = String::from_utf8(report(&["--tables"], &stored).stdout).unwrap();
    for row in
        ["stalls,trickled,1,", "stalls,short,0,", "stalled_servers,192.0.2.21:21,3,", "longest_stalls,\""]
    {
        assert!(text.contains(row), "{row} of {text}");
    }
    assert_eq!(text.matches("ended_early,").count(), 1, "{text}");

    let path = scratch.path().join("report.html");
    assert!(report(&["--html", path.to_str().unwrap()], &stored).status.success());
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("<td>RETR /=slow&lt;b&gt;,&quot;x&quot;</td>"), "{page}");
    assert!(
        page.contains("<td>at least 3 commands without a reply</td>") && page.contains(">12.0</td>"),
        "{page}"
    );
    assert!(page.contains("<dt>of logins in clear text</dt><dd>100\u{202f}%</dd>"), "{page}");
}
