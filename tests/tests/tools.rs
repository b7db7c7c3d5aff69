//! Tools of attackers against real servers, and real clients: the first give the alerts that they have to, the others none.
//!
//! The names begin with `tools_`: `cargo xtask test --only tools` installs the tools and runs these.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::ftp::{Behaviour, Server};
use ftpmon_tests::net::{Direct, Family};
use ftpmon_tests::party::{PASSWORD, Party, RealServer, Tree, USER, visits};
use ftpmon_tests::poll;

/// The longest time until an alert is there.
const SOON: Duration = Duration::from_secs(20);
/// The longest time that a tool may take, seconds, for `timeout` of coreutils.
const TOOL_LIMIT: &str = "90";

/// A tool's line: `HOST`, `PASSWORDS`, `USERS` and `PAIRS` stand for an address and for files.
struct Attack {
    tool: &'static str,
    line: &'static [&'static str],
    /// Alerts that it has to give.
    gives: &'static [&'static str],
    /// Alerts that it may give beside them.
    may_give: &'static [&'static str],
}

/// Eight passwords, the last of which is right; eight users; eight pairs.
fn lists(scratch: &Scratch) -> Result<()> {
    let wrong: Vec<String> = (0..8).map(|n| format!("wrong{n}")).collect();
    let users: Vec<String> = (0..8).map(|n| format!("user{n}")).collect();
    let pairs: Vec<String> = (0..12).map(|n| format!("user{n}:secret{n}")).collect();
    scratch.write("passwords", format!("{}\n{PASSWORD}\n", wrong.join("\n")))?;
    scratch.write("users", users.join("\n") + "\n")?;
    scratch.write("pairs", pairs.join("\n") + "\n")?;
    Ok(())
}

fn told(agent: &Agent) -> BTreeSet<String> {
    agent.events().of("alert").iter().map(|alert| alert.text("/alert/id").to_owned()).collect()
}

fn attack(net: &Direct, attack: &Attack, options: &[&str]) -> Result<()> {
    let scratch = Scratch::new("tools")?;
    lists(&scratch)?;
    let host = Direct::hosts(Family::V4).server.to_string();
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let (passwords, users, pairs) = (path("passwords"), path("users"), path("pairs"));
    let words = attack.line.iter().map(|word| {
        let word = word.replace("HOST", &host).replace("PASSWORDS", &passwords);
        word.replace("USERS", &users)
            .replace("PAIRS", &pairs)
            .replace("ALICE", USER)
            .replace("RIGHT", PASSWORD)
    });
    let agent = Agent::start(&net.server, &[&["--iface", Direct::DEVICE], options].concat())?;
    let mut command: Command = net.client.command("timeout");
    command
        .arg(TOOL_LIMIT)
        .arg(attack.tool)
        .args(words)
        .current_dir(scratch.path())
        .env("HOME", scratch.path());
    let output = command.output().context("cannot run timeout")?;
    let said = || {
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        format!("{}: {}: {}", attack.tool, output.status, String::from_utf8_lossy(&text))
    };
    let wanted: BTreeSet<String> = attack.gives.iter().map(|id| (*id).to_owned()).collect();
    poll::until("the alerts", SOON, || Ok(told(&agent).is_superset(&wanted).then_some(())))
        .with_context(|| format!("{:?} of {wanted:?}; {}", told(&agent), said()))?;
    let found = told(&agent);
    agent.stop()?;
    let known = |id: &String| wanted.contains(id) || attack.may_give.contains(&id.as_str());
    ensure!(found.iter().all(known), "{} gives {found:?}", attack.tool);
    Ok(())
}

fn against(name: &str, server: Party, attacks: &[Attack], options: &[&str]) {
    let mut needs = vec![Need::Agent, Need::Party(server), Need::Tool("timeout")];
    needs.extend(attacks.iter().map(|attack| Need::Tool(attack.tool)));
    test(name, &needs, || {
        let net = Direct::new(1500)?;
        let _server = RealServer::start(server, &net.server, Direct::hosts(Family::V4).server)?;
        attacks.iter().try_for_each(|one| attack(&net, one, options))
    });
}

const GUESSED: &[&str] = &["login-guessing", "login-guessed"];

#[test]
fn tools_hydra() {
    let guess = Attack {
        tool: "hydra",
        line: &["-I", "-l", "ALICE", "-P", "PASSWORDS", "-t", "4", "ftp://HOST"],
        gives: GUESSED,
        may_give: &[],
    };
    let spray = Attack {
        tool: "hydra",
        line: &["-I", "-L", "USERS", "-p", "summer", "-t", "4", "ftp://HOST"],
        gives: &["login-spraying"],
        may_give: &[],
    };
    against("tools_hydra", Party::Vsftpd, &[guess, spray], &[]);
}

#[test]
fn tools_hydra_with_pairs() {
    let stuff = Attack {
        tool: "hydra",
        line: &["-I", "-C", "PAIRS", "-t", "4", "ftp://HOST"],
        gives: &["login-stuffing", "login-spraying"],
        may_give: &[],
    };
    against("tools_hydra_with_pairs", Party::Pyftpdlib, &[stuff], &["--secrets", "hash"]);
}

#[test]
fn tools_medusa() {
    let line = &["-h", "HOST", "-u", "ALICE", "-P", "PASSWORDS", "-M", "ftp", "-t", "2", "-f"];
    against(
        "tools_medusa",
        Party::Proftpd,
        &[Attack { tool: "medusa", line, gives: GUESSED, may_give: &[] }],
        &[],
    );
}

#[test]
fn tools_ncrack() {
    // It takes its time, too long for five refusals in a minute.
    let attack = Attack {
        tool: "ncrack",
        line: &["-T5", "--user", "ALICE", "-P", "PASSWORDS", "-f", "ftp://HOST"],
        gives: &["login-guessed"],
        may_give: &["login-guessing"],
    };
    against("tools_ncrack", Party::Vsftpd, &[attack], &[]);
}

#[test]
fn tools_patator() {
    let line = &["ftp_login", "host=HOST", "user=ALICE", "password=FILE0", "0=PASSWORDS"];
    against(
        "tools_patator",
        Party::Vsftpd,
        &[Attack { tool: "patator", line, gives: GUESSED, may_give: &[] }],
        &[],
    );
}

/// A server that refuses the first PORT ends the scan; one that takes all is a scanner.
#[test]
fn tools_nmap() {
    const LINE: &[&str] = &["-n", "-Pn", "-v", "-p", "2001-2016", "-b", "ALICE:RIGHT@HOST", "10.77.0.9"];
    let scan = || Attack { tool: "nmap", line: LINE, gives: &["ftp-bounce"], may_give: &[] };
    against("tools_nmap", Party::Vsftpd, &[scan()], &[]);
    test("tools_nmap", &[Need::Agent, Need::Tool("nmap"), Need::Tool("timeout")], || {
        let net = Direct::new(1500)?;
        let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        let _server = net.server.run(|| Server::start(at, Behaviour::default()))?;
        let may_give = &["data-connection-failures"];
        attack(&net, &Attack { may_give, ..scan() }, &[])
    });
}

/// Real clients, and wget: what people do gives no alert.
#[test]
fn tools_of_people_give_none() {
    let clients = [Party::Curl, Party::Lftp, Party::Tnftp, Party::Ftplib];
    let servers = [Party::Vsftpd, Party::Proftpd, Party::PureFtpd, Party::Pyftpdlib];
    let mut needs = vec![Need::Agent, Need::Tool("wget")];
    needs.extend(clients.iter().chain(&servers).map(|party| Need::Party(*party)));
    test("tools_of_people_give_none", &needs, || {
        for server in servers {
            let net = Direct::new(1500)?;
            let ip = Direct::hosts(Family::V4).server;
            let running = RealServer::start(server, &net.server, ip)?;
            let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE])?;
            let mut sessions = 0;
            for client in clients {
                sessions += visits(client, &net.client, ip)?.len();
            }
            let scratch = Scratch::new("wget")?;
            let mut wget = net.client.command("wget");
            wget.args(["-q", "-O", "small", &format!("ftp://{USER}:{PASSWORD}@{ip}/{}", Tree::SMALL.0)]);
            let got = wget.current_dir(scratch.path()).status()?;
            ensure!(got.success(), "wget: {got}");
            sessions += 1;
            agent.wait_for_sessions(sessions, SOON)?;
            let events = agent.stop()?;
            let alerts: Vec<String> = events.of("alert").iter().map(|alert| alert.0.to_string()).collect();
            ensure!(alerts.is_empty(), "{server:?}: {alerts:#?}");
            drop(running);
        }
        Ok(())
    });
}
