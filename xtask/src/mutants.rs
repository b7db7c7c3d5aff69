//! `cargo xtask mutants`: changes the core's code in small ways and runs its unit tests on each change. A mutant that no
//! test notices is a gap in the tests, or changes nothing that matters: the latter are listed with the reason in
//! `xtask/survivors.toml`. Takes hours for all files, so neither CI nor `cargo xtask test` runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::tools::Tool;
use crate::workspace::{cargo, root};

const CARGO_MUTANTS: Tool = Tool { package: "cargo-mutants", version: "27.1.0", options: &[] };

/// The files that are mutated: the grammar, the pairing of replies with commands, how a transfer ended, the order of segments, and whose
/// an endpoint is.
const FILES: [&str; 6] = [
    "ftpmon/core/src/ftp/*.rs",
    "ftpmon/core/src/session/pending.rs",
    "ftpmon/core/src/session/outcome.rs",
    "ftpmon/core/src/tcp/assembly.rs",
    "ftpmon/core/src/endpoints.rs",
    "ftpmon/core/src/pair/*.rs",
];

/// The list of mutants that may survive.
const SURVIVORS: &str = "xtask/survivors.toml";
/// The folder of cargo-mutants' results.
const OUTPUT: &str = "target/mutants";
/// Cases of a property test on one mutant: enough to notice a wrong rule, and hundreds of mutants have to be run.
const PROPTEST_CASES: &str = "16";

/// Options of `cargo xtask mutants`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only mutants whose descriptions match this regular expression, such as a function's name.
    #[arg(long, value_name = "REGEX")]
    only: Option<String>,
    /// List the mutants and run none.
    #[arg(long)]
    list: bool,
    /// Only these files, or patterns of files.
    files: Vec<String>,
}

/// Mutants by the file that they are in, without line numbers, which other changes move.
type Mutants = BTreeSet<String>;

/// Runs the mutants and compares those that survive with the list.
pub(crate) fn run(args: &Args) -> Result<()> {
    CARGO_MUTANTS.provide()?;
    let root = root()?;
    let listed = survivors(&fs::read_to_string(root.join(SURVIVORS)).context(SURVIVORS)?)?;
    let mut command = cargo()?;
    command.args(["mutants", "--no-shuffle", "--colors", "never", "--package", "ftpmon-core"]);
    let chosen: Vec<&str> =
        if args.files.is_empty() { FILES.to_vec() } else { args.files.iter().map(String::as_str).collect() };
    command.args(chosen.iter().flat_map(|file| ["--file", file]));
    command.args(args.only.iter().flat_map(|regex| ["--re", regex]));
    if args.list {
        ensure!(command.arg("--list").status()?.success(), "cargo mutants cannot list the mutants");
        return Ok(());
    }
    command.args(["--output", OUTPUT, "--", "--lib"]).env("PROPTEST_CASES", PROPTEST_CASES);
    // 2 and 3 say that mutants were missed or timed out, which is judged below.
    let status = command.status().context("cannot run cargo mutants")?;
    ensure!(matches!(status.code(), Some(0 | 2 | 3)), "cargo mutants: {status}");
    let results = root.join(OUTPUT).join("mutants.out");
    let missed = read(&results, "missed.txt")?;
    let noticed: Mutants =
        read(&results, "caught.txt")?.union(&read(&results, "timeout.txt")?).cloned().collect();
    println!("{} mutants noticed, {} not", noticed.len(), missed.len());
    let findings = judge(&listed, &missed, &noticed);
    for finding in &findings {
        println!("  {finding}");
    }
    ensure!(findings.is_empty(), "{} findings", findings.len());
    Ok(())
}

/// The differences from the list. A mutant's description may fit several places of a function: it is noticed only where all of
/// them are.
fn judge(listed: &BTreeMap<String, String>, missed: &Mutants, noticed: &Mutants) -> Vec<String> {
    let unknown = missed.iter().filter(|mutant| !listed.contains_key(*mutant));
    let gone = listed.keys().filter(|mutant| noticed.contains(*mutant) && !missed.contains(*mutant));
    let unknown = unknown.map(|mutant| format!("no test notices: {mutant}"));
    unknown.chain(gone.map(|mutant| format!("noticed now, take it off {SURVIVORS}: {mutant}"))).collect()
}

/// The mutants that may survive, each with the reason.
fn survivors(text: &str) -> Result<BTreeMap<String, String>> {
    let table: toml::Table = text.parse().with_context(|| format!("{SURVIVORS} is not valid TOML"))?;
    let mut known = BTreeMap::new();
    for entry in table.get("survivor").and_then(toml::Value::as_array).into_iter().flatten() {
        let field = |key: &str| {
            let text = entry.get(key).and_then(toml::Value::as_str).unwrap_or_default().trim();
            ensure!(!text.is_empty(), "{SURVIVORS}: an entry without `{key}`");
            Ok(text.to_owned())
        };
        known.insert(field("mutant")?, field("why")?);
    }
    Ok(known)
}

/// One of the lists that cargo-mutants writes; no file where it is empty.
fn read(results: &Path, name: &str) -> Result<Mutants> {
    let text = match fs::read_to_string(results.join(name)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| name.to_owned()),
    };
    Ok(text.lines().map(without_place).collect())
}

/// `file.rs:12:5: replace …` as `file.rs: replace …`.
fn without_place(line: &str) -> String {
    let mut parts = line.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(_), Some(_), Some(what)) => format!("{file}:{what}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_left_out() {
        let line = "ftpmon/core/src/ftp/size.rs:23:17: replace < with <= in in_213::<u8>";
        assert_eq!(without_place(line), "ftpmon/core/src/ftp/size.rs: replace < with <= in in_213::<u8>");
    }

    #[test]
    fn survivors_are_those_of_the_list() {
        let set = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Mutants>();
        let listed = survivors("[[survivor]]\nmutant = \"a\"\nwhy = \"x\"\n").unwrap();
        assert_eq!(judge(&listed, &set(&["a"]), &set(&["b"])), Vec::<String>::new());
        assert_eq!(judge(&listed, &set(&["a", "b"]), &set(&[])).len(), 1);
        assert_eq!(judge(&listed, &set(&[]), &set(&["a"])).len(), 1);
        assert_eq!(judge(&listed, &set(&[]), &set(&[])), Vec::<String>::new());
    }

    #[test]
    fn a_survivor_needs_a_reason() {
        assert!(survivors("[[survivor]]\nmutant = \"a\"\n").is_err());
    }
}
