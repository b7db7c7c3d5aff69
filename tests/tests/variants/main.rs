//! Scenes in all their variants: IPv4 and IPv6, passive and active, download and upload, whole segments and single bytes. What must be
//! stands in the scene, derived from the RFCs.
//!
//! `tests/variants/*.txt` hold the scenes. One begins with `== NAME`, and may have `variants:` and `options:` behind it.

#![expect(clippy::panic, reason = "a test panics where it fails")]

mod expand;
mod expect;
#[path = "../reading/mod.rs"]
mod reading;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use expand::{Expanded, Variant};
use expect::Told;
use ftpmon_core::config::Limits;
use ftpmon_core::engine::EngineConfig;
use ftpmon_event::Event;
use ftpmon_tests::script;
use reading::Reading;

/// Every event of a script's capture, in order.
fn told(script: &str) -> Result<Vec<Told>, String> {
    let frames = script::frames(script).map_err(|error| format!("{error:#}"))?;
    let config = EngineConfig {
        detect_by_content: true,
        selects: false,
        limits: Limits::UNHURRIED,
        ..EngineConfig::default()
    };
    let told = |event: Event| (event.kind.name(), serde_json::to_value(&event.kind).unwrap_or_default());
    Ok(Reading::of(&frames, config).events.into_iter().map(told).collect())
}

/// Replies that answer another command than the scene says.
fn answers(wanted: &[(String, Option<u64>)], told: &[Told]) -> Vec<String> {
    let replies: Vec<String> = told
        .iter()
        .filter(|it| it.0 == "reply")
        .map(|it| {
            let text = |pointer| it.1.pointer(pointer).map_or(String::new(), ToString::to_string);
            format!("{} to {}", text("/reply/code"), text("/tx"))
        })
        .collect();
    let mut found = Vec::new();
    let mut from = 0;
    for (text, tx) in wanted {
        let code = text.get(..3).unwrap_or_default();
        match replies.get(from..).unwrap_or_default().iter().position(|have| have.starts_with(code)) {
            Some(at) => {
                let have = replies.get(from + at).cloned().unwrap_or_default();
                from += at + 1;
                if let Some(tx) = tx.filter(|tx| have != format!("{code} to {tx}")) {
                    found.push(format!("{text:?}: {have}, not {tx}"));
                }
            }
            None => found.push(format!("{text:?} is not told")),
        }
    }
    found
}

fn scene(name: &str, body: &str, out: &mut Vec<String>) -> usize {
    let named = body.lines().find_map(|line| line.strip_prefix("variants:")).unwrap_or("");
    let body: String =
        body.lines().filter(|line| !line.starts_with("variants:")).map(|line| format!("{line}\n")).collect();
    let variants = Variant::all(named);
    let mut wrong: Vec<(String, Vec<String>, String)> = Vec::new();
    for variant in &variants {
        let label = format!(
            "v{} {} {} {}",
            if variant.six { 6 } else { 4 },
            variant.setup(),
            if variant.upload { "upload" } else { "download" },
            variant.segment
        );
        let (differences, dump) = match Expanded::new(&body, *variant)
            .and_then(|all| Ok((told(&all.script)?, all)))
        {
            Ok((told, all)) => {
                let mut found = answers(&all.answers, &told);
                for expectation in &all.expectations {
                    found.extend(
                        expect::check(expectation, &told).err().map(|why| format!("{expectation}: {why}")),
                    );
                }
                (found, dump(&told))
            }
            Err(error) => (vec![error], String::new()),
        };
        if !differences.is_empty() {
            wrong.push((label, differences, dump));
        }
    }
    if let Some((label, differences, dump)) = wrong.first() {
        let mut text = format!("{name}: {} of {} variants, first {label}\n", wrong.len(), variants.len());
        for difference in differences {
            let _ = writeln!(text, "    {difference}");
        }
        if std::env::var_os("VERBOSE").is_some() {
            text.push_str(dump);
        }
        out.push(text);
    }
    variants.len()
}

fn dump(told: &[Told]) -> String {
    told.iter().map(|(name, fields)| format!("        {name} {fields}\n")).collect()
}

fn file(path: &Path) {
    let only = std::env::var("SCENE").unwrap_or_default();
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut wrong = Vec::new();
    let (mut scenes, mut variants) = (0, 0);
    for part in text.split("\n== ").skip(1) {
        let (name, body) = part.split_once('\n').unwrap_or((part, ""));
        if name.contains(&only) {
            scenes += 1;
            variants += scene(name.trim(), body, &mut wrong);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {scenes} scenes ({variants} variants)\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("variants")
}

macro_rules! files {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            file(&folder().join(concat!(stringify!($name), ".txt")));
        }
    )*};
}

files! { pairing ownership ends sizes paths logins small secrets gaps crossings }
