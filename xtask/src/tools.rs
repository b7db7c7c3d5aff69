//! Tools of cargo's registry that are installed where they are missing.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::workspace::cargo;

/// A tool that cargo runs as a subcommand, or a program of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    /// The package on crates.io, and the program.
    pub(crate) package: &'static str,
    /// The version that is installed where there is none.
    pub(crate) version: &'static str,
    /// Further options of its installation.
    pub(crate) options: &'static [&'static str],
}

impl Tool {
    /// Installs the tool where cargo does not know it.
    pub(crate) fn provide(self) -> Result<()> {
        let Self { package, version, options } = self;
        // A subcommand of cargo's, or a program of its own.
        let mut probe = match package.strip_prefix("cargo-") {
            Some(subcommand) => {
                let mut cargo = cargo()?;
                cargo.arg(subcommand);
                cargo
            }
            None => Command::new(package),
        };
        let there = probe.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if there.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        println!("installing {package} {version} with cargo install (some minutes)");
        let status = cargo()?
            .args(["install", "--quiet", "--locked", package, "--version", version])
            .args(options)
            .status()
            .context("cannot run cargo install")?;
        ensure!(status.success(), "cargo install {package} --version {version} failed");
        Ok(())
    }
}
