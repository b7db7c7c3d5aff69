//! Any dialogue around a password, in segments of any size of which some come twice or late, as `--write-pcap` writes it: the password is
//! in no frame, and in no direction of the connection.
#![no_main]

use ftpmon::dump::Mask;
use ftpmon_fuzz::dialogue::segment;
use libfuzzer_sys::fuzz_target;

const SECRET: &[u8] = b"s3sAmE-0p3n";
/// Bytes of the headers in a frame.
const HEADERS: usize = 54;

struct Dialogue {
    mask: Mask,
    next: [u32; 2],
    said: [Vec<u8>; 2],
    /// The size of each segment, and whether it comes twice.
    manner: Vec<u8>,
    segments: usize,
}

impl Dialogue {
    fn say(&mut self, back: bool, text: &[u8]) {
        let own = usize::from(back);
        let mut rest = text;
        while !rest.is_empty() {
            let manner = self.manner.get(self.segments % self.manner.len().max(1)).copied().unwrap_or(127);
            self.segments += 1;
            let (piece, later) = rest.split_at(rest.len().min(usize::from(manner & 127) * 4 + 1));
            rest = later;
            let masked = self.masked(own, piece);
            self.said[own].extend(&masked);
            if manner > 127 {
                let again = self.masked(own, piece);
                assert!(!has_secret(&again), "{}", String::from_utf8_lossy(&again));
            }
            self.next[own] = self.next[own].wrapping_add(piece.len() as u32);
        }
    }

    fn masked(&mut self, own: usize, piece: &[u8]) -> Vec<u8> {
        let frame = [&[0; HEADERS][..], piece].concat();
        let segment = segment(own, self.next, &frame[HEADERS..]);
        let mut bytes = frame.clone();
        assert!(self.mask.apply(&frame, Some(&segment), &mut bytes));
        assert_eq!(bytes.len(), frame.len());
        bytes.split_off(HEADERS)
    }
}

fn has_secret(text: &[u8]) -> bool {
    text.windows(SECRET.len()).any(|window| window.eq_ignore_ascii_case(SECRET))
}

fuzz_target!(|input: (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>)| {
    let (before, reply, after, repeated, manner) = input;
    // Who says the password outside of PASS does not keep it.
    if [&before, &reply, &after].iter().any(|text| has_secret(text)) {
        return;
    }
    let said = [Vec::new(), Vec::new()];
    let mut it = Dialogue { mask: Mask::new(vec![21]), next: [1, 1], said, manner, segments: 0 };
    it.say(true, &reply);
    it.say(false, &before);
    it.say(false, &[b"\r\nPASS ", SECRET, b"\r\n"].concat());
    it.say(true, &[&repeated[..], b" ", SECRET, b"\r\n"].concat());
    it.say(false, &after);
    for said in &it.said {
        assert!(!has_secret(said), "{}", String::from_utf8_lossy(said));
    }
});
