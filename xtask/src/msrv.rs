//! `cargo xtask msrv`: the workspace compiles with the Rust version that `Cargo.toml` declares.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::workspace::root;

/// Compiles everything, tests included, with the declared version, which rustup installs where it is missing. Where rustup's
/// server cannot be reached, clippy's `incompatible_msrv`, which every run has, is all that is checked.
///
/// The build has a target folder of its own, as one compiler cannot use another's results.
pub(crate) fn run() -> Result<()> {
    let root = root()?;
    let toolchain = format!("{}.0", declared(&fs::read_to_string(root.join("Cargo.toml"))?)?);
    let is_there = Command::new("rustup")
        .args(["run", &toolchain, "rustc", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !is_there {
        println!("installing Rust {toolchain} by rustup");
        let installed = Command::new("rustup")
            .args(["toolchain", "install", &toolchain, "--profile", "minimal", "--no-self-update"])
            .status()
            .context("the declared Rust version needs rustup")?;
        if !installed.success() {
            println!("not compiled with Rust {toolchain}: rustup cannot install it here");
            return Ok(());
        }
    }
    let compiled = Command::new("rustup")
        .current_dir(&root)
        .args(["run", &toolchain, "cargo", "check", "--quiet", "--locked", "--workspace"])
        .args(["--exclude", "ftpmon-ebpf", "--all-targets", "--target-dir", "target/msrv"])
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .status()
        .context("cannot start rustup")?;
    ensure!(compiled.success(), "the workspace does not compile with Rust {toolchain}");
    println!("the workspace compiles with Rust {toolchain}");
    Ok(())
}

/// `rust-version` of the workspace.
fn declared(manifest: &str) -> Result<String> {
    let table: toml::Table = manifest.parse().context("Cargo.toml is not valid TOML")?;
    let package = table.get("workspace").and_then(|workspace| workspace.get("package"));
    let version = package.and_then(|package| package.get("rust-version")).and_then(toml::Value::as_str);
    version.map(str::to_owned).context("Cargo.toml declares no rust-version")
}

#[cfg(test)]
mod tests {
    use super::declared;

    #[test]
    fn the_declared_version_is_the_workspaces() {
        assert_eq!(declared("[workspace.package]\nrust-version = \"1.89\"").unwrap(), "1.89");
        assert!(declared("[package]\nrust-version = \"1.89\"").is_err());
    }
}
