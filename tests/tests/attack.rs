//! Attacks played from captures: what SECURITY.md promises holds in each. Memory stays within its budget, the events of others
//! are complete, no secret is in any format, and a text that the server never took is told as doubtful.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test panics where it fails")]

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ftpmon_tests::agent::binary;
use ftpmon_tests::attack::{Dialogue, Forged, SERVER, Wire};
use ftpmon_tests::script::capture;
use ftpmon_tests::script::wire::{ACK, PSH, SYN};
use ftpmon_tests::usage;
use serde_json::Value;

const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
/// Everything that has an output of its own.
const FORMATS: [&str; 8] = ["json", "eve", "zeek", "zeek-json", "ecs", "pretty", "xferlog", "cef"];

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ftpmon-attack-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    folder.join(name)
}

fn write(wire: &Wire, name: &str) -> PathBuf {
    let path = scratch(name);
    fs::write(&path, wire.capture()).expect("a capture");
    path
}

/// The output of `ftpmon read`, and the most memory that it had.
fn read(capture: &PathBuf, options: &[&str]) -> (String, u64) {
    let output = capture.with_extension("out");
    let mut command = Command::new(binary().expect("the agent is built"));
    command.arg("read").args(options).arg(capture);
    command.stdout(File::create(&output).expect("an output")).stderr(Stdio::null());
    let used = usage::of(&mut command).expect("the agent runs");
    assert!(used.status.success(), "{}", used.status);
    (String::from_utf8(fs::read(&output).expect("an output")).expect("UTF-8"), used.peak_bytes)
}

fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// The events of one client by name.
fn count(events: &[Value], client: Ipv4Addr, name: &str) -> usize {
    let ip = client.to_string();
    events.iter().filter(|it| it["event"] == name && it["client"]["ip"] == ip.as_str()).count()
}

/// All that the victim did is told.
fn assert_victim_is_complete(events: &[Value]) {
    let of = |name| count(events, CLIENT, name);
    assert_eq!((of("command"), of("transfer"), of("session_end")), (200, 5, 1));
    let transfers =
        events.iter().filter(|it| it["event"] == "transfer" && it["client"]["ip"] == "192.0.2.10");
    assert!(
        transfers.clone().all(|it| it["transfer"]["bytes"] == 10 && it["transfer"]["outcome"] == "complete")
    );
    assert_eq!(count(events, CLIENT, "gap") + count(events, CLIENT, "anomaly"), 0);
}

fn lost(events: &[Value], name: &str) -> u64 {
    let stats = events.iter().rfind(|it| it["event"] == "stats").expect("stats");
    stats["lost"][name].as_u64().unwrap_or(0)
}

/// Item 1: segments of newlines from invented sources.
#[test]
fn invented_sources_take_no_memory_and_begin_no_session() {
    const FORGED: u32 = 40_000;
    let mut wire = Wire::default();
    let mut victim = Dialogue::open(&mut wire, CLIENT, 40_000);
    let newlines = b"\n".repeat(1_380);
    for round in 0..5 {
        for number in 0..FORGED / 5 {
            let source = Ipv4Addr::from_bits(0x0a00_0000 + u32::from(round) * (FORGED / 5) + number);
            wire.send([(source, 1_025), (SERVER, 21)], [1, 1], ACK, &newlines, Forged::No);
        }
        victim.works(&mut wire, round);
    }
    victim.close(&mut wire);
    let (text, peak) = read(&write(&wire, "sources.pcap"), &[]);
    let events = events(&text);
    println!("{FORGED} invented sources: {} MiB, {} events", peak >> 20, events.len());
    assert!(peak < 256 << 20, "{peak} bytes");
    assert_eq!(events.iter().filter(|it| it["event"] == "session_start").count(), 1);
    assert_eq!(lost(&events, "unproven_connections"), u64::from(FORGED));
    assert_victim_is_complete(&events);
}

/// Item 5: the shortest lines, in whole segments, by a client that logged in.
#[test]
fn a_flood_of_lines_makes_few_events() {
    let mut wire = Wire::default();
    let mut victim = Dialogue::open(&mut wire, CLIENT, 40_000);
    let mut attacker = Dialogue::open(&mut wire, Ipv4Addr::new(203, 0, 113, 9), 41_000);
    let lines = b"A\n".repeat(690);
    for round in 0..5 {
        for _ in 0..200 {
            wire.wait(10_000_000);
            attacker.says(&mut wire, &lines);
        }
        victim.works(&mut wire, round);
    }
    victim.close(&mut wire);
    attacker.close(&mut wire);
    let (text, peak) = read(&write(&wire, "lines.pcap"), &[]);
    let events = events(&text);
    println!("1,000 segments of lines: {} KiB of output, {} MiB", text.len() >> 10, peak >> 20);
    assert!(text.len() < 20 << 20, "{} bytes of 1.4 million", text.len());
    let repeated = |it: &Value| it["anomaly"]["repeated"]["count"].as_u64().unwrap_or(0);
    let held_back: u64 = events.iter().map(repeated).sum();
    assert!(held_back > 0);
    assert_eq!(lost(&events, "events_held_back"), held_back);
    assert_victim_is_complete(&events);
}

/// Item 8: of a command in IP fragments only the first one came.
#[test]
fn bytes_that_were_in_ip_fragments_are_missing_for_them() {
    let causes = |with_fragment: bool| {
        let mut wire = Wire::default();
        let mut it = Dialogue::open(&mut wire, CLIENT, 40_000);
        it.hears(&mut wire, b"220 ready\r\n");
        if with_fragment {
            wire.send_fragment(it.ends, 1);
        }
        it.seq[0] += 12;
        it.hears(&mut wire, b"200 ok\r\n");
        it.says(&mut wire, b"NOOP\r\n");
        it.close(&mut wire);
        let (text, _) = read(&write(&wire, "fragment.pcap"), &[]);
        let gaps = events(&text).into_iter().filter(|it| it["event"] == "gap");
        gaps.map(|it| (it["gap"]["cause"].to_string(), it["gap"]["bytes"].as_u64())).collect::<Vec<_>>()
    };
    assert_eq!(causes(true), [("\"fragments\"".to_owned(), Some(12))]);
    assert_eq!(causes(false), [("\"acknowledged\"".to_owned(), Some(12))]);
}

/// Item 7: a text that the server drops comes first. The one that it takes is told, and the other one as doubtful.
#[test]
fn a_segment_that_its_receiver_drops_is_not_believed() {
    let ways = [
        Forged::TcpChecksum,
        Forged::IpChecksum,
        Forged::NoAck,
        Forged::OldTimestamp,
        Forged::Signature,
        Forged::HopLimit,
    ];
    for forged in ways {
        let mut wire = Wire::default();
        let mut it = Dialogue::open(&mut wire, CLIENT, 40_000);
        it.hears(&mut wire, b"220 ready\r\n");
        it.says(&mut wire, b"TYPE I\r\n");
        it.hears(&mut wire, b"200 ok\r\n");
        wire.send(it.ends, it.seq, ACK | PSH, b"NOOP harmless00\r\n", forged);
        it.says(&mut wire, b"RETR secret.txt\r\n");
        it.hears(&mut wire, b"550 no\r\n");
        it.close(&mut wire);
        let (text, _) = read(&write(&wire, "doubtful.pcap"), &[]);
        let events = events(&text);
        let commands: Vec<_> = events.iter().filter_map(|it| it["command"]["arg"].as_str()).collect();
        assert!(commands.contains(&"secret.txt"), "{forged:?}: {commands:?}");
        assert!(!commands.contains(&"harmless00"), "{forged:?}: {commands:?}");
        let anomaly = |id: &str| events.iter().any(|it| it["anomaly"]["id"] == id);
        assert!(anomaly("doubtful_segment"), "{forged:?}");
        assert!(anomaly("overlap_conflict"), "{forged:?}");
        let of_checksums = matches!(forged, Forged::TcpChecksum | Forged::IpChecksum);
        assert_eq!(lost(&events, "checksum_bad") > 0, of_checksums, "{forged:?}");
    }
}

/// Item 7: a capture on the sending host has wrong checksums in all of its segments, and is read all the same.
#[test]
fn a_direction_without_any_right_checksum_is_believed() {
    for (options, commands) in
        [(&[][..], 1), (&["--checksums", "ignore"], 1), (&["--checksums", "verify"], 0)]
    {
        let mut wire = Wire::default();
        let [client, server] = [(CLIENT, 40_000), (SERVER, 21)];
        wire.send([client, server], [100, 0], SYN, b"", Forged::TcpChecksum);
        wire.send([server, client], [500, 101], SYN | ACK, b"", Forged::No);
        wire.send([client, server], [101, 501], ACK, b"", Forged::TcpChecksum);
        wire.send([client, server], [101, 501], ACK, b"NOOP\r\n", Forged::TcpChecksum);
        let (text, _) = read(&write(&wire, "offload.pcap"), options);
        let told = events(&text).iter().filter(|it| it["event"] == "command").count();
        assert_eq!(told, commands, "{options:?}");
    }
}

/// Item 7: two texts for the same bytes, however they are cut, are told.
#[test]
fn each_conflict_of_two_texts_is_told() {
    const FIRST: &[u8] = b"NOOP harmless00\r\n";
    const SECOND: &[u8] = b"RETR secret.txt\r\n";
    // Each piece: which text, from where, to where.
    let ways: [&[(bool, usize, usize)]; 6] = [
        &[(false, 0, 17), (true, 0, 17)],
        &[(false, 0, 17), (true, 0, 4)],
        &[(false, 0, 17), (true, 5, 11), (true, 11, 17)],
        &[(false, 5, 17), (true, 0, 17)],
        &[(false, 5, 17), (true, 5, 12), (false, 0, 5)],
        &[(false, 0, 8), (true, 4, 17)],
    ];
    let by_byte: Vec<_> = (0..17).flat_map(|at| [(false, at, at + 1), (true, at, at + 1)]).collect();
    for pieces in ways.into_iter().chain([by_byte.as_slice()]) {
        let mut wire = Wire::default();
        let mut it = Dialogue::open(&mut wire, CLIENT, 40_000);
        it.hears(&mut wire, b"220 ready\r\n");
        it.says(&mut wire, b"TYPE I\r\n");
        it.hears(&mut wire, b"200 ok\r\n");
        for (second, from, to) in pieces {
            let text = if *second { SECOND } else { FIRST };
            let piece = text.get(*from..*to).expect("a piece");
            wire.send(it.ends, [it.seq[0] + *from as u32, it.seq[1]], ACK | PSH, piece, Forged::No);
        }
        it.seq[0] += 17;
        it.hears(&mut wire, b"550 no\r\n");
        it.close(&mut wire);
        let (text, _) = read(&write(&wire, "conflict.pcap"), &[]);
        let told = events(&text).iter().any(|it| it["anomaly"]["id"] == "overlap_conflict");
        assert!(told, "{pieces:?}: {text}");
    }
}

/// Items 3 and 10: a hostile server, and names that lead a terminal: nothing of it is in any format.
#[test]
fn no_format_has_a_secret_or_leads_a_terminal() {
    const SECRET: &str = "hunter2-Sesame";
    let script = format!(
        "host client 192.0.2.10\nhost server 192.0.2.21\nopen c client:40000 server:21\nS: 220 ready\n\
         C: USER bob\nS! \\xff\\xfd\\x50\nS: 331 more\nC! \\xff\\xfc\\x22PASS {SECRET}\\r\\n\n\
         S: 230 user bob pass {SECRET}\nC: SITE PSWD {SECRET} {SECRET}2\nS: 500 'SITE PSWD {SECRET}' is unknown\n\
         C: USER bob:{SECRET}@host\nS: 331 more\nC! \\x0bPASS {SECRET}\\r\\n\nS: 530 no\n\
         C: ACCT {SECRET}\nS: 202 no\nC: ADAT {SECRET}\nS: 335 more\n\
         C: RETR \\xe2\\x80\\xae\\xc2\\x9b31m\\x7f\\xe2\\x81\\xa6name\nS: 550 \\xe2\\x80\\xa8no\\x1b[2J\n\
         C: QUIT\nS: 221 bye\nclose c >\n"
    );
    let path = scratch("secrets.pcap");
    fs::write(&path, capture(&script).expect("the script is right")).expect("a capture");
    for format in FORMATS {
        let (text, _) = read(&path, &["--format", format]);
        assert!(!text.contains(SECRET), "{format}: {text}");
        assert_leads_nobody(format, &text);
    }
}

/// Characters that lead a terminal or a viewer of logs.
fn leads(it: char) -> bool {
    matches!(it, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || (it.is_control() && it != '\n' && it != '\t')
}

fn assert_leads_nobody(format: &str, text: &str) {
    let found = text.lines().find(|line| line.chars().any(leads));
    assert!(found.is_none(), "{format}: {found:?}");
}

/// Item 10: wherever a peer can put a text, no format has a character in it that leads a terminal, whatever `--secrets` says.
#[test]
fn no_text_of_a_peer_leads_a_terminal() {
    let all =
        (1..=0x10_ffff).filter_map(char::from_u32).filter(|it| leads(*it) && !matches!(it, '\r' | '\n'));
    let escaped =
        |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| format!("{text}\\x{byte:02x}"));
    let mut texts: Vec<String> = all.map(|it| escaped(it.to_string().as_bytes())).collect();
    // What is no UTF-8: a viewer in Latin-1 takes it for C1.
    texts.extend((0x80..=0x9f).map(|byte| escaped(&[byte])));
    let x = format!("a{}b", texts.concat());
    let script = format!(
        "host client 192.0.2.10\nhost server 192.0.2.21\nopen c client:40000 server:21\nS: 220 {x} ready\n\
         C: USER {x}\nS: 331 {x}\nC: PASS {x}\nS: 230-{x}\nS:  {x}\nS: 230 {x}\nC: SYST\nS: 215 {x}\n\
         C: MKD /{x}\nS: 257 \"/{x}\" made\nC: CWD /{x}\nS: 250 {x}\nC: PWD\nS: 257 \"/{x}\" is here\n\
         C: {x} {x}\nS: 500 {x}\nS: {x}\nC: SITE {x} {x}\nS: 200 {x}\nC: RNFR {x}\nS: 350 {x}\nC: RNTO {x}\nS: 250 {x}\n\
         C: PASV\nS: 227 {x} (192,0,2,21,78,32)\nC: RETR {x}\nS: 150 {x}\ndata d client:41000 server:20000 < text {x}\n\
         S: 226 {x}\nC: PASV\nS: 227 {x} (192,0,2,21,78,33)\nC: STOU\nS: 150 FILE: {x}\n\
         data e client:41001 server:20001 > text {x}\nS: 226 {x}\nC: CLNT {x}\nS: 200 {x}\nC: QUIT {x}\nS: 221 {x}\nclose c >\n"
    );
    let path = scratch("leads.pcap");
    fs::write(&path, capture(&script).expect("the script is right")).expect("a capture");
    for format in FORMATS {
        for secrets in ["mask", "show"] {
            let (text, _) = read(&path, &["--format", format, "--secrets", secrets, "--files", "hash"]);
            assert!(!text.is_empty(), "{format} is empty");
            assert_leads_nobody(format, &text);
        }
    }
}
