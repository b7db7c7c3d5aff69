//! The rights of each thread once it handles what peers send.
//!
//! A thread gives up its rights before it reads the first such byte: it becomes an unprivileged user, keeps the capabilities of its
//! [`Role`] and no others, can never gain any, may make the system calls of its role only, and reaches the files of its work
//! only. User, capabilities, filter and reach belong to a thread; those that it starts have them too, and may give up more of them.
//!
//! | file | what |
//! |---|---|
//! | `account` | the user that the agent becomes |
//! | `calls` | the system calls of each role |
//! | `reach` | the files that a thread may open |
//! | `role` | the roles, with their capabilities |
//! | `opener` | a thread that opens files for those that may not |
//! | `ownership` | the owners of files that the agent opens and makes |
//! | `error` | the error of giving up rights |

mod account;
mod calls;
mod error;
mod opener;
mod ownership;
mod reach;
mod role;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use rustix::thread::{CapabilitySet, CapabilitySets};
use tracing::error;

pub use account::{Account, UnknownUser};
pub use error::SandboxError;
use error::step;
pub(crate) use opener::Opener;
pub(crate) use ownership::{becomes, hand_back, hand_over, hand_over_path};
pub(crate) use reach::Reach;
pub use role::Role;

/// The settings of this process; none outside of `ftpmon run`, where threads keep all rights.
static SETTINGS: OnceLock<Settings> = OnceLock::new();

#[derive(Clone, Debug)]
struct Settings {
    account: Account,
    /// The reader needs this to use maps, on kernels that keep bpf(2) from everybody else.
    for_maps: CapabilitySet,
}

/// From now on threads of this process give up their rights when they enter their roles.
pub fn enable(account: Account, maps_need_rights: bool) {
    let for_maps = if maps_need_rights { CapabilitySet::BPF } else { CapabilitySet::empty() };
    // A second run in one process has the settings of the first.
    let _ = SETTINGS.set(Settings { account, for_maps });
}

/// This thread gives up all rights that `role` does not need, where that is [enabled](enable).
///
/// # Errors
/// A right that cannot be given up.
pub fn enter(role: Role) -> Result<(), SandboxError> {
    enter_within(role, role.reach())
}

/// The same, with a reach of its own.
fn enter_within(role: Role, reach: Reach<'_>) -> Result<(), SandboxError> {
    SETTINGS.get().map_or(Ok(()), |settings| settings.enter(role, reach))
}

/// The same; where it fails the process ends: what peers send is not read with rights that are not needed.
pub(crate) fn enter_or_exit(role: Role) {
    enter_within_or_exit(role, role.reach());
}

/// The same, with a reach of its own.
pub(crate) fn enter_within_or_exit(role: Role, reach: Reach<'_>) {
    if let Err(error) = enter_within(role, reach) {
        error!("{error}");
        std::process::exit(1);
    }
}

/// This thread gets the rights of `role` as the user nobody, whether or not that is [enabled](enable).
#[cfg(test)]
pub(crate) fn enter_as_nobody(role: Role) {
    let account = Account::find(Some("nobody")).unwrap();
    Settings { account, for_maps: CapabilitySet::empty() }.enter(role, role.reach()).unwrap();
}

impl Settings {
    fn enter(&self, role: Role, reach: Reach<'_>) -> Result<(), SandboxError> {
        let files = reach.prepare()?;
        let mut wanted = role.capabilities();
        let held =
            rustix::thread::capabilities(None).map_err(step("capabilities", "use --no-sandbox"))?.permitted;
        if role == Role::Reader {
            wanted |= self.for_maps;
        }
        if !self.account.is_chosen() {
            wanted |= role.for_paths();
        }
        // Before kernel 5.8 that was the capability for all of bpf(2), and some hand out only that.
        if wanted.contains(CapabilitySet::BPF) && !held.contains(CapabilitySet::BPF) {
            wanted |= CapabilitySet::SYS_ADMIN;
        }
        drop_bounding_set(held)?;
        self.account.become_this()?;
        let kept = held & wanted;
        let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
        let _ = rustix::thread::clear_ambient_capability_set();
        rustix::thread::set_capabilities(None, sets).map_err(step("capabilities", "use --no-sandbox"))?;
        rustix::thread::set_no_new_privs(true).map_err(step("new privileges", "use --no-sandbox"))?;
        files.enforce()?;
        calls::allow_only(role).map_err(|error| SandboxError {
            what: "system calls",
            error,
            way_out: "the kernel needs seccomp filters (CONFIG_SECCOMP_FILTER), or use --no-sandbox",
        })?;
        Ok(())
    }
}

/// Nothing that this thread could run gets capabilities. Needs CAP_SETPCAP; without it no_new_privs does the same.
fn drop_bounding_set(held: CapabilitySet) -> Result<(), SandboxError> {
    if !held.contains(CapabilitySet::SETPCAP) {
        return Ok(());
    }
    for capability in CapabilitySet::all().iter() {
        // One that this kernel does not know is in no set.
        if rustix::thread::capability_is_in_bounding_set(capability).unwrap_or(false) {
            rustix::thread::remove_capability_from_bounding_set(capability)
                .map_err(step("capabilities", "use --no-sandbox"))?;
        }
    }
    Ok(())
}
