//! The sockets that processes have open, in all network namespaces, as the kernel's iterator tells them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt as _;
use std::time::Instant;

use ftpmon_common::OpenSocket;
use ftpmon_event::addr::Endpoint;
use tracing::warn;

use super::sockets::SocketState;
use crate::kernel::OpenSockets;

/// Sockets of one pass that are kept, 4 MiB. On a host with more, those behind are looked for in `/proc`, and not at all in
/// other network namespaces.
pub const OPEN_SOCKETS_MAX: usize = 65_536;

const AF_INET: u16 = 2;
/// include/net/tcp_states.h.
const TCP_SYN_SENT: u8 = 2;
const TCP_LISTEN: u8 = 10;

/// The sockets as of the last pass.
pub(super) struct SocketTable {
    source: OpenSockets,
    sockets: Vec<OpenSocket>,
    /// When the last pass began.
    read: Option<Instant>,
    /// The network namespace of the watched interfaces.
    own: u32,
    /// The kernel gives no pass any more, which was said.
    failed: bool,
}

impl SocketTable {
    /// A table that was not read yet. The calling thread is in the network namespace of the watched interfaces.
    pub(super) fn new(source: OpenSockets) -> Self {
        let own = std::fs::metadata("/proc/thread-self/ns/net").map_or(0, |namespace| namespace.ino());
        let own = u32::try_from(own).unwrap_or_default();
        Self { source, sockets: Vec::new(), read: None, own, failed: false }
    }

    /// The sockets as they are now, or were at some time since `since`.
    pub(super) fn refresh(&mut self, since: Instant) {
        if self.failed || self.read.is_some_and(|read| read >= since) {
            return;
        }
        self.read = Some(Instant::now());
        let sockets = &mut self.sockets;
        sockets.clear();
        let read = self.source.for_each(|socket| {
            if sockets.len() < OPEN_SOCKETS_MAX {
                sockets.push(*socket);
            }
        });
        if let Err(error) = read {
            self.failed = true;
            sockets.clear();
            warn!(
                "the kernel lists no open sockets any more: owners of connections are looked for in /proc ({error})"
            );
        }
    }

    /// Processes of other network namespaces have sockets.
    pub(super) fn has_others(&self) -> bool {
        self.sockets.iter().any(|socket| socket.netns != self.own)
    }

    /// The processes that have a socket open, each once; none where there are sockets that are not known.
    pub(super) fn holders(&self, inode: u32) -> Option<Vec<u32>> {
        let of_it = self.sockets.iter().filter(|socket| socket.inode == u64::from(inode));
        let mut pids: Vec<u32> = of_it.map(|socket| socket.pid).collect();
        pids.sort_unstable();
        pids.dedup();
        let are_all_known = !self.failed && self.sockets.len() < OPEN_SOCKETS_MAX;
        (are_all_known || !pids.is_empty()).then_some(pids)
    }

    /// The socket of a connection between an end in another network namespace and its peer; without a peer the one that
    /// listens at exactly this address. None where no process can have it.
    pub(super) fn find_elsewhere(&self, end: Endpoint, peer: Option<Endpoint>) -> Option<SocketState> {
        let Some(peer) = peer else {
            let at_it = |socket: &&OpenSocket| own(socket) == end;
            return self.listening(false).find(at_it).and_then(|it| Some(SocketState::Listening(inode(it)?)));
        };
        // A listener at all addresses of a namespace proves nothing: only the connection itself tells whether it is this one.
        let may_be_accepted = || self.listening(false).any(|socket| socket.own_port == end.port);
        self.connection(false, end, peer).or_else(|| may_be_accepted().then_some(SocketState::Waiting))
    }

    /// The socket of a connection between an end in the agent's network namespace and its peer, or else the one that listens
    /// there, at its address or at all addresses.
    pub(super) fn find_here(&self, end: Endpoint, peer: Option<Endpoint>) -> Option<SocketState> {
        let of_end = |socket: &&OpenSocket| {
            let at = own(socket);
            at.port == end.port && (at.ip == end.ip || at.ip.is_unspecified())
        };
        let listener =
            || self.listening(true).find(of_end).and_then(|it| Some(SocketState::Listening(inode(it)?)));
        peer.and_then(|peer| self.connection(true, end, peer)).or_else(listener)
    }

    /// The socket of a connection, in the agent's network namespace or in others.
    fn connection(&self, here: bool, end: Endpoint, peer: Endpoint) -> Option<SocketState> {
        let is_it = |socket: &&OpenSocket| {
            self.is_in(here, socket)
                && socket.state != TCP_LISTEN
                && own(socket) == end
                && self::peer(socket) == peer
        };
        let socket = self.sockets.iter().find(is_it)?;
        let is_opening = socket.state == TCP_SYN_SENT;
        inode(socket).map(if is_opening { SocketState::Opening } else { SocketState::Owned })
    }

    fn listening(&self, here: bool) -> impl Iterator<Item = &OpenSocket> {
        self.sockets.iter().filter(move |socket| self.is_in(here, socket) && socket.state == TCP_LISTEN)
    }

    fn is_in(&self, here: bool, socket: &OpenSocket) -> bool {
        (socket.netns == self.own) == here
    }
}

fn inode(socket: &OpenSocket) -> Option<u32> {
    u32::try_from(socket.inode).ok()
}

fn own(socket: &OpenSocket) -> Endpoint {
    Endpoint::new(address(socket.family, socket.own), socket.own_port)
}

fn peer(socket: &OpenSocket) -> Endpoint {
    Endpoint::new(address(socket.family, socket.peer), socket.peer_port)
}

/// The address in the kernel's words. One of IPv4 in a socket of IPv6 is one of IPv4.
fn address(family: u16, words: [u32; 4]) -> IpAddr {
    let [first, ..] = words;
    if family == AF_INET {
        return Ipv4Addr::from(first.to_ne_bytes()).into();
    }
    let mut bytes = [0; 16];
    for (part, word) in bytes.chunks_exact_mut(4).zip(words) {
        part.copy_from_slice(&word.to_ne_bytes());
    }
    Ipv6Addr::from(bytes).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_wire() {
        let word = u32::from_ne_bytes([192, 0, 2, 1]);
        assert_eq!(address(AF_INET, [word, 9, 9, 9]), "192.0.2.1".parse::<IpAddr>().unwrap());
        let mapped = [0, 0, u32::from_ne_bytes([0, 0, 0xff, 0xff]), word];
        assert_eq!(address(10, mapped), "192.0.2.1".parse::<IpAddr>().unwrap());
        let six = [u32::from_ne_bytes([0x20, 1, 0xd, 0xb8]), 0, 0, u32::from_ne_bytes([0, 0, 0, 0x21])];
        assert_eq!(address(10, six), "2001:db8::21".parse::<IpAddr>().unwrap());
    }
}
