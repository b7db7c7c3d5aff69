//! `cargo xtask ebpf`: the kernel object, built from source and reproducible byte for byte.
//!
//! The object and what it was made of are committed (`ftpmon/ebpf/`), so that building the agent needs nothing but stable
//! Rust. `--check` proves that they belong to the sources.

mod build;
mod provenance;
mod sources;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use provenance::Provenance;
use toolchain::Toolchain;

/// The committed object, relative to the workspace.
const OBJECT: &str = "ftpmon/ebpf/ftpmon.bpf.o";
/// The inputs of the committed object.
const PROVENANCE: &str = "ftpmon/ebpf/PROVENANCE.toml";

/// Without an option: builds the object and writes it with its provenance into the source tree.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Proves the committed object: its sources are these, and building them with the recorded toolchain gives the same
    /// bytes. With another toolchain the object is built all the same, and only the bytes are not compared.
    #[arg(long, conflicts_with_all = ["clippy", "output"])]
    check: bool,
    /// With --check: compares digests only and builds nothing.
    #[arg(long, requires = "check")]
    sources_only: bool,
    /// Runs clippy on the kernel crate, warnings denied, and writes nothing.
    #[arg(long)]
    clippy: bool,
    /// Writes the object here instead, and no provenance.
    #[arg(long, value_name = "FILE", conflicts_with = "clippy")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace()?;
    let recorded = Provenance::read(&root.join(PROVENANCE))?;
    if args.check {
        return check(&root, recorded.as_ref(), args.sources_only);
    }
    if args.clippy {
        return build::clippy(&root);
    }
    let toolchain = Toolchain::provide(&root, recorded.as_ref().map(|recorded| recorded.rustc.as_str()))?;
    let object = build::object(&root, &toolchain)?;
    if let Some(output) = &args.output {
        fs::write(output, &object).with_context(|| format!("cannot write {}", output.display()))?;
        println!("{}: {} bytes", output.display(), object.len());
        return Ok(());
    }
    let made = Provenance::of(&toolchain, sources::digest(&root)?, &object);
    let place = root.join(OBJECT);
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(&place, &object).with_context(|| format!("cannot write {}", place.display()))?;
    made.write(&root.join(PROVENANCE))?;
    println!("{OBJECT}: {} bytes, sha256 {}", object.len(), made.object_sha256);
    Ok(())
}

/// Proves the committed object, see [`Args::check`].
fn check(root: &Path, recorded: Option<&Provenance>, sources_only: bool) -> Result<()> {
    let Some(recorded) = recorded else {
        bail!("{PROVENANCE} is missing: run `cargo xtask ebpf` and commit what it writes");
    };
    let committed = fs::read(root.join(OBJECT)).with_context(|| format!("cannot read {OBJECT}"))?;
    ensure!(
        provenance::sha256(&committed) == recorded.object_sha256,
        "{OBJECT} is not the object that {PROVENANCE} describes: run `cargo xtask ebpf` and commit both"
    );
    ensure!(
        sources::digest(root)? == recorded.sources_sha256,
        "the kernel sources have changed since {OBJECT} was built: run `cargo xtask ebpf` and commit what it writes"
    );
    println!("sources: equal");
    if sources_only {
        return Ok(());
    }
    let toolchain = Toolchain::provide(root, Some(&recorded.rustc))?;
    let built = build::object(root, &toolchain)?;
    if !recorded.same_toolchain(&toolchain) {
        println!("bytes: built, not compared: {} here, {} recorded", toolchain.rustc, recorded.rustc);
        return Ok(());
    }
    if built != committed {
        let kept = root.join("target/ebpf/differs.bpf.o");
        fs::write(&kept, &built).with_context(|| format!("cannot write {}", kept.display()))?;
        bail!(
            "the recorded toolchain gives other bytes than {OBJECT} has: compare it with {}",
            kept.display()
        );
    }
    println!("bytes: equal ({} bytes, sha256 {})", built.len(), recorded.object_sha256);
    Ok(())
}

/// The workspace's root: the folder above this crate's.
fn workspace() -> Result<PathBuf> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = here.parent().context("xtask has no folder above it")?;
    root.canonicalize().with_context(|| format!("cannot resolve {}", root.display()))
}
