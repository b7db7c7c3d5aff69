//! Dialogues with real servers as captures: their frames, as another network or a worse monitor would have recorded them, read from a file.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Result, ensure};

use super::dice::Dice;
use super::judge;
use super::record::Record;
use crate::agent::binary;
use crate::bed::Scratch;
use crate::compare::without_times;
use crate::doubt::{Facts, Told, Transfers, misled};
use crate::events::{Event, Events};
use crate::machine::target;
use crate::process::run_ok;
use crate::script::capture::{Frame, Style};
use crate::script::mangle::{are_plain, cut, double, lose};

/// The fields that every event has beside its own.
const ENVELOPE: [&str; 9] =
    ["ts", "seq", "run", "session", "sensor", "iface", "community_id", "packet", "vlan"];
/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;

/// The events that ftpmon has of these frames.
fn read(frames: &[Frame]) -> Result<Events> {
    let scratch = Scratch::new("recapture")?;
    let capture = scratch.write("dialogues.pcap", style().write(frames))?;
    let arguments = ["read", "--files", "hash", "--secrets", "show"];
    let lines = run_ok(Command::new(binary()?).args(arguments).arg(capture))?;
    Ok(Events::from_lines(&lines.lines().map(str::to_owned).collect::<Vec<_>>()))
}

/// Events by the client of their session.
fn by_client(events: &Events) -> BTreeMap<String, Vec<Event>> {
    let mut sessions: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in events.0.iter().filter(|event| event.has("/session") && event.name() != "alert") {
        sessions.entry(event.endpoint("/client")).or_default().push(event.clone());
    }
    sessions
}

/// The events' own fields, session by session.
fn told(events: &Events) -> Vec<Told> {
    let sessions = by_client(events).into_iter();
    let own = |client: &str, event: Event| {
        let name = event.name().to_owned();
        let mut fields = event.0;
        if let Some(fields) = fields.as_object_mut() {
            fields.retain(|name, _| !ENVELOPE.contains(&name.as_str()));
        }
        without_times(&mut fields);
        (client.to_owned(), name, fields)
    };
    sessions.flat_map(|(client, events)| events.into_iter().map(move |event| own(&client, event))).collect()
}

/// The knowledge of the clients against the events of a capture.
fn judged(records: &[Record], events: &Events) -> Vec<String> {
    let mut sessions: HashMap<SocketAddr, Vec<Event>> = by_client(events)
        .into_iter()
        .filter_map(|(client, events)| Some((client.parse().ok()?, events)))
        .collect();
    let known = records.iter().filter(|record| !record.unsure);
    known
        .flat_map(|record| {
            let events = Events(sessions.remove(&record.client).unwrap_or_default());
            let found = judge::differences(record, &events);
            found.into_iter().map(|what| format!("{}: {what}", record.client)).collect::<Vec<_>>()
        })
        .collect()
}

/// The differences that these frames show: of the whole capture and what the clients know; of the capture cut into other segments and
/// doubled, and the whole one. `seeds`: how many of each. `lossy`: also, with frames missing, of what is said and what may be said, and with
/// frames of control connections alone missing, where no transfer may become another one.
///
/// # Errors
/// The frames cannot be cut, or ftpmon cannot read them.
pub fn differences(
    records: &[Record],
    frames: &[Frame],
    seeds: std::ops::Range<u64>,
    lossy: bool,
) -> Result<Vec<String>> {
    let frames: Vec<Frame> =
        frames.iter().filter(|frame| are_plain(std::slice::from_ref(frame))).cloned().collect();
    ensure!(frames.len() > 100, "{} frames that can be cut", frames.len());
    let whole = read(&frames)?;
    let mut found = judged(records, &whole);
    let whole = told(&whole);
    let facts = Facts::of(&whole);
    for seed in seeds {
        let mut dice = Dice::new(seed);
        let mangled = told(&read(&double(&cut(&frames, &mut dice), &mut dice))?);
        if let Some((one, other)) = whole.iter().zip(&mangled).find(|(one, other)| one != other) {
            found.push(format!("cut and doubled by {seed}: {one:?} became {other:?}"));
        } else if whole.len() != mangled.len() {
            found.push(format!("cut and doubled by {seed}: {} events of {}", mangled.len(), whole.len()));
        }
        if !lossy {
            continue;
        }
        let percent = 1 + dice.below(5);
        let frames_left = lose(&cut(&frames, &mut dice), percent, &mut dice);
        let left = told(&read(&frames_left)?);
        let mut wrong = Facts::of(&left).wrong(&facts);
        let before = misled(&whole);
        wrong.extend(misled(&left).into_iter().filter(|it| !before.contains(it)));
        keep_if(!wrong.is_empty(), &format!("lost-{seed}"), &frames_left)?;
        found.extend(wrong.into_iter().map(|what| format!("{percent} of a hundred lost by {seed}: {what}")));
        let frames_left = without_some_control(&cut(&frames, &mut dice), percent, &mut dice);
        let wrong = Transfers::of(&told(&read(&frames_left)?)).wrong(&Transfers::of(&whole));
        keep_if(!wrong.is_empty(), &format!("control-lost-{seed}"), &frames_left)?;
        found.extend(wrong.into_iter().map(|what| format!("control frames lost by {seed}: {what}")));
    }
    Ok(found)
}

/// Writes a capture whose events differ into the target folder.
fn keep_if(differs: bool, name: &str, frames: &[Frame]) -> Result<()> {
    if differs {
        let folder = target()?.join("dialogues");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("{name}.pcap")), style().write(frames))?;
    }
    Ok(())
}

fn style() -> Style {
    Style { nanoseconds: true, link: ETHERNET, ..Style::default() }
}

/// Without so many of a hundred frames of the control connections.
fn without_some_control(frames: &[Frame], percent: usize, dice: &mut Dice) -> Vec<Frame> {
    let is_control = |frame: &Frame| {
        crate::script::mangle::carried(frame).is_some_and(|it| it.ports.0 == 21 || it.ports.1 == 21)
    };
    frames.iter().filter(|frame| !is_control(frame) || !dice.percent(percent)).cloned().collect()
}
