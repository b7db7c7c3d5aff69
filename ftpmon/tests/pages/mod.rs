//! The page of each detector in docs/detections.md: what it finds, why that matters, what an alert shows, ATT&CK, tuning, how to test.
//!
//! Everything but the reason is made from the detector, its scripts and their alerts, so that none of it can be out of date.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ftpmon_core::detect::Entry;
use ftpmon_tests::detections::{Case, Detection};
use libtest_mimic::Failed;
use serde_json::{Map, Value};

/// The reason stands behind it.
const WHY: &str = "**Why.** ";
/// The heading above all pages, and the one below them.
const PAGES: (&str, &str) = ("## Each detector\n", "\n## What public captures give\n");

/// The document.
pub(crate) fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/detections.md")
}

/// The pages as they are, and what is before and behind them.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(PAGES.0)?;
    let (pages, behind) = rest.split_once(PAGES.1)?;
    Some((before, pages, behind))
}

/// The page of a detector as it is.
fn page<'t>(text: &'t str, id: &str) -> Option<&'t str> {
    let (_, pages, _) = parts(text)?;
    let (_, rest) = pages.split_once(&format!("### {id}\n"))?;
    Some(rest.split_once("\n### ").map_or(rest, |(page, _)| page))
}

/// The page of a detector as it has to be, with the reason that the document gives.
fn made(entry: &Entry, text: &str, cases: &[Case], alerts: &str) -> Result<String, Failed> {
    let id = entry.id();
    let page = page(text, id).ok_or("docs/detections.md has no page")?;
    let why = page
        .lines()
        .find_map(|line| line.strip_prefix(WHY))
        .ok_or("the page gives no reason (`**Why.**`)")?;
    let alert = alerts.lines().find_map(|line| line.strip_prefix("fires ")).ok_or("no alert")?;
    let (counts, message) =
        alert.split_once(" {").and_then(|(_, rest)| rest.split_once("} ")).ok_or("no counts")?;
    let counts: Map<String, Value> = serde_json::from_str(&format!("{{{counts}}}"))?;
    let counts: Vec<String> = counts.keys().map(|name| format!("`{name}`")).collect();
    let technique = entry.subject.technique.map_or_else(
        || "none fits".to_owned(),
        |id| format!("[{id}](https://attack.mitre.org/techniques/{}/)", id.replace('.', "/")),
    );
    let confidence = serde_json::to_value(entry.subject.confidence)?;
    let on = if entry.on { "On by default" } else { "Off by default" };
    let (count, per_s) = (entry.threshold.count, entry.threshold.per_s);
    let mut out = format!("### {id}\n\n{}\n\n{WHY}{why}\n\n", entry.about);
    writeln!(
        out,
        "**Evidence.** Such as: `{message}`; sessions, commands, and the counts {}.\n",
        counts.join(", ")
    )?;
    writeln!(
        out,
        "**ATT&CK.** {technique}. Severity {}, confidence {}. {on}, `{id}={count}/{per_s}s`.\n",
        entry.subject.severity,
        confidence.as_str().unwrap_or_default()
    )?;
    writeln!(out, "**Tuning.** {}\n\n**Test.** `tests/detections/{id}`:\n", entry.tuning)?;
    for case in cases {
        writeln!(out, "* `{}`: {}", case.kind.name(), case.about)?;
    }
    Ok(out)
}

/// The document has the page of a detector as it has to be.
pub(crate) fn check(entry: &Entry, detection: &Detection) -> Result<(), Failed> {
    let text = std::fs::read_to_string(document())?;
    let cases = detection.cases().map_err(|error| format!("{error:#}"))?;
    let made = made(entry, &text, &cases, &detection.expected()?)?;
    let found = page(&text, entry.id()).unwrap_or_default().trim_end();
    if made.split_once('\n').is_none_or(|(_, made)| made.trim_end() != found) {
        return Err(format!("`cargo xtask bless` makes it so:\n{made}").into());
    }
    Ok(())
}

/// Writes all pages anew.
pub(crate) fn bless(all: &[(&Entry, &Detection)]) -> Result<(), Failed> {
    let text = std::fs::read_to_string(document())?;
    let (before, _, behind) = parts(&text).ok_or("docs/detections.md has no pages")?;
    let mut out = format!("{before}{}", PAGES.0);
    for (entry, detection) in all {
        let cases = detection.cases().map_err(|error| format!("{error:#}"))?;
        write!(out, "\n{}", made(entry, &text, &cases, &detection.expected()?)?)?;
    }
    write!(out, "{}{behind}", PAGES.1)?;
    Ok(std::fs::write(document(), out)?)
}
