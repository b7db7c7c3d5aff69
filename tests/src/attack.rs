//! Attacks as captures: what `tests/tests/attack.rs` plays. `suite` has those of which `cargo xtask bench regression` counts
//! instructions.

pub mod suite;

use std::net::{IpAddr, Ipv4Addr};

use crate::script::capture::{Frame, Style};
use crate::script::wire::{ACK, FIN, PSH, Packet, SYN, Tcp, checksum, tcp};

/// An address and a port.
pub type End = (Ipv4Addr, u16);

/// The server of all dialogues.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 21);

/// The sign of a forged segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forged {
    /// It is none.
    #[default]
    No,
    /// Another TCP checksum.
    TcpChecksum,
    /// Another checksum of the IP header.
    IpChecksum,
    /// No ACK flag.
    NoAck,
    /// A timestamp before the others.
    OldTimestamp,
    /// An MD5 signature.
    Signature,
    /// Another number of hops.
    HopLimit,
}

/// Frames of a capture, as a host beside the client may send them.
#[derive(Debug)]
pub struct Wire {
    frames: Vec<Frame>,
    at_ns: u64,
}

impl Default for Wire {
    fn default() -> Self {
        Self { frames: Vec::new(), at_ns: 1_767_225_600_000_000_000 }
    }
}

impl Wire {
    /// Time passes.
    pub fn wait(&mut self, nanos: u64) {
        self.at_ns += nanos;
    }

    /// A segment from one end to the other, with its numbers.
    pub fn send(
        &mut self,
        [from, to]: [End; 2],
        [seq, ack]: [u32; 2],
        flags: u8,
        text: &[u8],
        forged: Forged,
    ) {
        self.at_ns += 10_000;
        let flags = if forged == Forged::NoAck { flags & !ACK } else { flags };
        let fields = Tcp { source: from.1, destination: to.1, seq, ack, flags, urgent: 0 };
        let now = if forged == Forged::OldTimestamp { 1 } else { 1_000 + self.frames.len() as u32 };
        let mut options = vec![1, 1, 8, 10];
        options.extend(now.to_be_bytes());
        options.extend([0; 4]);
        if forged == Forged::Signature {
            options.extend([1, 1, 19, 18]);
            options.extend([7; 16]);
        }
        let payload = Packet::whole(text.to_vec());
        let mut segment = tcp(IpAddr::V4(from.0), IpAddr::V4(to.0), &fields, &options, &payload).bytes;
        if forged == Forged::TcpChecksum
            && let Some(byte) = segment.get_mut(16)
        {
            *byte ^= 0x55;
        }
        let ttl = if forged == Forged::HopLimit { 3 } else { 60 };
        let mut ip = vec![0x45, 0];
        ip.extend((20 + segment.len() as u16).to_be_bytes());
        ip.extend([0, 1, 0x40, 0, ttl, 6, 0, 0]);
        ip.extend(from.0.octets());
        ip.extend(to.0.octets());
        let mut sum = checksum(&[&ip]);
        if forged == Forged::IpChecksum {
            sum ^= 0x0101;
        }
        ip.splice(10..12, sum.to_be_bytes());
        let bytes = [&[2; 12][..], &[8, 0], &ip, &segment].concat();
        let wire_len = bytes.len();
        self.frames.push(Frame { at_ns: self.at_ns, bytes, wire_len, interface: 0 });
    }

    /// The first 24 bytes of a datagram that never becomes whole.
    pub fn send_fragment(&mut self, [from, to]: [End; 2], identification: u16) {
        self.at_ns += 10_000;
        let fields = Tcp { source: from.1, destination: to.1, seq: 1, ack: 1, flags: ACK | PSH, urgent: 0 };
        let segment =
            tcp(IpAddr::V4(from.0), IpAddr::V4(to.0), &fields, &[], &Packet::whole(vec![b'x'; 4])).bytes;
        let mut ip = vec![0x45, 0];
        ip.extend((20 + segment.len() as u16).to_be_bytes());
        ip.extend(identification.to_be_bytes());
        // More fragments follow.
        ip.extend([0x20, 0, 60, 6, 0, 0]);
        ip.extend(from.0.octets());
        ip.extend(to.0.octets());
        let sum = checksum(&[&ip]);
        ip.splice(10..12, sum.to_be_bytes());
        let bytes = [&[2; 12][..], &[8, 0], &ip, &segment].concat();
        let wire_len = bytes.len();
        self.frames.push(Frame { at_ns: self.at_ns, bytes, wire_len, interface: 0 });
    }

    /// The capture file of the frames.
    pub fn capture(&self) -> Vec<u8> {
        Style { link: 1, nanoseconds: true, ..Style::default() }.write(&self.frames)
    }

    /// The number of frames.
    pub fn packets(&self) -> u64 {
        self.frames.len() as u64
    }
}

/// A client and its control connection.
#[derive(Debug)]
pub struct Dialogue {
    /// The client and the server.
    pub ends: [End; 2],
    /// Sequence numbers of their next bytes.
    pub seq: [u32; 2],
}

impl Dialogue {
    /// A handshake.
    pub fn open(wire: &mut Wire, client: Ipv4Addr, port: u16) -> Self {
        let mut it = Self { ends: [(client, port), (SERVER, 21)], seq: [100, 500] };
        wire.send(it.ends, [100, 0], SYN, b"", Forged::No);
        it.seq = [101, 501];
        wire.send(it.back(), [500, 101], SYN | ACK, b"", Forged::No);
        wire.send(it.ends, it.seq, ACK, b"", Forged::No);
        it
    }

    /// The server and the client.
    pub fn back(&self) -> [End; 2] {
        let [client, server] = self.ends;
        [server, client]
    }

    /// The client sends a segment.
    pub fn says(&mut self, wire: &mut Wire, text: &[u8]) {
        wire.send(self.ends, self.seq, ACK | PSH, text, Forged::No);
        self.seq[0] += text.len() as u32;
    }

    /// The server does.
    pub fn hears(&mut self, wire: &mut Wire, text: &[u8]) {
        wire.send(self.back(), [self.seq[1], self.seq[0]], ACK | PSH, text, Forged::No);
        self.seq[1] += text.len() as u32;
    }

    /// An orderly end.
    pub fn close(&mut self, wire: &mut Wire) {
        wire.send(self.ends, self.seq, ACK | FIN, b"", Forged::No);
        self.seq[0] += 1;
        wire.send(self.back(), [self.seq[1], self.seq[0]], ACK | FIN, b"", Forged::No);
        self.seq[1] += 1;
        wire.send(self.ends, self.seq, ACK, b"", Forged::No);
    }

    /// Forty commands, one of which moves a file of 10 bytes. `round` chooses its port.
    pub fn works(&mut self, wire: &mut Wire, round: u16) {
        let port = 20_000 + round;
        self.says(wire, b"PASV\r\n");
        let [high, low] = port.to_be_bytes();
        self.hears(wire, format!("227 ok (192,0,2,21,{high},{low})\r\n").as_bytes());
        self.says(wire, format!("RETR file{round}\r\n").as_bytes());
        let mut data = Self { ends: [(self.ends[0].0, 30_000 + round), (SERVER, port)], seq: [7_000, 9_000] };
        wire.send(data.ends, [7_000, 0], SYN, b"", Forged::No);
        data.seq = [7_001, 9_001];
        wire.send(data.back(), [9_000, 7_001], SYN | ACK, b"", Forged::No);
        wire.send(data.ends, data.seq, ACK, b"", Forged::No);
        self.hears(wire, b"150 go\r\n");
        data.hears(wire, b"0123456789");
        data.close(wire);
        self.hears(wire, b"226 done\r\n");
        for _ in 0..38 {
            self.says(wire, b"NOOP\r\n");
            self.hears(wire, b"200 ok\r\n");
        }
    }
}
