//! The agent for packages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::workspace::{build_agent, cargo};

/// The target whose binaries need no library of the system.
const STATIC: &str = "x86_64-unknown-linux-musl";
/// The C compiler for that, which a library of assembler code wants.
const STATIC_CC: &str = "x86_64-linux-musl-gcc";
/// The shells with completions.
const SHELLS: [(&str, &str); 3] = [("bash", "ftpmon.bash"), ("zsh", "_ftpmon"), ("fish", "ftpmon.fish")];

/// A built agent.
#[derive(Debug)]
pub(super) struct Binary {
    /// The program.
    pub(super) path: PathBuf,
    /// It needs no library of the system.
    pub(super) is_static: bool,
}

/// Documents that an agent writes about itself.
#[derive(Debug)]
pub(super) struct Documents {
    /// The folder of manual pages.
    pub(super) manual: PathBuf,
    /// The folder of completions.
    pub(super) completions: PathBuf,
}

impl Binary {
    /// Builds the agent for this system's C library.
    pub(super) fn build() -> Result<Self> {
        Ok(Self { path: build_agent()?, is_static: false })
    }

    /// Builds the agent without any library; None, and a line why, where that cannot be done.
    pub(super) fn build_static() -> Result<Option<Self>> {
        if ftpmon_tests::machine::find(STATIC_CC).is_none() {
            println!("not static: {STATIC_CC} is not installed (Debian: musl-tools)");
            return Ok(None);
        }
        let added = Command::new("rustup").args(["target", "add", STATIC]).stderr(Stdio::null()).status();
        if !added.is_ok_and(|status| status.success()) {
            println!("not static: rustup cannot add {STATIC} here");
            return Ok(None);
        }
        let build = ["build", "--release", "--locked", "--package", "ftpmon", "--bin", "ftpmon", "--target"];
        ensure!(cargo()?.args(build).arg(STATIC).status()?.success(), "ftpmon does not build for {STATIC}");
        let path = ftpmon_tests::machine::target()?.join(STATIC).join("release/ftpmon");
        Ok(Some(Self { path, is_static: true }))
    }

    pub(super) const fn kind(&self) -> &'static str {
        if self.is_static { "static, for any Linux on x86_64" } else { "needs the C library of this system" }
    }

    /// Copies the agent without its symbols, which only debuggers read.
    pub(super) fn copy_to(&self, place: &Path) -> Result<()> {
        let stripped = Command::new("strip").arg("-o").arg(place).arg(&self.path).status();
        ensure!(stripped.context("cannot run strip (binutils)")?.success(), "strip failed");
        Ok(())
    }

    /// Writes manual pages and completions below `folder`.
    pub(super) fn documents(&self, folder: &Path) -> Result<Documents> {
        let documents = Documents { manual: folder.join("man"), completions: folder.join("completions") };
        for folder in [&documents.manual, &documents.completions] {
            std::fs::create_dir(folder).with_context(|| folder.display().to_string())?;
        }
        let made = Command::new(&self.path).arg("man").arg(&documents.manual).status()?;
        ensure!(made.success(), "ftpmon man failed");
        for (shell, file) in SHELLS {
            let output = Command::new(&self.path).args(["completions", shell]).output()?;
            ensure!(output.status.success(), "ftpmon completions {shell} failed");
            std::fs::write(documents.completions.join(file), output.stdout)?;
        }
        Ok(documents)
    }
}
