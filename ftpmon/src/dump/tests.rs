//! Written captures are read back with the project's own reader.

use std::os::unix::fs::PermissionsExt as _;

use etherparse::PacketBuilder;

use super::*;
use crate::capture::{CaptureFile, Step};
use crate::format::sample;
use ftpmon_core::account::{DirectionAccount, FlowReport};
use ftpmon_core::frame::{Decoder, LinkType, RawFrame};
use ftpmon_core::segment::{VlanTag, VlanTags};
use ftpmon_event::addr::Endpoint;

fn frame_bytes(seq: u32, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([1; 6], [2; 6])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(40_000, 21, seq, 1000)
        .ack(1);
    let mut bytes = Vec::new();
    builder.write(&mut bytes, payload).unwrap();
    bytes
}

fn raw(bytes: &[u8]) -> RawFrame<'_> {
    RawFrame {
        link: LinkType::Ethernet,
        bytes,
        wire_len: bytes.len() as u32,
        interface: InterfaceId(7),
        tag: None,
    }
}

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("ftpmon-dump-{name}-{}", std::process::id()))
}

fn options(name: &str, mask: bool, max_bytes: Option<u64>) -> DumpOptions {
    DumpOptions { path: path(name), max_bytes, mask_ports: mask.then(|| vec![21]) }
}

fn give(dump: &mut Dump, seq: u32, payload: &[u8]) {
    let bytes = frame_bytes(seq, payload);
    let frame = raw(&bytes);
    let mut decoder = Decoder::default();
    let at = Timestamp::from_parts(1_700_000_000, 123_456_789);
    let segment = decoder.decode(at, &frame);
    dump.frame(&seen(at, frame), segment.as_ref(), true);
}

fn seen(at: Timestamp, frame: RawFrame<'_>) -> SeenFrame<'_> {
    SeenFrame { at, frame, outbound: false, of_data: false, of_beginning: false, of_fragment: false }
}

fn frames(name: &str) -> Vec<(Timestamp, Vec<u8>)> {
    let mut file = CaptureFile::open(&path(name)).unwrap();
    let mut frames = Vec::new();
    loop {
        match file.step().unwrap() {
            Step::Packet { at, frame } => frames.push((at, frame.bytes.to_vec())),
            Step::End => break,
            _ => {}
        }
    }
    frames
}

/// The payloads that are in the file after these were given.
fn masked(name: &str, payloads: &[(u32, &str)]) -> Vec<String> {
    let mut dump = Dump::create(options(name, true, None)).unwrap();
    for (seq, payload) in payloads {
        give(&mut dump, *seq, payload.as_bytes());
    }
    dump.finish(Timestamp::default(), 0);
    let got = frames(name).into_iter().map(|(_, bytes)| String::from_utf8_lossy(&bytes[54..]).into_owned());
    let got = got.collect();
    std::fs::remove_file(path(name)).unwrap();
    got
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn frames_come_back_with_time_name_and_comment() {
    let mut dump = Dump::create(options("whole", false, None)).unwrap();
    dump.name_interface(InterfaceId(7), "eth7");
    give(&mut dump, 1, b"PASS secret\r\n");
    dump.note(&sample::event(&sample::identity("s1"), 0, sample::command(2, "RETR", Some("a\x1b[2Jb"))));
    give(&mut dump, 14, b"");
    dump.finish(Timestamp::from_parts(1_700_000_001, 0), 0);
    assert_eq!(dump.counters(), DumpCounters { written: 2, ..DumpCounters::default() });
    let got = frames("whole");
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].0, Timestamp::from_parts(1_700_000_000, 123_456_789));
    assert_eq!(got[0].1, frame_bytes(1, b"PASS secret\r\n"));
    let file = std::fs::read(path("whole")).unwrap();
    let text = String::from_utf8_lossy(&file);
    assert!(
        text.contains("ftpmon session=00000000000000s1 tx=2 command RETR a\\u{1b}[2Jb")
            && text.contains("eth7")
    );
    let mode = std::fs::metadata(path("whole")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::remove_file(path("whole")).unwrap();
}

/// The FIN of a data connection.
fn give_fin(dump: &mut Dump) {
    let builder = PacketBuilder::ethernet2([1; 6], [2; 6]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
    let mut bytes = Vec::new();
    builder.tcp(40_001, 50_000, 9, 1000).ack(1).fin().write(&mut bytes, b"").unwrap();
    let frame = raw(&bytes);
    let mut decoder = Decoder::default();
    let segment = decoder.decode(Timestamp::default(), &frame);
    dump.frame(&SeenFrame { of_data: true, ..seen(Timestamp::default(), frame) }, segment.as_ref(), true);
}

/// The kernel's last account of that connection, which is seen by the port that it was opened from.
fn closed(from: u16) -> FlowRecord {
    let at = Timestamp::default();
    let end = |host, port| Endpoint::new([10, 0, 0, host].into(), port);
    FlowRecord {
        at,
        report: FlowReport::Close,
        initiator: end(2, 50_000),
        listener: end(1, from),
        incarnation: 1,
        first: at,
        last: at,
        syn: None,
        syn_ack: None,
        ack: None,
        from_initiator: DirectionAccount::default(),
        from_listener: DirectionAccount::default(),
        closed_by: None,
        interface: InterfaceId(7),
        vlan: VlanTags::default(),
    }
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn what_an_account_completes_stands_at_its_connections_last_frame() {
    let mut dump = Dump::create(options("account", false, None)).unwrap();
    give_fin(&mut dump);
    dump.close();
    give(&mut dump, 1, b"NOOP\r\n");
    let event = |verb| sample::event(&sample::identity("s1"), 0, sample::command(2, verb, None));
    dump.account(&closed(40_002));
    dump.note(&event("WRONG"));
    dump.close();
    dump.note(&event("LATE"));
    assert_eq!(dump.queue.len(), 2, "both wait for the account");
    dump.account(&closed(40_001));
    dump.note(&event("RIGHT"));
    dump.close();
    assert_eq!(dump.queue.len(), 0);
    // The run continues, and no account comes.
    give_fin(&mut dump);
    dump.close();
    assert_eq!(dump.queue.len(), 1);
    dump.flush();
    assert_eq!(dump.queue.len(), 0);
    dump.finish(Timestamp::default(), 0);
    let file = std::fs::read(path("account")).unwrap();
    let place = |what: &[u8]| file.windows(what.len()).position(|window| window == what);
    assert!(place(b"RIGHT").unwrap() < place(b"NOOP").unwrap(), "the order is that of the frames");
    assert_eq!((place(b"WRONG"), place(b"LATE")), (None, None));
    assert_eq!(frames("account").len(), 3);
    std::fs::remove_file(path("account")).unwrap();
}

/// The numbers of each interface's statistics by code, and the comment where there is one.
fn statistics(name: &str) -> Vec<(Vec<(u16, u64)>, String)> {
    let file = std::fs::read(path(name)).unwrap();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let (mut found, mut at) = (Vec::new(), 0);
    while at < file.len() {
        let len = word(at + 4) as usize;
        if word(at) == 5 {
            let (mut numbers, mut comment, mut option) = (Vec::new(), String::new(), at + 20);
            while let (code @ 1.., value_len) = (word(option) as u16, (word(option) >> 16) as usize) {
                let value = &file[option + 4..option + 4 + value_len];
                match code {
                    1 => comment = String::from_utf8(value.to_vec()).unwrap(),
                    code => numbers.push((code, u64::from_le_bytes(value.try_into().unwrap()))),
                }
                option += 4 + value_len.next_multiple_of(4);
            }
            assert!(len <= STATISTICS_LEN + if comment.is_empty() { 0 } else { OF_ALL_LEN });
            found.push((numbers, comment));
        }
        at += len;
    }
    found
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn statistics_tell_what_the_kernel_lost_from_what_the_file_lacks() {
    let mut dump = Dump::create(options("statistics", true, Some(1_000))).unwrap();
    give(&mut dump, 1, b"NOOP\r\n");
    give(&mut dump, 7, &[b'x'; 900]);
    let bytes = frame_bytes(1, b"PASS x\r\n");
    dump.frame(&seen(Timestamp::default(), raw(&bytes)), None, true);
    dump.finish(Timestamp::default(), 7);
    let numbers = vec![(4, 3 + 7), (5, 2), (7, 7), (8, 3)];
    assert_eq!(statistics("statistics"), [(numbers, String::new())]);
    std::fs::remove_file(path("statistics")).unwrap();
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn what_the_kernel_lost_is_counted_once_for_several_interfaces() {
    let mut dump = Dump::create(options("several", false, None)).unwrap();
    let bytes = frame_bytes(1, b"NOOP\r\n");
    for interface in [InterfaceId(7), InterfaceId(8)] {
        dump.frame(&seen(Timestamp::default(), RawFrame { interface, ..raw(&bytes) }), None, true);
    }
    dump.finish(Timestamp::default(), 7);
    let [(first, comment), (second, none)] = &statistics("several")[..] else { panic!() };
    assert_eq!(first[..], [(4, 1 + 7), (5, 0), (7, 7), (8, 1)]);
    assert_eq!(second[..], [(4, 1), (5, 0), (7, 0), (8, 1)]);
    assert!(comment.contains("all interfaces") && none.is_empty());
    std::fs::remove_file(path("several")).unwrap();
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn frames_that_wait_are_bounded() {
    let mut dump = Dump::create(options("bound", false, None)).unwrap();
    for _ in 0..2 * comment_queue::FRAMES_MAX {
        give_fin(&mut dump);
        dump.close();
        assert!(dump.queue.len() <= comment_queue::FRAMES_MAX);
    }
    dump.finish(Timestamp::default(), 0);
    assert_eq!(frames("bound").len(), 2 * comment_queue::FRAMES_MAX);
    std::fs::remove_file(path("bound")).unwrap();
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn passwords_are_overwritten_byte_for_byte() {
    let got = masked("mask", &[(1, "x\r\n"), (4, "USER joe\r\npass a b\r\nACCT x\r\nSYST\r\n")]);
    assert_eq!(got, ["*\r\n", "USER joe\r\npass ***\r\nACCT *\r\nSYST\r\n"]);
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn a_password_in_several_segments_is_overwritten_in_each() {
    let got = masked("split", &[(1, "\r\n"), (3, "PA"), (5, "SS se"), (10, "cret\r"), (15, "\nNOOP\r\n")]);
    assert_eq!(got, ["\r\n", "PA", "SS **", "****\r", "\nNOOP\r\n"]);
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn what_does_not_follow_is_overwritten_to_the_lines_end() {
    let got =
        masked("order", &[(1, "\r\n"), (3, "PASS sec"), (14, "NOOP\r\n"), (11, "ret"), (20, "SYST\r\n")]);
    assert_eq!(got, ["\r\n", "PASS ***", "****\r\n", "***", "SYST\r\n"]);
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn only_what_is_harmless_stays() {
    for (line, shown) in [
        ("RETR a b.txt", "RETR a b.txt"),
        ("noop", "noop"),
        ("hunter2", "h******"),
        ("xyz hunter2", "x**********"),
        ("SITE PSWD old", "SITE ********"),
        ("USER alice:hunter2@host", "USER alice:************"),
        ("USER alice hunter2", "USER alice *******"),
        ("USER alice\rPASS hunter2", "USER alice\r************"),
        ("NOOP\rPASS hunter2", "NOOP\r************"),
        ("PASS:hunter2", "PASS********"),
        ("PASS\u{b}hunter2", "PASS********"),
        ("\u{1}PASS hunter2", "*************"),
        ("ADAT aGVsbG8=", "ADAT ********"),
        ("PASS hunter2", "PASS *******"),
    ] {
        let got = masked("harmless", &[(1, "\r\n"), (3, &format!("{line}\r\nSYST\r\n"))]);
        assert_eq!(got[1], format!("{shown}\r\nSYST\r\n"), "{line:?}");
    }
}

#[test]
fn what_telnet_hides_is_found_and_replies_repeat_no_password() {
    let mut client = mask::Client::default();
    let mut line = b"\xff\xfd\x50PASS hunter2\r\n".to_vec();
    client.mask(&line.clone(), &mut line);
    assert_eq!(line, b"\xff\xfd\x50PASS *******\r\n");
    for (first, second, want) in [
        (&b"500 'PASS HUNTER2'\r\n"[..], &b""[..], &b"500 'PASS *******'\r\n"[..]),
        (b"500 hunt", b"er2 no\r\n", b"500 ******* no\r\n"),
        (b"200 hunt", b"ing\r\n", b"200 ****ing\r\n"),
    ] {
        let (mut first, mut second) = (first.to_vec(), second.to_vec());
        client.mask_reply(1, 9, &mut first);
        client.mask_reply(9, 20, &mut second);
        assert_eq!([first, second].concat(), want);
    }
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn tags_stand_in_the_frame_again_and_the_size_has_a_cap() {
    let mut dump = Dump::create(options("tag", false, Some(500))).unwrap();
    let bytes = frame_bytes(1, b"NOOP\r\n");
    let mut frame = raw(&bytes);
    // Priority 5, drop eligible.
    frame.tag = Some(VlanTag { protocol: 0x88a8, control: 0xb064 });
    for _ in 0..50 {
        dump.frame(&seen(Timestamp::from_parts(5, 0), frame), None, true);
    }
    dump.finish(Timestamp::from_parts(6, 0), 0);
    let got = frames("tag");
    assert_eq!(&got[0].1[12..18], [0x88, 0xa8, 0xb0, 100, 8, 0]);
    let counters = dump.counters();
    assert_eq!(got.len() as u64 + counters.max_bytes, 50);
    assert!(counters.max_bytes > 40);
    assert!(std::fs::metadata(path("tag")).unwrap().len() <= 500, "the statistics are within it");
    std::fs::remove_file(path("tag")).unwrap();
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn a_full_disk_is_counted() {
    let options = DumpOptions { path: "/dev/full".into(), max_bytes: None, mask_ports: None };
    assert!(Dump::create(options).is_err());
    let mut dump = Dump::create(self::options("parts", true, None)).unwrap();
    let bytes = frame_bytes(1, b"PASS x\r\n");
    dump.frame(&seen(Timestamp::default(), raw(&bytes)), None, true);
    assert_eq!(dump.counters().unmasked, 1, "what cannot be masked is not written");
    dump.finish(Timestamp::default(), 0);
    std::fs::remove_file(path("parts")).unwrap();
}
