//! A wire that misbehaves: frames between two devices, some lost, doubled, or late. netem would do it where there is one.

use std::collections::VecDeque;
use std::ffi::CString;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Direct, Hosts, Namespace, Veth, offload};
use crate::net::Family;
use crate::script::capture::Frame;

/// The largest frame that is passed on: jumbo MTU, Ethernet header and two tags.
const FRAME_MAX: usize = 9_000 + 14 + 8;
/// The relay's wait for a frame before it checks whether it should end, and releases held frames, milliseconds.
const WAIT_MS: u16 = 10;

/// The rates of loss, repetition and delay, per 1,000 frames; chosen by a generator with a fixed seed, so that runs are alike.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mischief {
    /// Frames lost.
    pub lost: u32,
    /// Frames sent twice.
    pub doubled: u32,
    /// Frames held until others have passed.
    pub late: u32,
    /// The number of frames that pass a late one; when no more come it goes all the same.
    pub by: usize,
}

/// A frame that takes another's place.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its bytes.
    pub frame: Vec<u8>,
    /// It goes to the server past the watched device.
    pub unseen: bool,
}

/// The frames that take a frame's place.
pub type Split = fn(&[u8]) -> Vec<Piece>;

/// The relay's counters so far.
#[derive(Debug, Default)]
pub struct Done {
    /// Frames that came in.
    pub frames: AtomicU64,
    /// Of those, lost.
    pub lost: AtomicU64,
    /// Sent twice.
    pub doubled: AtomicU64,
    /// Held.
    pub late: AtomicU64,
}

/// The frames that came in of both directions, in their order; none where they are not recorded.
type Recorded = Arc<Mutex<Option<Vec<Frame>>>>;

/// Client and server with a relay between. Devices: `eth0` at the ends. The watcher stands at an end: what the relay does
/// to a frame has happened to one direction and is still to happen to the other.
#[derive(Debug)]
pub struct Relayed {
    /// The client's namespace.
    pub client: Namespace,
    /// The server's.
    pub server: Namespace,
    /// The counters so far.
    pub done: Arc<Done>,
    recorded: Recorded,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    _between: Namespace,
}

impl Relayed {
    /// A wire with an MTU in bytes that does `mischief` in both directions. Addresses are those of [`Direct`].
    ///
    /// # Errors
    /// No right, or `ip` or ethtool failed.
    pub fn new(mtu: u32, mischief: Mischief) -> Result<Self> {
        Self::splitting(mtu, mischief, |frame| vec![Piece { frame: frame.to_vec(), unseen: false }])
    }

    /// The same, where other frames take a frame's place. The server has a second device, `eth1`, for those that `eth0` does not
    /// see.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn splitting(mtu: u32, mischief: Mischief, split: Split) -> Result<Self> {
        let (client, server, between) =
            (Namespace::new("client")?, Namespace::new("server")?, Namespace::new("relay")?);
        let ends = [
            (&client, "client0", ["10.77.0.1/24", "fd77::1/64"]),
            (&server, "server0", ["10.77.0.2/24", "fd77::2/64"]),
        ];
        for (namespace, port, addresses) in ends {
            let end = Veth { namespace, name: Direct::DEVICE, addresses: &addresses };
            Veth { namespace: &between, name: port, addresses: &[] }.pair_with(&end, mtu)?;
            // Frames have to come as they would on a wire: cut to the MTU, with a checksum.
            for feature in ["tx", "tso", "gso"] {
                offload(namespace, Direct::DEVICE, feature, false)?;
            }
            // The relay's namespace has no host: without this its IPv6 would send solicitations of its own.
            between.sysctl(&format!("ipv6/conf/{port}/disable_ipv6"), "1")?;
        }
        let second = Veth { namespace: &server, name: "eth1", addresses: &[] };
        Veth { namespace: &between, name: "server1", addresses: &[] }.pair_with(&second, mtu)?;
        between.sysctl("ipv6/conf/server1/disable_ipv6", "1")?;
        let text = server.ip(&format!("link show dev {}", Direct::DEVICE))?;
        let address = text.split_whitespace().skip_while(|word| *word != "link/ether").nth(1);
        server.ip(&format!("link set dev eth1 address {}", address.context("no hardware address")?))?;
        for name in ["all", "eth0", "eth1"] {
            server.sysctl(&format!("ipv4/conf/{name}/rp_filter"), "0")?;
        }
        let done = Arc::new(Done::default());
        let recorded = Recorded::default();
        let stopping = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for (seed, from, to) in [(1, "client0", "server0"), (2, "server0", "client0")] {
            let (input, output, unseen) =
                between.run(|| Ok((packets(from)?, packets(to)?, packets("server1")?)))?;
            let (done, stopping, recorded) =
                (Arc::clone(&done), Arc::clone(&stopping), Arc::clone(&recorded));
            let (dice, held) = (Dice(seed), VecDeque::new());
            let mut lane =
                Lane { input, output, unseen, mischief, split, dice, held, done, recorded, stopping };
            threads.push(thread::spawn(move || lane.relay()));
        }
        Ok(Self { client, server, done, recorded, stopping, threads, _between: between })
    }

    /// Records the frames that come in from now on.
    pub fn record(&self) {
        *self.recorded.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// The frames that were recorded, in the order in which they came.
    pub fn recorded(&self) -> Vec<Frame> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    /// Its addresses.
    pub const fn hosts(family: Family) -> Hosts {
        Direct::hosts(family)
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// One direction.
struct Lane {
    input: Socket,
    output: Socket,
    /// To the server's second device.
    unseen: Socket,
    split: Split,
    mischief: Mischief,
    dice: Dice,
    /// Held frames, and how many more are to pass each.
    held: VecDeque<(usize, Vec<u8>)>,
    done: Arc<Done>,
    recorded: Recorded,
    stopping: Arc<AtomicBool>,
}

impl Lane {
    fn relay(&mut self) {
        let mut buffer = vec![0; FRAME_MAX];
        while !self.stopping.load(Ordering::Acquire) {
            let mut wait = [PollFd::new(self.input.as_fd(), PollFlags::POLLIN)];
            if !matches!(poll(&mut wait, PollTimeout::from(WAIT_MS)), Ok(1..)) {
                self.let_go(true);
                continue;
            }
            let Ok(len) = receive(&self.input, &mut buffer) else {
                continue;
            };
            if let Some(frame) = buffer.get(..len).filter(|frame| !frame.is_empty()) {
                self.pass(frame);
            }
        }
    }

    fn pass(&mut self, frame: &[u8]) {
        let count = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        count(&self.done.frames);
        self.note(frame);
        if self.dice.says(self.mischief.lost) {
            return count(&self.done.lost);
        }
        if self.dice.says(self.mischief.late) {
            count(&self.done.late);
            return self.held.push_back((self.mischief.by, frame.to_vec()));
        }
        self.send(frame);
        if self.dice.says(self.mischief.doubled) {
            count(&self.done.doubled);
            self.send(frame);
        }
        self.let_go(false);
    }

    fn note(&self, frame: &[u8]) {
        if let Some(recorded) = self.recorded.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let latest = recorded.last().map_or(0, |last| last.at_ns);
            let at_ns = latest.max(now.as_nanos() as u64);
            recorded.push(Frame { at_ns, bytes: frame.to_vec(), wire_len: frame.len(), interface: 0 });
        }
    }

    /// Sends the held frames that enough others have passed by now, or all.
    fn let_go(&mut self, all: bool) {
        for (left, _) in &mut self.held {
            *left = left.saturating_sub(1);
        }
        while self.held.front().is_some_and(|(left, _)| all || *left == 0) {
            if let Some((_, frame)) = self.held.pop_front() {
                self.send(&frame);
            }
        }
    }

    fn send(&self, frame: &[u8]) {
        for piece in (self.split)(frame) {
            let output = if piece.unseen { &self.unseen } else { &self.output };
            // A full queue loses the frame, as on any wire.
            let _ = output.send(&piece.frame);
        }
    }
}

/// A generator of chances: Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
    fn says(&mut self, per_mille: u32) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) % 1_000 < u64::from(per_mille)
    }
}

/// A socket for all frames of a device of the caller's namespace.
fn packets(device: &str) -> Result<Socket> {
    let name = CString::new(device).context("device name")?;
    // SAFETY: `name` is a C string that outlives the call.
    let ifindex = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if ifindex == 0 {
        bail!("no device {device}");
    }
    let all = (libc::ETH_P_ALL as u16).to_be();
    // Bound before any frame is wanted: a packet socket with a protocol hears every device until then.
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: all,
        sll_ifindex: i32::try_from(ifindex).context("interface index")?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let len = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).context("address length")?;
    // SAFETY: `address` is a sockaddr_ll of that length, and outlives the call.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), std::ptr::from_ref(&address).cast(), len) };
    if bound != 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("cannot listen to {device}"));
    }
    let ignore: libc::c_int = 1;
    let len = libc::socklen_t::try_from(size_of::<libc::c_int>()).context("option length")?;
    // SAFETY: the option's value is an int that outlives the call. What the relay itself sends must not come back to it.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_IGNORE_OUTGOING,
            std::ptr::from_ref(&ignore).cast(),
            len,
        )
    };
    if set != 0 {
        return Err(io::Error::last_os_error()).context("PACKET_IGNORE_OUTGOING");
    }
    socket.set_recv_buffer_size(8 << 20)?;
    Ok(socket)
}

fn receive(mut socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    io::Read::read(&mut socket, buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_about_what_was_asked_for() {
        let mut dice = Dice(1);
        let hits = (0..100_000).filter(|_| dice.says(50)).count();
        assert!((4_500..5_500).contains(&hits), "{hits}");
        assert!((0..10_000).all(|_| !dice.says(0)));
    }
}
