//! At least once: an agent with a spool between sessions that talk without end and a shipper that is killed, hangs and cannot be reached,
//! while the agent itself is killed too.

#![expect(clippy::print_stdout, reason = "the figures are told")]

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::chatter::{Chatter, check};
use ftpmon_tests::events::Events;
use ftpmon_tests::net::{Direct, Namespace, Veth};
use ftpmon_tests::poll;
use ftpmon_tests::process::Running;
use ftpmon_tests::receiver::{Shipped, Shipper};
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(60);
/// Sessions that talk at once: more than 5,000 events a second where the machine has time for it.
const SESSIONS: usize = 8;
/// The shipper's end of its link, and the agent's.
const LINK: &str = "ship0";
const SHIPPER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 78, 0, 9)), 5170);

/// Hosts of sessions, and a shipper on a host and a link of its own.
struct Place {
    net: Direct,
    collector: Namespace,
    scratch: Scratch,
}

impl Place {
    fn new(label: &str) -> Result<Self> {
        let place = Self {
            net: Direct::new(1500)?,
            collector: Namespace::new("collector")?,
            scratch: Scratch::new(label)?,
        };
        let near = Veth { namespace: &place.net.server, name: LINK, addresses: &["10.78.0.2/24"] };
        let far = Veth { namespace: &place.collector, name: LINK, addresses: &["10.78.0.9/24"] };
        near.pair_with(&far, 1500)?;
        Ok(place)
    }

    fn shipper(&self) -> Result<Shipper> {
        Shipper::start(&self.collector, SHIPPER)
    }

    fn spool(&self) -> PathBuf {
        self.scratch.path().join("spool")
    }

    /// An agent that sends to the shipper, with a spool and further options. It watches when the shipper has a new run's first event.
    fn agent(&self, options: &[&str]) -> Result<Running> {
        let mut command = self.net.server.command(&binary()?.to_string_lossy());
        command.args(["run", "--iface", Direct::DEVICE, "--status", "off", "--spool"]).arg(self.spool());
        Running::start(command.args(["--output", &format!("tcp://{SHIPPER}")]).args(options))
    }

    fn talk(&self) -> Result<Chatter> {
        Chatter::start(&self.net, SESSIONS)
    }
}

/// Waits until the shipper has a line, of those from number `from` on, that has the words.
fn shipped(shipper: &Shipper, agent: &mut Running, mut from: usize, words: &str) -> Result<usize> {
    agent.until(words, SOON, || {
        let lines = shipper.from(from);
        let found = lines.iter().position(|(_, line)| line.contains(words));
        let place = found.map(|at| from + at);
        from += lines.len();
        Ok(place)
    })
}

/// A field of a line, without its quotes.
fn field<'a>(line: &'a str, name: &str) -> Result<&'a str> {
    let begin = line.find(&format!("\"{name}\":")).with_context(|| format!("no {name}: {line}"))?;
    let rest = line.get(begin + name.len() + 3..).unwrap_or_default();
    Ok(rest.split([',', '}']).next().unwrap_or_default().trim_matches('"'))
}

/// Events of each run in order, and what came twice.
#[derive(Default)]
struct Received {
    runs: BTreeMap<String, Vec<String>>,
    order: Vec<String>,
    twice: usize,
}

impl Received {
    /// Every line is the next of its run, or one that was there, behind the begin of a connection. `told` are the ranges of `seq` that are missing.
    fn of(lines: Vec<Shipped>, told: &[(u64, u64)]) -> Result<Self> {
        let mut received = Self::default();
        let (mut connection, mut again) = (0, false);
        let mut next: BTreeMap<String, u64> = BTreeMap::new();
        for (number, line) in lines {
            let seq: u64 = field(&line, "seq")?.parse().with_context(|| line.clone())?;
            let run = field(&line, "run")?.to_owned();
            if number != connection {
                (connection, again) = (number, true);
            }
            if !next.contains_key(&run) {
                received.order.push(run.clone());
            }
            let due = next.entry(run.clone()).or_default();
            if seq < *due {
                ensure!(again, "{run} {seq} is there twice in the midst of connection {connection}");
                received.twice += 1;
                continue;
            }
            if let Some((_, last)) = told.iter().find(|(first, _)| first == due) {
                *due = last + 1;
            }
            ensure!(seq == *due, "{seq} comes behind {} of {run}", *due as i64 - 1);
            ensure!(received.order.last() == Some(&run), "{run} goes on behind another");
            (*due, again) = (seq + 1, false);
            received.runs.entry(run).or_default().push(line);
        }
        Ok(received)
    }

    fn count(&self) -> usize {
        self.runs.values().map(Vec::len).sum()
    }
}

/// The times of what happens to the shipper.
struct Times {
    /// The number of kills, and the time between.
    kills: u32,
    every: Duration,
    hangs: Duration,
    link_down: Duration,
}

fn everything_arrives(name: &str, times: &Times) -> Result<()> {
    let place = Place::new(name)?;
    let mut shipper = place.shipper()?;
    let began = Instant::now();
    let mut agent = place.agent(&[])?;
    shipped(&shipper, &mut agent, 0, "\"sensor_start\"")?;
    let chatter = place.talk()?;
    for _ in 0..times.kills {
        sleep(times.every);
        shipper.kill();
        sleep(times.every / 10);
        shipper.restart()?;
    }
    shipper.hang(true);
    sleep(times.hangs);
    shipper.hang(false);
    place.collector.ip(&format!("link set dev {LINK} down"))?;
    sleep(times.link_down);
    place.collector.ip(&format!("link set dev {LINK} up"))?;
    for _ in 0..2 {
        // While the shipper is away too, there is more that only the spool has.
        shipper.kill();
        sleep(times.every / 10);
        agent.signal(Signal::SIGKILL)?;
        agent.wait(SOON)?;
        agent = place.agent(&[])?;
        let had = shipper.count();
        shipper.restart()?;
        shipped(&shipper, &mut agent, had, "\"sensor_start\"")?;
        sleep(times.every);
    }
    let seconds = began.elapsed().as_secs_f64();
    let commands = chatter.commands();
    drop(chatter);
    let mut before = usize::MAX;
    poll::until("the shipper to have what waits", 4 * SOON, || {
        sleep(Duration::from_millis(500));
        let now = shipper.count();
        Ok((core::mem::replace(&mut before, now) == now).then_some(()))
    })?;
    agent.signal(Signal::SIGTERM)?;
    let status = agent.wait(SOON)?;
    ensure!(status.success(), "the agent ended with {status}: {}", agent.stderr.text());
    poll::until("sensor_stop", SOON, || {
        let from = shipper.count().saturating_sub(1_000);
        Ok(shipper.from(from).iter().any(|(_, line)| line.contains("\"sensor_stop\"")).then_some(()))
    })?;
    let received = Received::of(shipper.take(), &[])?;
    ensure!(received.runs.len() == 3, "{} runs", received.runs.len());
    let (count, twice) = (received.count(), received.twice);
    println!(
        "{name}: {commands} commands, {count} events in {seconds:.0} s ({:.0} a second), {twice} came twice",
        count as f64 / seconds
    );
    for run in &received.order {
        let lines = received.runs.get(run).context("no run")?;
        for lost in lines.iter().filter(|line| line.contains("\"event\":\"drop\"")) {
            // Only what a killed run had in memory: the rest of its numbers.
            let (_, told) = lost.split_once("\"drop\":").with_context(|| lost.clone())?;
            let of = received.runs.get(field(told, "run")?).with_context(|| lost.clone())?;
            ensure!(field(told, "from_seq")? == of.len().to_string(), "{lost}");
            println!("{name}: a killed run had events in memory: {told}");
        }
        // A session at a time: parsed, two million events are more than a machine has room for.
        let mut sessions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for line in lines.iter().filter(|line| line.contains("\"session\":\"")) {
            sessions.entry(field(line, "session")?).or_default().push(line.clone());
        }
        ensure!(sessions.len() >= SESSIONS, "{} sessions", sessions.len());
        sessions.values().try_for_each(|lines| check(&Events::from_lines(lines)))?;
    }
    Ok(())
}

/// Kills, a hanging shipper, a link that goes down and comes back, and two kills of the agent.
#[test]
fn every_spooled_event_arrives_in_order() {
    test("every_spooled_event_arrives_in_order", &[Need::Agent], || {
        let times = Times {
            kills: 3,
            every: Duration::from_secs(1),
            hangs: Duration::from_secs(1),
            link_down: Duration::from_secs(2),
        };
        everything_arrives("delivery", &times)
    });
}

/// The same for two minutes, with a link that is down for longer than a TCP connection lives.
#[test]
fn soak_every_spooled_event_arrives_in_order() {
    test("soak_every_spooled_event_arrives_in_order", &[Need::Agent], || {
        let times = Times {
            kills: 24,
            every: Duration::from_secs(5),
            hangs: Duration::from_secs(3),
            link_down: Duration::from_secs(36),
        };
        everything_arrives("delivery-soak", &times)
    });
}

/// The segments of a spool, oldest first.
fn segments(place: &Place) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(place.spool())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "seg") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The shipper is away for three segments. `damage` is done to the middle one while nobody runs: the next agent starts, tells what is missing by
/// its range, and delivers the rest.
fn damaged(name: &str, damage: impl FnOnce(&PathBuf) -> Result<()>) -> Result<()> {
    let place = Place::new(name)?;
    let mut shipper = place.shipper()?;
    let file = place.scratch.path().join("events.json");
    let mut agent = place.agent(&["--output", &file.to_string_lossy()])?;
    shipped(&shipper, &mut agent, 0, "\"sensor_start\"")?;
    shipper.kill();
    let chatter = place.talk()?;
    poll::until("three segments", 2 * SOON, || Ok((segments(&place)?.len() >= 3).then_some(())))
        .with_context(|| agent.stderr.text())?;
    drop(chatter);
    agent.signal(Signal::SIGTERM)?;
    ensure!(agent.wait(SOON)?.success(), "{}", agent.stderr.text());
    let all = segments(&place)?;
    let middle = all.get(all.len() / 2).context("no segment")?;
    damage(middle)?;

    let mut agent = place.agent(&["--output", &file.to_string_lossy()])?;
    shipper.restart()?;
    let told = shipped(&shipper, &mut agent, 0, "\"event\":\"drop\"")?;
    agent.signal(Signal::SIGTERM)?;
    ensure!(agent.wait(SOON)?.success(), "{}", agent.stderr.text());
    poll::until("sensor_stop", SOON, || {
        let from = shipper.count().saturating_sub(100);
        Ok(shipper.from(from).iter().any(|(_, line)| line.contains("\"sensor_stop\"")).then_some(()))
    })?;
    ensure!(agent.stderr.text().contains("damaged"), "{}", agent.stderr.text());
    let lines = shipper.take();
    let (_, drop) = lines.get(told).context("no drop event")?;
    let number = |name: &str| field(drop, name)?.parse::<u64>().with_context(|| drop.clone());
    let (from, to) = (number("from_seq")?, number("to_seq")?);
    ensure!(number("count")? == to - from + 1 && from > 0, "{drop}");
    let drops = lines.iter().filter(|(_, line)| line.contains("\"event\":\"drop\"")).count();
    ensure!(drops == 1, "{drops} drop events");
    // All but that is there: the file, which had everything before, says what there was.
    let received = Received::of(lines, &[(from, to)])?;
    let first = received.order.first().context("no run")?;
    let before = std::fs::read_to_string(&file)?;
    let written = before.lines().filter(|line| field(line, "run").is_ok_and(|run| run == first));
    let missing = |line: &&str| {
        field(line, "seq").is_ok_and(|seq| seq.parse().is_ok_and(|seq| (from..=to).contains(&seq)))
    };
    let wanted: Vec<&str> = written.filter(|line| !missing(line)).collect();
    let got: Vec<&str> = received.runs.get(first).context("no run")?.iter().map(String::as_str).collect();
    ensure!(got == wanted, "{} lines came, {} were written", got.len(), wanted.len());
    Ok(())
}

#[test]
fn a_changed_byte_in_a_middle_segment_is_told_by_its_range() {
    test("a_changed_byte_in_a_middle_segment_is_told_by_its_range", &[Need::Agent], || {
        damaged("delivery-damaged", |segment| {
            let mut file = OpenOptions::new().write(true).open(segment)?;
            file.seek(SeekFrom::Start(file.metadata()?.len() / 2))?;
            Ok(file.write_all(b"\0")?)
        })
    });
}

#[test]
fn a_middle_segment_that_was_cut_is_told_by_its_range() {
    test("a_middle_segment_that_was_cut_is_told_by_its_range", &[Need::Agent], || {
        damaged("delivery-cut", |segment| {
            let file = OpenOptions::new().write(true).open(segment)?;
            Ok(file.set_len(file.metadata()?.len() / 2 + 1)?)
        })
    });
}
