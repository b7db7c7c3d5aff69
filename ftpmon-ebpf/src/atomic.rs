//! Atomic instructions on fields of map values. The compiler offers BPF none of them.

#[cfg(target_arch = "bpf")]
use core::arch::asm;
#[cfg(not(target_arch = "bpf"))]
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Adds to a number.
///
/// # Safety
/// The number is a field of a map's value.
#[inline(always)]
pub(crate) unsafe fn add(number: *mut u64, more: u64) {
    // SAFETY: an aligned integer in a map's value; the instruction touches nothing else.
    #[cfg(target_arch = "bpf")]
    unsafe {
        asm!("lock *(u64 *)({number} + 0) += {more}", number = in(reg) number, more = in(reg) more);
    }
    // SAFETY: the same.
    #[cfg(not(target_arch = "bpf"))]
    unsafe {
        AtomicU64::from_ptr(number).fetch_add(more, Ordering::Relaxed);
    }
}

/// Sets bits, and leaves the others as they are.
///
/// # Safety
/// The bits are a field of a map's value.
#[inline(always)]
pub(crate) unsafe fn set(bits: *mut u32, these: u32) {
    // SAFETY: as in `add`.
    #[cfg(target_arch = "bpf")]
    unsafe {
        asm!("lock *(u32 *)({bits} + 0) |= {these}", bits = in(reg) bits, these = in(wreg) these);
    }
    // SAFETY: the same.
    #[cfg(not(target_arch = "bpf"))]
    unsafe {
        AtomicU32::from_ptr(bits).fetch_or(these, Ordering::Relaxed);
    }
}

/// Clears bits, and leaves the others as they are.
///
/// # Safety
/// The bits are a field of a map's value.
#[inline(always)]
pub(crate) unsafe fn clear(bits: *mut u32, these: u32) {
    let others = !these;
    // SAFETY: as in `add`.
    #[cfg(target_arch = "bpf")]
    unsafe {
        asm!("lock *(u32 *)({bits} + 0) &= {others}", bits = in(reg) bits, others = in(wreg) others);
    }
    // SAFETY: the same.
    #[cfg(not(target_arch = "bpf"))]
    unsafe {
        AtomicU32::from_ptr(bits).fetch_and(others, Ordering::Relaxed);
    }
}

/// Sets bits and gives what was set before: of several CPUs that do so, one finds them clear.
///
/// # Safety
/// The bits are a field of a map's value.
#[inline(always)]
pub(crate) unsafe fn take(bits: *mut u32, these: u32) -> u32 {
    // SAFETY: as in `add`.
    #[cfg(target_arch = "bpf")]
    unsafe {
        let before: u32;
        asm!(
            "{these} = atomic_fetch_or((u32 *)({bits} + 0), {these})",
            bits = in(reg) bits,
            these = inlateout(wreg) these => before,
        );
        before
    }
    // SAFETY: the same.
    #[cfg(not(target_arch = "bpf"))]
    unsafe {
        AtomicU32::from_ptr(bits).fetch_or(these, Ordering::Relaxed)
    }
}
