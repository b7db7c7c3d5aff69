//! The files that a thread reaches, by Landlock (kernel documentation, userspace-api/landlock).
//!
//! It holds for capabilities as well: a thread that keeps CAP_DAC_OVERRIDE for its own directory reaches no other file by it.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, RulesetError,
};

use super::SandboxError;
use super::role::Role;

/// The version of Landlock that is asked for. A kernel that has an older one, or none, enforces what it knows.
const WANTED: ABI = ABI::V5;

/// The files that a thread may open beside those that are open already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach<'a> {
    /// No file and no TCP connection.
    Nothing,
    /// Files in and below one directory; none of them is run. No TCP connection.
    Beneath(&'a Path),
    /// Every path that its user and capabilities allow.
    Paths,
}

impl Role {
    /// The reach of a thread of this role that names no directory.
    pub(super) const fn reach(self) -> Reach<'static> {
        match self {
            Self::Reader | Self::Status | Self::Files => Reach::Nothing,
            // Those of outputs are named by a configuration that may be read again, and the attacher's by its pins. Landlock would keep
            // the owners' thread from every process outside its own domain, also from reading about it.
            Self::Opener | Self::Output | Self::OwnedOutput | Self::Owners | Self::Attacher { .. } => {
                Reach::Paths
            }
        }
    }
}

/// Prepared restrictions: their directory is open, which may need rights that the thread gives up before they hold.
pub(super) struct Prepared(Option<RulesetCreated>);

impl Reach<'_> {
    /// Opens the directory.
    pub(super) fn prepare(self) -> Result<Prepared, SandboxError> {
        let prepare = || -> Result<Option<RulesetCreated>, RulesetError> {
            if self == Reach::Paths {
                return Ok(None);
            }
            let all = AccessFs::from_all(WANTED);
            let mut rules = Ruleset::default()
                .handle_access(all)?
                .handle_access(AccessNet::from_all(WANTED))?
                .create()?;
            if let Reach::Beneath(folder) = self
                && let Some(folder) = nearest(folder)
            {
                rules = rules.add_rule(PathBeneath::new(folder, all & !AccessFs::Execute))?;
            }
            Ok(Some(rules))
        };
        prepare().map(Prepared).map_err(failed)
    }
}

impl Prepared {
    /// From now on this thread, and those that it starts, reach no more. no_new_privs is set before.
    pub(super) fn enforce(self) -> Result<(), SandboxError> {
        self.0.map_or(Ok(()), |rules| rules.restrict_self().map(drop).map_err(failed))
    }
}

/// The directory, or the nearest one above it that is there: it may be made later.
fn nearest(folder: &Path) -> Option<PathFd> {
    // The last one above a relative path is empty.
    let here = |path| if path == Path::new("") { Path::new(".") } else { path };
    folder.ancestors().find_map(|path| PathFd::new(here(path)).ok())
}

fn failed(error: RulesetError) -> SandboxError {
    SandboxError {
        what: "files (Landlock)",
        error: std::io::Error::other(error),
        way_out: "use --no-sandbox",
    }
}
