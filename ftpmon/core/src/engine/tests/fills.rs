//! Random dialogues under small limits: every container is within its cap after every segment.

use proptest::prelude::*;

use super::{ACK, Bench, FIN, FilesMode, Limits, SYN, Talk, TcpFlags, end};
use crate::addr::Endpoint;
use crate::engine::EngineConfig;

const LINES: [&str; 26] = [
    "220 hello",
    "USER mary",
    "331 password",
    "PASS secret",
    "PASS another",
    "230 in",
    "530 no",
    "CWD a",
    "250 ok",
    "PASV",
    "RETR a",
    "STOR b",
    "LIST",
    "150 go",
    "226 done",
    "425 cannot",
    "426 broken",
    "ABOR",
    "AUTH TLS",
    "234 go",
    "REST 9",
    "350 ok",
    "SPAS",
    "229-x\r\n 192,0,2,2,200,1\r\n192,0,2,2,200,2\r\n229 end",
    "200 ok",
    "NOOP",
];

/// A step of the input.
#[derive(Clone, Debug)]
enum Input {
    /// A line of one end of a connection, after some bytes that are not seen.
    Line {
        talk: usize,
        line: usize,
        hidden: u32,
    },
    /// An endpoint is announced: by 227, or by PORT.
    Announce {
        talk: usize,
        port: u8,
        active: bool,
    },
    /// Bytes of either end, after some that are not seen.
    Bytes {
        talk: usize,
        from_client: bool,
        len: usize,
        hidden: u32,
    },
    /// A segment with these flags.
    Flags {
        talk: usize,
        from_client: bool,
        flags: u8,
    },
    /// A connection is opened anew.
    Open {
        talk: usize,
    },
    Wait(u32),
}

/// The ends of the connections: three control connections, one of them with implicit TLS, and others that may be announced.
fn ends(talk: usize) -> (Endpoint, Endpoint) {
    match talk {
        0 | 1 => (end(1, 40_000 + talk as u16), end(2, 21)),
        2 => (end(1, 40_002), end(2, 990)),
        3 => (end(2, 20), end(1, 51_200)),
        _ => (end(1 + talk as u8 % 3, 41_000 + talk as u16), end(2, 51_200 + talk as u16 % 4)),
    }
}

fn input() -> impl Strategy<Value = Input> {
    let hidden = prop_oneof![4 => Just(0_u32), 1 => 1..20_u32];
    prop_oneof![
        8 => (0..3_usize, 0..LINES.len(), hidden.clone()).prop_map(|(talk, line, hidden)| Input::Line { talk, line, hidden }),
        4 => (0..3_usize, 0..6_u8, any::<bool>()).prop_map(|(talk, port, active)| Input::Announce { talk, port, active }),
        4 => (0..16_usize, any::<bool>(), 1..900_usize, hidden)
            .prop_map(|(talk, from_client, len, hidden)| Input::Bytes { talk, from_client, len, hidden }),
        2 => (0..16_usize, any::<bool>(), any::<u8>()).prop_map(|(talk, from_client, flags)| Input::Flags { talk, from_client, flags }),
        4 => (0..16_usize).prop_map(|talk| Input::Open { talk }),
        1 => (1..200_000_u32).prop_map(Input::Wait),
    ]
}

fn limits() -> Limits {
    Limits {
        flows: 7,
        ended_flows: 3,
        pending_commands: 4,
        open_transfers: 3,
        announced_endpoints: 4,
        probe_bytes: 2_000,
        early_bytes: 3_000,
        reorder_bytes: 4_000,
        ..Limits::default()
    }
}

proptest! {
    #[test]
    fn every_container_is_within_its_cap(steps in prop::collection::vec(input(), 1..150), files: bool, partitions in 1..3_u8) {
        let files = if files { FilesMode::Hash } else { FilesMode::Off };
        let limits = limits();
        let config = EngineConfig { limits, files, partitions, detect_by_content: true, ..EngineConfig::default() };
        let mut bench = Bench::new(config);
        let new = |talk: usize| {
            let (client, server) = ends(talk);
            Talk { client, server, seq: [u32::MAX - 60, 1_000] }
        };
        let mut talks: Vec<Talk> = (0..16).map(new).collect();
        for step in steps {
            match step {
                Input::Line { talk, line, hidden } => {
                    let talk = &mut talks[talk];
                    let from_client = !LINES[line].starts_with(|c: char| c.is_ascii_digit());
                    let seq = &mut talk.seq[usize::from(!from_client)];
                    *seq = seq.wrapping_add(hidden);
                    bench.say(talk, &[LINES[line]]);
                }
                Input::Announce { talk, port, active: true } => {
                    bench.say(&mut talks[talk], &[&format!("PORT 192,0,2,1,200,{port}"), "200 ok"]);
                }
                Input::Announce { talk, port, active: false } => {
                    bench.say(&mut talks[talk], &["PASV", &format!("227 x (192,0,2,2,200,{port})")]);
                }
                Input::Bytes { talk, from_client, len, hidden } => {
                    let seq = &mut talks[talk].seq[usize::from(!from_client)];
                    *seq = seq.wrapping_add(hidden);
                    bench.send(&mut talks[talk], from_client, ACK, &vec![b'x'; len]);
                }
                Input::Flags { talk, from_client, flags } => {
                    let known = SYN | ACK | FIN | TcpFlags::RST;
                    bench.send(&mut talks[talk], from_client, flags & known, b"");
                }
                Input::Open { talk } => {
                    let (client, server) = ends(talk);
                    talks[talk] = bench.connect(client, server);
                }
                Input::Wait(ms) => bench.now += i64::from(ms) * 1_000_000,
            }
            bench.check_caps();
            bench.poll();
        }
        bench.finish();
    }
}
