//! `cargo xtask bless`: what ftpmon says of every golden's capture becomes its expectation.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Options of `cargo xtask bless`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The golden's folder; all of them where none is given.
    golden: Option<String>,
}

/// Writes the expectations. The difference to the ones before is the caller's to read: a golden that blesses a fault is
/// worse than none.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(["test", "--quiet", "--package", "ftpmon-tests", "--test", "goldens"]);
    command.env("FTPMON_BLESS", "1");
    if let Some(golden) = &args.golden {
        command.env("FTPMON_GOLDEN", golden);
    }
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("not every golden could be run");
    }
    println!("bless: expectations written; read `git diff tests/goldens` before you commit");
    Ok(())
}
