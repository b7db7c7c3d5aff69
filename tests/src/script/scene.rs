//! Connections that say what they are told to, and the frames that a capture would hold of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result, bail};

use super::capture::Frame;
use super::manner::{Lost, Manner, Marks, Payload, Way};
use super::text::pattern;
use super::wire::{self, ACK, FIN, FragmentAt, PSH, Packet, RST, SYN, Tcp, URG, protocol};
use super::wrap::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, Typed};

/// 2026-01-01T00:00:00Z, when every scene begins unless told otherwise.
pub const START_NS: u64 = 1_767_225_600_000_000_000;
/// The option of every SYN: a maximum segment size of 1,460.
const SYN_OPTIONS: [u8; 4] = [2, 4, 0x05, 0xb4];
/// Router alert and padding: an IPv4 header with options.
const IPV4_OPTIONS: [u8; 8] = [0x94, 4, 0, 0, 1, 1, 1, 0];

/// The stream of one end of a connection.
#[derive(Clone, Debug)]
struct End {
    at: SocketAddr,
    /// The sequence number of the next byte.
    next: u32,
    /// Payload bytes so far.
    sent: u64,
    /// Sequence number and bytes of the last payload.
    last: (u32, Vec<u8>),
}

#[derive(Clone, Debug)]
struct Connection {
    forth: End,
    back: End,
    /// A SYN-ACK was said: from now on every segment acknowledges.
    acknowledging: bool,
}

impl Connection {
    fn end(&self, way: Way) -> &End {
        match way {
            Way::Forth => &self.forth,
            Way::Back => &self.back,
        }
    }

    fn end_mut(&mut self, way: Way) -> &mut End {
        match way {
            Way::Forth => &mut self.forth,
            Way::Back => &mut self.back,
        }
    }
}

/// The stage: a clock, connections, and the capture so far.
#[derive(Debug)]
pub struct Scene {
    /// The form of packets.
    pub manner: Manner,
    /// The time of the last frame.
    pub clock_ns: u64,
    connections: BTreeMap<String, Connection>,
    frames: Vec<Frame>,
    /// Frames that are late, with how many others go first.
    late: Vec<(usize, Frame)>,
    identification: u16,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            manner: Manner::default(),
            clock_ns: START_NS,
            connections: BTreeMap::new(),
            frames: Vec::new(),
            late: Vec::new(),
            identification: 0,
        }
    }
}

impl Scene {
    /// The capture: late frames that nothing overtook come last.
    pub fn finish(mut self) -> Vec<Frame> {
        for (_, frame) in std::mem::take(&mut self.late) {
            self.push(frame);
        }
        self.frames
    }

    /// Names a connection without saying anything on it: `next` are the sequence numbers that its ends say first.
    pub fn place(&mut self, name: &str, from: SocketAddr, to: SocketAddr, next: (u32, u32)) -> Result<()> {
        if from.is_ipv4() != to.is_ipv4() {
            bail!("{from} and {to} are not of one family");
        }
        let end = |at, next| End { at, next, sent: 0, last: (next, Vec::new()) };
        let connection = Connection { forth: end(from, next.0), back: end(to, next.1), acknowledging: true };
        self.connections.insert(name.to_owned(), connection);
        Ok(())
    }

    /// The first step of a handshake.
    pub fn syn(&mut self, name: &str, marks: &Marks) -> Result<()> {
        self.connection(name)?.acknowledging = false;
        self.control(name, Way::Forth, SYN, marks)
    }

    /// The second.
    pub fn syn_ack(&mut self, name: &str, marks: &Marks) -> Result<()> {
        self.connection(name)?.acknowledging = true;
        self.control(name, Way::Back, SYN | ACK, marks)
    }

    /// All three.
    pub fn open(
        &mut self,
        name: &str,
        from: SocketAddr,
        to: SocketAddr,
        isn: (u32, u32),
        marks: &Marks,
    ) -> Result<()> {
        self.place(name, from, to, isn)?;
        self.syn(name, marks)?;
        self.syn_ack(name, marks)?;
        self.ack(name, Way::Forth, 0, marks)
    }

    /// A segment without payload that acknowledges all that was said, and `beyond` bytes more.
    pub fn ack(&mut self, name: &str, way: Way, beyond: u32, marks: &Marks) -> Result<()> {
        let (seq, ack) = self.numbers(name, way)?;
        self.segments(name, way, marks, vec![(seq, ack.wrapping_add(beyond), ACK, Packet::default())])
    }

    /// FIN.
    pub fn fin(&mut self, name: &str, way: Way, marks: &Marks) -> Result<()> {
        self.control(name, way, FIN, marks)
    }

    /// RST, `ahead` bytes beyond the next one.
    pub fn rst(&mut self, name: &str, way: Way, ahead: u32, marks: &Marks) -> Result<()> {
        let (seq, ack) = self.numbers(name, way)?;
        self.segments(name, way, marks, vec![(seq.wrapping_add(ahead), ack, RST | ACK, Packet::default())])
    }

    /// An orderly end in three segments, begun by `way`.
    pub fn close(&mut self, name: &str, way: Way, marks: &Marks) -> Result<()> {
        self.fin(name, way, marks)?;
        self.fin(name, way.other(), marks)?;
        self.ack(name, way, 0, marks)
    }

    /// A keep-alive probe (RFC 9293 section 3.8.4): one byte before the next.
    pub fn keep_alive(&mut self, name: &str, way: Way, marks: &Marks) -> Result<()> {
        let (seq, ack) = self.numbers(name, way)?;
        let probe = (seq.wrapping_sub(1), ack, ACK, Packet::whole(vec![0]));
        self.segments(name, way, marks, vec![probe])
    }

    /// `len` bytes are said that no frame of the capture carries.
    pub fn skip(&mut self, name: &str, way: Way, len: u32) -> Result<()> {
        let end = self.connection(name)?.end_mut(way);
        end.next = end.next.wrapping_add(len);
        end.sent += u64::from(len);
        Ok(())
    }

    /// Payload, in as many segments as it takes.
    pub fn send(&mut self, name: &str, way: Way, payload: &Payload, marks: &Marks) -> Result<()> {
        let (start, ack) = self.numbers(name, way)?;
        let sent = self.connection(name)?.end(way).sent;
        // A segment's head is all that a capture with a snap length can hold.
        let head = if self.manner.snap_len == 0 { usize::MAX } else { self.manner.snap_len };
        let mut said = 0u64;
        let mut segments = Vec::new();
        for len in self.segment_lengths(payload.len(), &marks.cuts) {
            let seq = start.wrapping_add(said as u32);
            let exists = len.min(head);
            let bytes = match payload {
                Payload::Bytes(all) => {
                    let from = said as usize;
                    all.get(from..from + exists).unwrap_or_default().to_vec()
                }
                Payload::Pattern(_) => pattern(sent + said, exists),
            };
            segments.push((seq, ack, ACK | PSH, Packet { bytes, wire_len: len }));
            said += len as u64;
            if segments.len() == 256 && !marks.reversed && marks.lost == Lost::None {
                self.segments(name, way, marks, std::mem::take(&mut segments))?;
            }
        }
        self.segments(name, way, marks, segments)?;
        let end = self.connection(name)?.end_mut(way);
        end.next = start.wrapping_add(said as u32);
        end.sent += said;
        if let Payload::Bytes(bytes) = payload {
            end.last = (start, bytes.clone());
        }
        Ok(())
    }

    /// The last payload of bytes once more, or `other` in its place in the stream.
    pub fn again(&mut self, name: &str, way: Way, other: Option<Vec<u8>>, marks: &Marks) -> Result<()> {
        let (_, ack) = self.numbers(name, way)?;
        let (start, bytes) = self.connection(name)?.end(way).last.clone();
        let bytes = other.unwrap_or(bytes);
        let mut said = 0usize;
        let mut segments = Vec::new();
        for len in self.segment_lengths(bytes.len() as u64, &marks.cuts) {
            let part = bytes.get(said..said + len).unwrap_or_default().to_vec();
            segments.push((start.wrapping_add(said as u32), ack, ACK | PSH, Packet::whole(part)));
            said += len;
        }
        self.segments(name, way, marks, segments)
    }

    fn segment_lengths(&self, total: u64, cuts: &[usize]) -> Vec<usize> {
        let mut lengths = Vec::new();
        let mut done = 0u64;
        let limit = self.manner.segment.max(1) as u64;
        let mut cuts = cuts.iter().map(|&cut| cut as u64).filter(|&cut| cut > 0 && cut < total).peekable();
        while done < total {
            while cuts.next_if(|&cut| cut <= done).is_some() {}
            let stop = cuts.peek().copied().unwrap_or(total).min(done + limit).min(total);
            lengths.push((stop - done) as usize);
            done = stop;
        }
        lengths
    }

    fn connection(&mut self, name: &str) -> Result<&mut Connection> {
        self.connections.get_mut(name).with_context(|| format!("no connection is called {name:?}"))
    }

    /// The next sequence number of a direction, and what it acknowledges.
    fn numbers(&mut self, name: &str, way: Way) -> Result<(u32, u32)> {
        let connection = self.connection(name)?;
        Ok((connection.end(way).next, connection.end(way.other()).next))
    }

    /// A segment whose flags take one sequence number.
    fn control(&mut self, name: &str, way: Way, flags: u8, marks: &Marks) -> Result<()> {
        let (seq, ack) = self.numbers(name, way)?;
        self.segments(name, way, marks, vec![(seq, ack, flags, Packet::default())])?;
        let end = self.connection(name)?.end_mut(way);
        end.next = end.next.wrapping_add(1);
        if flags & SYN != 0 {
            end.last.0 = end.next;
        }
        Ok(())
    }

    /// Records segments given as sequence number, acknowledgment number, flags and payload.
    fn segments(
        &mut self,
        name: &str,
        way: Way,
        marks: &Marks,
        segments: Vec<(u32, u32, u8, Packet)>,
    ) -> Result<()> {
        let connection = self.connection(name)?;
        let (from, to) = (connection.end(way).at, connection.end(way.other()).at);
        let acknowledging = connection.acknowledging;
        let mut frames = Vec::with_capacity(segments.len());
        for (number, (seq, ack, mut flags, payload)) in segments.into_iter().enumerate() {
            let missed = match marks.lost {
                Lost::None => false,
                Lost::All => true,
                Lost::Nth(nth) => nth == number + 1,
            };
            if missed || self.manner.only.is_some_and(|only| only != way) {
                self.clock_ns += self.manner.step_ns;
                continue;
            }
            if acknowledging {
                flags |= ACK;
            }
            let urgent = if marks.urgent && payload.wire_len > 0 {
                flags |= URG;
                payload.wire_len as u16
            } else {
                0
            };
            let ack = if flags & ACK == 0 { 0 } else { ack.wrapping_sub(marks.blind) };
            let fields = Tcp { source: from.port(), destination: to.port(), seq, ack, flags, urgent };
            let options: &[u8] = if flags & SYN == 0 { &[] } else { &SYN_OPTIONS };
            let segment = wire::tcp(from.ip(), to.ip(), &fields, options, &payload);
            for frame in self.frames_of(from.ip(), to.ip(), segment) {
                frames.extend(self.at_both(frame, way));
            }
        }
        if marks.reversed {
            frames.reverse();
        }
        for frame in frames {
            if marks.late > 0 {
                self.late.push((marks.late, frame));
                continue;
            }
            if marks.twice {
                self.record(frame.clone());
            }
            self.record(frame);
        }
        Ok(())
    }

    /// A frame where it is captured: at one interface, or at both in the order in which it passes them.
    fn at_both(&self, frame: Frame, way: Way) -> Vec<Frame> {
        let Some(interface) = self.manner.also else { return vec![frame] };
        let other = Frame { interface, ..frame.clone() };
        match way {
            Way::Forth => vec![frame, other],
            Way::Back => vec![other, frame],
        }
    }

    /// The frames that carry one segment: one, or one a fragment.
    fn frames_of(&mut self, from: IpAddr, to: IpAddr, segment: Packet) -> Vec<Frame> {
        self.identification = self.identification.wrapping_add(1);
        let identification = self.identification;
        let ends = (host_number(from), host_number(to));
        let mut frames = Vec::new();
        for inner in self.ip_packets(from, to, segment) {
            let typed =
                self.manner.wraps.iter().rev().fold(inner, |inner, wrap| wrap.around(inner, identification));
            let mut packet = self.manner.link.frame(typed, ends);
            if self.manner.pad && packet.wire_len < 60 {
                packet.bytes.resize(60, 0);
                packet.wire_len = 60;
            }
            if self.manner.snap_len > 0 {
                packet.bytes.truncate(self.manner.snap_len);
            }
            let interface = self.manner.interface;
            frames.push(Frame { at_ns: 0, bytes: packet.bytes, wire_len: packet.wire_len, interface });
        }
        frames
    }

    fn ip_packets(&self, from: IpAddr, to: IpAddr, segment: Packet) -> Vec<Typed> {
        let identification = self.identification;
        let whole = segment.bytes.len() == segment.wire_len;
        let split = self.manner.fragment & !7;
        let fragments: Vec<(Option<FragmentAt>, Packet)> = if split > 0 && whole && segment.wire_len > split {
            let parts = segment.bytes.chunks(split).enumerate();
            let at = |n| FragmentAt { offset: n * split, more: (n + 1) * split < segment.wire_len };
            parts.map(|(n, part)| (Some(at(n)), Packet::whole(part.to_vec()))).collect()
        } else {
            vec![(None, segment)]
        };
        let mut packets = Vec::with_capacity(fragments.len());
        for (at, part) in fragments {
            packets.push(match (from, to) {
                (IpAddr::V4(from), IpAddr::V4(to)) => {
                    let options: &[u8] = if self.manner.ipv4_options { &IPV4_OPTIONS } else { &[] };
                    let packet = wire::ipv4(from, to, protocol::TCP, identification, options, at, part);
                    Typed { ethertype: ETHERTYPE_IPV4, packet }
                }
                (IpAddr::V6(from), IpAddr::V6(to)) => {
                    let mut next = protocol::TCP;
                    let mut packet = part;
                    if let Some(at) = at {
                        packet = wire::ipv6_fragment(next, u32::from(identification), at, packet);
                        next = protocol::FRAGMENT;
                    }
                    for &kind in self.manner.extensions.iter().rev() {
                        packet = wire::extension(kind, next, u32::from(identification), packet);
                        next = kind;
                    }
                    Typed { ethertype: ETHERTYPE_IPV6, packet: wire::ipv6(from, to, next, packet) }
                }
                // `place` lets no mixed pair through.
                _ => continue,
            });
        }
        packets
    }

    /// Puts a frame into the capture, and behind it the late ones whose turn it is.
    fn record(&mut self, frame: Frame) {
        self.push(frame);
        let mut due = Vec::new();
        self.late.retain_mut(|(others, frame)| {
            *others -= 1;
            if *others == 0 {
                due.push(frame.clone());
            }
            *others > 0
        });
        for frame in due {
            self.push(frame);
        }
    }

    fn push(&mut self, mut frame: Frame) {
        self.clock_ns += self.manner.step_ns;
        frame.at_ns = self.clock_ns;
        self.frames.push(frame);
    }
}

/// The last byte of a host's address: it makes its hardware address.
fn host_number(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(ip) => ip.octets().last().copied().unwrap_or_default(),
        IpAddr::V6(ip) => ip.octets().last().copied().unwrap_or_default(),
    }
}
