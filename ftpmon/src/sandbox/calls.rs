//! The system calls of each role. Any other is refused with EPERM (docs/adr/0111-rights-of-threads.md): a call that nobody thought of costs what it was for,
//! and not the sensor.

use std::collections::BTreeMap;
use std::io;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition as Condition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::role::Role;

/// Calls of every thread: memory, time, waiting, what is open already, threads.
const EVERYWHERE: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    // Answered with ENOSYS by a filter of its own, so that libc takes clone, whose flags can be looked at.
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_sysinfo,
    libc::SYS_tgkill,
    libc::SYS_uname,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Names of the same on x86_64 that other machines do not have.
#[cfg(target_arch = "x86_64")]
const EVERYWHERE_OLD: &[c_long] = &[libc::SYS_epoll_wait, libc::SYS_poll, libc::SYS_dup2];
#[cfg(not(target_arch = "x86_64"))]
const EVERYWHERE_OLD: &[c_long] = &[];

/// Files are found and read.
const READ_FILES: &[c_long] = &[
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fstatfs,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_pread64,
    libc::SYS_readlinkat,
    libc::SYS_statfs,
    libc::SYS_statx,
];
#[cfg(target_arch = "x86_64")]
const READ_FILES_OLD: &[c_long] =
    &[libc::SYS_access, libc::SYS_lstat, libc::SYS_open, libc::SYS_readlink, libc::SYS_stat];
#[cfg(not(target_arch = "x86_64"))]
const READ_FILES_OLD: &[c_long] = &[];

/// Files are written, named and removed.
const WRITE_FILES: &[c_long] = &[
    libc::SYS_copy_file_range,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_linkat,
    libc::SYS_mkdirat,
    libc::SYS_pwrite64,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_sync_file_range,
    libc::SYS_umask,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
];
#[cfg(target_arch = "x86_64")]
const WRITE_FILES_OLD: &[c_long] =
    &[libc::SYS_chmod, libc::SYS_link, libc::SYS_mkdir, libc::SYS_rename, libc::SYS_rmdir, libc::SYS_unlink];
#[cfg(not(target_arch = "x86_64"))]
const WRITE_FILES_OLD: &[c_long] = &[];

/// Sockets are connected. Which kinds of socket there are is another question.
const CONNECT: &[c_long] = &[
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_ioctl,
    libc::SYS_sendmmsg,
    libc::SYS_setsockopt,
];

/// Commands of bpf(2) that use maps which are open already (include/uapi/linux/bpf.h): look-up, update, delete, next key, facts about a
/// descriptor.
const MAP_COMMANDS: [u64; 5] = [1, 2, 3, 4, 15];

/// The command of bpf(2) that begins a pass over an iterator whose descriptor is open already.
const ITER_CREATE: u64 = 33;

/// From now on this thread makes the calls of `role` only.
pub(super) fn allow_only(role: Role) -> io::Result<()> {
    let apply = |program: BpfProgram| seccompiler::apply_filter(&program).map_err(io::Error::other);
    let no_clone3 = filter([(libc::SYS_clone3, Vec::new())].into(), SeccompAction::Allow, libc::ENOSYS);
    apply(no_clone3?)?;
    apply(filter(rules(role)?, SeccompAction::Errno(libc::EPERM as u32), 0)?)
}

/// A filter that answers calls that match with an error, or lets them pass where that is 0.
fn filter(
    rules: BTreeMap<c_long, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    error: libc::c_int,
) -> io::Result<BpfProgram> {
    let matched = if error == 0 { SeccompAction::Allow } else { SeccompAction::Errno(error as u32) };
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, otherwise, matched, arch).map_err(io::Error::other)?;
    filter.try_into().map_err(io::Error::other)
}

fn rules(role: Role) -> io::Result<BTreeMap<c_long, Vec<SeccompRule>>> {
    let lists: &[&[c_long]] = match role {
        // The addresses of this host are asked for with sockets of the routing family.
        Role::Reader => &[&[libc::SYS_bind, libc::SYS_getsockname]],
        Role::Attacher { .. } => &[
            READ_FILES,
            READ_FILES_OLD,
            WRITE_FILES,
            WRITE_FILES_OLD,
            CONNECT,
            &[libc::SYS_bpf, libc::SYS_perf_event_open],
        ],
        Role::Opener | Role::Output | Role::OwnedOutput => {
            &[READ_FILES, READ_FILES_OLD, WRITE_FILES, WRITE_FILES_OLD, CONNECT]
        }
        Role::Status => &[&[libc::SYS_accept4, libc::SYS_getsockname, libc::SYS_getpeername]],
        Role::Files => &[READ_FILES, READ_FILES_OLD, WRITE_FILES, WRITE_FILES_OLD],
        Role::Owners => &[READ_FILES, READ_FILES_OLD, CONNECT],
    };
    let families: &[libc::c_int] = match role {
        Role::Reader => &[libc::AF_NETLINK],
        Role::Attacher { .. } => &[libc::AF_UNIX, libc::AF_INET, libc::AF_NETLINK, libc::AF_PACKET],
        Role::Opener | Role::Output | Role::OwnedOutput => {
            &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK]
        }
        Role::Files | Role::Status => &[],
        Role::Owners => &[libc::AF_UNIX, libc::AF_NETLINK],
    };
    let always = [EVERYWHERE, EVERYWHERE_OLD].into_iter().chain(lists.iter().copied()).flatten();
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = always.map(|call| (*call, Vec::new())).collect();
    // Threads, no processes.
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![rule(0, Op::MaskedEq(thread), thread)?]);
    let mut settings = vec![rule(0, Op::Eq, libc::PR_SET_NAME as u64)?];
    if role == Role::Reader {
        let commands = MAP_COMMANDS.iter().map(|command| rule(0, Op::Eq, *command));
        rules.insert(libc::SYS_bpf, commands.collect::<io::Result<_>>()?);
    }
    if role == Role::Owners {
        rules.insert(libc::SYS_bpf, vec![rule(0, Op::Eq, ITER_CREATE)?]);
    }
    if role == Role::Opener {
        // The threads of outputs that come with a reload give up rights in their turn.
        settings.push(rule(0, Op::Eq, libc::PR_SET_NO_NEW_PRIVS as u64)?);
        rules.insert(libc::SYS_seccomp, vec![rule(0, Op::Eq, u64::from(libc::SECCOMP_SET_MODE_FILTER))?]);
        rules.extend([libc::SYS_capget, libc::SYS_capset].map(|call| (call, Vec::new())));
    }
    rules.insert(libc::SYS_prctl, settings);
    if !families.is_empty() {
        let family = |family: &libc::c_int| rule(0, Op::Eq, *family as u64);
        rules.insert(libc::SYS_socket, families.iter().map(family).collect::<io::Result<_>>()?);
    }
    Ok(rules)
}

/// An argument of a call has this value.
fn rule(argument: u8, operator: Op, value: u64) -> io::Result<SeccompRule> {
    let condition = Condition::new(argument, Len::Dword, operator, value).map_err(io::Error::other)?;
    SeccompRule::new(vec![condition]).map_err(io::Error::other)
}
