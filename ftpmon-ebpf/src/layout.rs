//! Packet headers, laid out as on the wire.

/// Eight bytes of a packet. A packet begins at an even address, so the types below have an alignment of 2 and the compiler reads
/// two bytes at a time. The halves are joined in registers. An array of words would be copied to the stack two bytes at a time and
/// read back as words, and the processor waits for each of those reads.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Octets8 {
    a: u16,
    b: u16,
    c: u16,
    d: u16,
}

impl Octets8 {
    /// The first four bytes, in the packet's byte order.
    #[inline(always)]
    pub(crate) const fn first(self) -> u32 {
        joined(self.a, self.b)
    }

    /// The last four bytes, in the packet's byte order.
    #[inline(always)]
    pub(crate) const fn second(self) -> u32 {
        joined(self.c, self.d)
    }

    /// All eight bytes, in the packet's byte order.
    #[inline(always)]
    pub(crate) const fn whole(self) -> u64 {
        let (first, second) = (self.first() as u64, self.second() as u64);
        if cfg!(target_endian = "little") { second << 32 | first } else { first << 32 | second }
    }
}

/// The four bytes that lie in memory as `first`, then `second`.
#[inline(always)]
const fn joined(first: u16, second: u16) -> u32 {
    let (first, second) = (first as u32, second as u32);
    if cfg!(target_endian = "little") { second << 16 | first } else { first << 16 | second }
}

/// Source and destination address of an IPv6 header.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct AddressPair {
    a: Octets8,
    b: Octets8,
    c: Octets8,
    d: Octets8,
}

impl AddressPair {
    /// The halves of the source address, then those of the destination address.
    #[inline(always)]
    pub(crate) const fn halves(self) -> [u64; 4] {
        [self.a.whole(), self.b.whole(), self.c.whole(), self.d.whole()]
    }
}

/// IPv4 header (RFC 791 section 3.1). All fields of this and the following headers are in network byte order. It has two-byte
/// fields only, so that the compiler reads each when it is needed and keeps none for later.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Ipv4Header {
    pub(crate) version_len_service: u16,
    _total: u16,
    _identification: u16,
    pub(crate) fragment: u16,
    pub(crate) ttl_protocol: u16,
    _checksum: u16,
    _addresses: [u16; 4],
}

/// IPv6 header (RFC 8200 section 3).
#[derive(Clone, Copy)]
#[repr(C, packed(2))]
pub(crate) struct Ipv6Header {
    pub(crate) version: u8,
    _class_and_label: [u8; 3],
    pub(crate) payload: u16,
    pub(crate) next: u8,
    _hop_limit: u8,
    _addresses: [u64; 4],
}

/// The first eight bytes of an IPv6 extension header (RFC 8200 sections 4.3 to 4.6, RFC 4302 section 2). None is shorter.
#[derive(Clone, Copy)]
#[repr(C, packed(2))]
pub(crate) struct Extension {
    pub(crate) next: u8,
    pub(crate) len: u8,
    /// Offset and flag, in a fragment header.
    pub(crate) fragment: u16,
    _rest: u32,
}

/// The first four bytes of a TCP header.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Ports {
    pub(crate) source: u16,
    pub(crate) destination: u16,
}

/// TCP header without options (RFC 9293 section 3.1).
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct TcpHeader {
    pub(crate) source: u16,
    pub(crate) destination: u16,
    _seq_ack: [u16; 4],
    pub(crate) len_flags: u16,
    _window_checksum_urgent: [u16; 3],
}

const _: () = assert!(size_of::<Ipv4Header>() == 20 && size_of::<Ipv6Header>() == 40);
const _: () = assert!(size_of::<Extension>() == 8 && size_of::<TcpHeader>() == 20);
