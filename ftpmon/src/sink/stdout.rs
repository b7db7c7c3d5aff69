//! Standard output.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::destination::{Destination, Recovery, Unread};
use super::kernel_queue::KernelQueue;

/// The wait for a reader that takes nothing, before the remaining time is checked.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Bytes that a pipe may hold (pipe(7)): what anybody may ask for. The kernel's own 64 KiB are some 130 events, and the writer
/// waits and is woken after each of this many.
const PIPE_BYTES: usize = 1 << 20;

/// Standard output was closed when the process began. Before `main` the runtime opens `/dev/null` in its place, where events
/// would go unseen.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// A function that the C library runs before `main`, and before the runtime.
#[used]
// SAFETY: the section is an array of functions that the C library calls once, with arguments that they need not take.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = look;

/// The process was started without a standard output.
pub fn stdout_is_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

extern "C" fn look() {
    // SAFETY: asks for the flags of a number that need not be a descriptor.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    CLOSED.store(flags == -1, Ordering::Relaxed);
}

/// Standard output, written without std's buffer and lock: one thread alone writes it.
#[derive(Default)]
pub(super) struct Stdout {
    queue: KernelQueue,
}

impl Destination for Stdout {
    fn open(&mut self) -> io::Result<()> {
        if stdout_is_closed() {
            return Err(io::Error::other("it is closed"));
        }
        // A run whose standard output is closed would write its events into whatever file opens next.
        rustix::fs::fstat(rustix::stdio::stdout()).map(drop)?;
        // Another kind of output has no such size, and a pipe that stays as it is only costs time.
        let _ = rustix::pipe::fcntl_setpipe_size(rustix::stdio::stdout(), PIPE_BYTES);
        self.queue = KernelQueue::of(rustix::stdio::stdout());
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Err(rustix::io::Errno::AGAIN) => {
                wait_writable(rustix::stdio::stdout())?;
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(rustix::io::Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
            result => Ok(result?),
        }
    }

    fn recovery(&self) -> Recovery {
        Recovery::Never
    }

    fn unread(&mut self, _after: Option<&io::Error>) -> Unread {
        Unread::Bytes(self.in_kernel())
    }

    fn in_kernel(&mut self) -> u64 {
        self.queue.bytes(rustix::stdio::stdout())
    }
}

/// Waits a moment until `fd` takes bytes again.
pub(super) fn wait_writable(fd: BorrowedFd<'_>) -> io::Result<()> {
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], Some(&WAIT))?;
    Ok(())
}

/// Standard output is a pipe or socket whose reader has gone.
pub fn reader_has_gone() -> bool {
    let mut stdout = [PollFd::from_borrowed_fd(rustix::stdio::stdout(), PollFlags::empty())];
    let asked = poll(&mut stdout, Some(&Timespec::default()));
    asked.is_ok() && stdout.iter().any(|stdout| stdout.revents().contains(PollFlags::ERR))
}

/// Comes back when standard output is a pipe or socket whose reader has gone (`ftpmon run | head`), without a write to
/// find out. Never comes back where that cannot happen.
pub async fn reader_gone() {
    let Ok(stdout) = rustix::stdio::stdout().try_clone_to_owned() else {
        return std::future::pending().await;
    };
    // SAFETY: the descriptor is our own copy and stays open as long as what it is moved into.
    let watched = unsafe { AsyncFd::register_with_interest(stdout, Interest::ERROR) };
    // A regular file cannot be watched, and a terminal never reports an error.
    let Ok(watched) = watched else {
        return std::future::pending().await;
    };
    if watched.ready(Interest::ERROR).await.is_err() {
        std::future::pending::<()>().await;
    }
}
