//! TC filters on kernels without TCX (before 6.6), and which agent each belongs to.
//!
//! Such a filter outlives an agent that is killed. Its handle carries the number of its agent, and the agent holds an abstract
//! socket of that number while it lives: the kernel closes it however the process ends, and both belong to the network
//! namespace. So the next agent removes the filters of dead ones and leaves those of live ones alone.
//!
//! The handle also shows whether an agent of ftpmon made the qdisc. Then the last one removes it, unless other programs
//! have filters in it.

use std::collections::BTreeSet;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use aya::programs::tc::{NlOptions, TcHandle, qdisc_add_clsact};
use futures_util::{StreamExt as _, TryStreamExt as _};
use rtnetlink::Handle;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle as Parent, TcHeader, TcMessage};

/// The upper half of the handle of a filter of ftpmon in a qdisc that was there before ftpmon.
const FOREIGN_QDISC: u16 = 0xf7f0;
/// The same in a qdisc that an agent of ftpmon made.
const OWN_QDISC: u16 = 0xf7f1;
/// Agents in one network namespace that can be distinguished. One more attaches all the same, and its filters stay if it is
/// killed.
const AGENTS_MAX: u16 = 64;
/// The priority of the filters: before all others, so that no other program's verdict hides a packet.
const PRIORITY: u16 = 1;

/// This agent's number among those of its network namespace.
pub(super) struct ClsactOwner {
    number: u16,
    _lock: Option<UnixDatagram>,
    /// Interfaces whose qdisc an agent of ftpmon made.
    own_qdiscs: BTreeSet<u32>,
}

impl ClsactOwner {
    /// Takes the first free number.
    pub(super) fn new() -> Self {
        let free = (1..=AGENTS_MAX).find_map(|number| lock(number).ok().map(|lock| (number, lock)));
        let (number, lock) = free.map_or((0, None), |(number, lock)| (number, Some(lock)));
        Self { number, _lock: lock, own_qdiscs: BTreeSet::new() }
    }

    /// The options to try in turn on an interface: before all other filters, and where another kind of filter has that
    /// priority, at one that the kernel chooses.
    pub(super) fn options(&self, ifindex: u32) -> [NlOptions; 2] {
        let major = if self.own_qdiscs.contains(&ifindex) { OWN_QDISC } else { FOREIGN_QDISC };
        [PRIORITY, 0].map(|priority| {
            let handle = match self.number {
                0 => TcHandle::AUTO_ASSIGN,
                number => TcHandle::new(major, number),
            };
            NlOptions { priority, handle, classid: None }
        })
    }

    /// Removes the filters that dead agents left on an interface, and makes the qdisc where there is none. What cannot be read
    /// or removed stays; without a qdisc attaching fails.
    pub(super) async fn prepare(&mut self, route: &Handle, name: &str, ifindex: u32) {
        let _ = self.remove_stale(route, ifindex).await;
        if qdisc_add_clsact(name).is_ok() {
            self.own_qdiscs.insert(ifindex);
        }
    }

    /// Removes the filters that dead agents left on an interface, and remembers whether an agent made its qdisc. Returns how many
    /// filters there were.
    pub(super) async fn remove_stale(
        &mut self,
        route: &Handle,
        ifindex: u32,
    ) -> Result<usize, rtnetlink::Error> {
        let Ok(index) = i32::try_from(ifindex) else { return Ok(0) };
        let present = filters(route, index).await.unwrap_or_default();
        if present.iter().any(|filter| is_of(filter, &[OWN_QDISC])) {
            self.own_qdiscs.insert(ifindex);
        }
        let stale: Vec<_> = present.iter().filter(|filter| self.is_stale(filter)).collect();
        for filter in &stale {
            remove(route.clone(), &filter.header).await?;
        }
        Ok(stale.len())
    }

    /// Removes the qdiscs that agents of ftpmon made and in which no filter is left.
    pub(super) async fn remove_qdiscs(&mut self, route: &Handle) {
        for ifindex in core::mem::take(&mut self.own_qdiscs) {
            let Ok(index) = i32::try_from(ifindex) else { continue };
            if filters(route, index).await.is_ok_and(|filters| filters.is_empty()) {
                let mut request = route.qdisc().del(index);
                request.message_mut().header.parent = Parent::CLSACT;
                let _ = request.execute().await;
            }
        }
    }

    /// The filter is ftpmon's, and no live agent's. This agent has attached nothing yet where it asks.
    fn is_stale(&self, filter: &TcMessage) -> bool {
        let number = filter.header.handle.minor;
        is_of(filter, &[FOREIGN_QDISC, OWN_QDISC]) && (number == self.number || lock(number).is_ok())
    }
}

/// The filter is ftpmon's, and its handle has one of these upper halves.
fn is_of(filter: &TcMessage, majors: &[u16]) -> bool {
    filter.attributes.contains(&TcAttribute::Kind("bpf".to_owned()))
        && majors.contains(&filter.header.handle.major)
}

/// All filters of the qdisc of an interface, in both directions.
async fn filters(route: &Handle, index: i32) -> Result<Vec<TcMessage>, rtnetlink::Error> {
    let mut filters = Vec::new();
    for request in [route.traffic_filter(index).get().ingress(), route.traffic_filter(index).get().egress()] {
        filters.extend(request.execute().try_collect::<Vec<TcMessage>>().await?);
    }
    Ok(filters)
}

/// Holds an agent's number until it is dropped.
fn lock(number: u16) -> io::Result<UnixDatagram> {
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(format!("ftpmon/clsact/{number}"))?)
}

async fn remove(mut route: Handle, filter: &TcHeader) -> Result<(), rtnetlink::Error> {
    let mut message = TcMessage::default();
    message.header = filter.clone();
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::DelTrafficFilter(message));
    request.header.flags = NLM_F_REQUEST | NLM_F_ACK;
    let mut replies = route.request(request)?;
    while let Some(reply) = replies.next().await {
        if let NetlinkPayload::Error(error) = reply.payload {
            return Err(rtnetlink::Error::NetlinkError(error));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(kind: &str, major: u16, minor: u16) -> TcMessage {
        let mut filter = TcMessage::default();
        filter.header.handle = Parent { major, minor };
        filter.attributes = vec![TcAttribute::Kind(kind.to_owned())];
        filter
    }

    #[test]
    fn filters_of_live_agents_and_of_others_are_left_alone() {
        let (one, other) = (ClsactOwner::new(), ClsactOwner::new());
        assert!(one.number != other.number && one.number != 0 && other.number != 0);
        assert!(!one.is_stale(&filter("bpf", OWN_QDISC, other.number)));
        assert!(!one.is_stale(&filter("bpf", 0, 1)));
        assert!(!one.is_stale(&filter("flower", OWN_QDISC, AGENTS_MAX)));
        let dead = other.number;
        drop(other);
        assert!(one.is_stale(&filter("bpf", OWN_QDISC, dead)));
        assert!(one.is_stale(&filter("bpf", OWN_QDISC, one.number)), "left by a predecessor of that number");
    }
}
