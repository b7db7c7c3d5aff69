//! A TCP connection by its two ends.

use core::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};

use crate::addr::{Endpoint, mapped_number};

/// A TCP connection by its two ends, the same whichever end sent the packet. Numbers, not bytes: they are made, compared
/// and hashed for every packet, and stay in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(Rust, packed(8))]
pub(crate) struct FlowKey {
    low: u128,
    high: u128,
    /// That of `low` in the upper half.
    ports: u32,
}

impl FlowKey {
    #[inline]
    pub(crate) fn new(a: Endpoint, b: Endpoint) -> Self {
        if let (IpAddr::V4(one), IpAddr::V4(other)) = (a.ip, b.ip) {
            // An address and its port in one register, which compare as the pair of them does.
            let number = |ip: Ipv4Addr, port| u64::from(ip.to_bits()) << 16 | u64::from(port);
            let (one, other) = (number(one, a.port), number(other, b.port));
            let (low, high) = (one.min(other), one.max(other));
            let mapped = |number: u64| mapped_number(IpAddr::V4(Ipv4Addr::from_bits((number >> 16) as u32)));
            let ports = u32::from(low as u16) << 16 | u32::from(high as u16);
            return Self { low: mapped(low), high: mapped(high), ports };
        }
        let (a, b) = ((mapped_number(a.ip), a.port), (mapped_number(b.ip), b.port));
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        Self { low: low.0, high: high.0, ports: u32::from(low.1) << 16 | u32::from(high.1) }
    }

    /// One of its ends has this port.
    pub(crate) const fn has_port(self, port: u16) -> bool {
        (self.ports >> 16) as u16 == port || self.ports as u16 == port
    }
}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.low);
        state.write_u128(self.high);
        state.write_u32(self.ports);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::FlowKey;
    use crate::addr::Endpoint;

    #[test]
    fn a_connection_has_one_key_in_both_directions() {
        let (a, b) =
            (Endpoint::new(Ipv4Addr::LOCALHOST.into(), 1), Endpoint::new(Ipv4Addr::BROADCAST.into(), 2));
        assert_eq!(FlowKey::new(a, b), FlowKey::new(b, a));
        let of = |key: FlowKey| (key.low, key.high, key.ports);
        assert_eq!(of(FlowKey::new(b, a)), (0xffff_7f00_0001, 0xffff_ffff_ffff, 0x0001_0002));
        let same = Endpoint::new(Ipv4Addr::LOCALHOST.into(), 3);
        assert_eq!(of(FlowKey::new(same, a)), (0xffff_7f00_0001, 0xffff_7f00_0001, 0x0001_0003));
    }
}
