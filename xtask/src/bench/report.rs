//! `ftpmon report` of ten million events, of a hundred million, and of a million events whose names shall fill its memory.

use std::io::{BufWriter, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::process::run_ok;
use ftpmon_tests::usage::{self, Usage};

use super::setup::Setup;
use super::table::{Cell, Goal, Table};

/// Events of the usual kind, and the many of which memory must not depend.
const EVENTS: [u64; 2] = [10_000_000, 100_000_000];
/// Sessions whose events are told again and again, each time of other sessions and files.
const SESSIONS: u64 = 4_000;
/// Transfers, refused logins and greetings, each of a name of its own.
const HOSTILE: u64 = 1_000_000;
/// The length of such a name: as much as a table keeps.
const NAME: usize = 1_024;

/// Measures.
pub(crate) fn run(setup: &Setup) -> Result<Vec<Table>> {
    let mut table = Table::new(
        "Events by a pipe to one HTML file; one round",
        &[("M events", 1), ("MB", 0), ("seconds", 1), ("CPU s", 1), ("peak MB", 0)],
    );
    let capture = setup.capture(SESSIONS)?;
    let events = run_ok(Command::new(setup.agent()).arg("read").arg(&capture.path))?;
    let lines: Vec<Vec<u8>> = events.split_inclusive('\n').map(|line| line.as_bytes().to_vec()).collect();
    let (time, memory) = (Goal::AtMost(60.0), Goal::AtMost(256.0));
    let [usual, many] = EVENTS;
    let usual = measured(setup, |to| again(&lines, usual, to))?;
    table.row("of 4,000 sessions, again and again as other ones", cells(&usual, Some(time), memory));
    let many = measured(setup, |to| again(&lines, many, to))?;
    table.row("ten times as many", cells(&many, None, memory));
    let hostile = measured(setup, invented)?;
    table.row("names of 1,024 bytes, no two alike", cells(&hostile, None, memory));
    Ok(vec![table])
}

/// The events that were written, and the resources that reading them took.
struct Measured {
    events: u64,
    bytes: u64,
    used: Usage,
}

fn measured(
    setup: &Setup,
    write: impl FnOnce(&mut BufWriter<ChildStdin>) -> Result<[u64; 2]>,
) -> Result<Measured> {
    let page = setup.folder().join("report.html");
    let begin = Instant::now();
    let mut report = Command::new(setup.agent());
    report.args(["report", "-", "--html"]).arg(&page).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = report.spawn().context("cannot start the report")?;
    let mut to = BufWriter::with_capacity(1 << 20, child.stdin.take().context("its input")?);
    let [events, bytes] = write(&mut to)?;
    to.flush()?;
    drop(to);
    let used = usage::finish(child, begin)?;
    ensure!(used.status.success(), "the report failed: {}", used.status);
    // What is fast because it left something out is no measurement.
    let text = std::fs::read_to_string(&page).context("the page")?;
    let digits: String = text
        .split_once("<dt>events</dt><dd>")
        .and_then(|(_, rest)| rest.split_once('<'))
        .map(|(number, _)| number.chars().filter(char::is_ascii_digit).collect())
        .unwrap_or_default();
    ensure!(digits == events.to_string(), "the page has {digits} of {events} events");
    Ok(Measured { events, bytes, used })
}

fn cells(measured: &Measured, time: Option<Goal>, memory: Goal) -> Vec<Cell> {
    let seconds = measured.used.elapsed.as_secs_f64();
    vec![
        Cell::Number(measured.events as f64 / 1e6),
        Cell::Number(measured.bytes as f64 / 1e6),
        time.map_or(Cell::Number(seconds), |goal| Cell::Goal(seconds, goal)),
        Cell::Number(measured.used.cpu.as_secs_f64()),
        Cell::Goal(measured.used.peak_bytes as f64 / 1e6, memory),
    ]
}

/// So many lines of events, each round with other sessions, paths and days. Gives how many there were, and their bytes.
fn again(lines: &[Vec<u8>], events: u64, to: &mut BufWriter<ChildStdin>) -> Result<[u64; 2]> {
    let mut lines: Vec<Vec<u8>> = lines.to_vec();
    let places: Vec<[Option<usize>; 3]> = lines
        .iter()
        .map(|line| {
            let text = String::from_utf8_lossy(line);
            let behind = |mark: &str| text.find(mark).map(|at| at + mark.len());
            [behind("\"session\":\""), behind("-00"), behind("\"ts\":\"2026-")]
        })
        .collect();
    let (mut count, mut bytes) = (0, 0);
    for round in 0.. {
        let new = [format!("{round:04x}"), format!("{:03}", round % 1_000), format!("{:02}", round % 12 + 1)];
        for (line, places) in lines.iter_mut().zip(&places) {
            for (place, new) in places.iter().zip(&new) {
                let Some(place) = place.and_then(|at| line.get_mut(at..at + new.len())) else { continue };
                place.copy_from_slice(new.as_bytes());
            }
            to.write_all(line)?;
            (count, bytes) = (count + 1, bytes + line.len() as u64);
            if count == events {
                return Ok([count, bytes]);
            }
        }
    }
    Ok([count, bytes])
}

/// Events whose names are as long as any that is kept, and all different.
fn invented(to: &mut BufWriter<ChildStdin>) -> Result<[u64; 2]> {
    let mut bytes = 0;
    for number in 0..HOSTILE {
        // `<` has six bytes in the page.
        let name = format!("{number:08}{}", "<".repeat(NAME - 8));
        let address = format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255);
        let head = format!(
            "\"seq\":{number},\"run\":\"00000000000000ab\",\"sensor\":\"s\",\"session\":\"{number:016x}\",\
             \"community_id\":\"1:LQU9qZlK+B5F3KDmev6m5PMibrg=\",\"client\":{{\"ip\":\"{address}\",\"port\":40000}},\
             \"server\":{{\"ip\":\"{address}\",\"port\":21}}"
        );
        let ts = "\"ts\":\"2026-01-01T00:00:00.000000000Z\"";
        let line = match number % 3 {
            0 => format!(
                "{{{ts},\"event\":\"transfer\",{head},\"user\":\"{name}\",\"tx\":1,\"transfer\":{{\"verb\":\"RETR\",\"arg\":\"/{name}\",\
                 \"path\":\"/a.{name}\",\"direction\":\"download\",\"type\":\"image\",\"offset\":0,\"bytes\":1,\"outcome\":\"complete\",\
                 \"code\":226}}}}\n"
            ),
            1 => format!(
                "{{{ts},\"event\":\"login\",{head},\"user\":\"{name}\",\"tx\":1,\"login\":{{\"user\":\"{name}\",\"outcome\":\"failure\",\
                 \"anonymous\":false,\"secret\":null,\"code\":530,\"encrypted\":false}}}}\n"
            ),
            _ => format!(
                "{{{ts},\"event\":\"reply\",{head},\"tx\":0,\"reply\":{{\"code\":220,\"text\":\"{name}\",\"lines\":1,\"class\":\"completion\",\
                 \"category\":\"connection\",\"final\":true,\"truncated\":false,\"malformed\":false}}}}\n"
            ),
        };
        to.write_all(line.as_bytes())?;
        bytes += line.len() as u64;
    }
    Ok([HOSTILE, bytes])
}
