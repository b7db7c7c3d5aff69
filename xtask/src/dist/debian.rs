//! The Debian package, by cargo-deb: its contents are `package.metadata.deb` of `ftpmon/Cargo.toml`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::binary::{Binary, Documents};
use crate::tools::Tool;
use crate::workspace::{cargo, root};

const CARGO_DEB: Tool = Tool { package: "cargo-deb", version: "3.8.0", options: &[] };

/// Makes `ftpmon_VERSION_amd64.deb` in `folder`.
pub(super) fn make(folder: &Path, binary: &Binary, documents: &Documents) -> Result<PathBuf> {
    CARGO_DEB.provide()?;
    // The package's contents are named relative to this folder, whatever the target of the build was.
    let stage = root()?.join("target/debian");
    let _ = fs::remove_dir_all(&stage);
    fs::create_dir_all(&stage)?;
    binary.copy_to(&stage.join("ftpmon"))?;
    for (from, to) in [(&documents.manual, "man"), (&documents.completions, "completions")] {
        let copied = Command::new("cp").arg("-r").arg(from).arg(stage.join(to)).status()?;
        ensure!(copied.success(), "cannot copy {}", from.display());
    }
    let package = folder.join(format!("ftpmon_{}_amd64.deb", env!("CARGO_PKG_VERSION")));
    let made = cargo()?
        .args(["deb", "--quiet", "--no-build", "--no-strip", "--package", "ftpmon", "--output"])
        .arg(&package)
        .status()?;
    ensure!(made.success(), "cargo deb failed");
    fs::remove_dir_all(&stage)?;
    Ok(package)
}
