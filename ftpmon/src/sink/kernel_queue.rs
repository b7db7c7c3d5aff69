//! The number of bytes that the kernel holds for a reader.

use std::os::fd::{AsFd, AsRawFd as _};

use rustix::fs::FileType;

/// The kind of a descriptor, as far as the kernel reports the bytes that are written and not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum KernelQueue {
    /// A pipe or FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// A file, a terminal: what was written is where it belongs.
    #[default]
    None,
}

impl KernelQueue {
    /// That of `fd`.
    pub(super) fn of(fd: impl AsFd) -> Self {
        let kind = rustix::fs::fstat(fd).map(|stat| FileType::from_raw_mode(stat.st_mode));
        match kind {
            Ok(FileType::Fifo) => Self::Pipe,
            Ok(FileType::Socket) => Self::Socket,
            _ => Self::None,
        }
    }

    /// The bytes written to `fd` that the kernel still holds. For TCP those that the peer's kernel has not acknowledged; for a
    /// Unix socket those that the reader has not read, counted with the kernel's overhead.
    pub(super) fn bytes(self, fd: impl AsFd) -> u64 {
        match self {
            Self::Pipe => ask(fd, libc::FIONREAD),
            // SIOCOUTQ is TIOCOUTQ's number (linux/sockios.h).
            Self::Socket => ask(fd, libc::TIOCOUTQ),
            Self::None => 0,
        }
    }
}

fn ask(fd: impl AsFd, request: libc::Ioctl) -> u64 {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open while it is borrowed, and both requests write one int to where the pointer shows.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), request, &raw mut bytes) };
    if result == 0 { u64::try_from(bytes).unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_was_not_read_is_counted() {
        let (mut writer, mut reader) = UnixStream::pair().unwrap();
        let socket = KernelQueue::of(&writer);
        assert_eq!((socket, socket.bytes(&writer)), (KernelQueue::Socket, 0));
        writer.write_all(&[0; 1000]).unwrap();
        assert!(socket.bytes(&writer) >= 1000);
        reader.read_exact(&mut [0; 1000]).unwrap();
        assert_eq!(socket.bytes(&writer), 0);

        let (mut from, mut into) = std::io::pipe().unwrap();
        let pipe = KernelQueue::of(&into);
        into.write_all(b"abc").unwrap();
        assert_eq!((pipe, pipe.bytes(&into)), (KernelQueue::Pipe, 3));
        from.read_exact(&mut [0; 2]).unwrap();
        assert_eq!(pipe.bytes(&into), 1);
        drop(from);
        assert_eq!(pipe.bytes(&into), 1, "that its reader is gone does not empty a pipe");
    }
}
