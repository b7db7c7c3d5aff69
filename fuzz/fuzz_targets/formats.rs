//! Any dialogue around a password, in segments of any size, masked or hashed, in every format: the password is in no output, and every
//! output parses, a line an event.
#![no_main]

use ftpmon::format::{Encoder, Format, KindFilter};
use ftpmon_core::config::Secrets;
use ftpmon_core::engine::{Engine, EngineConfig, Output};
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, Origin, RunId};
use ftpmon_fuzz::dialogue::segment;
use ftpmon_fuzz::outputs::assert_parses;
use libfuzzer_sys::fuzz_target;

const SECRET: &[u8] = b"s3sAmE-0p3n";

struct Dialogue {
    engine: Engine,
    at: Timestamp,
    next: [u32; 2],
    /// Bytes of a segment.
    size: usize,
    events: Vec<Event>,
}

impl Dialogue {
    fn say(&mut self, back: bool, text: &[u8]) {
        let own = usize::from(back);
        for piece in text.chunks(self.size) {
            let segment = segment(own, self.next, piece);
            self.next[own] = self.next[own].wrapping_add(piece.len() as u32);
            self.at = self.at.plus_nanos(1_000_000);
            self.engine.handle_segment(self.at, 0, &segment);
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            if let Output::Event(event) = output {
                self.events.push(event);
            }
        }
    }
}

fn has_secret(text: &[u8]) -> bool {
    text.windows(SECRET.len()).any(|window| window.eq_ignore_ascii_case(SECRET))
}

fuzz_target!(|input: (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, u16, bool)| {
    let (before, reply, after, repeated, size, hashes) = input;
    // Who says the password outside of PASS does not keep it.
    if [&before, &reply, &after].iter().any(|text| has_secret(text)) {
        return;
    }
    let secrets = if hashes { Secrets::Hash([7; 32]) } else { Secrets::Mask };
    let engine = Engine::new(EngineConfig { secrets, ..EngineConfig::default() });
    let size = usize::from(size % 1_400) + 1;
    let at = Timestamp::from_parts(1_700_000_000, 0);
    let mut it = Dialogue { engine, at, next: [1, 1], size, events: Vec::new() };
    it.say(true, b"220 ready\r\n");
    it.say(false, b"USER bob\r\n");
    it.say(true, b"331 more\r\n");
    it.say(true, &reply);
    it.say(false, &before);
    it.say(false, &[b"\r\nPASS ", SECRET, b"\r\n"].concat());
    it.say(true, &[&repeated[..], b" ", SECRET, b"\r\n"].concat());
    it.say(false, &after);
    it.engine.finish(it.at);
    it.drain();
    let origin = Origin { run: RunId(1), sensor: "fuzz".to_owned() };
    for format in Format::ALL {
        let mut encoder = Encoder::new(format.formatter(&origin), KindFilter::only::<&str>(&[]), 65_536);
        let mut out = Vec::new();
        it.events.iter().for_each(|event| {
            encoder.event(event, &mut out);
        });
        assert!(!has_secret(&out), "{}: {}", format.name(), String::from_utf8_lossy(&out));
        assert_parses(*format, &out);
    }
});
