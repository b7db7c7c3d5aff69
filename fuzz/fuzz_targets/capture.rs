//! Any bytes as a capture file. However the source hands them out, the packets are the same; a file cut anywhere gives a
//! prefix of the packets of the whole one.
//!
//! Input: two bytes that choose the reads and the cut, then the file.
#![no_main]

use std::io::{Cursor, Read};

use ftpmon::capture::{CaptureError, CaptureFile, RECORD_LEN_MAX, Step};
use libfuzzer_sys::fuzz_target;

/// Hands out at most `most` bytes a read.
struct Slow {
    bytes: Cursor<Vec<u8>>,
    most: usize,
}

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.most);
        self.bytes.read(&mut buffer[..most])
    }
}

/// Packets of a file at most: a small gzip file may hold millions.
const PACKETS_MAX: usize = 4_096;

/// The packets as time, captured length and a sum of their bytes, and how the file ended.
fn packets(file: &[u8], most: usize) -> (Vec<(i64, usize, u64)>, Option<CaptureError>) {
    let source = Slow { bytes: Cursor::new(file.to_vec()), most };
    let mut capture = CaptureFile::from_source(Box::new(source), None);
    let mut out = Vec::new();
    let mut waits = 0;
    while out.len() < PACKETS_MAX {
        match capture.step() {
            Ok(Step::Packet { at, frame }) => {
                assert!(frame.bytes.len() <= RECORD_LEN_MAX as usize);
                let sum = frame.bytes.iter().fold(0u64, |sum, byte| sum.rotate_left(5) ^ u64::from(*byte));
                out.push((at.as_nanos(), frame.bytes.len(), sum));
            }
            Ok(Step::Interface { .. }) => {}
            Ok(Step::Wait) => {
                waits += 1;
                assert!(waits < 1_000_000, "waits for ever");
            }
            Ok(Step::End) => return (out, None),
            Err(error) => {
                // One clear line.
                assert!(!error.to_string().is_empty() && !error.to_string().contains('\n'));
                return (out, Some(error));
            }
        }
    }
    (out, None)
}

fuzz_target!(|input: &[u8]| {
    let [most, cut, file @ ..] = input else { return };
    let (whole, error) = packets(file, usize::MAX);
    let (slow, slow_error) = packets(file, usize::from(*most) + 1);
    if file.starts_with(&[0x1f, 0x8b]) {
        // Where a gzip stream is broken, what was decompressed with the broken part is lost with it.
        assert!(whole.starts_with(&slow) || slow.starts_with(&whole));
        return;
    }
    assert_eq!(whole, slow);
    assert_eq!(error.map(|e| e.to_string()), slow_error.map(|e| e.to_string()));
    let cut = file.len() * usize::from(*cut) / 255;
    let (head, _) = packets(&file[..cut], usize::MAX);
    assert!(whole.starts_with(&head));
});
