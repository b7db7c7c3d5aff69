//! The kernel crate's toolchain: a compiler with its library's source, and bpf-linker on the same LLVM.
//!
//! Two ways lead to a compiler: a pinned nightly by rustup, or Debian's `rustc-web`, which brings its source along and
//! compiles the same with `RUSTC_BOOTSTRAP`. The way that was recorded with the committed object is tried first.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// The nightly that the kernel crate is built with where rustup can bring it.
const NIGHTLY: &str = "nightly-2026-05-20";
/// The LLVM of that nightly and of Debian's compiler; bpf-linker must not stand on an older one.
const LLVM: &str = "22";
/// The linker's version.
const BPF_LINKER: &str = "0.13.0";
/// Debian's compiler and its source.
const DEBIAN_RUSTC: [&str; 2] = ["rustc-web", "rust-web-src"];
/// The LLVM that bpf-linker is built against.
const DEBIAN_LLVM: [&str; 5] = ["llvm-22-dev", "libpolly-22-dev", "zlib1g-dev", "libzstd-dev", "libxml2-dev"];

/// The source of the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The pinned nightly.
    Rustup,
    /// `/usr/bin/rustc`.
    Debian,
}

/// A toolchain that was found to be there.
#[derive(Debug)]
pub(crate) struct Toolchain {
    way: Way,
    /// `rustc --version`.
    pub(crate) rustc: String,
    /// The LLVM that rustc stands on.
    pub(crate) llvm: String,
    /// `bpf-linker --version`.
    pub(crate) bpf_linker: String,
    /// The LLVM that bpf-linker stands on.
    pub(crate) linker_llvm: String,
    /// The folder that holds bpf-linker.
    linker_bin: PathBuf,
    /// The folder that holds LLVM's tools.
    pub(crate) llvm_bin: PathBuf,
}

impl Toolchain {
    /// Finds the toolchain, and installs what is missing of it where it can. `recorded` is `rustc --version` of the compiler
    /// that made the committed object.
    pub(crate) fn provide(root: &Path, recorded: Option<&str>) -> Result<Self> {
        let way = compiler(recorded)?;
        let llvm_bin = llvm()?;
        let linker_bin = linker(root, &llvm_bin)?;
        let version = capture(&mut rustc_of(way, "-vV"))?;
        let field = |name: &str| {
            let found = version.lines().find_map(|line| line.strip_prefix(name));
            found.map(str::to_owned).with_context(|| format!("`rustc -vV` does not say `{name}`"))
        };
        let bpf_linker = capture(Command::new(linker_bin.join("bpf-linker")).arg("--version"))?;
        Ok(Self {
            way,
            rustc: version.lines().next().unwrap_or_default().to_owned(),
            llvm: field("LLVM version: ")?,
            bpf_linker: bpf_linker.trim().to_owned(),
            linker_llvm: capture(Command::new(llvm_bin.join("llvm-config")).arg("--version"))?
                .trim()
                .to_owned(),
            linker_bin,
            llvm_bin,
        })
    }

    /// A cargo that uses this compiler.
    pub(crate) fn cargo(&self) -> Command {
        match self.way {
            Way::Rustup => {
                let mut command = Command::new("rustup");
                command.args(["run", NIGHTLY, "cargo"]).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
                command
            }
            Way::Debian => {
                let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
                let mut command = Command::new(cargo);
                command.env("RUSTC", DEBIAN_PATH).env("RUSTC_BOOTSTRAP", "1");
                command
            }
        }
    }

    /// This compiler with one option.
    pub(crate) fn rustc_command(&self, option: &str) -> Command {
        rustc_of(self.way, option)
    }

    /// The standard library's source.
    pub(crate) fn sources(&self) -> Result<PathBuf> {
        let sysroot = capture(&mut rustc_of(self.way, "--print=sysroot"))?;
        let linked = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
        linked.canonicalize().with_context(|| format!("cannot resolve {}", linked.display()))
    }

    /// The search path with the linker in front.
    pub(crate) fn path(&self) -> Result<OsString> {
        let old = env::var_os("PATH").unwrap_or_default();
        let folders = [self.linker_bin.clone()].into_iter().chain(env::split_paths(&old));
        env::join_paths(folders).context("the search path cannot be put together")
    }
}

/// Debian's compiler.
const DEBIAN_PATH: &str = "/usr/bin/rustc";

/// The compiler of a way, with one option.
fn rustc_of(way: Way, option: &str) -> Command {
    let mut command = match way {
        Way::Rustup => {
            let mut command = Command::new("rustup");
            command.args(["run", NIGHTLY, "rustc"]).env_remove("RUSTUP_TOOLCHAIN");
            command
        }
        Way::Debian => Command::new(DEBIAN_PATH),
    };
    command.arg(option);
    command
}

/// The way's compiler is there, stands on the right LLVM and has its library's source.
fn is_there(way: Way) -> bool {
    let Ok(version) = capture(&mut rustc_of(way, "-vV")) else { return false };
    let right = version.lines().any(|line| {
        line.strip_prefix("LLVM version: ").and_then(|version| version.split('.').next()) == Some(LLVM)
    });
    let Ok(sysroot) = capture(&mut rustc_of(way, "--print=sysroot")) else { return false };
    right && Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml").exists()
}

/// Finds a compiler or installs one.
fn compiler(recorded: Option<&str>) -> Result<Way> {
    // Debian's compiler calls itself stable; the recorded one is looked for first, as only it can prove the bytes.
    let nightly_recorded = recorded.is_some_and(|rustc| rustc.contains("nightly"));
    let order = if nightly_recorded { [Way::Rustup, Way::Debian] } else { [Way::Debian, Way::Rustup] };
    if let Some(way) = order.into_iter().find(|way| is_there(*way)) {
        return Ok(way);
    }
    for way in order {
        let installed = match way {
            Way::Rustup => install_nightly(),
            Way::Debian => apt_install(&DEBIAN_RUSTC),
        };
        match installed {
            Ok(()) if is_there(way) => return Ok(way),
            Ok(()) => {
                eprintln!("note: what was installed is no compiler on LLVM {LLVM} with its library's source");
            }
            Err(error) => eprintln!("note: {error:#}"),
        }
    }
    bail!(
        "the kernel crate needs a compiler with its library's source. Either: rustup toolchain install {NIGHTLY} \
         --profile minimal -c rust-src. Or on Debian, as root: apt-get install {}",
        DEBIAN_RUSTC.join(" ")
    )
}

fn install_nightly() -> Result<()> {
    announce(&format!("{NIGHTLY} with rust-src, by rustup"));
    let mut command = Command::new("rustup");
    command.args(["toolchain", "install", NIGHTLY, "--profile", "minimal", "-c", "rust-src"]);
    done(&mut command).with_context(|| format!("rustup cannot bring {NIGHTLY}"))
}

/// The folder of LLVM's tools; its packages are installed where missing.
fn llvm() -> Result<PathBuf> {
    let folder = PathBuf::from(format!("/usr/lib/llvm-{LLVM}/bin"));
    let given = env::var_os("LLVM_PREFIX").map(|prefix| Path::new(&prefix).join("bin"));
    let places: Vec<PathBuf> = given.into_iter().chain([folder]).collect();
    let found =
        || places.iter().find(|bin| bin.join("llvm-objcopy").exists() && bin.join("llvm-config").exists());
    if let Some(bin) = found() {
        return Ok(bin.clone());
    }
    apt_install(&DEBIAN_LLVM)?;
    found().cloned().with_context(|| {
        format!(
            "LLVM {LLVM} is missing: install {}, or set LLVM_PREFIX to where it is",
            DEBIAN_LLVM.join(" ")
        )
    })
}

/// The folder that holds bpf-linker; built where missing.
fn linker(root: &Path, llvm_bin: &Path) -> Result<PathBuf> {
    let own = root.join(format!("target/tools/bpf-linker-{BPF_LINKER}-llvm-{LLVM}"));
    let old = env::var_os("PATH").unwrap_or_default();
    let places = [own.join("bin")].into_iter().chain(env::split_paths(&old));
    for bin in places {
        if fits(&bin.join("bpf-linker")) {
            return Ok(bin);
        }
    }
    let prefix = llvm_bin.parent().context("LLVM's tools lie in no folder")?;
    announce(&format!("bpf-linker {BPF_LINKER} into {}, by cargo (about 2 minutes)", own.display()));
    let mut path = OsString::from(llvm_bin);
    path.push(":");
    path.push(&old);
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command
        .args([
            "install",
            "bpf-linker",
            "--locked",
            "--version",
            BPF_LINKER,
            "--no-default-features",
            "--features",
        ])
        .arg(format!("llvm-{LLVM}"))
        .arg("--root")
        .arg(&own)
        .env("LLVM_PREFIX", prefix)
        .env("PATH", path);
    done(&mut command).with_context(|| format!("cargo cannot install bpf-linker {BPF_LINKER}"))?;
    ensure!(fits(&own.join("bin/bpf-linker")), "the bpf-linker just built does not run");
    Ok(own.join("bin"))
}

/// A bpf-linker of the right version on the right LLVM.
fn fits(linker: &Path) -> bool {
    if !linker.exists() {
        return false;
    }
    let right =
        |command: &mut Command, text: &str| capture(command).is_ok_and(|output| output.contains(text));
    right(Command::new(linker).arg("--version"), BPF_LINKER)
        && (right(Command::new("ldd").arg(linker), &format!("libLLVM.so.{LLVM}"))
            || right(Command::new("ldd").arg(linker), &format!("libLLVM-{LLVM}")))
}

/// Installs Debian packages: as root only, and said aloud.
fn apt_install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let uid = capture(Command::new("id").arg("-u")).unwrap_or_default();
    ensure!(uid.trim() == "0", "{names} can be installed by root only: apt-get install {names}");
    announce(&format!("{names}, by apt-get"));
    let mut update = Command::new("apt-get");
    update.arg("update");
    done(&mut update).with_context(|| format!("apt-get is no way here to install {names}"))?;
    let mut install = Command::new("apt-get");
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    done(&mut install).with_context(|| format!("apt-get cannot install {names}"))
}

fn announce(what: &str) {
    eprintln!("installing {what}");
}

/// Runs a command whose output the user may read.
fn done(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_owned();
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("cannot start {}", shown(&name)))?;
    ensure!(status.success(), "{} ended with {status}", shown(&name));
    Ok(())
}

/// Runs a command and gives its standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", shown(&name)))?;
    ensure!(output.status.success(), "{} ended with {}", shown(&name), output.status);
    String::from_utf8(output.stdout).with_context(|| format!("{} wrote no text", shown(&name)))
}

fn shown(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}
