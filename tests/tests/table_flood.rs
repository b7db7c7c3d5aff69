//! Floods that aim at the kernel's tables: a victim's session and its transfers are told whole at every hook.

#![expect(clippy::print_stdout, reason = "the figures are what the flood is for")]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::events::{Event, Events};
use ftpmon_tests::expected::Expected;
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::kernel::Frame;
use ftpmon_tests::kernel::frame::{ACK, SYN};
use ftpmon_tests::net::{Direct, Replay};
use ftpmon_tests::{compare, poll, usage};
use socket2::{Domain, Socket, Type};

/// The longest delay of events.
const LIMIT: Duration = Duration::from_secs(60);
const HOOKS: [&str; 4] = ["auto", "native", "generic", "tcx"];
const SERVER: &str = "10.77.0.2";
const VICTIM: &str = "10.77.0.1";
/// A host with a session of its own, whose address the flood has.
const HOSTILE: &str = "10.77.0.3";
/// Packets of the flood a second, at most: what a machine sends.
const RATE: f64 = 100_000.0;
/// Commands of the victim besides those of its login and its transfers.
const COMMANDS: usize = 200;
/// The length of the flood before the victim begins: enough to fill any of the tables.
const HEAD_START: usize = 100_000;
const FILE: u64 = 100_000;
/// Memory of the agent at most: the default of `--memory`, and its ring.
const MEMORY_MAX: u64 = (256 + 16) << 20;
/// None that a host makes by one packet.
const EVENTS: &str = "sensor_start,sensor_stop,command,transfer,gap,anomaly,stats";

/// SYNs between the hosts of a session, to ports where nobody listens.
fn syns_of_a_pair() -> Vec<Frame> {
    let port = |number: usize| 1_024 + (number * 7 % 60_000) as u16;
    let syn = |number: usize| {
        Frame::new((HOSTILE, port(number)), (SERVER, port(number / 60_000 + 3)), SYN, number as u32, 0)
    };
    (0..200_000).map(syn).collect()
}

fn invented(number: usize) -> (String, u16) {
    let [.., a, b, c] = (number as u32).to_be_bytes();
    (format!("198.{}.{b}.{c}", 18 + a % 2), 1_024 + (number % 50_000) as u16)
}

/// SYNs to the control port from hosts that are not there.
fn syns_to_the_control_port() -> Vec<Frame> {
    let syn = |number: usize| {
        let (host, port) = invented(number);
        Frame::new((&host, port), (SERVER, 21), SYN, number as u32, 0)
    };
    (0..131_072).map(syn).collect()
}

/// Announcements in replies from servers that are not there.
fn replies_of_nobody() -> Vec<Frame> {
    let reply = |number: usize| {
        let (host, port) = invented(number);
        let text =
            format!("227 Entering Passive Mode (10,77,0,2,{},{})\r\n", 40 + number % 200, number % 256);
        Frame::new((&host, 21), (SERVER, port), ACK | 8, number as u32, 1).payload(text.as_bytes())
    };
    (0..131_072).map(reply).collect()
}

/// The hardware address of the server's device.
fn hardware_address(net: &Direct) -> Result<[u8; 6]> {
    let text = net.server.ip(&format!("link show dev {}", Direct::DEVICE))?;
    let mut words = text.split_whitespace().skip_while(|word| *word != "link/ether");
    let text = words.nth(1).context("no hardware address")?;
    let octets: Result<Vec<u8>, _> = text.split(':').map(|octet| u8::from_str_radix(octet, 16)).collect();
    octets?.try_into().map_err(|_| anyhow!("no hardware address: {text}"))
}

/// A session from the flood's host: it makes the two hosts a pair.
fn session_of_the_hostile_host(net: &Direct) -> Result<TcpStream> {
    net.client.run(|| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(HOSTILE.parse::<Ipv4Addr>()?.into(), 0).into())?;
        let server = SocketAddr::new(SERVER.parse::<Ipv4Addr>()?.into(), 21);
        socket.connect_timeout(&server.into(), LIMIT)?;
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(LIMIT))?;
        let mut reply = [0; 512];
        ensure!(stream.read(&mut reply)? > 0, "no greeting");
        stream.write_all(b"NOOP\r\n")?;
        ensure!(stream.read(&mut reply)? > 0, "no reply");
        Ok(stream)
    })
}

fn flooded(hook: &str, frames: Vec<Frame>, with_session: bool) -> Result<()> {
    let net = Direct::with_addresses(1500, &["10.77.0.1/24", "10.77.0.3/24"], &["10.77.0.2/24"])?;
    let hardware = hardware_address(&net)?;
    let frames = frames.into_iter().map(|frame| {
        let mut bytes = frame.bytes();
        bytes.splice(..6, hardware);
        bytes
    });
    let replay = Replay::of(frames);
    let server = SocketAddr::new(SERVER.parse::<Ipv4Addr>()?.into(), 21);
    let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(FILE));
    let serving = net.server.run(|| Server::start(server, behaviour))?;
    let arguments = ["--iface", Direct::DEVICE, "--hook", hook, "--stats-interval", "1", "--events", EVENTS];
    let mut agent = Agent::start(&net.server, &arguments)?;
    let hostile = if with_session { Some(session_of_the_hostile_host(&net)?) } else { None };
    let over = AtomicBool::new(false);
    let began = Instant::now();
    let sent = thread::scope(|scope| {
        let flood = scope.spawn(|| -> Result<u64> {
            let mut sent = 0;
            while !over.load(Ordering::Relaxed) {
                sent += replay
                    .send_steadily(&net.client, Direct::DEVICE, replay.len().min(HEAD_START), RATE)?
                    .frames;
            }
            Ok(sent)
        });
        let done = poll::until("the flood", LIMIT, || {
            let seen = agent.events().last("stats").and_then(|stats| stats.number("/kernel/packets"));
            Ok(seen.filter(|seen| *seen >= HEAD_START as u64))
        })
        .and_then(|_| victim(&net, server));
        over.store(true, Ordering::Relaxed);
        let sent = flood.join().map_err(|_| anyhow!("the flood panicked"))??;
        done.map(|()| sent)
    })?;
    let flooding = began.elapsed();
    drop(hostile);
    let of_victim = |event: &&Event| event.text("/client/ip") == VICTIM;
    let told = |events: &Events| events.of("transfer").into_iter().filter(of_victim).count();
    agent.wait("the victim's transfers", LIMIT, |events| told(events) >= 5)?;
    let memory = usage::memory(agent.process().id(), "VmHWM")?;
    ensure!(memory <= MEMORY_MAX, "the agent has {memory} bytes");
    let lines = agent.stop_unread()?;
    drop(serving);
    let events = Events::from_lines(&lines);
    let stats = events.last("stats").context("no stats")?;
    println!(
        "{hook}: {sent} packets, {:.0} a second; {} MiB; lost {}",
        sent as f64 / flooding.as_secs_f64(),
        memory >> 20,
        stats.0.get("lost").map(ToString::to_string).unwrap_or_default()
    );
    let lost = |reason: &str| stats.number(&format!("/lost/{reason}")).unwrap_or(0);
    ensure!(lost("lost_ring_control") == 0 && lost("lost_table_flows") == 0, "{}", stats.0);
    let session =
        Events::from_lines(&lines.into_iter().filter(|line| line.contains(VICTIM)).collect::<Vec<_>>());
    let expected = ["PASV", "EPSV", "PORT", "EPRT", "PASV"].map(|via| Expected::complete("RETR", via, FILE));
    let transfers = session.transfers();
    ensure!(transfers.len() == expected.len(), "{} transfers: {}", transfers.len(), stats.0);
    for (transfer, expected) in transfers.iter().zip(&expected) {
        compare::moved(transfer, expected).with_context(|| stats.0.to_string())?;
    }
    for wrong in ["gap", "anomaly"] {
        ensure!(session.count(wrong) == 0, "{:?}", session.of(wrong));
    }
    let commands = session.commands();
    let noops = commands.iter().filter(|command| *command == "NOOP").count();
    ensure!(noops == COMMANDS, "{noops} of {COMMANDS} commands of the victim: {commands:?}");
    Ok(())
}

/// Five downloads, and commands between them.
fn victim(net: &Direct, server: SocketAddr) -> Result<()> {
    net.client.run(|| {
        let mut client = Client::connect(server, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        for mode in [DataMode::Pasv, DataMode::Epsv, DataMode::Port, DataMode::Eprt, DataMode::Pasv] {
            let got = client.retrieve(mode, "/a.bin", None)?;
            ensure!(got.bytes == FILE, "{got:?}");
            for _ in 0..COMMANDS / 5 {
                client.demand("NOOP")?;
            }
            // Quiet for a while: what it left in the tables gets old.
            thread::sleep(Duration::from_millis(500));
        }
        client.quit()?;
        Ok(())
    })
}

fn at_all_hooks(frames: fn() -> Vec<Frame>, with_session: bool) -> Result<()> {
    HOOKS
        .into_iter()
        .try_for_each(|hook| flooded(hook, frames(), with_session).with_context(|| format!("hook {hook}")))
}

#[test]
fn syns_between_the_hosts_of_a_session() {
    test("syns_between_the_hosts_of_a_session", &[Need::Agent], || at_all_hooks(syns_of_a_pair, true));
}

#[test]
fn syns_to_the_control_port_from_hosts_that_are_not_there() {
    test("syns_to_the_control_port_from_hosts_that_are_not_there", &[Need::Agent], || {
        at_all_hooks(syns_to_the_control_port, false)
    });
}

#[test]
fn replies_from_servers_that_are_not_there() {
    test("replies_from_servers_that_are_not_there", &[Need::Agent], || {
        at_all_hooks(replies_of_nobody, false)
    });
}
