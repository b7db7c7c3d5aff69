//! Paths of the workspace, and the cargo that builds it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The workspace's folder.
pub(crate) fn root() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    Ok(root.to_path_buf())
}

/// The cargo that runs this, in the workspace.
pub(crate) fn cargo() -> Result<Command> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()?);
    Ok(cargo)
}

/// Builds the agent and gives its path.
pub(crate) fn build_agent() -> Result<PathBuf> {
    build("release", "release")
}

/// Builds the agent as tests of its package have it, without optimization, and gives its path.
pub(crate) fn build_debug_agent() -> Result<PathBuf> {
    build("dev", "debug")
}

/// Builds the agent by a profile, whose programs cargo puts into `folder`.
fn build(profile: &str, folder: &str) -> Result<PathBuf> {
    let mut cargo = cargo()?;
    cargo.args(["build", "--profile", profile, "--package", "ftpmon", "--bin", "ftpmon"]);
    ensure!(cargo.status()?.success(), "ftpmon does not build");
    Ok(ftpmon_tests::machine::target()?.join(folder).join("ftpmon"))
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

/// `program`, as root: by itself where this is root already, else by sudo, which asks for itself.
pub(crate) fn as_root(program: &Path) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(program));
    }
    let sudo = ftpmon_tests::machine::find("sudo")
        .context("this needs root, and there is no sudo here: become root and say it again")?;
    let mut command = Command::new(sudo);
    command.arg(program);
    Ok(command)
}
