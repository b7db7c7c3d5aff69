//! Real servers and clients: where they come from, how they run in a namespace, and what they log.
//!
//! Each has a file of its own with its configuration. Servers keep no state on the machine: their files, users and logs
//! are in a scratch folder that goes with the test.

mod clients;
mod curl;
mod ftplib;
mod install;
mod lftp;
mod proftpd;
mod pureftpd;
mod pyftpdlib;
mod served;
mod server;
mod setting;
mod tnftp;
mod visit;
mod vsftpd;
mod xferlog;

use std::path::PathBuf;

use anyhow::Result;

pub use clients::visits;
pub use install::{apt, crowdsec, fail2ban, install, install_tools, unpack_into};
pub use served::Served;
pub use server::{RealServer, Tree, certificate};
pub use setting::Security;
pub use visit::Visit;
pub use xferlog::Logged;

use crate::machine;

/// The user that every server knows.
pub const USER: &str = "alice";
/// That user's password.
pub const PASSWORD: &str = "wonderland";
/// That password as crypt(3) has it (`openssl passwd -6 -salt ftpmon`).
const PASSWORD_HASH: &str =
    "$6$ftpmon$jV2w4AaWRo78iApaf4f2eIqzI7ooMGXInLY2j8YjUMFsB1HJKS0kdnzuTy81Pkl9zzDSj8T0OLYDaOQHxjmk6.";
/// The PAM module that reads users from a file, where it is unpacked.
const PAM_MODULE: &str = "vsftpd/lib/x86_64-linux-gnu/security/pam_pwdfile.so";

/// ProFTPD's TLS module, where it is unpacked.
const PROFTPD_TLS: &str = "proftpd/usr/lib/proftpd/mod_tls.so";

/// A real server or client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// vsftpd, from Debian.
    Vsftpd,
    /// ProFTPD, from Debian, unpacked.
    Proftpd,
    /// Pure-FTPd, from Debian, unpacked.
    PureFtpd,
    /// pyftpdlib, from PyPI.
    Pyftpdlib,
    /// curl.
    Curl,
    /// lftp.
    Lftp,
    /// tnftp, the BSD ftp.
    Tnftp,
    /// Python's ftplib.
    Ftplib,
}

impl Party {
    /// Its program: on the PATH, or where `cargo xtask test` unpacks it.
    ///
    /// # Errors
    /// The workspace's target folder is not known.
    pub fn program(self) -> Result<PathBuf> {
        let unpacked = |path: &str| Ok(folder()?.join(path));
        let system = |name: &str| Ok(machine::find(name).unwrap_or_else(|| name.into()));
        match self {
            Self::Vsftpd => system("vsftpd"),
            Self::Proftpd => unpacked("proftpd/usr/sbin/proftpd"),
            Self::PureFtpd => unpacked("pure-ftpd/usr/sbin/pure-ftpd"),
            Self::Pyftpdlib | Self::Ftplib => system("python3"),
            Self::Curl => system("curl"),
            Self::Lftp => system("lftp"),
            Self::Tnftp => system("tnftp"),
        }
    }

    /// Commands that the server's log may leave out.
    pub const fn unlogged(self) -> &'static [&'static str] {
        match self {
            // It reads ABOR on another path while a transfer runs.
            Self::PureFtpd => &["ABOR"],
            _ => &[],
        }
    }

    /// The reason why it cannot be used here, if so.
    pub fn missing(self) -> Option<String> {
        let beside = match self {
            Self::Vsftpd => PAM_MODULE,
            Self::Proftpd => PROFTPD_TLS,
            Self::Pyftpdlib => "pyftpdlib/pyftpdlib",
            _ => "",
        };
        let there = self.program().is_ok_and(|path| path.is_file())
            && (beside.is_empty() || folder().is_ok_and(|path| path.join(beside).exists()));
        (!there).then(|| format!("{self:?} is not installed (cargo xtask test does)"))
    }
}

/// The folder of parties that are not installed as packages.
fn folder() -> Result<PathBuf> {
    Ok(machine::target()?.join("parties"))
}
