//! The same packets give the same outputs in the same order, however many partitions there are and whoever owns them.

use proptest::prelude::*;

use super::*;
use crate::engine::{Borders, Outputs, Pools, exchange, finish, for_each_output};

/// A packet of the input.
#[derive(Clone, Debug)]
struct Packet {
    at: Timestamp,
    src: Endpoint,
    dst: Endpoint,
    seq: u32,
    ack: u32,
    flags: u8,
    payload: Vec<u8>,
}

impl Packet {
    fn segment(&self) -> Segment<'_> {
        Segment {
            src: self.src,
            dst: self.dst,
            seq: self.seq,
            ack: self.ack,
            flags: TcpFlags(self.flags),
            payload: &self.payload,
            wire_payload_len: u32::try_from(self.payload.len()).unwrap(),
            interface: InterfaceId(1),
            vlan: VlanTags::default(),
            signs: Default::default(),
        }
    }
}

/// One connection as its packets, in order.
struct Script {
    client: Endpoint,
    server: Endpoint,
    seq: [u32; 2],
    packets: Vec<Packet>,
}

impl Script {
    fn open(client: Endpoint, server: Endpoint) -> Self {
        let mut script = Self { client, server, seq: [100, 900], packets: Vec::new() };
        script.send(true, SYN, b"");
        script.send(false, SYN | ACK, b"");
        script.send(true, ACK, b"");
        script
    }

    fn send(&mut self, from_client: bool, flags: u8, payload: &[u8]) {
        let (own, other) = if from_client { (0, 1) } else { (1, 0) };
        let (src, dst) = if from_client { (self.client, self.server) } else { (self.server, self.client) };
        let ack = if flags & ACK != 0 { self.seq[other] } else { 0 };
        let at = Timestamp::default();
        self.packets.push(Packet { at, src, dst, seq: self.seq[own], ack, flags, payload: payload.to_vec() });
        let len = u32::try_from(payload.len()).unwrap() + u32::from(flags & (SYN | FIN) != 0);
        self.seq[own] = self.seq[own].wrapping_add(len);
    }

    fn say(mut self, lines: &[String]) -> Vec<Packet> {
        for line in lines {
            let from_client = !line.starts_with(|c: char| c.is_ascii_digit());
            self.send(from_client, ACK, format!("{line}\r\n").as_bytes());
        }
        self.close()
    }

    fn close(mut self) -> Vec<Packet> {
        self.send(false, FIN | ACK, b"");
        self.send(true, FIN | ACK, b"");
        self.send(false, ACK, b"");
        self.packets
    }

    fn carry(mut self, bytes: usize) -> Vec<Packet> {
        self.send(false, ACK, &vec![b'x'; bytes]);
        self.close()
    }
}

/// A session of `client` at `server` that announces a port, and the connection that comes to it: from the client itself, from
/// a stranger, or from another server that was told so by a session of its own (a transfer between two servers).
fn dialogue(client: u8, server: u8, port: u16, kind: u8) -> Vec<Vec<Packet>> {
    let [high, low] = port.to_be_bytes();
    let told = format!("192,0,2,{server},{high},{low}");
    let passive = |end: &str| {
        let lines = ["220 hi", "USER a", "230 in", "PASV"].map(String::from).to_vec();
        let rest = [format!("227 ok ({told})"), format!("{end} f"), "150 go".into(), "226 done".into()];
        [lines, rest.to_vec(), vec!["QUIT".into(), "221 bye".into()]].concat()
    };
    let control = Script::open(end(client, 40_000 + port % 1_000), end(server, 21)).say(&passive("RETR"));
    let listener = end(server, port);
    match kind % 3 {
        0 => vec![control, Script::open(end(client, 50_000), listener).carry(500)],
        1 => vec![control, Script::open(end(client.wrapping_add(77), 50_000), listener).carry(700)],
        _ => {
            let other = server.wrapping_add(50);
            let lines = [
                "220 hi".to_owned(),
                "USER b".into(),
                "230 in".into(),
                format!("PORT {told}"),
                "200 ok".into(),
                "STOR f".into(),
                "150 go".into(),
                "226 done".into(),
            ];
            let second = Script::open(end(client, 41_000 + port % 1_000), end(other, 21)).say(&lines);
            vec![control, second, Script::open(end(other, 20), listener).carry(900)]
        }
    }
}

/// Interleaves connections; each packet `gap` nanoseconds after the one before.
fn interleave(mut connections: Vec<Vec<Packet>>, picks: &[usize], gap: i64) -> Vec<Packet> {
    connections.iter_mut().for_each(|packets| packets.reverse());
    let (mut out, mut at) = (Vec::new(), 1_000_000_000);
    let mut picks = picks.iter().cycle();
    while !connections.is_empty() {
        let chosen = picks.next().unwrap() % connections.len();
        match connections[chosen].pop() {
            Some(packet) => {
                at += gap;
                out.push(Packet { at: Timestamp::from_nanos(at), ..packet });
            }
            None => drop(connections.remove(chosen)),
        }
    }
    out
}

/// The outputs of `parts` parts of an engine of `partitions` partitions.
fn outputs(packets: &[Packet], partitions: u8, parts: u8) -> Vec<Output> {
    let config = EngineConfig { partitions, detect_by_content: true, ..EngineConfig::default() };
    let pools = Pools::default();
    let mut engines: Vec<Engine> =
        (0..parts).map(|part| Engine::part(config.clone(), part, parts, &pools)).collect();
    let mut borders = Borders::default();
    let mut out = Vec::new();
    let mut take = |engines: &mut Vec<Engine>| {
        let mut taken: Vec<Outputs> =
            engines.iter_mut().map(|engine| engine.take_outputs(Outputs::default())).collect();
        for_each_output(&mut taken, |output| out.push(output.clone()));
    };
    for (index, packet) in packets.iter().enumerate() {
        if borders.packet(packet.at, index as u64) {
            exchange(&mut engines.iter_mut().collect::<Vec<_>>());
        }
        for engine in &mut engines {
            engine.handle_segment(packet.at, index as u64, &packet.segment());
        }
        if index % 37 == 0 {
            take(&mut engines);
        }
    }
    finish(&mut engines.iter_mut().collect::<Vec<_>>(), packets.last().unwrap().at);
    take(&mut engines);
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn results_do_not_depend_on_partitions_or_parts(
        dialogues in proptest::collection::vec((1..40_u8, 100..110_u8, 20_000..20_400_u16, 0..3_u8), 1..8),
        picks in proptest::collection::vec(0..1_000_usize, 1..60),
        gap in prop_oneof![Just(1_000), Just(1_000_000), Just(30_000_000), Just(900_000_000_i64)],
    ) {
        let connections =
            dialogues.iter().flat_map(|&(client, server, port, kind)| dialogue(client, server, port, kind));
        let packets = interleave(connections.collect(), &picks, gap);
        let expected = outputs(&packets, 16, 1);
        prop_assert!(expected.iter().any(|output| matches!(output, Output::Event(_))));
        for (partitions, parts) in [(1, 1), (2, 1), (2, 2), (16, 2), (16, 4), (16, 16)] {
            let got = outputs(&packets, partitions, parts);
            let same = got.iter().zip(&expected).take_while(|(got, expected)| got == expected).count();
            let what = format!("output {same} of {partitions} partitions in {parts} parts");
            prop_assert_eq!(got.get(same), expected.get(same), "{}", what);
        }
    }
}

/// A transfer between two servers, quicker than the exchange of what its sessions announced: both sessions have it.
#[test]
fn a_transfer_between_two_servers_is_told_to_both_sessions() {
    let packets = interleave(dialogue(1, 100, 20_000, 2), &[0, 1, 0, 1, 2], 1_000_000);
    let events: Vec<Event> = outputs(&packets, 16, 2)
        .into_iter()
        .filter_map(|output| match output {
            Output::Event(event) => Some(event),
            _ => None,
        })
        .collect();
    let told: Vec<_> = transfers(&events).iter().map(|it| (it.transfer.bytes, it.transfer.outcome)).collect();
    assert_eq!(told, [(900, Outcome::Complete), (900, Outcome::Complete)]);
}
