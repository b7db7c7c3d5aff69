//! The first process of a machine that boots a kernel to try the kernel programs on it (`cargo xtask test --only kernels`).
//!
//! It tries every hook under one condition after another and writes what came of each as a line of JSON to the second serial
//! port. The machine has no other programs than ftpmon and `ip`.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::mount::{MsFlags, mount};
use serde_json::{Value, json};

use crate::agent::{self, Agent};
use crate::demonstration::{self, Demonstration};
use crate::net::{Direct, Namespace};

use super::{Bench, Hooked, Settings};

/// Where the machine finds the kernel modules, in the order of their names.
pub const MODULES: &str = "/modules";
/// The serial port that rows are written to.
const REPORT: &str = "/dev/ttyS1";
/// How long the events of the sessions may take under emulation.
const LIMIT: Duration = Duration::from_secs(30);
/// The download's size, bytes.
const DOWNLOAD: u64 = 1_000_000;
/// The upload's size, bytes.
const UPLOAD: u64 = 123_456;

/// The values of `--hook`.
const HOOKS: [&str; 4] = ["auto", "tcx", "generic", "native"];
/// The device of a tunnel, whose frames begin with the IP header.
const TUNNEL: &str = "ipip0";

/// Runs everything; what fails is a row, or the last line.
pub fn run() {
    let outcome = set_up().and_then(|mut report| {
        let tried = everything(&mut report);
        let end = match &tried {
            Ok(()) => json!({ "end": true }),
            Err(error) => json!({ "failed": format!("{error:#}") }),
        };
        line(&mut report, &end)
    });
    if let Err(error) = outcome {
        let _ = writeln!(std::io::stderr(), "{error:#}");
    }
}

/// Mounts what ftpmon and the tests need, and loads the modules.
fn set_up() -> Result<File> {
    for (kind, at) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/tmp"),
        ("securityfs", "/sys/kernel/security"),
        ("bpf", "/sys/fs/bpf"),
    ] {
        mount(Some(kind), at, Some(kind), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("cannot mount {at}"))?;
    }
    let mut modules: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(MODULES).context(MODULES)? {
        modules.push(entry?.path());
    }
    modules.sort();
    modules.iter().try_for_each(|module| load_module(module))?;
    OpenOptions::new().write(true).open(REPORT).context(REPORT)
}

/// Loads a kernel module; one whose name ends with `.xz` is unpacked by the kernel.
fn load_module(path: &Path) -> Result<()> {
    /// `MODULE_INIT_COMPRESSED_FILE` of linux/module.h.
    const COMPRESSED: libc::c_int = 4;
    let file = File::open(path)?;
    let flags = if path.extension().is_some_and(|extension| extension == "ko") { 0 } else { COMPRESSED };
    // SAFETY: a descriptor that is open, a string that ends with NUL, and flags: nothing is written.
    let result = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), flags) };
    if result != 0 {
        bail!("{} does not load: {}", path.display(), std::io::Error::last_os_error());
    }
    Ok(())
}

fn line(report: &mut File, value: &Value) -> Result<()> {
    writeln!(report, "{value}").context(REPORT)
}

fn everything(report: &mut File) -> Result<()> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    line(report, &json!({ "release": release.trim() }))?;
    line(report, &json!({ "verified": verified()? }))?;
    let wire = Wire::new()?;
    for hook in HOOKS {
        line(report, &wire.row("as booted", Direct::DEVICE, hook))?;
    }
    for hook in ["tcx", "generic"] {
        line(report, &wire.row("as booted", TUNNEL, hook))?;
    }
    for (condition, arrange) in conditions() {
        arrange().with_context(|| format!("cannot arrange: {condition}"))?;
        line(report, &wire.row(condition, Direct::DEVICE, "native"))?;
    }
    Ok(())
}

type Condition = (&'static str, fn() -> Result<()>);

/// Conditions under which one hook is tried again. Each stays for those behind it.
fn conditions() -> [Condition; 5] {
    [
        ("JIT off", || set("/proc/sys/net/core/bpf_jit_enable", "0")),
        ("unprivileged_bpf_disabled=2", || set("/proc/sys/kernel/unprivileged_bpf_disabled", "2")),
        ("no BTF of the kernel", || {
            let at = "/sys/kernel/btf";
            mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), None::<&str>).context(at)
        }),
        ("lockdown=integrity", || set("/sys/kernel/security/lockdown", "integrity")),
        ("lockdown=confidentiality", || set("/sys/kernel/security/lockdown", "confidentiality")),
    ]
}

fn set(path: &str, value: &str) -> Result<()> {
    fs::write(path, value).with_context(|| format!("cannot write {path}"))
}

/// Instructions that this kernel's verifier walks, for each program.
fn verified() -> Result<BTreeMap<&'static str, u32>> {
    let bench = Bench::load(Settings { programs: &Hooked::ALL, ..Settings::default() })?;
    Hooked::ALL.iter().map(|&hooked| Ok((hooked.name(), bench.verified_instructions(hooked)?))).collect()
}

/// Client and server on one wire, with a tunnel of bare IP packets over it.
struct Wire {
    net: Direct,
}

impl Wire {
    fn new() -> Result<Self> {
        let net = Direct::new(1500)?;
        tunnel(&net.client, "10.77.0.1", "10.77.0.2", "10.79.0.1/24")?;
        tunnel(&net.server, "10.77.0.2", "10.77.0.1", "10.79.0.2/24")?;
        Ok(Self { net })
    }

    /// Tries a hook of a device, as a row.
    fn row(&self, condition: &str, device: &str, hook: &str) -> Value {
        match self.try_hook(device, hook) {
            Ok((ingress, egress)) => json!({
                "condition": condition, "device": device, "hook": hook,
                "ingress": ingress, "egress": egress, "result": "exact",
            }),
            Err(error) => json!({
                "condition": condition, "device": device, "hook": hook, "result": format!("{error:#}"),
            }),
        }
    }

    /// Plays the sessions under a hook, and compares the events with what client and server did. Gives where the programs were
    /// attached.
    fn try_hook(&self, device: &str, hook: &str) -> Result<(String, String)> {
        let server = if device == TUNNEL { "10.79.0.2:21" } else { "10.77.0.2:21" };
        let demonstration = Demonstration { server: server.parse()?, download: DOWNLOAD, upload: UPLOAD };
        let _server = demonstration.serve(&self.net.server)?;
        let agent =
            Agent::start_binary(&agent::binary()?, &self.net.server, &["--iface", device, "--hook", hook])?;
        let visits =
            [demonstration.transfers(&self.net.client)?, demonstration.wrong_password(&self.net.client)?];
        agent.wait_for_sessions(visits.len(), LIMIT)?;
        let events = agent.stop()?;
        demonstration::check(&events, &visits)?;
        let start = events.last("sensor_start").context("no sensor_start")?;
        Ok((start.text("/interfaces/0/ingress").to_owned(), start.text("/interfaces/0/egress").to_owned()))
    }
}

fn tunnel(namespace: &Namespace, local: &str, remote: &str, address: &str) -> Result<()> {
    namespace.ip(&format!("link add {TUNNEL} type ipip local {local} remote {remote}"))?;
    namespace.ip(&format!("addr add {address} dev {TUNNEL}"))?;
    namespace.ip(&format!("link set {TUNNEL} up"))?;
    Ok(())
}
