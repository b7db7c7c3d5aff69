//! From a packet to the line about it: how long a message is under way at a steady rate of messages.

use anyhow::{Context as _, Result};
use ftpmon_tests::net::{Direct, Replay};

use super::live::{MTU, ftpmon};
use super::setup::Setup;
use super::table::{Cell, Goal, Table, towards};
use super::watcher::{Keep, Output, Watcher};

/// Messages a second.
const RATES: [u32; 3] = [1_000, 10_000, 100_000];
/// The rate that has a goal, and the 99th percentile there, ms.
const GOAL: (u32, f64) = (10_000, 2.0);
/// The duration of each, seconds.
const SECONDS: f64 = 5.0;
/// Sessions of the capture: enough for the highest rate.
const SESSIONS: u64 = 27_000;
const DAY_NS: u64 = 86_400_000_000_000;

/// Measures.
pub(crate) fn run(setup: &Setup) -> Result<Vec<Table>> {
    let capture = setup.capture(SESSIONS.min(setup.sessions))?;
    let replay = Replay::load(&capture.path)?;
    let net = Direct::new(MTU)?;
    let frames_a_message = capture.holds.packets as f64 / capture.holds.control_messages as f64;
    let mut table = Table::new(
        format!("From packet to line read, ms; {SECONDS} s at each rate, --hook auto on veth"),
        &[
            ("messages", 0),
            ("p50", 3),
            ("p99", 3),
            ("p99.9", 3),
            ("highest", 3),
            ("sent, messages/s", 0),
            ("records lost", 0),
        ],
    );
    for rate in RATES {
        let mut command = ftpmon(setup, &net, "auto");
        let watcher = Watcher::start(&mut command, "\"sensor_start\"", Keep::Timed)?;
        let frames = f64::from(rate) * frames_a_message;
        let sent = replay.send_steadily(&net.server, Direct::DEVICE, (frames * SECONDS) as usize, frames)?;
        watcher.used()?;
        let (output, _) = watcher.stop()?;
        let mut times = latencies(&output);
        times.sort_unstable();
        let at = |share: f64| {
            let place = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
            times.get(place).map_or(f64::NAN, |nanos| *nanos as f64 / 1e6)
        };
        let stats = output.stats()?;
        let lost = stats.pointer("/lost").and_then(serde_json::Value::as_object).context("no losses")?;
        let lost: u64 = lost.values().filter_map(serde_json::Value::as_u64).sum();
        table.row(
            format!("{rate} messages/s"),
            [
                Cell::Number(times.len() as f64),
                Cell::Number(at(0.5)),
                towards(at(0.99), (rate == GOAL.0).then_some(Goal::AtMost(GOAL.1))),
                Cell::Number(at(0.999)),
                Cell::Number(at(1.0)),
                Cell::Number(sent.rate() / frames_a_message),
                Cell::Number(lost as f64),
            ],
        );
    }
    Ok(vec![table])
}

/// The latency of each command and reply, ns.
fn latencies(output: &Output) -> Vec<u64> {
    let mut times = Vec::new();
    let mut pieces = output.pieces.iter();
    let mut piece = pieces.next();
    let mut at = 0;
    for line in output.bytes.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        while piece.is_some_and(|(_, end)| *end < at) {
            piece = pieces.next();
        }
        let (Some((read, _)), Some(said)) = (piece, said(line)) else { continue };
        // Times of day only: no calendar is needed.
        times.push((read % DAY_NS + DAY_NS - said) % DAY_NS);
    }
    times
}

/// The time of day of a command's or reply's packet, ns: `{"ts":"2026-01-01T12:34:56.123456789Z","event":"reply",…`.
fn said(line: &[u8]) -> Option<u64> {
    let text = str::from_utf8(line).ok()?.strip_prefix("{\"ts\":\"")?;
    let (ts, rest) = text.split_once('"')?;
    let kind = rest.strip_prefix(",\"event\":\"")?;
    if !kind.starts_with("reply\"") && !kind.starts_with("command\"") {
        return None;
    }
    let (_, time) = ts.split_once('T')?;
    let number = |from: usize, to: usize| time.get(from..to)?.parse::<u64>().ok();
    let seconds = (number(0, 2)? * 60 + number(3, 5)?) * 60 + number(6, 8)?;
    Some(seconds * 1_000_000_000 + number(9, 18)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_old_as_the_piece_that_ended_it() {
        let line = |time: &str, event: &str| {
            format!("{{\"ts\":\"2026-01-01T{time}Z\",\"event\":\"{event}\",\"seq\":1}}\n")
        };
        let first = line("23:59:59.999999000", "command");
        let second = line("00:00:00.000000500", "reply");
        let text = format!("{first}{}{second}", line("00:00:00.000000000", "login"));
        let half = first.len() - 5;
        let output =
            Output { pieces: vec![(DAY_NS - 400, half), (DAY_NS + 1_000, text.len())], bytes: text.into() };
        assert_eq!(latencies(&output), [2_000, 500]);
    }
}
