//! The sockets that processes have open, in all network namespaces: the iterator over the files of all tasks.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use aya::Btf;
use aya::programs::Iter;
use ftpmon_common::{OpenSocket, names};

use super::cause::explained;
use super::error::KernelError;
use super::record::plain;

/// Commands of bpf(2) (include/uapi/linux/bpf.h).
const LINK_CREATE: libc::c_long = 28;
/// Also an attach type.
const TRACE_ITER: u32 = 28;
/// The command that begins a pass over an iterator.
const ITER_CREATE: libc::c_long = 33;
/// Bytes that are read at a time.
const READ_LEN: usize = 64 << 10;
/// Bytes of a record.
const RECORD_LEN: usize = size_of::<OpenSocket>();

/// The iterator. It needs no right but its descriptor, and bpf(2) to begin a pass.
#[derive(Debug)]
pub struct OpenSockets {
    link: OwnedFd,
    buffer: Vec<u8>,
}

/// The part of `union bpf_attr` that either command has.
#[repr(C)]
struct Attributes {
    /// The program, or the link.
    fd: u32,
    /// No target of the link, no flags of a pass.
    zero: u32,
    attach_type: u32,
    flags: u32,
    /// The iterator's own settings: none.
    settings: u64,
}

impl OpenSockets {
    /// Loads the program and links it.
    pub(super) fn start(program: &mut Iter) -> Result<Self, KernelError> {
        let failed = |cause: String| KernelError::Load { what: names::SOCKETS, cause };
        let types = Btf::from_sys_fs().map_err(|error| failed(explained(&error)))?;
        program.load("task_file", &types).map_err(|error| failed(explained(&error)))?;
        let program = program.fd().map_err(|error| failed(explained(&error)))?;
        let link =
            call(LINK_CREATE, program.as_fd(), TRACE_ITER).map_err(|error| failed(error.to_string()))?;
        Ok(Self { link, buffer: vec![0; READ_LEN] })
    }

    /// Calls something for each socket that a process has open now; it is told once a descriptor.
    ///
    /// # Errors
    /// The kernel gives no pass, or ends it.
    pub fn for_each(&mut self, mut each: impl FnMut(&OpenSocket)) -> io::Result<()> {
        let mut pass = File::from(call(ITER_CREATE, self.link.as_fd(), 0)?);
        let mut held = 0;
        loop {
            let room = self.buffer.get_mut(held..).unwrap_or_default();
            let read = match pass.read(room) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                // It was interrupted, or has more to walk through than one call may.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN)) => continue,
                Err(error) => return Err(error),
            };
            let filled = self.buffer.get(..held + read).unwrap_or_default();
            let records = filled.chunks_exact(RECORD_LEN);
            held = records.remainder().len();
            let rest = filled.len() - held;
            records.filter_map(plain).for_each(|record| each(&record));
            self.buffer.copy_within(rest..rest + held, 0);
        }
    }
}

/// A command of bpf(2) that gives a descriptor.
fn call(command: libc::c_long, fd: BorrowedFd<'_>, attach_type: u32) -> io::Result<OwnedFd> {
    let attributes =
        Attributes { fd: fd.as_raw_fd().cast_unsigned(), zero: 0, attach_type, flags: 0, settings: 0 };
    // SAFETY: the kernel reads the attributes, which are alive and as long as it is told.
    let made =
        unsafe { libc::syscall(libc::SYS_bpf, command, &raw const attributes, size_of::<Attributes>()) };
    let made = i32::try_from(made).map_err(io::Error::other)?;
    if made < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(made) })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::kernel::{Object, ObjectOptions};

    fn started() -> Option<OpenSockets> {
        let options = ObjectOptions {
            ring_bytes: 4_096,
            payload_bytes: None,
            announcements: 16,
            log: None,
            open_sockets: true,
        };
        let (mut object, _maps) = Object::load(options, None).unwrap();
        object.open_sockets().unwrap()
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn sockets_of_this_process_are_told_with_both_ends() {
        // Only root loads programs; the ring `owners` runs as root always.
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let Some(mut sockets) = started() else { return };
        let own_netns = std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let at = listener.local_addr().unwrap();
            let client = TcpStream::connect(at).unwrap();
            let from = client.local_addr().unwrap();
            let mut told = Vec::new();
            // The second pass is one of its own.
            for _ in 0..2 {
                told.clear();
                sockets.for_each(|socket| told.push(*socket)).unwrap();
            }
            let of_us = |port: u16, peer: u16| {
                told.iter().find(|it| (it.own_port, it.peer_port) == (port, peer)).copied()
            };
            let listening = of_us(at.port(), 0).unwrap();
            let connected = of_us(from.port(), at.port()).unwrap();
            for socket in [listening, connected] {
                assert_eq!(socket.pid, std::process::id(), "{socket:?}");
                assert_eq!(u64::from(socket.netns), own_netns);
            }
            // include/net/tcp_states.h: LISTEN is 10, ESTABLISHED 1.
            assert_eq!((listening.state, connected.state), (10, 1));
            let words: &[u32] = if at.is_ipv4() {
                &[u32::from_ne_bytes([127, 0, 0, 1])]
            } else {
                &[0, 0, 0, u32::from_ne_bytes([0, 0, 0, 1])]
            };
            assert_eq!(&connected.own[..words.len()], words);
            assert_eq!(&connected.peer[..words.len()], words);
            assert_eq!(connected.family, if at.is_ipv4() { 2 } else { 10 });
            let link = format!("socket:[{}]", connected.inode);
            let is_ours = std::fs::read_dir("/proc/self/fd").unwrap().flatten().any(|entry| {
                std::fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == link.as_str())
            });
            assert!(is_ours, "{link}");
            // It waits to be accepted: no process has it.
            assert_eq!(of_us(at.port(), from.port()), None);
        }
    }
}
