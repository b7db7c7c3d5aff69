//! Instructions a packet of attacks, beside those of a dialogue that is none. CI refuses an attack whose packets cost too much.

use std::fs;

use anyhow::{Result, ensure};
use ftpmon_tests::attack::{Wire, suite};

use super::callgrind;
use super::setup::Setup;
use crate::baseline::Counts;

/// A packet of an attack costs so many times a benign packet at most.
const COST_MAX: u64 = 20;

/// Instructions a packet by attack. Fails where one is above the bound.
pub(super) fn count(setup: &Setup) -> Result<Counts> {
    let path = setup.folder().join("attack.pcap");
    let count = |wire: &Wire| -> Result<u64> {
        fs::write(&path, wire.capture())?;
        callgrind::instructions(setup.agent(), &["read", &path.to_string_lossy()], None, setup.folder())
    };
    let start = count(&suite::nothing())?;
    let mut counts = Counts::new();
    for (name, wire) in suite::suite() {
        let each = count(&wire)?.saturating_sub(start) / wire.packets().max(1);
        counts.insert(name.to_owned(), each);
    }
    fs::remove_file(&path)?;
    let benign = counts.get(suite::BENIGN).copied().unwrap_or_default();
    println!("instructions a packet of attacks, at most {COST_MAX} times those of {}", suite::BENIGN);
    for (name, each) in &counts {
        println!("  {name:<24} {each:>10}  {:>6.2} ×", *each as f64 / benign as f64);
    }
    let above: Vec<_> =
        counts.iter().filter(|(_, each)| **each > COST_MAX * benign).map(|(name, _)| name.as_str()).collect();
    ensure!(above.is_empty(), "packets of an attack cost too much: {}", above.join(", "));
    Ok(counts)
}
