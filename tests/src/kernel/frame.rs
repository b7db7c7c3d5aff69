//! Frames made by hand, right or wrong.

use std::net::IpAddr;

use ftpmon_common::{Address, Direction, Endpoint, FlowKey};

/// FIN of TCP.
pub const FIN: u8 = 0x01;
/// SYN of TCP.
pub const SYN: u8 = 0x02;
/// RST of TCP.
pub const RST: u8 = 0x04;
/// ACK of TCP.
pub const ACK: u8 = 0x10;

/// A TCP segment to be, and what is around it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// VLAN tags in the bytes, outermost first: protocol and tag control information.
    pub tags: Vec<(u16, u16)>,
    /// No link-layer header.
    pub raw: bool,
    /// Sender and receiver.
    pub ends: [(IpAddr, u16); 2],
    /// IPv4 options, a multiple of four bytes.
    pub options: Vec<u8>,
    /// IPv6 extension headers: protocol number and bytes, whose first byte is filled in.
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// IPv4's flags and fragment offset.
    pub fragment: u16,
    /// The transport protocol's number.
    pub protocol: u8,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// TCP flags.
    pub flags: u8,
    /// TCP options, a multiple of four bytes.
    pub tcp_options: Vec<u8>,
    /// Payload.
    pub payload: Vec<u8>,
}

/// A host's address as keys have it.
///
/// # Panics
/// That is no address.
#[must_use]
#[expect(clippy::unwrap_used, reason = "the helpers of tests")]
pub fn address(host: &str) -> Address {
    host.parse::<IpAddr>().unwrap().into()
}

impl Frame {
    /// A bare segment from one end to the other.
    ///
    /// # Panics
    /// When an address is none.
    #[must_use]
    #[expect(clippy::expect_used, reason = "addresses stand in the tests' own code")]
    pub fn new(from: (&str, u16), to: (&str, u16), flags: u8, seq: u32, ack: u32) -> Self {
        let end = |(address, port): (&str, u16)| (address.parse().expect("an address"), port);
        Self {
            tags: Vec::new(),
            raw: false,
            ends: [end(from), end(to)],
            options: Vec::new(),
            extensions: Vec::new(),
            fragment: 0x4000,
            protocol: 6,
            seq,
            ack,
            flags,
            tcp_options: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// With this payload.
    #[must_use]
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// With so many bytes of payload.
    #[must_use]
    pub fn filled(mut self, len: usize) -> Self {
        self.payload = (0..len).map(|index| index as u8).collect();
        self
    }

    /// Behind one more VLAN tag, inside those there are.
    #[must_use]
    pub fn tag(mut self, protocol: u16, tci: u16) -> Self {
        self.tags.push((protocol, tci));
        self
    }

    /// Without a link-layer header.
    #[must_use]
    pub const fn raw(mut self) -> Self {
        self.raw = true;
        self
    }

    /// Behind one more IPv6 extension header.
    #[must_use]
    pub fn extension(mut self, protocol: u8, bytes: &[u8]) -> Self {
        self.extensions.push((protocol, bytes.to_vec()));
        self
    }

    /// The connection's key and the segment's direction.
    #[must_use]
    pub fn key(&self) -> (FlowKey, Direction) {
        let [(source, source_port), (destination, destination_port)] = self.ends;
        FlowKey::new(source.into(), source_port, destination.into(), destination_port)
    }

    /// Its source.
    #[must_use]
    pub fn source(&self) -> Endpoint {
        let [(address, port), _] = self.ends;
        Endpoint::new(address.into(), port)
    }

    /// Its destination.
    #[must_use]
    pub fn destination(&self) -> Endpoint {
        let [_, (address, port)] = self.ends;
        Endpoint::new(address.into(), port)
    }

    /// Length of everything before the payload.
    #[must_use]
    pub fn header_len(&self) -> usize {
        self.bytes().len() - self.payload.len()
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let tcp = self.tcp();
        let mut bytes = Vec::new();
        let v6 = matches!(self.ends, [(IpAddr::V6(_), _), _]);
        if !self.raw {
            bytes.extend_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
            for (protocol, tci) in &self.tags {
                bytes.extend_from_slice(&protocol.to_be_bytes());
                bytes.extend_from_slice(&tci.to_be_bytes());
            }
            let ethertype: u16 = if v6 { 0x86dd } else { 0x0800 };
            bytes.extend_from_slice(&ethertype.to_be_bytes());
        }
        if v6 {
            self.ipv6(&mut bytes, &tcp);
        } else {
            self.ipv4(&mut bytes, &tcp);
        }
        bytes
    }

    fn tcp(&self) -> Vec<u8> {
        let [(_, source_port), (_, destination_port)] = self.ends;
        let mut tcp = Vec::new();
        tcp.extend_from_slice(&source_port.to_be_bytes());
        tcp.extend_from_slice(&destination_port.to_be_bytes());
        tcp.extend_from_slice(&self.seq.to_be_bytes());
        tcp.extend_from_slice(&self.ack.to_be_bytes());
        tcp.push((5 + self.tcp_options.len() as u8 / 4) << 4);
        tcp.push(self.flags);
        tcp.extend_from_slice(&[0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend_from_slice(&self.tcp_options);
        tcp.extend_from_slice(&self.payload);
        tcp
    }

    fn ipv4(&self, bytes: &mut Vec<u8>, tcp: &[u8]) {
        let header = 20 + self.options.len();
        // Beyond 64 KiB the length is 0, as Linux writes it on super-packets.
        let total = u16::try_from(header + tcp.len()).unwrap_or(0);
        bytes.push(0x40 | (header / 4) as u8);
        bytes.push(0);
        bytes.extend_from_slice(&total.to_be_bytes());
        bytes.extend_from_slice(&[0, 1]);
        bytes.extend_from_slice(&self.fragment.to_be_bytes());
        bytes.extend_from_slice(&[64, self.protocol, 0, 0]);
        for (address, _) in self.ends {
            if let IpAddr::V4(address) = address {
                bytes.extend_from_slice(&address.octets());
            }
        }
        bytes.extend_from_slice(&self.options);
        bytes.extend_from_slice(tcp);
    }

    fn ipv6(&self, bytes: &mut Vec<u8>, tcp: &[u8]) {
        let extensions: usize = self.extensions.iter().map(|(_, bytes)| bytes.len()).sum();
        let payload = u16::try_from(extensions + tcp.len()).unwrap_or(0);
        let mut kinds = self.extensions.iter().map(|(kind, _)| *kind).chain([self.protocol]);
        bytes.extend_from_slice(&[0x60, 0, 0, 0]);
        bytes.extend_from_slice(&payload.to_be_bytes());
        bytes.push(kinds.next().unwrap_or(self.protocol));
        bytes.push(64);
        for (address, _) in self.ends {
            if let IpAddr::V6(address) = address {
                bytes.extend_from_slice(&address.octets());
            }
        }
        for ((_, content), next) in self.extensions.iter().zip(kinds) {
            bytes.push(next);
            bytes.extend_from_slice(content.get(1..).unwrap_or_default());
        }
        bytes.extend_from_slice(tcp);
    }
}
