//! The paths of programs and build results on this machine.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A program on the PATH or in a system folder that is not always on it.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The workspace's target folder.
///
/// # Errors
/// This program does not run from it, and `CARGO_TARGET_DIR` is not set.
pub fn target() -> Result<PathBuf> {
    if let Some(path) = env::var_os("CARGO_TARGET_DIR") {
        return Ok(path.into());
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace's folder")?;
    Ok(workspace.join("target"))
}
