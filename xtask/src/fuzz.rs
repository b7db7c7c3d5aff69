//! `cargo xtask fuzz`: feeds the core arbitrary bytes and lists of operations.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::tools::Tool;

const CARGO_FUZZ: Tool = Tool { package: "cargo-fuzz", version: "0.13.2", options: &[] };
/// Memory of a target at most, MiB: several times what the caps allow, so that only growth beyond them hits it.
const MEMORY_MIB: u32 = 2_048;
/// An input that takes longer is reported as a hang, seconds.
const INPUT_TIMEOUT_S: u32 = 10;
/// A line of a control stream is capped at 8 KiB: inputs of twice that reach past the cap.
const INPUT_BYTES_MAX: u32 = 16_384;

/// Lines that are shown of a target that failed: the finding, its trace and its input.
const LAST_LINES: usize = 120;

/// Options of `cargo xtask fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The target; all of them, one after the other, where none is given.
    target: Option<String>,
    /// Seconds a target.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
    /// A few seconds a target: finds what breaks at once.
    #[arg(long, conflicts_with = "seconds")]
    smoke: bool,
    /// More seeds: a folder of files, read and not written.
    #[arg(long, value_name = "DIR")]
    seeds: Vec<PathBuf>,
}

/// Runs the fuzz targets.
pub(crate) fn run(args: &Args) -> Result<()> {
    fuzz(args).map(drop)
}

/// Runs every target for a few seconds. Returns how many there are.
pub(crate) fn smoke() -> Result<usize> {
    fuzz(&Args { target: None, seconds: 0, smoke: true, seeds: Vec::new() })
}

fn fuzz(args: &Args) -> Result<usize> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    let folder = root.join("fuzz");
    let all = targets(&folder)?;
    let chosen: Vec<&String> = match &args.target {
        None => all.iter().collect(),
        Some(name) => match all.iter().find(|target| *target == name) {
            Some(target) => vec![target],
            None => bail!("no fuzz target is called {name}; there are {}", all.join(", ")),
        },
    };
    let toolchain = Toolchain::find()?;
    CARGO_FUZZ.provide()?;
    let seconds = if args.smoke { 5 } else { args.seconds };
    for target in &chosen {
        println!("fuzz: {target}, {seconds} s, {}", toolchain.describe());
        toolchain.fuzz(&folder, target, seconds, args)?;
    }
    Ok(chosen.len())
}

/// The targets are the files of `fuzz/fuzz_targets`.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.join("fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().and_then(|name| name.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}

/// The compiler that instruments: a nightly, or the default one told to take nightly's options.
struct Toolchain {
    nightly: bool,
    /// The compiler comes with AddressSanitizer's runtime.
    sanitizer: bool,
}

impl Toolchain {
    fn find() -> Result<Self> {
        let nightly = output(Command::new("rustup").args(["toolchain", "list"])).is_ok_and(|list| {
            list.lines().any(|name| name.starts_with("nightly-x86_64") || name.starts_with("nightly-aarch64"))
        });
        let mut rustc = Command::new("rustc");
        if nightly {
            rustc.arg("+nightly");
        }
        let libraries = output(rustc.args(["--print", "target-libdir"]))?;
        let sanitizer = fs::read_dir(libraries.trim()).is_ok_and(|entries| {
            entries.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with("_rt.asan.a"))
        });
        Ok(Self { nightly, sanitizer })
    }

    fn describe(&self) -> String {
        let compiler = if self.nightly { "nightly" } else { "default toolchain with RUSTC_BOOTSTRAP=1" };
        let sanitizer = if self.sanitizer { "AddressSanitizer" } else { "no sanitizer" };
        format!("{compiler}, {sanitizer}")
    }

    fn fuzz(&self, folder: &Path, target: &str, seconds: u32, args: &Args) -> Result<()> {
        // libFuzzer writes what it finds into the first folder and only reads the others.
        let found = folder.join("corpus").join(target);
        fs::create_dir_all(&found).with_context(|| format!("cannot create {}", found.display()))?;
        let own = folder.join("seeds").join(target);
        let mut folders: Vec<OsString> = vec![found.into()];
        if own.is_dir() {
            folders.push(own.into());
        }
        for more in &args.seeds {
            folders.push(fs::canonicalize(more).with_context(|| format!("{}", more.display()))?.into());
        }
        let mut command = Command::new("cargo");
        if self.nightly {
            command.arg("+nightly");
        } else {
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        command
            .current_dir(folder)
            .args(["fuzz", "run", "--fuzz-dir", ".", "--release"])
            .args(["--sanitizer", if self.sanitizer { "address" } else { "none" }])
            .arg(target)
            .args(folders)
            .arg("--")
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={INPUT_TIMEOUT_S}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg("-len_control=30")
            .arg("-print_final_stats=1");
        let succeeded = if args.smoke { quietly(&mut command)? } else { loudly(&mut command)? };
        if !succeeded {
            bail!(
                "{target} found something: the input lies in fuzz/artifacts/{target}; make it a unit test of that name"
            );
        }
        Ok(())
    }
}

/// Runs a command and shows what it prints as it comes. Returns whether it succeeded.
fn loudly(command: &mut Command) -> Result<bool> {
    Ok(command.status().with_context(|| format!("cannot run {command:?}"))?.success())
}

/// Runs a command and shows the end of what it printed if it fails: libFuzzer tells thousands of lines of its progress.
fn quietly(command: &mut Command) -> Result<bool> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = printed.lines().collect();
        println!("{}", lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join("\n"));
    }
    Ok(output.status.success())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
