//! ftpmon's build, run and test commands: `cargo xtask COMMAND`.

#![expect(clippy::print_stdout, reason = "standard output is where a command answers")]

mod baseline;
mod bench;
mod bless;
mod demo;
mod deny;
mod dist;
mod docs;
mod document;
mod ebpf;
mod fuzz;
mod kernels;
mod miri;
mod msrv;
mod mutants;
mod run;
mod tally;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// ftpmon's build, run and test commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Builds the agent and runs it; asks for root with sudo where it must.
    Run(run::Args),
    /// Shows ftpmon at work between a server and a client of its own, in namespaces.
    Demo(demo::Args),
    /// Runs all tests and installs what they need.
    Test(test::Args),
    /// Measures what watching costs.
    Bench(bench::Args),
    /// Checks what no compiler checks: who may import whom, sizes, names, documents.
    Tidy,
    /// Checks licences, sources and known vulnerabilities of the dependencies; installs cargo-deny where it is missing.
    Deny,
    /// Compiles the workspace with the Rust version that it declares; installs it where it is missing.
    Msrv,
    /// Builds the kernel object from source, or proves the committed one.
    Ebpf(ebpf::Args),
    /// Takes what ftpmon says of the goldens as right: read the difference.
    Bless(bless::Args),
    /// Makes the packages in target/dist and checks them; installs cargo-deb where it is missing.
    Dist(dist::Args),
    /// Builds the documentation as a site in target/book, with pictures that tests make; installs mdbook where it is missing.
    Docs(docs::Args),
    /// Fuzzes the core; installs cargo-fuzz where it is missing.
    Fuzz(fuzz::Args),
    /// Runs the core's unit tests under Miri; installs it where it is missing.
    Miri(miri::Args),
    /// Runs the core's unit tests on small changes of its code; installs cargo-mutants where it is missing.
    Mutants(mutants::Args),
}

/// The names of all tasks.
fn names() -> Vec<String> {
    Cli::command().get_subcommands().map(|task| task.get_name().to_owned()).collect()
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Run(args) => run::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Tidy => tidy::run(names()),
        Task::Deny => deny::run(),
        Task::Msrv => msrv::run(),
        Task::Ebpf(args) => ebpf::run(&args),
        Task::Bless(args) => bless::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Docs(args) => docs::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Miri(args) => miri::run(&args),
        Task::Mutants(args) => mutants::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
