//! Announcements of data ports without end, by clients and by servers, of all sorts of addresses and ports: ftpmon's tables
//! stay at their caps, traffic that was not announced is neither counted nor copied, and others' transfers stay exact.
//!
//! Some ten thousand announcements; `cargo xtask test --only soak -- hostile` makes a million.

#![expect(clippy::print_stdout, reason = "the figures are what the soak is for")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::crowd::Crowd;
use ftpmon_tests::events::{Event, Events};
use ftpmon_tests::ftp::Server;
use ftpmon_tests::net::{Direct, Family};
use ftpmon_tests::{poll, usage};
use socket2::{Domain, Socket, Type};

/// The longest delay of events.
const LIMIT: Duration = Duration::from_secs(60);
/// The hosts of the flood, two who have nothing to do with FTP, and a name for a host that is not there.
const HOSTILE_CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);
const HOSTILE_SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 4);
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 5);
const VICTIM: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 6);
/// The victim's address.
const VICTIM_PORTS: [u16; 2] = [8_080, 5_432];
/// Lines sent before the answers to them are waited for.
const BATCH: usize = 25;
/// Memory of the agent at most: its caps are of tables that take some ten megabytes when they are full.
const MEMORY_MAX: u64 = 160 << 20;

/// The hostile peers.
#[derive(Clone, Copy, Debug)]
struct Flood {
    /// Announcements by commands and by replies together.
    announcements: usize,
    /// Control connections at a time.
    at_once: usize,
}

#[test]
fn hostile_announcements() {
    test("hostile_announcements", &[Need::Agent], || {
        hostile(
            Flood { announcements: 40_000, at_once: 40 },
            Crowd { sessions: 100, at_once: 5, largest: 1 << 20 },
        )
    });
}

#[test]
fn soak_hostile_announcements() {
    test("soak_hostile_announcements", &[Need::Agent], || {
        let crowd = Crowd { sessions: 1_000, at_once: 10, largest: 10 << 20 };
        hostile(Flood { announcements: 1_000_000, at_once: 200 }, crowd)
    });
}

fn hostile(flood: Flood, crowd: Crowd) -> Result<()> {
    let net = Direct::with_addresses(
        1500,
        &["10.77.0.1/24", "10.77.0.3/24", "10.77.0.5/24"],
        &["10.77.0.2/24", "10.77.0.4/24", "10.77.0.6/24"],
    )?;
    copies_nothing(&net, flood)?;
    disturbs_no_other_session(&net, flood, crowd)
}

fn agent(net: &Direct, more: &[&str]) -> Result<Agent> {
    let kinds = "sensor_start,session_start,session_end,transfer,gap,stats,sensor_stop";
    let all = ["--iface", Direct::DEVICE, "--hook", "native", "--stats-interval", "1", "--events", kinds];
    Agent::start(&net.server, &[&all, more].concat())
}

/// The victim's old and new connections continue while the flood names them: nothing of them is counted, nothing copied.
fn copies_nothing(net: &Direct, flood: Flood) -> Result<()> {
    let mut agent = agent(net, &["--files", "hash"])?;
    let (over, exchanged) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let victim = scope.spawn(|| chatter(net, &over, &exchanged));
        // The strangers talk before the flood begins, and go on until there is enough to be told.
        let talk = |least| {
            let enough = || Ok((exchanged.load(Ordering::Relaxed) > least).then_some(()));
            poll::until("the strangers talk", LIMIT, enough)
        };
        let taken = talk(0).and_then(|()| flood.play(net)).and_then(|()| talk(10_000));
        over.store(true, Ordering::Relaxed);
        victim.join().map_err(|_| anyhow!("the victim panicked"))??;
        taken
    })?;
    agent.wait_for_sessions(flood.at_once, LIMIT)?;
    let memory = usage::memory(agent.process().id(), "VmHWM")?;
    let events = Events::from_lines(&agent.stop_unread()?);
    let exchanged = exchanged.load(Ordering::Relaxed);
    println!("{} bytes between strangers, agent's memory {} MiB", exchanged, memory >> 20);
    ensure!(exchanged > 10_000, "the strangers exchanged {exchanged} bytes");
    bounded(&events, memory)?;
    let stats = events.last("stats").context("no stats")?;
    for counter in ["/kernel/data_frames", "/kernel/data_packets", "/kernel/flows_expected"] {
        ensure!(stats.number(counter) == Some(0), "{counter}: {}", stats.0);
    }
    Ok(())
}

/// Others' transfers are told once and to the byte while the flood continues, though it names their ports too.
fn disturbs_no_other_session(net: &Direct, flood: Flood, crowd: Crowd) -> Result<()> {
    let mut agent = agent(net, &[])?;
    let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    let server = net.server.run(|| Server::start(at, crowd.behaviour()))?;
    let began = Instant::now();
    thread::scope(|scope| {
        let honest = scope.spawn(|| crowd.play(&net.client, at));
        let taken = flood.play(net);
        honest.join().map_err(|_| anyhow!("the crowd panicked"))??;
        taken
    })?;
    agent.wait_for_sessions(flood.at_once + crowd.sessions, LIMIT)?;
    let memory = usage::memory(agent.process().id(), "VmHWM")?;
    let lines = agent.stop_unread()?;
    drop(server);
    println!("{flood:?} and {crowd:?} in {:.1?}, agent's memory {} MiB", began.elapsed(), memory >> 20);
    let honest = |event: &Event| event.text("/client/ip") == "10.77.0.1";
    // The flood's own: an honest session that lost any of these would have an anomaly, which is a difference.
    // Behind its allowance its lines are counted like bytes that were not captured, which opens windows for announcements.
    let of_the_flood = [
        "announcements_evicted",
        "events_held_back",
        "lost_loud_control",
        "missed_full",
        "remote_commands_full",
    ];
    let findings = crowd.check_among(&lines, false, &of_the_flood, honest)?;
    println!("{findings:?}");
    bounded(&Events::from_lines(&lines), memory)
}

/// No table is fuller than its cap, and memory is what the caps allow.
fn bounded(events: &Events, memory: u64) -> Result<()> {
    ensure!(memory <= MEMORY_MAX, "the agent has {memory} bytes");
    let mut most = std::collections::BTreeMap::<&str, u64>::new();
    for stats in events.of("stats") {
        let tables = stats.0.get("tables").and_then(|tables| tables.as_object()).context("no tables")?;
        for (name, fill) in tables {
            let value = |key: &str| fill.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
            ensure!(value("used") <= value("cap"), "{name}: {fill}");
            let most = most.entry(name).or_default();
            *most = value("used").max(*most);
        }
    }
    println!("most entries of the tables: {most:?}");
    Ok(())
}

/// Two hosts exchange bytes on connections old and new until it is `over`.
fn chatter(net: &Direct, over: &AtomicBool, exchanged: &AtomicUsize) -> Result<()> {
    let listeners = net.server.run(|| {
        Ok(VICTIM_PORTS
            .iter()
            .map(|port| TcpListener::bind((VICTIM, *port)))
            .collect::<Result<Vec<_>, _>>()?)
    })?;
    let connect = |listener: &TcpListener| -> Result<[TcpStream; 2]> {
        let near = net.client.run(|| connect(STRANGER, listener.local_addr()?))?;
        Ok([near, listener.accept()?.0])
    };
    let mut old = listeners.iter().map(connect).collect::<Result<Vec<_>>>()?;
    let mut buffer = [0; 1_000];
    let mut talk = |ends: &mut [TcpStream; 2]| -> Result<()> {
        let [near, far] = ends;
        near.write_all(&[7; 1_000])?;
        far.read_exact(&mut buffer)?;
        far.write_all(&[8; 1_000])?;
        near.read_exact(&mut buffer)?;
        exchanged.fetch_add(2_000, Ordering::Relaxed);
        Ok(())
    };
    while !over.load(Ordering::Relaxed) {
        old.iter_mut().try_for_each(&mut talk)?;
        let mut new = listeners.iter().map(connect).collect::<Result<Vec<_>>>()?;
        new.iter_mut().try_for_each(&mut talk)?;
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn connect(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::new(from.into(), 0).into())?;
    socket.connect_timeout(&to.into(), LIMIT)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

impl Flood {
    /// Plays it: a client and a server who are of one mind.
    fn play(self, net: &Direct) -> Result<()> {
        let listener = net.server.run(|| Ok(TcpListener::bind((HOSTILE_SERVER, 21))?))?;
        let each = self.announcements / 2 / self.at_once;
        thread::scope(|scope| {
            let serving: Vec<_> = (0..self.at_once)
                .map(|_| {
                    let listener = &listener;
                    scope.spawn(move || answer(listener.accept()?.0))
                })
                .collect();
            net.client.run(|| {
                let at = listener.local_addr()?;
                let talks: Vec<_> = (0..self.at_once)
                    .map(|number| thread::spawn(move || announce(at, number, each)))
                    .collect();
                talks
                    .into_iter()
                    .try_for_each(|talk| talk.join().map_err(|_| anyhow!("a client panicked"))?)
            })?;
            serving.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow!("a server panicked"))?)
        })
    }
}

/// Announcement number `n`: an address and a port, now this way, now that.
fn endpoint(n: usize) -> (Ipv4Addr, u16) {
    let dice = (n as u32).wrapping_mul(2_654_435_761) >> 7;
    let any = (dice % 65_536) as u16;
    let [.., a, b] = dice.to_be_bytes();
    match n % 8 {
        // A third host's services, which have connections.
        0 => (VICTIM, if (n / 8).is_multiple_of(2) { 8_080 } else { 5_432 }),
        1 => (VICTIM, if (n / 8).is_multiple_of(2) { 22 } else { 443 }),
        // Where honest clients are about to connect.
        2 => (Ipv4Addr::new(10, 77, 0, 2), 61_000 + any % 400),
        3 => (HOSTILE_CLIENT, any),
        4 => (HOSTILE_SERVER, any),
        5 => (Ipv4Addr::new(10, 77, 0, 1), any),
        6 => (Ipv4Addr::new(0, 0, 0, 0), any),
        _ => (Ipv4Addr::new(198, 51, a, b), any),
    }
}

/// The client: announces, and in every fourth session asks for a transfer each time.
fn announce(at: SocketAddr, number: usize, count: usize) -> Result<()> {
    let mut stream = connect(HOSTILE_CLIENT, at)?;
    let mut buffer = vec![0; 1 << 16];
    let mut heard = 0;
    for first in (0..count).step_by(BATCH) {
        let mut lines = String::new();
        let last = count.min(first + BATCH);
        for n in first..last {
            let (ip, port) = endpoint(number * count + n);
            if n % 2 == 0 {
                let [a, b, c, d] = ip.octets();
                lines.push_str(&format!("PORT {a},{b},{c},{d},{},{}\r\n", port >> 8, port & 255));
            } else {
                lines.push_str(&format!("EPRT |1|{ip}|{port}|\r\n"));
            }
            if number.is_multiple_of(4) {
                lines.push_str("RETR x\r\n");
            }
        }
        stream.write_all(lines.as_bytes())?;
        while heard < last {
            let got = stream.read(&mut buffer)?;
            ensure!(got > 0, "the server is gone");
            heard += buffer.iter().take(got).filter(|byte| **byte == b'\n').count();
        }
    }
    stream.shutdown(Shutdown::Write)?;
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}

/// The server: says 227 or 229 to each announcement, and nothing to a transfer.
fn answer(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; 1 << 16];
    let mut said = stream.peer_addr()?.port() as usize;
    loop {
        let got = stream.read(&mut buffer)?;
        if got == 0 {
            return Ok(());
        }
        let mut replies = String::new();
        // PORT and EPRT have a P each, RETR has none.
        let announced = buffer.iter().take(got).filter(|byte| **byte == b'P').count();
        for _ in 0..announced {
            said += 1;
            let (ip, port) = endpoint(said);
            if said.is_multiple_of(3) {
                replies.push_str(&format!("229 x (|||{port}|)\r\n"));
            } else {
                let [a, b, c, d] = ip.octets();
                replies.push_str(&format!("227 x ({a},{b},{c},{d},{},{})\r\n", port >> 8, port & 255));
            }
        }
        stream.write_all(replies.as_bytes())?;
    }
}
