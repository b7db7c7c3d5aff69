//! TC filters on kernels without TCX (before 6.6), and which agent each belongs to.
//!
//! Such a filter outlives an agent that is killed. Its handle carries the number of its agent, and the agent holds an abstract
//! socket of that number while it lives: the kernel closes it however the process ends, and both belong to the network
//! namespace. So the next agent removes the filters of dead ones and leaves those of live ones alone.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use aya::programs::tc::{NlOptions, TcHandle};
use futures_util::{StreamExt as _, TryStreamExt as _};
use rtnetlink::Handle;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::{TcAttribute, TcHeader, TcMessage};

/// The upper half of the handle of every filter of ftpmon.
const HANDLE_MAJOR: u16 = 0xf7f0;
/// Agents in one network namespace that can be told apart. One more attaches all the same, and its filters stay if it is killed.
const AGENTS_MAX: u16 = 64;
/// The priority of the filters: before all others, so that no other program's verdict hides a packet.
const PRIORITY: u16 = 1;

/// This agent's number among those of its network namespace.
pub(super) struct ClsactOwner {
    number: u16,
    _lock: Option<UnixDatagram>,
}

impl ClsactOwner {
    /// Takes the first free number.
    pub(super) fn new() -> Self {
        let free = (1..=AGENTS_MAX).find_map(|number| lock(number).ok().map(|lock| (number, lock)));
        match free {
            Some((number, lock)) => Self { number, _lock: Some(lock) },
            None => Self { number: 0, _lock: None },
        }
    }

    /// The options to try in turn: before all other filters, and where another kind of filter has that priority, at one that the
    /// kernel chooses.
    pub(super) fn options(&self) -> [NlOptions; 2] {
        [PRIORITY, 0].map(|priority| {
            let handle = match self.number {
                0 => TcHandle::AUTO_ASSIGN,
                number => TcHandle::new(HANDLE_MAJOR, number),
            };
            NlOptions { priority, handle, classid: None }
        })
    }

    /// Removes the filters that dead agents left on an interface. What cannot be read or removed stays.
    pub(super) async fn remove_stale(&self, route: &Handle, ifindex: u32) {
        let Ok(ifindex) = i32::try_from(ifindex) else { return };
        let mut filters = Vec::new();
        for request in
            [route.traffic_filter(ifindex).get().ingress(), route.traffic_filter(ifindex).get().egress()]
        {
            filters.extend(request.execute().try_collect::<Vec<TcMessage>>().await.unwrap_or_default());
        }
        for filter in filters.iter().filter(|filter| self.is_stale(filter)) {
            let _ = remove(route.clone(), &filter.header).await;
        }
    }

    /// The filter is ftpmon's, and no live agent's. This agent has attached nothing yet where it asks.
    fn is_stale(&self, filter: &TcMessage) -> bool {
        let TcHeader { handle, .. } = filter.header;
        let is_bpf = filter.attributes.contains(&TcAttribute::Kind("bpf".to_owned()));
        is_bpf && handle.major == HANDLE_MAJOR && (handle.minor == self.number || lock(handle.minor).is_ok())
    }
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
    use rtnetlink::packet_route::tc::TcHandle as Number;

    use super::*;

    fn filter(kind: &str, major: u16, minor: u16) -> TcMessage {
        let mut filter = TcMessage::default();
        filter.header.handle = Number { major, minor };
        filter.attributes = vec![TcAttribute::Kind(kind.to_owned())];
        filter
    }

    #[test]
    fn filters_of_live_agents_and_of_others_are_left_alone() {
        let (one, other) = (ClsactOwner::new(), ClsactOwner::new());
        assert!(one.number != other.number && one.number != 0 && other.number != 0);
        assert!(!one.is_stale(&filter("bpf", HANDLE_MAJOR, other.number)));
        assert!(!one.is_stale(&filter("bpf", 0, 1)));
        assert!(!one.is_stale(&filter("flower", HANDLE_MAJOR, AGENTS_MAX)));
        let dead = other.number;
        drop(other);
        assert!(one.is_stale(&filter("bpf", HANDLE_MAJOR, dead)));
        assert!(
            one.is_stale(&filter("bpf", HANDLE_MAJOR, one.number)),
            "left by a predecessor of that number"
        );
    }
}
