//! The events of a capture from which frames are missing may say nothing that was not there, and tell no transfer as another one.

mod transfers;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use transfers::Transfers;

/// An event: its session's client, its name and its fields.
pub type Told = (String, String, Value);

/// The name of a command that is hidden.
const HIDDEN: &str = "***";

pub(crate) fn text<'a>(fields: &'a Value, pointer: &str) -> &'a str {
    fields.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

pub(crate) fn number(fields: &Value, pointer: &str) -> u64 {
    fields.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

fn is_set(fields: &Value, pointer: &str) -> bool {
    fields.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
}

/// The verbs that a code can answer where it says what was asked for (RFC 959 section 5.4, RFC 2428, RFC 3659); none where any may.
fn verbs_of(code: u64) -> Option<&'static [&'static str]> {
    const TRANSFERS: &[&str] = &["RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD", "ERET", "ESTO"];
    Some(match code {
        125 | 150 => TRANSFERS,
        215 => &["SYST"],
        221 => &["QUIT", "REIN"],
        227..=229 => &["PASV", "EPSV", "LPSV", "CPSV", "SPAS"],
        257 => &["PWD", "XPWD", "MKD", "XMKD", "CWD", "CDUP"],
        331 => &["USER", "PASS", "ACCT"],
        350 => &["REST", "RNFR"],
        _ => return None,
    })
}

/// The lines of a capture, to which frames that are missing cannot add.
#[derive(Debug, Default)]
pub struct Facts {
    /// Commands and replies by session, and how often each comes.
    lines: BTreeMap<String, usize>,
    /// The rests of lines whose beginning is missing, where they are lines by their form: the last lines of replies of several lines, and the
    /// ends of commands (`HELP` of `SITE HELP`).
    tails: BTreeSet<String>,
    gaps: usize,
    /// Sessions that say that their beginning was not seen.
    midstream: usize,
    starts: usize,
    ends: usize,
}

impl Facts {
    /// The lines of these events.
    pub fn of(told: &[Told]) -> Self {
        let mut facts = Self::default();
        for (client, name, fields) in told {
            // A line of which a part is missing says so.
            let cut = ["/command", "/reply"].iter().any(|it| {
                ["truncated", "malformed"].iter().any(|flag| is_set(fields, &format!("{it}/{flag}")))
            });
            // What may be a secret by its beginning is hidden as a whole.
            let hides = |it: &str| text(fields, it).contains(HIDDEN);
            let cut = cut || hides("/command/verb") || hides("/reply/text");
            let mut line = |line: String| *facts.lines.entry(line).or_default() += usize::from(!cut);
            match name.as_str() {
                "command" => {
                    let (verb, arg) = (text(fields, "/command/verb"), text(fields, "/command/arg"));
                    line(format!("{client} C {verb} {arg}"));
                    let whole = format!("{verb} {arg}");
                    let ends = whole.char_indices().skip(1).filter_map(|(at, _)| whole.get(at..));
                    facts.tails.extend(ends.map(|end| {
                        let (verb, arg) = end.split_once(' ').unwrap_or((end, ""));
                        format!("{client} C {} {arg}", verb.to_uppercase())
                    }));
                }
                "reply" => {
                    let (code, text) = (number(fields, "/reply/code"), text(fields, "/reply/text"));
                    line(format!("{client} S {code} {text}"));
                    let tails = text.match_indices('\n').filter_map(|(at, _)| text.get(at + 1..));
                    facts.tails.extend(tails.map(|tail| format!("{client} S {code} {tail}")));
                }
                "gap" => facts.gaps += 1,
                "session_start" => {
                    facts.starts += 1;
                    facts.midstream += usize::from(is_set(fields, "/midstream"));
                }
                "session_end" => facts.ends += 1,
                _ => {}
            }
        }
        facts
    }

    /// Differences from `whole`: facts that it does not have, and lines that are missing without a gap.
    pub fn wrong(&self, whole: &Self) -> Vec<String> {
        let mut wrong = Vec::new();
        let count = |facts: &Self, line: &String| facts.lines.get(line).copied().unwrap_or(0);
        let is_left = |line: &String| self.gaps > 0 && whole.tails.contains(line);
        let invented =
            self.lines.iter().filter(|(line, times)| **times > count(whole, line) && !is_left(line));
        wrong.extend(
            invented.map(|(line, times)| format!("{times} times, not {}: {line}", count(whole, line))),
        );
        let missing = whole.lines.iter().find(|(line, times)| **times > count(self, line));
        if let Some((line, _)) = missing.filter(|_| self.gaps == 0 && self.midstream <= whole.midstream) {
            wrong.push(format!("missing without a gap: {line}"));
        }
        if self.starts != self.ends {
            wrong.push(format!("{} starts, {} ends", self.starts, self.ends));
        }
        wrong
    }
}

/// Replies that were given to commands which they cannot answer.
pub fn misled(told: &[Told]) -> Vec<String> {
    let replies = told.iter().filter(|(_, name, _)| name == "reply");
    let wrong = replies.filter_map(|(_, _, fields)| {
        let (code, verb) = (number(fields, "/reply/code"), text(fields, "/command/verb"));
        let verbs = verbs_of(code).filter(|_| !verb.is_empty() && verb != HIDDEN)?;
        (!verbs.contains(&verb)).then(|| format!("{code} to {verb}"))
    });
    wrong.collect()
}
