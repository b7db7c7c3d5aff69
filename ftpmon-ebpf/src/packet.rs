//! A packet at a hook, with the same interface for XDP and TC.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::generated::{bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes};

/// A packet at a hook.
pub(crate) trait Packet: Copy + EbpfContext {
    /// The linear part. It usually holds the headers and often not the payload.
    fn linear(self) -> Linear;
    /// Its length from layer 2, in bytes.
    fn len(self) -> u32;
    /// The interface's index.
    fn ifindex(self) -> u32;
    /// The VLAN tag that the device took out of the bytes: tag control information and protocol, in host byte order.
    /// Protocol 0: none.
    fn tag(self) -> (u16, u16);
    /// Copies `len` bytes from `offset`, wherever they lie; false where the packet is shorter.
    ///
    /// # Safety
    /// `to` is valid for writing `len` bytes, and `len` is not 0.
    unsafe fn copy(self, offset: u32, to: *mut u8, len: u32) -> bool;
}

/// Bytes that headers are read from.
pub(crate) trait Read {
    /// The value at an offset, in the packet's byte order; `None` beyond the end.
    fn read<T: Copy>(&self, offset: usize) -> Option<T>;
}

/// The linear part of a packet.
#[derive(Clone, Copy)]
pub(crate) struct Linear {
    start: usize,
    end: usize,
}

impl Read for Linear {
    #[inline(always)]
    fn read<T: Copy>(&self, offset: usize) -> Option<T> {
        let address = self.start + offset;
        if address + size_of::<T>() > self.end {
            return None;
        }
        const { assert!(align_of::<T>() <= 2) };
        // SAFETY: the check above keeps the bytes within the packet. The types read are integers, for which any bytes are a value,
        // and their alignment is at most 2, which is the packet's. The processor would load from any address; the alignment only
        // spares the compiler from joining words byte by byte.
        Some(unsafe { (address as *const T).read() })
    }
}

/// A value aligned to 8: the verifier refuses unaligned access to the stack.
#[repr(C, align(8))]
struct Aligned<T>(MaybeUninit<T>);

/// A whole packet, read by one helper call a value: for headers beyond the linear part.
pub(crate) struct Pieces<P>(pub(crate) P);

impl<P: Packet> Read for Pieces<P> {
    #[inline(always)]
    fn read<T: Copy>(&self, offset: usize) -> Option<T> {
        let mut value = Aligned(MaybeUninit::<T>::uninit());
        // SAFETY: the destination is as large as the type; the helper fills it or fails.
        let filled =
            unsafe { self.0.copy(offset as u32, value.0.as_mut_ptr().cast(), size_of::<T>() as u32) };
        // SAFETY: it was filled, and the types read are integers.
        if filled { Some(unsafe { value.0.assume_init() }) } else { None }
    }
}

/// A packet at XDP.
#[derive(Clone, Copy)]
pub(crate) struct XdpPacket(pub(crate) *mut xdp_md);

impl EbpfContext for XdpPacket {
    fn as_ptr(&self) -> *mut c_void {
        self.0.cast()
    }
}

impl Packet for XdpPacket {
    #[inline(always)]
    fn linear(self) -> Linear {
        // SAFETY: the context is valid while the program runs; likewise below.
        unsafe { Linear { start: (*self.0).data as usize, end: (*self.0).data_end as usize } }
    }

    #[inline(always)]
    fn len(self) -> u32 {
        // SAFETY: a valid context.
        unsafe { bpf_xdp_get_buff_len(self.0) as u32 }
    }

    #[inline(always)]
    fn ifindex(self) -> u32 {
        // SAFETY: a valid context.
        unsafe { (*self.0).ingress_ifindex }
    }

    #[inline(always)]
    fn tag(self) -> (u16, u16) {
        (0, 0)
    }

    #[inline(always)]
    unsafe fn copy(self, offset: u32, to: *mut u8, len: u32) -> bool {
        // SAFETY: the caller guarantees it.
        unsafe { bpf_xdp_load_bytes(self.0, offset, to.cast(), len) == 0 }
    }
}

/// A packet at TC.
#[derive(Clone, Copy)]
pub(crate) struct TcPacket(pub(crate) *mut __sk_buff);

impl EbpfContext for TcPacket {
    fn as_ptr(&self) -> *mut c_void {
        self.0.cast()
    }
}

impl Packet for TcPacket {
    #[inline(always)]
    fn linear(self) -> Linear {
        // SAFETY: the context is valid while the program runs; likewise below.
        unsafe { Linear { start: (*self.0).data as usize, end: (*self.0).data_end as usize } }
    }

    #[inline(always)]
    fn len(self) -> u32 {
        // SAFETY: a valid context.
        unsafe { (*self.0).len }
    }

    #[inline(always)]
    fn ifindex(self) -> u32 {
        // SAFETY: a valid context.
        unsafe { (*self.0).ifindex }
    }

    #[inline(always)]
    fn tag(self) -> (u16, u16) {
        // SAFETY: a valid context.
        unsafe {
            if (*self.0).vlan_present == 0 {
                return (0, 0);
            }
            ((*self.0).vlan_tci as u16, u16::from_be((*self.0).vlan_proto as u16))
        }
    }

    #[inline(always)]
    unsafe fn copy(self, offset: u32, to: *mut u8, len: u32) -> bool {
        // SAFETY: the caller guarantees it.
        unsafe { bpf_skb_load_bytes(self.0.cast(), offset, to.cast(), len) == 0 }
    }
}
