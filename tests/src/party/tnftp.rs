//! tnftp: a script on standard input, its log from `-d -v`.

use std::fs::{self, File};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::server::Tree;
use super::visit::{Trip, Visit};
use super::{PASSWORD, Party, USER};
use crate::expected::Expected;
use crate::ftp::Transcript;

/// Bytes of an upload.
const UPLOAD: u64 = 33_333;
/// Bytes that are already there when a download is resumed.
const PART: u64 = 50_000;

pub(super) fn visits(trip: &Trip<'_>) -> Result<Vec<Visit>> {
    let folder = trip.scratch.path().to_string_lossy().into_owned();
    trip.scratch.write("upload.bin", vec![9; usize::try_from(UPLOAD)?])?;
    let medium = Tree::MEDIUM;
    let v6 = trip.server.is_ipv6();
    let mut visits = Vec::new();
    // `epsv4` and its like are on by default: the extended commands over IPv4 too.
    let mut ways = vec![("extended passive", "-p", "", "EPSV"), ("extended active", "-A", "", "EPRT")];
    if !v6 {
        ways.push(("passive", "-p", "epsv4 off\n", "PASV"));
        ways.push(("active", "-A", "epsv4 off\n", "PORT"));
    }
    for (what, mode, switches, via) in ways {
        trip.scratch.write("part.bin", vec![0; usize::try_from(PART)?])?;
        let script = format!(
            "user {USER} {PASSWORD}\n{switches}binary\nget {path} {folder}/got.bin\nput {folder}/upload.bin up/tn-{via}.bin\n\
             append {folder}/upload.bin up/tn-{via}.bin\nreget {path} {folder}/part.bin\nls pub {folder}/list.txt\nbye\n",
            path = medium.0
        );
        let transcript = visit(trip, mode, &script)?;
        let got = fs::metadata(trip.scratch.path().join("got.bin")).context("tnftp got nothing")?.len();
        ensure!(got == medium.1, "tnftp got {got} bytes");
        let transfers = vec![
            Expected::complete("RETR", via, medium.1),
            Expected::complete("STOR", via, UPLOAD),
            Expected::complete("APPE", via, UPLOAD),
            Expected::complete("RETR", via, medium.1 - PART),
            Expected::some("LIST", via),
        ];
        visits.push(Visit { what, transcript, transfers, login: "success" });
    }
    let script =
        format!("user anonymous guest@example.org\nbinary\nget {} {folder}/small.bin\nbye\n", Tree::SMALL.0);
    let transcript = visit(trip, "-p", &script)?;
    let transfers = vec![Expected::complete("RETR", "EPSV", Tree::SMALL.1)];
    visits.push(Visit { what: "anonymous", transcript, transfers, login: "success" });

    let transcript = visit(trip, "-p", &format!("user {USER} wrong\nbye\n"))?;
    visits.push(Visit { what: "failed login", transcript, transfers: Vec::new(), login: "failure" });
    Ok(visits)
}

fn visit(trip: &Trip<'_>, mode: &str, script: &str) -> Result<Transcript> {
    let input = File::open(trip.scratch.write("script", script)?)?;
    let mut command = trip.namespace.command(&Party::Tnftp.program()?.to_string_lossy());
    command.args([mode, "-n", "-i", "-v", "-d", &trip.server.to_string()]).env("HOME", trip.scratch.path());
    let output = command.stdin(Stdio::from(input)).output().context("cannot run tnftp")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = trip.scratch.write("tnftp.log", &said)?;
    ensure!(output.status.success(), "tnftp: {}: {said} ({})", output.status, log.display());
    Ok(Transcript::from_lines(lines(&said)))
}

/// Commands are marked; replies are what looks like one, and everything within a multi-line one.
fn lines(said: &str) -> Vec<(bool, &str)> {
    let mut lines = Vec::new();
    let mut open: Option<&str> = None;
    for line in said.lines().map(|line| line.trim_end_matches('\r')) {
        if let Some(command) = line.strip_prefix("---> ") {
            lines.push((true, command));
            continue;
        }
        // The replies to EPSV and its like are printed twice, the second time by who reads them.
        if let [.., (true, command), (false, reply)] = lines[..]
            && reply == line
            && ["PASV", "EPSV", "PORT", "EPRT"].iter().any(|verb| command.starts_with(verb))
        {
            continue;
        }
        let code = line.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
        let separator = line.get(3..4);
        if let Some(opener) = open {
            lines.push((false, line));
            if code == Some(opener) && separator != Some("-") {
                open = None;
            }
        } else if code.is_some() && matches!(separator, None | Some(" " | "-")) {
            lines.push((false, line));
            open = code.filter(|_| separator == Some("-"));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_from_chatter() {
        let said = "Connected to 10.0.0.1.\n220 ready\n---> FEAT\n211-Features\n SIZE\n211 End\n100% |****| 12 KiB\n226 done\n";
        let expected = [
            (false, "220 ready"),
            (true, "FEAT"),
            (false, "211-Features"),
            (false, " SIZE"),
            (false, "211 End"),
            (false, "226 done"),
        ];
        assert_eq!(lines(said), expected);
    }
}
