//! Headers as they lie in a packet.

/// Eight bytes as they lie in a packet. A packet begins at an even address: at that alignment, and no other, the compiler may
/// read a field of this and the headers below. Two-byte fields are put together in registers: of an array of words the compiler
/// makes a copy on the stack, two bytes at a time, and reading that back as words makes the machine wait for each.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Eight {
    pub(crate) a: u16,
    pub(crate) b: u16,
    pub(crate) c: u16,
    pub(crate) d: u16,
}

impl Eight {
    /// The first four bytes as they lie in memory.
    #[inline(always)]
    pub(crate) const fn first(self) -> u32 {
        joined(self.a, self.b)
    }

    /// The last four bytes as they lie in memory.
    #[inline(always)]
    pub(crate) const fn second(self) -> u32 {
        joined(self.c, self.d)
    }

    /// All of them as they lie in memory.
    #[inline(always)]
    pub(crate) const fn whole(self) -> u64 {
        let (first, second) = (self.first() as u64, self.second() as u64);
        if cfg!(target_endian = "little") { second << 32 | first } else { first << 32 | second }
    }
}

/// Two halves one behind the other in memory.
#[inline(always)]
const fn joined(first: u16, second: u16) -> u32 {
    let (first, second) = (first as u32, second as u32);
    if cfg!(target_endian = "little") { second << 16 | first } else { first << 16 | second }
}

/// Two IPv6 addresses.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Eights {
    pub(crate) a: Eight,
    pub(crate) b: Eight,
    pub(crate) c: Eight,
    pub(crate) d: Eight,
}

/// RFC 791 section 3.1, as far as it is read here. All fields in network byte order; so below. Of two-byte fields alone, so that
/// the compiler reads each by itself and keeps none for later.
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

/// RFC 8200 section 3.
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

/// The first eight octets of an extension header: RFC 8200 sections 4.3 to 4.6, RFC 4302 section 2. None is shorter.
#[derive(Clone, Copy)]
#[repr(C, packed(2))]
pub(crate) struct Extension {
    pub(crate) next: u8,
    pub(crate) len: u8,
    /// Of a fragment header: offset and flag.
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

/// RFC 9293 section 3.1.
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
