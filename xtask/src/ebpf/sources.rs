//! The digest of what goes into the kernel object.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::build;
use super::toolchain::capture;

/// The crates of the workspace that the object is made of.
const CRATES: [&str; 2] = ["ftpmon-common", "ftpmon-ebpf"];

/// The crates whose macros write code into it.
const MACROS: [&str; 2] = ["aya-ebpf-macros", "aya-log-ebpf-macros"];

/// SHA-256 over the manifests and sources of the kernel's crates, the build's options, and version and checksum of each
/// crate that they depend on. Nothing else of the workspace counts: a new dependency of the agent leaves it as it is.
pub(crate) fn digest(root: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut feed = |name: &str, content: &[u8]| {
        hash.update(format!("{name}\n{}\n", content.len()));
        hash.update(content);
    };
    for package in CRATES {
        let folder = root.join(package);
        let mut files = vec![folder.join("Cargo.toml")];
        collect(&folder.join("src"), &mut files)?;
        files.sort();
        for file in files {
            let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
            let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            feed(&name, &content);
        }
    }
    for option in build::OPTIONS {
        feed("option", format!("{option:?}").as_bytes());
    }
    for dependency in dependencies(root)? {
        feed("dependency", dependency.as_bytes());
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// All Rust files below `folder`.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Name, version and checksum of each crate that `ftpmon-ebpf` is compiled from, and of those that write code into it.
/// What the latter depend on in their turn does not count.
fn dependencies(root: &Path) -> Result<BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = capture(
        Command::new(cargo)
            .current_dir(root)
            .args(["tree", "--locked", "--package", "ftpmon-ebpf", "--target", build::TARGET])
            .args(["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]),
    )?;
    let text = fs::read_to_string(root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let lock: toml::Table = text.parse().context("Cargo.lock is not valid TOML")?;
    let packages =
        lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock names no package")?;
    let mut found = BTreeSet::new();
    for package in packages {
        let field = |key: &str| package.get(key).and_then(toml::Value::as_str).unwrap_or_default();
        let (name, version) = (field("name"), field("version"));
        let compiled = tree.lines().any(|line| {
            let mut words = line.split(' ');
            words.next() == Some(name)
                && words.next().and_then(|word| word.strip_prefix('v')) == Some(version)
        });
        if compiled || MACROS.contains(&name) {
            found.insert(format!("{name} {version} {}", field("checksum")));
        }
    }
    Ok(found)
}
