//! Every folder of `tests/detections`: a test `DETECTOR` renders the folder's four scripts as captures and compares the alerts that
//! `ftpmon read` gives, with this detector alone, with the folder's `alerts.txt`. `DETECTOR::cap` repeats the events
//! of the script that alerts with made-up hosts until its tables are full, and wants the alert once more. `DETECTOR::formats` compares
//! the alerts in all formats, `every-detector` proves that none is left out, and `DETECTOR::page` compares its page in docs/detections.md. No root is needed.
//!
//! `FTPMON_BLESS=1`, which `cargo xtask bless` sets, writes `alerts.txt` instead; what a kind has to give is checked all the same.

mod formats;
mod pages;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use ftpmon_core::detect::{ALL, Detectors, Entry, find};
use ftpmon_event::addr::Endpoint;
use ftpmon_event::link::InterfaceId;
use ftpmon_event::{AlertDetail, Event, EventKind, EventLine, SessionIdentity};
use ftpmon_tests::bed::Scratch;
use ftpmon_tests::detections::{Case, Detection, Kind};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> Result<ExitCode, Failed> {
    let arguments = Arguments::from_args();
    let scratch = Arc::new(Scratch::new("detections")?);
    let bless = std::env::var_os("FTPMON_BLESS").is_some_and(|value| value != "0");
    let detections = Detection::all()?;
    let names: Vec<String> = detections.iter().map(|detection| detection.id.clone()).collect();
    let mut trials: Vec<Trial> = detections
        .into_iter()
        .map(|detection| {
            let scratch = Arc::clone(&scratch);
            Trial::test(detection.id.clone(), move || check(&detection, scratch.path(), bless))
        })
        .collect();
    trials.extend(Detection::all()?.into_iter().map(|detection| {
        let scratch = Arc::clone(&scratch);
        Trial::test(format!("{}::cap", detection.id), move || reach_the_cap(&detection, scratch.path()))
    }));
    trials.extend(Detection::all()?.into_iter().map(|detection| {
        let scratch = Arc::clone(&scratch);
        Trial::test(format!("{}::formats", detection.id), move || {
            let cases = detection.cases().map_err(|error| format!("{error:#}"))?;
            let case = cases.iter().find(|case| case.kind == Kind::Fires).ok_or("no case")?;
            formats::check(find(&detection.id).ok_or("no such detector")?, case, scratch.path())
        })
    }));
    if bless {
        let conclusion = libtest_mimic::run(&arguments, trials);
        write_pages()?;
        return Ok(conclusion.exit_code());
    }
    trials.extend(Detection::all()?.into_iter().map(|detection| {
        Trial::test(format!("{}::page", detection.id), move || {
            pages::check(find(&detection.id).ok_or("no such detector")?, &detection)
        })
    }));
    trials.push(Trial::test("every-detector", move || each_has_a_folder(&names)));
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

/// The pages of all detectors, in the order of the list.
fn write_pages() -> Result<(), Failed> {
    let detections = Detection::all()?;
    let of = |entry: &Entry| detections.iter().find(|detection| detection.id == entry.id());
    let all: Vec<_> = ALL.iter().filter_map(|entry| Some((*entry, of(entry)?))).collect();
    pages::bless(&all)
}

fn each_has_a_folder(names: &[String]) -> Result<(), Failed> {
    let mut ids: Vec<&str> = ALL.iter().map(|entry| entry.id()).collect();
    ids.sort_unstable();
    if names.iter().map(String::as_str).ne(ids.iter().copied()) {
        return Err(format!("tests/detections has {names:?}, and the detectors are {ids:?}").into());
    }
    Ok(())
}

/// The events that `ftpmon read` writes of a script's capture, with one detector.
fn read(id: &str, case: &Case, scratch: &Path) -> Result<Vec<Event>, Failed> {
    let name = case.kind.name();
    let capture = scratch.join(format!("{id}-{name}-{:?}.pcap", std::thread::current().id()));
    let bytes = case.capture().map_err(|error| format!("{name}: {error:#}"))?;
    std::fs::write(&capture, bytes)?;
    let output = Command::new(env!("CARGO_BIN_EXE_ftpmon"))
        .args(["read", "--detect", &format!("none,{id}")])
        .args(&case.options)
        .arg(&capture)
        .output()?;
    std::fs::remove_file(&capture)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let line = |line: &str| Ok(serde_json::from_str::<EventLine>(line)?.event);
    String::from_utf8(output.stdout)?.lines().map(line).collect()
}

/// The alerts among events, a line each.
fn alerts<'e>(
    id: &str,
    case: &Case,
    events: impl IntoIterator<Item = &'e Event>,
) -> Result<Vec<String>, Failed> {
    let mut found = Vec::new();
    for event in events {
        let EventKind::Alert(alert) = &event.kind else { continue };
        let AlertDetail { id: of, severity, technique, message, evidence, suppressed, .. } = &alert.alert;
        if of != id {
            return Err(format!("an alert of another detector: {alert:?}").into());
        }
        let counts = serde_json::to_string(&evidence.counts)?;
        let technique = technique.as_deref().unwrap_or("-");
        let suppressed = if *suppressed > 0 { format!("suppressed {suppressed} ") } else { String::new() };
        let kind = case.kind.name();
        found.push(format!("{kind} severity {severity} {technique} {counts} {suppressed}{message}"));
    }
    Ok(found)
}

/// The detector at work, with the threshold of the list.
fn start(id: &str) -> Result<Detectors, Failed> {
    let entry = find(id).ok_or("no such detector")?;
    Ok(Detectors::start([(entry, entry.threshold)], &[]))
}

/// The alerts of a detector about events.
fn told(detectors: &mut Detectors, events: &[Event]) -> Vec<Event> {
    let mut alerts = Vec::new();
    for event in events {
        detectors.event(event);
        alerts.extend(std::iter::from_fn(|| detectors.pop()));
    }
    alerts
}

fn check(detection: &Detection, scratch: &Path, bless: bool) -> Result<(), Failed> {
    let id = detection.id.as_str();
    let mut all = Vec::new();
    for case in detection.cases().map_err(|error| format!("{error:#}"))? {
        let events = read(id, &case, scratch)?;
        let found = alerts(id, &case, &events)?;
        let has_to_alert = match case.kind {
            Kind::Fires => true,
            Kind::Quiet | Kind::Below => false,
            Kind::Evasion => !case.is_unseen,
        };
        if found.is_empty() == has_to_alert {
            return Err(
                format!("{} ({}): {} alerts: {found:?}", case.kind.name(), case.about, found.len()).into()
            );
        }
        let has_own_threshold = case.options.iter().any(|option| option == "--detect");
        if !has_own_threshold {
            let again = alerts(id, &case, &told(&mut start(id)?, &events))?;
            if again != found {
                return Err(
                    format!("the stored events give {again:?}, and the capture gave {found:?}").into()
                );
            }
        }
        all.extend(found);
    }
    let text: String = all.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    if bless {
        return Ok(detection.bless(&text)?);
    }
    let expected = detection.expected()?;
    if text != expected {
        return Err(format!(
            "expected:\n{expected}found:\n{text}`cargo xtask bless` takes the output as right"
        )
        .into());
    }
    Ok(())
}

/// Most made-up hosts: more than any table has room for.
const HOSTS_MAX: u32 = 200_000;
/// Events of each, enough for an entry.
const EVENTS: usize = 8;

/// The same event of other hosts: clients inside, servers outside.
fn of_others(event: &Event, number: u32) -> Event {
    let Some(session) = event.session.as_deref() else { return event.clone() };
    let other = |end: Endpoint, network: u32| {
        let IpAddr::V4(ip) = end.ip else { return end };
        Endpoint::new(Ipv4Addr::from(network + number * 16 + (u32::from(ip) & 15)).into(), end.port)
    };
    let (client, server) = (other(session.client, 0x0a00_0000), other(session.server, 0x0b00_0000));
    let identity = SessionIdentity::new(client, server, session.first, InterfaceId(0));
    Event { session: Some(Arc::new(identity)), ..event.clone() }
}

/// At the cap entries give way and are counted, and the next attack is found all the same.
fn reach_the_cap(detection: &Detection, scratch: &Path) -> Result<(), Failed> {
    let id = detection.id.as_str();
    let entry = find(id).ok_or("no such detector")?;
    let cases = detection.cases().map_err(|error| format!("{error:#}"))?;
    let case = cases.iter().find(|case| case.kind == Kind::Fires).ok_or("no case")?;
    let events = read(id, case, scratch)?;
    let mut wanted: Vec<_> = events.iter().filter(|event| (entry.wants)(event)).take(EVENTS).collect();
    // The last one may be what ends the matter.
    wanted.truncate(wanted.len().saturating_sub(1).max(1));
    let mut detectors = start(id)?;
    for number in 0..HOSTS_MAX {
        for event in &wanted {
            detectors.event(&of_others(event, number));
            while detectors.pop().is_some() {}
        }
        if detectors.fill().forgotten > 0 {
            break;
        }
    }
    let fill = detectors.fill();
    if fill.forgotten == 0 || fill.used > fill.cap {
        return Err(format!("{HOSTS_MAX} hosts, and {fill:?}").into());
    }
    let has_own_threshold = case.options.iter().any(|option| option == "--detect");
    if !has_own_threshold && told(&mut detectors, &events).is_empty() {
        return Err(format!("no alert about what comes at the cap: {fill:?}").into());
    }
    Ok(())
}
