//! Instruction counts by valgrind's callgrind: they do not wobble with the machine's load.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use ftpmon_tests::machine::find;
use ftpmon_tests::process::run;

/// Whether it is there. As root on Debian it is installed.
pub(crate) fn provide() -> Result<()> {
    super::peers::provide("valgrind", "valgrind")
}

/// Instructions that a run of `program` takes, over all its threads. With `within` only those within the function of that
/// name, and whatever it calls.
pub(crate) fn instructions(
    program: &Path,
    words: &[&str],
    within: Option<&str>,
    folder: &Path,
) -> Result<u64> {
    let valgrind = find("valgrind").context("valgrind is not installed")?;
    let mut command = Command::new(valgrind);
    command.args(["--tool=callgrind", "--error-exitcode=0"]);
    command.arg(format!("--callgrind-out-file={}", folder.join("callgrind.out").display()));
    if let Some(function) = within {
        command.arg(format!("--toggle-collect={function}"));
    }
    command.arg(program).args(words).stdout(Stdio::null());
    let finished = run(&mut command)?;
    let count = finished.stderr.lines().find_map(collected);
    match count {
        Some(count) if finished.status.success() => Ok(count),
        _ => bail!("valgrind {}: {}: {}", program.display(), finished.status, finished.stderr.trim()),
    }
}

/// `==1234== Collected : 5678`.
fn collected(line: &str) -> Option<u64> {
    let (_, count) = line.split_once("Collected")?;
    count.trim_start_matches([' ', ':']).trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn the_count_is_found() {
        assert_eq!(collected("==1234== Collected : 5678"), Some(5678));
        assert_eq!(collected("==1234== Events    : Ir"), None);
    }
}
