//! The bytes that an archive says it holds, read from its headers while it passes by. Nothing is unpacked.
//!
//! ZIP: the sizes in the local headers (APPNOTE 4.3.7) of the entries, one behind the other, or in the central directory (4.3.12) where
//! that says more: entries of a bomb overlap. An archive that is stored within another one is read as well; one that is packed within it is not,
//! since it would have to be unpacked. gzip: the last four bytes (RFC 1952 section 2.3.1), which count modulo 2³².

use smallvec::SmallVec;

/// Bytes of a local header without name and extra field.
const HEADER: usize = 30;
/// The signature of a local header.
const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// Bytes of an entry of the central directory without name, extra field and comment.
const CENTRAL_HEADER: usize = 46;
/// Its signature.
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
/// Archives within archives that are read, each stored in the one before. Stops a file of nothing but headers from growing the reader.
const WITHIN_MAX: usize = 8;
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
#[derive(Clone, Debug)]
pub(super) struct Zip {
    /// Bytes up to the next header.
    skip: u64,
    /// That header, as far as it came.
    header: [u8; CENTRAL_HEADER],
    have: usize,
    /// It is the first of an entry that is stored, of so many bytes, and perhaps an archive.
    stored: Option<u64>,
    /// Bytes that are left of each archive within, the innermost last.
    within: SmallVec<[u64; 2]>,
    sum: u64,
    /// The sum that the central directory gives.
    central: u64,
    /// The next bytes are no header, or it has no sizes.
    over: bool,
}

impl Default for Zip {
    fn default() -> Self {
        let header = [0; CENTRAL_HEADER];
        let within = SmallVec::new();
        Self { skip: 0, header, have: 0, stored: None, within, sum: 0, central: 0, over: false }
    }
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
            Self::Zip(zip) => Some(zip.sum.max(zip.central)).filter(|sum| *sum > 0),
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
            let wanted = self.header_len();
            let room = self.header.get_mut(self.have..wanted).unwrap_or_default();
            let taken = room.len().min(rest.len());
            for (to, from) in room.iter_mut().zip(rest) {
                *to = *from;
            }
            self.have += taken;
            rest = rest.get(taken..).unwrap_or_default();
            if self.have == self.header_len() {
                self.have = 0;
                self.header_is_whole();
            }
        }
    }

    /// Bytes of the header that comes, as far as it is known.
    fn header_len(&self) -> usize {
        let is_central = self.have >= HEADER && self.stored.is_none() && self.header.starts_with(&CENTRAL);
        if is_central && self.within.is_empty() { CENTRAL_HEADER } else { HEADER }
    }

    /// A number of the header.
    fn number(&self, at: usize, len: usize) -> u64 {
        let bytes = self.header.get(at..at + len).unwrap_or_default();
        bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }

    fn header_is_whole(&mut self) {
        let is_local = self.header.starts_with(&LOCAL);
        match self.stored.take() {
            Some(bytes) => {
                let behind = bytes.saturating_sub(HEADER as u64);
                if !is_local || self.within.len() == WITHIN_MAX {
                    self.skip = behind;
                    return self.pass_ends();
                }
                self.within.push(behind);
            }
            None => {
                if let Some(left) = self.within.last_mut() {
                    *left = left.saturating_sub(HEADER as u64);
                }
            }
        }
        if is_local {
            self.entry();
        } else if !self.within.is_empty() {
            self.leave();
        } else if self.header.starts_with(&CENTRAL) {
            self.central = self.central.saturating_add(self.number(24, 4));
            self.skip = self.number(28, 2) + self.number(30, 2) + self.number(32, 2);
        } else {
            self.over = true;
        }
    }

    /// The local header of an entry.
    fn entry(&mut self) {
        let flags = self.header.get(6).copied().unwrap_or_default();
        let is_stored = self.number(8, 2) == 0;
        let (packed, unpacked) = (self.number(18, 4), self.number(22, 4));
        let names = self.number(26, 2) + self.number(28, 2);
        // Behind it a larger one has its sizes elsewhere (Zip64).
        let is_large = packed == u64::from(u32::MAX);
        if flags & SIZES_BEHIND == 0 {
            self.sum = self.sum.saturating_add(unpacked);
        }
        if flags & SIZES_BEHIND != 0 || is_large {
            return self.leave();
        }
        if let Some(left) = self.within.last_mut() {
            match left.checked_sub(names + packed) {
                Some(rest) => *left = rest,
                None => return self.leave(),
            }
        }
        self.skip = names;
        if is_stored && packed >= HEADER as u64 {
            self.stored = Some(packed);
        } else {
            self.skip += packed;
            self.pass_ends();
        }
    }

    /// The innermost archive cannot be read any further.
    fn leave(&mut self) {
        match self.within.pop() {
            Some(left) => {
                self.skip = left;
                self.pass_ends();
            }
            None => self.over = true,
        }
    }

    /// Leaves the archives in which no header can follow.
    fn pass_ends(&mut self) {
        while let Some(left) = self.within.last().copied().filter(|left| *left < HEADER as u64) {
            self.within.pop();
            self.skip += left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(packed: u32, unpacked: u32, name: &str, flags: u8) -> Vec<u8> {
        let mut out = local(8, flags, packed, unpacked, name);
        out.extend(vec![0x55; packed as usize]);
        out
    }

    /// An entry that is stored as it is.
    fn stored(name: &str, content: &[u8]) -> Vec<u8> {
        [local(0, 0, content.len() as u32, content.len() as u32, name), content.to_vec()].concat()
    }

    /// An entry of the central directory.
    fn listed(unpacked: u32, name: &str) -> Vec<u8> {
        let mut out = b"PK\x01\x02".to_vec();
        out.extend([0; 20]);
        out.extend(unpacked.to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend([0; 16]);
        out.extend(name.as_bytes());
        out
    }

    fn local(method: u8, flags: u8, packed: u32, unpacked: u32, name: &str) -> Vec<u8> {
        let mut out = b"PK\x03\x04\x14\0".to_vec();
        out.extend([flags, 0, method, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend(packed.to_le_bytes());
        out.extend(unpacked.to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend([0, 0]);
        out.extend(name.as_bytes());
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
        file.extend(listed(1_000_000, "a.txt"));
        file.extend(b"PK\x05\x06 the end of the directory PK\x03\x04");
        for piece in [1, 3, 7, 29, 30, 31, 500, 4_096] {
            assert_eq!(read(&file, piece), Some(3_000_000), "pieces of {piece}");
        }
    }

    #[test]
    fn archives_that_are_stored_within_others_are_read() {
        let inner = [entry(50, 4_000_000, "x", 0), listed(4_000_000, "x")].concat();
        let middle = [stored("inner.zip", &inner), entry(5, 1_000, "y", 0), listed(1, "y")].concat();
        let text = stored("a text that is no archive.txt", &[0x41; 100]);
        let short = stored("s", b"PK");
        let outer = [text, stored("middle.zip", &middle), short, entry(7, 9_000, "z", 0)].concat();
        let expected = 100 + middle.len() + inner.len() + 4_000_000 + 1_000 + 2 + 9_000;
        for piece in [1, 7, 30, 45, 46, 1_000] {
            assert_eq!(read(&outer, piece), Some(expected as u64), "pieces of {piece}");
        }
    }

    #[test]
    fn an_archive_within_that_is_longer_than_its_entry_ends_with_it() {
        // The inner entry says that it has 1,000 bytes, and its archive has 40.
        let inner = [local(8, 0, 1_000, 77, "x"), vec![0x55; 40]].concat();
        let outer = [stored("i", &inner), entry(7, 9_000, "z", 0)].concat();
        assert_eq!(read(&outer, 100), Some(inner.len() as u64 + 77 + 9_000));
    }

    #[test]
    fn nests_deeper_than_the_cap_are_passed_over() {
        let mut file = entry(10, 500, "x", 0);
        let mut expected = 500;
        for depth in 0..WITHIN_MAX + 3 {
            expected = if depth < WITHIN_MAX { expected + file.len() as u64 } else { 0 };
            file = stored("n", &file);
        }
        assert!(expected == 0 && read(&file, 64).is_some_and(|sum| sum < 5_000));
        let behind = [file, entry(7, 9_000_000, "z", 0)].concat();
        assert!(read(&behind, 64).is_some_and(|sum| (9_000_000..9_010_000).contains(&sum)));
    }

    #[test]
    fn the_central_directory_counts_where_it_says_more() {
        // Entries that overlap: one local header is passed, and the directory lists it three times.
        let directory = (0..3).flat_map(|_| listed(2_000_000, "a")).collect::<Vec<_>>();
        for piece in [1, 46, 4_096] {
            let file = [entry(30, 2_000_000, "a", 0), directory.clone(), b"PK\x05\x06".to_vec()].concat();
            assert_eq!(read(&file, piece), Some(6_000_000), "pieces of {piece}");
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
