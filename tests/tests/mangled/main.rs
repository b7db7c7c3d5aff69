//! Every dialogue of the golden folders as another network, or a worse monitor, would have captured it: cut into other segments and
//! doubled it gives the same events; where frames are missing it gives gaps and doubt, and nothing that was not there.
//!
//! `FTPMON_MANGLE_SEEDS` says how many seeds a dialogue has.

#![allow(clippy::expect_used, reason = "a test panics where it fails")]

mod besides;
#[path = "../reading/mod.rs"]
mod reading;

use std::env;

use ftpmon_core::engine::EngineConfig;
use ftpmon_tests::compare::without_times;
use ftpmon_tests::dialogues::dice::Dice;
use ftpmon_tests::doubt::{Facts, Told, Transfers, misled};
use ftpmon_tests::golden::Golden;
use ftpmon_tests::script;
use ftpmon_tests::script::capture::Frame;
use ftpmon_tests::script::mangle::{are_plain, carried, cut, double, lose};
use reading::Reading;

/// Dialogues that are about segments themselves: cut or doubled they are others. Of one end nothing but its ACKs is seen, which say how much is
/// missing; a segment comes again with other bytes; an RST is a few bytes off.
const ABOUT_SEGMENTS: [&str; 4] =
    ["one-sided-commands", "one-sided-replies", "overlap-conflict", "reset-inexact"];
/// Dialogues in which the order of two connections' events is open: behind a gap, and where a deadline falls on the time of a frame, which is some
/// nanoseconds off where frames are cut.
const ORDER_IS_OPEN: [&str; 4] =
    ["lost-endpoints", "paths-behind-a-gap", "lost-transfer-of-several", "endpoint-kept-by-the-server"];
/// Dialogues of which more than lines is missing where frames are: the command that held a secret which a reply repeats, and the beginning
/// that shows that the port is IRC's.
const ABOUT_BEGINNINGS: [&str; 2] = ["secrets-elsewhere", "not-ftp-irc"];
/// Dialogues in which it is not known from the script which commands wait: a reply comes twice, frames are cut short.
const ABOUT_REPLIES: [&str; 2] = ["completed-twice", "replies-cut-short"];
/// Plain dialogues at least: else the folders were not found.
const DIALOGUES_MIN: usize = 100;

fn seeds() -> u64 {
    env::var("FTPMON_MANGLE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(2)
}

/// The golden dialogues whose frames can be cut, by name.
fn dialogues() -> Vec<(String, Vec<Frame>)> {
    let goldens = Golden::all().expect("the golden folders");
    let frames = goldens.into_iter().map(|golden| {
        let frames = golden.frames().expect("a script's frames");
        (golden.name, frames)
    });
    let plain: Vec<_> = frames
        .filter(|(name, frames)| are_plain(frames) && !ABOUT_SEGMENTS.contains(&name.as_str()))
        .collect();
    assert!(plain.len() >= DIALOGUES_MIN, "{} dialogues", plain.len());
    plain
}

/// Every event, as its session, its name and its fields.
fn events(frames: &[Frame]) -> Vec<Told> {
    let told = Reading::of(frames, EngineConfig::default()).events;
    told.into_iter()
        .map(|event| {
            let mut fields = serde_json::to_value(&event.kind).expect("an event serializes");
            without_times(&mut fields);
            let client = event.session.as_ref().map_or(String::new(), |session| session.client.to_string());
            (client, event.kind.name().to_owned(), fields)
        })
        .collect()
}

#[test]
fn cut_and_doubled_dialogues_give_the_same_events() {
    let mut wrong = Vec::new();
    for (name, frames) in dialogues() {
        let in_order = |mut told: Vec<Told>| {
            if ORDER_IS_OPEN.contains(&name.as_str()) {
                told.sort_by_key(|event| format!("{event:?}"));
            }
            told
        };
        let whole = in_order(events(&frames));
        for seed in 0..seeds() {
            let mut dice = Dice::new(seed);
            let mangled = in_order(events(&double(&cut(&frames, &mut dice), &mut dice)));
            if whole != mangled {
                let parting = whole.iter().zip(&mangled).find(|(one, other)| one != other);
                wrong.push(format!("{name}, seed {seed}: {parting:#?}"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Prints every event of the dialogue that `FTPMON_MANGLE_SHOW` names.
fn show(name: &str, seed: u64, told: &[Told]) {
    if env::var("FTPMON_MANGLE_SHOW").is_ok_and(|shown| name == shown) {
        told.iter().for_each(|(client, name, fields)| eprintln!("{seed} {client} {name} {fields}"));
    }
}

#[test]
fn where_frames_are_missing_nothing_is_invented() {
    let mut wrong = Vec::new();
    let plain = dialogues().into_iter().filter(|(name, _)| !ABOUT_BEGINNINGS.contains(&name.as_str()));
    for (name, frames) in plain {
        let told = events(&frames);
        let (whole, misled_before) = (Facts::of(&told), misled(&told));
        for seed in 0..seeds() {
            let mut dice = Dice::new(1000 + seed);
            let percent = 1 + dice.below(12);
            let frames = lose(&cut(&frames, &mut dice), percent, &mut dice);
            let told = events(&frames);
            let mut found = Facts::of(&told).wrong(&whole);
            found.extend(misled(&told).into_iter().filter(|it| !misled_before.contains(it)));
            if !found.is_empty() {
                show(&name, seed, &told);
                wrong.push(format!("{name}, seed {seed}: {found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// The control connections of a dialogue, as the ports of their two ends.
fn control_ports(frames: &[Frame]) -> Vec<(u16, u16)> {
    let told = Reading::of(frames, EngineConfig::default()).events;
    let sessions = told.iter().filter_map(|event| event.session.as_ref());
    sessions.map(|session| (session.client.port, session.server.port)).collect()
}

#[test]
fn behind_lost_lines_no_transfer_is_another() {
    let mut wrong = Vec::new();
    for (name, frames) in dialogues() {
        let whole = Transfers::of(&events(&frames));
        let control = control_ports(&frames);
        let is_control = |frame: &Frame| {
            carried(frame).is_some_and(|it| {
                control
                    .iter()
                    .any(|&(client, server)| it.ports == (client, server) || it.ports == (server, client))
            })
        };
        for seed in 0..seeds() {
            let mut dice = Dice::new(2000 + seed);
            let percent = 1 + dice.below(12);
            let mangled: Vec<Frame> = cut(&frames, &mut dice)
                .into_iter()
                .filter(|frame| !is_control(frame) || !dice.percent(percent))
                .collect();
            let told = events(&mangled);
            let found = Transfers::of(&told).wrong(&whole);
            if !found.is_empty() {
                show(&name, seed, &told);
                wrong.push(format!("{name}, seed {seed}: {found:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_said_besides_changes_no_transfer() {
    let mut wrong = Vec::new();
    let mut richer = 0;
    let goldens = Golden::all().expect("the golden folders");
    for golden in goldens.into_iter().filter(|it| !ABOUT_REPLIES.contains(&it.name.as_str())) {
        let script = golden.script().expect("a script");
        let frames = golden.frames().expect("a script's frames");
        let whole = Transfers::of(&events(&frames));
        for seed in 0..seeds() {
            let Some(more) = besides::richer(&script, &mut Dice::new(3000 + seed)) else { continue };
            richer += 1;
            let told = events(&script::frames(&more).expect("a richer script"));
            let found = Transfers::of(&told).differences(&whole);
            if !found.is_empty() {
                show(&golden.name, seed, &told);
                wrong.push(format!("{}, seed {seed}: {found:#?}", golden.name));
            }
        }
    }
    assert!(richer >= DIALOGUES_MIN, "{richer} richer dialogues");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
