//! Programs of others that judge what the views show: dissectors, a browser, readers of transfer logs.
//!
//! Debian's packages of some would bring services with them: these are unpacked beside the build.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use nix::unistd::Uid;

use crate::machine::{self, find};
use crate::party::{apt, unpack_into};
use crate::process::run_ok;

/// Packages that are installed, each with programs or files of which one tells that it is there.
const PACKAGES: [(&str, &[&str]); 7] = [
    ("tshark", &["tshark"]),
    ("webalizer", &["webalizer"]),
    ("tmux", &["tmux"]),
    // The modules that logwatch and AWStats want are not in perl-base.
    ("perl", &["prove"]),
    ("chromium-headless-shell", &BROWSERS),
    // Pages need fonts, Chinese ones too.
    ("fonts-dejavu-core", &["/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"]),
    ("fonts-wqy-microhei", &["/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"]),
];
/// Names of the browser.
const BROWSERS: [&str; 2] = ["chromium-headless-shell", "chromium"];

/// The release of chDB that the tests were written against.
const CHDB: [&str; 2] = ["chdb==4.4.0", "chdb-core==26.9.0"];

/// A program that is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpacked {
    /// AWStats: statistics of transfers by client, file and hour.
    Awstats,
    /// logwatch: a summary of a day's logs.
    Logwatch,
    /// promtool: rules of Prometheus, and their unit tests.
    Promtool,
    /// chDB: ClickHouse as a library of Python's, from PyPI.
    Chdb,
}

impl Unpacked {
    /// Those of Debian's packages.
    const ALL: [Self; 3] = [Self::Awstats, Self::Logwatch, Self::Promtool];

    /// Its package.
    const fn package(self) -> &'static str {
        match self {
            Self::Awstats => "awstats",
            Self::Logwatch => "logwatch",
            Self::Promtool => "prometheus",
            Self::Chdb => "chdb",
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
            Self::Chdb => "chdb/__init__.py",
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
    let is_there =
        |name: &&str| if name.starts_with('/') { Path::new(name).exists() } else { find(name).is_some() };
    let packages = PACKAGES.iter().filter(|(_, signs)| !signs.iter().any(&is_there));
    let packages: Vec<&str> = packages.map(|(package, _)| *package).collect();
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

/// Installs chDB where it is missing: half a gigabyte, so only for the tests that ask for it.
///
/// # Errors
/// The installation failed.
pub fn install_chdb(mut say: impl FnMut(&str)) -> Result<()> {
    if Unpacked::Chdb.missing().is_none() {
        return Ok(());
    }
    say(&format!("pip install {} into target/oracles", CHDB.join(" ")));
    let mut pip = Command::new("python3");
    // What it needs beside its core are forms of answers that nobody asks for here.
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(Unpacked::Chdb.folder()?)
        .args(CHDB);
    run_ok(&mut pip).map(drop)
}
