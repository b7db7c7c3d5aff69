//! Rules for source files.

use super::tree::{Finding, Tree};

/// Lines of a source file at most: one idea a file.
const LINES_MAX: usize = 450;
/// Words that say something is unfinished. Spelt in two halves so that this file does not find itself.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("todo", "!(")];

/// No file is longer than [`LINES_MAX`], tests included.
pub(super) fn length(tree: &Tree) -> Vec<Finding> {
    let lengths = tree.sources().map(|(path, text)| (path, text.lines().count()));
    let too_long = lengths.filter(|(_, lines)| *lines > LINES_MAX);
    too_long.map(|(path, lines)| Finding::new(path, format!("{lines} lines; {LINES_MAX} at most"))).collect()
}

/// No unfinished work, and no names that say nothing.
pub(super) fn words(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.sources() {
        for (number, line) in numbered(text) {
            let place = format!("{path}:{number}");
            for word in UNFINISHED {
                if line.contains(word) {
                    findings.push(Finding::new(&place, format!("says {word}")));
                }
            }
            let code = code(line);
            if let Some(name) =
                defined(code, "fn ").filter(|name| name.starts_with("get_") && *name != "get_mut")
            {
                findings
                    .push(Finding::new(&place, format!("{name}: an accessor is named for what it gives")));
            }
            for keyword in ["struct ", "enum ", "trait "] {
                if let Some(name) = defined(code, keyword).filter(|name| name.ends_with("Manager")) {
                    findings.push(Finding::new(&place, format!("{name}: say what it does")));
                }
            }
            if let Some(name) =
                defined(code, "mod ").filter(|name| matches!(*name, "utils" | "util" | "helpers" | "misc"))
            {
                findings.push(Finding::new(&place, format!("mod {name}: say what it holds")));
            }
        }
    }
    findings
}

/// Lines with their numbers, from 1.
pub(super) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

/// A line without its comment.
pub(super) fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// The name that follows a keyword at the beginning of an item.
fn defined<'a>(code: &'a str, keyword: &str) -> Option<&'a str> {
    let item = code.trim_start();
    let item = ["pub ", "pub(crate) ", "pub(super) "]
        .iter()
        .find_map(|public| item.strip_prefix(public))
        .unwrap_or(item);
    let rest = item.strip_prefix(keyword)?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    rest.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        let long = "\n".repeat(LINES_MAX + 1);
        let fits = "\n".repeat(LINES_MAX);
        let tree = Tree::of(&[
            ("long.rs", &long),
            ("fits.rs", &fits),
            ("long.md", &long),
            ("tests/tests/long.rs", &long),
        ]);
        let found = length(&tree);
        assert_eq!(
            found.iter().map(|finding| &*finding.place).collect::<Vec<_>>(),
            ["long.rs", "tests/tests/long.rs"]
        );
    }

    #[test]
    fn unfinished_work_and_empty_names_are_found() {
        for bad in [
            concat!("// TO", "DO: later"),
            "pub fn get_name() {}",
            "pub(crate) struct FlowManager;",
            "mod utils;",
        ] {
            assert_eq!(words(&Tree::of(&[("a.rs", bad)])).len(), 1, "{bad}");
        }
    }

    #[test]
    fn ordinary_names_are_not() {
        let good =
            "fn target_get() {}\nfn get_mut() {}\nstruct Manages;\nmod utility_bill;\n// fn get_x is wrong\n";
        assert_eq!(words(&Tree::of(&[("a.rs", good)])), []);
    }
}
