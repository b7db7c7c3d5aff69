//! `cargo xtask bless`: what ftpmon writes of a golden's capture, in every format, becomes its expectation.

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::golden::Golden;

use crate::workspace::cargo;

/// Options of `cargo xtask bless`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The golden's folder; all of them where none is given.
    golden: Option<String>,
}

/// Writes the expectations. The caller has to read the difference: a golden that takes a fault as right is worse than
/// none.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = cargo()?;
    command.args(["test", "--quiet", "--package", "ftpmon", "--test", "goldens"]).env("FTPMON_BLESS", "1");
    if let Some(golden) = &args.golden {
        ensure!(Golden::all()?.iter().any(|known| known.name == *golden), "no golden is called {golden}");
        command.args(["--", &format!("{golden}::")]);
    }
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "not every golden could be run");
    println!("bless: expectations written; read `git diff tests/goldens` before you commit");
    Ok(())
}
