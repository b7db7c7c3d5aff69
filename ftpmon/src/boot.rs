//! The identity of the machine's boot.

use std::{fs, io};

/// The kernel's random id of this boot: a UUID in its text form. Times since the boot, and records that carry them, mean nothing in
/// another boot.
///
/// # Errors
/// `/proc` cannot be read.
pub(crate) fn boot_id() -> io::Result<[u8; 36]> {
    let id = fs::read("/proc/sys/kernel/random/boot_id")?;
    id.first_chunk().copied().ok_or_else(|| io::Error::other("the kernel has no boot_id"))
}

#[cfg(test)]
mod tests {
    use super::boot_id;

    #[test]
    fn it_is_a_uuid_and_stays() {
        let id = boot_id().unwrap();
        let groups: Vec<usize> = id.split(|&byte| byte == b'-').map(<[u8]>::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert_eq!(boot_id().unwrap(), id);
    }
}
