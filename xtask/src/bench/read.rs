//! `ftpmon read` beside its peers, on the same capture.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use ftpmon_tests::usage::{self, Usage};

use super::callgrind;
use super::peers::Peer;
use super::rounds::{alternate, ratio};
use super::setup::{Capture, Setup};
use super::table::{Cell, Goal, Spread, Table, towards};

/// Sessions of the capture for a peer that would take minutes.
const FEW: u64 = 5_000;
/// Sessions of the capture whose instructions are counted.
const COUNTED: u64 = 2_000;

/// The program that reads the capture.
#[derive(Clone, Debug)]
enum Reader {
    /// With these options.
    Ftpmon(&'static [&'static str]),
    Peer(Peer),
}

impl Reader {
    fn name(&self) -> String {
        match self {
            Self::Ftpmon(options) => format!("ftpmon read {}", options.join(" ")).trim_end().to_owned(),
            Self::Peer(peer) => peer.what().to_owned(),
        }
    }

    fn once(&self, setup: &Setup, capture: &Capture) -> Result<Usage> {
        let mut command = match self {
            Self::Ftpmon(options) => {
                let mut command = Command::new(setup.agent());
                command.arg("read").args(*options).arg(&capture.path);
                command
            }
            Self::Peer(peer) => peer.read(&capture.path, setup.folder())?,
        };
        let used = usage::of(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))?;
        ensure!(used.status.success(), "{}: {}", self.name(), used.status);
        Ok(used)
    }
}

/// Measures.
pub(crate) fn run(setup: &Setup) -> Result<Vec<Table>> {
    let large = setup.capture(setup.sessions)?;
    let floor = Reader::Peer(Peer::Tcpdump);
    let first = large_table(setup, &large, &floor)?;
    let few = setup.capture(FEW)?;
    let second = small_table(setup, &few)?;
    Ok(vec![first, second, counted(setup)?])
}

const COLUMNS: [(&str, usize); 5] =
    [("seconds", 2), ("× tcpdump", 2), ("CPU s", 2), ("peak MB", 1), ("M packets/s", 2)];

fn large_table(setup: &Setup, capture: &Capture, floor: &Reader) -> Result<Table> {
    let readers = [
        floor.clone(),
        Reader::Ftpmon(&[]),
        Reader::Ftpmon(&["--format", "eve"]),
        Reader::Ftpmon(&["--format", "zeek"]),
        Reader::Ftpmon(&["--files", "hash"]),
        Reader::Peer(Peer::Ndpi),
        Reader::Peer(Peer::Suricata),
    ];
    let rounds = setup.rounds(5);
    let results = turns(setup, capture, &readers, rounds, true)?;
    let title = format!(
        "A capture of {} sessions, {} packets, {} control messages, {} MB to /dev/null; median of {rounds} rounds",
        capture.holds.sessions,
        capture.holds.packets,
        capture.holds.control_messages,
        capture.holds.file_bytes / 1_000_000
    );
    let mut table = Table::new(title, &COLUMNS);
    let base = results.first().and_then(Option::as_deref).unwrap_or_default();
    for (reader, used) in readers.iter().zip(&results) {
        let is_plain = matches!(reader, Reader::Ftpmon([]));
        let goals = is_plain.then_some((Goal::AtMost(2.4), Goal::AtMost(64.0)));
        table.row(reader.name(), cells(used.as_deref(), base, goals, capture.holds.packets));
    }
    Ok(table)
}

fn small_table(setup: &Setup, capture: &Capture) -> Result<Table> {
    let readers = [Reader::Peer(Peer::Tcpdump), Reader::Ftpmon(&[]), Reader::Peer(Peer::Tshark)];
    let results = turns(setup, capture, &readers, 1, false)?;
    let title = format!(
        "A capture of {} sessions, {} packets, for a peer that takes its time; one round",
        capture.holds.sessions, capture.holds.packets
    );
    let mut table = Table::new(title, &COLUMNS);
    let base = results.first().and_then(Option::as_deref).unwrap_or_default();
    for (reader, used) in readers.iter().zip(&results) {
        table.row(reader.name(), cells(used.as_deref(), base, None, capture.holds.packets));
    }
    Ok(table)
}

/// Those that are there take turns. None for one that is not.
fn turns(
    setup: &Setup,
    capture: &Capture,
    readers: &[Reader],
    rounds: usize,
    warm: bool,
) -> Result<Vec<Option<Vec<Usage>>>> {
    let missing = |reader: &Reader| matches!(reader, Reader::Peer(peer) if peer.missing());
    let there: Vec<&Reader> = readers.iter().filter(|reader| !missing(reader)).collect();
    let mut results = alternate(&there, rounds, warm, |reader| reader.once(setup, capture))?.into_iter();
    Ok(readers.iter().map(|reader| if missing(reader) { None } else { results.next() }).collect())
}

fn seconds(used: &[Usage]) -> impl Iterator<Item = f64> {
    used.iter().map(|used| used.elapsed.as_secs_f64())
}

fn cells(used: Option<&[Usage]>, base: &[Usage], goals: Option<(Goal, Goal)>, packets: u64) -> Vec<Cell> {
    let Some(used) = used else {
        return vec![Cell::Text("not installed".to_owned())];
    };
    let time = Spread::of(seconds(used));
    let peak = Spread::of(used.iter().map(|used| used.peak_bytes as f64 / 1e6)).highest;
    vec![
        Cell::Spread(time),
        towards(ratio(seconds(used), seconds(base)), goals.map(|(time, _)| time)),
        Cell::Number(Spread::of(used.iter().map(|used| used.cpu.as_secs_f64())).median),
        towards(peak, goals.map(|(_, memory)| memory)),
        Cell::Number(packets as f64 / time.median / 1e6),
    ]
}

/// Instructions, which do not wobble.
fn counted(setup: &Setup) -> Result<Table> {
    let mut table = Table::new(
        format!("Instructions by callgrind, a capture of {COUNTED} sessions, all threads"),
        &[("millions", 1), ("a packet", 0), ("a control message", 0)],
    );
    if let Err(error) = callgrind::provide() {
        table.row("ftpmon read", [Cell::Text(format!("not counted: {error:#}"))]);
        return Ok(table);
    }
    let capture = setup.capture(COUNTED)?;
    let path = capture.path.to_string_lossy();
    for options in [&[][..], &["--format", "eve"], &["--format", "zeek"], &["--files", "hash"]] {
        let words = [&["read"], options, &[path.as_ref()]].concat();
        let count = callgrind::instructions(setup.agent(), &words, None, setup.folder())? as f64;
        let cells = [
            count / 1e6,
            count / capture.holds.packets as f64,
            count / capture.holds.control_messages as f64,
        ];
        table.row(format!("ftpmon read {}", options.join(" ")).trim_end(), cells.map(Cell::Number));
    }
    Ok(table)
}
