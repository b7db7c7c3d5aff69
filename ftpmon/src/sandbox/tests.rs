use std::io;
use std::path::{Path, PathBuf};

use super::*;

/// The numbers of errors that calls gave.
type Refusals = Vec<(&'static str, i32)>;

fn settings(user: Option<&str>) -> Settings {
    Settings { account: Account::find(user).unwrap(), for_maps: CapabilitySet::empty() }
}

/// The errors that a thread in a role gets for each of the calls that an intruder would like to make.
fn attempts(role: Role) -> Refusals {
    let thread = std::thread::spawn(move || {
        let settings = settings(Some("nobody"));
        settings.enter(role, role.reach()).unwrap();
        let null = core::ptr::null::<u8>();
        let path = c"/etc/passwd".as_ptr();
        let calls: [(&str, libc::c_long, [libc::c_long; 4]); 9] = [
            ("open", libc::SYS_openat, [libc::AT_FDCWD.into(), path as libc::c_long, 0, 0]),
            ("inet", libc::SYS_socket, [libc::AF_INET.into(), libc::SOCK_STREAM.into(), 0, 0]),
            ("packet", libc::SYS_socket, [libc::AF_PACKET.into(), libc::SOCK_RAW.into(), 0, 0]),
            ("exec", libc::SYS_execve, [path as libc::c_long, null as libc::c_long, null as libc::c_long, 0]),
            ("ptrace", libc::SYS_ptrace, [libc::PTRACE_ATTACH.into(), 1, 0, 0]),
            ("bpf map", libc::SYS_bpf, [0, null as libc::c_long, 0, 0]),
            ("bpf load", libc::SYS_bpf, [5, null as libc::c_long, 0, 0]),
            ("fork", libc::SYS_clone, [libc::SIGCHLD.into(), 0, 0, 0]),
            ("mount", libc::SYS_mount, [path as libc::c_long, path as libc::c_long, 0, 0]),
        ];
        let attempt = |(name, call, [a, b, c, d]): (&'static str, libc::c_long, [libc::c_long; 4])| {
            // SAFETY: the calls are refused, or open a descriptor that nobody uses; pointers are null or to a string that stays.
            let result = unsafe { libc::syscall(call, a, b, c, d, 0) };
            (name, if result < 0 { io::Error::last_os_error().raw_os_error().unwrap_or(0) } else { 0 })
        };
        calls.map(attempt).to_vec()
    });
    thread.join().unwrap()
}

fn allowed(refusals: &Refusals) -> Vec<&'static str> {
    refusals.iter().filter(|(_, error)| *error != libc::EPERM).map(|(name, _)| *name).collect()
}

#[test]
#[cfg_attr(miri, ignore = "makes system calls")]
fn each_role_is_refused_what_it_does_not_need() {
    for (role, may) in [
        (Role::Reader, &[][..]),
        (Role::Attacher { pins: false }, &["open", "inet", "packet", "bpf map", "bpf load"]),
        (Role::Opener, &["open", "inet"]),
        (Role::Output, &["open", "inet"]),
        (Role::OwnedOutput, &["open", "inet"]),
        (Role::Files, &["open"]),
        (Role::Status, &[]),
        (Role::Owners, &["open"]),
    ] {
        let refusals = attempts(role);
        assert_eq!(allowed(&refusals), may, "{role:?}: {refusals:?}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "makes system calls")]
fn a_thread_in_a_role_has_no_rights_and_works() {
    for role in Role::ALL {
        let thread = std::thread::spawn(move || {
            let settings = settings(Some("nobody"));
            settings.enter(role, role.reach()).unwrap();
            // What it starts has its rights, and can be waited for.
            let inner = std::thread::Builder::new().name("inner".to_owned()).spawn(|| {
                std::thread::sleep(core::time::Duration::from_millis(1));
                let sets = rustix::thread::no_new_privs().map(|_| ());
                (vec![7_u8; 1 << 22].len(), sets.is_err(), rustix::process::geteuid().is_root())
            });
            inner.unwrap().join().unwrap()
        });
        assert_eq!(thread.join().unwrap(), (1 << 22, true, false), "{role:?}");
    }
}

#[test]
fn a_user_that_is_not_there_is_named() {
    let error = Account::find(Some("no-such-user")).unwrap_err().to_string();
    assert!(error.contains("no-such-user") && error.contains("useradd"), "{error}");
    let default = Account::find(None).unwrap();
    assert_eq!(default.ids().is_some(), rustix::process::geteuid().is_root(), "only root becomes another");
}

/// The errors, by kind, that a thread with a reach gets when it opens paths to write to.
fn tried_within(
    reach: impl Fn() -> Reach<'static> + Send + 'static,
    paths: Vec<PathBuf>,
) -> Vec<Option<io::ErrorKind>> {
    let thread = std::thread::spawn(move || {
        // As whoever runs the test: what is refused is refused to root as well.
        let settings = Settings { account: Account::unchanged(), for_maps: CapabilitySet::empty() };
        settings.enter(Role::Files, reach()).unwrap();
        let write = |path: &PathBuf| {
            std::fs::OpenOptions::new().append(true).create(true).open(path).err().map(|error| error.kind())
        };
        paths.iter().map(write).collect()
    });
    thread.join().unwrap()
}

/// The version of Landlock that this kernel has (landlock_create_ruleset(2)).
fn landlock_version() -> libc::c_long {
    // SAFETY: with this flag the call has no pointer to follow and gives a number.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, core::ptr::null::<u8>(), 0, 1) }
}

#[test]
#[cfg_attr(miri, ignore = "makes system calls")]
fn files_are_reached_below_the_directory_of_the_work_only() {
    if landlock_version() < 1 {
        println!("SKIP files_are_reached_below_the_directory_of_the_work_only: this kernel has no Landlock");
        assert!(std::env::var_os("FTPMON_NO_SKIP").is_none(), "nothing may be skipped");
        return;
    }
    let folder: &'static Path = Box::leak(
        std::env::temp_dir().join(format!("ftpmon-reach-{}", std::process::id())).into_boxed_path(),
    );
    let (own, beside) = (folder.join("own"), folder.join("beside"));
    std::fs::create_dir_all(&own).unwrap();
    let own: &'static Path = Box::leak(own.into_boxed_path());
    let paths = || vec![own.join("a"), beside.clone()];
    let denied = Some(io::ErrorKind::PermissionDenied);
    assert_eq!(tried_within(move || Reach::Beneath(own), paths()), [None, denied]);
    assert_eq!(tried_within(|| Reach::Nothing, paths()), [denied, denied]);
    assert_eq!(tried_within(|| Reach::Paths, paths()), [None, None]);
    // A directory that is not there yet is reached by the one above it.
    assert_eq!(
        tried_within(move || Reach::Beneath(Box::leak(own.join("later").into_boxed_path())), paths()),
        [None, denied]
    );
    std::fs::remove_dir_all(folder).unwrap();
}
