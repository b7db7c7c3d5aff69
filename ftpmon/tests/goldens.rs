//! Every folder of `tests/goldens` in every format: a test `FOLDER::FORMAT` compares what `ftpmon read` writes of the
//! script's capture with the folder's expectation, `FOLDER::agree` compares the expectations with one another, and
//! `FOLDER::round-trip` reads every line of the events and writes it again, `FOLDER::threads` compares the output of 1, 2 and 4
//! threads. No root is needed.
//!
//! `FTPMON_BLESS=1`, which `cargo xtask bless` sets, writes the expectations instead: read the difference before you
//! commit it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use ftpmon::format::{Formatter as _, Json};
use ftpmon_event::EventLine;
use ftpmon_tests::bed::Scratch;
use ftpmon_tests::events::without_run;
use ftpmon_tests::golden::{Format, Golden};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

fn main() -> Result<ExitCode, Failed> {
    let arguments = Arguments::from_args();
    let scratch = Arc::new(Scratch::new("goldens")?);
    let bless = std::env::var_os("FTPMON_BLESS").is_some_and(|value| value != "0");
    let mut trials = Vec::new();
    for golden in Golden::all()? {
        for format in Format::ALL {
            let (golden, scratch) = (golden.clone(), Arc::clone(&scratch));
            let name = format!("{}::{}", golden.name, format.name());
            trials.push(Trial::test(name, move || check(&golden, format, scratch.path(), bless)));
        }
        if !bless {
            let again = golden.clone();
            let name = format!("{}::round-trip", golden.name);
            trials.push(Trial::test(name, move || round_trip(&again)));
            let again = golden.clone();
            let name = format!("{}::threads", golden.name);
            trials.push(Trial::test(name, move || same_for_threads(&again)));
            let name = format!("{}::agree", golden.name);
            trials
                .push(Trial::test(name, move || Ok(golden.agree().map_err(|error| format!("{error:#}"))?)));
        }
    }
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

/// A line read as an event and written again, by the JSON format and by serde, is the same line.
fn round_trip(golden: &Golden) -> Result<(), Failed> {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_ftpmon"));
    let folder = Scratch::new("round-trip")?;
    let output = golden.output(&binary, Format::Json, folder.path()).map_err(|error| format!("{error:#}"))?;
    for line in output.lines() {
        let read: EventLine = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        let mut written = Vec::new();
        Json::new(&read.origin).event(read.seq, &read.event, &mut written);
        if written != format!("{line}\n").into_bytes() {
            return Err(format!("{line}\nbecomes {}", String::from_utf8_lossy(&written)).into());
        }
        if serde_json::from_str::<Value>(line)? != serde_json::to_value(&read)? {
            return Err(format!("serde writes otherwise: {line}").into());
        }
    }
    Ok(())
}

/// Any number of threads writes the same bytes, but for the run's id.
fn same_for_threads(golden: &Golden) -> Result<(), Failed> {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_ftpmon"));
    let folder = Scratch::new("threads")?;
    for format in Format::ALL {
        let output = |threads: &str| {
            let output = golden.output_with(&["--threads", threads], &binary, format, folder.path());
            output.map(|output| without_run(&output)).map_err(|error| format!("{error:#}"))
        };
        let expected = output("1")?;
        for threads in ["2", "4"] {
            if output(threads)? != expected {
                return Err(
                    format!("{}: {threads} threads write something else than one", format.name()).into()
                );
            }
        }
    }
    Ok(())
}

fn check(golden: &Golden, format: Format, scratch: &Path, bless: bool) -> Result<(), Failed> {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_ftpmon"));
    let found = golden.run(&binary, format, scratch).map_err(|error| format!("{error:#}"))?;
    if bless {
        golden.bless(format, &found)?;
    }
    golden.compare(format, &found).map_err(|error| {
        format!("{error:#}\n`cargo xtask bless {}` takes the output as right", golden.name).into()
    })
}
