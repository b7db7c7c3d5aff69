//! `cargo xtask miri`: the core's unit tests under Miri, which sees undefined behaviour and leaks that no test does.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// The modules that Miri can run: no I/O. Their property tests have cargo-fuzz and the plain test run; a case of theirs
/// takes minutes here.
const MODULES: [&str; 5] = ["ftp::", "session::", "engine::", "tcp::tests", "text::"];
/// The crates that have them.
const PACKAGES: [&str; 4] = ["--package", "ftpmon-core", "--package", "ftpmon-event"];
/// Tests that are too slow under Miri: property tests, and tests that go through thousands of packets.
const TOO_SLOW: [&str; 4] =
    ["properties", "the_nearest_position_is_found", "half_open_connections", "five_gibibytes"];

/// Options of `cargo xtask miri`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The nightly toolchain to run it with.
    #[arg(long, value_name = "NAME", default_value = "nightly")]
    toolchain: String,
    /// Only tests with one of these words in their names.
    words: Vec<String>,
}

/// Runs the core's tests under Miri.
pub(crate) fn run(args: &Args) -> Result<()> {
    provide(&args.toolchain)?;
    let mut command = Command::new("rustup");
    command.args(["run", &args.toolchain, "cargo", "miri", "test"]).args(PACKAGES).args(["--lib", "--"]);
    if args.words.is_empty() {
        command.args(MODULES);
    } else {
        command.args(&args.words);
    }
    for slow in TOO_SLOW {
        command.args(["--skip", slow]);
    }
    command.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("PROPTEST_CASES", "1");
    ensure!(command.status().context("cannot start rustup")?.success(), "Miri found something");
    Ok(())
}

/// Installs Miri where it is missing.
fn provide(toolchain: &str) -> Result<()> {
    let has_miri = Command::new("rustup")
        .args(["run", toolchain, "cargo", "miri", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if has_miri {
        return Ok(());
    }
    println!("installing Miri and the sources of the standard library for {toolchain}");
    let installed = Command::new("rustup")
        .args(["component", "add", "miri", "rust-src", "--toolchain", toolchain])
        .status()
        .context("Miri needs rustup")?;
    ensure!(
        installed.success(),
        "Miri cannot be installed for {toolchain}: rustup toolchain install {toolchain}"
    );
    Ok(())
}
