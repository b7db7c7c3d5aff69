//! The rules of Prometheus: they are rules, their own unit tests pass, and each alert has one. That every metric in them is one of an
//! agent is tested where the metrics are written.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::bed::{Need, plain_test};
use ftpmon_tests::oracle::Unpacked;
use ftpmon_tests::process::run_ok;

#[test]
fn rules_pass_their_unit_tests() {
    plain_test("rules_pass_their_unit_tests", &[Need::Unpacked(Unpacked::Promtool)], || {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus");
        let promtool = |arguments: &[&str]| -> Result<String> {
            run_ok(Command::new(Unpacked::Promtool.program()?).current_dir(&folder).args(arguments))
        };
        let checked = promtool(&["check", "rules", "--lint-fatal", "ftpmon.rules.yml"])?;
        ensure!(checked.contains("SUCCESS"), "{checked}");
        let tested = promtool(&["test", "rules", "ftpmon.test.yml"])?;
        ensure!(tested.contains("SUCCESS"), "{tested}");
        let tests = std::fs::read_to_string(folder.join("ftpmon.test.yml"))?;
        let rules = std::fs::read_to_string(folder.join("ftpmon.rules.yml")).context("rules")?;
        // Each alert has a test.
        for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
            ensure!(tests.contains(&format!("alertname: {alert}")), "{alert} is not tested");
        }
        Ok(())
    });
}
