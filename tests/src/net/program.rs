//! Kernel programs of the tests' own, assembled by hand so that no compiler is needed: one that does nothing, and two
//! that push and pop VLAN tags.

use std::ffi::CString;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Namespace;

/// The hook of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// XDP in the driver.
    XdpNative,
    /// XDP in the core, after the packet buffer was made.
    XdpGeneric,
    /// TC on ingress (kernel 6.6 and up).
    TcxIngress,
    /// TC on egress (kernel 6.6 and up).
    TcxEgress,
}

/// A loaded program.
#[derive(Debug)]
pub struct Program {
    file: OwnedFd,
}

/// A program on a device; detached when dropped.
#[derive(Debug)]
pub struct Attached {
    _link: OwnedFd,
}

// Numbers of the kernel's interface (include/uapi/linux/bpf.h).
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_TEST_RUN: libc::c_long = 10;
const BPF_LINK_CREATE: libc::c_long = 28;
const PROG_TYPE_SCHED_CLS: u32 = 3;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const ATTACH_TCX_INGRESS: u32 = 46;
const ATTACH_TCX_EGRESS: u32 = 47;
const XDP_FLAGS_SKB_MODE: u32 = 2;
const XDP_FLAGS_DRV_MODE: u32 = 4;
const F_XDP_HAS_FRAGS: u32 = 1 << 5;
const FN_SKB_VLAN_PUSH: i32 = 18;
const FN_SKB_VLAN_POP: i32 = 19;
const XDP_PASS: i32 = 2;
const TCX_NEXT: i32 = -1;
/// TPID of a customer tag (IEEE 802.1Q), in network order.
const TPID_CUSTOMER: i32 = 0x8100_u16.to_be() as i32;
/// TPID of a service tag (IEEE 802.1ad), in network order.
const TPID_SERVICE: i32 = 0x88a8_u16.to_be() as i32;

/// One instruction as the kernel reads it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn set(register: u8, value: i32) -> Instruction {
    Instruction { code: 0xb7, registers: register, offset: 0, immediate: value }
}

const fn copy(to: u8, from: u8) -> Instruction {
    Instruction { code: 0xbf, registers: to | (from << 4), offset: 0, immediate: 0 }
}

const fn call(function: i32) -> Instruction {
    Instruction { code: 0x85, registers: 0, offset: 0, immediate: function }
}

const EXIT: Instruction = Instruction { code: 0x95, registers: 0, offset: 0, immediate: 0 };

/// The fields of BPF_PROG_LOAD that are used here.
#[repr(C)]
#[derive(Default)]
struct Load {
    program_type: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    ifindex: u32,
    expected_attach_type: u32,
}

/// The fields of BPF_LINK_CREATE that are used here.
#[repr(C)]
struct LinkCreate {
    program: u32,
    ifindex: u32,
    attach_type: u32,
    flags: u32,
}

/// The first fields of BPF_PROG_TEST_RUN.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    program: u32,
    result: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    /// Mean, nanoseconds; the kernel writes it.
    duration: u32,
    context: [u64; 4],
}

impl Program {
    /// An XDP program that only passes packets on.
    ///
    /// # Errors
    /// The kernel refused it.
    pub fn empty_xdp() -> Result<Self> {
        Self::load(PROG_TYPE_XDP, F_XDP_HAS_FRAGS, &[set(0, XDP_PASS), EXIT])
    }

    /// A TC program that only passes packets on.
    ///
    /// # Errors
    /// The kernel refused it.
    pub fn empty_tc() -> Result<Self> {
        Self::load(PROG_TYPE_SCHED_CLS, 0, &[set(0, TCX_NEXT), EXIT])
    }

    /// Pushes these VLAN ids, outermost first. The outer one of two is a service tag.
    ///
    /// # Errors
    /// The kernel refused it.
    pub fn push_vlan(tags: &[u16]) -> Result<Self> {
        let mut code = vec![copy(6, 1)];
        for (place, tag) in tags.iter().enumerate().rev() {
            let outer_of_two = place == 0 && tags.len() > 1;
            let tpid = if outer_of_two { TPID_SERVICE } else { TPID_CUSTOMER };
            code.extend([copy(1, 6), set(2, tpid), set(3, i32::from(*tag)), call(FN_SKB_VLAN_PUSH)]);
        }
        code.extend([set(0, TCX_NEXT), EXIT]);
        Self::load(PROG_TYPE_SCHED_CLS, 0, &code)
    }

    /// Takes this many VLAN tags off.
    ///
    /// # Errors
    /// The kernel refused it.
    pub fn pop_vlan(count: usize) -> Result<Self> {
        let mut code = vec![copy(6, 1)];
        for _ in 0..count {
            code.extend([copy(1, 6), call(FN_SKB_VLAN_POP)]);
        }
        code.extend([set(0, TCX_NEXT), EXIT]);
        Self::load(PROG_TYPE_SCHED_CLS, 0, &code)
    }

    fn load(program_type: u32, flags: u32, code: &[Instruction]) -> Result<Self> {
        let license = c"Dual MIT/GPL";
        let load = Load {
            program_type,
            count: u32::try_from(code.len()).context("program length")?,
            instructions: code.as_ptr() as u64,
            license: license.as_ptr() as u64,
            flags,
            ..Load::default()
        };
        // SAFETY: `load` is laid out as the kernel's structure, and its pointers outlive the call.
        let file = unsafe { bpf(BPF_PROG_LOAD, &load) }.context("the kernel refused a test program")?;
        Ok(Self { file })
    }

    /// The mean time of a run on `frame`, over `repeat` runs.
    ///
    /// # Errors
    /// The kernel cannot run it.
    pub fn time(&self, frame: &[u8], repeat: u32) -> Result<Duration> {
        let mut run = TestRun {
            program: u32::try_from(self.file.as_raw_fd()).context("file descriptor")?,
            size_in: u32::try_from(frame.len()).context("frame length")?,
            data_in: frame.as_ptr() as u64,
            repeat,
            ..TestRun::default()
        };
        // SAFETY: `run` is laid out as the kernel's structure, and its pointer outlives the call.
        let done =
            unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_TEST_RUN, &raw mut run, size_of::<TestRun>()) };
        if done < 0 {
            return Err(io::Error::last_os_error()).context("cannot run a test program");
        }
        Ok(Duration::from_nanos(u64::from(run.duration)))
    }

    /// Attaches it to a device of a namespace.
    ///
    /// # Errors
    /// No such device, the hook is taken, or the kernel does not know it.
    pub fn attach(&self, namespace: &Namespace, device: &str, hook: Hook) -> Result<Attached> {
        let (attach_type, flags) = match hook {
            Hook::XdpNative => (ATTACH_XDP, XDP_FLAGS_DRV_MODE),
            Hook::XdpGeneric => (ATTACH_XDP, XDP_FLAGS_SKB_MODE),
            Hook::TcxIngress => (ATTACH_TCX_INGRESS, 0),
            Hook::TcxEgress => (ATTACH_TCX_EGRESS, 0),
        };
        namespace.run(|| {
            let name = CString::new(device).context("device name")?;
            // SAFETY: `name` is a C string that outlives the call.
            let ifindex = unsafe { libc::if_nametoindex(name.as_ptr()) };
            if ifindex == 0 {
                bail!("no device {device} in namespace {}", namespace.label());
            }
            let program = u32::try_from(self.file.as_raw_fd()).context("file descriptor")?;
            let create = LinkCreate { program, ifindex, attach_type, flags };
            // SAFETY: `create` is laid out as the kernel's structure and holds no pointer.
            let link = unsafe { bpf(BPF_LINK_CREATE, &create) }
                .with_context(|| format!("cannot attach a test program to {device} ({hook:?})"))?;
            Ok(Attached { _link: link })
        })
    }
}

/// bpf(2) for commands that give a file descriptor.
///
/// # Safety
/// `attributes` must be what `command` expects, and whatever it points to must outlive the call.
unsafe fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the caller vouches for `attributes`; the size given is its own.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    match i32::try_from(result) {
        // SAFETY: a result that is no error is a new descriptor that nothing else owns.
        Ok(file @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(file) }),
        _ => Err(io::Error::last_os_error()),
    }
}
