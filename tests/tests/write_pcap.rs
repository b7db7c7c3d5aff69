//! The capture file that a run writes: readable, and without passwords.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use ftpmon_core::frame::{Decoder, LinkType, RawFrame};
use ftpmon_event::link::InterfaceId;
use ftpmon_event::time::Timestamp;
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::compare::{self, same};
use ftpmon_tests::events::{Event, Events};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Bridged, Direct, Family};
use ftpmon_tests::process::{Running, run_ok};
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

const LIMIT: Duration = Duration::from_secs(20);

/// A session in which nothing is fetched.
fn login_and_quit(server: SocketAddr) -> Result<()> {
    let mut client = Client::connect(server, ClientOptions::default())?;
    client.login("alice", "wonderland")?;
    client.quit().map(drop)
}

/// A session under the agent; its events, and those of `ftpmon read` on what it wrote.
fn live_and_read(scratch: &Scratch, more: &[&str]) -> Result<(Events, Events)> {
    let net = Direct::new(1500)?;
    let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(200_000));
    let server = net.server.run(|| Server::start(at, behaviour))?;
    let path = scratch.path().join("out.pcapng").to_string_lossy().into_owned();
    let agent =
        Agent::start(&net.server, &[&["--iface", Direct::DEVICE, "--write-pcap", &path], more].concat())?;
    net.client.run(|| {
        let mut client = Client::connect(at, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        client.retrieve(DataMode::Pasv, "/a.bin", None)?;
        client.store(DataMode::Eprt, "STOR", "/up", &Content::Pattern(5_000))?;
        client.quit()
    })?;
    agent.wait_for_sessions(1, LIMIT)?;
    let live = agent.stop()?;
    let lines = run_ok(Command::new(binary()?).arg("read").args(more).arg(&path))?;
    let lines: Vec<&str> = lines.lines().collect();
    drop(server);
    Ok((live, Events::from_lines(&lines)))
}

/// The dialogue, in order.
fn dialogue(events: &Events) -> Vec<String> {
    let said = |event: &&Event| matches!(event.name(), "command" | "reply" | "login" | "data_channel");
    let line = |event: &Event| {
        let own = [&event.0["command"], &event.0["reply"], &event.0["login"], &event.0["data"]];
        format!("{} {} {} {own:?}", event.name(), event.text("/ts"), event.text("/session"))
    };
    events.0.iter().filter(said).map(line).collect()
}

#[test]
fn the_same_session_is_in_the_file() {
    test("the_same_session_is_in_the_file", &[Need::Agent], || {
        let scratch = Scratch::new("pcap")?;
        let (live, read) = live_and_read(&scratch, &[])?;
        compare::stream(&live)?;
        ensure!(live.count("transfer") == 2, "{}", live.to_text());
        same("event", &dialogue(&live), &dialogue(&read))?;
        let file = std::fs::read(scratch.path().join("out.pcapng"))?;
        let text = String::from_utf8_lossy(&file);
        ensure!(!text.contains("wonderland"), "the password is in the file");
        ensure!(text.contains("PASS **********"), "its place is kept");
        ensure!(text.contains(" command RETR /a.bin"), "no comment");
        Ok(())
    });
}

#[test]
fn passwords_are_in_the_file_where_they_are_to_be_shown() {
    test("passwords_are_in_the_file_where_they_are_to_be_shown", &[Need::Agent], || {
        let scratch = Scratch::new("pcap")?;
        let (live, read) = live_and_read(&scratch, &["--secrets", "show"])?;
        same("event", &dialogue(&live), &dialogue(&read))?;
        let file = std::fs::read(scratch.path().join("out.pcapng"))?;
        ensure!(String::from_utf8_lossy(&file).contains("PASS wonderland"), "no password");
        Ok(())
    });
}

/// The facts about a transfer that do not depend on how it was seen.
fn transfer(event: &Event) -> String {
    let own =
        ["/transfer/verb", "/transfer/path", "/data/bytes_from_client", "/data/bytes_from_server", "/file"];
    let own = own.map(|pointer| event.0.pointer(pointer).map(ToString::to_string).unwrap_or_default());
    format!("{} {own:?}", event.text("/session"))
}

/// The file has all that the hashes were made of.
#[test]
fn the_same_files_are_in_the_file() {
    test("the_same_files_are_in_the_file", &[Need::Agent], || {
        let scratch = Scratch::new("pcap")?;
        let (live, read) = live_and_read(&scratch, &["--files", "hash", "--hashes", "sha256,md5"])?;
        let transfers = |events: &Events| events.transfers().iter().map(|event| transfer(event)).collect();
        let (live_files, read_files): (Vec<_>, Vec<_>) = (transfers(&live), transfers(&read));
        ensure!(live_files.len() == 2, "{}", live.to_text());
        for event in live.transfers() {
            ensure!(event.0["file"]["complete"] == true && event.has("/file/sha256"), "{}", event.0);
        }
        same("transfer", &live_files, &read_files)?;
        same("event", &dialogue(&live), &dialogue(&read))?;
        let packets = packets(&scratch.path().join("out.pcapng"))?;
        let bytes: usize = packets.iter().filter(|packet| packet.of_data).map(|packet| packet.payload).sum();
        ensure!(bytes >= 205_000, "{bytes} bytes of data connections");
        Ok(())
    });
}

/// A packet of a data connection that completes an event has it as its comment, as others do.
#[test]
fn a_files_last_packet_says_which_transfer_it_ended() {
    test("a_files_last_packet_says_which_transfer_it_ended", &[Need::Agent], || {
        let scratch = Scratch::new("pcap")?;
        let net = Direct::new(1500)?;
        let path = scratch.path().join("out.pcapng");
        let file = path.to_string_lossy();
        let agent = Agent::start(
            &net.server,
            &["--iface", Direct::DEVICE, "--files", "hash", "--write-pcap", file.as_ref()],
        )?;
        the_reply_before_the_file(&net)?;
        agent.wait_for_sessions(1, LIMIT)?;
        let live = agent.stop()?;
        let transfer = live.last("transfer").context("no transfer")?;
        ensure!(transfer.has("/file/sha256"), "{}", transfer.0);
        let expected = format!(
            "ftpmon session={} tx={} transfer /a.bin",
            transfer.text("/session"),
            transfer.number("/tx").unwrap_or_default()
        );
        let packets = packets(&path)?;
        let told: Vec<_> = packets.iter().filter(|packet| packet.comment.contains(&expected)).collect();
        ensure!(told.len() == 1 && told[0].of_data, "{expected}: {packets:?}");
        Ok(())
    });
}

/// A session whose 226 is with the client before the file's first byte is sent.
fn the_reply_before_the_file(net: &Direct) -> Result<()> {
    let ip = Direct::hosts(Family::V4).server;
    let listen = |port| net.server.run(|| Ok(TcpListener::bind((ip, port))?));
    let (at, data_at) = (listen(21)?, listen(0x9c40)?);
    let connect = |port| net.client.run(|| Ok(TcpStream::connect((ip, port))?));
    let (client, (server, _)) = (connect(21)?, at.accept()?);
    pass(&server, &client, "220 ready\r\n")?;
    pass(&client, &server, "USER alice\r\n")?;
    pass(&server, &client, "230 in\r\n")?;
    pass(&client, &server, "PASV\r\n")?;
    pass(&server, &client, &format!("227 ({},156,64)\r\n", ip.to_string().replace('.', ",")))?;
    pass(&client, &server, "RETR /a.bin\r\n")?;
    let (mut receiver, (mut sender, _)) = (connect(0x9c40)?, data_at.accept()?);
    pass(&server, &client, "150 here\r\n")?;
    pass(&server, &client, "226 done\r\n")?;
    sender.write_all(&[7; 3_000])?;
    drop(sender);
    receiver.read_to_end(&mut Vec::new())?;
    drop(receiver);
    pass(&client, &server, "QUIT\r\n")?;
    pass(&server, &client, "221 bye\r\n")
}

/// Says a line, and waits until the other end has it.
fn pass(mut from: &TcpStream, mut to: &TcpStream, line: &str) -> Result<()> {
    to.set_read_timeout(Some(LIMIT))?;
    from.write_all(line.as_bytes())?;
    Ok(to.read_exact(&mut vec![0; line.len()])?)
}

/// A packet of a capture file that a run wrote.
#[derive(Debug)]
struct Packet {
    of_data: bool,
    payload: usize,
    comment: String,
}

/// The contents of a pcapng file's blocks of this type.
fn blocks(path: &Path, kind: u32) -> Result<Vec<Vec<u8>>> {
    let file = std::fs::read(path)?;
    let (mut blocks, mut at) = (Vec::new(), 0);
    while at < file.len() {
        let len = word(&file, at + 4)? as usize;
        ensure!(len >= 12 && word(&file, at + len - 4)? as usize == len, "the block at {at} has no end");
        if word(&file, at)? == kind {
            blocks.push(file[at + 8..at + len - 4].to_vec());
        }
        at += len;
    }
    Ok(blocks)
}

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    let bytes =
        bytes.get(at..).and_then(|rest| rest.first_chunk()).context("the file ends within a block")?;
    Ok(u32::from_le_bytes(*bytes))
}

fn packets(path: &Path) -> Result<Vec<Packet>> {
    let blocks = blocks(path, 6)?;
    let read = |block: &Vec<u8>| {
        let captured = word(block, 12)? as usize;
        packet(&block[20..20 + captured], &block[20 + captured.next_multiple_of(4)..])
    };
    blocks.iter().map(read).collect()
}

fn packet(bytes: &[u8], options: &[u8]) -> Result<Packet> {
    let frame = RawFrame {
        link: LinkType::Ethernet,
        bytes,
        wire_len: bytes.len() as u32,
        interface: InterfaceId(0),
        tag: None,
    };
    let mut decoder = Decoder::default();
    let Some(segment) = decoder.decode(Timestamp::default(), &frame) else { bail!("no segment: {bytes:?}") };
    let comment = match options {
        [1, 0, low, high, rest @ ..] => &rest[..usize::from(u16::from_le_bytes([*low, *high]))],
        _ => &[],
    };
    Ok(Packet {
        of_data: segment.src.port != 21 && segment.dst.port != 21,
        payload: segment.payload.len(),
        comment: String::from_utf8_lossy(comment).into_owned(),
    })
}

/// A tag that travels beside the frame stands in it in the file, with priority and all; events have its number.
#[test]
fn a_tag_beside_the_frame_is_in_the_file() {
    test("a_tag_beside_the_frame_is_in_the_file", &[Need::Agent], || {
        // Priority 5, drop eligible, VLAN 100.
        const CONTROL: u16 = 0xb064;
        let scratch = Scratch::new("pcap")?;
        let net = Bridged::new(1500, &[CONTROL], false)?;
        let at = SocketAddr::new(Bridged::hosts(Family::V4).server, 21);
        let server = net.server.run(|| Server::start(at, Behaviour::default()))?;
        let path = scratch.path().join("out.pcapng");
        let file = path.to_string_lossy();
        let options = ["--iface", Bridged::CLIENT_SIDE, "--hook", "tcx", "--write-pcap", file.as_ref()];
        let agent = Agent::start(&net.bridge, &options)?;
        net.client.run(|| login_and_quit(at))?;
        agent.wait_for_sessions(1, LIMIT)?;
        let events = agent.stop()?;
        ensure!(events.of("login").iter().all(|login| login.0["vlan"] == serde_json::json!([100])));
        let [high, low] = CONTROL.to_be_bytes();
        for block in blocks(&path, 6)? {
            let tag = block.get(20 + 12..20 + 18).context("no header")?;
            ensure!(tag == [0x81, 0x00, high, low, 0x08, 0x00], "{tag:02x?}");
        }
        ensure!(packets(&path)?.len() > 10 && events.count("login") == 1, "{}", events.to_text());
        drop(server);
        Ok(())
    });
}

/// A number in the statistics of the file's only interface.
fn statistic(path: &Path, wanted: u32) -> Result<u64> {
    let blocks = blocks(path, 5)?;
    ensure!(blocks.len() == 1, "{} statistics", blocks.len());
    // Behind number and time: options of eight bytes each.
    let options = blocks[0].get(12..).context("no options")?.chunks_exact(12);
    let found = options.into_iter().find(|option| word(option, 0).is_ok_and(|head| head == 8 << 16 | wanted));
    let value = found.and_then(|option| option.last_chunk()).context("no such statistic")?;
    Ok(u64::from_le_bytes(*value))
}

/// Frames that found no room in the kernel's ring are in the file's statistics, as the kernel's loss and not the file's.
#[test]
fn the_statistics_have_what_the_kernel_lost() {
    test("the_statistics_have_what_the_kernel_lost", &[Need::Agent], || {
        let scratch = Scratch::new("pcap")?;
        let net = Direct::new(1500)?;
        let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        let server = net.server.run(|| Server::start(at, Behaviour::default()))?;
        let path = scratch.path().join("out.pcapng");
        let file = path.to_string_lossy();
        let options = ["--iface", Direct::DEVICE, "--ring-size", "4096", "--write-pcap", file.as_ref()];
        let mut agent = Agent::start(&net.server, &options)?;
        let mut client = net.client.run(|| Client::connect(at, ClientOptions::default()))?;
        client.login("alice", "wonderland")?;
        agent.wait("the login", LIMIT, |events| events.count("login") == 1)?;
        agent.process().signal(Signal::SIGSTOP)?;
        for _ in 0..200 {
            client.command("NOOP")?;
        }
        agent.process().signal(Signal::SIGCONT)?;
        client.quit()?;
        agent.wait_for_sessions(1, LIMIT)?;
        let events = agent.stop()?;
        let stats = events.last("stats").context("no stats")?;
        let lost = ["lost_ring_control", "lost_loud_control"]
            .map(|reason| stats.number(&format!("/lost/{reason}")).unwrap_or_default());
        let (lost, written) = (lost.iter().sum::<u64>(), packets(&path)?.len() as u64);
        ensure!(lost > 100, "{}", stats.0);
        let found = [4, 5, 7, 8].map(|code| statistic(&path, code));
        let expected = [written + lost, 0, lost, written];
        for (found, expected) in found.into_iter().zip(expected) {
            ensure!(found? == expected, "expected {expected}: {}", stats.0);
        }
        drop(server);
        Ok(())
    });
}

fn session(net: &Direct, at: SocketAddr) -> Result<()> {
    net.client.run(|| {
        let mut client = Client::connect(at, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        client.retrieve(DataMode::Pasv, "/a.bin", None)?;
        client.quit().map(drop)
    })
}

/// An agent that writes to a FIFO, which is read from the beginning, and a server with a file.
struct ToFifo {
    net: Direct,
    server: Server,
    agent: Agent,
    reader: File,
    _scratch: Scratch,
}

impl ToFifo {
    fn start() -> Result<Self> {
        let scratch = Scratch::new("fifo")?;
        let fifo = scratch.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let mut options = OpenOptions::new();
        let reader = options.read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&fifo)?;
        let net = Direct::new(1500)?;
        let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(400_000));
        let server = net.server.run(|| Server::start(at, behaviour))?;
        let path = fifo.to_string_lossy();
        let options = ["--iface", Direct::DEVICE, "--files", "hash", "--write-pcap", path.as_ref()];
        let agent = Agent::start(&net.server, &options)?;
        Ok(Self { net, server, agent, reader, _scratch: scratch })
    }

    /// So many sessions are told whole, and so many packets are missing in the file as `lost` says.
    fn ends(self, sessions: usize, notice: &str) -> Result<()> {
        self.agent.wait_for_sessions(sessions, LIMIT)?;
        let lines = self.agent.diagnostic_lines();
        let events = self.agent.stop()?;
        ensure!(events.count("transfer") == sessions, "{}", events.to_text());
        let lost = events.last("stats").and_then(|stats| stats.number("/lost/pcap_write_failed"));
        ensure!(lost.is_some_and(|lost| lost > 0), "{}", events.to_text());
        let told = lines.all().iter().filter(|line| line.contains(notice)).count();
        ensure!(told == 1, "told {told} times: {}", lines.text());
        drop(self.server);
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away_is_told_and_the_run_goes_on() {
    test("a_reader_that_goes_away_is_told_and_the_run_goes_on", &[Need::Agent], || {
        let mut run = ToFifo::start()?;
        let mut head = [0; 4];
        run.reader.read_exact(&mut head)?;
        ensure!(head == [0x0a, 0x0d, 0x0d, 0x0a], "no section header: {head:?}");
        drop(std::mem::replace(&mut run.reader, File::open("/dev/null")?));
        for _ in 0..2 {
            session(&run.net, run.server.address())?;
        }
        run.ends(2, "the reader of --write-pcap closed it")
    });
}

#[test]
fn a_reader_that_stands_still_holds_up_nothing() {
    test("a_reader_that_stands_still_holds_up_nothing", &[Need::Agent], || {
        let run = ToFifo::start()?;
        session(&run.net, run.server.address())?;
        run.ends(1, "did not take its last packets")
    });
}

#[test]
fn a_fifo_without_a_reader_is_refused() {
    test("a_fifo_without_a_reader_is_refused", &[Need::Agent], || {
        let scratch = Scratch::new("fifo")?;
        let fifo = scratch.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let net = Direct::new(1500)?;
        let mut command = net.server.command(&binary()?.to_string_lossy());
        command.args(["run", "--iface", Direct::DEVICE, "--write-pcap"]).arg(&fifo);
        let mut agent = Running::start(&mut command)?;
        let status = agent.wait(LIMIT)?;
        let expected =
            format!("cannot write to {}: nobody reads this FIFO: start its reader first", fifo.display());
        ensure!(status.code() == Some(1), "{status}");
        ensure!(agent.stderr.text() == format!("ftpmon: {expected}"), "{}", agent.stderr.text());
        Ok(())
    });
}

/// A file that has reached its size is told, and the events continue.
#[test]
fn the_file_has_a_cap() {
    test("the_file_has_a_cap", &[Need::Agent], || {
        let scratch = Scratch::new("pcap")?;
        let net = Direct::new(1500)?;
        let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        let server = net.server.run(|| Server::start(at, Behaviour::default()))?;
        let path = scratch.path().join("out.pcapng").to_string_lossy().into_owned();
        let options = ["--iface", Direct::DEVICE, "--write-pcap", &path, "--write-pcap-max-bytes", "1500"];
        let agent = Agent::start(&net.server, &options)?;
        net.client.run(|| login_and_quit(at))?;
        agent.wait_for_sessions(1, LIMIT)?;
        let events = agent.stop()?;
        let lost = events.last("stats").and_then(|stats| stats.number("/lost/pcap_max_bytes"));
        ensure!(lost.is_some_and(|lost| lost > 0), "{}", events.to_text());
        ensure!(events.count("login") == 1, "{}", events.to_text());
        drop(server);
        Ok(())
    });
}
