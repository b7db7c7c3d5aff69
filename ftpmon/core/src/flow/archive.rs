//! The bytes that an archive says it holds, read from its headers while it passes by. Nothing is unpacked.
//!
//! ZIP: the sizes in the local headers (APPNOTE 4.3.7) of the entries, one behind the other. gzip: the last four bytes (RFC 1952 section
//! 2.3.1), which count modulo 2³².

/// Bytes of a local header without name and extra field.
const HEADER: usize = 30;
/// The signature of a local header.
const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// The first bytes of gzip with deflate.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
/// The flag of an entry whose sizes stand behind it.
const SIZES_BEHIND: u8 = 8;

/// A reader of the headers of a file, from its first byte. It is as large for a large file as for a small one.
#[derive(Clone, Debug, Default)]
pub(super) enum Archive {
    /// The first bytes are not there yet.
    #[default]
    Begins,
    Zip(Zip),
    /// With the latest four bytes.
    Gzip([u8; 4]),
    Other,
}

/// The way through a ZIP file.
#[derive(Clone, Debug, Default)]
pub(super) struct Zip {
    /// Bytes up to the next header.
    skip: u64,
    /// That header, as far as it came.
    header: [u8; HEADER],
    have: usize,
    sum: u64,
    /// The next bytes are no local header, or it has no sizes.
    over: bool,
}

impl Archive {
    /// The next bytes; `head` is the file's beginning as far as it is known, these included.
    pub(super) fn data(&mut self, head: &[u8], bytes: &[u8]) {
        match self {
            Self::Begins if head.len() >= LOCAL.len() => {
                // All that came so far is in the head.
                if head.starts_with(&LOCAL) {
                    let mut zip = Zip::default();
                    let before = head.len().saturating_sub(bytes.len());
                    zip.data(head.get(..before).unwrap_or_default());
                    zip.data(bytes);
                    *self = Self::Zip(zip);
                } else if head.starts_with(&GZIP) {
                    *self = Self::Gzip(last_of(head, bytes));
                } else {
                    *self = Self::Other;
                }
            }
            Self::Zip(zip) => zip.data(bytes),
            Self::Gzip(last) => *last = last_of(last, bytes),
            Self::Begins | Self::Other => {}
        }
    }

    /// The bytes that it says it holds; none if it is no archive, or does not say.
    pub(super) fn unpacked(&self) -> Option<u64> {
        match self {
            Self::Zip(zip) => Some(zip.sum).filter(|sum| *sum > 0),
            Self::Gzip(last) => Some(u64::from(u32::from_le_bytes(*last))),
            Self::Begins | Self::Other => None,
        }
    }
}

/// The last four bytes of `before` and `bytes`.
fn last_of(before: &[u8], bytes: &[u8]) -> [u8; 4] {
    let mut last = [0; 4];
    let all = before.iter().chain(bytes);
    for (to, byte) in last.iter_mut().rev().zip(all.rev()) {
        *to = *byte;
    }
    last
}

impl Zip {
    fn data(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.over {
            if self.skip > 0 {
                let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(rest.len());
                self.skip -= skipped as u64;
                rest = rest.get(skipped..).unwrap_or_default();
                continue;
            }
            let room = self.header.get_mut(self.have..).unwrap_or_default();
            let taken = room.len().min(rest.len());
            for (to, from) in room.iter_mut().zip(rest) {
                *to = *from;
            }
            self.have += taken;
            rest = rest.get(taken..).unwrap_or_default();
            if self.have == HEADER {
                self.have = 0;
                self.entry();
            }
        }
    }

    /// A header is whole.
    fn entry(&mut self) {
        let header = self.header;
        let number = |at: usize, len: usize| {
            let bytes = header.get(at..at + len).unwrap_or_default();
            bytes.iter().rev().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte))
        };
        let flags = header.get(6).copied().unwrap_or_default();
        if !header.starts_with(&LOCAL) || flags & SIZES_BEHIND != 0 {
            self.over = true;
            return;
        }
        let (packed, unpacked, names) = (number(18, 4), number(22, 4), number(26, 2) + number(28, 2));
        self.sum = self.sum.saturating_add(unpacked);
        // Behind it a larger one has its sizes elsewhere (Zip64).
        self.over = packed == u64::from(u32::MAX);
        self.skip = packed + names;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(packed: u32, unpacked: u32, name: &str, flags: u8) -> Vec<u8> {
        let mut out = b"PK\x03\x04\x14\0".to_vec();
        out.extend([flags, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend(packed.to_le_bytes());
        out.extend(unpacked.to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend([0, 0]);
        out.extend(name.as_bytes());
        out.extend(vec![0x55; packed as usize]);
        out
    }

    /// The size that a file tells, handed over in pieces of so many bytes.
    fn read(file: &[u8], piece: usize) -> Option<u64> {
        let mut archive = Archive::default();
        let mut head = Vec::new();
        for bytes in file.chunks(piece) {
            head.extend(bytes.iter().take(512_usize.saturating_sub(head.len())));
            archive.data(&head, bytes);
        }
        archive.unpacked()
    }

    #[test]
    fn the_sizes_of_the_entries_of_a_zip_file_are_added_up_however_it_is_cut() {
        let mut file = entry(700, 1_000_000, "a.txt", 0);
        file.extend(entry(0, 0, "folder/", 0));
        file.extend(entry(9, 2_000_000, "b", 0));
        file.extend(b"PK\x01\x02 the central directory PK\x03\x04");
        for piece in [1, 3, 7, 29, 30, 31, 500, 4_096] {
            assert_eq!(read(&file, piece), Some(3_000_000), "pieces of {piece}");
        }
    }

    #[test]
    fn entries_without_sizes_and_other_files_say_nothing() {
        assert_eq!(read(&entry(10, 0, "a", SIZES_BEHIND), 100), None);
        assert_eq!(read(b"PK is no archive, and a text", 5), None);
        assert_eq!(read(b"PK", 1), None);
    }

    #[test]
    fn gzip_ends_with_its_size() {
        let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3];
        file.extend(77_u32.to_le_bytes());
        file.extend(5_000_000_u32.to_le_bytes());
        for piece in [1, 2, 5, 100] {
            assert_eq!(read(&file, piece), Some(5_000_000), "pieces of {piece}");
        }
    }
}
