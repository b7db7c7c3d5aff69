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
        share(self.mixed(), count)
    }

    /// [`Self::partition`] of the pair of two hosts.
    #[inline]
    pub fn partition_of(one: IpAddr, other: IpAddr, count: u8) -> u8 {
        let (IpAddr::V4(a), IpAddr::V4(b)) = (one, other) else {
            return Self::new(one, other).partition(count);
        };
        let mapped = |bits: u32| mapped_number(IpAddr::V4(bits.into())) as u64;
        let (a, b) = (a.to_bits(), b.to_bits());
        share(mix(mapped(a.min(b)), mapped(a.max(b))), count)
    }

    /// One of `count` places, which does not depend on the partition.
    pub(crate) fn slot(&self, count: usize) -> usize {
        self.mixed() as usize % count
    }

    /// 32 bits of the two addresses.
    #[inline]
    fn mixed(&self) -> u64 {
        let fold = |number: u128| (number >> 64) as u64 ^ number as u64;
        mix(fold(self.low), fold(self.high))
    }
}

/// 32 bits of two numbers.
#[inline]
const fn mix(low: u64, high: u64) -> u64 {
    // The multiplier of a linear congruential generator (Knuth, MMIX) spreads neighbouring addresses.
    const SPREAD: u64 = 6_364_136_223_846_793_005;
    let mixed = (low.wrapping_mul(SPREAD) ^ high).wrapping_mul(SPREAD);
    (mixed ^ mixed >> 32).wrapping_mul(SPREAD) >> 32
}

/// Which of `count` equal shares of all numbers of 32 bits has `mixed`.
#[inline]
fn share(mixed: u64, count: u8) -> u8 {
    ((mixed * u64::from(count.max(1))) >> 32) as u8
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
            assert!((1..200).all(|host| {
                let (one, other) = (v4(host * 0x0101_0101), v4(0xc0a8_0101));
                HostPair::partition_of(one, other, count) == HostPair::new(one, other).partition(count)
            }));
            let mean = 16_000 / u32::from(count);
            assert!(pairs.iter().all(|&n| n.abs_diff(mean) < mean / 6), "{pairs:?}");
        }
    }
}
