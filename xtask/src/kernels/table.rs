//! The table of `docs/kernels.md`: a line for each thing that was tried, a column for each kernel.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use super::report::{Report, Row};
use crate::document;
use crate::workspace::root;

/// Relative to the workspace.
const DOCUMENT: &str = "docs/kernels.md";
/// The section's name.
const SECTION: &str = "kernels";

/// Writes the table.
pub(super) fn write(booted: &[(String, Report)]) -> Result<()> {
    document::write(DOCUMENT, &[(SECTION.to_owned(), render(booted))])
}

/// The document has this table.
pub(super) fn is_current(booted: &[(String, Report)]) -> Result<bool> {
    let document = fs::read_to_string(root()?.join(DOCUMENT)).with_context(|| DOCUMENT.to_owned())?;
    Ok(document.contains(render(booted).trim()))
}

/// Series alone name the kernels: their releases change with every update of Debian's.
fn render(booted: &[(String, Report)]) -> String {
    let mut lines: Vec<&[String; 3]> = Vec::new();
    let mut cells: BTreeMap<(&[String; 3], &str), String> = BTreeMap::new();
    for (series, report) in booted {
        for row in &report.rows {
            if !lines.contains(&&row.what) {
                lines.push(&row.what);
            }
            cells.insert((&row.what, series), row.text());
        }
    }
    let mut text = String::from("| machine | device | `--hook` |");
    booted.iter().for_each(|(series, _)| {
        let _ = write!(text, " {series} |");
    });
    let _ = writeln!(text, "\n|---|---|---|{}", "---|".repeat(booted.len()));
    for line in lines {
        let [machine, device, hook] = line;
        let _ = write!(text, "| {machine} | {device} | {hook} |");
        for (series, _) in booted {
            let cell = cells.get(&(line, series.as_str())).map_or("not tried", String::as_str);
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    text
}

impl Row {
    /// The result in a few words.
    pub(super) fn text(&self) -> String {
        match &self.hooks {
            Some([ingress, egress]) => format!("{}: {ingress} in, {egress} out", self.result),
            None => self.result.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_columns() {
        let row = |hook: &str, ingress: &str| Row {
            what: ["as booted", "eth0", hook].map(str::to_owned),
            hooks: Some([ingress, "tcx"].map(str::to_owned)),
            result: "exact".to_owned(),
        };
        let report = |rows| Report { rows, ..Report::default() };
        let booted = [
            ("6.1".to_owned(), report(vec![row("tcx", "clsact")])),
            ("6.12".to_owned(), report(vec![row("tcx", "tcx"), row("native", "native")])),
        ];
        assert_eq!(
            render(&booted),
            "| machine | device | `--hook` | 6.1 | 6.12 |\n|---|---|---|---|---|\n\
             | as booted | eth0 | tcx | exact: clsact in, tcx out | exact: tcx in, tcx out |\n\
             | as booted | eth0 | native | not tried | exact: native in, tcx out |\n"
        );
    }
}
