//! Python's ftplib: a script that logs every line itself.

use anyhow::{Result, ensure};

use super::visit::{Trip, Visit};
use super::{PASSWORD, Party, USER};
use crate::expected::Expected;
use crate::ftp::Transcript;
use crate::process::run;

/// The client.
const SCRIPT: &str = include_str!("ftplib_client.py");

pub(super) fn visits(trip: &Trip<'_>) -> Result<Vec<Visit>> {
    let script = trip.scratch.write("client.py", SCRIPT)?;
    let mut visits = Vec::new();
    for (what, login) in
        [("everything", "success"), ("wrong", "failure"), ("anonymous", "success"), ("abort", "success")]
    {
        let mut command = trip.namespace.command(&Party::Ftplib.program()?.to_string_lossy());
        command.arg(&script).arg(trip.server.to_string());
        command.args([if trip.server.is_ipv4() { "4" } else { "6" }, USER, PASSWORD, what]);
        let finished = run(&mut command)?;
        ensure!(finished.status.success(), "ftplib, {what}: {}\n{}", finished.stderr, finished.stdout);
        let mut lines = Vec::new();
        let mut transfers = Vec::new();
        for line in finished.stdout.lines() {
            let fields: Vec<&str> = line.splitn(5, '\t').collect();
            match fields[..] {
                ["C", ..] => lines.push((true, line.get(2..).unwrap_or(""))),
                ["S", ..] => lines.push((false, line.get(2..).unwrap_or(""))),
                ["T", verb, via, count, outcome] => transfers.push(Expected {
                    verb: verb.into(),
                    via: via.into(),
                    bytes: count.parse().ok(),
                    outcome: outcome.into(),
                }),
                _ => {}
            }
        }
        visits.push(Visit { what, transcript: Transcript::from_lines(lines), transfers, login });
    }
    Ok(visits)
}
