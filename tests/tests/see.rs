//! The textbook session in namespaces, explained as it goes on (`run --explain`) and from the capture that the agent wrote of it, in
//! both languages: every step that the textbook names, in its order.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Ports, Server};
use ftpmon_tests::net::Direct;
use ftpmon_tests::poll;
use ftpmon_tests::process::{Running, run, run_ok};
use nix::sys::signal::Signal;

/// The longest wait for what the agent says.
const LIMIT: Duration = Duration::from_secs(30);

/// A language: its name, its locale, and its words of the handshake and of the data connection.
struct Language {
    name: &'static str,
    locale: &'static str,
    handshake: [&'static str; 3],
    connects: &'static str,
}

const LANGUAGES: [Language; 2] = [
    Language {
        name: "en",
        locale: "C.UTF-8",
        handshake: ["Handshake, 1 of 3", "Handshake, 2 of 3", "Handshake, 3 of 3"],
        connects: "192.168.1.106:58985 connects to 192.168.1.109:26758",
    },
    Language {
        name: "zh",
        locale: "zh_CN.UTF-8",
        handshake: ["三次握手第一步", "三次握手第二步", "三次握手第三步"],
        connects: "192.168.1.106:58985 连接到 192.168.1.109:26758",
    },
];

/// The dialogue, with the sum of the passive port.
const DIALOGUE: [&str; 12] = [
    "220",
    "USER alice",
    "331",
    "PASS ***",
    "230",
    "PASV",
    "227 Entering Passive Mode (192,168,1,109,104,134)",
    "104·256+134 = 26758",
    "RETR /Music.mp3",
    "150",
    "QUIT",
    "221",
];

#[test]
fn the_textbook_session_is_explained_in_both_languages() {
    test("the_textbook_session_is_explained_in_both_languages", &[Need::Agent], || {
        LANGUAGES.iter().try_for_each(|language| explained(language).context(language.name))
    });
}

fn explained(language: &Language) -> Result<()> {
    let net = Direct::with_addresses(1500, &["192.168.1.106/24"], &["192.168.1.109/24"])?;
    let behaviour = Behaviour { passive_ports: Ports::Cycle(vec![26758]), ..Behaviour::default() }
        .with_file("/Music.mp3", Content::Pattern(4_980));
    let at: SocketAddr = "192.168.1.109:21".parse()?;
    let server = net.server.run(|| Server::start(at, behaviour))?;
    let scratch = Scratch::new("see")?;
    let capture = scratch.path().join("textbook.pcapng");
    let status = format!("unix:{}", scratch.path().join("status").display());
    let mut command = net.server.command(&binary()?.to_string_lossy());
    command.env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", language.locale);
    command.args(["run", "--iface", Direct::DEVICE, "--explain", "--files", "hash", "--status", &status]);
    let mut agent = Running::start(command.arg("--write-pcap").arg(&capture))?;
    poll::until("the agent watches", LIMIT, || {
        let asked = run(Command::new(binary()?).args(["status", "--status", &status]))?;
        Ok(asked.status.success().then_some(()))
    })
    .with_context(|| agent.stderr.text())?;
    net.client.run(|| {
        let options = ClientOptions {
            control_from: Some("192.168.1.106:57658".parse()?),
            data_from: Some("192.168.1.106:58985".parse()?),
        };
        let mut client = Client::connect(at, options)?;
        client.login("alice", "wonderland")?;
        client.retrieve(DataMode::Pasv, "/Music.mp3", None)?;
        client.quit().map(drop)
    })?;
    poll::until("the end of the ladder", LIMIT, || Ok(agent.stdout.text().contains("221").then_some(())))?;
    agent.signal(Signal::SIGINT)?;
    agent.wait(LIMIT)?;
    drop(server);
    let live = agent.stdout.text();
    ensure!(live.contains("192.168.1.106:57658"), "{live}");
    has(&live, &DIALOGUE).context("live")?;

    let mut explain = Command::new(binary()?);
    let text = run_ok(explain.args(["explain", "--lang", language.name]).arg(&capture))?;
    has(&text, &[&language.handshake[..], &DIALOGUE[..]].concat()).context("from its capture")?;
    // Whose packets a processor handled first differs: the data connection may stand before or behind RETR.
    has(&text, &[language.connects]).context("the data connection")?;
    ensure!(text.contains("FIN, ACK") && text.contains("4980"), "the end of the file: {text}");
    ensure!(!text.contains("wonderland") && !live.contains("wonderland"), "the password is there");
    Ok(())
}

/// All steps, in their order. Lines may be broken anywhere within one.
fn has(ladder: &str, steps: &[&str]) -> Result<()> {
    let squeezed = |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != '│').collect::<String>();
    let text = squeezed(ladder);
    let mut rest = text.as_str();
    for step in steps {
        let found = rest.split_once(&squeezed(step));
        rest = found.with_context(|| format!("no {step:?} in its place in\n{ladder}"))?.1;
    }
    Ok(())
}
