//! Event files, line by line.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use super::line::Line;
use super::runs::Runs;
use flate2::read::MultiGzDecoder;

/// The longest line that is read, bytes. Stops a file without line feeds from filling memory.
const LINE_MAX: u64 = 16 << 20;
/// The first bytes of a gzip file (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Adds the events of a file to `runs`.
///
/// # Errors
/// It cannot be read, or a line is no event.
pub(super) fn read(path: &Path, runs: &mut Runs) -> io::Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    if file.fill_buf()?.starts_with(&GZIP) {
        lines(BufReader::new(MultiGzDecoder::new(file)), runs)
    } else {
        lines(file, runs)
    }
}

fn lines(mut file: BufReader<impl Read>, runs: &mut Runs) -> io::Result<()> {
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        if file.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        match serde_json::from_slice::<Line>(text) {
            Ok(event) => runs.add(&event),
            // A killed run left it; its number is missing where it is nowhere else.
            Err(_) if !line.ends_with(b"\n") || !text.ends_with(b"}") => runs.cut_line(),
            Err(error) => {
                return Err(io::Error::other(format!("line {number} is no event of --format json: {error}")));
            }
        }
    }
}
