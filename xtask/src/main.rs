//! ftpmon's build, run and test commands: `cargo xtask COMMAND`.

#![expect(clippy::print_stdout, reason = "standard output is where a command answers")]

mod ebpf;
mod fuzz;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// ftpmon's build, run and test commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Builds the kernel object from source, or proves the committed one.
    Ebpf(ebpf::Args),
    /// Fuzzes the core; installs cargo-fuzz where it is missing.
    Fuzz(fuzz::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Ebpf(args) => ebpf::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
