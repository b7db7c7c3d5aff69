//! Building the kernel object.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::toolchain::{Toolchain, capture};

/// The target of the programs: little-endian machines, x86-64 and aarch64 alike, as they read no kernel structures.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// The options of the compiler apart from paths; part of the sources' digest.
pub(crate) const OPTIONS: [&str; 9] = [
    "--cfg=bpf_target_arch=\"x86_64\"",
    "-Cdebuginfo=2",
    "-Copt-level=3",
    "-Ccodegen-units=1",
    "-Cpanic=abort",
    "-Coverflow-checks=off",
    "-Cdebug-assertions=off",
    "-Ctarget-cpu=v3",
    "-Clink-arg=--btf",
];

/// Builds the object and gives its bytes, stripped of what only a debugger reads: that holds paths and is larger than the
/// rest. BTF stays.
pub(crate) fn object(root: &Path, toolchain: &Toolchain) -> Result<Vec<u8>> {
    let target = target_dir(root);
    let mut cargo = command(root, toolchain)?;
    cargo.args(["--bin", "ftpmon"]);
    let status = cargo.status().context("cannot start cargo")?;
    ensure!(status.success(), "the kernel crate does not build");
    let linked = target.join(TARGET).join("release/ftpmon");
    let stripped = target.join("ftpmon.bpf.o");
    let status = Command::new(toolchain.llvm_bin.join("llvm-objcopy"))
        .arg("--strip-debug")
        .args([&linked, &stripped])
        .status()
        .context("cannot start llvm-objcopy")?;
    ensure!(status.success(), "llvm-objcopy refused {}", linked.display());
    fs::read(&stripped).with_context(|| format!("cannot read {}", stripped.display()))
}

/// Runs clippy on the kernel crate with warnings denied: the stable toolchain's, for the host, where the crate cannot be
/// linked but checks as well as anywhere.
pub(crate) fn clippy(root: &Path) -> Result<()> {
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
        .current_dir(root)
        .args(["clippy", "--locked", "--package", "ftpmon-ebpf", "--target-dir"])
        .arg(target_dir(root).join("clippy"))
        .args(["--", "-D", "warnings"])
        .env("CARGO_PROFILE_DEV_PANIC", "abort")
        .status()
        .context("cannot start cargo clippy")?;
    ensure!(status.success(), "clippy finds fault with the kernel crate");
    Ok(())
}

/// The kernel crate's own target folder, so that its build and the agent's do not wait for one another.
fn target_dir(root: &Path) -> PathBuf {
    root.join("target/ebpf")
}

/// The cargo command that builds the kernel crate.
fn command(root: &Path, toolchain: &Toolchain) -> Result<Command> {
    let mut cargo = toolchain.cargo();
    cargo
        .current_dir(root)
        .args(["build", "--locked", "--release", "--package", "ftpmon-ebpf", "--target", TARGET])
        .args(["-Z", "build-std=core", "--target-dir"])
        .arg(target_dir(root))
        .env("CARGO_ENCODED_RUSTFLAGS", flags(root, toolchain)?)
        .env("PATH", toolchain.path()?);
    for name in [
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_INCREMENTAL",
    ] {
        cargo.env_remove(name);
    }
    Ok(cargo)
}

/// The compiler's options: [`OPTIONS`], and every path of this machine mapped to one that is the same everywhere.
fn flags(root: &Path, toolchain: &Toolchain) -> Result<OsString> {
    let mut flags: Vec<OsString> = OPTIONS.iter().map(OsString::from).collect();
    let mut remap = |from: &Path, to: &str| {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push("=");
        flag.push(to);
        flags.push(flag);
    };
    remap(root, "/ftpmon");
    remap(&cargo_home()?.join("registry/src"), "/registry");
    remap(&toolchain.sources()?, "/rust");
    // What the compiler itself was built with already stands under /rustc/HASH.
    let hash = capture(&mut toolchain.rustc_command("-vV"))?;
    if let Some(hash) = hash.lines().find_map(|line| line.strip_prefix("commit-hash: ")) {
        remap(Path::new(&format!("/rustc/{hash}")), "/rust");
    }
    Ok(flags.join(&OsString::from("\u{1f}")))
}

/// Cargo's own folder.
fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(Path::new(&home).join(".cargo"))
}
