//! Files: hashed from the first byte, within the caps.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::engine::FilePiece;
use crate::event::{FileFacts, FileId, FileRange, FileReason};

const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn hashing() -> EngineConfig {
    EngineConfig { files: FilesMode::Hash, ..EngineConfig::default() }
}

fn file(events: &[Event]) -> FileFacts {
    transfers(events)[0].file.clone().unwrap()
}

/// A session up to PASV, and a connection to the port that the 227 will name.
fn quick(bench: &mut Bench) -> (Talk, Talk) {
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello", "PASV"]);
    let data = bench.connect(end(1, 40_001), end(2, 5_000));
    (control, data)
}

fn announce(bench: &mut Bench, control: &mut Talk) {
    bench.say(control, &["227 x (192,0,2,2,19,136)", "RETR a", "150 go"]);
}

#[test]
fn bytes_before_the_announcement_are_part_of_the_file() {
    for detect_by_content in [false, true] {
        let mut bench = Bench::new(EngineConfig { detect_by_content, ..hashing() });
        let (mut control, mut data) = quick(&mut bench);
        bench.send(&mut data, false, ACK, b"hel");
        announce(&mut bench, &mut control);
        bench.send(&mut data, false, ACK, b"lo");
        bench.close(&mut data);
        bench.say(&mut control, &["226 done"]);
        let file = file(&bench.finish());
        assert_eq!((file.sha256.as_deref(), file.complete, file.size), (Some(HELLO), true, 5));
        assert_eq!((file.range, file.reason), (None, None));
        assert_eq!(bench.engine.counters().tables["early_bytes"].used, 0);
    }
}

#[test]
fn a_connection_that_is_over_before_its_announcement_is_hashed() {
    let mut bench = Bench::new(hashing());
    let (mut control, mut data) = quick(&mut bench);
    bench.send(&mut data, false, ACK, b"hello");
    bench.close(&mut data);
    announce(&mut bench, &mut control);
    bench.say(&mut control, &["226 done"]);
    assert_eq!(file(&bench.finish()).sha256.as_deref(), Some(HELLO));
}

#[test]
fn what_nobody_announces_is_held_for_ten_seconds() {
    let mut bench = Bench::new(hashing());
    let (_control, mut data) = quick(&mut bench);
    bench.send(&mut data, false, ACK, b"hello");
    assert!(bench.engine.counters().tables["early_bytes"].used >= 5);
    bench.now += 10_000_000_000;
    let at = bench.at();
    bench.engine.handle_timeout(at);
    assert_eq!(bench.engine.counters().tables["early_bytes"].used, 0);
}

#[test]
fn strangers_bytes_are_not_held() {
    let mut bench = Bench::new(hashing());
    let _session = quick(&mut bench);
    let mut other = bench.connect(end(7, 40_001), end(2, 5_000));
    bench.send(&mut other, false, ACK, b"hello");
    assert_eq!(bench.engine.counters().tables["early_bytes"].used, 0);
}

#[test]
fn a_connection_that_is_too_quick_by_far_is_incomplete_and_counted() {
    let limits = Limits { early_bytes: 1_000, ..Limits::default() };
    let mut bench = Bench::new(EngineConfig { limits, ..hashing() });
    let (mut control, mut data) = quick(&mut bench);
    bench.send(&mut data, false, ACK, &[7; 990]);
    bench.send(&mut data, false, ACK, &[7; 990]);
    announce(&mut bench, &mut control);
    bench.close(&mut data);
    bench.say(&mut control, &["226 done"]);
    let file = file(&bench.finish());
    assert_eq!((file.sha256, file.complete, file.reason), (None, false, Some(FileReason::Start)));
    let counters = bench.engine.counters();
    assert_eq!((counters.lost["early_bytes_full"], counters.tables["early_bytes"].used), (1, 0));
    let unwanted =
        SelectorUpdate::Adopt { initiator: end(1, 40_001), listener: end(2, 5_000), payload: false };
    assert!(bench.updates().contains(&unwanted));
}

#[test]
fn after_a_hole_no_more_bytes_are_asked_for() {
    let mut bench = Bench::new(hashing());
    let (mut control, mut data) = quick(&mut bench);
    announce(&mut bench, &mut control);
    bench.send(&mut data, false, ACK, b"hello");
    data.seq[1] += 10;
    bench.send(&mut data, false, ACK, b"there");
    bench.updates();
    bench.now += 60_000_000_000;
    bench.send(&mut data, false, ACK, b"again");
    let unwanted =
        SelectorUpdate::Adopt { initiator: end(1, 40_001), listener: end(2, 5_000), payload: false };
    assert_eq!(bench.updates().first(), Some(&unwanted));
    bench.close(&mut data);
    bench.say(&mut control, &["226 done"]);
    let file = file(&bench.finish());
    assert_eq!((file.sha256, file.size, file.reason), (None, 5, Some(FileReason::Gap)));
    assert_eq!(file.range, Some(FileRange { from: 0, to: 5 }));
    assert_eq!(bench.engine.counters().tables["reorder_bytes"].used, 0);
}

#[test]
fn holes_of_many_connections_are_held_under_one_cap() {
    let limits = Limits { reorder_bytes: 100_000, ..Limits::default() };
    let mut bench = Bench::new(EngineConfig { limits, ..hashing() });
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello"]);
    for port in 5_000..5_020 {
        let (high, low) = (port / 256, port % 256);
        bench.say(&mut control, &["PASV", &format!("227 x (192,0,2,2,{high},{low})"), "RETR a", "150 go"]);
        let mut data = bench.connect(end(1, port), end(2, port));
        data.seq[1] += 10;
        for _ in 0..10 {
            bench.send(&mut data, false, ACK, &[7; 1_000]);
        }
    }
    let counters = bench.engine.counters();
    let held = counters.tables["reorder_bytes"].used;
    assert!((50_000..=100_000).contains(&held), "{held}");
    assert!(counters.lost["reorder_bytes_full"] > 0);
}

#[test]
fn holes_in_both_directions_have_one_cap() {
    for cap in [5_000, 20_000, 100_000] {
        let limits = Limits { reorder_bytes: cap, ..Limits::default() };
        let mut bench = Bench::new(EngineConfig { limits, ..hashing() });
        let mut control = bench.connect(end(1, 40_000), end(2, 21));
        bench.say(&mut control, &["220 hello"]);
        let mut talks = Vec::new();
        for port in 5_000..5_010 {
            let (high, low) = (port / 256, port % 256);
            bench
                .say(&mut control, &["PASV", &format!("227 x (192,0,2,2,{high},{low})"), "RETR a", "150 go"]);
            talks.push(bench.connect(end(1, port), end(2, port)));
        }
        for round in 0..300_usize {
            for talk in &mut talks {
                for from_client in [false, true] {
                    if round == 0 {
                        let seq = &mut talk.seq[usize::from(!from_client)];
                        *seq = seq.wrapping_add(10);
                    }
                    bench.send(talk, from_client, ACK, &[7; 100]);
                }
                let held = bench.engine.counters().tables["reorder_bytes"].used;
                // Each may hold its bookkeeping of holes.
                assert!(held <= cap as u64 + 10 * 1_024, "{held} of {cap} after {round} rounds");
            }
        }
    }
}

#[test]
fn a_full_pool_of_files_leaves_control_connections_alone() {
    let limits = Limits { reorder_bytes: 0, ..Limits::default() };
    let mut bench = Bench::new(EngineConfig { limits, ..hashing() });
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello"]);
    // Two commands in the wrong order.
    let first = control.seq[0];
    control.seq[0] = first.wrapping_add(6);
    bench.say(&mut control, &["SYST"]);
    control.seq[0] = first;
    bench.say(&mut control, &["NOOP"]);
    let events = bench.events();
    let verbs = events.iter().filter_map(|event| match &event.kind {
        EventKind::Command(command) => Some(command.command.verb.as_str()),
        _ => None,
    });
    assert_eq!(verbs.collect::<Vec<_>>(), ["NOOP", "SYST"]);
}

#[test]
fn under_tls_nothing_is_hashed() {
    let mut bench = Bench::new(hashing());
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello", "AUTH TLS", "234 go"]);
    bench.send(&mut control, true, ACK, &[22, 3, 1, 0, 2, 9, 9]);
    bench.send(&mut control, false, ACK, &[22, 3, 3, 0, 2, 9, 9]);
    let mut data = bench.connect(end(1, 40_001), end(2, 5_000));
    bench.send(&mut data, true, ACK, &[22, 3, 1, 0, 2, 9, 9]);
    bench.close(&mut data);
    bench.send(&mut control, false, ACK, &[23, 3, 3, 0, 2, 9, 9]);
    assert_eq!(transfers(&bench.finish())[0].file, None);
}

/// The next step of one of a few data connections, or of the session.
#[derive(Clone, Debug)]
enum Step {
    Announce(u16),
    Connect(u16),
    Bytes { port: u16, from_client: bool, len: usize, hole: bool },
    Close(u16),
    Reset(u16),
    Wait(i64),
    Protect,
}

fn step() -> impl Strategy<Value = Step> {
    let port = 5_000..5_004_u16;
    prop_oneof![
        3 => port.clone().prop_map(Step::Announce),
        3 => port.clone().prop_map(Step::Connect),
        6 => (port.clone(), any::<bool>(), 1..3_000_usize, proptest::bool::weighted(0.1))
            .prop_map(|(port, from_client, len, hole)| Step::Bytes { port, from_client, len, hole }),
        2 => port.clone().prop_map(Step::Close),
        1 => port.prop_map(Step::Reset),
        1 => (0..90_i64).prop_map(Step::Wait),
        1 => Just(Step::Protect),
    ]
}

proptest! {
    /// Whatever becomes of connections: a file that is begun is closed or discarded, once, and its name is its content's hash.
    #[test]
    fn every_file_ends_once_under_its_hash(steps in prop::collection::vec(step(), 1..60)) {
        let limits = Limits { early_bytes: 4_000, reorder_bytes: 6_000, ..Limits::default() };
        let config = EngineConfig { files: FilesMode::Extract, file_bytes_max: 5_000, limits, ..hashing() };
        let mut bench = Bench::new(config);
        let mut control = bench.connect(end(1, 40_000), end(2, 21));
        bench.say(&mut control, &["220 hello"]);
        let mut talks: BTreeMap<u16, Talk> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Announce(port) => {
                    let (high, low) = (port / 256, port % 256);
                    let reply = format!("227 x (192,0,2,2,{high},{low})");
                    bench.say(&mut control, &["PASV", &reply, "RETR a", "150 go", "226 done"]);
                }
                Step::Connect(port) => {
                    talks.insert(port, bench.connect(end(1, port), end(2, port)));
                }
                Step::Bytes { port, from_client, len, hole } => {
                    let Some(talk) = talks.get_mut(&port) else { continue };
                    if hole {
                        let seq = &mut talk.seq[usize::from(!from_client)];
                        *seq = seq.wrapping_add(7);
                    }
                    bench.send(talk, from_client, ACK, &vec![port as u8; len]);
                }
                Step::Close(port) => {
                    if let Some(mut talk) = talks.remove(&port) {
                        bench.close(&mut talk);
                    }
                }
                Step::Reset(port) => {
                    if let Some(mut talk) = talks.remove(&port) {
                        bench.send(&mut talk, true, TcpFlags::RST, b"");
                    }
                }
                Step::Wait(seconds) => bench.now += seconds * 1_000_000_000,
                Step::Protect => bench.say(&mut control, &["AUTH TLS", "234 go"]),
            }
        }
        bench.finish();
        let counters = bench.engine.counters();
        prop_assert_eq!((counters.tables["early_bytes"].used, counters.tables["reorder_bytes"].used), (0, 0));
        let mut open: BTreeMap<FileId, Vec<u8>> = BTreeMap::new();
        let mut over = BTreeSet::new();
        for piece in bench.pieces() {
            match piece {
                FilePiece::Bytes { id, bytes } => {
                    prop_assert!(!bytes.is_empty() && !over.contains(&id));
                    open.entry(id).or_default().extend(bytes);
                }
                FilePiece::Close { id, sha256 } => {
                    let content = open.remove(&id).unwrap();
                    prop_assert!(content.len() <= 5_000 && over.insert(id));
                    prop_assert_eq!(<[u8; 32]>::from(Sha256::digest(&content)), sha256);
                }
                FilePiece::Discard { id } => prop_assert!(open.remove(&id).is_some() && over.insert(id)),
            }
        }
        prop_assert!(open.is_empty(), "{open:?}");
    }
}
