//! Checks before anything is loaded. Each missing right or feature gives one line: what is missing, why it is needed, and the way out.

use core::fmt;

use aya::maps::MapType;
use aya::programs::ProgramType;
use aya::sys::{is_map_supported, is_program_supported};
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use super::version::{KernelVersion, OLDEST, running_release};

/// Everything that is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", joined(.0))]
pub struct Missing(Vec<String>);

impl Missing {
    /// The missing things, each with the way out after a semicolon.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

fn joined(lines: &[String]) -> impl fmt::Display {
    lines.join("\nftpmon: ")
}

/// Checks kernel and rights, and gives the kernel's version.
///
/// # Errors
/// All that is missing, at once.
pub fn preflight(promiscuous: bool) -> Result<KernelVersion, Missing> {
    raise_descriptors();
    let release = running_release();
    let version = kernel_version(&release).map_err(|line| Missing(vec![line]))?;
    let held = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let mut missing = missing_rights(held, promiscuous);
    if missing.is_empty() {
        missing.extend(missing_features(&release));
    }
    if missing.is_empty() { Ok(version) } else { Err(Missing(missing)) }
}

/// Takes as many descriptors as the process may have: maps, programs and outputs take some, each interface two more.
fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where that is not possible, fewer have to do.
    let _ = setrlimit(Resource::Nofile, limit);
}

fn kernel_version(release: &str) -> Result<KernelVersion, String> {
    match KernelVersion::parse(release) {
        Some(version) if version >= OLDEST => Ok(version),
        _ => Err(format!(
            "kernel {release} is too old: the kernel programs need {OLDEST} or newer; boot a newer kernel, or read \
             captures with `ftpmon read`"
        )),
    }
}

fn missing_rights(held: CapabilitySet, promiscuous: bool) -> Vec<String> {
    let bpf = (CapabilitySet::BPF, "CAP_BPF", "to load kernel programs", true);
    let perfmon = (CapabilitySet::PERFMON, "CAP_PERFMON", "to load kernel programs that read packets", true);
    let net_admin = (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN", "to attach them to interfaces", false);
    let net_raw = (CapabilitySet::NET_RAW, "CAP_NET_RAW", "to set interfaces promiscuous (--promisc)", false);
    [Some(bpf), Some(perfmon), Some(net_admin), promiscuous.then_some(net_raw)]
        .into_iter()
        .flatten()
        .filter(|&(right, _, _, part_of_admin)| {
            let stands_in = part_of_admin && held.contains(CapabilitySet::SYS_ADMIN);
            !(held.contains(right) || stands_in)
        })
        .map(|(_, name, why, _)| {
            format!(
                "no permission {why}: {name} is missing; run as root (sudo), or give it to the binary with setcap"
            )
        })
        .collect()
}

/// The identities of a user namespace other than the first, from `/proc/self/uid_map`: the kernel loads nothing for its root.
fn is_user_namespace(uid_map: &str) -> bool {
    !uid_map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn missing_features(release: &str) -> Vec<String> {
    let refused = |what: &str, cause: String| {
        if std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| is_user_namespace(&map)) {
            return format!(
                "the kernel refuses {what}: {cause}; ftpmon runs in a user namespace, whose root may not load kernel \
                 programs: run it as root of the host (a container that is not rootless, a privileged LXC container)"
            );
        }
        format!(
            "the kernel refuses {what}: {cause}; it was built without CONFIG_BPF_SYSCALL, or a container's seccomp \
             profile or kernel lockdown forbids bpf(2): run on the host, or allow it there"
        )
    };
    let lacking = |what: &str, option: &str| {
        format!("kernel {release} has no {what}: it was built without {option}; boot a kernel with it")
    };
    match is_map_supported(MapType::RingBuf) {
        Err(e) => return vec![refused("BPF maps", e.io_error.to_string())],
        Ok(false) => return vec![lacking("BPF ring buffers", "CONFIG_BPF_SYSCALL")],
        Ok(true) => {}
    }
    match is_program_supported(ProgramType::SchedClassifier) {
        Err(e) => vec![refused("BPF programs", super::cause::root_cause(&e))],
        Ok(false) => vec![lacking("TC programs", "CONFIG_NET_CLS_BPF")],
        Ok(true) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_right_is_a_line_of_its_own() {
        let lines = missing_rights(CapabilitySet::empty(), true);
        let names = ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_NET_RAW"];
        assert_eq!(lines.len(), names.len());
        assert!(lines.iter().zip(names).all(|(line, name)| line.contains(name) && line.contains("root")));
        let shown = Missing(lines).to_string();
        assert_eq!(shown.lines().filter(|line| line.starts_with("ftpmon: ")).count(), names.len() - 1);
    }

    #[test]
    fn root_and_the_old_right_are_enough() {
        assert!(missing_rights(CapabilitySet::all(), true).is_empty());
        assert!(missing_rights(CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN, false).is_empty());
        assert_eq!(missing_rights(CapabilitySet::BPF | CapabilitySet::PERFMON, false).len(), 1);
    }

    #[test]
    fn a_user_namespace_is_told_from_the_first() {
        assert!(!is_user_namespace("         0          0 4294967295\n"));
        assert!(is_user_namespace("         0       1000          1\n"));
        assert!(is_user_namespace("         0     100000      65536\n"));
    }

    #[test]
    fn an_old_kernel_is_named_with_the_way_out() {
        let line = kernel_version("5.4.0-150-generic").unwrap_err();
        assert!(line.contains("5.4.0-150-generic") && line.contains("5.15") && line.contains("ftpmon read"));
        assert!(kernel_version("5.15.0").is_ok());
    }
}
