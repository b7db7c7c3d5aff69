//! Map keys: addresses, endpoints, connections and pairs of hosts.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::layout::no_padding;

/// An IPv6 address, or an IPv4 one mapped into it (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2), in network byte order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Address {
    /// Octets 0 to 7, in memory order.
    first: u64,
    /// Octets 8 to 15, in memory order.
    last: u64,
}
no_padding!(Address: 16 { first: u64, last: u64 });

impl Address {
    /// From the two halves of the address, in memory order.
    #[inline(always)]
    pub const fn from_halves(first: u64, last: u64) -> Self {
        Self { first, last }
    }

    /// The two halves of the address, in memory order.
    #[inline(always)]
    pub const fn halves(self) -> [u64; 2] {
        [self.first, self.last]
    }

    /// From an IPv4 address in network byte order.
    #[inline(always)]
    pub const fn from_ipv4(address: u32) -> Self {
        let last = ((0xffff_u64 << 32) | u32::from_be(address) as u64).to_be();
        Self { first: 0, last }
    }

    /// From the sixteen octets.
    pub const fn from_octets(octets: [u8; 16]) -> Self {
        let whole = u128::from_be_bytes(octets);
        Self { first: ((whole >> 64) as u64).to_be(), last: (whole as u64).to_be() }
    }

    /// The sixteen octets.
    pub const fn octets(self) -> [u8; 16] {
        (((u64::from_be(self.first) as u128) << 64) | u64::from_be(self.last) as u128).to_be_bytes()
    }

    /// Comes before `other` when the octets are compared one by one.
    #[inline(always)]
    const fn before(self, other: Self) -> bool {
        if self.first == other.first {
            u64::from_be(self.last) < u64::from_be(other.last)
        } else {
            u64::from_be(self.first) < u64::from_be(other.first)
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::from_octets(v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => Self::from_octets(v6.octets()),
        }
    }
}

/// A mapped address comes back as IPv4.
impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        Ipv6Addr::from(address.octets()).to_canonical()
    }
}

/// An address and a TCP port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Endpoint {
    /// The address.
    pub address: Address,
    /// The port, host byte order.
    pub port: u32,
    /// Always 0.
    reserved: u32,
}
no_padding!(Endpoint: 24 { address: Address, port: u32, reserved: u32 });

impl Endpoint {
    /// An address and a TCP port.
    #[inline(always)]
    pub const fn new(address: Address, port: u16) -> Self {
        Self { address, port: port as u32, reserved: 0 }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(socket: SocketAddr) -> Self {
        Self::new(socket.ip().into(), socket.port())
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> Self {
        Self::new(endpoint.address.into(), endpoint.port as u16)
    }
}

/// The direction of a packet, in terms of a [`FlowKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Direction {
    /// From the key's low end to its high end.
    LowToHigh = 0,
    /// From the key's high end to its low end.
    HighToLow = 1,
}

impl Direction {
    /// The index of the sender's half in [`crate::FlowState::halves`] and [`crate::ControlState::halves`].
    #[inline(always)]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The other way.
    #[inline(always)]
    pub const fn reverse(self) -> Self {
        match self {
            Self::LowToHigh => Self::HighToLow,
            Self::HighToLow => Self::LowToHigh,
        }
    }
}

/// A TCP connection whichever way its packets go: the end with the lower address (then the lower port) stands first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct FlowKey {
    /// Address of the low end.
    pub low: Address,
    /// Address of the high end.
    pub high: Address,
    /// Port of the low end, host byte order.
    pub low_port: u16,
    /// Port of the high end, host byte order.
    pub high_port: u16,
    /// Always 0.
    reserved: u32,
}
no_padding!(FlowKey: 40 { low: Address, high: Address, low_port: u16, high_port: u16, reserved: u32 });

impl FlowKey {
    /// The key of a connection and the direction of a packet from `source` to `destination`. Used on both sides.
    #[inline(always)]
    pub const fn new(
        source: Address,
        source_port: u16,
        destination: Address,
        destination_port: u16,
    ) -> (Self, Direction) {
        let same = source.first == destination.first && source.last == destination.last;
        if source.before(destination) || (same && source_port <= destination_port) {
            let key = Self {
                low: source,
                high: destination,
                low_port: source_port,
                high_port: destination_port,
                reserved: 0,
            };
            (key, Direction::LowToHigh)
        } else {
            let key = Self {
                low: destination,
                high: source,
                low_port: destination_port,
                high_port: source_port,
                reserved: 0,
            };
            (key, Direction::HighToLow)
        }
    }

    /// The low end.
    pub const fn low_end(&self) -> Endpoint {
        Endpoint::new(self.low, self.low_port)
    }

    /// The high end.
    pub const fn high_end(&self) -> Endpoint {
        Endpoint::new(self.high, self.high_port)
    }

    /// The end that sends packets of this direction.
    pub const fn sender(&self, direction: Direction) -> Endpoint {
        match direction {
            Direction::LowToHigh => self.low_end(),
            Direction::HighToLow => self.high_end(),
        }
    }

    /// The two hosts.
    #[inline(always)]
    pub const fn pair(&self) -> PairKey {
        PairKey { low: self.low, high: self.high }
    }
}

/// Two hosts, the lower address first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct PairKey {
    /// The lower address.
    pub low: Address,
    /// The higher address.
    pub high: Address,
}
no_padding!(PairKey: 32 { low: Address, high: Address });

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn an_address_survives_both_ways() {
        for text in ["192.168.1.106", "0.0.0.0", "255.255.255.255", "fe80::1:2", "2001:db8::ffff", "::"] {
            assert_eq!(IpAddr::from(address(text)), text.parse::<IpAddr>().expect("an address"));
        }
    }

    #[test]
    fn ipv4_as_it_lies_in_memory_is_the_mapped_address() {
        let wire = u32::from_ne_bytes([192, 168, 1, 106]);
        assert_eq!(Address::from_ipv4(wire), address("192.168.1.106"));
        let octets = address("2001:db8::5").octets();
        let halves = octets.as_chunks::<8>().0;
        assert_eq!(
            Address::from_halves(u64::from_ne_bytes(halves[0]), u64::from_ne_bytes(halves[1])),
            address("2001:db8::5")
        );
    }

    #[test]
    fn both_directions_have_one_key() {
        for (one, other) in
            [("10.0.0.1", "10.0.0.2"), ("10.0.0.9", "9.0.0.10"), ("::1", "fe80::1"), ("::1", "::1")]
        {
            let (there, out) = FlowKey::new(address(one), 21, address(other), 40_000);
            let (back, home) = FlowKey::new(address(other), 40_000, address(one), 21);
            assert_eq!(there, back);
            assert_eq!(out, home.reverse());
            assert_eq!(there.sender(out), Endpoint::new(address(one), 21));
            assert_eq!(there.sender(home), Endpoint::new(address(other), 40_000));
        }
    }

    #[test]
    fn the_low_end_is_the_lower_address_octet_by_octet() {
        let (key, direction) = FlowKey::new(address("10.0.1.0"), 1, address("10.0.0.200"), 2);
        assert_eq!(key.low, address("10.0.0.200"));
        assert_eq!(direction, Direction::HighToLow);
    }
}
