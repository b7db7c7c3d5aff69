//! Ids of flows for tests of what is keyed by them.

use std::net::Ipv4Addr;

use super::{Class, FlowId, FlowKey, FlowTable, Moment};
use crate::addr::Endpoint;

/// The ids of `n` connections between different hosts, all in one table.
pub(crate) fn flow_ids(count: usize) -> Vec<FlowId> {
    let mut table = FlowTable::new(|_| 1);
    let end = |n: usize| Endpoint::new(Ipv4Addr::from_bits(n as u32).into(), 1);
    (1..=count)
        .map(|n| table.insert(FlowKey::new(end(n), end(0)), Class::Other, Moment::default(), ()))
        .collect()
}
