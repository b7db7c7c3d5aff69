//! The marks of the TCP ports, in memory that the kernel programs and the agent share: every announcement reads and
//! writes it, and a system call for each would cost more than all else that an announcement does.

use core::sync::atomic::{AtomicU32, Ordering};
use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::maps::MapData;
use ftpmon_common::{PortMark, names};
use memmap2::{MmapOptions, MmapRaw};

use super::error::KernelError;

/// The number of TCP ports.
const PORTS: usize = 1 << 16;
/// The kernel puts an array's values this many bytes apart: their size, rounded up to 8 (kernel/bpf/arraymap.c).
const STRIDE: usize = 8;

/// The map [`names::PORTS`].
pub struct Ports {
    values: MmapRaw,
}

impl Ports {
    /// Maps the values into memory.
    ///
    /// # Errors
    /// The kernel does not allow that.
    pub(super) fn new(map: &MapData) -> Result<Self, KernelError> {
        let values = MmapOptions::new().len(PORTS * STRIDE).map_raw(map.fd().as_fd().as_raw_fd());
        let values = values.map_err(|e| KernelError::Map { map: names::PORTS, cause: e.to_string() })?;
        Ok(Self { values })
    }

    /// Marks a control port.
    pub(super) fn mark_control(&self, port: u16, mark: PortMark) {
        self.value(port).store(mark.0, Ordering::Relaxed);
    }

    /// Takes the mark of a control port away.
    pub(super) fn clear(&self, port: u16) {
        self.value(port).store(PortMark::default().0, Ordering::Relaxed);
    }

    /// All control ports that are marked.
    pub(super) fn control(&self) -> impl Iterator<Item = u16> + '_ {
        (0..=u16::MAX).filter(|&port| PortMark(self.value(port).load(Ordering::Relaxed)).is_control())
    }

    /// Watches a port for data connections at least until `mark` says. One that serves control connections stays as it is.
    pub(super) fn watch(&self, port: u16, mark: PortMark) {
        // The kernel programs raise marks as well.
        let _ = self.value(port).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |present| {
            let present = PortMark(present);
            (!present.is_control() && present.0 < mark.0).then_some(mark.0)
        });
    }

    fn value(&self, port: u16) -> &AtomicU32 {
        let address = self.values.as_mut_ptr().wrapping_add(usize::from(port) * STRIDE);
        // SAFETY: below `PORTS * STRIDE`, the length that was mapped, and aligned to 8; the mapping lives as long as `self`.
        // Every writer, the kernel programs included, writes whole words.
        unsafe { AtomicU32::from_ptr(address.cast()) }
    }
}
