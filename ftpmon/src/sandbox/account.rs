//! The user that the agent becomes.

use core::fmt;

use nix::unistd::{Gid, Uid, User};
use rustix::process::{geteuid, getgid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use super::error::{SandboxError, step};

const WAY_OUT: &str =
    "this needs CAP_SETUID and CAP_SETGID; give them, or use --user with the user that it runs as";

/// The user of the agent where the operator names none.
const DEFAULT: &str = "ftpmon";
/// User and group `nobody` where the system has no list of users.
pub(super) const NOBODY: u32 = 65_534;

/// A user with its groups, or the user that the process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// None where the process stays who it is.
    ids: Option<Ids>,
    /// The operator named it, and has made paths open to it.
    chosen: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ids {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

/// No user has the name that the operator gave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--user {0}: there is no such user; create it with `useradd --system {0}`, or name another")]
pub struct UnknownUser(String);

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Ids { uid, .. }) = &self.ids else {
            return f.write_str("ftpmon stays the user that it is started as");
        };
        match User::from_uid(Uid::from_raw(*uid)).ok().flatten() {
            Some(user) => write!(f, "ftpmon becomes {}", user.name),
            None => write!(f, "ftpmon becomes user {uid}"),
        }
    }
}

impl Account {
    /// Whoever runs the test, with paths that nobody opened to it.
    #[cfg(test)]
    pub(super) const fn unchanged() -> Self {
        Self { ids: None, chosen: false }
    }

    /// The user called `name`. Without a name, root becomes `ftpmon`, or `nobody` where there is no such user; another user, and root
    /// without the right to become another, stays.
    ///
    /// # Errors
    /// There is no user called `name`.
    pub fn find(name: Option<&str>) -> Result<Self, UnknownUser> {
        match name {
            Some(name) => match User::from_name(name).ok().flatten() {
                Some(user) => Ok(Self { ids: Ids::of(user), chosen: true }),
                None => Err(UnknownUser(name.to_owned())),
            },
            None if Uid::effective().is_root() && can_become_another() => Ok(Self::of_default()),
            None => Ok(Self { ids: None, chosen: true }),
        }
    }

    fn of_default() -> Self {
        let user = [DEFAULT, "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
        let nobody = || Some(Ids { uid: NOBODY, gid: NOBODY, groups: Vec::new() });
        Self { ids: user.map_or_else(nobody, Ids::of), chosen: false }
    }

    /// The operator chose the user, by name or by starting the agent as that user.
    pub(super) const fn is_chosen(&self) -> bool {
        self.chosen
    }

    /// Its user and group; none where the process stays who it is.
    pub(super) fn ids(&self) -> Option<(u32, u32)> {
        self.ids.as_ref().map(|ids| (ids.uid, ids.gid))
    }

    /// This thread becomes the user; it keeps its capabilities.
    pub(super) fn become_this(&self) -> Result<(), SandboxError> {
        let Some(Ids { uid, gid, groups }) = &self.ids else { return Ok(()) };
        if geteuid().as_raw() == *uid && getgid().as_raw() == *gid {
            return Ok(());
        }
        let groups: Vec<_> = groups.iter().map(|group| rustix::process::Gid::from_raw(*group)).collect();
        let (uid, gid) = (rustix::process::Uid::from_raw(*uid), rustix::process::Gid::from_raw(*gid));
        set_keep_capabilities(true).map_err(step("the user", WAY_OUT))?;
        set_thread_groups(&groups).map_err(step("the groups", WAY_OUT))?;
        set_thread_res_gid(gid, gid, gid).map_err(step("the group", WAY_OUT))?;
        set_thread_res_uid(uid, uid, uid).map_err(step("the user", WAY_OUT))?;
        set_keep_capabilities(false).map_err(step("the user", WAY_OUT))
    }

    /// This process becomes the user and has no capability. What it starts may gain the rights that the system gives that user.
    ///
    /// # Errors
    /// A right that cannot be given up.
    pub(crate) fn become_for_good(&self) -> Result<(), SandboxError> {
        if self.ids.is_none() {
            return Ok(());
        }
        self.become_this()?;
        let none = CapabilitySet::empty();
        let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
        set_capabilities(None, sets).map_err(step("capabilities", "use --no-sandbox"))
    }
}

impl Ids {
    /// Those of a user; none for the one that the process runs as.
    fn of(user: User) -> Option<Self> {
        if user.uid == Uid::effective() {
            return None;
        }
        let groups = std::ffi::CString::new(user.name.as_str())
            .ok()
            .and_then(|name| nix::unistd::getgrouplist(&name, user.gid).ok())
            .unwrap_or_default();
        Some(Self {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
        })
    }
}

fn can_become_another() -> bool {
    let needed = CapabilitySet::SETUID | CapabilitySet::SETGID;
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.permitted.contains(needed))
}
