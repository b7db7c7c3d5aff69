//! `cargo xtask demo`: two hosts in namespaces, an FTP server and client, and ftpmon's events between them.

use std::env;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::demonstration::{self, Demonstration};
use ftpmon_tests::events::Events;
use ftpmon_tests::net::Direct;
use ftpmon_tests::process::Lines;

use crate::workspace::{as_root, build_agent, is_root};

/// The longest delay of a session's events.
const LIMIT: Duration = Duration::from_secs(20);
/// The interval at which new events are polled.
const INTERVAL: Duration = Duration::from_millis(20);
/// The download's size, bytes.
const DOWNLOAD: u64 = 10_000_000;
/// The upload's size, bytes.
const UPLOAD: u64 = 123_456;

/// Options of `cargo xtask demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Hook on ingress.
    #[arg(long, default_value = "native", value_parser = ["auto", "native", "generic", "tcx"])]
    hook: String,
    /// The agent, where it is built already.
    #[arg(long, hide = true)]
    agent: Option<PathBuf>,
}

/// Builds as whoever calls; namespaces and kernel programs need root.
pub(crate) fn run(args: &Args) -> Result<()> {
    let agent = match &args.agent {
        Some(agent) => agent.clone(),
        None => build_agent()?,
    };
    if !is_root() {
        println!("Namespaces and kernel programs need root: asking sudo.");
        let own = env::current_exe().context("own path")?;
        let status = as_root(&own)?.args(["demo", "--hook", &args.hook, "--agent"]).arg(&agent).status()?;
        ensure!(status.success(), "the demo failed");
        return Ok(());
    }
    ensure!(
        ftpmon_tests::machine::find("ip").is_some(),
        "the demo makes its hosts with `ip`: install iproute2 and say it again"
    );
    show(&agent, &args.hook)
}

fn show(binary: &Path, hook: &str) -> Result<()> {
    let net = Direct::with_addresses(1500, &["192.168.1.106/24"], &["192.168.1.109/24"])?;
    let demonstration =
        Demonstration { server: "192.168.1.109:21".parse()?, download: DOWNLOAD, upload: UPLOAD };
    let server = demonstration.serve(&net.server)?;
    heading(&format!(
        "client 192.168.1.106 and server 192.168.1.109 in two namespaces; ftpmon run --iface {} --hook {hook} on the server",
        Direct::DEVICE
    ));
    let agent = Agent::start_binary(binary, &net.server, &["--iface", Direct::DEVICE, "--hook", hook])?;
    let lines = agent.lines();
    let mut printed = print_new(&lines, 0);

    heading("the client logs in, downloads in passive mode and uploads in active mode");
    let transfers = demonstration.transfers(&net.client)?;
    printed = follow(&agent, &lines, printed, 1)?;

    heading("another client gives a wrong password");
    let refused = demonstration.wrong_password(&net.client)?;
    printed = follow(&agent, &lines, printed, 2)?;

    heading("SIGINT to ftpmon");
    let events = agent.stop()?;
    print_new(&lines, printed);
    drop(server);

    demonstration::check(&events, &[transfers, refused])?;
    summary(&events);
    Ok(())
}

fn heading(text: &str) {
    println!("\n── {text}");
}

/// Prints the lines from number `from` on, as ftpmon wrote them. Returns how many there are.
fn print_new(lines: &Lines, from: usize) -> usize {
    let new = lines.from(from);
    for line in &new {
        println!("{line}");
    }
    from + new.len()
}

/// Prints events as they come until `sessions` sessions have ended.
fn follow(agent: &Agent, lines: &Lines, from: usize, sessions: usize) -> Result<usize> {
    let mut printed = from;
    let mut waited = Duration::ZERO;
    while agent.events().count("session_end") < sessions {
        printed = print_new(lines, printed);
        ensure!(waited < LIMIT, "no session_end after {LIMIT:?}; ftpmon said: {}", agent.diagnostics());
        thread::sleep(INTERVAL);
        waited += INTERVAL;
    }
    Ok(print_new(lines, printed))
}

fn summary(events: &Events) {
    println!("\n── what was seen, and equals what client and server said and moved");
    for event in events.of("login") {
        println!("login     {} as {}", event.text("/login/outcome"), event.text("/login/user"));
    }
    for event in events.of("transfer") {
        println!(
            "transfer  {} {} by {} from {}: {} bytes, {}",
            event.text("/transfer/verb"),
            event.text("/transfer/path"),
            event.text("/data/via"),
            event.endpoint("/data/initiator"),
            event.data_bytes().unwrap_or(0),
            event.text("/transfer/outcome"),
        );
    }
    println!("lost      {}", events.lost());
}
