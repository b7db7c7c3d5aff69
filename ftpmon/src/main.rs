//! The `ftpmon` command.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use ftpmon::cli::{Cli, Command};

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let config = command.config().unwrap_or_default();
    if let Err(contradiction) = config.check() {
        Cli::refuse(&contradiction);
    }
    let result: anyhow::Result<()> = match command {
        Command::Run(_) => ftpmon::run(&config),
        Command::Read(_) => ftpmon::read(&config),
        Command::Schema => schema(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ftpmon: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `ftpmon schema`: how `docs/events.schema.json` is made.
fn schema() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &ftpmon_event::schema())?;
    Ok(writeln!(out)?)
}
