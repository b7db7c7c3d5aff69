//! Interfaces set promiscuous (`--promisc`), for as long as the process lives and no longer.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// A packet socket that receives nothing and holds the memberships: the kernel undoes them when it is closed, however
/// the process ends, and counts them, so that another sniffer is not disturbed.
pub(super) struct Promiscuous {
    socket: OwnedFd,
}

impl Promiscuous {
    /// No interface yet.
    ///
    /// # Errors
    /// Without CAP_NET_RAW.
    pub(super) fn new() -> io::Result<Self> {
        let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket })
    }

    /// Sets an interface promiscuous. When it goes away so does its membership.
    ///
    /// # Errors
    /// The interface is gone, or cannot be set promiscuous.
    pub(super) fn add(&self, ifindex: u32) -> io::Result<()> {
        let request = libc::packet_mreq {
            mr_ifindex: ifindex as libc::c_int,
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        let length = size_of::<libc::packet_mreq>() as libc::socklen_t;
        // SAFETY: the pointer and length describe `request`, which outlives the call; the descriptor is our own.
        let result = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_ADD_MEMBERSHIP,
                core::ptr::from_ref(&request).cast(),
                length,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
