//! The files of the spool: `00000000000000000007.seg`, each with a header and records.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ftpmon_event::RunId;
use ftpmon_event::text::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The first bytes of a segment: the format and its version.
const MAGIC: &[u8; 8] = b"FTPMSPL1";
/// Bytes of the magic, the header's length and its checksum.
const PREFIX: usize = 16;
/// The longest header, bytes.
const HEADER_MAX: usize = 1 << 20;
const MODE: u32 = 0o600;

/// The header of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sink) struct Header {
    /// Its number.
    pub(in crate::sink) number: u64,
    /// The sensor.
    pub(in crate::sink) sensor: String,
    /// The run that wrote it.
    pub(in crate::sink) run: RunId,
    /// The kernel's id of the boot that it was written in.
    pub(in crate::sink) boot: String,
    /// SHA-256 of the segment before it, in hexadecimal digits.
    pub(in crate::sink) previous: Option<String>,
    /// The next `seq` of each route when it was begun, by the route in hexadecimal digits.
    pub(in crate::sink) next: BTreeMap<String, u64>,
}

impl Header {
    /// The next `seq` of a route when the segment was begun.
    pub(in crate::sink) fn next_seq(&self, route: u64) -> u64 {
        self.next.get(&route_name(route)).copied().unwrap_or(0)
    }
}

/// The route as a header spells it.
pub(super) fn route_name(route: u64) -> String {
    format!("{route:016x}")
}

/// The file of a segment.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.seg"))
}

/// A file in the directory of a spool is the spool's, by its name.
pub(super) fn is_spools(name: &str) -> bool {
    name.ends_with(".seg") || name.starts_with("cursor-") || name == "issued"
}

/// The numbers of all segments, in order.
pub(super) fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_suffix(".seg")).and_then(|name| name.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Creates a segment. Its bytes so far are the header's.
pub(super) fn create(folder: &Path, header: &Header) -> io::Result<(File, Vec<u8>)> {
    let json = serde_json::to_vec(header)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&(json.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&json).to_le_bytes());
    bytes.extend_from_slice(&json);
    let path = path(folder, header.number);
    let mut file = OpenOptions::new().read(true).append(true).create_new(true).mode(MODE).open(&path)?;
    if let Err(error) = file.write_all(&bytes) {
        // A segment without a whole header would be set aside at the next start.
        let _ = std::fs::remove_file(&path);
        return Err(error);
    }
    Ok((file, bytes))
}

/// Opens a segment: the file, its header, and where its records begin.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] where it has no whole header.
pub(super) fn open(folder: &Path, number: u64) -> io::Result<(File, Header, u64)> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it has no whole header");
    let mut file = OpenOptions::new().read(true).open(path(folder, number))?;
    let mut prefix = [0; PREFIX];
    file.read_exact(&mut prefix).map_err(|_| damaged())?;
    let (magic, rest) = prefix.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    let (crc, _) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    let length = u32::from_le_bytes(*length) as usize;
    if magic != MAGIC || length > HEADER_MAX {
        return Err(damaged());
    }
    let mut json = vec![0; length];
    file.read_exact(&mut json).map_err(|_| damaged())?;
    if crc32c::crc32c(&json) != u32::from_le_bytes(*crc) {
        return Err(damaged());
    }
    let header: Header = serde_json::from_slice(&json).map_err(|_| damaged())?;
    Ok((file, header, (PREFIX + length) as u64))
}

/// SHA-256 of a file, in hexadecimal digits.
pub(super) fn digest(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}

/// Renames a damaged segment: it is not read any more, and stays for inspection.
pub(super) fn set_aside(folder: &Path, number: u64) -> io::Result<PathBuf> {
    let from = path(folder, number);
    let aside = from.with_extension("bad");
    std::fs::rename(&from, &aside)?;
    Ok(aside)
}

/// Has the names in a directory survive a power failure.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
