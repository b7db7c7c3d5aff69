//! On what machine, with what, of what.

use std::fs;
use std::process::Command;

use ftpmon_tests::process::run_ok;
use serde_json::{Value, json};

use crate::workspace::root;

/// The conditions that a figure depends on.
#[derive(Debug)]
pub(crate) struct Facts(Vec<(&'static str, String)>);

impl Facts {
    /// Of this machine, now.
    pub(crate) fn gather() -> Self {
        let line = |path: &str, name: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_start_matches([' ', '\t', ':']).trim().to_owned()
        };
        let said = |program: &str, words: &[&str]| {
            let mut command = Command::new(program);
            if let Ok(root) = root() {
                command.current_dir(root);
            }
            run_ok(command.args(words)).map_or_else(|_| "not known".to_owned(), |text| text.trim().to_owned())
        };
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        let model = line("/proc/cpuinfo", "model name");
        let commit = said("git", &["describe", "--always", "--abbrev=12", "--exclude=*"]);
        let changed =
            if said("git", &["status", "--porcelain", "-uno"]).is_empty() { "" } else { " and changes" };
        Self(vec![
            ("date", said("date", &["-u", "+%Y-%m-%d"])),
            ("commit", commit + changed),
            ("cpu", format!("{cpus} × {}", if model.is_empty() { "not known" } else { &model })),
            ("memory", line("/proc/meminfo", "MemTotal")),
            (
                "kernel",
                fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            ),
            ("rustc", said("rustc", &["--version"])),
            (
                "load at the start",
                fs::read_to_string("/proc/loadavg")
                    .unwrap_or_default()
                    .split(' ')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            ),
        ])
    }

    /// One line.
    pub(crate) fn text(&self) -> String {
        let facts: Vec<String> = self.0.iter().map(|(name, fact)| format!("{name}: {fact}")).collect();
        facts.join(" · ")
    }

    /// An object.
    pub(crate) fn json(&self) -> Value {
        Value::Object(self.0.iter().map(|(name, fact)| ((*name).to_owned(), json!(fact))).collect())
    }
}
