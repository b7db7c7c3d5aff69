//! The cost of a packet in the kernel programs, by `BPF_PROG_TEST_RUN`.

use std::time::Instant;

use anyhow::{Context as _, Result};
use ftpmon_common::{Expected, PortMark};
use ftpmon_tests::kernel::bench::boot_seconds;
use ftpmon_tests::kernel::frame::{ACK, SYN};
use ftpmon_tests::kernel::{Bench, Frame, Hooked, Job, Reference, Settings};
use ftpmon_tests::net::Program;

use super::rounds::{alternate, ratio};
use super::setup::Setup;
use super::table::{Cell, Goal, Spread, Table, towards};

const CLIENT: (&str, u16) = ("192.168.1.106", 57_658);
const SERVER: (&str, u16) = ("192.168.1.109", 21);
/// Room in the ring, bytes.
const RING: u32 = 1 << 24;

/// The program that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    Empty,
    C(Job),
    Ftpmon(Hooked),
}

/// A program on a packet.
#[derive(Debug)]
struct Case {
    what: &'static str,
    runs: Runs,
    frame: Vec<u8>,
    /// The case that it is compared with, and the ratio that is to be reached.
    against: Option<(&'static str, Option<Goal>)>,
    /// The time that is to be reached, ns.
    goal: Option<Goal>,
}

/// Everything that can run a packet.
struct Bed {
    ftpmon: Bench,
    /// None if there is no clang.
    c: Option<Reference>,
    xdp: Program,
    tc: Program,
}

/// Measures.
pub(crate) fn run(setup: &Setup) -> Result<Vec<Table>> {
    let settings = Settings { ring: RING, programs: &Hooked::ALL, ..Settings::default() };
    let ftpmon = Bench::load(settings)?;
    let loaded = Reference::load(setup.folder());
    let missing = loaded.as_ref().err().map(|error| format!("{error:#}"));
    let mut bed = Bed { ftpmon, c: loaded.ok(), xdp: Program::empty_xdp()?, tc: Program::empty_tc()? };
    let mut tables = Vec::new();
    for (hook, hooked) in [("XDP", Hooked::Xdp), ("TC", Hooked::TcEgress)] {
        let mut table = times(setup, &mut bed, hook, hooked)?;
        if let Some(missing) = &missing {
            table.note(format!("No C program to compare with: {missing}."));
        }
        tables.push(table);
    }
    let mut verified = Table::new("Instructions that the verifier walks", &[("instructions", 0)]);
    for hooked in Hooked::ALL {
        let count = bed.ftpmon.verified_instructions(hooked)?;
        verified.row(hooked.name(), [Cell::Number(f64::from(count))]);
    }
    tables.push(verified);
    Ok(tables)
}

fn times(setup: &Setup, bed: &mut Bed, hook: &str, hooked: Hooked) -> Result<Table> {
    let listener = ("192.168.1.109", if hooked == Hooked::Xdp { 26_758 } else { 26_759 });
    bed.ftpmon.forget()?;
    open(bed, hooked, listener)?;
    let cases = cases(hooked, listener);
    let rounds = setup.rounds(25);
    let results = alternate(&cases, rounds, true, |case| once(bed, hooked, case))?;
    let results: Vec<Option<Vec<f64>>> =
        results.into_iter().map(|times| times.into_iter().collect()).collect();
    let title = format!("{hook}: nanoseconds a packet, median of {rounds} rounds");
    let mut table = Table::new(title, &[("ns", 1), ("ratio", 2), ("to", 0)]);
    for (case, times) in cases.iter().zip(&results) {
        let Some(times) = times else {
            table.row(case.what, [Cell::Text("not installed: clang".to_owned())]);
            continue;
        };
        let spread = Spread::of(times.iter().copied());
        let time = match case.goal {
            Some(goal) => Cell::Goal(spread.median, goal),
            None => Cell::Spread(spread),
        };
        let mut cells = vec![time];
        if let Some((other, goal)) = case.against {
            let place = cases.iter().position(|case| case.what == other);
            if let Some(base) = place.and_then(|place| results.get(place)?.as_ref()) {
                cells.push(towards(ratio(times.iter().copied(), base.iter().copied()), goal));
                cells.push(Cell::Text(other.to_owned()));
            }
        }
        table.row(case.what, cells);
    }
    bed.ftpmon.mark(listener.1, PortMark::default())?;
    Ok(table)
}

/// Opens a data connection that the programs follow.
fn open(bed: &mut Bed, hooked: Hooked, listener: (&str, u16)) -> Result<()> {
    let syn = Frame::new(CLIENT, listener, SYN, 1, 0);
    bed.ftpmon.expect(
        syn.destination(),
        Expected::new(syn.source().address, false, boot_seconds()? + 3_600, false),
    )?;
    for frame in [syn, Frame::new(listener, CLIENT, SYN | ACK, 0, 2), Frame::new(CLIENT, listener, ACK, 2, 1)]
    {
        bed.ftpmon.run(hooked, &frame.bytes())?;
    }
    Ok(())
}

const EMPTY: &str = "empty program";
const C_SELECT: &str = "C program, two array look-ups";
const C_COUNT: &str = "C program, the same look-ups";
const C_RING: &str = "C program, command into the ring";

fn cases(hooked: Hooked, listener: (&str, u16)) -> Vec<Case> {
    let is_xdp = hooked == Hooked::Xdp;
    let [select, count, ring] = if is_xdp {
        [Job::XdpSelect, Job::XdpCount, Job::XdpRing]
    } else {
        [Job::TcSelect, Job::TcCount, Job::TcRing]
    };
    let web = Frame::new(CLIENT, ("192.168.1.109", 80), ACK, 1, 1).filled(600);
    let web6 = Frame::new(("2001:db8::1", 9), ("2001:db8::2", 80), ACK, 1, 1).filled(600);
    let udp = Frame { protocol: 17, ..web.clone() };
    let mut arp = web.bytes();
    arp.splice(12..14, [0x08, 0x06]);
    let command = Frame::new(CLIENT, SERVER, ACK, 1_000, 1).payload(b"RETR some-file.bin\r\n");
    let case = |what, runs, frame: Vec<u8>, against, goal| Case { what, runs, frame, against, goal };
    let ftpmon =
        |what, frame: &Frame, against| case(what, Runs::Ftpmon(hooked), frame.bytes(), against, None);
    vec![
        case(EMPTY, Runs::Empty, web.bytes(), None, None),
        case(C_SELECT, Runs::C(select), web.bytes(), Some((EMPTY, None)), None),
        case(C_COUNT, Runs::C(count), web.bytes(), Some((EMPTY, None)), None),
        ftpmon("other TCP", &web, Some((C_COUNT, Some(Goal::AtMost(1.1))))),
        ftpmon("other TCP over IPv6", &web6, Some((C_COUNT, Some(Goal::AtMost(1.1))))),
        case("C program, UDP", Runs::C(count), udp.bytes(), Some((EMPTY, None)), None),
        ftpmon("UDP", &udp, Some((EMPTY, Some(Goal::AtMost(1.15))))),
        case("ARP", Runs::Ftpmon(hooked), arp, Some((EMPTY, None)), None),
        ftpmon("other SYN", &Frame::new(("203.0.113.9", 99), ("192.168.1.109", 80), SYN, 1, 1), None),
        case(C_RING, Runs::C(ring), command.bytes(), None, None),
        case(
            "command into the ring",
            Runs::Ftpmon(hooked),
            command.bytes(),
            Some((C_RING, None)),
            Some(Goal::AtMost(180.0)),
        ),
        ftpmon("full segment into the ring", &Frame::new(CLIENT, SERVER, ACK, 1_000, 1).filled(1_460), None),
        ftpmon("bare ACK of a control connection", &Frame::new(CLIENT, SERVER, ACK, 1_000, 1), None),
        ftpmon("data segment", &Frame::new(CLIENT, listener, ACK, 2, 1).filled(1_400), None),
    ]
}

/// The mean of many runs, nanoseconds. The kernel tells whole ones, a tenth of what is measured: at TC the system call that
/// runs them all is timed as well, which costs less than a tenth of one a run; at XDP it waits for milliseconds when they are
/// over. None if there is no such program.
fn once(bed: &mut Bed, hooked: Hooked, case: &Case) -> Result<Option<f64>> {
    // No more runs than the ring has room for.
    let repeat = if case.frame.len() > 1_000 { 5_000 } else { 50_000 };
    bed.ftpmon.records()?;
    if let Some(reference) = &mut bed.c {
        reference.empty_ring();
    }
    let begun = Instant::now();
    let told = match case.runs {
        Runs::Empty if hooked == Hooked::Xdp => bed.xdp.time(&case.frame, repeat)?,
        Runs::Empty => bed.tc.time(&case.frame, repeat)?,
        Runs::C(job) => match &bed.c {
            Some(reference) => reference.time(job, &case.frame, repeat)?,
            None => return Ok(None),
        },
        Runs::Ftpmon(hooked) => bed.ftpmon.time(hooked, &case.frame, repeat).with_context(|| case.what)?,
    };
    let all = begun.elapsed();
    Ok(Some(match hooked {
        Hooked::Xdp => told.as_nanos() as f64,
        _ => all.as_nanos() as f64 / f64::from(repeat),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_compared_with_cases() {
        for hooked in [Hooked::Xdp, Hooked::TcEgress] {
            let cases = cases(hooked, ("192.0.2.1", 30_000));
            for (other, _) in cases.iter().filter_map(|case| case.against) {
                assert!(cases.iter().any(|case| case.what == other), "{other}");
            }
        }
    }
}
