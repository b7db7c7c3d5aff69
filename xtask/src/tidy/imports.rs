//! Imports that are refused. That the core does no I/O and reads no clock is checked by the compiler, since the crate has no
//! dependency that could, and by clippy, whose list of refused types stands beside it.

use super::source::{code, numbered};
use super::tree::{Finding, Tree};

/// The only place that may know aya.
const KERNEL: &str = "ftpmon/src/kernel";

/// No module of the agent but `kernel` knows aya.
pub(super) fn aya(tree: &Tree) -> Vec<Finding> {
    let agent =
        tree.sources().filter(|(path, _)| path.starts_with("ftpmon/src/") && !path.starts_with(KERNEL));
    let mut findings = Vec::new();
    for (path, text) in agent {
        for (number, line) in numbered(before_tests(text)) {
            if names(code(line), "aya") || names(code(line), "aya_log") {
                findings
                    .push(Finding::new(format!("{path}:{number}"), "names aya outside the kernel module"));
            }
        }
    }
    findings
}

/// A file's text up to its test module, which stands last.
fn before_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod ").and_then(|at| text.get(..at)).unwrap_or(text)
}

/// Whether a line names this path or type, as a word of its own.
fn names(code: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code.get(at + name.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aya_belongs_to_the_kernel_module() {
        let text = "use aya::maps::RingBuf;\n";
        assert_eq!(aya(&Tree::of(&[("ftpmon/src/kernel/ring.rs", text)])), []);
        assert_eq!(aya(&Tree::of(&[("ftpmon/src/run.rs", text)])).len(), 1);
        assert_eq!(aya(&Tree::of(&[("ftpmon/src/run.rs", "let playa = 1;")])), []);
    }
}
