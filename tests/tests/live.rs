//! ftpmon between the embedded server and client: what real ones will not do on request.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::compare::{self, same};
use ftpmon_tests::expected::Expected;
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Ports, Server, Transcript};
use ftpmon_tests::net::{Direct, Family, Mischief, Relayed};

/// The longest delay of a session's events.
const LIMIT: Duration = Duration::from_secs(20);
/// All hooks that can be forced.
const HOOKS: [&str; 3] = ["native", "generic", "tcx"];

fn address(family: Family) -> SocketAddr {
    SocketAddr::new(Direct::hosts(family).server, 21)
}

fn agent(net: &Direct, hook: &str, more: &[&str]) -> Result<Agent> {
    Agent::start(&net.server, &[&["--iface", Direct::DEVICE, "--hook", hook], more].concat())
}

/// The textbook session, with its very addresses: each step stands in the events, in order, with its times.
#[test]
fn textbook_session() {
    test("textbook_session", &[Need::Agent], || {
        for hook in HOOKS {
            textbook(hook).with_context(|| format!("hook {hook}"))?;
        }
        Ok(())
    });
}

fn textbook(hook: &str) -> Result<()> {
    let net = Direct::with_addresses(1500, &["192.168.1.106/24"], &["192.168.1.109/24"])?;
    let file = Content::Pattern(1_000_000);
    let behaviour = Behaviour { passive_ports: Ports::Cycle(vec![26758]), ..Behaviour::default() }
        .with_file("/file.bin", file.clone());
    let at: SocketAddr = "192.168.1.109:21".parse()?;
    let server = net.server.run(|| Server::start(at, behaviour))?;
    let agent = agent(&net, hook, &[])?;
    let transcript = net.client.run(|| {
        let options = ClientOptions {
            control_from: Some("192.168.1.106:57658".parse()?),
            data_from: Some("192.168.1.106:58985".parse()?),
        };
        let mut client = Client::connect(at, options)?;
        client.demand("USER alice")?;
        client.demand("PASS wonderland")?;
        let got = client.retrieve(DataMode::Pasv, "/file.bin", Some(&file))?;
        ensure!(got.intact, "the download was not what the server has");
        // The client's FIN and its QUIT may be handled by two processors, in either order.
        agent.wait("the transfer", LIMIT, |events| !events.transfers().is_empty())?;
        client.quit()
    })?;
    agent.wait_for_sessions(1, LIMIT)?;
    let events = agent.stop()?;
    compare::stream(&events)?;
    let session = &events.sessions()[0];
    compare::clean(session)?;
    compare::dialogue(session, &transcript)?;

    let steps: Vec<String> = session.0.iter().map(step).collect();
    let expected = [
        "session_start",
        "reply 220",
        "command USER alice",
        "reply 331",
        "command PASS ***",
        "reply 230",
        "login success",
        "command PASV",
        "reply 227",
        "data_channel 192.168.1.109:26758",
        "command RETR /file.bin",
        "reply 150",
        "reply 226",
        "transfer complete",
        "command QUIT",
        "reply 221",
        "session_end",
    ];
    // The data connection's end and the 226 cross: either may complete the transfer.
    let mut found = steps.clone();
    let done = found.iter().position(|step| step == "transfer complete").context("no transfer")?;
    let verdict = found.iter().position(|step| step == "reply 226").context("no 226")?;
    if verdict > done {
        found.swap(verdict, done);
    }
    let expected: Vec<String> = expected.iter().map(|step| (*step).to_owned()).collect();
    same("step", &expected, &found)?;

    let pasv = session.replies().into_iter().find(|(code, _)| *code == 227).context("no 227")?;
    same("227", &["Entering Passive Mode (192,168,1,109,104,134)."], &[pasv.1.as_str()])?;
    let transfer = session.of("transfer")[0];
    same("initiator", &["192.168.1.106:58985".to_owned()], &[transfer.endpoint("/data/initiator")])?;
    same("listener", &["192.168.1.109:26758".to_owned()], &[transfer.endpoint("/data/listener")])?;
    ensure!(transfer.number("/data/bytes_from_server") == Some(1_000_000), "{}", transfer.0);
    for field in
        ["/data/handshake/syn", "/data/handshake/syn_ack_us", "/data/handshake/ack_us", "/data/handshake_us"]
    {
        ensure!(transfer.has(field), "no {field} in {}", transfer.0);
    }
    let start = session.of("session_start")[0];
    same("client", &["192.168.1.106:57658".to_owned()], &[start.endpoint("/client")])?;
    same("server", &["192.168.1.109:21".to_owned()], &[start.endpoint("/server")])?;
    let times: Vec<&str> = session.0.iter().map(|event| event.text("/ts")).collect();
    ensure!(times.is_sorted(), "the times go back: {times:?}");
    ensure!(!session.to_text().contains("wonderland"), "the password is not masked");
    drop(server);
    Ok(())
}

/// An event in a word or two.
fn step(event: &ftpmon_tests::events::Event) -> String {
    match event.name() {
        "reply" => format!("reply {}", event.number("/reply/code").unwrap_or(0)),
        "command" => {
            let argument =
                event.0["command"]["arg"].as_str().map(|arg| format!(" {arg}")).unwrap_or_default();
            format!("command {}{argument}", event.text("/command/verb"))
        }
        "login" => format!("login {}", event.text("/login/outcome")),
        "data_channel" => format!("data_channel {}", event.endpoint("/data")),
        "transfer" => format!("transfer {}", event.text("/transfer/outcome")),
        name => name.to_owned(),
    }
}

/// Two clients at once, and an aborted transfer, in every mode.
#[test]
fn sessions_at_once_and_aborts() {
    test("sessions_at_once_and_aborts", &[Need::Agent], || {
        for (hook, family) in [("native", Family::V4), ("generic", Family::V6), ("tcx", Family::V4)] {
            at_once(hook, family).with_context(|| format!("{hook}, {family:?}"))?;
        }
        Ok(())
    });
}

fn at_once(hook: &str, family: Family) -> Result<()> {
    let net = Direct::new(1500)?;
    let at = address(family);
    let behaviour = Behaviour::default()
        .with_file("/one", Content::Pattern(2_000_003))
        .with_file("/huge", Content::Pattern(1 << 40));
    let server = net.server.run(|| Server::start(at, behaviour))?;
    let agent = agent(&net, hook, &[])?;
    let modes: &[DataMode] =
        if family == Family::V4 { &DataMode::ALL } else { &[DataMode::Epsv, DataMode::Eprt] };
    let talk = |user: &'static str| {
        let client = net.client.clone();
        thread::spawn(move || {
            client.run(|| {
                let mut client = Client::connect(at, ClientOptions::default())?;
                client.login(user, "wonderland")?;
                let mut expected = Vec::new();
                for mode in modes {
                    client.retrieve(*mode, "/one", None)?;
                    expected.push(Expected::complete("RETR", mode.name(), 2_000_003));
                    client.store(*mode, "STOR", &format!("/{user}"), &Content::Pattern(50_000))?;
                    expected.push(Expected::complete("STOR", mode.name(), 50_000));
                    client.abort_download(*mode, "/huge", 300_000)?;
                    expected.push(Expected {
                        bytes: None,
                        outcome: "aborted".into(),
                        ..Expected::complete("RETR", mode.name(), 0)
                    });
                }
                Ok((user, client.quit()?, expected))
            })
        })
    };
    let talks: Vec<_> = [talk("alice"), talk("anonymous")]
        .into_iter()
        .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))?)
        .collect::<Result<_>>()?;
    agent.wait_for_sessions(2, LIMIT)?;
    let events = agent.stop()?;
    compare::stream(&events)?;
    for (user, transcript, expected) in &talks {
        let sessions = events.sessions();
        let session = sessions
            .iter()
            .find(|session| session.commands().first().is_some_and(|line| line.ends_with(user)))
            .with_context(|| format!("no session of {user}"))?;
        compare::dialogue(session, transcript)?;
        compare::endpoints(session, transcript)?;
        compare::transfers(session, expected)?;
        compare::clean(session)?;
    }
    drop(server);
    Ok(())
}

/// Frames lost, doubled and late on the way: every word of the dialogue and every byte is still told once.
#[test]
fn bad_wire() {
    test("bad_wire", &[Need::Agent, Need::Tool("ethtool")], || {
        for hook in HOOKS {
            over_a_bad_wire(hook).with_context(|| format!("hook {hook}"))?;
        }
        Ok(())
    });
}

fn over_a_bad_wire(hook: &str) -> Result<()> {
    const SESSIONS: usize = 12;
    let net = Relayed::new(1500, Mischief { lost: 10, doubled: 20, late: 50, by: 3 })?;
    let at = address(Family::V4);
    let behaviour = Behaviour::default().with_file("/file", Content::Pattern(400_007));
    let server = net.server.run(|| Server::start(at, behaviour))?;
    let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--hook", hook])?;
    let talks: Vec<Transcript> = net.client.run(|| {
        let talk = |_| {
            let mut client = Client::connect(at, ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            client.retrieve(DataMode::Pasv, "/file", None)?;
            client.store(DataMode::Eprt, "STOR", "/up", &Content::Pattern(100_003))?;
            client.quit()
        };
        (0..SESSIONS).map(talk).collect()
    })?;
    agent.wait_for_sessions(SESSIONS, LIMIT)?;
    let events = agent.stop()?;
    compare::stream(&events)?;
    let expected = [Expected::complete("RETR", "PASV", 400_007), Expected::complete("STOR", "EPRT", 100_003)];
    for (session, transcript) in events.sessions().iter().zip(&talks) {
        let check = || {
            compare::dialogue(session, transcript)?;
            compare::transfers(session, &expected)?;
            compare::clean(session)
        };
        check().with_context(|| session.to_text())?;
    }
    drop(server);
    Ok(())
}

/// A ring far too small: traffic unharmed, losses told by reason and in the sessions, and the sessions continue.
#[test]
fn small_ring() {
    test("small_ring", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let at = address(Family::V4);
        // Replies larger than the ring holds: some will not fit, however quick the agent is.
        let long: String = (0..600).map(|n| format!("line {n} of a reply that fills the ring\r\n")).collect();
        let mut behaviour = Behaviour::default();
        behaviour.scripted.insert("HELP".into(), format!("214-Help\r\n{long}214 End\r\n"));
        let server = net.server.run(|| Server::start(at, behaviour))?;
        let agent = agent(&net, "tcx", &["--ring-size", "4096"])?;
        net.client.run(|| {
            let mut client = Client::connect(at, ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            for _ in 0..20 {
                client.demand("HELP")?;
                client.demand("NOOP")?;
            }
            client.quit()
        })?;
        agent.wait("a session_end", LIMIT, |events| events.count("session_end") > 0)?;
        let events = agent.stop()?;
        ensure!(events.lost() > 0, "nothing was lost: the ring was not too small");
        let session = &events.sessions()[0];
        ensure!(session.count("gap") > 0, "no gap in a session that lost bytes");
        let last = session.commands().last().cloned();
        ensure!(last.as_deref() == Some("QUIT"), "the session did not go on: last command {last:?}");
        drop(server);
        Ok(())
    });
}

/// A client that is gone before the reply comes: its FIN is answered with data, and the data with RST.
#[test]
fn client_gone_before_the_reply() {
    test("client_gone_before_the_reply", &[Need::Agent], || {
        for hook in HOOKS {
            let net = Direct::new(1500)?;
            let at = address(Family::V4);
            let server = net.server.run(|| Server::start(at, Behaviour::default()))?;
            let agent = agent(&net, hook, &[])?;
            net.client.run(|| {
                let mut client = Client::connect(at, ClientOptions::default())?;
                client.login("alice", "wonderland")?;
                client.send("PWD")
            })?;
            agent.wait_for_sessions(1, LIMIT).with_context(|| format!("hook {hook}"))?;
            let events = agent.stop()?;
            compare::stream(&events)?;
            compare::clean(&events.sessions()[0]).with_context(|| format!("hook {hook}"))?;
            drop(server);
        }
        Ok(())
    });
}

/// RFC 959's default data port: nothing is announced, the server connects to where the control connection comes from.
#[test]
fn default_data_port() {
    test("default_data_port", &[Need::Agent], || {
        for hook in HOOKS {
            at_the_default_port(hook).with_context(|| format!("hook {hook}"))?;
        }
        Ok(())
    });
}

fn at_the_default_port(hook: &str) -> Result<()> {
    let net = Direct::new(1500)?;
    let at = address(Family::V4);
    let file = Content::Pattern(300_000);
    let behaviour = Behaviour { active_source: Some(20), default_port: true, ..Behaviour::default() };
    let server = net.server.run(|| Server::start(at, behaviour.with_file("/file.bin", file)))?;
    let agent = agent(&net, hook, &[])?;
    net.client.run(|| {
        let own = SocketAddr::new(Direct::hosts(Family::V4).client, 40_123);
        let options = ClientOptions { control_from: Some(own), ..ClientOptions::default() };
        let mut client = Client::connect(at, options)?;
        client.login("alice", "wonderland")?;
        let listener = TcpListener::bind(own)?;
        client.send("STOR new.bin")?;
        let mut data = listener.accept()?.0;
        client.reply()?;
        Content::Pattern(70_000).write_from(0, &mut data, || true)?;
        drop(data);
        client.reply()?;
        client.send("RETR file.bin")?;
        let mut data = listener.accept()?.0;
        client.reply()?;
        std::io::copy(&mut data, &mut std::io::sink())?;
        drop(data);
        client.reply()?;
        client.quit()
    })?;
    agent.wait_for_sessions(1, LIMIT)?;
    let events = agent.stop()?;
    compare::stream(&events)?;
    let session = &events.sessions()[0];
    let transfers = session.transfers();
    ensure!(transfers.len() == 2, "{}", session.to_text());
    for (transfer, bytes) in transfers.iter().zip([70_000, 300_000]) {
        ensure!(transfer.number("/transfer/bytes") == Some(bytes), "{}", transfer.0);
        ensure!(transfer.0.to_string().contains(r#""outcome":"complete""#), "{}", transfer.0);
        same(
            "listener",
            &[format!("{}:40123", Direct::hosts(Family::V4).client)],
            &[transfer.endpoint("/data/listener")],
        )?;
    }
    drop(server);
    Ok(())
}

/// Garbage on port 21 is an anomaly, and the next session is read as ever.
#[test]
fn garbage_on_the_control_port() {
    test("garbage_on_the_control_port", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let at = address(Family::V4);
        let server = net.server.run(|| Server::start(at, Behaviour::default()))?;
        let agent = agent(&net, "tcx", &[])?;
        let transcript: Transcript = net.client.run(|| {
            let mut client = Client::connect(at, ClientOptions::default())?;
            let mut garbage: Vec<u8> = (0..=255).cycle().take(100_000).collect();
            garbage.extend_from_slice(b"\r\n");
            // The server may close in the middle of it.
            let _ = client.send_raw(&garbage);
            drop(client);
            let mut client = Client::connect(at, ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            client.quit()
        })?;
        agent.wait_for_sessions(2, LIMIT)?;
        let events = agent.stop()?;
        let sessions = events.sessions();
        ensure!(sessions[0].count("anomaly") > 0, "no anomaly: {}", sessions[0].to_text());
        compare::dialogue(&sessions[1], &transcript)?;
        compare::stream(&events)?;
        drop(server);
        Ok(())
    });
}
