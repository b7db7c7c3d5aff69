//! One agent an interface, and exit codes that tell an ordinary end from a failure.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Server};
use ftpmon_tests::net::{Direct, Family};
use ftpmon_tests::poll;
use ftpmon_tests::process::{Finished, Running, run};
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(20);
const WATCH: [&str; 2] = ["--iface", Direct::DEVICE];

/// Runs `ftpmon run` on the device with these arguments to its end.
fn refused(net: &Direct, arguments: &[&str]) -> Result<Finished> {
    let mut command = net.server.command(&binary()?.to_string_lossy());
    run(command.arg("run").args(WATCH).args(arguments))
}

#[test]
fn a_second_agent_is_refused_unless_it_shares() {
    test("a_second_agent_is_refused_unless_it_shares", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let mut first = Agent::start(&net.server, &WATCH)?;
        let named = |finished: &Finished, agent: u32| {
            ensure!(finished.status.code() == Some(1), "{}: {}", finished.status, finished.stderr);
            let words = [format!("process {agent}"), Direct::DEVICE.to_owned(), "--share".to_owned()];
            ensure!(words.iter().all(|word| finished.stderr.contains(word)), "{}", finished.stderr);
            ensure!(
                finished.stderr.lines().count() == 1 && finished.stdout.is_empty(),
                "{}",
                finished.stderr
            );
            Ok(())
        };
        // Another hook on ingress is the same one on egress; a pattern means the interface too.
        for arguments in [&[][..], &["--hook", "generic"], &["--iface", "eth*"]] {
            named(&refused(&net, arguments)?, first.process().id())?;
        }
        let mut sharing = Agent::start(&net.server, &[&WATCH[..], &["--share"]].concat())?;
        first.stop()?;
        named(&refused(&net, &[])?, sharing.process().id())?;

        // One that was killed is in nobody's way.
        sharing.process().signal(Signal::SIGKILL)?;
        sharing.process().wait(SOON)?;
        let mut next = Agent::start(&net.server, &WATCH)?;
        next.process().signal(Signal::SIGKILL)?;
        next.process().wait(SOON)?;
        Agent::start(&net.server, &WATCH)?.stop().map(drop)
    });
}

/// A shell runs `ftpmon run` on the device, with a redirection of its standard output.
fn redirected(net: &Direct, redirection: &str) -> Result<Running> {
    let mut command = net.server.command("sh");
    let line = format!("exec {} run --iface {} {redirection}", binary()?.display(), Direct::DEVICE);
    Running::start(command.args(["-c", &line]))
}

#[test]
fn a_closed_standard_output_is_an_error_at_the_start() {
    test("a_closed_standard_output_is_an_error_at_the_start", &[Need::Agent, Need::Tool("sh")], || {
        let net = Direct::new(1500)?;
        let mut agent = redirected(&net, ">&-")?;
        let status = agent.wait(SOON)?;
        let said = agent.stderr.all();
        ensure!(status.code() == Some(1) && said.len() == 1, "{status}: {said:?}");
        ensure!(said.iter().all(|line| line.contains("closed") && line.contains("--output")), "{said:?}");
        // Another output does without it, and /dev/null is an output like others.
        let scratch = Scratch::new("closed")?;
        let file = scratch.path().join("events.json");
        for redirection in [format!("--output {} >&-", file.display()), "> /dev/null".to_owned()] {
            let mut agent = redirected(&net, &redirection)?;
            poll::until("its socket", SOON, || {
                let watched =
                    net.server.run(|| Ok(std::fs::read_to_string("/proc/thread-self/net/unix")?))?;
                Ok(watched.contains("@ftpmon/watch/").then_some(()))
            })?;
            agent.signal(Signal::SIGTERM)?;
            let status = agent.wait(SOON)?;
            ensure!(status.code() == Some(0), "{status}: {}", agent.stderr.text());
        }
        Ok(())
    });
}

#[test]
fn an_output_that_fails_for_good_is_a_failure() {
    test("an_output_that_fails_for_good_is_a_failure", &[Need::Agent, Need::Tool("sh")], || {
        let net = Direct::new(1500)?;
        let mut agent = redirected(&net, "> /dev/full")?;
        let status = agent.wait(SOON)?;
        let said = agent.stderr.all();
        ensure!(status.code() == Some(1), "{status}: {said:?}");
        ensure!(
            (1..=2).contains(&said.len()) && said.iter().any(|line| line.contains("No space")),
            "{said:?}"
        );
        Ok(())
    });
}

#[test]
fn a_full_disk_is_told_in_two_lines() {
    let needs = [Need::Agent, Need::Tool("unshare"), Need::Tool("mount")];
    test("a_full_disk_is_told_in_two_lines", &needs, || {
        let net = Direct::new(1500)?;
        let address = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        let _server = net.server.run(|| Server::start(address, Behaviour::default()))?;
        let scratch = Scratch::new("full")?;
        let folder = scratch.path().join("disk");
        std::fs::create_dir(&folder)?;
        let disk = folder.display();
        let line = format!(
            "mount -t tmpfs -o size=16k none {disk} && exec {} run --iface {} --output {disk}/events.json",
            binary()?.display(),
            Direct::DEVICE
        );
        let mut agent = Running::start(net.server.command("unshare").args(["-m", "sh", "-c", &line]))?;
        // Sessions until the disk is full, and more of them then.
        let visit = || {
            net.client.run(|| {
                let mut client = Client::connect(address, ClientOptions::default())?;
                client.login("alice", "wonderland")?;
                client.quit().map(drop)
            })
        };
        poll::until("the full disk", SOON, || {
            visit()?;
            Ok(agent.stderr.text().contains("No space").then_some(()))
        })?;
        (0..100).try_for_each(|_| visit())?;
        agent.signal(Signal::SIGTERM)?;
        let status = agent.wait(SOON)?;
        let said = agent.stderr.all();
        ensure!(status.code() == Some(0), "{status}: {said:?}");
        ensure!(said.len() == 2, "{} lines: {}", said.len(), said.join("\n"));
        ensure!(said.last().is_some_and(|line| line.contains("were not delivered")), "{said:?}");
        Ok(())
    });
}
