//! `--allow-net` and `--deny-net`: sessions of these networks, live and read from a capture.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, Scratch, plain_test, test};
use ftpmon_tests::configured::Configured;
use ftpmon_tests::events::{Event, Events};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::Direct;
use ftpmon_tests::poll;
use ftpmon_tests::process::run_ok;
use ftpmon_tests::script;

const SOON: Duration = Duration::from_secs(20);
const BYTES: u64 = 1_000;
const SERVERS: [&str; 2] = ["10.77.0.2", "fd77::2"];
/// A client that is followed and one that is left out, of each family.
const FOLLOWED: [&str; 2] = ["10.77.0.1", "fd77::1"];
const LEFT_OUT: [&str; 2] = ["10.77.0.9", "fd77::9"];

fn wire() -> Result<Direct> {
    let client = ["10.77.0.1/24", "10.77.0.9/24", "fd77::1/64", "fd77::9/64"];
    Direct::with_addresses(1500, &client, &["10.77.0.2/24", "fd77::2/64"])
}

fn serve(net: &Direct, address: &str) -> Result<Server> {
    let at = SocketAddr::new(address.parse()?, 21);
    let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(BYTES));
    net.server.run(|| Server::start(at, behaviour))
}

/// A client with this address that has logged in.
fn enter(server: &Server, address: &str) -> Result<Client> {
    let own = SocketAddr::new(address.parse::<IpAddr>()?, 0);
    let options = ClientOptions { control_from: Some(own), data_from: Some(own) };
    let mut client = Client::connect(server.address(), options)?;
    client.login("alice", "wonderland")?;
    Ok(client)
}

fn session(net: &Direct, server: &Server, address: &str) -> Result<()> {
    net.client.run(|| {
        let mut client = enter(server, address)?;
        let got = client.retrieve(DataMode::Epsv, "/a.bin", None)?;
        ensure!(got.bytes == BYTES, "{got:?}");
        client.quit().map(drop)
    })
}

/// Clients of the sessions of these events, sorted.
fn clients(events: &Events, name: &str) -> Vec<String> {
    let mut clients: Vec<_> =
        events.of(name).iter().map(|event| event.text("/client/ip").to_owned()).collect();
    clients.sort();
    clients
}

#[test]
fn sessions_of_denied_networks_are_not_told_and_others_are() {
    test("sessions_of_denied_networks_are_not_told_and_others_are", &[Need::Agent], || {
        for (hook, option, networks) in [
            ("native", "--deny-net", "10.77.0.8/29,fd77::8/125"),
            ("generic", "--allow-net", "10.77.0.0/31,fd77::/127"),
            ("tcx", "--deny-net", "10.77.0.9,fd77::9"),
        ] {
            let net = wire()?;
            let agent =
                Agent::start(&net.server, &["--iface", Direct::DEVICE, "--hook", hook, option, networks])?;
            for (family, server) in SERVERS.into_iter().enumerate() {
                let server = serve(&net, server)?;
                session(&net, &server, LEFT_OUT[family])?;
                session(&net, &server, FOLLOWED[family])?;
            }
            agent.wait_for_sessions(2, SOON)?;
            let events = agent.stop()?;
            for name in ["session_start", "login", "transfer", "session_end"] {
                ensure!(clients(&events, name) == FOLLOWED, "{hook}, {name}: {}", events.to_text());
            }
            ensure!(!events.to_text().contains(LEFT_OUT[0]), "{}", events.to_text());
            let stats = events.last("stats").context("stats")?;
            let number = |pointer: &str| stats.number(pointer);
            ensure!(number("/kernel/denied_connections") == Some(2), "{hook}: {stats:?}");
            // Handshake, greeting, login, EPSV, RETR and their replies, of two sessions.
            ensure!(number("/kernel/denied_packets") > Some(30), "{hook}: {stats:?}");
            ensure!(number("/tables/networks/used") == Some(2), "{hook}: {stats:?}");
            ensure!(events.count("gap") == 0 && events.lost() == 0, "{}", events.to_text());
        }
        Ok(())
    });
}

#[test]
fn networks_change_under_load_and_open_sessions_go_on() {
    test("networks_change_under_load_and_open_sessions_go_on", &[Need::Agent], || {
        let net = wire()?;
        let mut configured = Configured::start("networks", &net.server, "# no networks\n")?;
        let server = serve(&net, SERVERS[0])?;
        let over = AtomicBool::new(false);
        let mut open = net.client.run(|| enter(&server, LEFT_OUT[0]))?;
        let (done, told) = std::thread::scope(|scope| -> Result<(usize, usize)> {
            let load = scope.spawn(|| -> Result<usize> {
                let mut done = 0;
                while !over.load(Ordering::Relaxed) {
                    session(&net, &server, FOLLOWED[0])?;
                    done += 1;
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok(done)
            });
            let reloads = (|| -> Result<usize> {
                let mut told = 0;
                for turn in 0..6 {
                    let denied = turn % 2 == 0;
                    let text = if denied { "deny-net = [\"10.77.0.8/30\"]\n" } else { "" };
                    let event = configured.reload(text)?;
                    let changes = &event.0["config"]["changes"];
                    ensure!(event.text("/config/outcome") == "applied", "{event:?}");
                    ensure!(changes[0]["name"] == "networks.deny" && changes[1].is_null(), "{event:?}");
                    net.client.run(|| open.demand("NOOP").map(drop))?;
                    session(&net, &server, LEFT_OUT[0])?;
                    told += usize::from(!denied);
                    let before = configured.sessions();
                    poll::until("sessions between reloads", SOON, || {
                        Ok((configured.sessions() >= before + 5).then_some(()))
                    })?;
                }
                Ok(told)
            })();
            over.store(true, Ordering::Relaxed);
            let done = load.join().map_err(|_| anyhow::anyhow!("the load panicked"))?;
            Ok((done?, reloads?))
        })?;
        net.client.run(|| open.quit().map(drop))?;
        configured.agent.wait_for_sessions(done + told + 1, SOON)?;
        let events = configured.agent.stop()?;
        for (name, of_open) in [("session_start", 1), ("session_end", 1), ("transfer", 0)] {
            let clients = clients(&events, name);
            let of = |address: &str| clients.iter().filter(|client| *client == address).count();
            ensure!(of(FOLLOWED[0]) == done, "{name}: {} of {done}", of(FOLLOWED[0]));
            ensure!(of(LEFT_OUT[0]) == told + of_open, "{name}: {} of {told}", of(LEFT_OUT[0]));
        }
        let noops = events.of("command").iter().filter(|it| it.text("/command/verb") == "NOOP").count();
        ensure!(noops == 6, "the open session: {noops} of 6 commands");
        ensure!(events.count("gap") == 0 && events.count("anomaly") == 0, "{}", events.to_text());
        Ok(())
    });
}

#[test]
fn a_capture_is_read_with_the_same_networks() {
    plain_test("a_capture_is_read_with_the_same_networks", &[Need::Agent], || {
        let scratch = Scratch::new("networks-read")?;
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/appe/script.ftp");
        let capture = scratch.write("a.pcap", script::capture(&std::fs::read_to_string(golden)?)?)?;
        let read = |options: &[&str]| -> Result<Events> {
            let finished = run_ok(Command::new(binary()?).arg("read").arg(&capture).args(options))?;
            Ok(Events::from_lines(&finished.lines().map(str::to_owned).collect::<Vec<_>>()))
        };
        let all = read(&[])?;
        let [start] = all.of("session_start")[..] else { anyhow::bail!("{}", all.to_text()) };
        let (client, server) = (start.text("/client/ip"), start.text("/server/ip"));
        for (options, told) in [
            (["--deny-net", client], false),
            (["--deny-net", server], false),
            (["--allow-net", client], true),
            (["--allow-net", server], true),
            (["--allow-net", "203.0.113.0/24"], false),
            (["--deny-net", "203.0.113.0/24,2001:db8::/32"], true),
        ] {
            let events = read(&options)?;
            // All but the sensor's own, of which `stats` tells the networks.
            let of_session = |events: &Events| {
                let own = |event: &&Event| event.has("/session");
                let fields = |event: &Event| [event.name().to_owned(), event.text("/ts").to_owned()];
                events.0.iter().filter(own).map(fields).collect::<Vec<_>>()
            };
            let expected = if told { of_session(&all) } else { Vec::new() };
            ensure!(of_session(&events) == expected, "{options:?}: {}", events.to_text());
            let stats = events.last("stats").context("stats")?;
            let denied = stats.number("/agent/denied_connections");
            ensure!(denied == Some(u64::from(!told)), "{options:?}: {stats:?}");
        }
        let usage = Command::new(binary()?)
            .arg("read")
            .arg(&capture)
            .args(["--allow-net", "10.0.0.0/8", "--deny-net", "10.0.0.0/8"])
            .output()?;
        let text = String::from_utf8_lossy(&usage.stderr);
        ensure!(usage.status.code() == Some(2) && text.contains("--allow-net and in --deny-net"), "{text}");
        Ok(())
    });
}
