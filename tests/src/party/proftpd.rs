//! ProFTPD: its configuration, and its command log.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::Result;

use super::served::Served;
use super::setting::{Security, Setting};
use super::{PASSWORD_HASH, Party, USER, folder};
use crate::ftp::{Said, Transcript};

/// `nobody` and `nogroup` on Debian.
const NOBODY: u32 = 65_534;

pub(super) fn command(setting: &Setting<'_>) -> Result<Command> {
    let Setting { namespace, ip, scratch, root, log, xferlog, security, pem } = setting;
    let alice = format!("{USER}:{PASSWORD_HASH}:{NOBODY}:{NOBODY}::{root}:/bin/sh");
    let nobody = format!("nobody:*:{NOBODY}:{NOBODY}::{root}:/bin/sh");
    let users = scratch.write("users", format!("{alice}\n{nobody}\n"))?;
    // ProFTPD refuses a user file that others may read.
    std::fs::set_permissions(&users, std::fs::Permissions::from_mode(0o600))?;
    let run = scratch.path().join("run");
    std::fs::create_dir_all(&run)?;
    let tls = match security {
        Security::Clear => String::new(),
        _ => {
            // ProFTPD refuses a key that others may read.
            std::fs::set_permissions(pem, std::fs::Permissions::from_mode(0o600))?;
            format!(
                "ModulePath {modules}\nLoadModule mod_tls.c\nTLSEngine on\nTLSLog {run}/tls\nTLSRSACertificateFile {pem}\n\
                 TLSRSACertificateKeyFile {pem}\nTLSRequired off\nTLSOptions NoSessionReuseRequired{implicit}\n",
                modules = folder()?.join("proftpd/usr/lib/proftpd").display(),
                run = run.display(),
                implicit = if *security == Security::Implicit { " UseImplicitSSL" } else { "" },
            )
        }
    };
    let configuration = scratch.write(
        "proftpd.conf",
        format!(
            "ServerType standalone\nServerName ftpmon\nDefaultAddress {ip}\nPort {port}\nSocketBindTight on\nUseIPv6 on\n\
             UseReverseDNS off\nUser nobody\nGroup nogroup\nDefaultRoot {root}\nRequireValidShell off\nWtmpLog off\n\
             AuthOrder mod_auth_file.c\nAuthUserFile {users}\nPidFile {run}/pid\nScoreboardFile {run}/score\n\
             DelayTable {run}/delay\nTransferLog {xferlog}\nSystemLog {run}/system\nUseFtpUsers off\n\
             AllowStoreRestart on\nAllowOverwrite on\nLogFormat said \"%P %s %b %r\"\nExtendedLog {log} ALL said\n\
             <IfModule mod_delay.c>\nDelayEngine off\n</IfModule>\n\
             <Anonymous {root}>\nUser nobody\nGroup nogroup\nUserAlias anonymous nobody\nUserAlias ftp nobody\n\
             RequireValidShell off\n</Anonymous>\n{tls}",
            port = security.port(),
            users = users.display(),
            run = run.display(),
        ),
    )?;
    let mut command = namespace.command(&Party::Proftpd.program()?.to_string_lossy());
    command.env("LD_LIBRARY_PATH", folder()?.join("proftpd/usr/lib/x86_64-linux-gnu"));
    command.args(["--nodaemon", "--quiet", "--config"]).arg(configuration);
    Ok(command)
}

/// Lines of process, final code, bytes and command. The log holds no reply texts and no greeting: what is given holds commands
/// only.
pub(super) fn transcripts(log: &str) -> Vec<Transcript> {
    let mut processes: Vec<&str> = Vec::new();
    let mut sessions: Vec<Vec<Said>> = Vec::new();
    for line in log.lines() {
        let Some((process, code, _, command)) = fields(line) else { continue };
        // Connects and disconnects are logged as commands without a code.
        if code == "-" {
            continue;
        }
        let at = processes.iter().position(|known| *known == process).unwrap_or_else(|| {
            processes.push(process);
            sessions.push(Vec::new());
            processes.len() - 1
        });
        if let Some(session) = sessions.get_mut(at) {
            // OPTS is dispatched by its first word, and logged by that name.
            session.push(Said::Command(command.replacen("OPTS_", "OPTS ", 1)));
        }
    }
    sessions.into_iter().map(Transcript::from_said).collect()
}

fn fields(line: &str) -> Option<(&str, &str, &str, &str)> {
    let mut fields = line.splitn(4, ' ');
    Some((fields.next()?, fields.next()?, fields.next()?, fields.next()?))
}

/// The commands that moved something, listings too, each with its final reply and the bytes that the server counted for it.
pub(super) fn served(log: &str) -> Vec<Served> {
    const VERBS: [&str; 7] = ["RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD"];
    let served = log.lines().filter_map(fields).filter_map(|(_, code, bytes, command)| {
        let verb = command.split(' ').next().unwrap_or("");
        let (code, bytes) = (code.parse().ok()?, if bytes == "-" { 0 } else { bytes.parse().ok()? });
        VERBS.contains(&verb).then(|| Served { command: command.to_owned(), code, bytes })
    });
    served.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moved_something_is_served() {
        let log = "7 226 1234 RETR a b\n7 213 - SIZE a\n7 550 - RETR none\n";
        let of = |command: &str, code, bytes| Served { command: command.into(), code, bytes };
        assert_eq!(served(log), [of("RETR a b", 226, 1234), of("RETR none", 550, 0)]);
    }

    #[test]
    fn processes_are_sessions() {
        let log = "7 331 - USER alice\n8 331 - USER bob\n7 230 - PASS (hidden)\n7 - - DISCONNECT\n";
        let sessions = transcripts(log);
        assert_eq!(sessions.len(), 2);
        assert_eq!(sessions[0].commands(), ["USER alice", "PASS (hidden)"]);
    }
}
