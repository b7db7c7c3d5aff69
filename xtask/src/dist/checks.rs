//! Checks of the packages by the tools of other projects. A tool that is not installed is named, and its check left out.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Result, ensure};
use ftpmon_tests::machine::find;

use super::provide::linters;

/// The exposure that systemd may find in the unit at most: 20 is 2.0 on its scale of 10.
const EXPOSURE_MAX: &str = "20";
/// Files without which a package does not serve.
const EXPECTED: [&str; 7] = [
    "./usr/bin/ftpmon",
    "./usr/lib/systemd/system/ftpmon.service",
    "./usr/lib/sysusers.d/ftpmon.conf",
    "./usr/lib/tmpfiles.d/ftpmon.conf",
    "./etc/ftpmon/ftpmon.toml",
    "./usr/share/man/man1/ftpmon-run.1.gz",
    "./usr/share/bash-completion/completions/ftpmon",
];

/// The unit and the manifests.
pub(super) fn deploy(folder: &Path) -> Result<()> {
    let unit = folder.join("systemd/ftpmon.service");
    if let Some(mut systemd) = tool("systemd-analyze") {
        systemd.args(["security", "--offline=true", "--threshold", EXPOSURE_MAX]).arg(&unit);
        ensure_quiet("systemd-analyze security", &systemd.output()?)?;
    }
    if let Some(mut kubectl) = tool("kubectl") {
        let rendered = kubectl.arg("kustomize").arg(folder.join("kubernetes")).output()?;
        ensure_quiet("kubectl kustomize", &rendered)?;
        let text = String::from_utf8_lossy(&rendered.stdout);
        ensure!(text.contains("kind: DaemonSet") && text.contains("kind: ConfigMap"), "{text}");
        manifests(&rendered.stdout)?;
    }
    container(&folder.join("container/Containerfile"))
}

/// Every field of the manifests is one of Kubernetes', with a value of its type.
fn manifests(rendered: &[u8]) -> Result<()> {
    let Some(linters) = linters()? else {
        println!("not checked by kubernetes-validate: pip3 is not installed");
        return Ok(());
    };
    let file = ftpmon_tests::machine::target()?.join("kubernetes.yaml");
    std::fs::write(&file, rendered)?;
    let mut validate = Command::new("python3");
    validate.env("PYTHONPATH", &linters).arg(linters.join("bin/kubernetes-validate"));
    let judged = validate.arg("--strict").arg(&file).output()?;
    std::fs::remove_file(&file)?;
    ensure_quiet("kubernetes-validate", &judged)
}

/// The rules of hadolint.
fn container(file: &Path) -> Result<()> {
    let Some(linters) = linters()? else {
        println!("not checked by hadolint: pip3 is not installed");
        return Ok(());
    };
    ensure_quiet("hadolint", &Command::new(linters.join("bin/hadolint")).arg(file).output()?)
}

/// The archive can be unpacked, and what is in it runs.
pub(super) fn archive(archive: &Path) -> Result<()> {
    let folder = archive.with_extension("unpacked");
    std::fs::create_dir(&folder)?;
    let unpacked =
        Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&folder).arg("--strip=1").status()?;
    ensure!(unpacked.success(), "tar cannot unpack {}", archive.display());
    let version = Command::new(folder.join("ftpmon")).arg("--version").output()?;
    std::fs::remove_dir_all(&folder)?;
    ensure_quiet("ftpmon --version", &version)?;
    let text = String::from_utf8_lossy(&version.stdout);
    ensure!(text.trim() == concat!("ftpmon ", env!("CARGO_PKG_VERSION")), "{text}");
    Ok(())
}

/// The package holds what it must, and lintian finds no error and no warning in it.
pub(super) fn package(package: &Path) -> Result<()> {
    if let Some(mut dpkg) = tool("dpkg-deb") {
        let listed = dpkg.arg("--contents").arg(package).output()?;
        ensure_quiet("dpkg-deb --contents", &listed)?;
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        for file in EXPECTED {
            ensure!(text.lines().any(|line| line.ends_with(file)), "{file} is missing:\n{text}");
        }
    }
    if let Some(mut lintian) = tool("lintian") {
        let found = lintian.args(["--fail-on", "error,warning", "--allow-root"]).arg(package).output()?;
        print!("{}", String::from_utf8_lossy(&found.stdout));
        ensure_quiet("lintian", &found)?;
    }
    Ok(())
}

/// A program of another project, or a line that it is not there.
fn tool(name: &str) -> Option<Command> {
    let found = find(name);
    if found.is_none() {
        println!("not checked by {name}: it is not installed");
    }
    found.map(Command::new)
}

fn ensure_quiet(what: &str, output: &Output) -> Result<()> {
    let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    ensure!(output.status.success(), "{what}: {}", said.concat());
    Ok(())
}
