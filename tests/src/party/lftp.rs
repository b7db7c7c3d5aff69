//! lftp: a script a visit, its log from `debug`.

use std::fs;

use anyhow::{Result, ensure};

use super::server::Tree;
use super::visit::{Trip, Visit};
use super::{PASSWORD, Party, USER};
use crate::expected::Expected;
use crate::ftp::Transcript;
use crate::process::run;

/// Bytes of an upload.
const UPLOAD: u64 = 64_007;

pub(super) fn visits(trip: &Trip<'_>) -> Result<Vec<Visit>> {
    let folder = trip.scratch.path().to_string_lossy().into_owned();
    trip.scratch.write("upload.bin", vec![7; usize::try_from(UPLOAD)?])?;
    let v6 = trip.server.is_ipv6();
    let (passive, active) = if v6 { ("EPSV", "EPRT") } else { ("PASV", "PORT") };
    let medium = Tree::MEDIUM;
    let steps = |tag: &str| {
        format!(
            "get {path} -o {folder}/{tag}.bin; put {folder}/upload.bin -o up/lftp-{tag}.bin; cls -1 pub; ls pub > {folder}/{tag}.list",
            path = medium.0
        )
        .replace("cls -1 pub; ", "")
    };
    let mut visits = Vec::new();
    for (what, on, via) in [("passive", "yes", passive), ("active", "no", active)] {
        let script = format!("set ftp:passive-mode {on}; {}", steps(via));
        let transcript = visit(trip, &format!("-u {USER},{PASSWORD}"), &script, true)?;
        let listing = fs::metadata(trip.scratch.path().join(format!("{via}.list")))?.len();
        ensure!(listing > 0, "lftp listed nothing");
        let transfers = vec![
            Expected::complete("RETR", via, medium.1),
            Expected::complete("STOR", via, UPLOAD),
            // lftp writes the listing with line ends of its own.
            Expected::some("LIST", via),
        ];
        visits.push(Visit { what, transcript, transfers, login: "success" });
    }
    let prefer = format!("set ftp:prefer-epsv yes; get {} -o {folder}/epsv.bin", Tree::SMALL.0);
    let transcript = visit(trip, "", &prefer, true)?;
    let transfers = vec![Expected::complete("RETR", "EPSV", Tree::SMALL.1)];
    visits.push(Visit { what: "anonymous", transcript, transfers, login: "success" });

    fs::write(trip.scratch.path().join("part.bin"), vec![0; 100_000])?;
    let resume = format!("get -c {} -o {folder}/part.bin", medium.0);
    let transcript = visit(trip, &format!("-u {USER},{PASSWORD}"), &resume, true)?;
    let transfers = vec![Expected::complete("RETR", passive, medium.1 - 100_000)];
    visits.push(Visit { what: "resume", transcript, transfers, login: "success" });

    let transcript = visit(trip, &format!("-u {USER},wrong"), "ls", false)?;
    visits.push(Visit { what: "failed login", transcript, transfers: Vec::new(), login: "failure" });
    Ok(visits)
}

fn visit(trip: &Trip<'_>, user: &str, script: &str, works: bool) -> Result<Transcript> {
    let log = trip.scratch.path().join("lftp.log");
    let _ = fs::remove_file(&log);
    let whole = format!(
        "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 30; set ftp:use-mdtm no; set cache:enable no; \
         set xfer:clobber yes; set ssl:verify-certificate no; set ftp:ssl-allow no; debug -o {log} 9; \
         open {user} ftp://{host}; {script}; bye",
        log = log.display(),
        host = trip.host(),
    );
    let mut command = trip.namespace.command(&Party::Lftp.program()?.to_string_lossy());
    let finished = run(command.args(["--norc", "-c", &whole]).env("HOME", trip.scratch.path()))?;
    let said = fs::read_to_string(&log).unwrap_or_default();
    ensure!(
        finished.status.success() == works,
        "lftp {script}: {}: {}{}\n{said}",
        finished.status,
        finished.stderr,
        finished.stdout
    );
    let lines = said.lines().filter_map(|line| {
        line.strip_prefix("---> ")
            .map(|said| (true, said))
            .or(line.strip_prefix("<--- ").map(|said| (false, said)))
    });
    Ok(Transcript::from_lines(lines))
}
