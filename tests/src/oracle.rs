//! Programs of others that judge what the views show: dissectors, a browser, readers of transfer logs.
//!
//! Debian's packages of some would bring services with them: these are unpacked beside the build.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use nix::unistd::Uid;

use crate::machine::{self, find};
use crate::party::{apt, unpack_into};
use crate::process::run_ok;

/// Packages that are installed, with the programs of which one tells that it is there.
const PACKAGES: [(&[&str], &[&str]); 3] = [
    (&["tshark"], &["tshark"]),
    (&["webalizer"], &["webalizer"]),
    // Its texts need fonts: Latin and Chinese ones.
    (&["chromium-headless-shell", "fonts-dejavu-core", "fonts-wqy-microhei"], &BROWSERS),
];
/// Names of the browser.
const BROWSERS: [&str; 2] = ["chromium-headless-shell", "chromium"];

/// A program that is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpacked {
    /// AWStats: statistics of transfers by client, file and hour.
    Awstats,
    /// logwatch: a summary of a day's logs.
    Logwatch,
    /// promtool: rules of Prometheus, and their unit tests.
    Promtool,
}

impl Unpacked {
    /// All of them.
    const ALL: [Self; 3] = [Self::Awstats, Self::Logwatch, Self::Promtool];

    /// Its package.
    const fn package(self) -> &'static str {
        match self {
            Self::Awstats => "awstats",
            Self::Logwatch => "logwatch",
            Self::Promtool => "prometheus",
        }
    }

    /// The folder that it is unpacked into.
    ///
    /// # Errors
    /// The workspace's target folder is not known.
    pub fn folder(self) -> Result<PathBuf> {
        Ok(machine::target()?.join("oracles").join(self.package()))
    }

    /// Its program.
    ///
    /// # Errors
    /// As [`Self::folder`].
    pub fn program(self) -> Result<PathBuf> {
        let path = match self {
            Self::Awstats => "usr/lib/cgi-bin/awstats.pl",
            Self::Logwatch => "usr/share/logwatch/scripts/logwatch.pl",
            Self::Promtool => "usr/bin/promtool",
        };
        Ok(self.folder()?.join(path))
    }

    /// The reason why it cannot be used here, if so.
    pub fn missing(self) -> Option<String> {
        let is_there = self.program().is_ok_and(|path| path.is_file());
        (!is_there).then(|| format!("{} is not unpacked (cargo xtask test does)", self.package()))
    }
}

/// The browser.
pub fn browser() -> Option<PathBuf> {
    BROWSERS.iter().find_map(|name| find(name))
}

/// Installs what is missing, telling each step to `say`. Without root or apt it names what is missing instead.
///
/// # Errors
/// An installation failed.
pub fn install(mut say: impl FnMut(&str)) -> Result<()> {
    let is_missing = |programs: &[&str]| programs.iter().all(|program| find(program).is_none());
    let packages = PACKAGES.iter().filter(|(_, programs)| is_missing(programs));
    let packages: Vec<&str> = packages.flat_map(|(packages, _)| packages.iter().copied()).collect();
    let unpack: Vec<Unpacked> = Unpacked::ALL.into_iter().filter(|one| one.missing().is_some()).collect();
    if packages.is_empty() && unpack.is_empty() {
        return Ok(());
    }
    let unpacked = unpack.iter().map(|one| one.package()).collect::<Vec<_>>().join(" ");
    if !Uid::effective().is_root() || find("apt-get").is_none() {
        say(&format!(
            "not here: {} {unpacked} (as root on Debian this command installs them)",
            packages.join(" ")
        ));
        return Ok(());
    }
    say("apt-get update");
    run_ok(apt().arg("update"))?;
    if !packages.is_empty() {
        say(&format!("apt-get install {}", packages.join(" ")));
        run_ok(apt().args(["install", "-y", "--no-install-recommends"]).args(&packages))?;
    }
    for one in unpack {
        say(&format!("unpacking {} into target/oracles", one.package()));
        unpack_into(&one.folder()?, &[one.package()])?;
    }
    Ok(())
}

/// The command that runs a program of Perl's.
///
/// # Errors
/// The workspace's target folder is not known.
pub fn perl(program: Unpacked) -> Result<Command> {
    let mut perl = Command::new("perl");
    perl.arg(program.program()?);
    Ok(perl)
}
