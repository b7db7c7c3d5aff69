//! One way of events out of the agent: a filter, an encoder and outputs.

use std::io;

use crate::config::RouteConfig;
use crate::format::{Encoder, KindFilter};
use crate::sink::{Outputs, SinkSpec};
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, Origin};

/// Writes the events that it wants, in its format and with numbers of its own, to its outputs.
pub(crate) struct Route<O> {
    encoder: Encoder,
    /// Finished lines, and the events in them.
    lines: Vec<u8>,
    events: u64,
    outputs: O,
}

impl<O: Outputs> Route<O> {
    /// A route as `config` describes it, for the events of `origin`.
    ///
    /// # Errors
    /// That of `open`, which opens the outputs.
    pub(super) fn new<E>(
        config: &RouteConfig,
        origin: &Origin,
        open: impl FnOnce(&[SinkSpec]) -> Result<O, E>,
    ) -> Result<Self, E> {
        let outputs = open(&config.outputs)?;
        let encoder = Encoder::new(
            config.format.formatter(origin),
            KindFilter::only(&config.events),
            config.max_line_bytes,
        );
        Ok(Self { encoder, lines: Vec::new(), events: 0, outputs })
    }

    pub(super) fn outputs(&self) -> &O {
        &self.outputs
    }

    /// Starts the outputs; each begins with the format's header and `start`.
    pub(super) fn start(&mut self, start: &mut Event) -> io::Result<()> {
        let mut opening = Vec::new();
        self.encoder.header(start.ts, &mut opening);
        self.encoder.event(start, &mut opening);
        self.outputs.start(&opening)
    }

    /// The `seq` of the next event.
    pub(super) fn next_seq(&self) -> u64 {
        self.encoder.written()
    }

    /// From now on `seq` goes on from `seq`: an output that another route wrote to before has no number twice.
    pub(super) fn continue_from(&mut self, seq: u64) {
        self.encoder.continue_from(seq);
    }

    /// Outputs that are opened again begin with the format's header and `start`.
    pub(super) fn set_opening(&mut self, start: &Event) {
        let mut opening = Vec::new();
        self.encoder.header(start.ts, &mut opening);
        self.encoder.repeat(0, start, &mut opening);
        self.outputs.set_opening(&opening);
    }

    /// Writes an event, if this route wants it.
    #[inline]
    pub(super) fn event(&mut self, event: &mut Event) {
        if let EventKind::Stats(stats) = &mut event.kind {
            stats.emitted = self.encoder.written();
        }
        self.events += u64::from(self.encoder.event(event, &mut self.lines));
        if self.lines.len() >= O::BLOCK_BYTES {
            self.flush();
        }
    }

    /// Writes an event that this route wants and that is a line already, but for its number: what stands before that, and what
    /// behind.
    #[inline]
    pub(super) fn line(&mut self, before: &[u8], behind: &[u8]) {
        self.encoder.line(before, behind, &mut self.lines);
        self.events += 1;
        if self.lines.len() >= O::BLOCK_BYTES {
            self.flush();
        }
    }

    /// Hands the finished lines to the outputs.
    pub(super) fn flush(&mut self) {
        let events = core::mem::take(&mut self.events);
        if !self.lines.is_empty() {
            self.outputs.write(&mut self.lines, events);
        }
    }

    /// Writes the format's footer and closes the outputs.
    pub(super) fn finish(mut self, at: Timestamp) -> Result<(), O::Error> {
        self.encoder.footer(at, &mut self.lines);
        self.flush();
        self.outputs.finish()
    }
}
