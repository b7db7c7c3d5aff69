//! The folders of `tests/detections`, one a detector: what it has to find, what it has to pass over, what is just below its threshold,
//! and somebody who knows it and tries to pass by.
//!
//! Each is a [script], whose first line is a comment that says what it shows. A second line that begins with `#!` has
//! options of `ftpmon read`. A comment that begins with `Not seen:` names a way around the detector that is known and documented.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::script;

/// The purpose of a script of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The detector alerts.
    Fires,
    /// Ordinary use that resembles it.
    Quiet,
    /// One less than the threshold, or as near as can be.
    Below,
    /// An attempt to pass by the detector.
    Evasion,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Fires, Self::Quiet, Self::Below, Self::Evasion];

    /// The name of its script.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fires => "fires",
            Self::Quiet => "quiet",
            Self::Below => "below",
            Self::Evasion => "evasion",
        }
    }
}

/// A script of a folder.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its purpose.
    pub kind: Kind,
    /// The same in words.
    pub about: String,
    /// Options of `ftpmon read`.
    pub options: Vec<String>,
    /// It is known that the detector does not see it.
    pub is_unseen: bool,
    script: String,
}

impl Case {
    /// Its capture file.
    ///
    /// # Errors
    /// The script is wrong.
    pub fn capture(&self) -> Result<Vec<u8>> {
        script::capture(&self.script)
    }
}

/// A folder.
#[derive(Clone, Debug)]
pub struct Detection {
    /// The detector's id.
    pub id: String,
    folder: PathBuf,
}

impl Detection {
    /// All folders, by id.
    ///
    /// # Errors
    /// They cannot be listed.
    pub fn all() -> Result<Vec<Self>> {
        let parent = Path::new(env!("CARGO_MANIFEST_DIR")).join("detections");
        let mut all = Vec::new();
        for entry in std::fs::read_dir(&parent).with_context(|| parent.display().to_string())? {
            let entry = entry?;
            all.push(Self { id: entry.file_name().to_string_lossy().into_owned(), folder: entry.path() });
        }
        all.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(all)
    }

    /// Its four scripts.
    ///
    /// # Errors
    /// One is missing, or does not say what it shows.
    pub fn cases(&self) -> Result<Vec<Case>> {
        Kind::ALL.into_iter().map(|kind| self.case(kind)).collect()
    }

    fn case(&self, kind: Kind) -> Result<Case> {
        let path = self.folder.join(format!("{}.ftp", kind.name()));
        let script = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut lines = script.lines();
        let about = lines.next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default().to_owned();
        ensure!(about.ends_with('.'), "{}: the first line does not say what it shows", path.display());
        let options = lines.next().and_then(|line| line.strip_prefix("#! ")).unwrap_or_default();
        let options = options.split_whitespace().map(str::to_owned).collect();
        Ok(Case { kind, is_unseen: about.starts_with("Not seen: "), about, options, script })
    }

    /// The alerts that the scripts have to give.
    ///
    /// # Errors
    /// There are none.
    pub fn expected(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.join("alerts.txt"))?)
    }

    /// Takes alerts as right.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn bless(&self, alerts: &str) -> Result<()> {
        Ok(std::fs::write(self.folder.join("alerts.txt"), alerts)?)
    }
}
