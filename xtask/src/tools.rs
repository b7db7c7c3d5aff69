//! Cargo's own tools that are installed where they are missing.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use crate::workspace::cargo;

/// A tool that cargo runs as a subcommand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    /// The package on crates.io, and the program.
    pub(crate) package: &'static str,
    /// The version that is installed where there is none.
    pub(crate) version: &'static str,
}

impl Tool {
    /// Installs the tool where cargo does not know it.
    pub(crate) fn provide(self) -> Result<()> {
        let Self { package, version } = self;
        let subcommand = package.strip_prefix("cargo-").unwrap_or(package);
        let mut probe = cargo()?;
        let there =
            probe.args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if there.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        println!("installing {package} {version} with cargo install (some minutes)");
        let status = cargo()?
            .args(["install", "--quiet", "--locked", package, "--version", version])
            .status()
            .context("cannot run cargo install")?;
        ensure!(status.success(), "cargo install {package} --version {version} failed");
        Ok(())
    }
}
