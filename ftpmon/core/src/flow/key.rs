//! A TCP connection by its two ends.

use core::hash::{Hash, Hasher};

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
    }
}
