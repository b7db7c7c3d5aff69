//! Sockets that processes have open, as the iterator over their files tells them.

use crate::layout::no_padding;

/// A TCP socket that a process has open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct OpenSocket {
    /// The inode by which `/proc/PID/fd` names it.
    pub inode: u64,
    /// The process, as the first PID namespace numbers it.
    pub pid: u32,
    /// The network namespace, by the inode of `/proc/PID/ns/net`.
    pub netns: u32,
    /// Its own address in network byte order; of IPv4 the first word.
    pub own: [u32; 4],
    /// The peer's address, likewise.
    pub peer: [u32; 4],
    /// Its own port.
    pub own_port: u16,
    /// The peer's port.
    pub peer_port: u16,
    /// Address family: 2 for IPv4, 10 for IPv6 (`AF_INET`, `AF_INET6`).
    pub family: u16,
    /// State of the connection (`TCP_ESTABLISHED` and so on, include/net/tcp_states.h).
    pub state: u8,
    /// Zero.
    pub unused: u8,
}

no_padding!(OpenSocket: 56 {
    inode: u64, pid: u32, netns: u32, own: [u32; 4], peer: [u32; 4], own_port: u16, peer_port: u16, family: u16, state: u8, unused: u8,
});

/// Places in the kernel's structures, in bytes. They differ from kernel to kernel: the agent reads them from its type information
/// (`/sys/kernel/btf/vmlinux`) and sets them before the object is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SocketOffsets {
    /// `task_struct.tgid`.
    pub tgid: u32,
    /// `file.f_inode`.
    pub file_inode: u32,
    /// `inode.i_ino`.
    pub inode_number: u32,
    /// `socket.sk`.
    pub sock: u32,
    /// `sock.sk_protocol`.
    pub protocol: u32,
    /// `sock_common.skc_family`.
    pub family: u32,
    /// `sock_common.skc_state`.
    pub state: u32,
    /// `sock_common.skc_rcv_saddr`.
    pub own: u32,
    /// `sock_common.skc_daddr`.
    pub peer: u32,
    /// `sock_common.skc_num`.
    pub own_port: u32,
    /// `sock_common.skc_dport`.
    pub peer_port: u32,
    /// `sock_common.skc_v6_rcv_saddr`; 0 where the kernel has no IPv6.
    pub own_v6: u32,
    /// `sock_common.skc_v6_daddr`.
    pub peer_v6: u32,
    /// `sock_common.skc_net`.
    pub net: u32,
    /// `net.ns.inum`.
    pub netns: u32,
}

no_padding!(SocketOffsets: 60 {
    tgid: u32, file_inode: u32, inode_number: u32, sock: u32, protocol: u32, family: u32, state: u32, own: u32, peer: u32,
    own_port: u32, peer_port: u32, own_v6: u32, peer_v6: u32, net: u32, netns: u32,
});
