//! The counters of all processors, read by bpf(2) alone. aya asks for the number of processors with every read, which opens a file:
//! the thread that reads the counters may open none.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};

use aya::maps::MapData;
use ftpmon_common::Stats;

/// `BPF_MAP_LOOKUP_ELEM` (include/uapi/linux/bpf.h).
const LOOKUP: libc::c_int = 1;

// The kernel begins the value of each processor at a multiple of eight bytes.
const _: () = assert!(size_of::<Stats>().is_multiple_of(8));

/// A map with one entry that each processor has its own value of.
pub struct CpuStats {
    map: MapData,
    /// One value for each processor that this kernel could have.
    values: Vec<Stats>,
}

/// The part of `union bpf_attr` that a look-up has.
#[repr(C)]
struct Lookup {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

impl CpuStats {
    /// The counters in this map.
    ///
    /// # Errors
    /// The kernel does not tell how many processors there may be, or the map holds something else.
    pub(super) fn new(map: MapData) -> io::Result<Self> {
        let processors = aya::util::nr_cpus().map_err(|(_, error)| error)?;
        let size = map.info().map_err(io::Error::other)?.value_size();
        if size as usize != size_of::<Stats>() {
            return Err(io::Error::other(format!("values of {size} bytes")));
        }
        Ok(Self { map, values: vec![Stats::default(); processors] })
    }

    /// The values now, one a processor.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub(super) fn read(&mut self) -> io::Result<&[Stats]> {
        let key = 0_u32;
        let lookup = Lookup {
            map: self.map.fd().as_fd().as_raw_fd().cast_unsigned(),
            padding: 0,
            key: (&raw const key) as u64,
            value: self.values.as_mut_ptr() as u64,
            flags: 0,
        };
        // SAFETY: the kernel reads the key and `lookup`, which are alive, and writes one value of the checked size a processor, for which
        // there is room.
        let done = unsafe { libc::syscall(libc::SYS_bpf, LOOKUP, &raw const lookup, size_of::<Lookup>()) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(&self.values) }
    }
}
