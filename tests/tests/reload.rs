//! SIGHUP: the configuration is read again while sessions run.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::configured::Configured;
use ftpmon_tests::events::{Event, Events};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Direct, Family};
use ftpmon_tests::poll;

const SOON: Duration = Duration::from_secs(20);
const BYTES: u64 = 1_000;

fn serve(net: &Direct, port: u16) -> Result<Server> {
    let address = SocketAddr::new(Direct::hosts(Family::V4).server, port);
    let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(BYTES));
    net.server.run(|| Server::start(address, behaviour))
}

fn session(net: &Direct, server: &Server) -> Result<()> {
    net.client.run(|| {
        let mut client = Client::connect(server.address(), ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        let got = client.retrieve(DataMode::Pasv, "/a.bin", None)?;
        ensure!(got.bytes == BYTES, "{got:?}");
        client.quit().map(drop)
    })
}

fn outcome(event: &Event) -> (&str, Vec<&str>) {
    let changes = event.0["config"]["changes"].as_array().into_iter().flatten();
    (event.text("/config/outcome"), changes.filter_map(|change| change["name"].as_str()).collect())
}

#[test]
fn a_reload_under_load_loses_no_session_and_makes_no_false_gap() {
    test("a_reload_under_load_loses_no_session_and_makes_no_false_gap", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let (server, other) = (serve(&net, 21)?, serve(&net, 2121)?);
        let mut configured = Configured::start("load", &net.server, "ports = [21]\n")?;
        let over = AtomicBool::new(false);
        let done = std::thread::scope(|scope| -> Result<usize> {
            let load = scope.spawn(|| -> Result<usize> {
                let mut done = 0;
                while !over.load(Ordering::Relaxed) {
                    session(&net, &server)?;
                    done += 1;
                    // Some hundred sessions a second: events are kept in memory.
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok(done)
            });
            let reloads = (|| -> Result<()> {
                for turn in 0..10 {
                    let (ports, limit) = if turn % 2 == 0 { ("[21, 2121]", 1000) } else { ("[21]", 2000) };
                    let event =
                        configured.reload(&format!("ports = {ports}\n[limits]\nflows = {limit}\n"))?;
                    ensure!(
                        outcome(&event) == ("applied", vec!["limits.flows", "ports.control"]),
                        "{event:?}"
                    );
                    let before = configured.sessions();
                    poll::until("sessions between reloads", SOON, || {
                        Ok((configured.sessions() >= before + 5).then_some(()))
                    })?;
                    if turn % 2 == 0 {
                        session(&net, &other)?;
                    }
                }
                Ok(())
            })();
            over.store(true, Ordering::Relaxed);
            let done = load.join().map_err(|_| anyhow::anyhow!("the load panicked"))?;
            reloads.and(done)
        })?;
        configured.agent.wait_for_sessions(done + 5, SOON)?;
        let events = configured.agent.stop()?;
        for name in ["session_start", "session_end", "transfer"] {
            ensure!(events.count(name) == done + 5, "{name}: {} of {}", events.count(name), done + 5);
        }
        ensure!(events.count("gap") == 0 && events.count("anomaly") == 0, "{}", events.to_text());
        let sequence: Vec<_> = events.0.iter().filter_map(|event| event.number("/seq")).collect();
        ensure!(sequence.iter().copied().eq(0..events.0.len() as u64), "numbers: {sequence:?}");
        let incomplete =
            |event: &&Event| event.name() == "transfer" && event.text("/transfer/outcome") != "complete";
        ensure!(!events.0.iter().any(|event| incomplete(&event)), "{}", events.to_text());
        Ok(())
    });
}

#[test]
fn a_session_goes_on_when_its_port_is_taken_away() {
    test("a_session_goes_on_when_its_port_is_taken_away", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let server = serve(&net, 21)?;
        let mut configured = Configured::start("port", &net.server, "ports = [21]\n")?;
        net.client.run(|| {
            let mut client = Client::connect(server.address(), ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            let event = configured.reload("ports = [2121]\nsecrets = \"show\"\n")?;
            ensure!(outcome(&event) == ("applied", vec!["ports.control", "secrets.policy"]), "{event:?}");
            client.retrieve(DataMode::Pasv, "/a.bin", None)?;
            client.quit().map(drop)
        })?;
        configured.agent.wait_for_sessions(1, SOON)?;
        // The port is none of the agent's any more, even while the kernel still selects it.
        session(&net, &server)?;
        let (other, text) = (serve(&net, 2121)?, "wonderland");
        session(&net, &other)?;
        configured.agent.wait_for_sessions(2, SOON)?;
        let events = configured.agent.stop()?;
        ensure!(events.count("session_start") == 2 && events.count("transfer") == 2, "{}", events.to_text());
        ensure!(events.count("gap") == 0, "{}", events.to_text());
        ensure!(events.to_text().contains(text), "secrets are shown since the reload");
        Ok(())
    });
}

#[test]
fn a_reload_takes_effect_as_a_whole_or_not_at_all() {
    test("a_reload_takes_effect_as_a_whole_or_not_at_all", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let (server, other) = (serve(&net, 21)?, serve(&net, 2121)?);
        let mut configured = Configured::start("whole", &net.server, "ports = [21]\n")?;
        let file = configured.path().display().to_string();
        for (text, reason) in [
            ("ports = [21, 2121]\nprots = 5\n".to_owned(), format!("{file}:2: unknown key `prots`")),
            ("ports = [21, 2121]\nfiles = \"hash\"\n".to_owned(), "files.policy cannot change".to_owned()),
            (
                "ports = [21, 2121]\noutput = [\"-\", \"/nonexistent/x\"]\n".to_owned(),
                "/nonexistent/x".to_owned(),
            ),
        ] {
            let event = configured.reload(&text)?;
            ensure!(event.text("/config/outcome") == "refused", "{event:?}");
            ensure!(event.text("/config/reason").contains(&reason), "{event:?}");
            poll::until("the reason", SOON, || {
                Ok(configured.agent.diagnostics().contains(&reason).then_some(()))
            })?;
        }
        session(&net, &other)?;
        session(&net, &server)?;
        configured.agent.wait_for_sessions(1, SOON)?;
        let events = configured.agent.stop()?;
        ensure!(events.count("session_start") == 1, "{}", events.to_text());
        Ok(())
    });
}

#[test]
fn outputs_come_and_go() {
    test("outputs_come_and_go", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let server = serve(&net, 21)?;
        let mut configured = Configured::start("outputs", &net.server, "output = \"-\"\n")?;
        let logins = configured.path().with_extension("json");
        let route = format!(
            "output = \"-\"\n[[route]]\noutput = {logins:?}\nevents = [\"sensor_start\", \"login\", \"config\"]\n"
        );
        let event = configured.reload(&route)?;
        ensure!(outcome(&event) == ("applied", vec!["routes"]), "{event:?}");
        session(&net, &server)?;
        configured.agent.wait_for_sessions(1, SOON)?;
        configured.reload("output = \"-\"\n")?;
        session(&net, &server)?;
        configured.agent.wait_for_sessions(2, SOON)?;
        let events = configured.agent.stop()?;
        let kept = std::fs::read_to_string(&logins)?;
        std::fs::remove_file(logins)?;
        let kept = Events::from_lines(&kept.lines().map(str::to_owned).collect::<Vec<_>>());
        let names: Vec<&str> = kept.0.iter().map(Event::name).collect();
        ensure!(names == ["sensor_start", "login", "config"], "{names:?}");
        ensure!(events.count("login") == 2 && events.count("config") == 2, "{}", events.to_text());
        Ok(())
    });
}
