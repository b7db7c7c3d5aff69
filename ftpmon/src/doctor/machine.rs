//! The machine: kernel, rights, namespaces, clocks, memory.

use std::fs;

use super::report::Finding;
use crate::config::{Config, FilesPolicy};
use crate::kernel::{KernelVersion, Missing, running_release};
use crate::process::is_in_container;

/// Memory of the kernel's tables, bytes, without the rings.
const TABLES_BYTES: u64 = 65 << 20;
/// Inode of the first PID namespace (`PROC_PID_INIT_INO` of the kernel).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";
/// Clocks that take the processor out to a device: each reading costs a microsecond or more.
const SLOW_CLOCKS: [&str; 3] = ["hpet", "acpi_pm", "jiffies"];

/// The kernel's version, its features, and the rights of this process.
pub(super) fn kernel(ready: &Result<KernelVersion, Missing>) -> Vec<Finding> {
    let release = running_release();
    let mut findings = match ready {
        Ok(kernel) => {
            let xdp =
                if kernel.has_xdp_frags() { "XDP" } else { "no XDP of whole frames (5.18 has), TC alone" };
            let tc = if kernel.has_tcx() { "TCX" } else { "clsact" };
            vec![
                Finding::ok("kernel", format!("{release}: {xdp}, {tc}")),
                Finding::ok("rights", "programs may be loaded and attached"),
            ]
        }
        Err(missing) => missing.lines().iter().map(|line| Finding::from_error("rights", line)).collect(),
    };
    if read("/proc/sys/net/core/bpf_jit_enable").is_some_and(|jit| jit == "0") {
        findings.push(Finding::warning(
            "kernel",
            "the BPF JIT is off: each packet costs several times more",
            "sysctl net.core.bpf_jit_enable=1",
        ));
    }
    if let Some(state) = read("/sys/kernel/security/lockdown").as_deref().and_then(lockdown)
        && state != "none"
    {
        findings.push(Finding::ok("kernel", format!("lockdown={state}, under which the programs work")));
    }
    findings
}

/// The state of kernel lockdown: the word in brackets.
fn lockdown(states: &str) -> Option<&str> {
    states.split_once('[')?.1.split_once(']').map(|(state, _)| state)
}

/// The namespaces that limit what is seen.
pub(super) fn namespaces(owners: bool) -> Vec<Finding> {
    let namespace = |process: &str, kind: &str| {
        fs::read_link(format!("/proc/{process}/ns/{kind}"))
            .ok()
            .map(|link| link.to_string_lossy().into_owned())
    };
    let own_processes = namespace("self", "pid").is_some_and(|pid| pid != FIRST_PID_NAMESPACE);
    // Inside a container the first process is the container's, and says nothing.
    let own_network =
        !own_processes && namespace("1", "net").is_some_and(|net| Some(net) != namespace("self", "net"));
    let in_container = is_in_container();
    let mut findings = Vec::new();
    if own_network || (own_processes && in_container) {
        findings.push(Finding::warning(
            "namespaces",
            "this is a network namespace of its own: interfaces of others are not seen",
            "run it in the host's (docker run --network host, hostNetwork: true), or give --netns",
        ));
    }
    if own_processes && owners {
        findings.push(Finding::warning(
            "namespaces",
            "processes outside of this PID namespace are not named in events",
            "give it the host's processes (docker run --pid host, hostPID: true), or --owners off",
        ));
    }
    if findings.is_empty() {
        let place = if in_container { ", in a container" } else { "" };
        findings.push(Finding::ok("namespaces", format!("network and processes of the host{place}")));
    }
    findings
}

/// The wall clock and the source of time stamps.
pub(super) fn clocks() -> Vec<Finding> {
    let mut findings = Vec::new();
    // SAFETY: all fields are integers, for which zero is a value.
    let mut state: libc::timex = unsafe { core::mem::zeroed() };
    // SAFETY: a structure of ours; no mode is set, so nothing is changed.
    let synchronized = unsafe { libc::adjtimex(&raw mut state) };
    if synchronized == libc::TIME_ERROR || state.status & libc::STA_UNSYNC != 0 {
        findings.push(Finding::warning(
            "clocks",
            "the wall clock is not synchronized: times of several sensors cannot be compared",
            "run chrony, ntpd or systemd-timesyncd",
        ));
    } else {
        findings.push(Finding::ok("clocks", "the wall clock is synchronized"));
    }
    let source = read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    if let Some(source) = source.filter(|source| SLOW_CLOCKS.contains(&source.as_str())) {
        findings.push(Finding::warning(
            "clocks",
            format!("the kernel's clock is {source}, which is slow to read: each packet pays for it"),
            "use the processor's counter if it is stable (kernel parameter clocksource=tsc)",
        ));
    }
    findings
}

/// Memory for the kernel's tables and rings.
pub(super) fn memory(config: &Config) -> Option<Finding> {
    let available = available_bytes(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let files = if config.files.policy != FilesPolicy::Off {
        config.live.files_ring_bytes.next_power_of_two()
    } else {
        0
    };
    let needed = TABLES_BYTES + config.live.ring_bytes.next_power_of_two() + files;
    let [available_mib, needed_mib] = [available >> 20, needed >> 20];
    if available >= needed {
        return Some(Finding::ok(
            "memory",
            format!("{available_mib} MiB available, {needed_mib} MiB for tables and rings"),
        ));
    }
    Some(Finding::fault(
        "memory",
        format!("{available_mib} MiB available, {needed_mib} MiB are needed for tables and rings"),
        "free memory, or give smaller --ring-size and --files-ring-size",
    ))
}

/// `MemAvailable` of `/proc/meminfo`.
fn available_bytes(meminfo: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        assert_eq!(lockdown("none [integrity] confidentiality"), Some("integrity"));
        assert_eq!(lockdown(""), None);
        assert_eq!(available_bytes("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!(available_bytes("MemTotal: 9 kB\n"), None);
    }
}
