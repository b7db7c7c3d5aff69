//! Pairs of hosts: what is known of all connections between two hosts, and the decisions that follow from it.

pub(crate) mod decide;
mod host_pair;
mod services;
mod state;
mod table;
mod window;

pub use host_pair::HostPair;
pub(crate) use state::PairState;
pub(crate) use table::PairTable;
pub(crate) use window::Window;
