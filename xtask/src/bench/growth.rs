//! The growth of instructions and memory with the input: a wrong complexity shows as a slope.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use ftpmon_tests::usage;

use super::callgrind;
use super::fit::slope;
use super::setup::Setup;
use super::table::{Cell, Goal, Table};

/// Sessions of the captures whose instructions are counted, and of those that are only read.
const COUNTED: [u64; 5] = [250, 500, 1_000, 2_000, 4_000];
const READ: [u64; 5] = [2_000, 4_000, 8_000, 16_000, 32_000];
/// The allowed growth of instructions: in proportion, and a little for what is no proportion.
pub(super) const SLOPE_MAX: f64 = 1.1;

/// Measures.
pub(crate) fn run(setup: &Setup) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    let columns = [("packets", 0), ("instructions a packet", 0), ("slope", 3)];
    let mut table = Table::new("ftpmon read: instructions by the capture's sessions", &columns);
    match callgrind::provide() {
        Err(error) => table.row("all", [Cell::Text(format!("not counted: {error:#}"))]),
        Ok(()) => instructions(setup, &mut table)?,
    }
    tables.push(table);

    let columns = [("MB read", 0), ("peak MB", 1), ("CPU s", 2), ("slope of memory", 3), ("slope of CPU", 3)];
    let mut table = Table::new("ftpmon read: memory and time by the capture's sessions", &columns);
    let mut memory = Vec::new();
    let mut time = Vec::new();
    for sessions in READ {
        let capture = setup.capture(sessions)?;
        let mut command = Command::new(setup.agent());
        command
            .arg("read")
            .arg(&capture.path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let used = usage::of(&mut command)?;
        ensure!(used.status.success(), "ftpmon read: {}", used.status);
        let megabytes = capture.holds.file_bytes as f64 / 1e6;
        memory.push((megabytes, used.peak_bytes as f64 / 1e6));
        time.push((megabytes, used.cpu.as_secs_f64()));
        let cells = [megabytes, used.peak_bytes as f64 / 1e6, used.cpu.as_secs_f64()];
        table.row(format!("{sessions} sessions"), cells.map(Cell::Number));
    }
    let slopes = [Cell::Goal(slope(&memory), Goal::AtMost(0.5)), Cell::Number(slope(&time))];
    table.row("fitted", [Cell::Empty, Cell::Empty, Cell::Empty].into_iter().chain(slopes));
    tables.push(table);
    Ok(tables)
}

fn instructions(setup: &Setup, table: &mut Table) -> Result<()> {
    let mut points = Vec::new();
    for sessions in COUNTED {
        let capture = setup.capture(sessions)?;
        let path = capture.path.to_string_lossy();
        let count = callgrind::instructions(setup.agent(), &["read", &path], None, setup.folder())? as f64;
        let packets = capture.holds.packets as f64;
        points.push((packets, count));
        table.row(format!("{sessions} sessions"), [packets, count / packets].map(Cell::Number));
    }
    table.row("fitted", [Cell::Empty, Cell::Empty, Cell::Goal(slope(&points), Goal::AtMost(SLOPE_MAX))]);
    Ok(())
}
