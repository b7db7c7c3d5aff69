//! Files that do not belong in the repository.

use super::source::numbered;
use super::tree::{Finding, Tree};

/// Folders of captures: all of these are made by the project's own generator.
const OWN_CAPTURES: [&str; 2] = ["tests/goldens/", "fuzz/"];

/// Ends of capture files' names.
const CAPTURES: [&str; 5] = [".pcap", ".pcapng", ".cap", ".pcap.gz", ".pcapng.gz"];

/// Beginnings of paths that exist on one machine only. In two halves, so that this file does not find itself.
const MACHINES: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/.car", "go/")];

/// No captures from elsewhere, no absolute paths of somebody's machine.
pub(super) fn strays(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in tree.texts.keys().chain(&tree.others) {
        let own = OWN_CAPTURES.iter().any(|folder| path.starts_with(folder));
        if !own && CAPTURES.iter().any(|end| path.ends_with(end)) {
            findings.push(Finding::new(path, "a capture that is not one of the project's own"));
        }
    }
    // The dialogues of the goldens tell of folders on servers that never were.
    for (path, text) in tree.texts.iter().filter(|(path, _)| !path.starts_with("tests/goldens/")) {
        for (number, line) in numbered(text) {
            for machine in MACHINES.iter().filter(|machine| line.contains(**machine)) {
                findings.push(Finding::new(
                    format!("{path}:{number}"),
                    format!("a path of one machine: {machine}"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strays_are_found() {
        let mut tree = Tree::of(&[("a.toml", concat!("path = '/ro", "ot/x'"))]);
        tree.others = vec!["docs/x.pcap".into(), "tests/goldens/retr/input.pcap".into()];
        let places: Vec<String> = strays(&tree).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["docs/x.pcap", "a.toml:1"]);
    }
}
