//! `cargo xtask deny`: licences, bans and sources of all dependencies, and known vulnerabilities where their database can
//! be reached. `deny.toml` says what is allowed.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::tools::Tool;
use crate::workspace::cargo;

const CARGO_DENY: Tool = Tool { package: "cargo-deny", version: "0.20.2", options: &[] };

/// Checks the dependencies.
pub(crate) fn run() -> Result<()> {
    CARGO_DENY.provide()?;
    let succeeds = |command: &mut Command| -> Result<bool> {
        Ok(command.status().context("cannot run cargo deny")?.success())
    };
    // Those of other systems too, which no build here has fetched.
    ensure!(succeeds(cargo()?.args(["fetch", "--quiet", "--locked"]))?, "the dependencies cannot be fetched");
    let rules = succeeds(cargo()?.args(["deny", "--offline", "check", "bans", "licenses", "sources"]))?;
    ensure!(rules, "a dependency breaks deny.toml");
    // The database is a git repository on another host, which not every machine reaches.
    if !cargo()?.args(["deny", "fetch", "db"]).output().context("cannot run cargo deny")?.status.success() {
        println!("advisories: not checked, the database of advisories cannot be fetched here");
        return Ok(());
    }
    ensure!(
        succeeds(cargo()?.args(["deny", "--offline", "check", "advisories"]))?,
        "a dependency is known to be vulnerable, unmaintained or yanked"
    );
    Ok(())
}
