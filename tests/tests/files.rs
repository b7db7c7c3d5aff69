//! `--files`: every file hashed right, and kept where the operator says and nowhere else.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::compare;
use ftpmon_tests::events::{Event, Events};
use ftpmon_tests::expected::Expected;
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Direct, Family};
use ftpmon_tests::poll;
use sha2::{Digest as _, Sha256};

const LIMIT: Duration = Duration::from_secs(20);
/// A name that a program which trusts it would write to.
const EVIL: &str = "../../etc/passwd";

fn address(family: Family) -> SocketAddr {
    SocketAddr::new(Direct::hosts(family).server, 21)
}

fn agent(net: &Direct, hook: &str, more: &[&str]) -> Result<Agent> {
    Agent::start(&net.server, &[&["--iface", Direct::DEVICE, "--hook", hook], more].concat())
}

fn sha256(content: &Content) -> Result<String> {
    let mut hash = Sha256::new();
    content.write_from(0, &mut HashWriter(&mut hash), || true)?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Every transfer is whole and has the hash of its content.
fn hashes(events: &Events, expected: &[Content]) -> Result<()> {
    let transfers = events.transfers();
    ensure!(transfers.len() == expected.len(), "{} transfers", transfers.len());
    for (transfer, content) in transfers.iter().zip(expected) {
        ensure!(transfer.text("/file/sha256") == sha256(content)?, "{}", transfer.0);
        ensure!(transfer.0["file"]["complete"] == true, "{}", transfer.0);
        ensure!(transfer.number("/file/size") == Some(content.len()), "{}", transfer.0);
    }
    ensure!(events.lost() == 0, "{:?}", events.last("stats"));
    Ok(())
}

/// Uploads and downloads in every mode.
fn every_way(hook: &str, family: Family) -> Result<()> {
    let net = Direct::new(1500)?;
    let at = address(family);
    let (down, up) = (Content::Pattern(700_001), Content::Pattern(300_007));
    let server =
        net.server.run(|| Server::start(at, Behaviour::default().with_file("/down", down.clone())))?;
    let agent = agent(&net, hook, &["--files", "hash"])?;
    let modes: &[DataMode] =
        if family == Family::V4 { &DataMode::ALL } else { &[DataMode::Epsv, DataMode::Eprt] };
    net.client.run(|| {
        let mut client = Client::connect(at, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        for mode in modes {
            client.retrieve(*mode, "/down", None)?;
            client.store(*mode, "STOR", "/up", &up)?;
        }
        client.quit()
    })?;
    agent.wait_for_sessions(1, LIMIT)?;
    let events = agent.stop()?;
    compare::stream(&events)?;
    let expected: Vec<Content> = modes.iter().flat_map(|_| [down.clone(), up.clone()]).collect();
    hashes(&events, &expected)?;
    drop(server);
    Ok(())
}

#[test]
fn every_file_is_hashed_right() {
    test("every_file_is_hashed_right", &[Need::Agent], || {
        for (hook, family) in
            [("native", Family::V4), ("generic", Family::V4), ("tcx", Family::V4), ("tcx", Family::V6)]
        {
            every_way(hook, family).with_context(|| format!("{hook}, {family:?}"))?;
        }
        Ok(())
    });
}

/// A server that sends the file before it says where: its 227 is behind the data connection.
fn hasty_server(
    at: SocketAddr,
    data_port: u16,
    file: &'static [u8],
) -> Result<thread::JoinHandle<Result<()>>> {
    let listener = TcpListener::bind(at)?;
    let data = TcpListener::bind(SocketAddr::new(at.ip(), data_port))?;
    Ok(thread::spawn(move || {
        let (mut control, _) = listener.accept()?;
        let mut lines = BufReader::new(control.try_clone()?);
        let mut expect = |verb: &str| -> Result<()> {
            let mut line = String::new();
            lines.read_line(&mut line)?;
            ensure!(line.starts_with(verb), "{line}");
            Ok(())
        };
        control.write_all(b"220 hello\r\n")?;
        expect("PASV")?;
        let (mut connection, _) = data.accept()?;
        let (first, rest) = file.split_at(file.len() / 2);
        connection.write_all(first)?;
        // The client says that it has them: they passed the interface before the 227.
        connection.read_exact(&mut [0])?;
        let (high, low) = (data_port / 256, data_port % 256);
        let ip = at.ip().to_string().replace('.', ",");
        control.write_all(format!("227 Entering Passive Mode ({ip},{high},{low})\r\n").as_bytes())?;
        expect("RETR")?;
        control.write_all(b"150 go\r\n")?;
        connection.write_all(rest)?;
        drop(connection);
        control.write_all(b"226 done\r\n")?;
        expect("QUIT")?;
        Ok(control.write_all(b"221 bye\r\n")?)
    }))
}

/// A connection that is half over before its announcement is hashed from its first byte.
#[test]
fn bytes_before_the_announcement_are_hashed() {
    test("bytes_before_the_announcement_are_hashed", &[Need::Agent], || {
        const PORT: u16 = 26_758;
        let file: &'static [u8] = vec![b'x'; 1_000_000].leak();
        for hook in ["native", "generic", "tcx"] {
            let net = Direct::new(1500)?;
            let at = address(Family::V4);
            let server = net.server.run(|| hasty_server(at, PORT, file))?;
            let agent = agent(&net, hook, &["--files", "hash"])?;
            net.client.run(|| {
                let mut control = TcpStream::connect(at)?;
                let mut lines = BufReader::new(control.try_clone()?).lines();
                let mut reply = || lines.next().context("the end")?.map_err(anyhow::Error::from);
                reply()?;
                control.write_all(b"PASV\r\n")?;
                let mut data = TcpStream::connect(SocketAddr::new(at.ip(), PORT))?;
                data.read_exact(&mut vec![0; file.len() / 2])?;
                data.write_all(b"!")?;
                reply()?;
                control.write_all(b"RETR file\r\n")?;
                reply()?;
                data.read_to_end(&mut Vec::new())?;
                drop(data);
                reply()?;
                control.write_all(b"QUIT\r\n")?;
                reply()?;
                Ok(())
            })?;
            server.join().map_err(|_| anyhow::anyhow!("the server panicked"))??;
            agent.wait_for_sessions(1, LIMIT).with_context(|| format!("hook {hook}"))?;
            let events = agent.stop()?;
            hashes(&events, &[Content::Bytes(file.into())]).with_context(|| format!("hook {hook}"))?;
        }
        Ok(())
    });
}

/// Every file below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    found.retain(|path| !path.ends_with(".lock"));
    found.sort();
    Ok(found)
}

/// Files are kept under names of ftpmon's, once each, whole or with what they hold.
#[test]
fn files_are_kept() {
    test("files_are_kept", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let at = address(Family::V4);
        let (down, up) = (Content::Pattern(700_001), Content::text("root::0:0::/:/bin/sh\n"));
        let behaviour = Behaviour::default()
            .with_file("/down", down.clone())
            .with_file("/big", Content::Pattern(2 << 20));
        let server = net.server.run(|| Server::start(at, behaviour))?;
        let scratch = Scratch::new("kept")?;
        let folder = scratch.path().join("files");
        let dir = folder.display().to_string();
        let options = ["--files", "extract", "--files-dir", &dir, "--files-max-bytes", "1000000"];
        let agent = agent(&net, "tcx", &options)?;
        net.client.run(|| {
            let mut client = Client::connect(at, ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            client.retrieve(DataMode::Pasv, "/down", None)?;
            client.retrieve(DataMode::Eprt, "/down", None)?;
            client.store(DataMode::Epsv, "STOR", EVIL, &up)?;
            client.resume(DataMode::Pasv, "/down", 700_000, &down)?;
            client.retrieve(DataMode::Port, "/big", None)?;
            client.quit()
        })?;
        agent.wait_for_sessions(1, LIMIT)?;
        let events = agent.stop()?;
        let transfers = events.transfers();
        let path = |sha256: &str| folder.join(&sha256[..2]).join(sha256);
        for (at, content) in [(0, &down), (1, &down), (2, &up)] {
            let kept = path(&sha256(content)?);
            ensure!(transfers[at].text("/file/stored") == kept.display().to_string(), "{}", transfers[at].0);
            ensure!(content.matches(0, &fs::read(&kept)?) && kept.metadata()?.len() == content.len());
            ensure!(kept.metadata()?.permissions().mode() & 0o777 == 0o600, "{kept:?}");
        }
        let range = |event: &Event| (event.number("/file/range/from"), event.number("/file/range/to"));
        ensure!(transfers[3].text("/file/reason") == "offset", "{}", transfers[3].0);
        ensure!(range(transfers[3]) == (Some(700_000), Some(700_001)), "{}", transfers[3].0);
        let big = transfers[4];
        ensure!(big.text("/file/reason") == "size_cap", "{}", big.0);
        ensure!(range(big) == (Some(0), Some(1_000_000)), "{}", big.0);
        ensure!(big.text("/file/sha256") == sha256(&Content::Pattern(2 << 20))?, "{}", big.0);
        ensure!(
            big.text("/file/stored") == path(&sha256(&Content::Pattern(1_000_000))?).display().to_string()
        );
        let kept = files(&folder)?;
        ensure!(kept.len() == 4, "each content once, and no other file: {kept:?}");
        ensure!(files(scratch.path())? == kept, "nothing beside the folder");
        ensure!(events.lost() == 0, "{:?}", events.last("stats"));
        drop(server);
        Ok(())
    });
}

/// A program that runs ftpmon with a file system of its own at `folder`, mounted with these options.
fn with_mount(scratch: &Scratch, folder: &Path, options: &str) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let (folder, binary) = (folder.display(), binary()?);
    let mount = format!("mount -t tmpfs -o {options} none {folder} && exec {} \"$@\"", binary.display());
    let program =
        scratch.write("ftpmon", format!("#!/bin/sh\nexec unshare -m sh -c '{mount}' sh \"$@\"\n"))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

/// Files that cannot be kept are reported and counted, and everything else continues.
fn cannot_keep(options: &str, reason: &str, counter: &str, small_fits: bool) -> Result<()> {
    let net = Direct::new(1500)?;
    let at = address(Family::V4);
    let (large, small) = (Content::Pattern(700_001), Content::text("small"));
    let behaviour =
        Behaviour::default().with_file("/large", large.clone()).with_file("/small", small.clone());
    let server = net.server.run(|| Server::start(at, behaviour))?;
    let scratch = Scratch::new("full")?;
    let folder = scratch.path().join("files");
    let program = with_mount(&scratch, &folder, options)?;
    let dir = folder.display().to_string();
    let arguments = ["--iface", Direct::DEVICE, "--hook", "tcx", "--files", "extract", "--files-dir", &dir];
    let agent = Agent::start_binary(&program, &net.server, &arguments)?;
    net.client.run(|| {
        let mut client = Client::connect(at, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        client.retrieve(DataMode::Pasv, "/large", None)?;
        client.store(DataMode::Pasv, "STOR", EVIL, &large)?;
        client.retrieve(DataMode::Pasv, "/small", None)?;
        client.quit()
    })?;
    agent.wait_for_sessions(1, LIMIT)?;
    // What it says there is read by another thread than the events.
    let said = poll::until("the reason on standard error", LIMIT, || {
        Ok(Some(agent.diagnostics()).filter(|said| said.contains("cannot keep files in")))
    })?;
    ensure!(said.matches(counter).count() == 1, "{said}");
    let events = agent.stop()?;
    let transfers = events.transfers();
    for (at, content) in [(0, &large), (1, &large), (2, &small)] {
        let transfer = transfers[at];
        ensure!(transfer.text("/file/sha256") == sha256(content)?, "{}", transfer.0);
        let fits = small_fits && at == 2;
        ensure!(transfer.has("/file/stored") == fits, "{}", transfer.0);
        ensure!(fits || transfer.text("/file/reason") == reason, "{}", transfer.0);
    }
    let lost = events.last("stats").and_then(|stats| stats.number(&format!("/lost/{counter}")));
    ensure!(lost == Some(if small_fits { 2 } else { 3 }), "{:?}", events.last("stats"));
    ensure!(files(scratch.path())? == [program], "nothing was written beside the folder");
    drop(server);
    Ok(())
}

#[test]
fn a_full_disk_is_told() {
    let needs = [Need::Agent, Need::Tool("unshare"), Need::Tool("mount")];
    test("a_full_disk_is_told", &needs, || cannot_keep("size=128k", "disk_full", "files_disk_full", true));
}

#[test]
fn a_read_only_directory_is_told() {
    let needs = [Need::Agent, Need::Tool("unshare"), Need::Tool("mount")];
    test("a_read_only_directory_is_told", &needs, || {
        cannot_keep("ro", "store_failed", "files_failed", false)
    });
}

/// A ring far too small for the files: they have holes, and no dialogue has one.
#[test]
fn a_flood_of_files_costs_no_dialogue() {
    test("a_flood_of_files_costs_no_dialogue", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let at = address(Family::V4);
        let behaviour = Behaviour::default().with_file("/large", Content::Pattern(100 << 20));
        let server = net.server.run(|| Server::start(at, behaviour))?;
        let agent = agent(&net, "tcx", &["--files", "hash", "--files-ring-size", "65536"])?;
        let transcript = net.client.run(|| {
            let mut client = Client::connect(at, ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            client.retrieve(DataMode::Pasv, "/large", None)?;
            client.retrieve(DataMode::Pasv, "/large", None)?;
            client.quit()
        })?;
        agent.wait_for_sessions(1, LIMIT)?;
        let events = agent.stop()?;
        let session = &events.sessions()[0];
        compare::clean(session)?;
        compare::dialogue(session, &transcript)?;
        let large = Expected::complete("RETR", "PASV", 100 << 20);
        compare::transfers(session, &[large.clone(), large])?;
        for transfer in session.of("transfer") {
            ensure!(transfer.text("/file/reason") == "gap", "{}", transfer.0);
            ensure!(!transfer.has("/file/sha256"), "{}", transfer.0);
        }
        let stats = events.last("stats").context("no stats")?;
        let lost = |reason: &str| stats.number(&format!("/lost/{reason}")).unwrap_or(0);
        ensure!(lost("lost_ring_data") > 0 && lost("lost_ring_control") == 0, "{}", stats.0);
        drop(server);
        Ok(())
    });
}

/// A download under an agent with these options: bytes a second, and what the agent said and took.
struct Round {
    rate: f64,
    events: Events,
    /// Largest resident size, MiB.
    memory: f64,
    /// Processor seconds.
    cpu: f64,
}

fn download(size: u64, pace: Option<u64>, options: &[&str]) -> Result<Round> {
    let net = Direct::new(1500)?;
    let at = address(Family::V4);
    let behaviour = Behaviour { pace, ..Behaviour::default() };
    let behaviour = behaviour.with_file("/large", Content::Pattern(size));
    let server = net.server.run(|| Server::start(at, behaviour))?;
    let mut agent = agent(&net, "auto", options)?;
    let seconds = net.client.run(|| {
        let mut client = Client::connect(at, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        let began = Instant::now();
        let got = client.retrieve(DataMode::Pasv, "/large", None)?;
        let seconds = began.elapsed().as_secs_f64();
        ensure!(got.bytes == size, "{got:?}");
        client.quit()?;
        Ok(seconds)
    })?;
    agent.wait_for_sessions(1, Duration::from_secs(120))?;
    let process = agent.process().id();
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: f64 = peak.trim().trim_end_matches(" kB").parse()?;
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let ticks: Vec<f64> = stat.split(' ').skip(13).take(2).filter_map(|word| word.parse().ok()).collect();
    let events = agent.stop()?;
    drop(server);
    let (rate, cpu) = (size as f64 / seconds, ticks.iter().sum::<f64>() / 100.0);
    Ok(Round { rate, events, memory: kib / 1024.0, cpu })
}

/// Bytes a second that one core hashes when they lie in its cache.
fn hash_rate() -> f64 {
    let block = vec![7_u8; 64 << 10];
    let (mut sha, began, mut bytes) = (Sha256::new(), Instant::now(), 0);
    while began.elapsed() < Duration::from_millis(500) {
        sha.update(&block);
        bytes += block.len();
    }
    bytes as f64 / began.elapsed().as_secs_f64()
}

/// A download of 4 GiB (`FTPMON_SOAK_BYTES` for another size), as fast as it goes, and under `--files hash` from a server that
/// sends at 0.7 of that rate, or at nine tenths of what one core hashes, whichever is less (`FTPMON_SOAK_PACE` for another
/// rate): nothing lost, the hash right, the memory bounded. The agent does not delay traffic: what comes faster than a core
/// hashes cannot be hashed whole. Prints its figures; they mean something for a release build alone.
#[test]
fn soak_hash_4_gib() {
    test("soak_hash_4_gib", &[Need::Agent], || {
        let number = |name| std::env::var(name).ok().and_then(|size| size.parse().ok());
        let size = number("FTPMON_SOAK_BYTES").unwrap_or(4 << 30);
        let expected = sha256(&Content::Pattern(size))?;
        let core = hash_rate();
        let (mut off, mut hash) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let free = download(size, None, &[])?;
            let pace = number("FTPMON_SOAK_PACE").unwrap_or((0.7 * free.rate).min(0.9 * core) as u64);
            off.push(free);
            hash.push((pace, download(size, Some(pace), &["--files", "hash"])?));
        }
        println!("one core hashes {:.0} MB/s", core / 1e6);
        let tell = |name: &str, round: &Round| {
            let lost =
                round.events.last("stats").map(|stats| stats.0["lost"].to_string()).unwrap_or_default();
            let Round { rate, memory, cpu, .. } = round;
            println!(
                "{name}: {:.0} MB/s, peak {memory:.1} MiB, {cpu:.2} s of processor, lost {lost}",
                rate / 1e6
            );
        };
        for round in &off {
            tell("--files off", round);
        }
        for (pace, round) in &hash {
            tell(&format!("--files hash, at most {} MB/s sent", pace / 1_000_000), round);
        }
        for (_, round) in &hash {
            ensure!(round.events.lost() == 0, "{:?}", round.events.last("stats"));
            let transfer = round.events.last("transfer").context("no transfer")?;
            ensure!(transfer.text("/file/sha256") == expected, "{}", transfer.0);
            ensure!(round.memory <= 64.0, "{} MiB", round.memory);
        }
        Ok(())
    });
}
