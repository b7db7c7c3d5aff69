//! The networks of the operator in the kernel's table, written as wholes: the programs read the number of the set in force from one word.

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, MapData, MapError};
use ftpmon_common::names::{NETWORKS_ENTRIES, NETWORKS_MAX};
use ftpmon_common::{NetworkFilter, NetworkKey, NetworkRule};
use tracing::debug;

use super::cause::root_cause;
use ftpmon_core::engine::Networks;
use ftpmon_core::networks;

const _: () = assert!(NETWORKS_MAX == Networks::MAX && NETWORKS_ENTRIES == 2 * (Networks::MAX + 1));

/// Generation and address of a key, behind the number of bits that count.
type Content = [u8; 20];

/// The maps [`ftpmon_common::names::NETWORKS`] and [`ftpmon_common::names::NETWORK_FILTER`].
pub struct NetworkRules {
    trie: LpmTrie<MapData, Content, NetworkRule>,
    filter: Array<MapData, NetworkFilter>,
}

/// Networks that were written, and are not in force yet.
#[derive(Debug)]
#[must_use = "nothing changes before they are put into force"]
pub struct WrittenNetworks(NetworkFilter);

impl NetworkRules {
    /// These maps.
    pub fn new(trie: LpmTrie<MapData, Content, NetworkRule>, filter: Array<MapData, NetworkFilter>) -> Self {
        Self { trie, filter }
    }

    /// Writes networks beside those in force.
    ///
    /// # Errors
    /// The kernel has no room for them; those in force stay.
    pub fn write(&mut self, networks: &Networks) -> Result<WrittenNetworks, String> {
        let cause = |error: MapError| {
            format!(
                "the kernel does not take the networks of --allow-net and --deny-net: {}",
                root_cause(&error)
            )
        };
        let in_force = self.filter.get(&0, 0).map_err(cause)?;
        self.keep(in_force.generation()).map_err(cause)?;
        let generation = in_force.generation().wrapping_add(1);
        let filter = NetworkFilter::new(generation, !networks.is_empty(), networks.allowed_only());
        // The word has no room for all bits of the number.
        let generation = filter.generation();
        let entries = networks.entries().filter(|_| filter.is_in_force());
        for (length, prefix, rule) in entries {
            let rule = match rule {
                Some(networks::NetworkRule::Allow) => NetworkRule::ALLOW,
                Some(networks::NetworkRule::Deny) => NetworkRule::DENY,
                None => NetworkRule::NONE,
            };
            self.trie.insert(&key(generation, length, prefix), rule, 0).map_err(cause)?;
        }
        debug!("{} networks are written as set {generation}", networks.len());
        Ok(WrittenNetworks(filter))
    }

    /// Connections that begin from now on are asked about these networks.
    ///
    /// # Errors
    /// The kernel does not take the number of the set.
    pub fn put_into_force(&mut self, networks: &WrittenNetworks) -> Result<(), String> {
        self.filter.set(0, networks.0, 0).map_err(|error| root_cause(&error))
    }

    /// Removes all networks but those of a generation: nobody has asked about the others since they were replaced.
    fn keep(&mut self, generation: u32) -> Result<(), MapError> {
        let keys: Vec<_> = self.trie.keys().collect::<Result<_, _>>()?;
        let generation = generation.to_ne_bytes();
        for key in keys.iter().filter(|key| !key.data().starts_with(&generation)) {
            self.trie.remove(key)?;
        }
        Ok(())
    }
}

fn key(generation: u32, length: u8, prefix: u128) -> Key<Content> {
    let mut content = [0; 20];
    let (number, address) = content.split_at_mut(4);
    number.copy_from_slice(&generation.to_ne_bytes());
    address.copy_from_slice(&prefix.to_be_bytes());
    Key::new(NetworkKey::GENERATION_BITS + u32::from(length), content)
}
