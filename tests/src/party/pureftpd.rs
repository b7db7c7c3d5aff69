//! Pure-FTPd: its options, and what it tells syslog.

use std::process::Command;

use anyhow::{Context, Result};

use super::setting::Setting;
use super::{PASSWORD_HASH, Party, USER, folder};
use crate::ftp::Transcript;
use crate::process::run_ok;

/// Makes the user database, then runs the server. Its log goes to syslog only: a `/dev` of its own in a private mount
/// namespace holds a `/dev/log` that a few lines of Python write to standard output, and the files stand where the
/// anonymous user is at home.
const START: &str = r#"
set -e
mkdir -p "$0/dev"; mount -t tmpfs none "$0/dev"
for node in null zero urandom random; do touch "$0/dev/$node"; mount --bind "/dev/$node" "$0/dev/$node"; done
mount --move "$0/dev" /dev
mount --bind "$0/root" "$(getent passwd ftp | cut -d: -f6)"
python3 -u -c '
import os, socket
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
os.chmod("/dev/log", 0o666)
parent = os.getppid()
log.settimeout(1)
while os.getppid() == parent:
    try:
        print(log.recv(65536).decode("utf-8", "replace").rstrip("\n\0"))
    except TimeoutError:
        pass
' &
while [ ! -S /dev/log ]; do sleep 0.01; done
exec "$@"
"#;

/// `nobody` and `nogroup` on Debian.
const NOBODY: u32 = 65_534;
/// Logged at the end of a session that was not closed in the middle of a command, and never said to the client.
const END: &str = "220 Logout.";

pub(super) fn command(setting: &Setting<'_>) -> Result<Command> {
    let Setting { namespace, ip, scratch, root, xferlog, .. } = setting;
    // Written here instead of by `pure-pw useradd`, whose hash takes seconds to check.
    let line = format!("{USER}:{PASSWORD_HASH}:{NOBODY}:{NOBODY}::{root}/./::::::::::::\n");
    let users = scratch.write("users", line)?;
    let database = scratch.path().join("users.pdb");
    let tool = folder()?.join("pure-ftpd/usr/bin/pure-pw");
    run_ok(Command::new(tool).arg("mkdb").arg(&database).arg("-f").arg(&users))
        .context("cannot make Pure-FTPd's users")?;
    let mut command = namespace.command("unshare");
    command.args(["--mount", "sh", "-c", START]).arg(scratch.path()).arg(Party::PureFtpd.program()?);
    let listen = format!("{ip},21");
    command.args(["-S", listen.as_str(), "-A", "-H", "-u", "1", "-d", "-d", "-l"]);
    command.arg(format!("puredb:{}", database.display())).args(["-g"]).arg(scratch.path().join("pid"));
    command.arg("-O").arg(format!("xferlog:{xferlog}"));
    Ok(command)
}

/// Lines such as `<95>… pure-ftpd: (?@10.0.0.1) [DEBUG] Command [user] [alice]` and `[DEBUG] 331 …`; a session begins
/// with `New connection`.
pub(super) fn transcripts(log: &str) -> Vec<Transcript> {
    let mut sessions: Vec<Vec<(bool, String)>> = Vec::new();
    for line in log.lines() {
        if line.contains("[INFO] New connection from") {
            sessions.push(Vec::new());
        }
        let (Some((_, said)), Some(session)) = (line.split_once("[DEBUG] "), sessions.last_mut()) else {
            continue;
        };
        if let Some(command) = said.strip_prefix("Command [").and_then(|rest| rest.strip_suffix(']')) {
            let (verb, argument) = command.split_once("] [").unwrap_or((command, ""));
            let separator = if argument.is_empty() { "" } else { " " };
            session.push((true, format!("{verb}{separator}{argument}")));
        } else if said != END {
            session.push((false, said.to_owned()));
        }
    }
    let marked = |session: &Vec<(bool, String)>| {
        Transcript::from_lines(session.iter().map(|(is_command, said)| (*is_command, said.as_str())))
    };
    sessions.iter().map(marked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslog_is_split_into_sessions() {
        let log = "\
<94>Nov 22 12:24:05 pure-ftpd: (?@10.77.0.1) [INFO] New connection from 10.77.0.1
<95>Nov 22 12:24:05 pure-ftpd: (?@10.77.0.1) [DEBUG] 220-Welcome
<95>Nov 22 12:24:05 pure-ftpd: (?@10.77.0.1) [DEBUG] 220 Here
<95>Nov 22 12:24:05 pure-ftpd: (?@10.77.0.1) [DEBUG] Command [user] [alice]
<95>Nov 22 12:24:07 pure-ftpd: (alice@10.77.0.1) [DEBUG] Command [pwd] []
<95>Nov 22 12:24:07 pure-ftpd: (alice@10.77.0.1) [DEBUG] 220 Logout.
";
        let sessions = transcripts(log);
        assert_eq!(sessions.len(), 1);
        assert_eq!(sessions[0].commands(), ["user alice", "pwd"]);
        assert_eq!(sessions[0].replies()[0].text(), "Welcome\nHere");
        assert_eq!(sessions[0].replies().len(), 1);
    }
}
