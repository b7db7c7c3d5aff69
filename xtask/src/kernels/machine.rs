//! An emulated machine that boots a kernel with the tests' own first process.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ftpmon_tests::bed::Scratch;
use ftpmon_tests::kernel::guest::MODULES;
use ftpmon_tests::machine::find;
use ftpmon_tests::poll;
use ftpmon_tests::process::run_ok;

use super::image::Image;
use super::report::Report;

/// The longest time that a machine may take for everything: ten times what it takes where nothing else runs. It ends by itself;
/// this is for one that hangs.
const LIMIT: Duration = Duration::from_secs(900);
/// Its memory, MiB.
const MEMORY: u32 = 512;
/// Modules that are loaded, those that others need first. A kernel may have them built in.
const NEEDED: [&str; 6] = ["veth", "sch_ingress", "cls_bpf", "tunnel4", "ip_tunnel", "ipip"];
/// Folders that the first process mounts on.
const FOLDERS: [&str; 4] = ["proc", "sys", "dev", "tmp"];

/// The programs that a machine runs.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    /// The first process.
    pub(super) guest: PathBuf,
    /// ftpmon.
    pub(super) agent: PathBuf,
    /// The kernel object, for its counts.
    pub(super) object: PathBuf,
}

/// Boots a kernel and gives what its machine reported.
pub(super) fn boot(image: &Image, programs: &Programs) -> Result<Report> {
    let scratch = Scratch::new("kernel")?;
    let initramfs = initramfs(image, programs, &scratch)?;
    let (console, rows) = (scratch.path().join("console"), scratch.path().join("rows"));
    let mut qemu = Command::new(find("qemu-system-x86_64").context("no qemu-system-x86_64")?);
    qemu.args(["-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", &MEMORY.to_string()]);
    qemu.args(["-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot"]);
    for serial in [&console, &rows] {
        qemu.arg("-serial").arg(format!("file:{}", serial.display()));
    }
    qemu.arg("-kernel").arg(image.kernel()?).arg("-initrd").arg(initramfs);
    // What the kernel does not know and has a value becomes environment of the first process.
    qemu.args([
        "-append",
        "console=ttyS0 quiet panic=-1 rdinit=/init mitigations=off net.ifnames=0 PATH=/bin \
         FTPMON_BIN=/bin/ftpmon FTPMON_EBPF_OBJECT=/ftpmon.bpf.o RUST_BACKTRACE=0",
    ]);
    let mut machine = qemu.stdin(Stdio::null()).spawn().context("cannot run qemu")?;
    let ended = poll::until("the machine's end", LIMIT, || Ok(machine.try_wait()?));
    if ended.is_err() {
        machine.kill()?;
        machine.wait()?;
    }
    let text = |path: &Path| {
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).replace('\r', "").trim().to_owned()
    };
    // A machine that was stopped has no whole report: that it was stopped is the cause.
    let report = ended.and_then(|_| Report::parse(&text(&rows)));
    report.with_context(|| format!("kernel {}; its console: {}", image.series, text(&console)))
}

/// The machine's files as an archive that the kernel unpacks.
fn initramfs(image: &Image, programs: &Programs, scratch: &Scratch) -> Result<PathBuf> {
    let root = scratch.path().join("root");
    for folder in FOLDERS.into_iter().chain(["bin", "modules"]) {
        fs::create_dir_all(root.join(folder))?;
    }
    let (ip, tc) = (find("ip").context("no ip")?, find("tc").context("no tc")?);
    let programs_there = [(&programs.guest, "guest"), (&programs.agent, "ftpmon"), (&ip, "ip"), (&tc, "tc")];
    for (program, name) in programs_there {
        let copy = root.join("bin").join(name);
        fs::copy(program, &copy).with_context(|| format!("cannot copy {}", program.display()))?;
        // Symbols would fill the machine's memory.
        run_ok(Command::new("strip").arg(&copy))?;
        for library in libraries(program)? {
            let copy = root.join(library.strip_prefix("/")?);
            fs::create_dir_all(copy.parent().context("a library's folder")?)?;
            fs::copy(&library, &copy)?;
        }
    }
    symlink("bin/guest", root.join("init"))?;
    fs::copy(&programs.object, root.join("ftpmon.bpf.o"))?;
    for (number, name) in NEEDED.iter().enumerate() {
        let module = image.module(name)?;
        let file = module.file_name().context("a module's name")?.to_string_lossy().into_owned();
        let folder = root.join(MODULES.trim_start_matches('/'));
        fs::copy(&module, folder.join(format!("{number}-{file}")))?;
    }
    let archive = scratch.path().join("initramfs");
    pack(&root, &archive)?;
    Ok(archive)
}

/// The shared libraries of a program, by their paths.
fn libraries(program: &Path) -> Result<BTreeSet<PathBuf>> {
    let listed = run_ok(Command::new("ldd").arg(program))?;
    let paths = listed.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Ok(paths.map(PathBuf::from).collect())
}

/// Packs everything below `root` in the form that the kernel unpacks.
fn pack(root: &Path, archive: &Path) -> Result<()> {
    let names = run_ok(Command::new("find").arg(".").current_dir(root))?;
    let mut cpio = Command::new("cpio")
        .args(["--create", "--format=newc", "--quiet"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(File::create(archive)?)
        .spawn()
        .context("cannot run cpio")?;
    cpio.stdin.take().context("cpio's standard input")?.write_all(names.as_bytes())?;
    let status = cpio.wait()?;
    if !status.success() {
        bail!("cpio: {status}");
    }
    Ok(())
}
