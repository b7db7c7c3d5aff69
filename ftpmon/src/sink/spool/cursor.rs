//! The position of an output in the spool: a small file each, which is rewritten and renamed.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ftpmon_event::RunId;
use ftpmon_event::text::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::super::spool_position::SpoolPosition;
use super::segment::sync_folder;

/// The place that an output has come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The output's name.
    pub(super) output: String,
    /// The next record to read.
    #[serde(flatten)]
    pub(super) place: SpoolPosition,
    /// The run whose events it read last.
    pub(super) run: Option<RunId>,
    /// `seq` of the next event of that run.
    pub(super) next_seq: u64,
}

impl Cursor {
    /// The cursor of an output; none if it has none that can be read.
    pub(super) fn load(folder: &Path, output: &str) -> Option<Self> {
        let cursor: Self = serde_json::from_slice(&std::fs::read(path(folder, output)).ok()?).ok()?;
        (cursor.output == output).then_some(cursor)
    }

    /// Writes it, so that after a power failure there is this one or the one before.
    pub(super) fn save(&self, folder: &Path) -> io::Result<()> {
        let path = path(folder, &self.output);
        let new = path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        sync_folder(folder)
    }
}

/// The file of an output: its name may hold any byte, so a digest of it names the file.
fn path(folder: &Path, output: &str) -> PathBuf {
    let digest = hex(&Sha256::digest(output));
    folder.join(format!("cursor-{}.json", digest.get(..16).unwrap_or(&digest)))
}
