//! Values hidden from the verifier or from the compiler: each would otherwise remember how a number came about, and pay for it.

use crate::maps::SCRATCH;

/// The same number, after a round trip through a map. The verifier knows nothing of a map's contents, so it walks the code that
/// follows once, and not once for each way in which the number can come about.
#[inline(always)]
pub(crate) fn hide_from_verifier(number: usize) -> usize {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else { return 0 };
    // SAFETY: an integer in this CPU's value of a per-CPU map.
    unsafe {
        (&raw mut (*scratch).word).write_volatile(number);
        (&raw const (*scratch).word).read_volatile()
    }
}

/// The same number, after a move between two registers that the compiler cannot look into. It cannot replace the number by what
/// it was computed from, nor drop a check that it holds to be implied. The verifier sees an ordinary move.
///
/// An empty assembly block would do, but the kernel wants at least one instruction for each source line that BTF names.
#[inline(always)]
pub(crate) fn hide_from_compiler(number: u32) -> u32 {
    let number = u64::from(number);
    let hidden: u64;
    // SAFETY: moves a register to another.
    #[cfg(target_arch = "bpf")]
    unsafe {
        core::arch::asm!("{0} = {1}", lateout(reg) hidden, in(reg) number, options(nomem, nostack));
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        hidden = number;
    }
    hidden as u32
}
