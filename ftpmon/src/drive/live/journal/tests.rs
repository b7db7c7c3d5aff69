use std::net::Ipv4Addr;

use ftpmon_common::RecordHeader;
use ftpmon_core::segment::{InterfaceId, Signs, TcpFlags, VlanTags};

use super::*;

fn end(port: u16) -> Endpoint {
    Endpoint::new(Ipv4Addr::LOCALHOST.into(), port)
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ftpmon-journal-{}-{name}", std::process::id()));
    folder.join("state")
}

fn record(text: &[u8]) -> Vec<u8> {
    [&[0; size_of::<RecordHeader>()], text].concat()
}

#[test]
fn what_was_noted_of_open_connections_is_read_by_the_next_one() {
    let path = scratch("next");
    let (mut journal, earlier) = Journal::open(&path, Opener::start().unwrap(), vec![21]).unwrap();
    assert_eq!(earlier, None);
    assert!(
        Journal::open(&path, Opener::start().unwrap(), vec![21]).is_err(),
        "two agents must not share it"
    );
    journal.part(b"a part", 7);
    journal.record(&record(b"USER a\r\n"), end(40_000), end(21), 7);
    journal.record(&record(b"of another"), end(40_001), end(21), 7);
    journal.timeout(99);
    journal.session_over(end(21), end(40_001));
    journal.renew().unwrap();
    journal.end().unwrap();
    let (_, earlier) = Journal::open(&path, Opener::start().unwrap(), vec![21]).unwrap();
    let earlier = earlier.unwrap();
    let kinds: Vec<EntryKind> = earlier.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Record, EntryKind::Record, EntryKind::Timeout, EntryKind::End]);
    assert_eq!((earlier[0].distance, earlier[0].body.as_slice()), (7, &b"a part"[..]));
    assert_eq!(earlier[1].body, record(b"USER a\r\n"));
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn a_file_ends_where_an_entry_is_damaged() {
    let boot = boot_id().unwrap();
    let header = [&MAGIC[..], &ABI_VERSION.to_le_bytes(), &boot].concat();
    let whole =
        [header.clone(), encode(EntryKind::Record, 1, b"one"), encode(EntryKind::Record, 1, b"two")].concat();
    assert_eq!(parse(&whole, &boot).unwrap().len(), 2);
    for (at, left) in [(whole.len() - 1, 1), (header.len() + 9, 0), (header.len() + 2, 0)] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        assert_eq!(parse(&damaged, &boot).unwrap().len(), left, "byte {at}");
    }
    assert_eq!(parse(&whole[..whole.len() - 1], &boot).unwrap().len(), 1);
    assert_eq!(parse(&whole, &[b'x'; 36]), None, "of another boot");
}

#[test]
fn what_finds_no_room_is_counted() {
    let (mut journal, _) = Journal::open(&scratch("full"), Opener::start().unwrap(), vec![21]).unwrap();
    let part = vec![0; HEAD_MAX];
    journal.part(&part, 0);
    assert_eq!(journal.left_out, 0);
    journal.part(&part, 0);
    assert_eq!(journal.left_out, 1, "a frame whose end does not come");
    journal.kept_bytes = KEPT_MAX;
    journal.timeout(0);
    journal.record(&record(b"more"), end(40_000), end(21), 0);
    let mut snapshot = Snapshot::default();
    journal.sample(&mut snapshot);
    assert_eq!(snapshot.stats(0).lost["journal_full"], 3, "and its first part with it");
}

#[test]
fn a_long_session_keeps_its_beginning_and_its_end() {
    let path = scratch("long");
    let (mut journal, _) = Journal::open(&path, Opener::start().unwrap(), vec![21]).unwrap();
    for number in 0..5_000_u32 {
        journal.record(&record(&number.to_le_bytes()), end(40_000), end(21), 0);
    }
    assert!(journal.kept_bytes <= HEAD_MAX + TAIL_MAX, "{}", journal.kept_bytes);
    journal.renew().unwrap();
    journal.flush().unwrap();
    let bytes = fs::read(&path).unwrap();
    let entries = parse(&bytes, &boot_id().unwrap()).unwrap();
    assert_eq!(entries.first().unwrap().body, record(&0_u32.to_le_bytes()));
    assert_eq!(entries.last().unwrap().body, record(&4_999_u32.to_le_bytes()));
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn passwords_are_not_kept() {
    let path = scratch("masked");
    let (mut journal, _) = Journal::open(&path, Opener::start().unwrap(), vec![21]).unwrap();
    let mut note = |text: &[u8], back: bool, seq: u32, flags: u8| {
        let record = record(text);
        let payload = &record[size_of::<RecordHeader>()..];
        let (src, dst) = if back { (end(21), end(40_000)) } else { (end(40_000), end(21)) };
        let segment = Segment {
            src,
            dst,
            seq,
            ack: 1,
            flags: TcpFlags(flags),
            payload,
            wire_payload_len: payload.len() as u32,
            interface: InterfaceId(0),
            vlan: VlanTags::default(),
            signs: Signs::default(),
        };
        journal.frame(&record, &segment, 0);
    };
    let lines: &[u8] = b"USER a\r\npass secret\r\nNOOP\r\nSITE PSWD old new\r\n";
    note(b"", false, 0, TcpFlags::SYN);
    note(lines, false, 1, TcpFlags::ACK);
    note(b"230 secret is right\r\n", true, 1, TcpFlags::ACK);
    journal.renew().unwrap();
    journal.flush().unwrap();
    let kept = parse(&fs::read(&path).unwrap(), &boot_id().unwrap()).unwrap();
    let texts: Vec<&[u8]> = kept.iter().map(|entry| entry.body.as_slice()).collect();
    let masked = b"USER a\r\npass ******\r\nNOOP\r\nSITE ************\r\n";
    let reply = b"230 ****** is right\r\n";
    assert_eq!(texts, [record(b""), record(masked), record(reply)]);
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
