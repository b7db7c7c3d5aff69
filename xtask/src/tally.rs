//! The count of tests of all programs, and what failed, told again at the end where a reader looks first.

use std::fs;
use std::path::Path;

/// Lines of one program's failures that are told again. A test that prints megabytes leaves room for the others.
const LINES_MAX: usize = 80;

/// The reports of the test programs.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// The next line of the running program belongs to its failures, which stand between `failures:` and the result.
    in_failures: bool,
    /// The lines of its failures, at most [`LINES_MAX`].
    lines: Vec<String>,
    /// The failures, a program or step each.
    failures: Vec<String>,
}

impl Tally {
    /// Counts a failure that no test program reports, and tells it.
    pub(crate) fn fail(&mut self, failure: String) {
        println!("{failure}");
        self.failed += 1;
        self.tell_again(failure);
    }

    /// Keeps a failure that was counted for the end.
    pub(crate) fn tell_again(&mut self, failure: String) {
        self.failures.push(failure);
    }

    /// Tells all failures, after everything else that was printed.
    pub(crate) fn print_failures(&self) {
        if !self.failures.is_empty() {
            println!("\n── what failed, again\n{}", self.failures.join("\n"));
        }
    }

    /// Takes the tests that this file names as skipped. They have returned, so their program counted them as passed.
    pub(crate) fn count_skipped(&mut self, log: &Path) {
        let skipped = fs::read_to_string(log).unwrap_or_default().lines().count() as u64;
        self.passed = self.passed.saturating_sub(skipped);
        self.skipped += skipped;
    }

    /// Takes a line of the output of `program`: its failures, and its result such as
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    pub(crate) fn add(&mut self, program: &str, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            let count = |what: &str| -> u64 {
                let words: Vec<&str> = counts.split([' ', ';']).filter(|word| !word.is_empty()).collect();
                let at = words.iter().position(|word| *word == what);
                at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok()).unwrap_or(0)
            };
            self.passed += count("passed");
            let failed = count("failed");
            self.failed += failed;
            let lines = std::mem::take(&mut self.lines);
            if failed > 0 {
                self.failures.push(format!("{program}: {failed} failed\n{}", lines.join("\n")));
            }
            self.in_failures = false;
        } else if line == "failures:" {
            self.in_failures = true;
        } else if self.in_failures && self.lines.len() < LINES_MAX {
            self.lines.push(line.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_added_up() {
        let mut tally = Tally::default();
        tally.add(
            "first",
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s",
        );
        tally.add("second", "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        tally.add("third", "running 12 tests");
        assert_eq!((tally.passed, tally.failed, tally.skipped), (15, 2, 0));
    }

    #[test]
    fn a_failure_is_kept_with_its_message() {
        let mut tally = Tally::default();
        let output = "running 2 tests\ntest good ... ok\ntest bad ... FAILED\n\nfailures:\n\n---- bad stdout ----\nleft: 1\n\n\
                      failures:\n    bad\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored";
        output.lines().for_each(|line| tally.add("program", line));
        assert_eq!(tally.failures.len(), 1);
        let told = tally.failures.first().map_or("", String::as_str);
        assert!(
            told.starts_with("program: 1 failed\n") && told.contains("left: 1") && told.contains("    bad"),
            "{told}"
        );
        assert!(!told.contains("good"), "{told}");
        assert!(tally.lines.is_empty() && !tally.in_failures);
    }

    #[test]
    fn a_program_that_prints_without_end_leaves_room() {
        let mut tally = Tally::default();
        tally.add("program", "failures:");
        (0..10_000).for_each(|line| tally.add("program", &line.to_string()));
        assert_eq!(tally.lines.len(), LINES_MAX);
    }
}
