//! The networks whose sessions are watched, and those whose sessions are left out.

use crate::Address;
use crate::layout::no_padding;

/// A key of [`crate::names::NETWORKS`]. The kernel compares the bits behind the first field from the first to the one that the field
/// names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct NetworkKey {
    /// Bits that count: [`NetworkKey::GENERATION_BITS`], and those of the address.
    pub bits: u32,
    /// The set of networks that it belongs to ([`NetworkFilter::generation`]).
    pub generation: u32,
    /// The network's address, or that of a host.
    pub address: Address,
}
no_padding!(NetworkKey: 24 { bits: u32, generation: u32, address: Address });

impl NetworkKey {
    /// Bits of the generation.
    pub const GENERATION_BITS: u32 = 32;

    /// The key that finds the most specific network of a host.
    #[inline(always)]
    pub const fn of_host(generation: u32, address: Address) -> Self {
        Self { bits: Self::GENERATION_BITS + 128, generation, address }
    }
}

/// The rule of a network: a value of [`crate::names::NETWORKS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct NetworkRule(pub u32);

impl NetworkRule {
    /// Neither of the others.
    pub const NONE: Self = Self(0);
    /// Sessions with a host of it are watched.
    pub const ALLOW: Self = Self(1);
    /// Sessions with a host of it are left out.
    pub const DENY: Self = Self(2);
}

/// The set of networks in force: the value of [`crate::names::NETWORK_FILTER`]. It is one word, so that the programs see all networks
/// of one configuration or all of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct NetworkFilter(pub u32);

impl NetworkFilter {
    /// There are networks to ask about.
    const IN_FORCE: u32 = 1;
    /// Networks are allowed: a session needs a host in one of them.
    const ALLOWED_ONLY: u32 = 2;
    /// The bits below the generation.
    const FLAG_BITS: u32 = 2;

    /// The set of a generation: whether it has networks, and whether some of them are allowed.
    pub const fn new(generation: u32, in_force: bool, allowed_only: bool) -> Self {
        let flags =
            if in_force { Self::IN_FORCE } else { 0 } | if allowed_only { Self::ALLOWED_ONLY } else { 0 };
        Self(generation << Self::FLAG_BITS | flags)
    }

    /// The number of the set, in [`NetworkKey::generation`].
    #[inline(always)]
    pub const fn generation(self) -> u32 {
        self.0 >> Self::FLAG_BITS
    }

    /// There are networks to ask about.
    #[inline(always)]
    pub const fn is_in_force(self) -> bool {
        self.0 & Self::IN_FORCE != 0
    }

    /// Sessions between hosts of these rules are watched: neither end is denied, and where networks are allowed one end is.
    #[inline(always)]
    pub const fn admits(self, one: NetworkRule, other: NetworkRule) -> bool {
        let rules = one.0 | other.0;
        rules & NetworkRule::DENY.0 == 0
            && (self.0 & Self::ALLOWED_ONLY == 0 || rules & NetworkRule::ALLOW.0 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{NetworkFilter, NetworkRule};

    #[test]
    fn a_denied_end_leaves_a_session_out_whatever_the_other_end_is() {
        let (none, allow, deny) = (NetworkRule::NONE, NetworkRule::ALLOW, NetworkRule::DENY);
        for allowed_only in [false, true] {
            let filter = NetworkFilter::new(7, true, allowed_only);
            assert!(filter.is_in_force() && filter.generation() == 7);
            for other in [none, allow, deny] {
                assert!(!filter.admits(deny, other) && !filter.admits(other, deny));
            }
            assert!(filter.admits(none, allow) && filter.admits(allow, none));
            assert_eq!(filter.admits(none, none), !allowed_only);
        }
        assert!(!NetworkFilter::new(8, false, false).is_in_force());
    }
}
