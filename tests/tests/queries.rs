//! The queries of `deploy/clickhouse` by ClickHouse itself (chDB): each answers, and says of the same events what `ftpmon report`
//! says.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, plain_test, test};
use ftpmon_tests::oracle::Unpacked;
use ftpmon_tests::process::{Running, run_ok};
use ftpmon_tests::receiver::{Guide, Stage, events_wanted};
use ftpmon_tests::script::bulk;
use serde_json::Value;

const HTTP_RECEIVER: &str = include_str!("../src/receiver/http_receiver.py");
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
/// A live run into the table of docs/shippers/clickhouse.md, over the address that it has.
#[test]
fn clickhouse_gets_live_events() {
    let needs = [Need::Agent, Need::Tool("python3"), Need::Unpacked(Unpacked::Chdb)];
    test("clickhouse_gets_live_events", &needs, || {
        let mut stage = Stage::new("clickhouse")?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let guide = Guide::read("clickhouse.md")?;
        let password = text(&stage.scratch.write("password", "secret\n")?);
        let names = [
            ("/var/lib/ftpmon/spool", &*text(&stage.spool())),
            ("https://click.example:8443", "http://127.0.0.1:8123"),
            ("/etc/ftpmon/clickhouse", &password),
        ];
        let file = format!("{:?}", text(&stage.reference()));
        let config = text(&stage.scratch.write("ftpmon.toml", guide.config(&names, &file)?)?);
        let tables = stage.scratch.write("tables.sql", guide.block("sql", &[])?)?;
        let script = stage.scratch.write("receiver.py", HTTP_RECEIVER)?;
        let mut python = stage.net.server.command("python3");
        python.current_dir(stage.scratch.path()).env("PYTHONPATH", Unpacked::Chdb.folder()?).arg(script);
        let receiver = Running::start(python.args(["clickhouse", "8123", "none"]).arg(tables))?;
        stage.listens(8_123, &receiver)?;
        stage.start_with(&["--config", &config])?;
        stage.talk(events_wanted())?;
        let table = |stage: &Stage| -> Result<String> {
            stage.net.server.run(|| {
                let mut stream = TcpStream::connect(("127.0.0.1", 8123))?;
                stream.write_all(
                    b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\nAuthorization: Basic x\r\n\r\n",
                )?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer)?;
                Ok(answer.split_once("\r\n\r\n").context("no answer")?.1.to_owned())
            })
        };
        let lines = stage.finish(|stage| Ok(table(stage)?.lines().count()))?;
        let rows = table(&stage)?;
        for (number, (row, line)) in rows.lines().zip(&lines).enumerate() {
            ensure!(row == line, "row {number} is {row}, and not {line}");
        }
        ensure!(rows.lines().count() == lines.len(), "{} of {} rows", rows.lines().count(), lines.len());
        Ok(())
    });
}

fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(u64::MAX)
}
