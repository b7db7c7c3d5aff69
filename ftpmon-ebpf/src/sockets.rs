//! The sockets that processes have open, told one by one to whoever reads the iterator over their files.
//!
//! This is the one program that reads kernel structures. Their places come from the agent ([`SocketOffsets`]), are constants when
//! the verifier sees them, and each read is checked against the kernel's own type information.

use core::ffi::c_void;
use core::mem::size_of;
use core::ptr::read_volatile;

use aya_ebpf::bindings::{file, seq_file};
use aya_ebpf::helpers::generated::{bpf_seq_write, bpf_sock_from_file};
use ftpmon_common::{OpenSocket, SocketOffsets};

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const IPPROTO_TCP: u16 = 6;

/// Set by the agent before the object is loaded.
#[unsafe(no_mangle)]
static SETTING_SOCKETS: SocketOffsets = SocketOffsets {
    tgid: 0,
    file_inode: 0,
    inode_number: 0,
    sock: 0,
    protocol: 0,
    family: 0,
    state: 0,
    own: 0,
    peer: 0,
    own_port: 0,
    peer_port: 0,
    own_v6: 0,
    peer_v6: 0,
    net: 0,
    netns: 0,
};

/// The kernel's `bpf_iter__task_file`.
#[repr(C)]
pub struct TaskFile {
    meta: *const Meta,
    task: *const c_void,
    fd: u32,
    file: *mut file,
}

/// The kernel's `bpf_iter_meta`, as far as it is read.
#[repr(C)]
struct Meta {
    seq: *mut seq_file,
}

/// A value at one of the places that the agent set.
macro_rules! at {
    ($base:expr, $place:ident: $type:ty) => {{
        // SAFETY: a setting is read as what it is. The verifier admits the program only if the kernel's structure has a field of
        // this size at this place; a pointer that is not valid reads as zeros.
        unsafe {
            let place = read_volatile(&raw const SETTING_SOCKETS.$place);
            $base.cast::<u8>().add(place as usize).cast::<$type>().read()
        }
    }};
}

/// Writes the socket behind a file of a task, where it is one of TCP.
#[inline(always)]
pub(crate) fn tell(context: *const TaskFile) {
    // SAFETY: the kernel calls an iterator with its context; both pointers are null behind the last file.
    let (meta, task, file) = unsafe { ((*context).meta, (*context).task, (*context).file) };
    if task.is_null() || file.is_null() {
        return;
    }
    // SAFETY: a file that the iterator holds.
    let socket = unsafe { bpf_sock_from_file(file) };
    if socket.is_null() {
        return;
    }
    let sock = at!(socket, sock: *const c_void);
    if sock.is_null() {
        return;
    }
    let family = at!(sock, family: u16);
    if at!(sock, protocol: u16) != IPPROTO_TCP {
        return;
    }
    let mut open = OpenSocket { family, ..OpenSocket::default() };
    match family {
        AF_INET => {
            open.own[0] = at!(sock, own: u32);
            open.peer[0] = at!(sock, peer: u32);
        }
        AF_INET6 => {
            open.own = words(sock, true);
            open.peer = words(sock, false);
        }
        _ => return,
    }
    open.own_port = at!(sock, own_port: u16);
    open.peer_port = u16::from_be(at!(sock, peer_port: u16));
    open.state = at!(sock, state: u8);
    open.pid = at!(task, tgid: u32);
    let inode = at!(file, file_inode: *const c_void);
    open.inode = at!(inode, inode_number: u64);
    let net = at!(sock, net: *const c_void);
    open.netns = at!(net, netns: u32);
    // SAFETY: the iterator's own output, and a record on the stack that is initialised as a whole.
    unsafe {
        bpf_seq_write((*meta).seq, (&raw const open).cast(), size_of::<OpenSocket>() as u32);
    }
}

/// The address of a socket of IPv6: its own, or its peer's.
#[inline(always)]
fn words(sock: *const c_void, own: bool) -> [u32; 4] {
    let word = |index: usize| {
        // SAFETY: as in `at!`, the words of one address.
        unsafe {
            let place = if own {
                read_volatile(&raw const SETTING_SOCKETS.own_v6)
            } else {
                read_volatile(&raw const SETTING_SOCKETS.peer_v6)
            };
            sock.cast::<u8>().add(place as usize).cast::<u32>().add(index).read()
        }
    };
    [word(0), word(1), word(2), word(3)]
}
