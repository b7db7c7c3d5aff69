//! The kernel's type information (BTF, Documentation/bpf/btf.rst), as far as it tells where a structure has a field.

use std::io;

use ftpmon_common::SocketOffsets;

/// The running kernel's type information.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
/// The magic number of BTF in the byte order of this machine.
const MAGIC: u16 = 0xeb9f;
/// Anonymous structures within one another at most. The kernel has four; stops a description that contains itself.
const DEPTH_MAX: u32 = 16;

const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
/// A structure's field, bytes: its name, its type, its place.
const FIELD_LEN: usize = 12;

/// Type information that was read.
pub(super) struct TypeInfo {
    types: Vec<u8>,
    strings: Vec<u8>,
    /// The place of each type, by its number less one.
    places: Vec<u32>,
}

/// A structure or union.
#[derive(Clone, Copy)]
struct Structure<'i> {
    fields: &'i [u8],
    /// The upper 8 bits of a place are the width of a bit field.
    with_widths: bool,
}

impl TypeInfo {
    /// That of the running kernel.
    ///
    /// # Errors
    /// The kernel has none, or in a form that is not known.
    pub(super) fn of_kernel() -> io::Result<Self> {
        let bytes = std::fs::read(VMLINUX)?;
        Self::read(&bytes).ok_or_else(|| io::Error::other(format!("{VMLINUX} has a form that is not known")))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let magic = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
        let header = word(bytes, 4)? as usize;
        let part = |at: usize| {
            let (begin, len) =
                (header.checked_add(word(bytes, at)? as usize)?, word(bytes, at + 4)? as usize);
            bytes.get(begin..begin.checked_add(len)?)
        };
        let (types, strings) = (part(8)?, part(16)?);
        let mut places = Vec::new();
        let mut at = 0;
        while at < types.len() {
            places.push(u32::try_from(at).ok()?);
            at = at.checked_add(12)?.checked_add(behind(word(types, at + 4)?)?)?;
        }
        (magic == MAGIC).then(|| Self { types: types.to_vec(), strings: strings.to_vec(), places })
    }

    /// The place of a structure's field, bytes; none where there is none, or within a byte.
    pub(super) fn place(&self, structure: &str, field: &str) -> Option<u32> {
        let mut found = self.places.iter().filter_map(|&at| {
            let info = word(&self.types, at as usize + 4)?;
            let is_named = kind(info) == KIND_STRUCT && self.is(word(&self.types, at as usize)?, structure);
            is_named.then(|| self.structure(at)).flatten()
        });
        let bits = found.find_map(|structure| self.bits(structure, field, 0))?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }

    /// The place of a field in a structure or the unnamed ones in it, bits.
    fn bits(&self, structure: Structure<'_>, field: &str, depth: u32) -> Option<u32> {
        if depth > DEPTH_MAX {
            return None;
        }
        structure.fields.chunks_exact(FIELD_LEN).find_map(|bytes| {
            let (name, of, place) = (word(bytes, 0)?, word(bytes, 4)?, word(bytes, 8)?);
            let place = if structure.with_widths { place & 0x00ff_ffff } else { place };
            if name == 0 || self.is(name, "") {
                let at = *self.places.get(of.checked_sub(1)? as usize)?;
                return self.bits(self.structure(at)?, field, depth + 1)?.checked_add(place);
            }
            self.is(name, field).then_some(place)
        })
    }

    fn structure(&self, at: u32) -> Option<Structure<'_>> {
        let info = word(&self.types, at as usize + 4)?;
        let begin = at as usize + 12;
        matches!(kind(info), KIND_STRUCT | KIND_UNION).then_some(())?;
        let fields = self.types.get(begin..begin.checked_add((info & 0xffff) as usize * FIELD_LEN)?)?;
        Some(Structure { fields, with_widths: info >> 31 == 1 })
    }

    /// The string at a place is this one.
    fn is(&self, place: u32, text: &str) -> bool {
        let rest = self.strings.get(place as usize..).unwrap_or_default();
        rest.strip_prefix(text.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
    }

    /// The places that the program of open sockets reads.
    ///
    /// # Errors
    /// A structure has no such field: its name.
    pub(super) fn sockets(&self) -> Result<SocketOffsets, &'static str> {
        let place = |structure: &'static str, field: &'static str| self.place(structure, field).ok_or(field);
        let v6 = |field| self.place("sock_common", field).unwrap_or(0);
        Ok(SocketOffsets {
            tgid: place("task_struct", "tgid")?,
            file_inode: place("file", "f_inode")?,
            inode_number: place("inode", "i_ino")?,
            sock: place("socket", "sk")?,
            protocol: place("sock", "sk_protocol")?,
            family: place("sock_common", "skc_family")?,
            state: place("sock_common", "skc_state")?,
            own: place("sock_common", "skc_rcv_saddr")?,
            peer: place("sock_common", "skc_daddr")?,
            own_port: place("sock_common", "skc_num")?,
            peer_port: place("sock_common", "skc_dport")?,
            own_v6: v6("skc_v6_rcv_saddr"),
            peer_v6: v6("skc_v6_daddr"),
            net: place("sock_common", "skc_net")?,
            netns: place("net", "ns")?.saturating_add(place("ns_common", "inum")?),
        })
    }
}

fn kind(info: u32) -> u32 {
    info >> 24 & 0x1f
}

/// The bytes behind a type's 12, by its kind and the number of its parts; none for a kind that is not known.
fn behind(info: u32) -> Option<usize> {
    let parts = (info & 0xffff) as usize;
    Some(match kind(info) {
        // Integers, variables, tags of declarations.
        1 | 14 | 17 => 4,
        // Arrays.
        3 => 12,
        // Structures, unions, sections of data, enumerations of 64 bits.
        KIND_STRUCT | KIND_UNION | 15 | 19 => parts * FIELD_LEN,
        // Enumerations, parameters of functions.
        6 | 13 => parts * 8,
        // Pointers, names, qualifiers, functions, floats.
        2 | 7..=12 | 16 | 18 => 0,
        _ => return None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type information with one type of 12 bytes and what stands behind each, and these strings.
    fn built(types: &[&[u32]], strings: &str) -> Vec<u8> {
        let types: Vec<u8> =
            types.iter().flat_map(|it| it.iter().flat_map(|word| word.to_ne_bytes())).collect();
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        for word in [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(types);
        bytes.extend(strings.as_bytes());
        bytes
    }

    #[test]
    fn a_field_is_found_in_what_has_no_name() {
        // struct a { int b; union { int c; struct { int d; int e; }; }; };  struct f { u32 g:3, h:8; };
        let strings = "\0a\0b\0c\0d\0e\0f\0g\0h\0";
        let structure = |parts: u32| KIND_STRUCT << 24 | parts;
        let bytes = built(
            &[
                &[0, 1 << 24, 4, 32],
                &[0, structure(2), 8, 7, 1, 0, 9, 1, 32],
                &[0, KIND_UNION << 24 | 2, 8, 5, 1, 0, 0, 2, 0],
                &[1, structure(2), 12, 3, 1, 0, 0, 3, 32],
                &[11, 1 << 31 | structure(2), 4, 13, 1, 3 << 24, 15, 1, 8 << 24 | 8],
            ],
            strings,
        );
        let info = TypeInfo::read(&bytes).unwrap();
        let of_a = ["b", "c", "d", "e", "f"].map(|field| info.place("a", field));
        assert_eq!(of_a, [Some(0), Some(4), Some(4), Some(8), None]);
        assert_eq!((info.place("f", "g"), info.place("f", "h")), (Some(0), Some(1)));
        assert_eq!((info.place("", "d"), info.place("nobody", "b")), (Some(0), None));
        assert_eq!(info.sockets(), Err("tgid"));
    }

    #[test]
    fn what_contains_itself_and_what_is_cut_have_no_place() {
        let strings = "\0a\0";
        let bytes = built(&[&[1, KIND_STRUCT << 24 | 1, 4, 0, 1, 0]], strings);
        assert_eq!(TypeInfo::read(&bytes).unwrap().place("a", "b"), None);
        for len in 0..bytes.len() {
            if let Some(info) = TypeInfo::read(&bytes[..len]) {
                assert_eq!(info.place("a", "b"), None, "{len}");
            }
        }
        assert!(TypeInfo::read(&built(&[&[0, 31 << 24, 0]], strings)).is_none());
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn the_running_kernels_places_are_those_that_never_changed() {
        // Where the kernel has no type information there is nothing to compare.
        let Ok(info) = TypeInfo::of_kernel() else { return };
        let places = info.sockets().unwrap();
        // include/net/sock.h keeps these at the beginning for the cache.
        assert_eq!((places.peer, places.own, places.peer_port, places.own_port), (0, 4, 12, 14));
        assert_eq!((places.family, places.state), (16, 18));
    }
}
