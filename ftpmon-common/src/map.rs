//! Map values other than flows.

use crate::Address;
use crate::layout::no_padding;

/// The mark of a TCP port: a value of [`crate::names::PORTS`].
///
/// Flag bits say that control connections live there; otherwise the number is the `CLOCK_BOOTTIME` second at which the
/// port stops being watched for data connections, so that marks run out by themselves. 0 is a port of no interest.
///
/// The kernel raises the mark of a tracked flow's listener port, and takes a mark away that has run out. The agent, when it expects a data connection, looks the
/// mark up and raises it, never lowers it: the kernel reads [`crate::names::EXPECTED`] for a packet without SYN only where
/// a port is marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct PortMark(pub u32);

impl PortMark {
    /// Control connections are served here.
    pub const CONTROL: Self = Self(1 << 31);
    /// Control connections are served here that speak TLS from their first byte (port 990): counted, not copied, but for
    /// the segments of the handshake and, until a verdict says otherwise, their payload (the ClientHello).
    pub const CONTROL_TLS: Self = Self(1 << 31 | 1 << 30);
    /// The seconds of a mark without flags.
    const SECONDS: u32 = (1 << 30) - 1;

    /// A data port that is watched until this `CLOCK_BOOTTIME` second.
    #[inline(always)]
    pub const fn until(second: u32) -> Self {
        Self(second & Self::SECONDS)
    }

    /// Control connections are served here, TLS or not.
    #[inline(always)]
    pub const fn is_control(self) -> bool {
        self.0 & Self::CONTROL.0 != 0
    }

    /// Control connections are served here that speak TLS from their first byte.
    #[inline(always)]
    pub const fn is_tls(self) -> bool {
        self.0 & Self::CONTROL_TLS.0 == Self::CONTROL_TLS.0
    }

    /// The port is watched for data connections, or was: the mark may have run out.
    #[inline(always)]
    pub const fn is_data(self) -> bool {
        !self.is_control() && self.0 != 0
    }

    /// The port is watched for data connections at this second.
    #[inline(always)]
    pub const fn is_watched(self, second: u32) -> bool {
        !self.is_control() && self.0 & Self::SECONDS > second
    }
}

/// An announced data connection: a value of [`crate::names::EXPECTED`] under the endpoint that will be connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Expected {
    /// The `CLOCK_BOOTTIME` second at which the announcement runs out.
    pub expires_s: u32,
    /// [`Expected::PAYLOAD`] and its like.
    pub flags: u32,
    /// The host that is to connect.
    pub peer: Address,
}
no_padding!(Expected: 24 { expires_s: u32, flags: u32, peer: Address });

impl Expected {
    /// The connection's frames are wanted. Only where [`crate::names::SETTING_PAYLOAD`] is set and the port is not below
    /// [`crate::names::CANDIDATE_PORT_MIN`].
    pub const PAYLOAD: u32 = 1;
    /// Set by the kernel: a connection has arrived. Another SYN is tracked as well, but packets without SYN no longer
    /// open a flow.
    pub const TAKEN: u32 = 2;
    /// A SYN of any host opens a flow; otherwise one of `peer` alone does. Packets without SYN do so between these two hosts
    /// only.
    pub const ANYONE: u32 = 4;

    /// An announcement that holds until the given second.
    pub const fn new(peer: Address, anyone: bool, expires_s: u32, payload: bool) -> Self {
        let payload = if payload { Self::PAYLOAD } else { 0 };
        let anyone = if anyone { Self::ANYONE } else { 0 };
        Self { expires_s, flags: payload | anyone, peer }
    }
}

/// Two hosts with a control connection: a value of [`crate::names::PAIRS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Pair {
    /// The `CLOCK_BOOTTIME` second of the last control packet, to within a few seconds.
    pub last_s: u32,
    /// The kernel programs' own: fragments copied in about the last second.
    pub fragments: u32,
}
no_padding!(Pair: 8 { last_s: u32, fragments: u32 });

/// The agent's verdict on a connection: a value of [`crate::names::VERDICTS`]. It takes effect on a control connection
/// within about a second, as the kernel keeps what it read for so long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Verdict(pub u32);

impl Verdict {
    /// Frames with payload go to the ring (for data only where [`crate::names::SETTING_PAYLOAD`] is set). What a control
    /// connection gets without a verdict.
    pub const COPY: Self = Self(1);
    /// Counters only. Of a control connection SYN, FIN and RST still go to the ring, and so do segments with at most
    /// [`Verdict::SHORT_MAX`] bytes of payload: their times tell when something was asked and answered. A segment that begins
    /// like a line of text (after CCC, RFC 4217 section 12.3) goes there too, and so does what follows it, until
    /// the verdict is asked for again, within about a second.
    pub const COUNT: Self = Self(2);
    /// Nothing: the connection is not FTP. To stop tracking a data connection the agent also deletes it from
    /// [`crate::names::FLOWS`].
    pub const IGNORE: Self = Self(3);

    /// Payload of a short segment, bytes: a command or a reply under TLS.
    pub const SHORT_MAX: u32 = 512;
}

/// One direction of a control connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ControlHalf {
    /// Packets.
    pub packets: u64,
    /// Payload bytes, repeats counted again.
    pub payload_bytes: u64,
    /// The sequence number after the highest seen.
    pub next_seq: u32,
    /// The interface that owns this direction: a packet that another vantage point sees again is not counted again.
    pub owner_ifindex: u32,
    /// The owner's [`crate::Hook`]; 0 where no packet was seen yet.
    pub owner_hook: u32,
    /// Initial sequence number, where a SYN was seen ([`ControlState::SYN_LOW`], [`ControlState::SYN_HIGH`]).
    pub isn: u32,
}
no_padding!(ControlHalf: 32 {
    packets: u64, payload_bytes: u64, next_seq: u32, owner_ifindex: u32, owner_hook: u32, isn: u32,
});

/// A control connection: a value of [`crate::names::CONTROL`]. Entries may be evicted: nothing but deduplication and
/// counters hangs on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ControlState {
    /// First packet that was more than a bare ACK, `CLOCK_BOOTTIME` nanoseconds.
    pub first_ns: u64,
    /// Last packet that was more than a bare ACK, `CLOCK_BOOTTIME` nanoseconds.
    pub last_ns: u64,
    /// The second at which the pair of hosts was last refreshed.
    pub pair_s: u32,
    /// [`ControlState::HANDSHAKE`] and its like.
    pub flags: u32,
    /// The [`Verdict`] that was last read for it, 0 where there was none.
    pub verdict: u32,
    /// The time of that look-up, in units of 2^30 ns.
    pub verdict_at: u32,
    /// Bytes of its frames that were copied since then.
    pub copied: u32,
    /// Always 0.
    pub reserved: u32,
    /// The two directions, indexed by [`crate::Direction::index`].
    pub halves: [ControlHalf; 2],
}
no_padding!(ControlState: 104 {
    first_ns: u64, last_ns: u64, pair_s: u32, flags: u32, verdict: u32, verdict_at: u32, copied: u32, reserved: u32,
    halves: [ControlHalf; 2],
});

impl ControlState {
    /// A SYN-ACK was seen and the ACK that completes the handshake was not.
    pub const HANDSHAKE: u32 = 1;
    /// The low end's SYN was seen.
    pub const SYN_LOW: u32 = 2;
    /// The high end's SYN was seen.
    pub const SYN_HIGH: u32 = 4;
    /// The networks of the operator were asked about it ([`crate::names::NETWORKS`]).
    pub const ASKED: u32 = 8;
    /// They leave it out: its packets are counted, and nothing of it is copied.
    pub const DENIED: u32 = 16;
}

#[cfg(test)]
mod tests {
    use super::PortMark;

    #[test]
    fn a_mark_runs_out_and_a_control_port_does_not() {
        assert!(PortMark::until(10).is_watched(9));
        assert!(!PortMark::until(10).is_watched(10));
        assert!(!PortMark::default().is_watched(0));
        assert!(PortMark::CONTROL.is_control() && !PortMark::CONTROL.is_tls());
        assert!(PortMark::CONTROL_TLS.is_control() && PortMark::CONTROL_TLS.is_tls());
        assert!(!PortMark::CONTROL_TLS.is_watched(0));
    }
}
