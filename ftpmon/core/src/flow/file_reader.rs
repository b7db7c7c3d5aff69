//! Facts about a transferred file, found while its bytes pass by.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;
use smol_str::SmolStr;

use super::archive::Archive;
use super::loot::loot;
use crate::config::Hashes;
use crate::event::{FileFacts, FileId, FileRange, FileReason};
use crate::output::OutputQueue;
use crate::text::hex;

/// Bytes of a file's beginning from which its type is determined.
const HEAD_LEN: usize = 512;

/// Hashes one direction of a data connection.
#[derive(Clone, Debug)]
pub(crate) struct FileReader {
    digests: Digests,
    head: SmallVec<[u8; 32]>,
    archive: Archive,
    size: u64,
    gap: bool,
    /// With `--files extract`.
    kept: Option<Kept>,
}

/// The pieces of a file that are handed out to be kept.
#[derive(Clone, Debug)]
struct Kept {
    id: Option<FileId>,
    /// Bytes handed out.
    len: u64,
    /// Bytes to hand out at most.
    max: u64,
    /// The hash at the cap, if the file is longer.
    cut: Option<Sha256>,
    /// It was given up.
    lost: bool,
}

impl FileReader {
    /// A reader of a direction of which nothing was seen yet; `keep` is how many bytes of it are handed out, if any.
    pub(crate) fn new(hashes: Hashes, keep: Option<u64>) -> Self {
        let kept = keep.map(|max| Kept { id: None, len: 0, max, cut: None, lost: false });
        let (digests, head) = (Digests::new(hashes), SmallVec::new());
        Self { digests, head, archive: Archive::default(), size: 0, gap: false, kept }
    }

    /// The next bytes.
    pub(crate) fn data(&mut self, bytes: &[u8], out: &mut OutputQueue) {
        if self.gap || bytes.is_empty() {
            return;
        }
        let room = HEAD_LEN.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(bytes.get(..room).unwrap_or_default());
        self.archive.data(&self.head, bytes);
        self.size += bytes.len() as u64;
        let Some(kept) = self.kept.as_mut().filter(|kept| kept.cut.is_none() && !kept.lost) else {
            self.digests.update(bytes);
            return;
        };
        let room = usize::try_from(kept.max - kept.len).unwrap_or(usize::MAX);
        let (within, beyond) = bytes.split_at(room.min(bytes.len()));
        if !within.is_empty() {
            let id = *kept.id.get_or_insert_with(|| out.fresh_file());
            kept.lost = !out.file_bytes(id, within);
            kept.len += within.len() as u64;
        }
        self.digests.update(within);
        if !beyond.is_empty() {
            kept.cut.clone_from(&self.digests.sha256);
            self.digests.update(beyond);
        }
    }

    /// It is none after all.
    pub(crate) fn discard(self, out: &mut OutputQueue) {
        if let Some(id) = self.kept.and_then(|kept| kept.id) {
            out.discard_file(id);
        }
    }

    /// Bytes are missing: there will be no hash, and nothing behind them is taken.
    pub(crate) fn gap(&mut self) {
        self.gap = true;
    }

    /// Bytes are missing.
    pub(crate) fn is_broken(&self) -> bool {
        self.gap
    }

    /// The facts: whether the stream was seen from its first byte, and up to its end.
    pub(crate) fn finish(mut self, from_start: bool, to_end: bool, out: &mut OutputQueue) -> FileFacts {
        let kept = self.kept.take();
        let id = kept.as_ref().and_then(|kept| kept.id);
        let cut = kept.as_ref().is_some_and(|kept| kept.cut.is_some());
        let held = kept.as_ref().filter(|_| cut).map_or(self.size, |kept| kept.len);
        let name = kept.and_then(|kept| kept.cut).or_else(|| self.digests.sha256.clone());
        if let (Some(id), Some(name)) = (id, name) {
            out.close_file(id, name.finalize().into());
        }
        let reason = if !from_start {
            Some(FileReason::Start)
        } else if self.gap {
            Some(FileReason::Gap)
        } else {
            (!to_end).then_some(FileReason::Unfinished)
        };
        let complete = reason.is_none();
        let hashed = from_start && !self.gap;
        let [sha256, sha1, md5] = self.digests.finish();
        FileFacts {
            sha256: sha256.filter(|_| hashed),
            sha1: sha1.filter(|_| hashed),
            md5: md5.filter(|_| hashed),
            size: self.size,
            unpacked: self.archive.unpacked().filter(|_| from_start),
            mime: mime(&self.head).map(SmolStr::new_static),
            loot: loot(&self.head).filter(|_| from_start).map(SmolStr::new_static),
            complete,
            range: from_start.then_some(FileRange { from: 0, to: held }),
            reason: reason.or(cut.then_some(FileReason::SizeCap)),
            stored: None,
            id,
        }
    }
}

/// The hashes asked for, under way.
#[derive(Clone, Debug)]
struct Digests {
    sha256: Option<Sha256>,
    sha1: Option<Sha1>,
    md5: Option<Md5>,
}

impl Digests {
    fn new(hashes: Hashes) -> Self {
        Self {
            sha256: hashes.sha256.then(Sha256::new),
            sha1: hashes.sha1.then(Sha1::new),
            md5: hashes.md5.then(Md5::new),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
    }

    /// SHA-256, SHA-1 and MD5 in hexadecimal.
    fn finish(self) -> [Option<SmolStr>; 3] {
        [
            self.sha256.map(|it| SmolStr::new(hex(&it.finalize()))),
            self.sha1.map(|it| SmolStr::new(hex(&it.finalize()))),
            self.md5.map(|it| SmolStr::new(hex(&it.finalize()))),
        ]
    }
}

/// The MIME type of a file that begins with `head`.
fn mime(head: &[u8]) -> Option<&'static str> {
    if head.is_empty() {
        return None;
    }
    if let Some(kind) = infer::get(head) {
        return Some(kind.mime_type());
    }
    let text = |byte: &u8| !byte.is_ascii_control() || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    Some(if head.iter().all(text) { "text/plain" } else { "application/octet-stream" })
}

#[cfg(test)]
mod tests {
    use super::{FileReader, Hashes};
    use crate::event::FileReason;
    use crate::output::{FilePiece, Output, OutputQueue};

    const ALL: Hashes = Hashes { sha256: true, sha1: true, md5: true };

    #[test]
    fn a_file_is_hashed_in_whatever_pieces_it_comes() {
        let mut reader = FileReader::new(ALL, None);
        for piece in [&b"a"[..], b"", b"bc"] {
            reader.data(piece, &mut OutputQueue::default());
        }
        let facts = reader.finish(true, true, &mut OutputQueue::default());
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((facts.sha256.as_deref(), facts.size, facts.complete), (Some(abc), 3, true));
        assert_eq!(facts.sha1.as_deref(), Some("a9993e364706816aba3e25717850c26c9cd0d89d"));
        assert_eq!(facts.md5.as_deref(), Some("900150983cd24fb0d6963f7d28e17f72"));
        assert_eq!(facts.mime.as_deref(), Some("text/plain"));
    }

    #[test]
    fn only_what_was_asked_for_is_told() {
        let facts = FileReader::new(Hashes { sha256: false, sha1: false, md5: true }, None);
        let facts = facts.finish(true, true, &mut OutputQueue::default());
        assert_eq!((facts.sha256, facts.sha1), (None, None));
        assert_eq!(facts.md5.as_deref(), Some("d41d8cd98f00b204e9800998ecf8427e"));
    }

    #[test]
    fn a_file_with_a_hole_has_no_hash_and_ends_there() {
        let mut reader = FileReader::new(ALL, None);
        reader.data(b"\x89PNG\r\n\x1a\n", &mut OutputQueue::default());
        reader.gap();
        reader.data(b"more", &mut OutputQueue::default());
        let facts = reader.finish(true, true, &mut OutputQueue::default());
        assert_eq!((facts.sha256, facts.complete, facts.size), (None, false, 8));
        assert_eq!(facts.reason, Some(FileReason::Gap));
        assert_eq!(facts.mime.as_deref(), Some("image/png"));
    }

    #[test]
    fn a_file_whose_beginning_went_by_has_no_hash_and_no_range() {
        let mut reader = FileReader::new(ALL, None);
        reader.data(b"tail", &mut OutputQueue::default());
        let facts = reader.finish(false, true, &mut OutputQueue::default());
        assert_eq!((facts.sha256, facts.range, facts.reason), (None, None, Some(FileReason::Start)));
    }

    #[test]
    fn what_is_handed_out_ends_at_the_cap_and_has_a_hash_of_its_own() {
        let mut out = OutputQueue::default();
        let mut reader = FileReader::new(ALL, Some(3));
        for piece in [&b"ab"[..], b"cd", b"ef"] {
            reader.data(piece, &mut out);
        }
        let facts = reader.finish(true, true, &mut out);
        let (id, range) = (facts.id.unwrap(), facts.range.unwrap());
        assert_eq!((range.from, range.to, facts.size), (0, 3, 6));
        assert_eq!((facts.reason, facts.complete), (Some(FileReason::SizeCap), true));
        assert_eq!(out.pop(), Some(Output::FilePiece(FilePiece::Bytes { id, bytes: b"abc".to_vec() })));
        let Some(Output::FilePiece(FilePiece::Close { sha256, .. })) = out.pop() else { panic!() };
        assert!(crate::text::hex(&sha256).starts_with("ba7816bf"), "of abc");
        let abcdef = "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721";
        assert_eq!(facts.sha256.as_deref(), Some(abcdef));
    }

    #[test]
    fn an_empty_file_hands_nothing_out() {
        let mut out = OutputQueue::default();
        let facts = FileReader::new(ALL, Some(3)).finish(true, true, &mut out);
        assert_eq!((facts.id, out.pop()), (None, None));
    }
}
