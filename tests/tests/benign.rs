//! Thousands of dialogues of people and jobs that want no harm give no alert. `FTPMON_BENIGN_DIALOGUES` says how many.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test panics where it fails, and tells how far it is"
)]

mod reading;

use std::collections::BTreeMap;
use std::env;

use ftpmon_core::detect::{ALL, Detectors};
use ftpmon_core::engine::EngineConfig;
use ftpmon_event::EventKind;
use ftpmon_tests::script::benign;
use reading::Reading;

/// Dialogues that are read by one engine and seen by the detectors, one after another.
const DIALOGUES: u64 = 10_000;
/// Dialogues of which frames are held at once.
const HELD: u64 = 100;

#[test]
fn honest_dialogues_give_no_alert() {
    let count =
        env::var("FTPMON_BENIGN_DIALOGUES").ok().and_then(|count| count.parse().ok()).unwrap_or(DIALOGUES);
    let on = ALL.iter().copied().filter(|entry| entry.on).map(|entry| (entry, entry.threshold));
    let mut detectors = Detectors::start(on, &[]);
    let (mut alerts, mut events) = (BTreeMap::<String, Vec<String>>::new(), BTreeMap::<&str, u64>::new());
    for first in (0..count).step_by(HELD as usize) {
        let numbers = first..(first + HELD).min(count);
        let mut frames: Vec<_> =
            numbers.flat_map(|number| benign::dialogue(number).expect("a dialogue")).collect();
        frames.sort_by_key(|frame| frame.at_ns);
        for event in Reading::of(&frames, EngineConfig::default()).events {
            *events.entry(event.kind.name()).or_default() += 1;
            detectors.event(&event);
            while let Some(alert) = detectors.pop() {
                let EventKind::Alert(alert) = &alert.kind else { continue };
                alerts.entry(alert.alert.id.to_string()).or_default().push(alert.alert.message.to_string());
            }
        }
    }
    println!("{count} dialogues: {events:?}");
    let sessions = events.get("session_start").copied().unwrap_or_default();
    assert!(sessions >= count && sessions <= count + count / 100, "{sessions} sessions of {count} dialogues");
    let counts: BTreeMap<&String, usize> = alerts.iter().map(|(id, all)| (id, all.len())).collect();
    assert!(
        alerts.is_empty(),
        "{counts:?}: {:#?}",
        alerts.values().filter_map(|all| all.first()).collect::<Vec<_>>()
    );
}
