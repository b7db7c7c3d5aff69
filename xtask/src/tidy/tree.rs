//! The files that the checks read, and what they find.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::workspace::root;

/// The committed files that are text, by path from the workspace's folder; and the paths of all others.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) others: Vec<String>,
    /// The commands of `cargo xtask`.
    pub(super) tasks: Vec<String>,
}

/// Something that is not in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) place: String,
    pub(super) what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl Finding {
    pub(super) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl Tree {
    /// The files that git knows, as they stand in the work tree.
    pub(super) fn committed(tasks: Vec<String>) -> Result<Self> {
        let root = root()?;
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let output = Command::new("git").current_dir(&root).args(list).output().context("cannot run git")?;
        ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        let mut tree = Self { tasks, ..Self::default() };
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
    pub(super) fn sources(&self) -> impl Iterator<Item = (&String, &String)> {
        self.texts.iter().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// The documents.
    pub(super) fn documents(&self) -> impl Iterator<Item = (&String, &String)> {
        self.texts.iter().filter(|(path, _)| path.ends_with(".md"))
    }
}

#[cfg(test)]
impl Tree {
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let texts = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Self { texts, ..Self::default() }
    }
}
