//! The `ftpmon` command.

use std::process::ExitCode;

use clap::Parser as _;
use ftpmon::cli::{Cli, Command};

fn main() -> ExitCode {
    let result: anyhow::Result<()> = match Cli::parse().command {
        Command::Run(options) => ftpmon::run::run(&options),
        Command::Read(options) => ftpmon::read::read(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ftpmon: {error:#}");
            ExitCode::FAILURE
        }
    }
}
