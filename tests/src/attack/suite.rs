//! Dialogues whose packets are expensive to read, and one that is none.

use std::net::Ipv4Addr;

use super::{Dialogue, Forged, SERVER, Wire};
use crate::script::wire::{ACK, PSH, SYN};

/// The name of the dialogue that is no attack.
pub const BENIGN: &str = "benign";

/// Segments of each attack.
const SEGMENTS: u32 = 2_000;
/// Bytes of a segment that is full.
const FULL: usize = 1_380;

/// One packet, whose cost is that of the program's start.
pub fn nothing() -> Wire {
    let mut wire = Wire::default();
    wire.send([(SERVER, 80), (SERVER, 81)], [1, 1], ACK, b"", Forged::No);
    wire
}

/// All of them by name, [`BENIGN`] first.
pub fn suite() -> Vec<(&'static str, Wire)> {
    let mut all = vec![(BENIGN, benign())];
    all.extend(one_line_a_segment());
    all.extend(full_segments());
    all.extend(disorder());
    all.extend(of_many_sources());
    all
}

fn dialogue(turn: &dyn Fn(&mut Wire, &mut Dialogue, u32)) -> Wire {
    let mut wire = Wire::default();
    let mut it = Dialogue::open(&mut wire, Ipv4Addr::new(192, 0, 2, 10), 40_000);
    it.hears(&mut wire, b"220 ready\r\n");
    for number in 0..SEGMENTS {
        turn(&mut wire, &mut it, number);
    }
    it.close(&mut wire);
    wire
}

fn benign() -> Wire {
    dialogue(&|wire, it, _| {
        it.says(wire, b"NOOP\r\n");
        it.hears(wire, b"200 ok\r\n");
    })
}

fn one_line_a_segment() -> Vec<(&'static str, Wire)> {
    let says = |text: &'static [u8]| dialogue(&move |wire, it, _| it.says(wire, text));
    vec![
        ("pending", says(b"NOOP\r\n")),
        ("PORT", says(b"PORT 192,0,2,10,200,1\r\n")),
        ("SPOR", says(SPOR)),
        ("RETR", says(b"RETR x\r\n")),
        ("one-byte segments", says(b"x")),
        ("long replies", dialogue(&|wire, it, _| it.hears(wire, b"220-x\r\n"))),
    ]
}

const SPOR: &[u8] = b"SPOR 192,0,2,10,200,1 192,0,2,10,200,2 192,0,2,10,200,3 192,0,2,10,200,4\r\n";

/// Segments full of one line, from the client, then from the server.
fn full_segments() -> Vec<(&'static str, Wire)> {
    let of_client: [(&'static str, &[u8]); 15] = [
        ("newlines", b"\n"),
        ("CRLF newlines", b"\r\n"),
        ("short commands", b"A\n"),
        ("commands and newlines", b"A\n\n"),
        ("full NOOP", b"NOOP\r\n"),
        ("full PASS", b"PASS x\n"),
        ("full RETR", b"RETR x\n"),
        ("full PORT", b"PORT 192,0,2,10,200,1\r\n"),
        ("full SPOR", SPOR),
        ("Telnet lines", b"\xff\xf1\n"),
        ("Telnet options", b"\xff\xfbA\n"),
        ("Telnet subnegotiations", b"\xff\xfa\xff\xf0\n"),
        ("Telnet in verbs", b"A\xff\xf1\n"),
        ("NUL lines", b"A\0\n"),
        ("malformed commands", b"1 \n"),
    ];
    let of_server: [(&'static str, &[u8]); 6] = [
        ("short replies", b"200 x\r\n"),
        ("shortest replies", b"2\n"),
        ("full long replies", b"220-x\r\n"),
        ("newlines of the server", b"\n"),
        ("full announcements", b"229 (|||9999|)\n"),
        ("preliminary replies", b"150 x\n"),
    ];
    let full = |line: &[u8]| line.repeat(FULL / line.len());
    let mut all = Vec::new();
    for (name, line) in of_client {
        all.push((name, dialogue(&|wire, it, _| it.says(wire, &full(line)))));
    }
    for (name, line) in of_server {
        all.push((name, dialogue(&|wire, it, _| it.hears(wire, &full(line)))));
    }
    let long = |head: &[u8], piece: &[u8]| [head, &full(piece), b"\r\n"].concat();
    all.extend([
        ("CR lines", dialogue(&|wire, it, _| it.says(wire, &long(b"NOOP ", b"\rA ")))),
        ("CR and PASS", dialogue(&|wire, it, _| it.says(wire, &long(b"NOOP ", b"\rPASS x")))),
        ("controls", dialogue(&|wire, it, _| it.says(wire, &long(b"X ", b"\x01")))),
        ("not UTF-8", dialogue(&|wire, it, _| it.says(wire, &long(b"X ", b"\x80")))),
        ("begun characters", dialogue(&|wire, it, _| it.says(wire, &long(b"X ", b"\xe2a")))),
        ("C1 controls", dialogue(&|wire, it, _| it.says(wire, &long(b"X ", "\u{80}".as_bytes())))),
        ("Telnet in a line", dialogue(&|wire, it, _| it.says(wire, &long(b"X ", b"\xff\xf1a")))),
        ("quotes", dialogue(&|wire, it, _| it.says(wire, &long(b"X ", b"PAS ")))),
        ("a verb like PASS", dialogue(&|wire, it, _| it.says(wire, &long(b"PAS", b"PASPW")))),
        ("a word like PASSWD", dialogue(&|wire, it, _| it.says(wire, &long(b"SITE ", b"PSWPAS")))),
        ("a quoted verb like PASS", dialogue(&|wire, it, _| it.says(wire, &long(b"X Y", b"SECREUSE")))),
        (
            "commands and their replies",
            dialogue(&|wire, it, _| {
                it.says(wire, &full(b"A\n"));
                it.hears(wire, &full(b"500\n"));
            }),
        ),
        (
            "echoed secrets",
            dialogue(&|wire, it, number| {
                if number < 20 {
                    it.says(wire, format!("PASS aaaaaaaaaaaa{number:02}\r\n").as_bytes());
                    return it.hears(wire, b"530 no\r\n");
                }
                it.hears(wire, &long(b"230-", b"a"));
            }),
        ),
    ]);
    all
}

/// Segments that are missing, come twice or should not be.
fn disorder() -> Vec<(&'static str, Wire)> {
    vec![
        (
            "replies behind gaps",
            dialogue(&|wire, it, number| {
                if number < 500 {
                    return it.says(wire, b"NOOP\r\n");
                }
                it.seq[1] += 100;
                it.hears(wire, b"200 ok\r\n");
            }),
        ),
        (
            "holes",
            dialogue(&|wire, it, _| {
                it.seq[0] += 1;
                it.says(wire, b"x");
            }),
        ),
        (
            "holes that stay",
            dialogue(&|wire, it, number| {
                let [seq, ack] = it.seq;
                wire.send(it.ends, [seq + 2 * (number % 500) + 1, ack], ACK | PSH, b"x", Forged::No);
            }),
        ),
        (
            "overlaps",
            dialogue(&|wire, it, _| {
                let [seq, ack] = it.seq;
                wire.send(it.ends, [seq - 40, ack], ACK | PSH, &[b'Y'; FULL], Forged::No);
            }),
        ),
        ("fragments", dialogue(&|wire, it, number| wire.send_fragment(it.ends, number as u16))),
        (
            "doubt",
            dialogue(&|wire, it, number| {
                let [seq, ack] = it.seq;
                let forged = Forged::OldTimestamp;
                wire.send(it.ends, [seq + number % 32, ack], ACK | PSH, b"NOOP\r\n", forged);
            }),
        ),
    ]
}

/// Many hosts, or ports.
fn of_many_sources() -> Vec<(&'static str, Wire)> {
    let host = |number: u32| Ipv4Addr::from_bits(0x0a00_0000 + number);
    vec![
        (
            "sessions",
            dialogue(&|wire, _, number| {
                let mut it = Dialogue::open(wire, host(number), 40_000);
                it.says(wire, b"USER x\r\n");
            }),
        ),
        (
            "invented sources",
            dialogue(&|wire, _, number| {
                let ends = [(host(number), 1_025), (SERVER, 21)];
                wire.send(ends, [1, 1], ACK, &[b'\n'; FULL], Forged::No);
            }),
        ),
        (
            "candidates",
            dialogue(&|wire, it, number| {
                let [(client, _), _] = it.ends;
                let port = number as u16;
                let ends = [(client, 1_024 + port), (SERVER, 20_000 + port % 500)];
                wire.send(ends, [1, 0], SYN, b"", Forged::No);
                wire.send([ends[1], ends[0]], [1, 2], SYN | ACK, b"", Forged::No);
            }),
        ),
    ]
}
