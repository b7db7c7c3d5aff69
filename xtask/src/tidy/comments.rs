//! Rules for documentation comments.

use super::source::numbered;
use super::tree::{Finding, Tree};

/// Words that begin a question. A documentation comment says what a thing is, so it begins with a noun or a verb.
const QUESTIONS: [&str; 6] = ["How", "What", "Where", "Who", "Whose", "Why"];

/// No documentation comment begins with a word of a question or refers the reader to its module.
pub(super) fn comments(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.sources() {
        let mut is_within = false;
        for (number, line) in numbered(text) {
            let comment = comment(line);
            if let Some(comment) = comment {
                let first = comment.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                if !is_within && QUESTIONS.contains(&first) {
                    let what = format!("its comment begins with {first}: say what the thing is");
                    findings.push(Finding::new(format!("{path}:{number}"), what));
                }
                if comment.starts_with(concat!("See the", " module")) {
                    findings.push(Finding::new(
                        format!("{path}:{number}"),
                        "its comment only refers to the module",
                    ));
                }
            }
            is_within = comment.is_some();
        }
    }
    findings
}

/// The text of a documentation comment's line.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
    Some(text.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_that_begins_with_a_question_is_found() {
        for bad in
            ["/// What it holds.\nstruct A;", "//! How it works.", "    /// Who listens.\n    who: Who,"]
        {
            assert_eq!(comments(&Tree::of(&[("a.rs", bad)])).len(), 1, "{bad}");
        }
        let refers = concat!("/// See the", " module's text.\nstruct A;");
        assert_eq!(comments(&Tree::of(&[("a.rs", refers)])).len(), 1);
    }

    #[test]
    fn questions_within_a_comment_are_none() {
        let good = "/// Its content.\n/// What is more.\n///\n/// Where it ends.\nstruct A;\n// How it is done.\n/// Whatever.\nfn f() {}\n";
        assert_eq!(comments(&Tree::of(&[("a.rs", good)])), []);
    }
}
