//! Idle sessions: what each takes in memory, and what a message costs among so many.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use ftpmon_tests::process::run_ok;
use serde_json::Value;

use super::callgrind;
use super::fit::slope;
use super::setup::Setup;
use super::table::{Cell, Goal, Spread, Table, towards};

/// Idle sessions.
const SESSIONS: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Up to so many sessions instructions are counted as well: callgrind takes its time.
const COUNTED_MAX: u32 = 100_000;
/// Messages whose time is taken, and whose instructions are counted.
const MESSAGES: u32 = 1_000_000;
const COUNTED_MESSAGES: u32 = 10_000;
/// Bytes of a session, at the most.
const BYTES_MAX: f64 = 1_024.0;
/// Nanoseconds that a mark of the plot stands for.
const MARK_NS: f64 = 25.0;

/// Measures.
pub(crate) fn run(setup: &Setup) -> Result<Vec<Table>> {
    let program = program(setup.agent())?;
    let rounds = setup.rounds(3);
    let counted = callgrind::provide();
    let title = format!(
        "The engine with idle sessions, logged in; messages from all over them, median of {rounds} rounds"
    );
    let mut table = Table::new(
        title,
        &[
            ("bytes a session", 0),
            ("ns a message", 0),
            ("instructions a message", 0),
            ("ns, a mark each 25", 0),
        ],
    );
    let mut times = Vec::new();
    for sessions in SESSIONS {
        let mut bytes = Vec::new();
        let mut nanos = Vec::new();
        for _ in 0..rounds {
            let said =
                run_ok(Command::new(&program).args([sessions, MESSAGES].map(|number| number.to_string())))?;
            let said: Value = serde_json::from_str(&said).context("what it says")?;
            let number =
                |name: &str| said.get(name).and_then(Value::as_f64).with_context(|| format!("no {name}"));
            bytes.push(number("bytes")?);
            nanos.push(number("message_ns")?);
        }
        let time = Spread::of(nanos);
        times.push((f64::from(sessions), time.median));
        let count = if counted.is_ok() && sessions <= COUNTED_MAX {
            let words = [sessions, COUNTED_MESSAGES].map(|number| number.to_string());
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let count =
                callgrind::instructions(&program, &words, Some("*idle_sessions*talk*"), setup.folder())?;
            Cell::Number(count as f64 / f64::from(COUNTED_MESSAGES))
        } else {
            Cell::Text("not counted".to_owned())
        };
        let bytes = Spread::of(bytes).median;
        let goal = (sessions == 1_000_000).then_some(Goal::AtMost(BYTES_MAX));
        let marks = "█".repeat((time.median / MARK_NS).round() as usize);
        table.row(
            format!("{sessions} sessions"),
            [towards(bytes, goal), Cell::Spread(time), count, Cell::Text(marks)],
        );
    }
    table.note(format!(
        "Slope of the time a message over the number of sessions: {:.3} (0: flat).",
        slope(&times)
    ));
    Ok(vec![table])
}

/// The example that holds the sessions; it was built beside the agent.
fn program(agent: &Path) -> Result<PathBuf> {
    let program = agent.with_file_name("examples").join("idle_sessions");
    anyhow::ensure!(program.is_file(), "{} is not built", program.display());
    Ok(program)
}
