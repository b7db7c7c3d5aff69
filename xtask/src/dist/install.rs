//! The Debian package installed, run, removed and purged, in a root, mounts and a network of its own: nothing of it reaches this machine's.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::machine::find;

use crate::workspace::is_root;

/// Asks of the package what Debian's policy asks, and starts and stops what its unit runs.
const SCRIPT: &str = include_str!("install.sh");
/// The programs that it needs beside those of every Debian.
const PROGRAMS: [&str; 4] = ["unshare", "setpriv", "dpkg", "ip"];

/// Tries a package. A machine where that cannot be done is named, and the trial left out.
pub(super) fn try_out(package: &Path) -> Result<()> {
    let missing = PROGRAMS.into_iter().find(|program| find(program).is_none());
    if let Some(missing) = missing.or_else(|| (!is_root()).then_some("root")) {
        println!("not installed for a trial: that needs {missing}");
        return Ok(());
    }
    let folder = package.with_extension("trial");
    fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
    let tried = Command::new("unshare")
        .args(["--mount", "--net", "--pid", "--fork", "sh", "-c", SCRIPT, "install"])
        .args([package, &folder])
        .output();
    fs::remove_dir(&folder)?;
    let tried = tried.context("cannot run unshare")?;
    ensure!(tried.status.success(), "the package: {}", String::from_utf8_lossy(&tried.stderr));
    println!("installed, started twice, removed and purged in a root of its own");
    Ok(())
}
