//! An agent with `--pin` ends or is killed in the midst of a session, and the next one takes over.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::chatter::{self, Chatter};
use ftpmon_tests::compare;
use ftpmon_tests::events::Events;
use ftpmon_tests::expected::Expected;
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, Server};
use ftpmon_tests::net::{Direct, Family};
use ftpmon_tests::party::Visit;
use ftpmon_tests::poll;
use ftpmon_tests::process::run_ok;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;

/// The size of the download: small, and what `soak_` tests have.
const SMALL: u64 = 64 << 20;
const LARGE: u64 = 1 << 30;
/// Sessions that exchange commands all the time.
const SESSIONS: usize = 4;
const SOON: Duration = Duration::from_secs(60);

/// A BPF file system of its own.
struct BpfFs {
    scratch: Scratch,
}

impl BpfFs {
    fn new() -> Result<Self> {
        let scratch = Scratch::new("bpf")?;
        mount(Some("bpf"), scratch.path(), Some("bpf"), MsFlags::empty(), None::<&str>)
            .context("cannot mount a BPF file system")?;
        Ok(Self { scratch })
    }

    fn pins(&self) -> PathBuf {
        self.scratch.path().join("ftpmon")
    }
}

impl Drop for BpfFs {
    fn drop(&mut self) {
        let _ = umount2(self.scratch.path(), MntFlags::MNT_DETACH);
    }
}

/// A client that continues when it is told to.
struct Download {
    allowed: Sender<u64>,
    read: Receiver<u64>,
    client: thread::JoinHandle<Result<Visit>>,
}

impl Download {
    fn start(net: &Direct, server: SocketAddr, size: u64) -> Self {
        let ((allowed, to_read), (told, read)) = (channel::<u64>(), channel());
        let namespace = net.client.clone();
        let client = thread::spawn(move || {
            namespace.run(move || {
                let mut client = Client::connect(server, ClientOptions::default())?;
                client.login("alice", "wonderland")?;
                let announced = client.demand("PASV")?.text();
                let mut data = TcpStream::connect(listener(&announced)?)?;
                client.demand("RETR /pub/report.bin")?;
                let mut chunk = vec![0; 1 << 20];
                let mut total = 0;
                while let Ok(wanted) = to_read.recv() {
                    while total < wanted {
                        let len = data.read(&mut chunk)? as u64;
                        ensure!(len > 0, "the server closed after {total} bytes");
                        total += len;
                    }
                    told.send(total)?;
                }
                ensure!(data.read(&mut chunk)? == 0 && total == size, "{total} bytes");
                drop(data);
                client.reply()?;
                client.command("NOOP")?;
                let transfers = vec![Expected::complete("RETR", "PASV", size)];
                Ok(Visit { what: "a download", transcript: client.quit()?, transfers, login: "success" })
            })
        });
        Self { allowed, read, client }
    }

    /// Lets the client read so many bytes in all, and waits for that.
    fn read_to(&self, total: u64) -> Result<()> {
        self.allowed.send(total)?;
        self.read.recv_timeout(SOON).context("the client stands still").map(drop)
    }

    /// Lets the client end.
    fn end(self) -> Result<Visit> {
        drop(self.allowed);
        self.client.join().map_err(|_| anyhow::anyhow!("the client panicked"))?
    }
}

/// The endpoint in a reply to PASV.
fn listener(text: &str) -> Result<SocketAddr> {
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    let numbers: Vec<u8> = numbers.map(str::parse).collect::<Result<_, _>>()?;
    let [a, b, c, d, high, low] = numbers.try_into().map_err(|_| anyhow::anyhow!("no endpoint: {text}"))?;
    Ok(SocketAddr::new([a, b, c, d].into(), u16::from_be_bytes([high, low])))
}

fn start(net: &Direct, hook: &str, pins: &Path, state: &Path) -> Result<Agent> {
    let (pins, state) = (pins.to_string_lossy(), state.to_string_lossy());
    let options = ["--iface", Direct::DEVICE, "--hook", hook, "--pin", &pins, "--pin-state", &state];
    Agent::start(&net.server, &options)
}

fn restart(hook: &str, signal: Signal, size: u64) -> Result<()> {
    let (net, bpf) = (Direct::new(1500)?, BpfFs::new()?);
    let state = Scratch::new("state")?;
    let state = state.path().join("state");
    let address = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    let behaviour = Behaviour::default().with_file("/pub/report.bin", Content::Pattern(size));
    let _server = net.server.run(|| Server::start(address, behaviour))?;

    let mut first = start(&net, hook, &bpf.pins(), &state)?;
    let download = Download::start(&net, address, size);
    download.read_to(size / 4)?;
    first.wait("the announcement", SOON, |events| events.count("data_channel") == 1)?;
    first.process().signal(signal)?;
    first.process().wait(SOON)?;
    // Nobody reads what the kernel counts and copies here.
    download.read_to(size / 2)?;
    let second = start(&net, hook, &bpf.pins(), &state)?;
    download.read_to(size)?;
    let visit = download.end()?;
    second.wait_for_sessions(1, SOON)?;
    let (first, second) = (first.events(), second.stop()?);

    ensure!(
        first.count("session_end") == 0 && first.count("transfer") == 0,
        "the first agent told of an end"
    );
    let mut both = Events([first.0, second.0.clone()].concat());
    both.0.retain(|event| !event.text("/session").is_empty());
    ensure!(both.sessions().len() == 1, "the second agent told of another session: {}", both.to_text());
    if signal == Signal::SIGKILL {
        let gaps = both.of("gap");
        ensure!(gaps.len() == 1 && gaps[0].text("/gap/cause") == "restart", "{gaps:?}");
        both.0.retain(|event| event.name() != "gap");
        compare::transfers(&both, &visit.transfers)?;
    } else {
        compare::visit(&both, &visit)?;
    }
    ensure!(
        both.of("transfer")[0].text("/transfer/path") == "/pub/report.bin",
        "the path is not known any more"
    );
    ensure!(second.lost() == 0, "lost {}", second.lost());
    detached(&net, &bpf.pins())
}

/// `ftpmon detach` takes everything off.
fn detached(net: &Direct, pins: &Path) -> Result<()> {
    let mut command = net.server.command(&binary()?.to_string_lossy());
    run_ok(command.args(["detach", "--pin"]).arg(pins))?;
    ensure!(!pins.exists(), "pins are left");
    let shown = || net.server.ip(&format!("-d link show {}", Direct::DEVICE));
    poll::until("the programs' going", SOON, || Ok((!shown()?.contains("prog/xdp")).then_some(())))
}

#[test]
fn a_download_goes_on_across_a_restart() {
    test("a_download_goes_on_across_a_restart", &[Need::Agent], || {
        restart("tcx", Signal::SIGTERM, SMALL)?;
        restart("native", Signal::SIGTERM, SMALL)
    });
}

#[test]
fn a_download_goes_on_after_a_kill() {
    test("a_download_goes_on_after_a_kill", &[Need::Agent], || restart("tcx", Signal::SIGKILL, SMALL));
}

/// Several restarts in the midst of commands: each command and each reply is reported once.
fn restarts(rounds: usize) -> Result<()> {
    let (net, bpf) = (Direct::new(1500)?, BpfFs::new()?);
    let state = Scratch::new("state")?;
    let state = state.path().join("state");
    let chatter = Chatter::start(&net, SESSIONS)?;
    let mut all = Events::default();
    for _ in 0..rounds {
        let mut agent = start(&net, "tcx", &bpf.pins(), &state)?;
        chatter.visit()?;
        agent.wait("a session's end", SOON, |events| events.count("session_end") > 0)?;
        agent.process().signal(Signal::SIGTERM)?;
        agent.process().wait(SOON)?;
        let events = agent.events();
        ensure!(events.lost() == 0, "lost {}", events.lost());
        all.0.extend(events.0);
    }
    chatter::check(&all)?;
    let sessions = all.sessions().len();
    ensure!(sessions == SESSIONS + rounds, "{sessions} sessions");
    detached(&net, &bpf.pins())
}

#[test]
fn commands_go_on_across_restarts() {
    test("commands_go_on_across_restarts", &[Need::Agent], || restarts(3));
}

#[test]
fn soak_restart() {
    test("soak_restart", &[Need::Agent], || {
        for hook in ["tcx", "native", "generic"] {
            restart(hook, Signal::SIGTERM, LARGE)?;
            restart(hook, Signal::SIGKILL, LARGE)?;
        }
        Ok(())
    });
}

#[test]
fn a_start_that_fails_leaves_no_pins() {
    test("a_start_that_fails_leaves_no_pins", &[Need::Agent], || {
        let (net, bpf) = (Direct::new(1500)?, BpfFs::new()?);
        let state = Scratch::new("state")?;
        let (pins, state) = (bpf.pins(), state.path().join("state"));
        let options = ["--iface", "nosuch0", "--pin", &pins.to_string_lossy(), "--pin-state"];
        let refused = Agent::start(&net.server, &[&options[..], &[&state.to_string_lossy()]].concat());
        let said = format!("{:#}", refused.err().context("it started")?);
        ensure!(said.contains("no interface is called nosuch0"), "{said}");
        ensure!(!pins.exists(), "pins are left");
        Ok(())
    });
}

#[test]
fn pins_outside_a_bpf_file_system_are_refused() {
    test("pins_outside_a_bpf_file_system_are_refused", &[Need::Agent], || {
        let (net, scratch) = (Direct::new(1500)?, Scratch::new("no-bpf")?);
        let refused = start(&net, "tcx", &scratch.path().join("ftpmon"), &scratch.path().join("state"));
        let said = format!("{:#}", refused.err().context("it started")?);
        ensure!(said.contains("not in a BPF file system"), "{said}");
        Ok(())
    });
}
