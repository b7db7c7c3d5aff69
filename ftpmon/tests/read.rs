//! The command `ftpmon read`, from its files to its exit status.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use etherparse::PacketBuilder;
use serde_json::Value;

/// Files of one test, taken away with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ftpmon-read-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.into_os_string().into_string().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The packets of one control session on a port that is none of FTP's.
#[derive(Default)]
struct Session {
    packets: Vec<Vec<u8>>,
    sent: [u32; 2],
}

impl Session {
    /// Login and farewell.
    fn whole() -> Self {
        const CLIENT: usize = 0;
        const SERVER: usize = 1;
        let mut session = Self { packets: vec![], sent: [100, 900] };
        session.packet(CLIENT, true, "");
        session.packet(SERVER, true, "");
        session.packet(CLIENT, false, "");
        for (side, line) in [
            (SERVER, "220 ready\r\n"),
            (CLIENT, "USER alice\r\n"),
            (SERVER, "331 password, please\r\n"),
            (CLIENT, "PASS hunter2\r\n"),
            (SERVER, "230 welcome\r\n"),
            (CLIENT, "QUIT\r\n"),
            (SERVER, "221 bye\r\n"),
        ] {
            session.packet(side, false, line);
        }
        session
    }

    fn packet(&mut self, side: usize, syn: bool, payload: &str) {
        let ends = [([192, 0, 2, 1], 40000), ([192, 0, 2, 2], 2100)];
        let ((src, src_port), (dst, dst_port)) = (ends[side], ends[1 - side]);
        let mut tcp = PacketBuilder::ipv4(src, dst, 64).tcp(src_port, dst_port, self.sent[side], 1000);
        if syn {
            tcp = tcp.syn();
        }
        if !self.packets.is_empty() {
            tcp = tcp.ack(self.sent[1 - side]);
        }
        let mut bytes = Vec::new();
        tcp.write(&mut bytes, payload.as_bytes()).unwrap();
        self.sent[side] += payload.len() as u32 + u32::from(syn);
        self.packets.push(bytes);
    }

    /// As a pcap file of raw IP, a packet a second.
    fn pcap(&self) -> Vec<u8> {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
        let mut out = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 101]);
        for (second, packet) in (1_000..).zip(&self.packets) {
            let len = packet.len() as u32;
            out.extend(words(&[second, 0, len, len]));
            out.extend(packet);
        }
        out
    }
}

fn ftpmon(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftpmon"));
    command.arg("read").args(args).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    ftpmon(args).output().unwrap()
}

/// The events without `run`, which all have in common and no other run has.
fn events_of(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).unwrap();
    let mut events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let runs: Vec<Value> = events.iter_mut().map(|event| event["run"].take()).collect();
    assert!(runs.iter().all(|run| run.is_string() && Some(run) == runs.first()), "{runs:?}");
    events
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn has_login(events: &[Value]) -> bool {
    events.iter().any(|event| event["event"] == "login")
}

#[test]
fn a_session_from_start_to_stop() {
    let scratch = Scratch::new("whole");
    let path = scratch.file("a.pcap", &Session::whole().pcap());
    let output = run(&[&path, "--sensor", "here"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
    let events = events_of(&output.stdout);
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let count = |name| names.iter().filter(|seen| **seen == name).count();
    assert_eq!((count("command"), count("reply"), count("login"), count("session_start")), (3, 4, 1, 1));
    assert_eq!(names[0], "sensor_start");
    assert!(names.ends_with(&["stats", "sensor_stop"]));
    assert!(events.iter().zip(0..).all(|(event, seq)| event["seq"] == seq && event["sensor"] == "here"));
    assert_eq!(events[0]["ts"], "1970-01-01T00:16:40.000000000Z");
    assert_eq!(events[0]["source"], "file");
    assert_eq!(events[0]["files"], serde_json::json!([path]));
    let [.., stats, stop] = &events[..] else { panic!() };
    assert_eq!((&stats["seen"], &stats["emitted"]), (&10.into(), &(events.len() - 2).into()));
    assert_eq!(stats["uptime_ms"], 9_000);
    assert_eq!(stop["reason"], "end_of_input");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("hunter2"));
    assert!(events.iter().all(|event| event.get("iface").is_none()), "pcap names no interface");
}

#[test]
fn a_file_and_a_stream_give_the_same_events() {
    let scratch = Scratch::new("stream");
    let pcap = Session::whole().pcap();
    let from_file = events_of(&run(&[&scratch.file("a.pcap", &pcap), "--sensor", "s"]).stdout);
    let mut child =
        ftpmon(&["-", "--sensor", "s"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    // What is there is reported before the rest has come.
    let (head, tail) = pcap.split_at(pcap.len() - 1);
    stdin.write_all(head).unwrap();
    let mut text = String::new();
    while !text.contains("QUIT") {
        assert_ne!(stdout.read_line(&mut text).unwrap(), 0, "{text}");
    }
    stdin.write_all(tail).unwrap();
    drop(stdin);
    stdout.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    let from_stream = events_of(text.as_bytes());
    assert_eq!(from_stream[1..], from_file[1..]);
    assert_eq!(from_stream[0]["files"], serde_json::json!(["-"]));
}

#[test]
fn a_capture_split_over_two_files_is_one_session() {
    let scratch = Scratch::new("split");
    let pcap = Session::whole().pcap();
    let first_record_end = 24 + 16 + 40;
    let first = scratch.file("1.pcap", &pcap[..first_record_end]);
    let second = scratch.file("2.pcap", &[&pcap[..24], &pcap[first_record_end..]].concat());
    let whole = events_of(&run(&[&scratch.file("a.pcap", &pcap), "--sensor", "s"]).stdout);
    let split = events_of(&run(&[&first, &second, "--sensor", "s"]).stdout);
    assert_eq!(split[1..], whole[1..]);
}

#[test]
fn an_appended_copy_has_sessions_of_its_own() {
    let scratch = Scratch::new("appended");
    // The last session is over for less time than late packets of it are awaited: its copies are those.
    let last = "wait 30s\nopen z client:42000 server:21\nuse z\nS: 220 ready\nclose z <\n";
    let script = format!("{}\n{last}", include_str!("../../tests/goldens/two-sessions/script.ftp"));
    let once = ftpmon_tests::script::capture(&script).unwrap();
    let thrice = [&once[..], &once[24..], &once[24..]].concat();
    let events = events_of(&run(&[&scratch.file("thrice.pcap", &thrice)]).stdout);
    let again = events_of(&run(&[&scratch.file("once.pcap", &once)]).stdout);
    let sessions = |events: &[Value]| -> Vec<String> {
        let begun = events.iter().filter(|event| event["event"] == "session_start");
        begun.map(|event| event["session"].as_str().unwrap().to_owned()).collect()
    };
    let (all, first) = (sessions(&events), sessions(&again));
    let different: std::collections::HashSet<&String> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (7, 7), "{all:?}");
    assert_eq!(all[..3], first, "the first copy has the ids that it has alone");
    assert!(events.iter().zip(0..).all(|(event, seq)| event["seq"] == seq));
}

#[test]
fn what_the_good_part_holds_comes_before_the_error() {
    let scratch = Scratch::new("cut");
    let pcap = Session::whole().pcap();
    let path = scratch.file("cut.pcap", &pcap[..pcap.len() - 3]);
    let output = run(&[&path]);
    assert_eq!(output.status.code(), Some(1));
    let last_record = pcap.len() - (16 + 40 + "221 bye\r\n".len());
    assert_eq!(stderr(&output), format!("ftpmon: {path}: cut off: incomplete from byte {last_record} on\n"));
    let events = events_of(&output.stdout);
    assert!(has_login(&events));
    assert_eq!(events.last().unwrap()["reason"], "error");
}

#[test]
fn what_cannot_be_read_is_one_line_and_exit_1() {
    let scratch = Scratch::new("bad");
    let mut unknown = Session::whole().pcap();
    unknown[20] = 147;
    for (path, why) in [
        (scratch.file("empty", b""), "empty"),
        (scratch.file("text", b"220 this is no capture\r\n"), "no capture file"),
        (scratch.file("unknown.pcap", &unknown), "unknown link type 147"),
        (scratch.0.join("absent").to_str().unwrap().to_owned(), "cannot be opened"),
        (scratch.0.to_str().unwrap().to_owned(), "cannot be read"),
    ] {
        let output = run(&[&path]);
        assert_eq!(output.status.code(), Some(1), "{path}");
        let line = stderr(&output);
        assert!(line.starts_with(&format!("ftpmon: {path}: {why}")), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn a_bad_file_does_not_stop_the_next_one() {
    let scratch = Scratch::new("next");
    let good = scratch.file("good.pcap", &Session::whole().pcap());
    let output = run(&[&scratch.file("empty", b""), &scratch.file("text", b"no capture"), &good]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output).lines().count(), 2, "{}", stderr(&output));
    assert!(has_login(&events_of(&output.stdout)));
}

#[test]
fn an_output_that_nobody_reads_is_no_error() {
    let scratch = Scratch::new("pipe");
    let path = scratch.file("a.pcap", &Session::whole().pcap());
    let mut child = ftpmon(&[&path]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
}

#[test]
fn an_output_that_is_full_is_named() {
    let scratch = Scratch::new("full");
    let path = scratch.file("a.pcap", &Session::whole().pcap());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = ftpmon(&[&path]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("ftpmon: cannot write to standard output: "), "{}", stderr(&output));
}
