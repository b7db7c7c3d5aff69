//! The committed baseline: counts that the present is held against.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::workspace::root;

/// Relative to the workspace.
pub(super) const BASELINE: &str = "xtask/baseline.toml";

/// Counts by what was counted.
pub(super) type Counts = BTreeMap<String, u64>;

/// What is recorded, or was counted now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Baseline {
    /// The compiler of the agent.
    pub(super) rustc: String,
    /// The kernel whose verifier walked the programs: its version's first two numbers.
    pub(super) kernel: String,
    /// Instructions that the agent takes for a load.
    pub(super) instructions: Counts,
    /// Instructions that the verifier walks for a program.
    pub(super) verified: Counts,
}

impl Baseline {
    pub(super) fn read() -> Result<Self> {
        let text = fs::read_to_string(path()?).with_context(|| format!("cannot read {BASELINE}"))?;
        Self::parse(&text).with_context(|| format!("{BASELINE} is not readable"))
    }

    pub(super) fn write(&self) -> Result<()> {
        fs::write(path()?, self.text()).with_context(|| format!("cannot write {BASELINE}"))
    }

    fn parse(text: &str) -> Result<Self> {
        let value: Value = toml::from_str(text)?;
        let word = |name: &str| {
            let word = value.get(name).and_then(Value::as_str);
            word.map(str::to_owned).with_context(|| format!("no {name}"))
        };
        let counts = |name: &str| -> Result<Counts> {
            let table = value.get(name).and_then(Value::as_object).with_context(|| format!("no {name}"))?;
            let count = |(name, count): (&String, &Value)| {
                Ok((name.clone(), count.as_u64().with_context(|| format!("{name} is no count"))?))
            };
            table.iter().map(count).collect()
        };
        Ok(Self {
            rustc: word("rustc")?,
            kernel: word("kernel")?,
            instructions: counts("instructions")?,
            verified: counts("verified")?,
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "# What `cargo xtask bench regression` holds the present against; with `--bless` it writes this file anew.\n\
             rustc = \"{}\"\nkernel = \"{}\"\n",
            self.rustc, self.kernel
        );
        for (name, counts) in [("instructions", &self.instructions), ("verified", &self.verified)] {
            let _ = write!(text, "\n[{name}]\n");
            for (what, count) in counts {
                let _ = writeln!(text, "\"{what}\" = {count}");
            }
        }
        text
    }
}

fn path() -> Result<PathBuf> {
    Ok(root()?.join(BASELINE))
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
            kernel: "6.18".to_owned(),
            instructions: counts(&[("read", 1_000), ("read --files hash", 2_000)]),
            verified: counts(&[("ftpmon_xdp", 50_000)]),
        };
        assert_eq!(Baseline::parse(&baseline.text()).unwrap(), baseline);
        assert!(Baseline::parse("rustc = 1").is_err());
    }

    #[test]
    fn the_committed_one_is_readable() {
        let baseline = Baseline::read().unwrap();
        assert!(!baseline.instructions.is_empty() && !baseline.verified.is_empty());
    }
}
