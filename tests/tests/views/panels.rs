//! The queries of dashboards name what events have: fields of the goldens' ECS documents, and of the schema.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use ftpmon_tests::bed::plain_test;
use serde_json::Value;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The ECS documents of all goldens.
fn documents() -> Result<Vec<Value>> {
    let mut documents = Vec::new();
    for entry in fs::read_dir(workspace().join("tests/goldens"))? {
        let text = fs::read_to_string(entry?.path().join("expect.ecs.jsonl"))?;
        for line in text.lines() {
            documents.push(serde_json::from_str(line)?);
        }
    }
    Ok(documents)
}

/// The value of a field, by its path.
fn field<'d>(document: &'d Value, path: &str) -> Option<&'d Value> {
    path.split('.').try_fold(document, |value, name| value.get(name))
}

/// A document is what a filter lets through: `term` and `exists`, as the panels have them.
fn is_found(document: &Value, filter: &Value) -> bool {
    let term = filter["term"].as_object().and_then(|term| term.iter().next());
    match (term, filter["exists"]["field"].as_str()) {
        (Some((path, wanted)), _) => field(document, path) == Some(wanted),
        (None, Some(path)) => field(document, path).is_some(),
        (None, None) => false,
    }
}

/// An aggregation that a panel asks for: its kind, and its field.
type Asked<'q> = (&'q str, &'q str);

/// The aggregations of a panel, those within others too: each has one kind with a field, and may have `aggs`.
fn asked<'q>(aggs: &'q Value, into: &mut Vec<Asked<'q>>) -> Result<()> {
    for (name, agg) in aggs.as_object().context("named aggregations")? {
        let parts = agg.as_object().with_context(|| format!("{name} is no object"))?;
        let kinds: Vec<_> = parts.iter().filter(|(part, _)| *part != "aggs").collect();
        let [(kind, body)] = kinds[..] else { bail!("{name} has {} kinds", kinds.len()) };
        into.push((kind, body["field"].as_str().with_context(|| format!("{name} has no field"))?));
        if let Some(within) = parts.get("aggs") {
            asked(within, into)?;
        }
    }
    Ok(())
}

/// An aggregation takes such a value, as the mapping in docs/shippers/opensearch.md has it: texts are keywords, `@timestamp` is a date.
fn suits(kind: &str, path: &str, value: &Value) -> bool {
    match kind {
        "date_histogram" => path == "@timestamp" && value.as_str().is_some_and(|text| text.ends_with('Z')),
        "sum" | "max" | "percentiles" => value.is_number(),
        "terms" | "cardinality" => value.is_string() || value.is_boolean() || value.is_u64(),
        _ => false,
    }
}

#[test]
fn every_panel_of_opensearch_finds_documents_with_its_fields() {
    plain_test("every_panel_of_opensearch_finds_documents_with_its_fields", &[], || {
        let documents = documents()?;
        let text = fs::read_to_string(workspace().join("deploy/opensearch/dashboard.json"))?;
        let dashboard: Value = serde_json::from_str(&text)?;
        let panels = dashboard["panels"].as_array().context("panels")?;
        ensure!(panels.len() >= 8, "{} panels", panels.len());
        for panel in panels {
            let title = &panel["title"];
            let filters = panel["search"]["query"]["bool"]["filter"].as_array().context("filters")?;
            let found = |document: &&Value| filters.iter().all(|filter| is_found(document, filter));
            let found: Vec<&Value> = documents.iter().filter(found).collect();
            ensure!(!found.is_empty(), "{title} finds nothing");
            let mut fields = Vec::new();
            asked(&panel["search"]["aggs"], &mut fields).with_context(|| title.to_string())?;
            ensure!(!fields.is_empty(), "{title} asks for nothing");
            for (kind, path) in fields {
                let mut values = found.iter().filter_map(|document| field(document, path)).peekable();
                ensure!(values.peek().is_some(), "{title}: no document has {path}");
                let unfit = values.find(|value| !suits(kind, path, value));
                ensure!(unfit.is_none(), "{title}: {kind} of {path} takes no {unfit:?}");
            }
        }
        Ok(())
    });
}

#[test]
fn every_path_in_the_queries_of_clickhouse_is_one_of_events() {
    plain_test("every_path_in_the_queries_of_clickhouse_is_one_of_events", &[], || {
        let mut known = BTreeSet::new();
        for entry in fs::read_dir(workspace().join("tests/goldens"))? {
            for line in fs::read_to_string(entry?.path().join("expect.jsonl"))?.lines() {
                paths(&serde_json::from_str(line)?, "", &mut known);
            }
        }
        let mut count = 0;
        for file in ["schema.sql", "dashboard.sql"] {
            let text = fs::read_to_string(workspace().join("deploy/clickhouse").join(file))?;
            for call in text.split("(line, ").skip(1) {
                let names = call.split(')').next().unwrap_or_default();
                let path =
                    names.split(", ").map(|name| name.trim_matches('\'')).collect::<Vec<_>>().join(".");
                // Goldens leave out what every run has of its own.
                let is_own = ["sensor", "run", "seq"].contains(&path.as_str());
                ensure!(is_own || known.contains(&path), "{file}: no event has {path}");
                count += 1;
            }
        }
        ensure!(count > 20, "only {count} paths were found");
        // The documents and the files say the same.
        let guide = fs::read_to_string(workspace().join("docs/shippers/clickhouse.md"))?;
        let schema = fs::read_to_string(workspace().join("deploy/clickhouse/schema.sql"))?;
        let statements = schema.split_once("\n\n").context("a comment and statements")?.1;
        for statement in statements.trim().split("\n\n") {
            ensure!(
                guide.contains(statement),
                "docs/shippers/clickhouse.md has another schema than\n{statement}"
            );
        }
        Ok(())
    });
}

fn paths(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        paths(value, &path, into);
        into.insert(path);
    }
}
