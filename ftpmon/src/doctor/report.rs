//! Findings, as text and JSON.

use std::fmt::Write as _;

use serde::Serialize;

/// The weight of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// ftpmon runs, and sees or delivers less than it could.
    Warning,
    /// ftpmon does not start, or events do not arrive.
    Fault,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// One thing that was examined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    verdict: Verdict,
    /// The thing that was examined: `kernel`, `interface eth0`, `output tcp://…`.
    subject: String,
    /// The finding.
    found: String,
    /// The remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    way_out: Option<String>,
}

impl Finding {
    pub(super) fn ok(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, subject: subject.into(), found: found.into(), way_out: None }
    }

    pub(super) fn warning(
        subject: impl Into<String>,
        found: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        let way_out = Some(way_out.into());
        Self { verdict: Verdict::Warning, subject: subject.into(), found: found.into(), way_out }
    }

    pub(super) fn fault(
        subject: impl Into<String>,
        found: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        let way_out = Some(way_out.into());
        Self { verdict: Verdict::Fault, subject: subject.into(), found: found.into(), way_out }
    }

    /// A fault by the message of an error, whose remedy follows its last semicolon.
    pub(super) fn from_error(subject: impl Into<String>, message: &str) -> Self {
        let (found, way_out) = match message.rsplit_once("; ") {
            Some((found, way_out)) => (found, Some(way_out.to_owned())),
            None => (message, None),
        };
        Self { verdict: Verdict::Fault, subject: subject.into(), found: found.to_owned(), way_out }
    }

    #[cfg(test)]
    pub(super) fn parts(&self) -> (Verdict, &str, &str) {
        (self.verdict, &self.found, self.way_out.as_deref().unwrap_or_default())
    }
}

/// All findings.
#[derive(Clone, Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    /// There is a fault.
    pub fn has_faults(&self) -> bool {
        self.count(Verdict::Fault) > 0
    }

    /// A line for each finding, the remedy below it, and the counts.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Finding { verdict, subject, found, way_out } in &self.findings {
            let _ = writeln!(text, "{:<8} {subject}: {found}", verdict.name());
            if let Some(way_out) = way_out {
                let _ = writeln!(text, "         -> {way_out}");
            }
        }
        let [faults, warnings] = [Verdict::Fault, Verdict::Warning].map(|verdict| self.count(verdict));
        let _ = writeln!(text, "faults: {faults}, warnings: {warnings}");
        text
    }

    /// One JSON object.
    pub fn json(&self) -> String {
        let [faults, warnings] = [Verdict::Fault, Verdict::Warning].map(|verdict| self.count(verdict));
        let value = serde_json::json!({ "findings": self.findings, "faults": faults, "warnings": warnings });
        format!("{value}\n")
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_lines_with_their_remedies() {
        let mut report = Report::default();
        report.extend([
            Finding::ok("kernel", "6.18"),
            Finding::warning("eth0", "it is down", "ip link set eth0 up"),
        ]);
        assert!(!report.has_faults());
        report.extend([Finding::from_error("user", "no such user; create it")]);
        assert!(report.has_faults());
        let text = report.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "ok       kernel: 6.18",
                "warning  eth0: it is down",
                "         -> ip link set eth0 up",
                "fault    user: no such user",
                "         -> create it",
                "faults: 1, warnings: 1",
            ]
        );
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((json["faults"].as_u64(), json["warnings"].as_u64()), (Some(1), Some(1)));
        assert_eq!(json["findings"][2]["way_out"], "create it");
        assert!(json["findings"][0].get("way_out").is_none());
    }
}
