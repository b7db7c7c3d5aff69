//! Lines as frames that begin with their length (RFC 6587 section 3.4.1, RFC 5425 section 4.3), over a stream.

use std::io::{self, Write as _};

use super::destination::{Destination, Recovery, Rejection, Unread};

/// Bytes of frames that are written at once.
const FRAMES_BYTES: usize = 64 << 10;

/// A stream that takes frames.
pub(super) struct OctetCounted {
    stream: Box<dyn Destination>,
    frames: Vec<u8>,
    /// The bytes of `frames` that are written.
    written: usize,
    /// The bytes of lines that `frames` hold.
    lines: usize,
}

impl OctetCounted {
    /// Frames over `stream`.
    pub(super) fn new(stream: Box<dyn Destination>) -> Self {
        Self { stream, frames: Vec::new(), written: 0, lines: 0 }
    }

    /// Frames of the first lines of `bytes`, at least of one.
    fn frame(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frames.clear();
        (self.written, self.lines) = (0, 0);
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.lines > 0 && self.frames.len() + line.len() > FRAMES_BYTES {
                break;
            }
            self.lines += line.len();
            let message = line.strip_suffix(b"\n").unwrap_or(line);
            if !message.is_empty() {
                write!(self.frames, "{} ", message.len())?;
                self.frames.extend_from_slice(message);
            }
        }
        Ok(())
    }
}

impl Destination for OctetCounted {
    fn open(&mut self) -> io::Result<()> {
        self.frames.clear();
        (self.written, self.lines) = (0, 0);
        self.stream.open()
    }

    /// A reader that takes nothing is asked again with the same bytes, whose frames are begun.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.lines == 0 {
            self.frame(bytes)?;
        }
        while let Some(rest) = self.frames.get(self.written..).filter(|rest| !rest.is_empty()) {
            self.written += self.stream.write(rest)?;
        }
        Ok(core::mem::take(&mut self.lines))
    }

    fn take_rejections(&mut self) -> Vec<Rejection> {
        self.stream.take_rejections()
    }

    fn recovery(&self) -> Recovery {
        self.stream.recovery()
    }

    /// Frames are a little longer than their lines: what counts as unread is at least what is.
    fn unread(&mut self, after: Option<&io::Error>) -> Unread {
        self.stream.unread(after)
    }

    fn in_kernel(&mut self) -> u64 {
        self.stream.in_kernel()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes seven bytes at a time, and nothing every other time.
    struct Slow(Arc<Mutex<Vec<u8>>>, bool);

    impl Destination for Slow {
        fn open(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let taken = bytes.len().min(7);
            self.0.lock().unwrap().extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn recovery(&self) -> Recovery {
            Recovery::WholeEvent
        }
    }

    #[test]
    fn each_line_is_a_frame_however_little_the_reader_takes() {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let mut frames = OctetCounted::new(Box::new(Slow(Arc::clone(&taken), false)));
        frames.open().unwrap();
        let (lines, mut at) = ("<13>1 - - - - - - a\n\nlonger than a write\n".as_bytes(), 0);
        while at < lines.len() {
            match frames.write(&lines[at..]) {
                Ok(written) => at += written,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert_eq!(*taken.lock().unwrap(), b"19 <13>1 - - - - - - a19 longer than a write");
    }

    #[test]
    fn a_new_connection_begins_with_a_whole_frame() {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let mut frames = OctetCounted::new(Box::new(Slow(Arc::clone(&taken), true)));
        assert!(frames.write(b"0123456789\n").is_err(), "a part of it is written");
        frames.open().unwrap();
        taken.lock().unwrap().clear();
        while frames.write(b"next\n").is_err() {}
        assert_eq!(*taken.lock().unwrap(), b"4 next");
    }
}
