//! Frames of a capture sent on a device again, as fast as the machine can or at a steady rate.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _};
use std::mem::{size_of, zeroed};
use std::ops::Range;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::Namespace;

/// Frames handed to the kernel at once.
const BATCH: usize = 64;
/// Room for frames that are on their way, bytes.
const SEND_BUFFER: libc::c_int = 8 << 20;
/// Length of a pcap file's header, and of a record's.
const HEADERS: (usize, usize) = (24, 16);

/// The frames of a capture, in memory.
#[derive(Debug)]
pub struct Replay {
    bytes: Vec<u8>,
    frames: Vec<Range<usize>>,
}

/// The sent frames.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Frames.
    pub frames: u64,
    /// The duration.
    pub elapsed: Duration,
}

impl Sent {
    /// Frames a second.
    pub fn rate(&self) -> f64 {
        self.frames as f64 / self.elapsed.as_secs_f64()
    }
}

impl Replay {
    /// Reads a pcap file as [`crate::script::bulk`] writes it: little endian, microseconds.
    ///
    /// # Errors
    /// The file cannot be read, or is none of these.
    pub fn load(path: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        file.read_to_end(&mut bytes)?;
        ensure!(bytes.starts_with(&0xa1b2_c3d4_u32.to_le_bytes()), "{} is no such capture", path.display());
        let mut frames = Vec::new();
        let mut at = HEADERS.0;
        while let Some(header) = bytes.get(at..at + HEADERS.1) {
            let length =
                header.get(8..12).and_then(|field| field.try_into().ok()).map_or(0, u32::from_le_bytes);
            let begin = at + HEADERS.1;
            at = begin + length as usize;
            frames.push(begin..at);
        }
        ensure!(at == bytes.len(), "{} is cut", path.display());
        Ok(Self { bytes, frames })
    }

    /// These frames.
    pub fn of(frames: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut replay = Self { bytes: Vec::new(), frames: Vec::new() };
        for frame in frames {
            let begin = replay.bytes.len();
            replay.bytes.extend_from_slice(&frame);
            replay.frames.push(begin..replay.bytes.len());
        }
        replay
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// There is no frame.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Sends all frames on `device` of a namespace, at the highest rate.
    ///
    /// # Errors
    /// No such device, or it does not take a frame.
    pub fn send(&self, namespace: &Namespace, device: &str) -> Result<Sent> {
        namespace.run(|| {
            let socket = open(device)?;
            let begin = Instant::now();
            for frames in self.frames.chunks(BATCH) {
                self.hand_over(&socket, frames)?;
            }
            Ok(Sent { frames: self.frames.len() as u64, elapsed: begin.elapsed() })
        })
    }

    /// Sends the first `count` frames at `rate` frames a second, each at its time as far as the machine can.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_steadily(
        &self,
        namespace: &Namespace,
        device: &str,
        count: usize,
        rate: f64,
    ) -> Result<Sent> {
        namespace.run(|| {
            let socket = open(device)?;
            // SAFETY: sets this thread's timer slack to the least there is, and points to nothing.
            unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
            let begin = Instant::now();
            let mut sent = 0;
            while sent < count.min(self.frames.len()) {
                let due =
                    ((begin.elapsed().as_secs_f64() * rate) as usize + 1).min(count).min(self.frames.len());
                for frames in self.frames.get(sent..due).unwrap_or_default().chunks(BATCH) {
                    self.hand_over(&socket, frames)?;
                }
                sent = sent.max(due);
                let next = Duration::from_secs_f64(sent as f64 / rate);
                thread::sleep(next.saturating_sub(begin.elapsed()));
            }
            Ok(Sent { frames: sent as u64, elapsed: begin.elapsed() })
        })
    }

    /// Hands some frames, [`BATCH`] at the most, to the kernel.
    fn hand_over(&self, socket: &OwnedFd, frames: &[Range<usize>]) -> Result<()> {
        let mut pieces: Vec<libc::iovec> = frames
            .iter()
            .map(|range| self.bytes.get(range.clone()).unwrap_or_default())
            .map(|frame| libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() })
            .collect();
        let mut messages: Vec<libc::mmsghdr> = pieces
            .iter_mut()
            .map(|piece| {
                // SAFETY: zeroes are a value of it: no address, no control data.
                let mut message: libc::mmsghdr = unsafe { zeroed() };
                message.msg_hdr.msg_iov = piece;
                message.msg_hdr.msg_iovlen = 1;
                message
            })
            .collect();
        let mut done = 0;
        while let Some(rest) = messages.get_mut(done..).filter(|rest| !rest.is_empty()) {
            // SAFETY: as many headers as said, each with one piece, all of which outlive the call; sending only reads.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, 0) };
            match usize::try_from(sent) {
                Ok(sent) => done += sent,
                Err(_) => match io::Error::last_os_error() {
                    // The device or the socket has no room: its turn comes.
                    error
                        if matches!(
                            error.raw_os_error(),
                            Some(libc::ENOBUFS | libc::EAGAIN | libc::EINTR)
                        ) =>
                    {
                        thread::yield_now();
                    }
                    error => return Err(error).context("cannot send a frame"),
                },
            }
        }
        Ok(())
    }
}

/// A packet socket that sends on a device of this thread's namespace, past its queue, and receives nothing.
fn open(device: &str) -> Result<OwnedFd> {
    let name = CString::new(device).context("device name")?;
    // SAFETY: `name` is a C string that outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        bail!("no device {device}");
    }
    // SAFETY: no pointers.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error()).context("cannot open a packet socket (root needed)");
    }
    // SAFETY: a new descriptor that nothing else owns.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let on: libc::c_int = 1;
    for (level, option, value) in [
        (libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, on),
        (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, SEND_BUFFER),
    ] {
        // SAFETY: the value outlives the call and is as long as said.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                level,
                option,
                (&raw const value).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if set < 0 {
            return Err(io::Error::last_os_error()).context("cannot set up a packet socket");
        }
    }
    // SAFETY: zeroes are a value of it.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = i32::try_from(index).context("interface index")?;
    // SAFETY: the address outlives the call and is as long as said.
    let bound = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if bound < 0 {
        return Err(io::Error::last_os_error()).context("cannot bind a packet socket");
    }
    Ok(socket)
}
