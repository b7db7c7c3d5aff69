//! The events of frames, by an engine in this process.

use ftpmon_core::engine::{Engine, EngineConfig, Output};
use ftpmon_core::frame::{Decoder, LinkType, RawFrame};
use ftpmon_event::Event;
use ftpmon_event::link::InterfaceId;
use ftpmon_event::time::Timestamp;
use ftpmon_tests::script::capture::Frame;

/// The result of reading frames.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Every event, in order.
    pub(crate) events: Vec<Event>,
    /// Frames without a TCP segment.
    pub(crate) without_segment: usize,
}

impl Reading {
    /// Reads frames in their order, by their own times.
    pub(crate) fn of(frames: &[Frame], config: EngineConfig) -> Self {
        let mut reading = Self::default();
        let (mut decoder, mut engine) = (Decoder::default(), Engine::new(config));
        let mut at = Timestamp::default();
        for (index, frame) in frames.iter().enumerate() {
            at = Timestamp::from_nanos(frame.at_ns as i64);
            while engine.poll_timeout().is_some_and(|due| due <= at) {
                engine.handle_timeout(at);
            }
            let raw = RawFrame {
                link: LinkType::Ethernet,
                bytes: &frame.bytes,
                wire_len: frame.wire_len as u32,
                interface: InterfaceId(0),
                tag: None,
            };
            match decoder.decode(at, &raw) {
                Some(segment) => engine.handle_segment(at, index as u64, &segment),
                None => reading.without_segment += 1,
            }
            reading.drain(&mut engine);
        }
        engine.finish(at);
        reading.drain(&mut engine);
        reading
    }

    fn drain(&mut self, engine: &mut Engine) {
        while let Some(output) = engine.poll() {
            if let Output::Event(event) = output {
                self.events.push(event);
            }
        }
    }
}
