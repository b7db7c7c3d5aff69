//! The first process of a machine that boots a kernel to try the kernel programs on it (`cargo xtask test --only kernels`).
//!
//! It tries every hook under one condition after another and writes what came of each as a line of JSON to the second serial
//! port. The machine has no other programs than ftpmon, `ip` and `tc`.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::demonstration::{self, Demonstration};
use crate::events::Events;
use crate::ftp::{Client, ClientOptions};
use crate::net::{Direct, Namespace};
use crate::party::Visit;
use crate::process::run_ok;

use super::{Bench, Hooked, Settings};

/// The folder of the kernel modules on the machine, in the order of their names.
pub const MODULES: &str = "/modules";
/// The serial port that rows are written to.
const REPORT: &str = "/dev/ttyS1";
/// The longest delay of the sessions' events under emulation.
const LIMIT: Duration = Duration::from_secs(120);
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
        let options = (kind == "tmpfs").then_some("size=75%");
        mount(Some(kind), at, Some(kind), MsFlags::empty(), options)
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
    line(report, &row("two agents, one killed", Direct::DEVICE, "tcx", wire.try_neighbours()))?;
    line(report, &row("owners in other namespaces", Direct::DEVICE, "tcx", wire.try_owners()))?;
    line(report, &row("networks", Direct::DEVICE, "tcx", wire.try_networks()))?;
    for (condition, arrange) in conditions() {
        arrange().with_context(|| format!("cannot arrange: {condition}"))?;
        line(report, &wire.row(condition, Direct::DEVICE, "native"))?;
    }
    Ok(())
}

type Condition = (&'static str, fn() -> Result<()>);

/// Conditions under which one hook is tried again. Each stays for those behind it.
fn conditions() -> [Condition; 6] {
    [
        ("256 MB of memory", || {
            // Of 512: nothing takes back what is in the memory's own file system. Its programs count as a part of that: another
            // machine has them on a disk.
            let mut ballast = File::create("/tmp/ballast")?;
            let programs = bytes_below(Path::new("/bin"))? + bytes_below(Path::new("/lib"))?;
            let mebibytes = 256_u64.saturating_sub(programs >> 20);
            (0..mebibytes).try_for_each(|_| ballast.write_all(&[1; 1 << 20])).context("/tmp/ballast")
        }),
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

/// Bytes of the files below a folder.
fn bytes_below(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        bytes += match kind.is_dir() {
            true => bytes_below(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
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
        row(condition, device, hook, self.try_hook(device, hook))
    }

    /// Plays the sessions under a hook, and compares the events with what client and server did.
    fn try_hook(&self, device: &str, hook: &str) -> Result<Hooks> {
        let demonstration = demonstration(device)?;
        let _server = demonstration.serve(&self.net.server)?;
        let agent = self.start(device, hook)?;
        let visits = self.play(&demonstration)?;
        exact(agent, &visits)
    }

    /// Two agents on one device, of which one is killed and a third one follows: each reports everything, and nothing is left
    /// behind the last one.
    fn try_neighbours(&self) -> Result<Hooks> {
        let demonstration = demonstration(Direct::DEVICE)?;
        let _server = demonstration.serve(&self.net.server)?;
        let (mut killed, other) = (self.share("tcx")?, self.share("tcx")?);
        let visits = self.play(&demonstration)?;
        killed.wait_for_sessions(visits.len(), LIMIT)?;
        killed.process().signal(Signal::SIGKILL)?;
        killed.process().wait(LIMIT)?;
        exact(other, &visits)?;
        let third = self.start(Direct::DEVICE, "tcx")?;
        let visits = self.play(&demonstration)?;
        let hooks = exact(third, &visits)?;
        let left = run_ok(self.net.server.command("tc").args(["qdisc", "show", "dev", Direct::DEVICE]))?;
        ensure!(!left.contains("clsact"), "the qdisc is left: {left}");
        Ok(hooks)
    }

    /// The client is in another network namespace than the agent: the kernel tells its process.
    fn try_owners(&self) -> Result<Hooks> {
        let demonstration = demonstration(Direct::DEVICE)?;
        let _server = demonstration.serve(&self.net.server)?;
        let agent = self.start(Direct::DEVICE, "tcx")?;
        // It stays until its process was looked for.
        let client =
            self.net.client.run(|| Client::connect(demonstration.server, ClientOptions::default()))?;
        agent.wait("the session", LIMIT, |events| events.count("session_start") == 1)?;
        client.quit()?;
        agent.wait_for_sessions(1, LIMIT)?;
        let diagnostics = agent.diagnostics();
        let events = agent.stop()?;
        let start = events.last("session_start").context("no session_start")?;
        for end in ["client", "server"] {
            let pid = start.number(&format!("/{end}_process/pid"));
            ensure!(pid == Some(std::process::id().into()), "{end}: {}\n{diagnostics}", start.0);
        }
        hooks(&events)
    }

    /// Two agents that leave the sessions out, one because of the client and one because of the server; and one that does not.
    fn try_networks(&self) -> Result<Hooks> {
        let demonstration = demonstration(Direct::DEVICE)?;
        let _server = demonstration.serve(&self.net.server)?;
        let of_server =
            self.share_with("tcx", &["--allow-net", "10.77.0.0/31,::/0", "--deny-net", "10.77.0.0/24"])?;
        let of_client = self.share_with("tcx", &["--deny-net", "10.77.0.0/31"])?;
        let visits = self.play(&demonstration)?;
        for agent in [of_server, of_client] {
            let left_out = |events: &Events| {
                let stats = events.last("stats").and_then(|stats| stats.number("/kernel/denied_connections"));
                stats == Some(visits.len() as u64)
            };
            let events = agent.stop()?;
            ensure!(left_out(&events) && events.count("session_start") == 0, "{}", events.to_text());
        }
        let allowing =
            self.share_with("tcx", &["--allow-net", "10.77.0.0/31", "--deny-net", "10.78.0.0/16,::/0"])?;
        exact(allowing, &self.play(&demonstration)?)
    }

    fn share(&self, hook: &str) -> Result<Agent> {
        self.share_with(hook, &[])
    }

    fn share_with(&self, hook: &str, more: &[&str]) -> Result<Agent> {
        let options = ["--iface", Direct::DEVICE, "--hook", hook, "--share"];
        Agent::start(&self.net.server, &[&options, more].concat())
    }

    fn start(&self, device: &str, hook: &str) -> Result<Agent> {
        Agent::start(&self.net.server, &["--iface", device, "--hook", hook])
    }

    fn play(&self, demonstration: &Demonstration) -> Result<[Visit; 2]> {
        Ok([demonstration.transfers(&self.net.client)?, demonstration.wrong_password(&self.net.client)?])
    }
}

fn demonstration(device: &str) -> Result<Demonstration> {
    let server = if device == TUNNEL { "10.79.0.2:21" } else { "10.77.0.2:21" };
    Ok(Demonstration { server: server.parse()?, download: DOWNLOAD, upload: UPLOAD })
}

/// The hooks of the programs, in and out.
type Hooks = [String; 2];

/// Ends an agent, whose events have to be those of these visits.
fn exact(agent: Agent, visits: &[Visit]) -> Result<Hooks> {
    agent.wait_for_sessions(visits.len(), LIMIT)?;
    let events = agent.stop()?;
    demonstration::check(&events, visits)?;
    hooks(&events)
}

/// The hooks that an agent used.
fn hooks(events: &Events) -> Result<Hooks> {
    let start = events.last("sensor_start").context("no sensor_start")?;
    Ok(["/interfaces/0/ingress", "/interfaces/0/egress"].map(|hook| start.text(hook).to_owned()))
}

/// The trials and their results.
fn row(condition: &str, device: &str, hook: &str, tried: Result<Hooks>) -> Value {
    match tried {
        Ok([ingress, egress]) => json!({
            "condition": condition, "device": device, "hook": hook,
            "ingress": ingress, "egress": egress, "result": "exact",
        }),
        Err(error) => json!({
            "condition": condition, "device": device, "hook": hook, "result": format!("{error:#}"),
        }),
    }
}

fn tunnel(namespace: &Namespace, local: &str, remote: &str, address: &str) -> Result<()> {
    namespace.ip(&format!("link add {TUNNEL} type ipip local {local} remote {remote}"))?;
    namespace.ip(&format!("addr add {address} dev {TUNNEL}"))?;
    namespace.ip(&format!("link set {TUNNEL} up"))?;
    Ok(())
}
