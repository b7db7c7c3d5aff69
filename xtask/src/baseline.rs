//! The committed baseline: counts that the present is held against.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use crate::workspace::root;

/// Relative to the workspace.
pub(crate) const BASELINE: &str = "xtask/baseline.toml";

/// Counts may be higher by this share.
pub(crate) const TOLERANCE: f64 = 0.05;

/// Counts by what was counted.
pub(crate) type Counts = BTreeMap<String, u64>;

/// The recorded counts, or those of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Baseline {
    /// The compiler of the agent.
    pub(crate) rustc: String,
    /// Instructions that the agent takes for a load.
    pub(crate) instructions: Counts,
    /// Instructions a packet of an attack.
    pub(crate) attacks: Counts,
    /// Instructions that the verifier walks for a program, by kernel: its version's first two numbers.
    pub(crate) verified: BTreeMap<String, Counts>,
}

impl Baseline {
    pub(crate) fn read() -> Result<Self> {
        let text = fs::read_to_string(path()?).with_context(|| format!("cannot read {BASELINE}"))?;
        Self::parse(&text).with_context(|| format!("{BASELINE} is not readable"))
    }

    pub(crate) fn write(&self) -> Result<()> {
        fs::write(path()?, self.text()).with_context(|| format!("cannot write {BASELINE}"))
    }

    fn parse(text: &str) -> Result<Self> {
        let value: Value = toml::from_str(text)?;
        let word = |name: &str| {
            let word = value.get(name).and_then(Value::as_str);
            word.map(str::to_owned).with_context(|| format!("no {name}"))
        };
        let table =
            |name: &str| value.get(name).and_then(Value::as_object).with_context(|| format!("no {name}"));
        let of_kernel = |(kernel, table): (&String, &Value)| {
            Ok((kernel.clone(), counts(table.as_object().with_context(|| format!("{kernel} is no table"))?)?))
        };
        Ok(Self {
            rustc: word("rustc")?,
            instructions: counts(table("instructions")?)?,
            attacks: counts(table("attacks")?)?,
            verified: table("verified")?.iter().map(of_kernel).collect::<Result<_>>()?,
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "# What `cargo xtask bench regression` holds the present against; with `--bless` it writes this file anew.\n\
             rustc = \"{}\"\n",
            self.rustc
        );
        let verified =
            self.verified.iter().map(|(kernel, counts)| (format!("verified.\"{kernel}\""), counts));
        let others = [("instructions", &self.instructions), ("attacks", &self.attacks)];
        let others = others.map(|(name, counts)| (name.to_owned(), counts));
        for (name, counts) in others.into_iter().chain(verified) {
            let _ = write!(text, "\n[{name}]\n");
            for (what, count) in counts {
                let _ = writeln!(text, "\"{what}\" = {count}");
            }
        }
        text
    }
}

fn counts(table: &Map<String, Value>) -> Result<Counts> {
    let count = |(name, count): (&String, &Value)| {
        Ok((name.clone(), count.as_u64().with_context(|| format!("{name} is no count"))?))
    };
    table.iter().map(count).collect()
}

fn path() -> Result<PathBuf> {
    Ok(root()?.join(BASELINE))
}

/// Prints all counts and tells how many are too high, or recorded and not counted any more, or the other way round.
pub(crate) fn compare(recorded: &Counts, now: &Counts) -> usize {
    let mut worse = 0;
    for (what, count) in now {
        let Some(before) = recorded.get(what) else {
            println!("  {what:<24} {count:>14}  not recorded");
            worse += 1;
            continue;
        };
        let change = *count as f64 / *before as f64 - 1.0;
        let verdict = if change > TOLERANCE { "  TOO HIGH" } else { "" };
        worse += usize::from(change > TOLERANCE);
        println!("  {what:<24} {count:>14} {:>+7.2} %{verdict}", change * 100.0);
    }
    for what in recorded.keys().filter(|what| !now.contains_key(*what)) {
        println!("  {what:<24} recorded, and not counted any more");
        worse += 1;
    }
    worse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let counts =
            |pairs: &[(&str, u64)]| pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let baseline = Baseline {
            rustc: "rustc 1.95.0 (abc 2026-04-14)".to_owned(),
            instructions: counts(&[("read", 1_000), ("read --files hash", 2_000)]),
            attacks: counts(&[("benign", 9_000)]),
            verified: ["6.1", "6.18"].map(|k| (k.to_owned(), counts(&[("ftpmon_xdp", 50_000)]))).into(),
        };
        assert_eq!(Baseline::parse(&baseline.text()).unwrap(), baseline);
        assert!(Baseline::parse("rustc = 1").is_err());
    }

    #[test]
    fn the_committed_one_is_readable() {
        let baseline = Baseline::read().unwrap();
        assert!(!baseline.instructions.is_empty() && !baseline.attacks.is_empty());
        assert!(!baseline.verified.is_empty());
    }

    #[test]
    fn five_per_cent_are_borne() {
        let counts = |pairs: &[(&str, u64)]| {
            pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Counts>()
        };
        let recorded = counts(&[("a", 100), ("b", 100), ("c", 100)]);
        assert_eq!(compare(&recorded, &counts(&[("a", 104), ("b", 50), ("c", 100)])), 0);
        assert_eq!(compare(&recorded, &counts(&[("a", 106), ("b", 100), ("c", 100)])), 1);
        assert_eq!(compare(&recorded, &counts(&[("a", 100), ("b", 100), ("d", 1)])), 2);
    }
}
