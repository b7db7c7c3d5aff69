//! TCP sockets as the kernel reports them (sock_diag): their state, and the inode by which processes own them.
//!
//! The kernel reports sockets of ftpmon's own network namespace only.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{
    AF_INET, AF_INET6, IPPROTO_TCP, TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT,
};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr};

use super::addresses::Scopes;
use ftpmon_event::addr::Endpoint;

/// Longest answer that is read, bytes. One socket's is about 100.
const ANSWER_MAX: usize = 8 << 10;
/// Answers to earlier requests that are skipped; more than one was never seen.
const STALE_MAX: usize = 16;
/// A handshake that is under way (`TCP_NEW_SYN_RECV` of the kernel, which netlink shows as SYN_RECV or as itself).
const TCP_NEW_SYN_RECV: u8 = 12;

/// The state of a connection's socket on this host, with the inode that identifies it in `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SocketState {
    /// A process owns the connection's socket.
    Owned(u32),
    /// A process owns it, and the connection is still being opened: the socket may be passed to another process afterwards.
    Opening(u32),
    /// The connection waits to be accepted.
    Waiting,
    /// There is no such connection, but a socket that listens for it, at its address or at all addresses.
    Listening(u32),
    /// The connection is closing, and no process owns it any more.
    Orphaned,
}

/// A netlink socket for socket diagnostics.
pub(super) struct Sockets {
    socket: Socket,
    sequence: u32,
    answer: Vec<u8>,
}

impl Sockets {
    /// Opens the netlink socket.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0, answer: vec![0; ANSWER_MAX] })
    }

    /// The socket of the connection between an end on this host and its peer; without a peer the one that listens there.
    /// None where this host has no such end.
    pub(super) fn find(
        &mut self,
        own: Endpoint,
        scopes: &Scopes,
        peer: Option<Endpoint>,
    ) -> io::Result<Option<SocketState>> {
        let mut listening = None;
        for interface in scopes.interfaces() {
            match self.find_at(own, interface, peer)? {
                // On another interface with that address the connection itself may be.
                Some(found @ SocketState::Listening(_)) => listening = listening.or(Some(found)),
                None => {}
                found => return Ok(found),
            }
        }
        Ok(listening)
    }

    /// Likewise, of an address on this interface.
    fn find_at(
        &mut self,
        own: Endpoint,
        interface: u32,
        peer: Option<Endpoint>,
    ) -> io::Result<Option<SocketState>> {
        let nowhere = match own.ip {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let peer = peer.map_or((nowhere, 0), |peer| (peer.ip, peer.port));
        if own.ip.is_ipv4() != peer.0.is_ipv4() {
            return Ok(None);
        }
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST;
        header.sequence_number = self.sequence;
        let request = InetRequest {
            family: if own.ip.is_ipv4() { AF_INET } else { AF_INET6 },
            protocol: IPPROTO_TCP,
            extensions: ExtensionFlags::empty(),
            states: StateFlags::all(),
            socket_id: SocketId {
                source_port: own.port,
                destination_port: peer.1,
                source_address: own.ip,
                destination_address: peer.0,
                interface_id: interface,
                cookie: [0xff; 8],
            },
        };
        let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        for _ in 0..STALE_MAX {
            // The kernel has answered before `send` comes back.
            let len = self.socket.recv(&mut &mut self.answer[..], libc::MSG_DONTWAIT)?;
            let answer = self.answer.get(..len).unwrap_or_default();
            let answer = NetlinkMessage::<SockDiagMessage>::deserialize(answer)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            if answer.header.sequence_number != self.sequence {
                continue;
            }
            let NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) = answer.payload else {
                return Ok(None);
            };
            let facts = &response.header;
            return Ok(Some(socket_state(facts.state, facts.inode)));
        }
        Ok(None)
    }
}

fn socket_state(state: u8, inode: u32) -> SocketState {
    match (state, inode) {
        (TCP_LISTEN, _) => SocketState::Listening(inode),
        (TCP_ESTABLISHED | TCP_SYN_RECV | TCP_NEW_SYN_RECV | TCP_CLOSE_WAIT, 0) => SocketState::Waiting,
        (_, 0) => SocketState::Orphaned,
        (TCP_SYN_SENT, _) => SocketState::Opening(inode),
        _ => SocketState::Owned(inode),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn endpoint(address: std::net::SocketAddr) -> Endpoint {
        Endpoint::new(address.ip(), address.port())
    }

    fn a_connection_is_followed(address: &str) {
        // Where the kernel has no socket diagnostics there is nothing to test.
        let Ok(mut sockets) = Sockets::open() else { return };
        let Ok(listener) = TcpListener::bind(address) else { return };
        let at = listener.local_addr().unwrap().port();
        let ip = if address.starts_with('[') { "::1" } else { "127.0.0.1" }.parse().unwrap();
        let server = Endpoint::new(ip, at);
        let Ok(Some(SocketState::Listening(inode))) = sockets.find(server, &Scopes::any(), None) else {
            return;
        };
        assert_ne!(inode, 0);

        let stream = TcpStream::connect((ip, at)).unwrap();
        let client = endpoint(stream.local_addr().unwrap());
        assert!(matches!(
            sockets.find(client, &Scopes::any(), Some(server)).unwrap(),
            Some(SocketState::Owned(_))
        ));
        assert_eq!(sockets.find(server, &Scopes::any(), Some(client)).unwrap(), Some(SocketState::Waiting));
        let (accepted, _) = listener.accept().unwrap();
        let Some(SocketState::Owned(held)) = sockets.find(server, &Scopes::any(), Some(client)).unwrap()
        else {
            panic!()
        };
        assert_ne!(held, inode);
        drop(accepted);
        drop(stream);
        drop(listener);
        let gone = sockets.find(client, &Scopes::any(), Some(server)).unwrap();
        assert!(matches!(gone, None | Some(SocketState::Orphaned)), "{gone:?}");
        assert_eq!(sockets.find(server, &Scopes::any(), None).unwrap(), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn a_connection_is_followed_from_listening_to_its_end() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            a_connection_is_followed(address);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn ends_that_are_elsewhere_are_none() {
        let Ok(mut sockets) = Sockets::open() else { return };
        let (one, other) = ("192.0.2.1:21", "192.0.2.2:40000");
        let (one, other) = (endpoint(one.parse().unwrap()), endpoint(other.parse().unwrap()));
        assert_eq!(sockets.find(one, &Scopes::any(), Some(other)).unwrap_or(None), None);
        let mixed = endpoint("[2001:db8::1]:21".parse().unwrap());
        assert_eq!(sockets.find(one, &Scopes::any(), Some(mixed)).unwrap(), None);
    }
}
