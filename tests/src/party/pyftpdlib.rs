//! pyftpdlib: a small server script, and its log.

use std::process::Command;

use anyhow::Result;

use super::setting::Setting;
use super::{PASSWORD, Party, USER, folder};
use crate::ftp::Transcript;

/// The server.
const SCRIPT: &str = include_str!("pyftpdlib_server.py");

pub(super) fn command(setting: &Setting<'_>) -> Result<Command> {
    let Setting { namespace, ip, scratch, root, log, xferlog, .. } = setting;
    let script = scratch.write("server.py", SCRIPT)?;
    let mut command = namespace.command(&Party::Pyftpdlib.program()?.to_string_lossy());
    command.env("PYTHONPATH", folder()?.join("pyftpdlib"));
    command.arg(script).arg(ip.to_string()).args([root, log, USER, PASSWORD, xferlog]);
    Ok(command)
}

/// Lines of session, who (`C` or `S`), and what was said.
pub(super) fn transcripts(log: &str) -> Vec<Transcript> {
    let mut ids: Vec<&str> = Vec::new();
    let mut sessions: Vec<Vec<(bool, &str)>> = Vec::new();
    for line in log.lines() {
        let mut fields = line.splitn(3, '\t');
        let (Some(id), Some(who), Some(said)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let at = ids.iter().position(|known| *known == id).unwrap_or_else(|| {
            ids.push(id);
            sessions.push(Vec::new());
            ids.len() - 1
        });
        if let Some(session) = sessions.get_mut(at) {
            session.push((who == "C", said));
        }
    }
    sessions.into_iter().map(Transcript::from_lines).collect()
}
