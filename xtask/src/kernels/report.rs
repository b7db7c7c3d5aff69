//! The report of a machine on its kernel.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::baseline::Counts;

/// A hook that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The machine's state, device and `--hook`.
    pub(super) what: [String; 3],
    /// The hooks of the programs, in and out; none if they were not.
    pub(super) hooks: Option<[String; 2]>,
    /// `exact`, or what was wrong.
    pub(super) result: String,
}

impl Row {
    /// The events were exactly what client and server did.
    pub(super) fn is_exact(&self) -> bool {
        self.result == "exact"
    }
}

/// Everything that a machine reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// The kernel's release.
    pub(super) release: String,
    /// Instructions that its verifier walks.
    pub(super) verified: Counts,
    /// The trial.
    pub(super) rows: Vec<Row>,
}

impl Report {
    /// From lines of JSON, of which the last says that nothing is missing.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut report = Self::default();
        let mut complete = false;
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
            let word = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
            if let Some(release) = word("release") {
                report.release = release;
            } else if let Some(failed) = word("failed") {
                bail!("{failed}");
            } else if value.get("end").is_some() {
                complete = true;
            } else if let Some(counts) = value.get("verified").and_then(Value::as_object) {
                let count = |(name, count): (&String, &Value)| Some((name.clone(), count.as_u64()?));
                report.verified = counts.iter().filter_map(count).collect();
            } else {
                let words = [word("condition"), word("device"), word("hook")];
                let [Some(condition), Some(device), Some(hook)] = words else { bail!("no row: {line}") };
                let hooks = word("ingress").zip(word("egress")).map(|(ingress, egress)| [ingress, egress]);
                let result = word("result").context("a row without a result")?;
                report.rows.push(Row { what: [condition, device, hook], hooks, result });
            }
        }
        ensure!(complete, "the machine ended after {} rows", report.rows.len());
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    #[test]
    fn a_report_without_its_end_is_none() {
        let row = r#"{"condition":"as booted","device":"eth0","hook":"tcx","ingress":"tcx","egress":"tcx","result":"exact"}"#;
        let head = "{\"release\":\"6.1.0-56-cloud-amd64\"}\n{\"verified\":{\"ftpmon_xdp\":42527}}\n";
        let report = Report::parse(&format!("{head}{row}\n{{\"end\":true}}")).unwrap();
        assert_eq!(report.verified["ftpmon_xdp"], 42_527);
        assert!(report.rows.len() == 1 && report.rows[0].is_exact());
        assert!(Report::parse(&format!("{head}{row}")).is_err());
        assert!(Report::parse(&format!("{head}{{\"failed\":\"no veth\"}}")).is_err());
    }
}
