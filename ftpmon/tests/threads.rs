//! Results do not depend on how many partitions there are or which threads own them, byte for byte: on captures of many
//! dialogues, a part of which several pairs of hosts take part in. `FTPMON_DIALOGUES=50000` makes it a long run.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::path::Path;
use std::process::Command;

use ftpmon::capture::{CaptureFile, Step};
use ftpmon::config::Config;
use ftpmon::format::{Formatter as _, Json};
use ftpmon_core::detect::{ALL, Detectors};
use ftpmon_core::engine::{Engine, EngineConfig, Output};
use ftpmon_core::frame::Decoder;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{EventLine, Origin};
use ftpmon_tests::bed::Scratch;
use ftpmon_tests::events::without_run;
use ftpmon_tests::script::mixed;

/// Dialogues of the capture, unless the environment says otherwise.
const DIALOGUES: u64 = 3_000;

/// The output of `ftpmon read`.
fn read(capture: &Path, options: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_ftpmon")).arg("read").args(options).arg(capture).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of the engine's events and of the alerts about them, of one engine that owns `partitions` partitions.
fn lines(capture: &Path, partitions: u8, origin: &Origin) -> String {
    let config = EngineConfig { partitions, ..Config::default().read_engine().unwrap() };
    let (mut engine, mut decoder) = (Engine::new(config), Decoder::default());
    let mut file = CaptureFile::open(capture).unwrap();
    let (mut json, mut out, mut seq) = (Json::new(origin), Vec::new(), 1);
    let on = ALL.iter().filter(|entry| entry.on).map(|entry| (*entry, entry.threshold));
    let mut detectors = Detectors::start(on, &[]);
    let mut write = |engine: &mut Engine| {
        while let Some(output) = engine.poll() {
            let Output::Event(event) = output else { continue };
            detectors.event(&event);
            for event in [event].into_iter().chain(core::iter::from_fn(|| detectors.pop())) {
                json.event(seq, &event, &mut out);
                seq += 1;
            }
        }
    };
    let (mut index, mut latest) = (0, Timestamp::EARLIEST);
    loop {
        match file.step().unwrap() {
            Step::Packet { at, frame } => {
                match decoder.decode(at, &frame) {
                    Some(segment) => engine.handle_segment(at, index, &segment),
                    None => engine.handle_time(at, index),
                }
                (index, latest) = (index + 1, latest.max(at));
                write(&mut engine);
            }
            Step::Interface { id, name } => engine.name_interface(id, name.unwrap_or_default()),
            Step::Wait => {}
            Step::End => break,
        }
    }
    engine.finish(latest);
    write(&mut engine);
    String::from_utf8(out).unwrap()
}

#[test]
fn the_output_is_the_same_for_any_number_of_partitions_and_threads() {
    let dialogues = std::env::var("FTPMON_DIALOGUES").map_or(DIALOGUES, |number| number.parse().unwrap());
    let scratch = Scratch::new("threads").unwrap();
    let capture = scratch.path().join("mixed.pcap");
    let mut bytes = Vec::new();
    let summary = mixed::write(&mut bytes, dialogues).unwrap();
    std::fs::write(&capture, bytes).unwrap();

    let one = read(&capture, &["--threads", "1"]);
    let told = |what: &str| one.lines().filter(|line| line.contains(what)).count() as u64;
    assert_eq!(told(r#""event":"session_end""#), summary.sessions);
    assert!(told(r#""event":"transfer""#) >= dialogues / 2, "transfers across pairs of hosts are told");
    let format = |threads, format| without_run(&read(&capture, &["--threads", threads, "--format", format]));
    for threads in ["2", "4"] {
        let same = without_run(&one) == format(threads, "json");
        assert!(same, "{threads} threads write something else than one");
    }
    let eve = format("1", "eve");
    assert!(eve == format("2", "eve") && eve == format("4", "eve"), "EVE depends on threads");

    let all: Vec<&str> = one.split_inclusive('\n').collect();
    let start: EventLine = serde_json::from_str(all[0]).unwrap();
    // Between `sensor_start` before them, and `stats` and `sensor_stop` behind them.
    let events = all[1..all.len() - 2].concat();
    for partitions in [1, 2, 16] {
        let same = events == lines(&capture, partitions, &start.origin);
        assert!(same, "{partitions} partitions give something else than `ftpmon read`");
    }
}
