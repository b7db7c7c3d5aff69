//! The dialogue does not depend on how it was cut: any segmentation, duplication and bounded reordering of the same bytes
//! gives the same events.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test panics where it fails")]

mod reading;

use std::collections::BTreeMap;

use ftpmon_core::engine::EngineConfig;
use ftpmon_event::Event;
use ftpmon_tests::compare::without_times;
use ftpmon_tests::script::capture::Frame;
use ftpmon_tests::script::dialogue::{Act, Cuts, Setup, frames, shuffled};
use proptest::prelude::*;
use reading::Reading;
use serde_json::Value;

/// Every event of a capture, in order, as its name and its own fields.
fn events(frames: &[Frame]) -> Vec<(&'static str, Value)> {
    let Reading { events, without_segment } = Reading::of(frames, EngineConfig::default());
    assert_eq!(without_segment, 0, "every frame is TCP");
    let told = |event: Event| {
        let mut fields = serde_json::to_value(&event.kind).expect("an event serializes");
        without_times(&mut fields);
        (event.kind.name(), fields)
    };
    events.into_iter().map(told).collect()
}

/// The events of each type in their order: a data connection's frames may overtake the dialogue's. Transfers are in the order
/// of their commands.
fn by_type(events: &[(&'static str, Value)]) -> BTreeMap<&'static str, Vec<Value>> {
    let mut sorted: BTreeMap<_, Vec<Value>> = BTreeMap::new();
    for (name, fields) in events {
        sorted.entry(*name).or_default().push(fields.clone());
    }
    if let Some(transfers) = sorted.get_mut("transfer") {
        transfers.sort_by_key(|fields| fields["tx"].as_u64());
    }
    sorted
}

/// The bytes of each transfer that was reported as complete, in the order of their commands: an empty one is told later,
/// since another connection may come to its endpoint.
fn moved(events: &[(&'static str, Value)]) -> Vec<u64> {
    let complete = |fields: &&Value| fields["transfer"]["outcome"] == "complete";
    let number = |value: &Value| value.as_u64().expect("a number");
    let facts = events.iter().map(|(_, fields)| fields).filter(complete);
    let moved = facts.map(|fields| (number(&fields["tx"]), number(&fields["transfer"]["bytes"])));
    moved.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// The bytes of each transfer that the client asked for.
fn asked(acts: &[Act]) -> Vec<u64> {
    acts.iter()
        .filter_map(|act| match act {
            Act::Transfer { bytes, .. } => Some(*bytes),
            Act::Ask(..) | Act::Pipeline(_) => None,
        })
        .collect()
}

fn act() -> impl Strategy<Value = Act> {
    let ask = prop_oneof![
        Just(("NOOP", "200 OK")),
        Just(("PWD", "257 \"/here\"")),
        Just(("CWD sub/dir", "250 OK")),
        Just(("CDUP", "200 OK")),
        Just(("TYPE I", "200 Type set")),
        Just(("SYST", "215 UNIX Type: L8")),
        Just(("FEAT", "211-Features:\r\n SIZE\r\n MDTM\r\n211 End")),
        Just(("STAT", "211-Status\r\n211-of\r\n212 not the end\r\n211 End")),
        Just(("DELE gone", "550 No such file")),
        Just(("SITE CHMOD 644 x", "200 OK")),
        Just(("XYZZY", "500 Unknown command")),
        Just(("CWD caf\u{e9}", "250 OK \u{fc}")),
    ]
    .prop_map(|(command, reply)| (command.to_owned(), reply.to_owned()));
    let setup = prop_oneof![Just(Setup::Pasv), Just(Setup::Epsv), Just(Setup::Port), Just(Setup::Eprt)];
    prop_oneof![
        4 => ask.clone().prop_map(|(command, reply)| Act::Ask(command, reply)),
        1 => prop::collection::vec(ask, 2..6).prop_map(Act::Pipeline),
        3 => (setup, any::<bool>(), prop_oneof![1 => Just(0), 4 => 0..5_000u64])
            .prop_map(|(setup, upload, bytes)| Act::Transfer { setup, upload, bytes }),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec(act(), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn segmentation_changes_nothing(
        acts in acts(),
        cuts in prop::collection::vec(1..40usize, 1..20),
        six in any::<bool>(),
    ) {
        let whole = events(&frames(&acts, &Cuts(Vec::new()), six).unwrap());
        prop_assert_eq!(moved(&whole), asked(&acts));
        let cut = events(&frames(&acts, &Cuts(cuts), six).unwrap());
        prop_assert_eq!(&whole, &cut);
        let bytes = events(&frames(&acts, &Cuts(vec![1]), six).unwrap());
        prop_assert_eq!(&whole, &bytes);
    }

    #[test]
    fn every_frame_twice_changes_nothing(acts in acts(), copies in prop::collection::vec(0..4usize, 1..40)) {
        let frames = frames(&acts, &Cuts(Vec::new()), false).unwrap();
        let fates = copies.iter().cycle().map(|&copy| (0, copy));
        prop_assert_eq!(by_type(&events(&frames)), by_type(&events(&shuffled(&frames, fates))));
    }

    #[test]
    fn bounded_reordering_changes_nothing(
        acts in acts(),
        cuts in prop::collection::vec(1..40usize, 1..20),
        late in prop::collection::vec((0..4usize, 0..3usize), 1..60),
    ) {
        let frames = frames(&acts, &Cuts(cuts), false).unwrap();
        let fates = late.iter().copied().cycle();
        let (straight, odd) = (events(&frames), events(&shuffled(&frames, fates)));
        prop_assert_eq!(by_type(&straight), by_type(&odd));
    }
}
