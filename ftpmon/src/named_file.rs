//! Files that the operator names, opened so that no other user decides which files they are.
//!
//! In a directory that others can write to, such as `/tmp`, another user can put a link where ftpmon, which runs with
//! privileges, is about to create a file, or a file of their own that they read along. There a link is not followed, and a
//! file that another user owns, or that has a second name, is refused.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use crate::sandbox;

/// Opens the file at `path`; `mode` are the permissions of one that is created. With [`OFlags::TRUNC`] a regular file is
/// emptied once it is known to be the operator's.
///
/// # Errors
/// Those of the system, and one that says why the file cannot be trusted.
pub(crate) fn open(path: &Path, flags: OFlags, mode: Mode) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or(Errno::ISDIR)?;
    let folder: OwnedFd =
        openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let shared = is_shared(&fstat(&folder)?);
    let flags = flags | OFlags::CLOEXEC;
    let guard = if shared { OFlags::NOFOLLOW } else { OFlags::empty() };
    let file: File = match openat(&folder, name, (flags - OFlags::TRUNC) | guard, mode) {
        Err(Errno::LOOP) if shared => {
            return Err(untrusted("it is a symbolic link in a directory that other users can write to"));
        }
        opened => opened?.into(),
    };
    let facts = fstat(&file)?;
    if shared && !is_ours(facts.st_uid) && !sandbox::becomes(facts.st_uid) {
        return Err(untrusted("another user owns it, in a directory that other users can write to"));
    }
    let is_regular = file.metadata()?.is_file();
    if shared && is_regular && facts.st_nlink > 1 {
        return Err(untrusted("it has a second name, and is in a directory that other users can write to"));
    }
    if is_regular && flags.contains(OFlags::TRUNC) {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Users other than root and the one that ftpmon runs as can put files into the directory.
fn is_shared(folder: &Stat) -> bool {
    !is_ours(folder.st_uid) || Mode::from_raw_mode(folder.st_mode).intersects(Mode::WGRP | Mode::WOTH)
}

fn is_ours(user: u32) -> bool {
    user == 0 || user == rustix::process::geteuid().as_raw()
}

fn untrusted(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str, mode: u32) -> Self {
            let path = std::env::temp_dir().join(format!("ftpmon-named-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            fs::write(path.join("target"), "kept").unwrap();
            symlink(path.join("target"), path.join("link")).unwrap();
            Self(path)
        }

        fn write(&self, name: &str) -> io::Result<()> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
            open(&self.0.join(name), flags, Mode::RUSR | Mode::WUSR)?.write_all(b"new")
        }

        fn content(&self, name: &str) -> String {
            fs::read_to_string(self.0.join(name)).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_link_of_the_operators_own_is_followed() {
        let folder = Folder::new("own", 0o755);
        folder.write("link").unwrap();
        assert_eq!(folder.content("target"), "new");
    }

    #[test]
    fn where_others_can_write_links_are_refused_and_what_they_name_stays() {
        let folder = Folder::new("shared", 0o1777);
        let error = folder.write("link").unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
        symlink(folder.0.join("nowhere"), folder.0.join("dangling")).unwrap();
        assert!(folder.write("dangling").is_err());
        assert!(!folder.0.join("nowhere").exists());
        fs::hard_link(folder.0.join("target"), folder.0.join("second")).unwrap();
        let error = folder.write("second").unwrap_err().to_string();
        assert!(error.contains("second name"), "{error}");
        assert_eq!(folder.content("target"), "kept");
        folder.write("new").unwrap();
        folder.write("new").unwrap();
        assert_eq!(folder.content("new"), "new");
    }

    #[test]
    fn where_others_can_write_a_file_of_another_user_is_refused() {
        let folder = Folder::new("foreign", 0o1777);
        // Only root can give a file away; without root the rule is shown by its parts.
        let foreign = folder.0.join("foreign");
        fs::write(&foreign, "theirs").unwrap();
        if std::os::unix::fs::chown(&foreign, Some(65_534), None).is_ok() {
            let error = folder.write("foreign").unwrap_err().to_string();
            // Where fs.protected_regular is set, the kernel refuses it first.
            assert!(error.contains("another user") || error.contains("Permission denied"), "{error}");
            assert_eq!(folder.content("foreign"), "theirs");
        }
        assert!(!is_ours(rustix::process::geteuid().as_raw().wrapping_add(65_534)));
    }
}
