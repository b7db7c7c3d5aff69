//! `cargo xtask tidy`: what the project asks of itself and no compiler checks.
//!
//! Each check reads the committed files and gives findings. None of them changes anything.

mod documents;
mod imports;
mod source;
mod strays;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::workspace::root;

/// The committed files that are text, by path from the workspace's folder; and the paths of all others.
#[derive(Debug, Default)]
struct Tree {
    texts: BTreeMap<String, String>,
    others: Vec<String>,
}

/// Something that is not in order.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    place: String,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

/// A check: its name and what it finds.
type Check = (&'static str, fn(&Tree) -> Vec<Finding>);

/// All checks.
const CHECKS: [Check; 7] = [
    ("only the kernel module knows aya", imports::aya),
    ("no source file is too long", source::length),
    ("nothing is left to be done, no name says nothing", source::words),
    ("commands in the documents exist", documents::commands),
    ("decisions are numbered and listed", documents::decisions),
    ("links in the documents lead somewhere", documents::links),
    ("no captures from elsewhere, no paths of one machine", strays::strays),
];

/// Runs all checks; fails when one of them finds something.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::committed()?;
    let mut count = 0;
    for (name, check) in CHECKS {
        let findings = check(&tree);
        println!("{} {name}", if findings.is_empty() { "ok  " } else { "FAIL" });
        for finding in &findings {
            println!("       {finding}");
        }
        count += findings.len();
    }
    ensure!(count == 0, "{count} findings");
    Ok(())
}

impl Tree {
    /// What git knows, as it stands in the work tree.
    fn committed() -> Result<Self> {
        let root = root()?;
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let output = Command::new("git").current_dir(&root).args(list).output().context("cannot run git")?;
        ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        let mut tree = Self::default();
        for path in String::from_utf8_lossy(&output.stdout).split_terminator('\0') {
            // A file that was removed and not yet committed so is in the list all the same.
            let Ok(bytes) = fs::read(root.join(path)) else {
                continue;
            };
            match String::from_utf8(bytes) {
                Ok(text) => drop(tree.texts.insert(path.to_owned(), text)),
                Err(_) => tree.others.push(path.to_owned()),
            }
        }
        Ok(tree)
    }

    /// The Rust sources.
    fn sources(&self) -> impl Iterator<Item = (&String, &String)> {
        self.texts.iter().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// The documents.
    fn documents(&self) -> impl Iterator<Item = (&String, &String)> {
        self.texts.iter().filter(|(path, _)| path.ends_with(".md"))
    }
}

#[cfg(test)]
impl Tree {
    fn of(files: &[(&str, &str)]) -> Self {
        let texts = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Self { texts, others: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_tree_breaks_no_rule() {
        for (name, check) in CHECKS {
            assert_eq!(check(&Tree::default()), [], "{name}");
        }
    }
}
