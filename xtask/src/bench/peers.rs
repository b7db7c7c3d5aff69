//! The programs that ftpmon is measured beside.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::machine::find;
use ftpmon_tests::process::run_ok;

use crate::workspace::is_root;

/// The choice of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peers {
    /// Those that are there are used; tcpdump is installed where that can be.
    Use,
    /// Those that Debian has are installed, as root.
    Install,
}

/// A program that reads captures or devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Tcpdump,
    Ndpi,
    Suricata,
    Tshark,
}

impl Peer {
    const fn program(self) -> &'static str {
        match self {
            Self::Tcpdump => "tcpdump",
            Self::Ndpi => "ndpiReader",
            Self::Suricata => "suricata",
            Self::Tshark => "tshark",
        }
    }

    const fn package(self) -> &'static str {
        match self {
            Self::Ndpi => "libndpi-bin",
            other => other.program(),
        }
    }

    /// Its task here.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Tcpdump => "tcpdump -w /dev/null",
            Self::Ndpi => "ndpiReader (no commands)",
            Self::Suricata => "suricata, EVE of FTP only",
            Self::Tshark => "tshark -T ek -Y ftp",
        }
    }

    /// It cannot be run.
    pub(crate) fn missing(self) -> bool {
        find(self.program()).is_none()
    }

    /// Its command to read a capture; what it writes to standard output is its answer. `folder` is for files of its own.
    pub(crate) fn read(self, capture: &Path, folder: &Path) -> Result<Command> {
        let words: &[&str] = match self {
            Self::Tcpdump => &["-w", "/dev/null", "-r"],
            Self::Ndpi => &["-q", "-i"],
            Self::Suricata => &["-S", "/dev/null", "-l", ".", "-r"],
            Self::Tshark => &["-n", "-T", "ek", "-Y", "ftp", "-r"],
        };
        let mut command = self.command(words, folder)?;
        command.arg(capture);
        Ok(command)
    }

    /// Its command to watch a device until it is told to end by SIGINT.
    pub(crate) fn watch(
        self,
        namespace: &ftpmon_tests::net::Namespace,
        device: &str,
        folder: &Path,
    ) -> Result<Command> {
        let mut command = namespace.command(self.program());
        match self {
            Self::Tcpdump => command.args(["-n", "-w", "/dev/null", "-i", device, "port", "21"]),
            Self::Ndpi => command.args(["-q", "-i", device]),
            Self::Suricata => command.args(["-S", "/dev/null", "-l", ".", "--af-packet"]).arg(device),
            Self::Tshark => command.args(["-n", "-T", "ek", "-Y", "ftp", "-i", device]),
        };
        self.prepare(&mut command, folder)?;
        Ok(command)
    }

    fn command(self, words: &[&str], folder: &Path) -> Result<Command> {
        let mut command = Command::new(self.program());
        command.args(words);
        self.prepare(&mut command, folder)?;
        Ok(command)
    }

    fn prepare(self, command: &mut Command, folder: &Path) -> Result<()> {
        command.current_dir(folder);
        if self == Self::Suricata {
            let settings = folder.join("suricata.yaml");
            fs::write(&settings, SURICATA).with_context(|| format!("cannot write {}", settings.display()))?;
            command.args([OsStr::new("-c"), settings.as_os_str()]);
        }
        Ok(())
    }
}

/// Suricata with nothing on but FTP and its log.
const SURICATA: &str = "\
%YAML 1.1
---
outputs:
  - eve-log: { enabled: yes, filetype: regular, filename: eve.json, types: [ftp] }
app-layer:
  protocols:
    ftp: { enabled: yes }
    ftp-data: { enabled: yes }
";

/// Installs the peers as far as is asked for. What cannot be installed stays missing, and its line says so.
pub(crate) fn prepare(peers: Peers) {
    let wanted: &[Peer] = match peers {
        Peers::Use => &[Peer::Tcpdump],
        Peers::Install => &[Peer::Tcpdump, Peer::Ndpi, Peer::Suricata, Peer::Tshark],
    };
    for peer in wanted {
        if let Err(error) = provide(peer.program(), peer.package()) {
            println!("note: {error:#}");
        }
    }
}

/// Sees to it that a program is there: as root on Debian and its kin its package is installed.
pub(crate) fn provide(program: &str, package: &str) -> Result<()> {
    if find(program).is_some() {
        return Ok(());
    }
    ensure!(is_root() && find("apt-get").is_some(), "{program} is not installed (Debian package {package})");
    println!("install: apt-get install {package}");
    let apt = |words: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive")
            .args(["-q", "-o", "DPkg::Lock::Timeout=300"])
            .args(words);
        run_ok(&mut apt)
    };
    let install = ["install", "-y", "--no-install-recommends", package];
    // Lists may be old or not there at all.
    if apt(&install).is_err() {
        apt(&["update"])?;
        apt(&install).with_context(|| format!("{package} cannot be installed"))?;
    }
    Ok(())
}
