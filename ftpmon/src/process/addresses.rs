//! The addresses of this host, and the interfaces that have them. Ends at other addresses are not looked up.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use nix::ifaddrs::getifaddrs;
use smallvec::SmallVec;

/// Addresses of this host that are remembered; on a host with more, the others count as foreign.
pub const ADDRESSES_MAX: usize = 4_096;
/// Older addresses are read again.
const FRESH_FOR: Duration = Duration::from_secs(10);
/// An address that is not among them has them read again, but only if they are older than this.
const MISSED_FOR: Duration = Duration::from_secs(1);
/// They are not read again before this many times what the last reading took: 1 % of the time at most.
const REST: u32 = 100;

/// Interfaces with the same link-local address that are remembered; a connection on a further one is not found.
const INTERFACES_MAX: usize = 16;
/// The interface of an address that is enough without.
const ANY: u32 = 0;

/// The interfaces of an address of this host. A link-local one names an end only together with its interface (RFC 4007), and
/// several may have the same. None is the address of another host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scopes(SmallVec<[u32; 2]>);

impl Scopes {
    /// That of an address that needs no interface.
    pub(super) fn any() -> Self {
        Self([ANY].into_iter().collect())
    }

    /// The address is one of this host's.
    pub(super) fn is_here(&self) -> bool {
        !self.0.is_empty()
    }

    /// The interfaces by index.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    fn add(&mut self, interface: u32) {
        if self.0.len() < INTERFACES_MAX && !self.0.contains(&interface) {
            self.0.push(interface);
        }
    }
}

/// The addresses of this host, in ftpmon's network namespace.
#[derive(Default)]
pub(super) struct Addresses {
    own: HashMap<IpAddr, Scopes>,
    read: Option<Instant>,
    took: Duration,
}

impl Addresses {
    /// The scopes of an address; none where it is another host's.
    pub(super) fn scopes(&mut self, address: IpAddr, now: Instant) -> Scopes {
        if address.is_loopback() {
            return Scopes::any();
        }
        let known = self.own.contains_key(&address);
        let limit = if known { FRESH_FOR } else { MISSED_FOR };
        let limit = limit.max(self.took.saturating_mul(REST));
        if self.read.is_none_or(|read| now.saturating_duration_since(read) >= limit) {
            self.read(now);
        }
        self.own.get(&address).cloned().unwrap_or_default()
    }

    fn read(&mut self, now: Instant) {
        let begun = Instant::now();
        // Addresses that cannot be read stay as they were.
        if let Ok(all) = getifaddrs() {
            let addresses = all.filter_map(|interface| {
                let address = interface.address?;
                let v4 = address.as_sockaddr_in().map(|address| (IpAddr::V4(address.ip()), ANY));
                // The kernel gives a scope to those that need one.
                v4.or_else(|| address.as_sockaddr_in6().map(|v6| (IpAddr::V6(v6.ip()), v6.scope_id())))
            });
            self.own.clear();
            for (address, interface) in addresses.take(ADDRESSES_MAX) {
                self.own.entry(address).or_default().add(interface);
            }
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
            assert_eq!(addresses.scopes(own.parse().unwrap(), now), Scopes::any(), "{own}");
        }
        assert_eq!(addresses.read, None, "they are known without");
        for foreign in ["203.0.113.77", "2001:db8::1", "0.0.0.0", "::"] {
            assert!(!addresses.scopes(foreign.parse().unwrap(), now).is_here(), "{foreign}");
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
            addresses.own.insert(known, Scopes::any());
            addresses.scopes(address, begun + Duration::from_millis(millis));
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

    #[test]
    fn interfaces_with_the_same_address_are_bounded() {
        let mut scopes = Scopes::default();
        for interface in (1..100).chain(1..100) {
            scopes.add(interface);
        }
        assert!(scopes.interfaces().eq(1..=INTERFACES_MAX as u32));
    }
}
