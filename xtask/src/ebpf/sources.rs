//! The digest of what goes into the kernel object.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::build;

/// The crates of the workspace that the object is made of.
const CRATES: [&str; 2] = ["ftpmon-common", "ftpmon-ebpf"];

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

/// Name, version and checksum of each crate that `ftpmon-ebpf` depends on, from `Cargo.lock`.
fn dependencies(root: &Path) -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let lock: toml::Table = text.parse().context("Cargo.lock is not valid TOML")?;
    let packages =
        lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock names no package")?;
    let field = |package: &toml::Value, key: &str| {
        package.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
    };
    let mut found = BTreeSet::new();
    let mut open = vec!["ftpmon-ebpf".to_owned()];
    let mut seen: BTreeSet<String> = open.iter().cloned().collect();
    while let Some(wanted) = open.pop() {
        // A lock file names a dependency `name`, or `name version` where there are several of that name.
        let (name, version) = wanted.split_once(' ').unwrap_or((&wanted, ""));
        for package in packages {
            if field(package, "name") != name || !(version.is_empty() || field(package, "version") == version)
            {
                continue;
            }
            found.insert(format!("{name} {} {}", field(package, "version"), field(package, "checksum")));
            // The agent's side of ftpmon-common is a feature that the kernel crate does not enable.
            if name == "ftpmon-common" {
                continue;
            }
            let needs = package.get("dependencies").and_then(toml::Value::as_array);
            for need in needs.into_iter().flatten().filter_map(toml::Value::as_str) {
                if seen.insert(need.to_owned()) {
                    open.push(need.to_owned());
                }
            }
        }
    }
    Ok(found)
}
