//! The archive for any Linux: the agent with its documents and the files below `deploy/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::binary::{Binary, Documents};
use crate::workspace::root;

/// Files of the workspace that go along.
const FILES: [&str; 5] = ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// Makes `ftpmon-VERSION-x86_64-linux.tar.gz` in `folder`. The same contents give the same bytes.
pub(super) fn make(folder: &Path, binary: &Binary, documents: &Documents) -> Result<PathBuf> {
    let root = root()?;
    let name = format!(
        "ftpmon-{}-x86_64-linux{}",
        env!("CARGO_PKG_VERSION"),
        if binary.is_static { "" } else { "-gnu" }
    );
    let stage = folder.join(&name);
    fs::create_dir(&stage).with_context(|| stage.display().to_string())?;
    binary.copy_to(&stage.join("ftpmon"))?;
    for file in FILES {
        copy(&root.join(file), &stage.join(file))?;
    }
    for (from, to) in [
        (documents.manual.as_path(), "man"),
        (documents.completions.as_path(), "completions"),
        (&root.join("deploy"), "deploy"),
        (&root.join("docs"), "docs"),
    ] {
        let copied = Command::new("cp").arg("-r").arg(from).arg(stage.join(to)).status()?;
        ensure!(copied.success(), "cannot copy {}", from.display());
    }
    let archive = folder.join(format!("{name}.tar.gz"));
    let packed = Command::new("tar")
        .current_dir(folder)
        .args([
            "--sort=name",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mtime=@0",
            "--use-compress-program=gzip -n9",
        ])
        .arg("-cf")
        .arg(&archive)
        .arg(&name)
        .status()?;
    ensure!(packed.success(), "tar failed");
    fs::remove_dir_all(&stage)?;
    Ok(archive)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}
