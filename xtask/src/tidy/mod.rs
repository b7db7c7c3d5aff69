//! `cargo xtask tidy`: what the project asks of itself and no compiler checks.
//!
//! Each check reads the committed files and gives findings. None of them changes anything.

mod circles;
mod comments;
mod documents;
mod imports;
mod modules;
mod paths;
mod source;
mod strays;
mod tree;

use anyhow::{Result, ensure};

use tree::{Finding, Tree};

/// A check: its name and what it finds.
type Check = (&'static str, fn(&Tree) -> Vec<Finding>);

/// All checks.
const CHECKS: [Check; 10] = [
    ("only the kernel module knows aya", imports::aya),
    ("no files import from one another", circles::circles),
    ("no source file is too long", source::length),
    ("nothing is left to be done, no name says nothing", source::words),
    ("documentation comments say what a thing is", comments::comments),
    ("commands in the documents exist", documents::commands),
    ("reasons of losses are documented", documents::reasons),
    ("decisions are numbered and listed", documents::decisions),
    ("links in the documents lead somewhere", documents::links),
    ("no captures from elsewhere, no paths of one machine", strays::strays),
];

/// Runs all checks; fails when one of them finds something. `tasks` are the commands of `cargo xtask`.
pub(crate) fn run(tasks: Vec<String>) -> Result<()> {
    let tree = Tree::committed(tasks)?;
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
