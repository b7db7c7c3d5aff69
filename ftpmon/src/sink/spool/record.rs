//! A record of the spool: a batch of encoded events with a checksum.
//!
//! | bytes | |
//! |---|---|
//! | 4 | length of what follows the checksum, little-endian as all numbers |
//! | 4 | CRC-32C of what follows |
//! | 8 | `seq` of the first event |
//! | 8 | the route |
//! | 4 | number of events |
//! | 4 each | where each event ends in the lines |
//! | | the lines |

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::super::batch::LineBatch;

/// Bytes of length and checksum.
const PREFIX: usize = 8;
/// Bytes of the fields of a fixed length after them.
const FIXED: usize = 20;
/// The longest record, bytes: a damaged length must not become an allocation.
const LENGTH_MAX: usize = 64 << 20;

/// A record that was read.
pub(in crate::sink) struct SpoolRecord {
    /// The route whose events it holds.
    pub(in crate::sink) route: u64,
    /// The events.
    pub(in crate::sink) batch: LineBatch,
    /// `seq` after its last event.
    pub(in crate::sink) next_seq: u64,
    /// Its end in its segment.
    pub(in crate::sink) end: u64,
}

/// Appends a record of `batch` to `out`.
pub(super) fn encode(route: u64, batch: &LineBatch, out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    out.extend_from_slice(&batch.first_seq().to_le_bytes());
    out.extend_from_slice(&route.to_le_bytes());
    out.extend_from_slice(&(batch.ends().len() as u32).to_le_bytes());
    batch.ends().iter().for_each(|end| out.extend_from_slice(&end.to_le_bytes()));
    out.extend_from_slice(batch.bytes());
    let body = out.get(begin + PREFIX..).unwrap_or_default();
    let (length, crc) = (body.len() as u32, crc32c::crc32c(body));
    if let Some(prefix) = out.get_mut(begin..begin + PREFIX) {
        let (first, second) = prefix.split_at_mut(4);
        first.copy_from_slice(&length.to_le_bytes());
        second.copy_from_slice(&crc.to_le_bytes());
    }
}

/// The record at `offset` of a segment of which `limit` bytes are written; none at the end.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] where there is no whole record, or one whose checksum is wrong.
pub(super) fn read(segment: &File, offset: u64, limit: u64) -> io::Result<Option<SpoolRecord>> {
    if offset >= limit {
        return Ok(None);
    }
    let mut prefix = [0; PREFIX];
    let short = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it ends in a record"),
        _ => error,
    };
    segment.read_exact_at(&mut prefix, offset).map_err(short)?;
    let [a, b, c, d, e, f, g, h] = prefix;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let crc = u32::from_le_bytes([e, f, g, h]);
    let end = offset + PREFIX as u64 + length as u64;
    if !(FIXED..=LENGTH_MAX).contains(&length) || end > limit {
        return Err(damaged("a record has no possible length"));
    }
    let mut body = vec![0; length];
    segment.read_exact_at(&mut body, offset + PREFIX as u64).map_err(short)?;
    if crc32c::crc32c(&body) != crc {
        return Err(damaged("a record's checksum is wrong"));
    }
    parse(&body, end).map(Some).ok_or_else(|| damaged("a record's fields contradict each other"))
}

/// The end of the whole records that begin at `offset`.
pub(super) fn scan(
    segment: &File,
    mut offset: u64,
    limit: u64,
    mut each: impl FnMut(&SpoolRecord),
) -> io::Result<u64> {
    loop {
        match read(segment, offset, limit) {
            Ok(Some(record)) => {
                offset = record.end;
                each(&record);
            }
            Ok(None) => return Ok(offset),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(offset),
            Err(error) => return Err(error),
        }
    }
}

fn parse(body: &[u8], end: u64) -> Option<SpoolRecord> {
    let (first_seq, rest) = body.split_first_chunk::<8>()?;
    let (route, rest) = rest.split_first_chunk::<8>()?;
    let (events, rest) = rest.split_first_chunk::<4>()?;
    let events = u32::from_le_bytes(*events) as usize;
    let (ends, lines) = rest.split_at_checked(events.checked_mul(4)?)?;
    let ends: Vec<u32> = ends.as_chunks::<4>().0.iter().map(|end| u32::from_le_bytes(*end)).collect();
    if !ends.is_sorted() || ends.last().is_some_and(|&last| last as usize > lines.len()) {
        return None;
    }
    let first_seq = u64::from_le_bytes(*first_seq);
    let next_seq = first_seq.checked_add(events as u64)?;
    let batch = LineBatch::new(lines.to_vec(), ends, first_seq);
    Some(SpoolRecord { route: u64::from_le_bytes(*route), batch, next_seq, end })
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
