//! curl: one command line a visit, its log from `-v`.

use std::fs;

use anyhow::{Result, ensure};

use super::server::Tree;
use super::visit::{Trip, Visit};
use super::{PASSWORD, Party, USER};
use crate::expected::Expected;
use crate::ftp::{Content, Transcript};
use crate::process::run;

/// Bytes of an upload.
const UPLOAD: u64 = 80_021;
/// The offset of a resumed download.
const RESUME: u64 = 123_456;
/// curl's exit code for a refused login.
const LOGIN_DENIED: i32 = 67;

struct Job {
    what: &'static str,
    arguments: &'static [&'static str],
    path: &'static str,
    verb: &'static str,
    via: &'static str,
}

const JOBS: [Job; 9] = [
    Job { what: "EPSV download", arguments: &[], path: Tree::MEDIUM.0, verb: "RETR", via: "EPSV" },
    Job {
        what: "PASV download",
        arguments: &["--disable-epsv"],
        path: Tree::MEDIUM.0,
        verb: "RETR",
        via: "PASV",
    },
    Job { what: "EPRT download", arguments: &["-P", "-"], path: Tree::SMALL.0, verb: "RETR", via: "EPRT" },
    Job {
        what: "PORT download",
        arguments: &["-P", "-", "--disable-eprt"],
        path: Tree::SMALL.0,
        verb: "RETR",
        via: "PORT",
    },
    Job { what: "upload", arguments: &["-T", "@"], path: "up/curl.bin", verb: "STOR", via: "EPSV" },
    Job {
        what: "append",
        arguments: &["-P", "-", "-a", "-T", "@"],
        path: "up/curl.bin",
        verb: "APPE",
        via: "EPRT",
    },
    Job { what: "resume", arguments: &["-C", "123456"], path: Tree::MEDIUM.0, verb: "RETR", via: "EPSV" },
    Job { what: "listing", arguments: &["-P", "-"], path: "pub/", verb: "LIST", via: "EPRT" },
    Job { what: "anonymous", arguments: &[], path: Tree::SMALL.0, verb: "RETR", via: "EPSV" },
];

pub(super) fn visits(trip: &Trip<'_>) -> Result<Vec<Visit>> {
    let mut bytes = Vec::new();
    Content::Pattern(UPLOAD).write_from(0, &mut bytes, || true)?;
    let upload = trip.scratch.write("upload.bin", bytes)?.to_string_lossy().into_owned();
    let mut visits = Vec::new();
    for job in &JOBS {
        if trip.server.is_ipv6() && matches!(job.via, "PASV" | "PORT") {
            continue;
        }
        visits.push(visit(trip, job, &upload)?);
    }
    let wrong = Job { what: "failed login", arguments: &[], path: Tree::SMALL.0, verb: "", via: "" };
    visits.push(visit(trip, &wrong, &upload)?);
    Ok(visits)
}

fn visit(trip: &Trip<'_>, job: &Job, upload: &str) -> Result<Visit> {
    let output = trip.scratch.path().join("output");
    let _ = fs::remove_file(&output);
    let mut command = trip.namespace.command(&Party::Curl.program()?.to_string_lossy());
    command.args(["-v", "-s", "-g", "--max-time", "60"]);
    command.args(job.arguments.iter().map(|word| if *word == "@" { upload } else { word }));
    let fails = job.verb.is_empty();
    let user = if fails { format!("{USER}:wrong") } else { format!("{USER}:{PASSWORD}") };
    if job.what != "anonymous" {
        command.args(["-u", &user]);
    }
    if job.verb == "RETR" && job.arguments.contains(&"-C") {
        // The part that is already there.
        fs::write(&output, vec![0; usize::try_from(RESUME)?])?;
    }
    command.arg("-o").arg(&output).arg(format!("ftp://{}/{}", trip.host(), job.path));
    let finished = run(&mut command)?;
    let code = finished.status.code();
    let expected = if fails { Some(LOGIN_DENIED) } else { Some(0) };
    ensure!(code == expected, "curl, {}: exit {code:?}: {}", job.what, finished.stderr);
    let lines = finished.stderr.lines().filter_map(|line| {
        let said = line.trim_end_matches('\r');
        said.strip_prefix("> ").map(|said| (true, said)).or(said.strip_prefix("< ").map(|said| (false, said)))
    });
    let transcript = Transcript::from_lines(lines);
    let len = fs::metadata(&output).map_or(0, |facts| facts.len());
    let bytes = match job.verb {
        "STOR" | "APPE" => UPLOAD,
        "RETR" if job.arguments.contains(&"-C") => len - RESUME,
        // curl turns a listing's CRLF into LF.
        "LIST" => len + fs::read(&output)?.iter().filter(|byte| **byte == b'\n').count() as u64,
        _ => len,
    };
    let transfers = if fails { Vec::new() } else { vec![Expected::complete(job.verb, job.via, bytes)] };
    Ok(Visit { what: job.what, transcript, transfers, login: if fails { "failure" } else { "success" } })
}
