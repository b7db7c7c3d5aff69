//! The networks whose sessions are followed, and those whose sessions are left out.

use core::net::IpAddr;
use core::str::FromStr;
use std::collections::BTreeMap;

/// A network: an address and the length of its prefix (RFC 4632, RFC 4291 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// An address is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let in_prefix = |one: u128, other: u128, bits: u32| {
            let behind = bits.saturating_sub(u32::from(self.prefix));
            (one ^ other).checked_shr(behind).unwrap_or(0) == 0
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                in_prefix(u128::from(own.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => in_prefix(own.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }

    /// The length of its prefix and the prefix, as of an IPv6 network: IPv4 is mapped.
    pub fn mapped(&self) -> (u8, u128) {
        let (length, address) = match self.address {
            IpAddr::V4(address) => (self.prefix.saturating_add(96), address.to_ipv6_mapped()),
            IpAddr::V6(address) => (self.prefix, address),
        };
        (length, prefix(address.to_bits(), length))
    }
}

impl core::fmt::Display for Network {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoNetwork;

impl core::fmt::Display for NoNetwork {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(
            "no network: give an address, or an address and the length of its prefix, such as 192.0.2.0/24",
        )
    }
}

impl core::error::Error for NoNetwork {}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(most), str::parse).map_err(|_| NoNetwork)?;
        if prefix <= most { Ok(Self { address, prefix }) } else { Err(NoNetwork) }
    }
}

/// The rule of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkRule {
    /// Sessions with a host of it are followed.
    Allow,
    /// Sessions with a host of it are left out.
    Deny,
}

/// Networks that are allowed and denied. The rule of a host is that of the most specific network that it is in. A session is left out
/// where the rule of one of its ends is to deny, and where networks are allowed and neither end has such a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// By the length of the prefix and the prefix. IPv4 is mapped (`::ffff:0:0/96`, RFC 4291 section 2.5.5.2).
    rules: BTreeMap<(u8, u128), NetworkRule>,
    /// The lengths that there are, the longest first.
    lengths: Vec<u8>,
    /// Some networks are allowed.
    allowed_only: bool,
}

impl Networks {
    /// Networks at most. Stops a list that fills the kernel's memory, where each takes about 100 bytes.
    pub const MAX: usize = 4_096;
    /// The length of the prefix of all IPv4 addresses.
    const IPV4_BITS: u8 = 96;

    /// These networks. One that is allowed and denied is denied.
    pub fn new(allow: &[Network], deny: &[Network]) -> Self {
        let entries = |networks: &[Network], rule| {
            networks.iter().map(move |network| (network.mapped(), rule)).collect::<Vec<_>>()
        };
        let all = [entries(allow, NetworkRule::Allow), entries(deny, NetworkRule::Deny)];
        let rules: BTreeMap<_, _> = all.into_iter().flatten().collect();
        let mut lengths: Vec<u8> = rules.keys().map(|(length, _)| *length).collect();
        lengths.dedup();
        lengths.reverse();
        Self { rules, lengths, allowed_only: !allow.is_empty() }
    }

    /// There are none: every session is followed.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The number of networks.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Networks are allowed, and sessions of no other are followed.
    pub fn allowed_only(&self) -> bool {
        self.allowed_only
    }

    /// Every network by the length of its prefix, its prefix and its rule; IPv4 is mapped. None at the end of it is for all of IPv4,
    /// where no network is that: prefixes of IPv6 that happen to hold the mapped addresses are not meant for them.
    pub fn entries(&self) -> impl Iterator<Item = (u8, u128, Option<NetworkRule>)> + '_ {
        let all_of_ipv4 = (Self::IPV4_BITS, 0xffff_u128 << 32);
        let missing = !self.rules.contains_key(&all_of_ipv4);
        let neutral = missing.then_some((all_of_ipv4.0, all_of_ipv4.1, None));
        self.rules.iter().map(|(&(length, prefix), &rule)| (length, prefix, Some(rule))).chain(neutral)
    }

    /// A session between two hosts is followed.
    pub fn admit(&self, one: IpAddr, other: IpAddr) -> bool {
        if self.is_empty() {
            return true;
        }
        let rules = [self.rule(one), self.rule(other)];
        !rules.contains(&Some(NetworkRule::Deny))
            && (!self.allowed_only || rules.contains(&Some(NetworkRule::Allow)))
    }

    /// The rule of the most specific network that a host is in.
    fn rule(&self, host: IpAddr) -> Option<NetworkRule> {
        let (address, shortest) = match host.to_canonical() {
            IpAddr::V4(address) => (address.to_ipv6_mapped().to_bits(), Self::IPV4_BITS),
            IpAddr::V6(address) => (address.to_bits(), 0),
        };
        let lengths = self.lengths.iter().take_while(|length| **length >= shortest);
        lengths.map(|&length| (length, prefix(address, length))).find_map(|key| self.rules.get(&key).copied())
    }
}

/// The first bits of an address; the others are 0.
fn prefix(address: u128, length: u8) -> u128 {
    let behind = 128_u32.saturating_sub(length.into());
    address.checked_shr(behind).and_then(|bits| bits.checked_shl(behind)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(allow: &[&str], deny: &[&str]) -> Networks {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        Networks::new(&parse(allow), &parse(deny))
    }

    fn admits(networks: &Networks, one: &str, other: &str) -> bool {
        let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
        let answer = networks.admit(one, other);
        assert_eq!(answer, networks.admit(other, one), "{one} {other}: either end is meant");
        answer
    }

    #[test]
    fn a_network_has_the_addresses_with_its_prefix() {
        let network = |text: &str| text.parse::<Network>();
        let has = |text: &str, address: &str| network(text).unwrap().contains(address.parse().unwrap());
        assert!(has("192.0.2.0/24", "192.0.2.255") && !has("192.0.2.0/24", "192.0.3.0"));
        assert!(has("192.0.2.7", "192.0.2.7") && !has("192.0.2.7", "192.0.2.6"));
        assert!(has("192.0.2.7/32", "::ffff:192.0.2.7") && has("0.0.0.0/0", "203.0.113.1"));
        assert!(has("2001:db8::/32", "2001:db8:ffff::1") && !has("2001:db8::/32", "2001:db9::1"));
        assert!(has("::/0", "fe80::1") && !has("::/0", "192.0.2.1"));
        for text in ["", "192.0.2.0/33", "2001:db8::/129", "192.0.2/24", "192.0.2.0/", "host"] {
            assert!(network(text).is_err(), "{text}");
        }
        assert_eq!(network("2001:db8::/32").unwrap().to_string(), "2001:db8::/32");
    }

    #[test]
    fn without_networks_every_session_is_followed() {
        assert!(admits(&Networks::default(), "192.0.2.1", "2001:db8::1"));
    }

    #[test]
    fn the_most_specific_network_of_an_end_counts_and_a_denied_end_before_an_allowed_one() {
        let both = networks(&["10.0.0.0/8", "10.1.2.0/24"], &["10.1.0.0/16", "10.1.2.3"]);
        for (one, other, expected) in [
            ("10.9.9.9", "192.0.2.1", true),
            ("10.1.9.9", "192.0.2.1", false),
            ("10.1.2.9", "192.0.2.1", true),
            ("10.1.2.3", "192.0.2.1", false),
            ("10.1.2.9", "10.1.2.3", false),
            ("198.51.100.1", "192.0.2.1", false),
            ("2001:db8::1", "2001:db8::2", false),
        ] {
            assert_eq!(admits(&both, one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn prefixes_of_ipv6_are_not_meant_for_ipv4() {
        let no_v6 = networks(&[], &["::/0"]);
        assert!(admits(&no_v6, "192.0.2.1", "192.0.2.2") && !admits(&no_v6, "2001:db8::1", "fe80::1"));
        assert_eq!(no_v6.entries().last(), Some((96, 0xffff << 32, None)));
        let no_v4 = networks(&[], &["0.0.0.0/0"]);
        assert!(!admits(&no_v4, "192.0.2.1", "192.0.2.2") && admits(&no_v4, "2001:db8::1", "fe80::1"));
        assert!(no_v4.entries().all(|(.., rule)| rule.is_some()));
        let mapped = networks(&[], &["::ffff:192.0.2.0/120"]);
        assert!(
            !admits(&mapped, "192.0.2.9", "198.51.100.1") && admits(&mapped, "192.0.3.9", "198.51.100.1")
        );
    }

    #[test]
    fn bits_behind_a_prefix_do_not_count() {
        assert_eq!(networks(&["10.1.2.3/8"], &[]), networks(&["10.0.0.0/8"], &[]));
        assert_eq!(networks(&["10.0.0.0/8"], &["10.9.9.9/8"]).len(), 1);
        assert_eq!((prefix(u128::MAX, 0), prefix(u128::MAX, 128)), (0, u128::MAX));
    }
}
