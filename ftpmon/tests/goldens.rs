//! Every folder of `tests/goldens` in every format: a test `FOLDER::FORMAT` compares what `ftpmon read` writes of the
//! script's capture with the folder's expectation, and `FOLDER::agree` compares the expectations with one another. No
//! root is needed.
//!
//! `FTPMON_BLESS=1`, which `cargo xtask bless` sets, writes the expectations instead: read the difference before you
//! commit it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use ftpmon_tests::bed::Scratch;
use ftpmon_tests::golden::{Format, Golden};
use libtest_mimic::{Arguments, Failed, Trial};

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
            let name = format!("{}::agree", golden.name);
            trials
                .push(Trial::test(name, move || Ok(golden.agree().map_err(|error| format!("{error:#}"))?)));
        }
    }
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
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
