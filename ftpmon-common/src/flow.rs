//! The kernel's account of a data connection.

use crate::layout::no_padding;

/// One direction of a data connection, by its sender. Offsets count payload bytes from the first one after the SYN, in 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FlowHalf {
    /// Offset after the highest payload byte seen: with FIN, and every byte acknowledged or not, the number of payload
    /// bytes the end has sent, each once.
    pub highest: u64,
    /// Offset of FIN, that is the exact number of payload bytes; means something with [`FlowHalf::FIN`].
    pub fin: u64,
    /// Packets (of the device: a super-packet is one).
    pub packets: u64,
    /// Payload bytes, repeats counted again: exact, whichever CPUs have the packets. Bytes that never came are at least the bytes
    /// sent − `payload_bytes`, repeats at least `payload_bytes` − the bytes sent.
    pub payload_bytes: u64,
    /// Bytes of the frames, from layer 2, as the device handed them over.
    pub wire_bytes: u64,
    /// Initial sequence number: of the SYN, or one less than the first sequence number seen where [`FlowHalf::SYN`] is
    /// not set.
    pub isn: u32,
    /// [`FlowHalf::SEEN`] and its like.
    pub flags: u32,
    /// The interface that owns this direction: a packet that another vantage point sees again is not counted again.
    pub owner_ifindex: u32,
    /// The owner's [`crate::Hook`]; 0 where no packet was seen yet.
    pub owner_hook: u32,
}
no_padding!(FlowHalf: 56 {
    highest: u64, fin: u64, packets: u64, payload_bytes: u64, wire_bytes: u64,
    isn: u32, flags: u32, owner_ifindex: u32, owner_hook: u32,
});

impl FlowHalf {
    /// A packet of this end was seen, and `isn` is set.
    pub const SEEN: u32 = 1;
    /// Its SYN was seen: `isn` is exact.
    pub const SYN: u32 = 2;
    /// Its FIN was seen.
    pub const FIN: u32 = 4;
    /// Its RST was seen.
    pub const RST: u32 = 8;
    /// Its FIN was acknowledged by the other end.
    pub const FIN_ACKED: u32 = 16;
    /// Its first payload begins like a TLS handshake.
    pub const TLS: u32 = 32;
    /// Nothing more of its beginning is copied ([`crate::RecordKind::Beginning`]).
    pub const BEGINNING_DONE: u32 = 64;
    /// One record of its beginning; three bits count them, each set behind the one before, so that none is ever cleared.
    pub const BEGINNINGS_STEP: u32 = 128;
    /// The bits that count them.
    pub const BEGINNINGS: u32 = 7 * Self::BEGINNINGS_STEP;
}

/// A data connection: a value of [`crate::names::FLOWS`], and the body of a [`crate::FlowEvent`].
/// Times are `CLOCK_BOOTTIME` nanoseconds, 0 where the packet was not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FlowState {
    /// First packet. With the key it names the account: another connection with the same ends has another.
    pub first_ns: u64,
    /// Last packet: exact for SYN, FIN and RST, otherwise to within a tick of the kernel's clock (1 to 10 ms).
    pub last_ns: u64,
    /// The kernel programs' own: the tick in which `last_ns` was read.
    pub tick_ns: u64,
    /// The initiator's SYN.
    pub syn_ns: u64,
    /// The listener's SYN-ACK.
    pub syn_ack_ns: u64,
    /// The ACK that completed the handshake.
    pub ack_ns: u64,
    /// The last report.
    pub report_ns: u64,
    /// The two directions, indexed by [`crate::Direction::index`].
    pub halves: [FlowHalf; 2],
    /// [`FlowState::INITIATOR_HIGH`] and its like.
    pub flags: u32,
    /// VLAN tag control information of the first packet, outermost tag, PCP and DEI included; means something with
    /// [`FlowState::VLAN`].
    pub vlan_outer: u16,
    /// The same for the second tag, with [`FlowState::VLAN_INNER`].
    pub vlan_inner: u16,
}
no_padding!(FlowState: 176 {
    first_ns: u64, last_ns: u64, tick_ns: u64, syn_ns: u64, syn_ack_ns: u64, ack_ns: u64, report_ns: u64, halves: [FlowHalf; 2],
    flags: u32, vlan_outer: u16, vlan_inner: u16,
});

impl FlowState {
    /// The initiator is the key's high end, otherwise its low end.
    pub const INITIATOR_HIGH: u32 = 1;
    /// It began with an endpoint in [`crate::names::EXPECTED`].
    pub const EXPECTED: u32 = 2;
    /// It began with a SYN between a live pair of hosts.
    pub const CANDIDATE: u32 = 4;
    /// Its SYN was not seen: it was picked up at an expected endpoint by a later packet.
    pub const MIDSTREAM: u32 = 8;
    /// The announcement said that its payload is wanted.
    pub const PAYLOAD: u32 = 16;
    /// Both ends sent FIN and were acknowledged, or one sent RST. An entry that stays in the table with this flag was
    /// closed by RST, or its closing report found no room in the ring ([`FlowState::UNREPORTED`]). After an RST the account
    /// goes on: data may cross it, or it may be forged. Whoever sweeps the table takes the last word from here, and deletes
    /// the entry when it has been silent for some seconds.
    pub const CLOSED: u32 = 32;
    /// The closing report found no room in the ring: whoever sweeps the table reports it.
    pub const UNREPORTED: u32 = 64;
    /// The first FIN or RST came from the key's high end, otherwise (with [`FlowState::CLOSING`]) from its low end.
    pub const CLOSED_BY_HIGH: u32 = 128;
    /// A FIN or RST was seen.
    pub const CLOSING: u32 = 256;
    /// `vlan_outer` is set.
    pub const VLAN: u32 = 512;
    /// `vlan_inner` is set.
    pub const VLAN_INNER: u32 = 1024;
    /// It has no announcement of its own: a candidate, or a further connection to an announced endpoint. Such connections share
    /// a part of the table ([`crate::names::CANDIDATES`]).
    pub const SHARED: u32 = 2048;
    /// Only its SYN was seen, and it was not reported.
    pub const UNTOLD: u32 = 4096;
}
