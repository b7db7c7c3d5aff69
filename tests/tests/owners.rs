//! The processes that hold the ends of connections, where they are on the agent's own host, in whichever network namespace.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{self, Need};
use ftpmon_tests::compare;
use ftpmon_tests::events::{Event, Events};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Direct, Family, Namespace, Replay};
use ftpmon_tests::party::{PASSWORD, Party, RealServer, Tree, USER};
use ftpmon_tests::process::run;
use ftpmon_tests::script::dialogue::{self, Act, Cuts, Setup};

const LIMIT: Duration = Duration::from_secs(20);
/// A command that another test starts holds the sockets of this process until its exec, and is an owner of them as well.
static ALONE: Mutex<()> = Mutex::new(());

fn alone(name: &str, needs: &[Need], body: impl FnOnce() -> Result<()>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    bed::test(name, needs, body);
}

/// A curl that fetches `path`; `-P -` for active mode.
fn curl(namespace: &Namespace, host: IpAddr, path: &str, more: &[&str]) -> Result<Command> {
    let mut command = namespace.command(&Party::Curl.program()?.to_string_lossy());
    command.args(["-s", "-S", "--max-time", "60", "-u", &format!("{USER}:{PASSWORD}"), "-o", "/dev/null"]);
    // Slow enough that a look-up is quicker on a busy machine as well.
    command.args(["--limit-rate", "600K"]).args(more).arg(format!("ftp://{host}/{path}"));
    Ok(command)
}

fn fetch(namespace: &Namespace, host: IpAddr, path: &str, more: &[&str]) -> Result<()> {
    let finished = run(&mut curl(namespace, host, path, more)?)?;
    ensure!(finished.status.success(), "curl: {}", finished.stderr);
    Ok(())
}

/// The name of the process at an end.
fn name<'a>(event: &'a Event, end: &str) -> &'a str {
    event.text(&format!("/{end}_process/name"))
}

/// Every event of this type names this process at this end, and none at the other where it is `None`.
fn attributed(events: &Events, end: &str, expected: Option<&str>) -> Result<()> {
    for event in ["session_start", "transfer"].iter().flat_map(|kind| events.of(kind)) {
        let stats = events.last("stats").and_then(|stats| stats.0.get("agent"));
        ensure!(
            name(event, end) == expected.unwrap_or(""),
            "{end}: not {expected:?} in {}; {stats:?}",
            event.0
        );
    }
    Ok(())
}

fn passive_and_active(party: Party, comm: &str, users: &[&str]) -> Result<()> {
    let net = Direct::new(1500)?;
    let host = Direct::hosts(Family::V4).server;
    let server = RealServer::start(party, &net.server, host)?;
    let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE])?;
    let jobs: [&[&str]; 4] = [&[], &["--disable-epsv"], &["-P", "-"], &["-P", "-", "--disable-eprt"]];
    for job in jobs {
        fetch(&net.client, host, Tree::MEDIUM.0, job)?;
    }
    agent.wait_for_sessions(jobs.len(), LIMIT)?;
    let events = agent.stop()?;
    ensure!(events.count("transfer") == jobs.len(), "{}", events.to_text());
    attributed(&events, "server", Some(comm))?;
    // The clients are in another network namespace.
    attributed(&events, "client", Some("curl"))?;
    let listener = server.id();
    for session in events.sessions() {
        let (start, transfer) = (session.of("session_start")[0], session.of("transfer")[0]);
        let pid = |event: &Event| event.number("/server_process/pid");
        let own = pid(start) == Some(listener.into());
        // vsftpd makes processes for each session, pyftpdlib none.
        ensure!(own == (party == Party::Pyftpdlib), "the listener is {listener}: {}", start.0);
        ensure!(start.text("/server_process/exe").contains('/'), "{}", start.0);
        ensure!(start.has("/server_process/cgroup"), "{}", start.0);
        let user = transfer.text("/server_process/user");
        ensure!(users.contains(&user), "not {users:?}: {}", transfer.0);
    }
    Ok(())
}

#[test]
fn vsftpds_process_of_the_session() {
    alone("vsftpds_process_of_the_session", &[Need::Agent, Need::Party(Party::Vsftpd)], || {
        // After login it acts as ftp; the sockets of active mode are made by its helper, nobody.
        passive_and_active(Party::Vsftpd, "vsftpd", &["ftp", "nobody"])
    });
}

#[test]
fn pyftpdlibs_only_process() {
    alone("pyftpdlibs_only_process", &[Need::Agent, Need::Party(Party::Pyftpdlib)], || {
        passive_and_active(Party::Pyftpdlib, "python3", &["root"])
    });
}

/// On one host both ends have a process.
#[test]
fn both_ends_on_loopback() {
    let needs = [Need::Agent, Need::Party(Party::Vsftpd), Need::Party(Party::Curl)];
    alone("both_ends_on_loopback", &needs, || {
        let host = Namespace::new("host")?;
        let address: IpAddr = "127.0.0.1".parse()?;
        let server = RealServer::start(Party::Vsftpd, &host, address)?;
        let agent = Agent::start(&host, &["--iface", "lo"])?;
        fetch(&host, address, Tree::MEDIUM.0, &[])?;
        fetch(&host, address, Tree::MEDIUM.0, &["-P", "-"])?;
        agent.wait_for_sessions(2, LIMIT)?;
        let events = agent.stop()?;
        attributed(&events, "server", Some("vsftpd"))?;
        attributed(&events, "client", Some("curl"))?;
        ensure!(events.last("transfer").is_some_and(|transfer| transfer.has("/client_process/uid")));
        drop(server);
        Ok(())
    });
}

/// The address of `eth0` in this namespace that means something on its wire alone.
fn link_local(namespace: &Namespace, address: &str, port: u16) -> Result<SocketAddr> {
    let told = namespace.ip(&format!("-o link show dev {}", Direct::DEVICE))?;
    let index = told.split(':').next().context("no index")?.parse()?;
    Ok(SocketAddrV6::new(address.parse()?, port, 0, index).into())
}

/// Two hosts that have no other addresses: the processes at either end, found by their connections.
fn on_a_link(agent_at: &str) -> Result<()> {
    let net = Direct::with_addresses(1500, &["fe80::1/64"], &["fe80::2/64"])?;
    let (here, own) = match agent_at {
        "server" => (&net.server, "fe80::2/64"),
        _ => (&net.client, "fe80::1/64"),
    };
    // Another wire on which this host has the same address: it must not be taken for the one.
    here.ip("link add name other type veth peer name beyond")?;
    for words in ["link set dev other up", "link set dev beyond up"] {
        here.ip(words)?;
    }
    here.ip(&format!("addr add {own} dev other nodad"))?;
    // Slow enough that a look-up is quicker.
    let behaviour = Behaviour { pace: Some(2_000_000), ..Behaviour::default() };
    let behaviour = behaviour.with_file("/a.bin", Content::Pattern(1_000_000));
    let at = link_local(&net.server, "fe80::2", 21)?;
    let server = net.server.run(|| Server::start(at, behaviour))?;
    let agent = Agent::start(here, &["--iface", Direct::DEVICE])?;
    let seen_from_the_client = link_local(&net.client, "fe80::2", 21)?;
    net.client.run(|| {
        let mut client = Client::connect(seen_from_the_client, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        agent.wait("the login", LIMIT, |events| events.count("login") == 1)?;
        client.retrieve(DataMode::Epsv, "/a.bin", None)?;
        client.retrieve(DataMode::Eprt, "/a.bin", None)?;
        client.quit()
    })?;
    agent.wait_for_sessions(1, LIMIT)?;
    let events = agent.stop()?;
    ensure!(events.count("transfer") == 2, "{}", events.to_text());
    for event in ["session_start", "transfer"].iter().flat_map(|kind| events.of(kind)) {
        for end in ["client", "server"] {
            let pid = event.number(&format!("/{end}_process/pid"));
            ensure!(pid == Some(std::process::id().into()), "{end}: {}", event.0);
            ensure!(event.text(&format!("/{end}_process/found_by")) == "connection", "{}", event.0);
        }
    }
    drop(server);
    Ok(())
}

#[test]
fn a_server_at_a_link_local_address() {
    alone("a_server_at_a_link_local_address", &[Need::Agent], || on_a_link("server"));
}

#[test]
fn a_client_at_a_link_local_address() {
    alone("a_client_at_a_link_local_address", &[Need::Agent], || on_a_link("client"));
}

/// Both ends of a session that a host has with itself at such an address: its packets are on lo, the address is not.
#[test]
fn both_ends_at_a_link_local_address() {
    alone("both_ends_at_a_link_local_address", &[Need::Agent], || {
        let net = Direct::with_addresses(1500, &["fe80::1/64"], &["fe80::2/64"])?;
        let at = link_local(&net.server, "fe80::2", 21)?;
        let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(5_000));
        let server = net.server.run(|| Server::start(at, behaviour))?;
        let agent = Agent::start(&net.server, &["--iface", "lo"])?;
        net.server.run(|| {
            let mut client = Client::connect(at, ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            agent.wait("the login", LIMIT, |events| events.count("login") == 1)?;
            client.retrieve(DataMode::Epsv, "/a.bin", None)?;
            client.quit()
        })?;
        agent.wait_for_sessions(1, LIMIT)?;
        let events = agent.stop()?;
        ensure!(events.count("transfer") == 1, "{}", events.to_text());
        for event in ["session_start", "transfer"].iter().flat_map(|kind| events.of(kind)) {
            for end in ["client", "server"] {
                let pid = event.number(&format!("/{end}_process/pid"));
                ensure!(pid == Some(std::process::id().into()), "{end}: {}", event.0);
            }
        }
        drop(server);
        Ok(())
    });
}

/// Many sessions, each over in a moment: all have their processes, and the numbers have no gap.
fn quick(sessions: usize) -> Result<()> {
    let net = Direct::new(1500)?;
    let host = Direct::hosts(Family::V4).server;
    let server = RealServer::start(Party::Vsftpd, &net.server, host)?;
    let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE])?;
    net.client.run(|| {
        for n in 0..sessions {
            let mut client = Client::connect(SocketAddr::new(host, 21), ClientOptions::default())?;
            client.login(USER, PASSWORD)?;
            let mode = if n % 2 == 0 { DataMode::Pasv } else { DataMode::Eprt };
            client.retrieve(mode, &format!("/{}", Tree::SMALL.0), None)?;
            client.quit()?;
        }
        Ok(())
    })?;
    agent.wait_for_sessions(sessions, LIMIT)?;
    let events = agent.stop()?;
    compare::stream(&events)?;
    ensure!(events.count("transfer") == sessions, "{} transfers", events.count("transfer"));
    attributed(&events, "server", Some("vsftpd"))?;
    let stats = events.last("stats").context("no stats")?;
    ensure!(stats.number("/agent/owner_late") == Some(0), "{}", stats.0);
    drop(server);
    Ok(())
}

#[test]
fn quick_sessions_are_all_attributed() {
    alone("quick_sessions_are_all_attributed", &[Need::Agent, Need::Party(Party::Vsftpd)], || quick(200));
}

#[test]
fn soak_quick_sessions_are_all_attributed() {
    alone("soak_quick_sessions_are_all_attributed", &[Need::Agent, Need::Party(Party::Vsftpd)], || {
        quick(5_000)
    });
}

/// Connections that the host forwards are those of a container's processes, though a server of the host's own listens at the same
/// port of all its addresses.
#[test]
fn processes_of_a_container_behind_veth_are_told() {
    let needs = [Need::Agent, Need::Party(Party::Pyftpdlib)];
    alone("processes_of_a_container_behind_veth_are_told", &needs, || {
        let net = Direct::new(1500)?;
        let host = Direct::hosts(Family::V4);
        // The container is the client's namespace, the agent stands at the host's end of the pair.
        let inside = RealServer::start(Party::Pyftpdlib, &net.client, host.client)?;
        let behaviour =
            Behaviour::default().with_file(&format!("/{}", Tree::SMALL.0), Content::Pattern(5_000));
        let own = net.server.run(|| Server::start("0.0.0.0:21".parse()?, behaviour))?;
        let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE])?;
        let begun =
            |sessions| agent.wait("session_start", LIMIT, |events| events.count("session_start") == sessions);
        let talk = |from: &Namespace, to: IpAddr, (user, word): (&str, &str), sessions| {
            from.run(|| {
                let mut client = Client::connect(SocketAddr::new(to, 21), ClientOptions::default())?;
                client.login(user, word)?;
                begun(sessions)?;
                client.retrieve(DataMode::Pasv, &format!("/{}", Tree::SMALL.0), None)?;
                client.quit()
            })
        };
        // From the host into the container, and from a process in the container's network to the host.
        talk(&net.server, host.client, (USER, PASSWORD), 1)?;
        talk(&net.client, host.server, ("alice", "wonderland"), 2)?;
        agent.wait_for_sessions(2, LIMIT)?;
        let events = agent.stop()?;
        let sessions = events.sessions();
        let us = std::process::id();
        for (session, server) in sessions.iter().zip([inside.id(), us]) {
            for event in ["session_start", "transfer"].iter().flat_map(|kind| session.of(kind)) {
                let pid = |end: &str| event.number(&format!("/{end}_process/pid"));
                let stats = events.last("stats").and_then(|stats| stats.0.get("agent"));
                ensure!(pid("client") == Some(us.into()), "client: {} {stats:?}", event.0);
                ensure!(pid("server") == Some(server.into()), "server: {} {stats:?}", event.0);
            }
        }
        drop((inside, own));
        Ok(())
    });
}

/// Of a session that passes through, both ends may be those of containers; whoever listens at the router is neither.
#[test]
fn both_ends_of_what_passes_through_are_told() {
    use ftpmon_tests::net::Routed;
    let needs = [Need::Agent, Need::Party(Party::Pyftpdlib), Need::Party(Party::Curl)];
    alone("both_ends_of_what_passes_through_are_told", &needs, || {
        let net = Routed::new(1500)?;
        let host = Routed::hosts(Family::V4).server;
        let server = RealServer::start(Party::Pyftpdlib, &net.server, host)?;
        let own = net.router.run(|| Server::start("0.0.0.0:21".parse()?, Behaviour::default()))?;
        let agent = Agent::start(&net.router, &["--iface", Routed::CLIENT_SIDE])?;
        // Slower still: a process that is gone cannot be described.
        let slow = ["--limit-rate", "100K"];
        fetch(&net.client, host, Tree::MEDIUM.0, &slow)?;
        fetch(&net.client, host, Tree::MEDIUM.0, &[&slow[..], &["-P", "-"]].concat())?;
        agent.wait_for_sessions(2, LIMIT)?;
        let events = agent.stop()?;
        ensure!(events.count("transfer") == 2, "{}", events.to_text());
        attributed(&events, "client", Some("curl"))?;
        attributed(&events, "server", Some("python3"))?;
        drop((server, own));
        Ok(())
    });
}

/// Packets of hosts elsewhere have no process here, though servers listen at the same port in namespaces of this host.
#[test]
fn hosts_elsewhere_are_left_out() {
    alone("hosts_elsewhere_are_left_out", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let here = net.client.run(|| Server::start("0.0.0.0:21".parse()?, Behaviour::default()))?;
        let own = net.server.run(|| Server::start("0.0.0.0:21".parse()?, Behaviour::default()))?;
        let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE])?;
        let act = Act::Transfer { setup: Setup::Pasv, upload: false, bytes: 5_000 };
        let frames = dialogue::frames(&[act], &Cuts(Vec::new()), false)?;
        Replay::of(frames.into_iter().map(|frame| frame.bytes)).send(&net.client, Direct::DEVICE)?;
        agent.wait_for_sessions(1, LIMIT)?;
        let events = agent.stop()?;
        ensure!(events.count("transfer") == 1, "{}", events.to_text());
        attributed(&events, "client", None)?;
        attributed(&events, "server", None)?;
        drop((here, own));
        Ok(())
    });
}

/// Without the option no process is looked up.
#[test]
fn owners_can_be_left_out() {
    alone("owners_can_be_left_out", &[Need::Agent], || {
        let host = Namespace::new("host")?;
        let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(5_000));
        let server = host.run(|| Server::start("127.0.0.1:21".parse()?, behaviour))?;
        let agent = Agent::start(&host, &["--iface", "lo", "--owners", "off"])?;
        host.run(|| {
            let mut client = Client::connect(server.address(), ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            client.retrieve(DataMode::Pasv, "/a.bin", None)?;
            client.quit()
        })?;
        agent.wait_for_sessions(1, LIMIT)?;
        let events = agent.stop()?;
        attributed(&events, "client", None)?;
        attributed(&events, "server", None)?;
        let stats = events.last("stats").context("no stats")?;
        ensure!(!stats.has("/agent/owner_lookups"), "{}", stats.0);
        Ok(())
    });
}
