//! The owners of files that the agent opens and makes.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, chownat, fchown, fstat, lstat};
use rustix::process::{Gid, Uid};

use super::SETTINGS;
use super::account::{Account, NOBODY};

/// A file or directory of root's that was opened goes to the user that the operator chose, so that it can be opened again. Where that
/// does not happen, or cannot any more, it stays whose it is.
pub(crate) fn hand_over(file: impl AsFd) {
    if let Some((uid, gid)) = chosen()
        && let Ok(facts) = fstat(&file)
        && is_agents(facts.st_uid)
    {
        // A group that the operator gave may read it.
        let gid = (facts.st_gid == 0 || facts.st_gid == NOBODY).then(|| Gid::from_raw(gid));
        let _ = fchown(&file, Some(Uid::from_raw(uid)), gid);
    }
}

/// The same for a file or directory by its path, which no other user may be able to change.
pub(crate) fn hand_over_path(path: &Path) {
    if let Some((uid, gid)) = chosen()
        && lstat(path).is_ok_and(|facts| is_agents(facts.st_uid))
    {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        let _ = chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW);
    }
}

/// A file that the agent made as a user that the operator did not choose is root's, as those are that it opened as root.
pub(crate) fn hand_back(file: impl AsFd) {
    if SETTINGS.get().is_some_and(|settings| !settings.account.is_chosen()) {
        let _ = fchown(&file, Some(Uid::ROOT), Some(Gid::ROOT));
    }
}

/// The agent becomes this user.
pub(crate) fn becomes(user: u32) -> bool {
    SETTINGS.get().and_then(|settings| settings.account.ids()).is_some_and(|(uid, _)| uid == user)
}

fn chosen() -> Option<(u32, u32)> {
    SETTINGS
        .get()
        .map(|settings| &settings.account)
        .filter(|account| account.is_chosen())
        .and_then(Account::ids)
}

/// Files of earlier runs, with `--user` or without.
fn is_agents(owner: u32) -> bool {
    owner == 0 || owner == NOBODY
}
