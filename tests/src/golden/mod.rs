//! Golden folders: a script, and what `ftpmon read` makes of its capture in each format.
//!
//! An output is checked line by line against its format's rules, and what changes from run to run is taken out or
//! numbered, so that it can be compared with the folder's expectation byte for byte.

mod agree;
mod ecs;
mod eve;
mod json;
mod numbered;
mod zeek;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::script;

/// A format of `ftpmon read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ftpmon's own events.
    Json,
    /// Suricata's EVE.
    Eve,
    /// Zeek's ftp.log, tab-separated.
    Zeek,
    /// Zeek's ftp.log as JSON.
    ZeekJson,
    /// The Elastic Common Schema.
    Ecs,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Json, Self::Eve, Self::Zeek, Self::ZeekJson, Self::Ecs];

    /// The name that `--format` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Eve => "eve",
            Self::Zeek => "zeek",
            Self::ZeekJson => "zeek-json",
            Self::Ecs => "ecs",
        }
    }

    /// The expectation's file in a golden folder.
    pub const fn expectation(self) -> &'static str {
        match self {
            Self::Json => "expect.jsonl",
            Self::Eve => "expect.eve.jsonl",
            Self::Zeek => "expect.zeek.log",
            Self::ZeekJson => "expect.zeek.jsonl",
            Self::Ecs => "expect.ecs.jsonl",
        }
    }

    /// An output as an expectation has it.
    ///
    /// # Errors
    /// The first line that the format does not allow.
    pub fn normalized(self, output: &str) -> Result<String> {
        match self {
            Self::Json => json::normalized(output),
            Self::Eve => eve::normalized(output),
            Self::Zeek => zeek::normalized(output),
            Self::ZeekJson => zeek::normalized_json(output),
            Self::Ecs => ecs::normalized(output),
        }
    }
}

/// A golden folder.
#[derive(Clone, Debug)]
pub struct Golden {
    folder: PathBuf,
    /// The folder's name.
    pub name: String,
}

impl Golden {
    /// All golden folders of the workspace, by name.
    ///
    /// # Errors
    /// The folders cannot be listed.
    pub fn all() -> Result<Vec<Self>> {
        let parent = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens");
        let mut goldens = Vec::new();
        for entry in
            std::fs::read_dir(&parent).with_context(|| format!("cannot list {}", parent.display()))?
        {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            goldens.push(Self { folder: entry.path(), name });
        }
        goldens.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(goldens)
    }

    /// The frames of its capture.
    ///
    /// # Errors
    /// There is no script, or it is wrong.
    pub fn frames(&self) -> Result<Vec<script::capture::Frame>> {
        script::frames(&self.script()?)
    }

    /// The text of its script.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn script(&self) -> Result<String> {
        std::fs::read_to_string(self.folder.join("script.ftp")).context("script.ftp")
    }

    /// Its capture file.
    ///
    /// # Errors
    /// As [`Self::frames`].
    pub fn capture(&self) -> Result<Vec<u8>> {
        let script = std::fs::read_to_string(self.folder.join("script.ftp")).context("script.ftp")?;
        script::capture(&script)
    }

    /// The output of `binary` for this golden's capture in a format, normalized. `scratch` is a folder for the capture.
    ///
    /// # Errors
    /// As [`Self::output`], or the output breaks the format's rules.
    pub fn run(&self, binary: &Path, format: Format, scratch: &Path) -> Result<String> {
        format.normalized(&self.output(binary, format, scratch)?)
    }

    /// The output of `binary` for this golden's capture in a format. `scratch` is a folder for the capture.
    ///
    /// # Errors
    /// The folder is not complete, ftpmon failed, or its output is not UTF-8.
    pub fn output(&self, binary: &Path, format: Format, scratch: &Path) -> Result<String> {
        self.output_with(&[], binary, format, scratch)
    }

    /// The same with further options.
    ///
    /// # Errors
    /// Likewise.
    pub fn output_with(
        &self,
        further: &[&str],
        binary: &Path,
        format: Format,
        scratch: &Path,
    ) -> Result<String> {
        let readme = std::fs::read_to_string(self.folder.join("README.md")).unwrap_or_default();
        ensure!(!readme.trim().is_empty(), "there is no README.md that says what is shown");
        let script = std::fs::read_to_string(self.folder.join("script.ftp")).context("script.ftp")?;
        let options = std::fs::read_to_string(self.folder.join("options")).unwrap_or_default();
        let capture = scratch.join(format!("{}-{}.pcap", self.name, format.name()));
        std::fs::write(&capture, script::capture(&script)?)?;
        let output = Command::new(binary)
            .args(["read", "--format", format.name()])
            .args(options.split_whitespace())
            .args(further)
            .arg(&capture)
            .output()?;
        let _ = std::fs::remove_file(&capture);
        ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).context("the output is not UTF-8")
    }

    /// Compares an output with the expectation.
    ///
    /// # Errors
    /// The first line that differs.
    pub fn compare(&self, format: Format, found: &str) -> Result<()> {
        let path = self.folder.join(format.expectation());
        let expected =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let (mut expected, mut found) = (expected.split('\n'), found.split('\n'));
        let mut number = 0;
        loop {
            number += 1;
            match (expected.next(), found.next()) {
                (None, None) => return Ok(()),
                (one, other) if one != other => {
                    let shown = |line: Option<&str>| line.unwrap_or("(nothing)").to_owned();
                    bail!("line {number}\n  expected {}\n  found    {}", shown(one), shown(other));
                }
                _ => {}
            }
        }
    }

    /// Writes an output as the expectation.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn bless(&self, format: Format, found: &str) -> Result<()> {
        let path = self.folder.join(format.expectation());
        std::fs::write(&path, found).with_context(|| format!("cannot write {}", path.display()))
    }
}
