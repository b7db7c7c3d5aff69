//! Debian's kernels, downloaded and unpacked below `target/kernels`. Nothing is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::machine::{find, target};
use ftpmon_tests::party::{apt, unpack_into};
use ftpmon_tests::process::run_ok;

use crate::workspace::is_root;

/// Programs that a kernel is booted with, and the packages that have them.
const TOOLS: [(&str, &str); 3] =
    [("qemu-system-x86_64", "qemu-system-x86"), ("cpio", "cpio"), ("ip", "iproute2")];

/// A kernel that was unpacked.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// Its series, as `6.1`.
    pub(super) series: String,
    folder: PathBuf,
}

impl Image {
    /// The newest kernel of a series: one for cloud machines where there is one, as it is smaller.
    pub(super) fn provide(series: &str) -> Result<Self> {
        Self::of_list(series).or_else(|error| {
            // apt's list may be empty, or name packages that are gone.
            ensure!(is_root(), "{error:#}");
            println!("kernels: apt-get update");
            run_ok(apt().arg("update"))?;
            Self::of_list(series)
        })
    }

    fn of_list(series: &str) -> Result<Self> {
        let kernels = target()?.join("kernels");
        let names = run_ok(Command::new("apt-cache").args(["pkgnames", &format!("linux-image-{series}")]))?;
        let package = newest(series, names.lines())
            .with_context(|| format!("apt knows no kernel of the series {series}"))?;
        let folder = kernels.join(package);
        if !folder.is_dir() {
            println!("kernels: downloading {package}");
            let unpacked = kernels.join(format!("{package}.part"));
            let _ = fs::remove_dir_all(&unpacked);
            unpack_into(&unpacked, &[package])?;
            fs::rename(&unpacked, &folder)?;
        }
        Ok(Self { series: series.to_owned(), folder })
    }

    /// The kernel's file.
    pub(super) fn kernel(&self) -> Result<PathBuf> {
        let is_kernel =
            |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("vmlinuz-"));
        files(&self.folder.join("boot"))?.into_iter().find(is_kernel).context("the package has no kernel")
    }

    /// The file of a module.
    pub(super) fn module(&self, name: &str) -> Result<PathBuf> {
        let is_module = |path: &PathBuf| {
            path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&format!("{name}.ko")))
        };
        let all = files(&self.folder.join("lib/modules"))?;
        all.into_iter().find(is_module).with_context(|| format!("the package has no module {name}"))
    }
}

/// Installs what is missing of the tools.
pub(super) fn provide_tools(may_install: bool) -> Result<()> {
    let missing: Vec<&str> =
        TOOLS.iter().filter(|(program, _)| find(program).is_none()).map(|(_, package)| *package).collect();
    let can_install = may_install && is_root() && find("apt-get").is_some();
    ensure!(missing.is_empty() || can_install, "not installed here: {}", missing.join(" "));
    if !missing.is_empty() {
        println!("install: apt-get install {}", missing.join(" "));
        run_ok(apt().arg("update"))?;
        run_ok(apt().args(["install", "-y", "--no-install-recommends"]).args(&missing))?;
    }
    ensure!(find("apt-cache").is_some(), "Debian's kernels need apt");
    Ok(())
}

/// The newest kernel of a series among the names of packages.
fn newest<'a>(series: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let version = |name: &'a str| -> Option<(bool, Vec<u64>)> {
        let release = name.strip_prefix("linux-image-")?.strip_prefix(series)?.strip_prefix('.')?;
        let release = release.strip_suffix("-amd64")?;
        let (release, cloud) = match release.strip_suffix("-cloud") {
            Some(release) => (release, true),
            None => (release, false),
        };
        // Of others, such as -rt and -unsigned, there is something left that is no number.
        let numbers = release.split(['.', '-', '+']).map(|word| word.trim_start_matches("deb").parse());
        Some((cloud, numbers.collect::<Result<_, _>>().ok()?))
    };
    names.filter_map(|name| Some((version(name)?, name))).max().map(|(_, name)| name)
}

/// All files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::newest;

    #[test]
    fn the_newest_kernel_of_its_series_is_taken() {
        let names = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-6.1.0-57-amd64",
            "linux-image-6.1.0-57-rt-amd64",
            "linux-image-6.12.117+deb12-cloud-amd64",
            "linux-image-6.12.9+deb12-cloud-amd64",
            "linux-image-6.12-cloud-amd64",
        ];
        let newest = |series| newest(series, names.into_iter());
        assert_eq!(newest("6.1"), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(newest("6.12"), Some("linux-image-6.12.117+deb12-cloud-amd64"));
        assert_eq!(newest("6.13"), None);
    }
}
