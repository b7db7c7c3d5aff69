//! Two hosts, in one order.

use std::net::IpAddr;

use crate::addr::mapped_number;

/// Two hosts, the same whichever is named first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPair {
    low: u128,
    high: u128,
}

impl HostPair {
    /// The pair of two hosts. An IPv4 host and its IPv4-mapped address are one.
    #[inline]
    pub fn new(one: IpAddr, other: IpAddr) -> Self {
        let (one, other) = (mapped_number(one), mapped_number(other));
        Self { low: one.min(other), high: one.max(other) }
    }

    /// Which of `count` partitions owns the pair. It depends on the addresses alone, so that it is the same on every machine
    /// and in every run.
    #[inline]
    pub fn partition(&self, count: u8) -> u8 {
        ((self.mixed() * u64::from(count.max(1))) >> 32) as u8
    }

    /// One of `count` places, which does not depend on the partition.
    pub(crate) fn slot(&self, count: usize) -> usize {
        self.mixed() as usize % count
    }

    /// 32 bits of the two addresses.
    #[inline]
    fn mixed(&self) -> u64 {
        let fold = |number: u128| (number >> 64) as u64 ^ number as u64;
        // The multiplier of a linear congruential generator (Knuth, MMIX) spreads neighbouring addresses.
        const SPREAD: u64 = 6_364_136_223_846_793_005;
        let mixed = (fold(self.low).wrapping_mul(SPREAD) ^ fold(self.high)).wrapping_mul(SPREAD);
        (mixed ^ mixed >> 32).wrapping_mul(SPREAD) >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn the_order_of_the_hosts_does_not_matter() {
        let (a, b) = (v4(0x0a00_0001), "2001:db8::1".parse().unwrap());
        assert_eq!(HostPair::new(a, b), HostPair::new(b, a));
        assert_ne!(HostPair::new(a, a), HostPair::new(a, b));
        assert_eq!(HostPair::new("::ffff:10.0.0.1".parse().unwrap(), b), HostPair::new(a, b));
    }

    #[test]
    fn neighbouring_hosts_are_spread_evenly() {
        for count in [1, 2, 16] {
            let mut pairs = vec![0_u32; usize::from(count)];
            for client in 0..16_000 {
                let pair = HostPair::new(v4(0x0a00_0000 + client), v4(0xc0a8_0101));
                pairs[usize::from(pair.partition(count))] += 1;
            }
            let mean = 16_000 / u32::from(count);
            assert!(pairs.iter().all(|&n| n.abs_diff(mean) < mean / 6), "{pairs:?}");
        }
    }
}
