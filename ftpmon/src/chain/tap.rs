//! A copy of all events, as lines of JSON, while somebody reads it.

use ftpmon_event::{Event, Origin};

use crate::format::{Encoder, Format, KindFilter, LINE_BYTES_DEFAULT};
use crate::status::Feed;

/// The copy. Its numbers are its own.
pub(super) struct Tap {
    feed: Feed,
    encoder: Encoder,
    line: Vec<u8>,
}

impl Tap {
    pub(super) fn new(feed: Feed, origin: &Origin) -> Self {
        let encoder = Encoder::new(Format::Json.formatter(origin), KindFilter::ALL, LINE_BYTES_DEFAULT);
        Self { feed, encoder, line: Vec::new() }
    }

    /// Takes an event.
    #[inline]
    pub(super) fn event(&mut self, event: &Event) {
        if self.feed.is_read() {
            self.line.clear();
            self.encoder.event(event, &mut self.line);
            self.feed.push(&self.line);
        }
    }
}
