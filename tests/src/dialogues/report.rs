//! A difference on paper: the steps, what the client knows, and what was reported.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::record::Record;
use super::shrink::Shrunk;
use crate::machine::target;

/// Writes a session with a difference into the target folder. Gives where.
///
/// # Errors
/// It cannot be written.
pub fn write(name: &str, shrunk: &Shrunk) -> Result<PathBuf> {
    let Shrunk { steps, played } = shrunk;
    let folder = target()?.join("dialogues");
    fs::create_dir_all(&folder)?;
    let mut text = String::new();
    for difference in &played.differences {
        writeln!(text, "{difference}")?;
    }
    writeln!(text, "\nsteps")?;
    for step in steps {
        writeln!(text, "{step:?}")?;
    }
    writeln!(text, "\nwhat the client knows\n{}", known(&played.record))?;
    let path = folder.join(format!("{name}.txt"));
    fs::write(&path, text)?;
    fs::write(path.with_extension("jsonl"), played.events.to_text())?;
    Ok(path)
}

/// A record as a dialogue.
fn known(record: &Record) -> String {
    let mut lines = Vec::new();
    let mut told = record.replies.iter().peekable();
    for (at, said) in record.commands.iter().enumerate() {
        while let Some(reply) = told.next_if(|reply| reply.answers.is_none_or(|answers| answers < at)) {
            lines.push(format!(
                "    {} {:?} to {:?}",
                reply.code,
                reply.text,
                reply.answers.map(|at| at + 1)
            ));
        }
        lines.push(format!("{} {}", at + 1, said.line));
    }
    lines.extend(
        told.map(|reply| {
            format!("    {} {:?} to {:?}", reply.code, reply.text, reply.answers.map(|at| at + 1))
        }),
    );
    lines.extend(record.transfers.iter().map(|moved| format!("{moved:?}")));
    lines.extend(record.logins.iter().map(|login| format!("{login:?}")));
    lines.push(format!(
        "announced {:?}\nnot used {:?}\n{:?} {:?}",
        record.announced, record.loose, record.leaving, record.lost
    ));
    lines.join("\n")
}
