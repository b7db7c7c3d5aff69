//! The rights of the agent while it reads what strangers send.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::events::{Event, Events};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Direct, Family};
use ftpmon_tests::poll;
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(20);

/// Capabilities by their numbers (include/uapi/linux/capability.h).
const fn capabilities(numbers: &[u32]) -> u64 {
    let (mut bits, mut at) = (0, 0);
    while at < numbers.len() {
        bits |= 1 << numbers[at];
        at += 1;
    }
    bits
}

const NONE: u64 = 0;
/// CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE.
const OWNERS: u64 = capabilities(&[2, 19]);
/// CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON and CAP_BPF.
const ATTACHER: u64 = capabilities(&[12, 13, 38, 39]);
/// CAP_CHOWN and CAP_DAC_OVERRIDE.
const PATHS: u64 = capabilities(&[0, 1]);

/// The fields of `/proc/…/status`.
struct Status(BTreeMap<String, String>);

impl Status {
    fn read(path: &str) -> Result<Self> {
        let text = std::fs::read_to_string(format!("{path}/status")).with_context(|| path.to_owned())?;
        let field =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        Ok(Self(text.lines().filter_map(field).collect()))
    }

    fn field(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn confined(&self, capabilities: u64) -> Result<()> {
        let name = self.field("Name");
        ensure!(self.field("Uid").split_whitespace().all(|uid| uid != "0"), "{name}: {}", self.field("Uid"));
        ensure!(self.field("Gid").split_whitespace().all(|gid| gid != "0"), "{name}: {}", self.field("Gid"));
        for set in ["CapEff", "CapPrm"] {
            let held = u64::from_str_radix(self.field(set), 16)?;
            ensure!(held == capabilities, "{name}: {set} is {held:x}, not {capabilities:x}");
        }
        for set in ["CapInh", "CapBnd", "CapAmb"] {
            ensure!(u64::from_str_radix(self.field(set), 16)? == 0, "{name}: {set} is {}", self.field(set));
        }
        ensure!(self.field("NoNewPrivs") == "1" && self.field("Seccomp") == "2", "{name}: {:?}", self.0);
        Ok(())
    }
}

/// The only child of a process: the one that attaches to interfaces.
fn attacher(pid: u32) -> Result<Status> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let child: u32 = children.trim().parse().with_context(|| format!("children: {children:?}"))?;
    let threads = threads(child)?;
    ensure!(threads.len() == 1, "{} threads", threads.len());
    threads.into_iter().next().context("no thread")
}

/// The threads of a process by name.
fn threads(pid: u32) -> Result<Vec<Status>> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/task"))?;
    entries.map(|entry| Status::read(&entry?.path().display().to_string())).collect()
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("ftpmon-sandbox-{name}-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn serve(net: &Direct) -> Result<Server> {
    let address = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(5_000));
    net.server.run(|| Server::start(address, behaviour))
}

fn session(net: &Direct, server: &Server) -> Result<()> {
    net.client.run(|| {
        let mut client = Client::connect(server.address(), ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        client.retrieve(DataMode::Pasv, "/a.bin", None)?;
        client.quit().map(drop)
    })
}

#[test]
fn every_thread_has_the_rights_that_it_needs_and_no_others() {
    test("every_thread_has_the_rights_that_it_needs_and_no_others", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let server = serve(&net)?;
        let folder = Folder::new("rights")?;
        let (events, kept, pcap) = (folder.path("events.json"), folder.path("kept"), folder.path("x.pcapng"));
        let mut options = vec!["--iface", Direct::DEVICE, "--output", "-", "--output", &events, "--promisc"];
        options.extend(["--user", "nobody"]);
        options.extend(["--files", "extract", "--files-dir", &kept, "--write-pcap", &pcap]);
        let mut agent = Agent::start(&net.server, &options)?;
        // Connections that are gone before anybody looks have no process: until one is looked at in time.
        let mut sessions = 0;
        poll::until("a process is named", SOON, || {
            session(&net, &server)?;
            sessions += 1;
            agent.wait_for_sessions(sessions, SOON)?;
            let named = |event: &Event| event.has("/server_process/exe");
            Ok((sessions >= 3 && agent.events().transfers().iter().any(|it| named(it))).then_some(()))
        })?;
        let pid = agent.process().id();
        let threads = threads(pid)?;
        let mut names: Vec<&str> = threads.iter().map(|thread| thread.field("Name")).collect();
        names.sort_unstable();
        ensure!(
            names == ["files", "ftpmon", "opener", "output", "output", "owners", "pcap", "status"],
            "{names:?}"
        );
        for thread in &threads {
            thread.confined(match thread.field("Name") {
                "owners" => OWNERS,
                _ => NONE,
            })?;
        }
        attacher(pid)?.confined(ATTACHER)?;
        // What was asked for works: files are stored, processes are named, packets are written.
        let found = agent.stop()?;
        let transfers = found.transfers();
        ensure!(
            transfers.len() == sessions && transfers.iter().all(|transfer| transfer.has("/file/stored")),
            "{transfers:?}"
        );
        let stats = found.last("stats").context("no stats")?;
        ensure!(stats.number("/agent/owner_unreadable").unwrap_or(0) == 0, "{stats:?}");
        ensure!(std::fs::metadata(&pcap)?.len() > 5_000, "packets are missing");
        ensure!(std::fs::read_to_string(&events)?.lines().count() == found.0.len(), "events are missing");
        Ok(())
    });
}

#[test]
fn without_a_sandbox_it_says_so_and_a_user_that_is_not_there_is_refused() {
    test("without_a_sandbox_it_says_so_and_a_user_that_is_not_there_is_refused", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let mut agent = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--no-sandbox"])?;
        ensure!(agent.diagnostics().contains("--no-sandbox: all"), "{}", agent.diagnostics());
        let threads = threads(agent.process().id())?;
        ensure!(threads.iter().all(|thread| thread.field("Seccomp") == "0"), "not off");
        ensure!(attacher(agent.process().id())?.field("Seccomp") == "0", "not off");
        agent.stop()?;
        let refused = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--user", "no-such-user"]);
        let error = format!("{:#}", refused.err().context("it started")?);
        ensure!(error.contains("no such user"), "{error}");
        Ok(())
    });
}

/// The lines that a reader gets until the agent ends or `until` is in a line.
fn lines_until(listener: &TcpListener, until: &str) -> Result<Vec<String>> {
    let (stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(SOON))?;
    let mut lines = Vec::new();
    for line in BufReader::new(stream).lines() {
        lines.push(line.context("reading events")?);
        if lines.last().is_some_and(|line| line.contains(until)) {
            break;
        }
    }
    Ok(lines)
}

/// `seq` of each event, sorted, each once.
fn sequence(lines: &[String]) -> Vec<u64> {
    let events = Events::from_lines(lines);
    let numbers: BTreeSet<u64> = events.0.iter().filter_map(|event| event.number("/seq")).collect();
    numbers.into_iter().collect()
}

/// A file and those that it was rotated to.
fn all_files(folder: &Path) -> Result<(Vec<String>, usize)> {
    let (mut text, mut compressed) = (String::new(), 0);
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".gz") {
            compressed += 1;
            let unpacked = Command::new("gzip").arg("-dc").arg(&path).output()?;
            ensure!(unpacked.status.success(), "{name}");
            text.push_str(&String::from_utf8(unpacked.stdout)?);
        } else if name.starts_with("events.json") {
            text.push_str(&std::fs::read_to_string(&path)?);
        }
    }
    Ok((text.lines().map(str::to_owned).collect(), compressed))
}

fn outputs_work_within(name: &str, user: Option<&str>) {
    test(name, &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let server = serve(&net)?;
        let folder = Folder::new(if user.is_some() { "user" } else { "root" })?;
        if user.is_some() {
            std::os::unix::fs::chown(&folder.0, Some(65_534), Some(65_534))?;
        }
        let listen = |address: &str| net.server.run(|| TcpListener::bind(address).context("listening"));
        let listener = listen("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let reader = format!("tcp://localhost:{}", listener.local_addr()?.port());
        let file = format!("{},rotate=64K,keep=100,gzip=on", folder.path("events.json"));
        let spool = folder.path("spool");
        let mut options = vec!["--iface", Direct::DEVICE, "--output", "-", "--output", &file];
        options.extend(["--output", &reader, "--spool", &spool]);
        options.extend(user.iter().flat_map(|user| ["--user", user]));
        let mut agent = Agent::start(&net.server, &options)?;
        let pid = agent.process().id();
        // A thread that was just started has not given up its rights yet.
        poll::until_ok(SOON, || {
            threads(pid)?.iter().try_for_each(|thread| {
                thread.confined(match thread.field("Name") {
                    "owners" => OWNERS,
                    "ftpmon" | "status" => NONE,
                    // CAP_DAC_OVERRIDE
                    "spool" if user.is_none() => capabilities(&[1]),
                    _ if user.is_none() => PATHS,
                    _ => NONE,
                })
            })
        })?;
        attacher(pid)?.confined(ATTACHER)?;
        let mut received = lines_until(&listener, "sensor_start")?;
        drop(listener);
        for _ in 0..20 {
            session(&net, &server)?;
        }
        agent.process().signal(Signal::SIGHUP)?;
        agent.wait("the reload", SOON, |events| events.count("config") == 1)?;
        let listener = listen(&address)?;
        let reading = std::thread::spawn(move || lines_until(&listener, "\"sensor_stop\""));
        for _ in 0..20 {
            session(&net, &server)?;
        }
        agent.wait_for_sessions(40, SOON)?;
        let said = agent.diagnostics();
        let found = agent.stop()?;
        received.extend(reading.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??);
        let every: Vec<u64> = (0..found.0.len() as u64).collect();
        ensure!(sequence(&received) == every, "the reader misses some: {said}");
        let (lines, compressed) = all_files(&folder.0)?;
        ensure!(compressed > 1, "{compressed} compressed files: {said}");
        ensure!(sequence(&lines) == every, "the files miss some: {said}");
        Ok(())
    });
}

#[test]
fn spool_rotation_and_a_reader_that_comes_back_work_within() {
    outputs_work_within("spool_rotation_and_a_reader_that_comes_back_work_within", None);
}

#[test]
fn they_work_as_another_user_too() {
    outputs_work_within("they_work_as_another_user_too", Some("nobody"));
}
