//! Which addresses are this host's: of no other end is there anything to ask.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hashbrown::HashSet;
use nix::ifaddrs::getifaddrs;

/// Addresses of this host that are remembered; on a host with more, the others count as foreign.
pub const ADDRESSES_MAX: usize = 4_096;
/// What is older is read again.
const FRESH_FOR: Duration = Duration::from_secs(10);
/// An address that is not among them has them read again, but only if they are older than this.
const MISSED_FOR: Duration = Duration::from_secs(1);
/// They are not read again before this many times what the last reading took: 1 % of the time at most.
const REST: u32 = 100;

/// The addresses of this host, in ftpmon's network namespace.
#[derive(Default)]
pub(super) struct Addresses {
    own: HashSet<IpAddr>,
    read: Option<Instant>,
    took: Duration,
}

impl Addresses {
    /// The address is one of this host's.
    pub(super) fn contains(&mut self, address: IpAddr, now: Instant) -> bool {
        if address.is_loopback() {
            return true;
        }
        let known = self.own.contains(&address);
        let limit = if known { FRESH_FOR } else { MISSED_FOR };
        let limit = limit.max(self.took.saturating_mul(REST));
        if self.read.is_some_and(|read| now.saturating_duration_since(read) < limit) {
            return known;
        }
        self.read(now);
        self.own.contains(&address)
    }

    fn read(&mut self, now: Instant) {
        let begun = Instant::now();
        // Where they cannot be read, what was known stands.
        if let Ok(all) = getifaddrs() {
            let addresses = all.filter_map(|interface| {
                let address = interface.address?;
                let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
                v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
            });
            self.own = addresses.take(ADDRESSES_MAX).collect();
        }
        (self.read, self.took) = (Some(now), begun.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn only_this_hosts_addresses_are_its_own() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        for own in ["127.0.0.1", "127.9.9.9", "::1"] {
            assert!(addresses.contains(own.parse().unwrap(), now), "{own}");
        }
        assert_eq!(addresses.read, None, "they are known without");
        for foreign in ["203.0.113.77", "2001:db8::1", "0.0.0.0", "::"] {
            assert!(!addresses.contains(foreign.parse().unwrap(), now), "{foreign}");
        }
        assert!(addresses.own.len() <= ADDRESSES_MAX);
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn they_are_read_again_when_old_and_on_a_miss_once_a_second() {
        let (mut addresses, begun) = (Addresses::default(), Instant::now());
        let (known, missing): (IpAddr, IpAddr) =
            ("203.0.113.77".parse().unwrap(), "203.0.113.78".parse().unwrap());
        let mut at = |address, millis: u64, expected: u64| {
            addresses.took = Duration::ZERO;
            addresses.own.insert(known);
            addresses.contains(address, begun + Duration::from_millis(millis));
            let read = addresses.read.map(|read| read.duration_since(begun));
            assert_eq!(read, Some(Duration::from_millis(expected)), "at {millis} ms");
        };
        at(missing, 0, 0);
        at(missing, 999, 0);
        at(known, 5_000, 0);
        at(missing, 5_000, 5_000);
        at(known, 14_999, 5_000);
        at(known, 15_000, 15_000);
    }
}
