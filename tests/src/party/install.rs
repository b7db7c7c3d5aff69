//! Brings the parties onto a Debian or Ubuntu machine.
//!
//! Debian's FTP servers conflict with one another as packages: vsftpd is installed, the others are unpacked beside the
//! build, as are the libraries that only they want.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::unistd::Uid;

use super::{Party, folder};
use crate::machine::find;
use crate::process::run_ok;

/// Packages that are installed, with a program that tells whether one is there.
const PACKAGES: [(&str, &str); 12] = [
    ("iproute2", "ip"),
    ("ethtool", "ethtool"),
    ("iptables", "iptables"),
    ("openssl", "openssl"),
    ("vsftpd", "vsftpd"),
    ("curl", "curl"),
    ("lftp", "lftp"),
    ("tnftp", "tnftp"),
    ("python3", "python3"),
    ("python3-pip", "pip3"),
    ("tmux", "tmux"),
    ("logrotate", "logrotate"),
];

/// Tools of attackers, and clients that only their tests want.
const TOOLS: [(&str, &str); 7] = [
    ("hydra", "hydra"),
    ("medusa", "medusa"),
    ("ncrack", "ncrack"),
    ("patator", "patator"),
    ("nmap", "nmap"),
    ("nftables", "nft"),
    ("wget", "wget"),
];

/// Folders below `target/parties` and the packages that are unpacked into each.
const UNPACKED: [(Party, &str, &[&str]); 3] = [
    (Party::Vsftpd, "vsftpd", &["libpam-pwdfile"]),
    (
        Party::Proftpd,
        "proftpd",
        &[
            "proftpd-core",
            "proftpd-mod-crypto",
            "libhiredis0.14",
            "libmemcached11",
            "libmemcachedutil2",
            "libhashkit2",
            "libpcre2-posix3",
        ],
    ),
    (Party::PureFtpd, "pure-ftpd", &["pure-ftpd", "pure-ftpd-common"]),
];

/// The release of pyftpdlib that the tests were written against.
const PYFTPDLIB: &str = "pyftpdlib==2.2.0";

/// Installs what is missing, telling each step to `say`. Without root or apt it names what is missing instead.
///
/// # Errors
/// An installation failed.
pub fn install(mut say: impl FnMut(&str)) -> Result<()> {
    let packages: Vec<&str> =
        PACKAGES.iter().filter(|(_, program)| find(program).is_none()).map(|(package, _)| *package).collect();
    let unpack: Vec<_> = UNPACKED.iter().filter(|(party, ..)| party.missing().is_some()).collect();
    let able = Uid::effective().is_root() && find("apt-get").is_some();
    if !able {
        if !packages.is_empty() {
            say(&format!(
                "not installed here: {} (as root on Debian or Ubuntu this command installs them)",
                packages.join(" ")
            ));
        }
        for (_, name, wanted) in unpack {
            say(&format!("not unpacked here: {name} (Debian packages {})", wanted.join(" ")));
        }
    } else {
        if !packages.is_empty() || !unpack.is_empty() {
            say("apt-get update");
            run_ok(apt().arg("update"))?;
        }
        if !packages.is_empty() {
            say(&format!("apt-get install {}", packages.join(" ")));
            run_ok(apt().args(["install", "-y", "--no-install-recommends"]).args(&packages))?;
        }
        for (_, name, wanted) in unpack {
            say(&format!("unpacking {} into target/parties/{name}", wanted.join(" ")));
            unpack_into(&folder()?.join(name), wanted)?;
        }
    }
    if Party::Pyftpdlib.missing().is_some() && find("python3").is_some() {
        say(&format!("pip install {PYFTPDLIB} into target/parties/pyftpdlib"));
        let target = folder()?.join("pyftpdlib");
        fs::create_dir_all(&target)?;
        let mut pip = Command::new(Party::Pyftpdlib.program()?);
        pip.args(["-m", "pip", "install", "--quiet", "--target"]).arg(&target).arg(PYFTPDLIB);
        if let Err(error) = run_ok(&mut pip) {
            say(&format!("pyftpdlib could not be installed: {error}"));
        }
    }
    Ok(())
}

/// Installs the tools that are missing. Without root or apt the tests say what is.
///
/// # Errors
/// An installation failed.
pub fn install_tools(mut say: impl FnMut(&str)) -> Result<()> {
    let missing: Vec<&str> =
        TOOLS.iter().filter(|(_, program)| find(program).is_none()).map(|(package, _)| *package).collect();
    let unpacked = [("crowdsec", crowdsec()?, "crowdsec"), ("fail2ban", fail2ban()?, "fail2ban-regex")];
    let not_there = unpacked
        .iter()
        .filter(|(_, folder, program)| !folder.join("usr/bin").join(program).is_file())
        .collect::<Vec<_>>();
    if !Uid::effective().is_root()
        || find("apt-get").is_none()
        || (missing.is_empty() && not_there.is_empty())
    {
        return Ok(());
    }
    run_ok(apt().arg("update"))?;
    if !missing.is_empty() {
        say(&format!("apt-get install {}", missing.join(" ")));
        run_ok(apt().args(["install", "-y", "--no-install-recommends"]).args(&missing))?;
    }
    for (package, folder, _) in not_there {
        say(&format!("unpacking {package} into {}", folder.display()));
        unpack_into(folder, &[package])?;
    }
    Ok(())
}

/// The folder into which CrowdSec is unpacked: as a package it would start a service and ask its makers for rules.
///
/// # Errors
/// The workspace's target folder is not known.
pub fn crowdsec() -> Result<PathBuf> {
    Ok(folder()?.join("crowdsec"))
}

/// The folder into which fail2ban is unpacked: as a package it would start a service too.
///
/// # Errors
/// There is no such folder.
pub fn fail2ban() -> Result<PathBuf> {
    Ok(folder()?.join("fail2ban"))
}

/// apt-get, unattended.
pub fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    // No questions, no services started, and a package lock held by another run is waited for.
    apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-o", "DPkg::Lock::Timeout=300"]);
    apt
}

/// Downloads Debian packages and unpacks them into a folder.
///
/// # Errors
/// A download failed, or a package is not readable.
pub fn unpack_into(folder: &Path, packages: &[&str]) -> Result<()> {
    let downloads = folder.with_extension("deb");
    fs::create_dir_all(&downloads)?;
    fs::create_dir_all(folder)?;
    run_ok(apt().current_dir(&downloads).arg("download").args(packages))?;
    let mut count = 0;
    for entry in fs::read_dir(&downloads).context("downloads")? {
        run_ok(Command::new("dpkg").arg("-x").arg(entry?.path()).arg(folder))?;
        count += 1;
    }
    if count < packages.len() {
        bail!("apt-get download gave {count} of {packages:?}");
    }
    fs::remove_dir_all(&downloads)?;
    Ok(())
}
