//! Checks of the documents.

use std::collections::BTreeMap;

use super::tree::{Finding, Tree};

/// The folder of decision records, and its list of them.
const DECISIONS: &str = "docs/adr/";

/// Every `cargo xtask X` that a document tells of exists.
pub(super) fn commands(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.documents() {
        for (at, _) in text.match_indices("cargo xtask ") {
            let rest = text.get(at + "cargo xtask ".len()..).unwrap_or_default();
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
            let task = rest.get(..end).unwrap_or_default();
            if !task.is_empty() && !tree.tasks.iter().any(|name| name == task) {
                findings.push(Finding::new(path, format!("there is no `cargo xtask {task}`")));
            }
        }
    }
    findings
}

/// Calls that count a loss: the next text in them is its reason.
const LOSSES: [&str; 4] = [".lose(", ".lose_if(", "(Kind::Lost, ", "(Kind::Lost,\n"];

/// `docs/events.md` has every reason for which something is counted as lost.
pub(super) fn reasons(tree: &Tree) -> Vec<Finding> {
    const LIST: &str = "docs/events.md";
    let Some(list) = tree.texts.get(LIST) else { return Vec::new() };
    let mut findings = Vec::new();
    for (path, text) in tree.sources().filter(|(path, _)| path.starts_with("ftpmon/")) {
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, call) in LOSSES.iter().flat_map(|call| text.match_indices(call)) {
            let rest = text.get(at + call.len()..).unwrap_or_default();
            let statement = rest.split(';').next().unwrap_or_default();
            if let Some(reason) = statement.split('"').nth(1)
                && !list.contains(&format!("`{reason}"))
            {
                findings.push(Finding::new(path, format!("counts {reason}, which {LIST} does not have")));
            }
        }
    }
    findings
}

/// A decision record's name is `NNNN-title.md`, no number stands twice, and `docs/adr/README.md` lists each.
pub(super) fn decisions(tree: &Tree) -> Vec<Finding> {
    let list = tree.texts.get(&format!("{DECISIONS}README.md"));
    let mut numbers: BTreeMap<&str, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for (path, _) in tree.documents() {
        let Some(name) = path.strip_prefix(DECISIONS).filter(|name| *name != "README.md") else {
            continue;
        };
        let number = name.split_once('-').map_or("", |(number, _)| number);
        if number.len() != 4 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            findings.push(Finding::new(path, "its name does not begin with four digits and a dash"));
        } else if let Some(other) = numbers.insert(number, name) {
            findings.push(Finding::new(path, format!("has the number of {other}")));
        }
        if !list.is_some_and(|list| list.contains(name)) {
            findings.push(Finding::new(path, format!("is not listed in {DECISIONS}README.md")));
        }
    }
    findings
}

/// Every relative link in a document leads to a committed file or folder.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.documents() {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (at, _) in text.match_indices("](") {
            let target =
                text.get(at + 2..).and_then(|rest| rest.split_once(')')).map_or("", |(target, _)| target);
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.contains(char::is_whitespace) {
                continue;
            }
            let place = join(folder, target);
            let below = format!("{}/", place.trim_end_matches('/'));
            let mut paths = tree.texts.keys().chain(&tree.others);
            if !paths.any(|known| *known == place || known.starts_with(&below)) {
                findings.push(Finding::new(path, format!("links to {target}, which is not there")));
            }
        }
    }
    findings
}

/// The path that a link in `folder` means.
fn join(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_does_not_exist_is_found() {
        let text = "Say `cargo xtask demo`, then `cargo xtask fly --high`.";
        let tree = Tree { tasks: vec!["demo".to_owned()], ..Tree::of(&[("README.md", text)]) };
        let found = commands(&tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("fly"), "{found:?}");
    }

    #[test]
    fn reasons_that_no_document_has_are_found() {
        let code = "fn f() { self.lose(\"a\", 1); out.lose_if(x > 1, \"b\"); into.add(Kind::Lost, \"c\", n); lose(d); }";
        let of = |list| {
            let tree = Tree::of(&[("docs/events.md", list), ("ftpmon/src/a.rs", code)]);
            reasons(&tree).len()
        };
        assert_eq!((of("`a`, `b`, `c`"), of("`a`"), of("")), (0, 2, 3));
    }

    #[test]
    fn decisions_are_numbered_once_and_listed() {
        let good = [("docs/adr/README.md", "0001-a.md"), ("docs/adr/0001-a.md", "")];
        assert_eq!(decisions(&Tree::of(&good)), []);
        assert_eq!(decisions(&Tree::of(&[("docs/adr/0001-a.md", "")])).len(), 1);
        let twice = [
            ("docs/adr/README.md", "0001-a.md 0001-b.md"),
            ("docs/adr/0001-a.md", ""),
            ("docs/adr/0001-b.md", ""),
        ];
        assert_eq!(decisions(&Tree::of(&twice)).len(), 1);
        let unnumbered = [("docs/adr/README.md", "a.md"), ("docs/adr/a.md", "")];
        assert_eq!(decisions(&Tree::of(&unnumbered)).len(), 1);
    }

    #[test]
    fn dead_links_are_found() {
        let text = "[a](docs/a.md) [b](../b.md#part) [c](https://example.org) [d](gone.md) [e](docs)";
        let tree = Tree::of(&[
            ("docs/x.md", "[up](../README.md)"),
            ("README.md", text),
            ("docs/a.md", ""),
            ("b.md", ""),
        ]);
        let found = links(&tree);
        assert_eq!(found, [Finding::new("README.md", "links to gone.md, which is not there")]);
    }
}
