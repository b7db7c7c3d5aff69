//! The queries of `deploy/clickhouse` by ClickHouse itself (chDB): each answers, and says of the same events what `ftpmon report`
//! says.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, plain_test};
use ftpmon_tests::oracle::Unpacked;
use ftpmon_tests::process::run_ok;
use ftpmon_tests::script::bulk;
use serde_json::Value;

/// Sessions with a transfer each.
const SESSIONS: u64 = 200;

/// Runs the statements of the files, the last one query by query: each answer is a line of JSON.
const PROGRAM: &str = "
import json, sys
sys.path.insert(0, sys.argv[1])
from chdb import session
database = session.Session()
for statement in open(sys.argv[2]).read().split(';\\n'):
    if statement.strip():
        database.query(statement)
# Every line twice, as an output that sends again.
for _ in range(2):
    database.query(f\"INSERT INTO ftp_lines SELECT line FROM file('{sys.argv[4]}', LineAsString, 'line String')\")
for query in open(sys.argv[3]).read().split(';\\n'):
    name = [line[3:] for line in query.splitlines() if line.startswith('-- ')][-1:]
    if name:
        print(json.dumps([name[0], json.loads(str(database.query(query, 'JSON')))['data']]))
";

#[test]
fn clickhouse_counts_what_the_report_counts() {
    let needs = [Need::Agent, Need::Tool("python3"), Need::Unpacked(Unpacked::Chdb)];
    plain_test("clickhouse_counts_what_the_report_counts", &needs, || {
        let scratch = Scratch::new("queries")?;
        let (capture, events) = (scratch.path().join("usual.pcap"), scratch.path().join("events.jsonl"));
        bulk::write(&mut File::create(&capture)?, SESSIONS)?;
        fs::write(&events, run_ok(Command::new(binary()?).arg("read").arg(&capture))?)?;
        let report = run_ok(Command::new(binary()?).args(["report", "--json"]).arg(&events))?;
        let report: Value = serde_json::from_str(&report)?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/clickhouse");
        let mut python = Command::new("python3");
        python.current_dir(scratch.path()).arg("-c").arg(PROGRAM).arg(Unpacked::Chdb.folder()?);
        python.arg(folder.join("schema.sql")).arg(folder.join("dashboard.sql")).arg(&events);
        let mut panels = BTreeMap::new();
        for line in run_ok(&mut python)?.lines() {
            let (name, rows): (String, Vec<Value>) = serde_json::from_str(line)?;
            panels.insert(name, rows);
        }
        ensure!(panels.len() == 8, "{:?}", panels.keys());
        let rows = |name: &str| panels.get(name).with_context(|| format!("no panel {name}"));
        let sum = |name: &str, column: &str| -> Result<u64> {
            Ok(rows(name)?.iter().map(|row| number(&row[column])).sum())
        };
        let transfers = &report["transfers"];
        ensure!(sum("Bytes over time", "down")? == number(&transfers["bytes_down"]), "bytes down");
        ensure!(sum("Bytes over time", "up")? == number(&transfers["bytes_up"]), "bytes up");
        ensure!(sum("Transfers by outcome", "transfers")? == number(&transfers["count"]), "outcomes");
        ensure!(sum("Users by bytes", "transfers")? == number(&transfers["count"]), "users");
        ensure!(
            sum("Logins in clear text", "clear_text")? == number(&report["logins_clear_text"]),
            "clear text"
        );
        ensure!(
            sum("Refused logins by client", "refused")? == number(&report["logins"]["failed"]),
            "refused"
        );
        for row in rows("Reply times by verb")? {
            let verb = row["verb"].as_str().context("a verb")?;
            ensure!(
                number(&row["replies"]) == number(&report["latency"][verb]["count"]),
                "{row} of {}",
                report["latency"]
            );
            ensure!(number(&row["max_us"]) == number(&report["latency"][verb]["max_us"]), "{row}");
        }
        ensure!(rows("Who moved what")?.len() as u64 == number(&transfers["count"]), "records");
        Ok(())
    });
}

/// A number, which ClickHouse writes as a text where it has 64 bits.
fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(u64::MAX)
}
