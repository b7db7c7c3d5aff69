//! Files of events as `--format json` writes them, line by line.

use core::ops::ControlFlow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::format::LINE_BYTES_MAX;

/// The longest line that is read, bytes: the longest that ftpmon writes. Stops a file without line feeds from filling memory.
const LINE_MAX: u64 = LINE_BYTES_MAX as u64;
/// The first bytes of a gzip file (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A file, decompressed where it is gzipped.
///
/// # Errors
/// It cannot be read.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(File::open(path)?);
    let gzipped = file.fill_buf()?.starts_with(&GZIP);
    Ok(if gzipped { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) })
}

/// The same; `-` is standard input.
///
/// # Errors
/// It cannot be read.
pub(crate) fn open_or_stdin(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path == Path::new("-") { Ok(Box::new(BufReader::new(io::stdin()))) } else { open(path) }
}

/// Calls something for each line, with its number from 1 and its line feed, until there are no more or it breaks.
///
/// # Errors
/// The input cannot be read, or what `each` gives.
pub(crate) fn for_each_line<E: From<io::Error>>(
    mut input: impl BufRead,
    mut each: impl FnMut(u64, &[u8]) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = input.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)?;
        if read == 0 || each(number, &line)?.is_break() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8], most: usize) -> Vec<(u64, Vec<u8>)> {
        let mut lines = Vec::new();
        let each = |number, line: &[u8]| {
            lines.push((number, line.to_vec()));
            Ok::<_, io::Error>(if lines.len() == most {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        };
        for_each_line(input, each).unwrap();
        lines
    }

    #[test]
    fn lines_have_numbers_and_line_feeds() {
        let whole = [(1, b"a\n".to_vec()), (2, b"\n".to_vec()), (3, b"b".to_vec())];
        assert_eq!(lines(b"a\n\nb", 9), whole);
        assert_eq!(lines(b"a\n\nb", 2), whole[..2]);
        assert_eq!(lines(b"", 9), []);
    }

    #[test]
    fn the_longest_line_that_is_written_is_read_whole() {
        let mut longest = vec![b'x'; LINE_MAX as usize - 1];
        longest.extend(b"\na\n");
        let read = lines(&longest, 9);
        assert_eq!(read.iter().map(|(_, line)| line.len()).collect::<Vec<_>>(), [LINE_MAX as usize, 2]);
    }
}
