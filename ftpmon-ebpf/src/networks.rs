//! The networks of the operator: whose sessions are watched.

use aya_ebpf::btf_maps::lpm_trie::Key;
use ftpmon_common::{Address, NetworkFilter, NetworkKey, NetworkRule};

use crate::maps::{NETWORK_FILTER, NETWORKS};
use crate::segment::Segment;

/// Sessions between the two hosts of a segment are watched. Costs two look-ups where there are networks: it is asked once a
/// connection.
#[inline(never)]
pub(crate) fn admit(segment: &Segment) -> bool {
    let Some(filter) = NETWORK_FILTER.get_ptr(0) else { return true };
    // SAFETY: a map's value, one word.
    let filter = unsafe { filter.read() };
    if !filter.is_in_force() {
        return true;
    }
    filter.admits(rule(filter, segment.key.low), rule(filter, segment.key.high))
}

/// The rule of the most specific network that an address is in.
#[inline(never)]
fn rule(filter: NetworkFilter, address: Address) -> NetworkRule {
    let key = NetworkKey::of_host(filter.generation(), address);
    // SAFETY: the number of bits, and 20 bytes that follow it without padding.
    let key = unsafe { &*(&raw const key).cast::<Key<[u8; 20]>>() };
    NETWORKS.get(key).copied().unwrap_or(NetworkRule::NONE)
}
