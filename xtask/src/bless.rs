//! `cargo xtask bless`: what ftpmon writes of a golden's capture, in every format, becomes its expectation, and what a detector says of
//! its scripts.

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::detections::Detection;
use ftpmon_tests::golden::Golden;

use crate::workspace::cargo;

/// Options of `cargo xtask bless`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The golden's folder, or a detector's; all of them where none is given.
    golden: Option<String>,
}

/// Writes the expectations. The caller has to read the difference: a golden that takes a fault as right is worse than
/// none.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = cargo()?;
    command.args(["test", "--quiet", "--package", "ftpmon"]).env("FTPMON_BLESS", "1");
    match &args.golden {
        None => {
            command.args(["--test", "goldens", "--test", "detections"]);
        }
        Some(name) if Detection::all()?.iter().any(|known| known.id == *name) => {
            command.args(["--test", "detections", "--", "--exact", name]);
        }
        Some(name) => {
            ensure!(Golden::all()?.iter().any(|known| known.name == *name), "no golden is called {name}");
            command.args(["--test", "goldens", "--", &format!("{name}::")]);
        }
    }
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "not every golden could be run");
    println!("bless: expectations written; read `git diff tests` before you commit");
    Ok(())
}
