//! The number of bytes that a transfer had to move, as far as the dialogue shows.

use crate::event::RepresentationType;

/// Transfer parameters in force (RFC 959 section 5.1.2: TYPE, MODE, STRU). A field is none if it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) representation: Option<Representation>,
    pub(super) mode: Option<u8>,
    pub(super) structure: Option<u8>,
}

/// TYPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Representation {
    pub(super) kind: RepresentationType,
    /// The bytes on the wire are the file's bytes: I and L 8.
    pub(super) exact: bool,
}

impl Parameters {
    /// The defaults of RFC 959 section 5.1.
    pub(super) const DEFAULT: Self = Self {
        representation: Some(Representation { kind: RepresentationType::Ascii, exact: false }),
        mode: Some(b'S'),
        structure: Some(b'F'),
    };

    pub(super) const UNKNOWN: Self = Self { representation: None, mode: None, structure: None };

    /// A byte of the file is a byte on the wire.
    pub(super) fn is_transparent(self) -> bool {
        self.representation.is_some_and(|it| it.exact)
            && self.mode == Some(b'S')
            && self.structure == Some(b'F')
    }

    /// In stream mode each file has a connection of its own.
    pub(super) fn is_stream(self) -> bool {
        self.mode == Some(b'S')
    }

    /// In block and compressed mode a data connection stays open for the next transfer (RFC 959 section 3.3).
    pub(super) const fn keeps_connection(self) -> bool {
        matches!(self.mode, Some(b'B' | b'C'))
    }
}

/// TYPE's argument (RFC 959 section 3.1.1): A, E, I, or L with a byte size.
pub(super) fn representation(arg: &[u8]) -> Option<Representation> {
    let (first, rest) = arg.split_first()?;
    let (kind, exact) = match first.to_ascii_uppercase() {
        b'A' => (RepresentationType::Ascii, false),
        b'E' => (RepresentationType::Ebcdic, false),
        b'I' => (RepresentationType::Image, true),
        b'L' => (RepresentationType::Image, rest.trim_ascii() == b"8"),
        _ => return None,
    };
    Some(Representation { kind, exact })
}

/// The size of a transfer by the dialogue, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// A size of the file can be compared with the bytes on the wire: a download with transparent parameters.
    pub(super) comparable: bool,
    /// The reply to SIZE for this file under these parameters.
    pub(super) size: Option<u64>,
    /// The 1yz reply's `(N bytes)`. After REST servers give the whole size or the rest of it.
    pub(super) said: Option<u64>,
    /// ALLO: storage to reserve, at least the file's size (RFC 959 section 4.1.3).
    pub(super) allocated: Option<u64>,
}

impl Due {
    /// The size to report: that of the transfer's own reply before others.
    pub(super) fn declared(self) -> Option<u64> {
        self.said.or(self.size).or(self.allocated)
    }

    /// The transfer moved fewer bytes than every reading of the dialogue requires. `offset`: where in the file it
    /// began; `part`: the most bytes that were asked for.
    pub(super) fn proves_short(self, offset: u64, part: Option<u64>, moved: u64) -> bool {
        let past_the_end = moved == 0 && self.may_begin_past_the_end(offset);
        self.comparable && !past_the_end && self.least(offset, part).is_some_and(|least| moved < least)
    }

    /// The file was sent from the `other` offset: so many bytes moved as are left of it from there.
    pub(super) fn proves_other(self, offset: u64, other: u64, moved: u64) -> bool {
        // Before the offset, the rest may be what the reply says: only SIZE is the whole.
        let whole = if other < offset { self.size } else { self.said.max(self.size) };
        self.comparable
            && other != offset
            && whole.is_some_and(|whole| whole.checked_sub(other) == Some(moved) && moved > 0)
    }

    /// The 1yz reply may have said the whole size, and the offset is not before it: nothing is due then.
    fn may_begin_past_the_end(self, offset: u64) -> bool {
        let rest_is_said = |said| self.size.is_some_and(|size| size.checked_sub(offset) == Some(said));
        self.said.is_some_and(|said| said <= offset && !rest_is_said(said))
    }

    fn least(self, offset: u64, part: Option<u64>) -> Option<u64> {
        let rest_of = |size: u64| size.saturating_sub(offset);
        let least = match (self.said, self.size) {
            (None, None) => return None,
            (None, Some(size)) => rest_of(size),
            // The whole size is given.
            (Some(said), Some(size)) if said == size => rest_of(size),
            // The rest is given.
            (Some(said), Some(size)) if size.checked_sub(offset) == Some(said) => said,
            // Bytes behind the end of the file: it is the rest.
            (Some(said), _) if said < offset => said,
            (Some(said), _) => rest_of(said),
        };
        Some(part.map_or(least, |part| least.min(part)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Due, Parameters, representation};

    /// Each row: size, said, offset, part, the fewest bytes that complete the transfer.
    #[test]
    fn the_least_that_is_due() {
        for (size, said, offset, part, least) in [
            (None, None, 0, None, None),
            (Some(10_000), None, 0, None, Some(10_000)),
            (Some(10_000), None, 4_000, None, Some(6_000)),
            (None, Some(10_000), 0, None, Some(10_000)),
            // The reply of the transfer is nearer than SIZE.
            (Some(10_000), Some(12_000), 0, None, Some(12_000)),
            // SIZE shows whether the rest or the whole is given.
            (Some(10_000), Some(6_000), 4_000, None, Some(6_000)),
            (Some(10_000), Some(10_000), 4_000, None, Some(6_000)),
            // Both readings hold: the smaller number is due.
            (None, Some(6_000), 4_000, None, Some(2_000)),
            (None, Some(3_000), 4_000, None, Some(3_000)),
            (Some(5_000), None, 1_000, Some(500), Some(500)),
            (Some(5_000), None, 4_800, Some(1_000), Some(200)),
        ] {
            let due = Due { comparable: true, size, said, allocated: None };
            assert_eq!(due.least(offset, part), least, "{size:?} {said:?} {offset} {part:?}");
            if let Some(least) = least {
                assert!(due.proves_short(offset, part, least - 1) && !due.proves_short(offset, part, least));
                let due = Due { comparable: false, ..due };
                assert!(!due.proves_short(offset, part, 0));
            }
        }
    }

    /// vsftpd gives the whole size, and accepts an offset behind it.
    #[test]
    fn nothing_is_due_past_the_end() {
        for (size, said, offset, moved, short) in [
            (None, 1_234, 200_000, 0, false),
            (Some(1_234), 1_234, 200_000, 0, false),
            (None, 1_234, 1_234, 0, false),
            (None, 1_234, 1_233, 0, true),
            // The rest is given: SIZE shows it, or bytes that come.
            (Some(10_000), 3_000, 7_000, 0, true),
            (None, 3_000, 4_000, 2_999, true),
            (None, 3_000, 4_000, 3_000, false),
        ] {
            let due = Due { comparable: true, size, said: Some(said), allocated: None };
            assert_eq!(due.proves_short(offset, None, moved), short, "{size:?} {said} {offset} {moved}");
        }
    }

    #[test]
    fn another_offset_is_proved_by_the_bytes() {
        for (size, said, moved, kept) in [
            (None, Some(1_000), 900, true),
            (Some(1_000), Some(900), 900, true),
            (Some(1_000), None, 900, true),
            (None, Some(1_000), 1_000, false),
            (None, Some(1_000), 500, false),
            (None, Some(100), 0, false),
            (None, None, 900, false),
        ] {
            let due = Due { comparable: true, size, said, allocated: None };
            assert_eq!(due.proves_other(0, 100, moved), kept, "{size:?} {said:?} {moved}");
            assert!(!due.proves_other(100, 100, moved) && !due.proves_other(0, 0, moved));
        }
        // Behind a REST that was refused: the offset before, or none.
        for (size, said, moved, none) in [
            (Some(1_000), Some(1_000), 1_000, true),
            (Some(1_000), Some(900), 900, false),
            (None, Some(900), 900, false),
            (Some(1_000), None, 900, false),
        ] {
            let due = Due { comparable: true, size, said, allocated: None };
            assert_eq!(due.proves_other(100, 0, moved), none, "{size:?} {said:?} {moved}");
        }
    }

    #[test]
    fn an_allocation_is_told_and_proves_nothing() {
        let due = Due { comparable: true, allocated: Some(1_000_000), ..Due::default() };
        assert_eq!(due.declared(), Some(1_000_000));
        assert!(!due.proves_short(0, None, 0));
    }

    #[test]
    fn only_image_in_stream_mode_is_transparent() {
        for (kind, mode, structure, transparent) in [
            (&b"I"[..], b'S', b'F', true),
            (b"L 8", b'S', b'F', true),
            (b"L 36", b'S', b'F', false),
            (b"A", b'S', b'F', false),
            (b"E N", b'S', b'F', false),
            (b"I", b'Z', b'F', false),
            (b"I", b'B', b'F', false),
            (b"I", b'C', b'F', false),
            (b"I", b'S', b'R', false),
        ] {
            let parameters = Parameters {
                representation: representation(kind),
                mode: Some(mode),
                structure: Some(structure),
            };
            assert_eq!(parameters.is_transparent(), transparent, "{kind:?}");
        }
        assert!(!Parameters::UNKNOWN.is_transparent() && !Parameters::DEFAULT.is_transparent());
    }
}
