//! One way of events out of the agent: a filter, an encoder and outputs.

use std::io;
use std::net::IpAddr;

use super::privacy::Privacy;
use super::rate::RateLimits;
use crate::config::{FilterConfig, RouteConfig};
use crate::format::{Encoder, Explain, Format, Formatter, KindFilter, Pretty, SyslogHeader};
use crate::sink::{Lines, Loss, OutputSpec, Outputs, SinkSpec};
use ftpmon_core::engine::Secrets;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, Origin, SessionIdentity};

/// Writes the events that it wants, in its format and with numbers of its own, to its outputs.
pub(crate) struct Route<O> {
    encoder: Encoder,
    /// The conditions on events; none where there are none.
    filter: Option<FilterConfig>,
    rate: Option<RateLimits>,
    privacy: Option<Privacy>,
    /// Finished lines.
    lines: Lines,
    outputs: O,
}

impl<O: Outputs> Route<O> {
    /// A route as `config` describes it, for the events of `origin`; `names` holds the key of hashed names.
    ///
    /// # Errors
    /// That of `open`, which opens the outputs.
    pub(super) fn new<E>(
        config: &RouteConfig,
        origin: &Origin,
        names: &Secrets,
        open: impl FnOnce(&RouteConfig) -> Result<O, E>,
    ) -> Result<Self, E> {
        let outputs = open(config)?;
        // Colours belong on a terminal, not in a file.
        let is_stdout = |output: &OutputSpec| output.sink == SinkSpec::Stdout;
        let formatter: Box<dyn Formatter + Send> = match config.format {
            Format::Pretty if config.outputs.iter().all(is_stdout) => Box::new(Pretty::for_stdout()),
            Format::Explain if config.outputs.iter().all(is_stdout) => Box::new(Explain::for_stdout()),
            format => format.formatter(origin),
        };
        let mut encoder = Encoder::new(formatter, KindFilter::only(&config.events), config.max_line_bytes);
        if let Some(form) = config.syslog() {
            encoder = encoder.with_syslog(SyslogHeader::new(form, origin));
        }
        let filter = Some(config.filter.clone()).filter(|filter| !filter.is_empty());
        let (rate, privacy) = (RateLimits::new(&config.rate), Privacy::new(config.privacy, names));
        Ok(Self { encoder, filter, rate, privacy, lines: Lines::default(), outputs })
    }

    #[cfg(test)]
    pub(super) const fn outputs_mut(&mut self) -> &mut O {
        &mut self.outputs
    }

    pub(super) fn outputs(&self) -> &O {
        &self.outputs
    }

    /// Starts the outputs; each begins with the format's header and `start`.
    pub(crate) fn start(&mut self, start: &mut Event) -> io::Result<()> {
        let mut opening = Vec::new();
        let seq = self.encoder.written();
        self.encoder.header(start.ts, &mut opening);
        self.encoder.event(start, &mut opening);
        self.lines.first_seq = self.encoder.written();
        self.outputs.start(&opening, seq)
    }

    /// The `seq` of the next event.
    pub(super) fn next_seq(&self) -> u64 {
        self.encoder.written()
    }

    /// From now on `seq` continues from `seq`: an output that another route wrote to before has no number twice.
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
        if self.filter.as_ref().is_some_and(|filter| !filter.wants(event)) || !self.admits(event) {
            return;
        }
        if let EventKind::Stats(stats) = &mut event.kind {
            stats.emitted = self.encoder.written();
            stats.held_back = self.rate.as_ref().map(RateLimits::held_back).unwrap_or_default();
        }
        match self.privacy.as_ref().map(|privacy| privacy.apply(event)) {
            Some(event) => self.encode(&event),
            None => self.encode(event),
        }
    }

    /// The rates of this route let it pass: an event that it would not write anyway uses nothing up.
    #[inline]
    fn admits(&mut self, event: &Event) -> bool {
        let Some(rate) = &mut self.rate else { return true };
        !self.encoder.wants(event) || rate.admits(event)
    }

    #[inline]
    fn encode(&mut self, event: &Event) {
        if self.encoder.event(event, &mut self.lines.bytes) {
            self.lines.urgent |= matches!(event.kind, EventKind::Login(_) | EventKind::Alert(_));
            self.end_event(event.session.as_deref());
        }
    }

    /// Writes an event that this route wants and that is a line already, but for its number: what stands before that, and what
    /// behind.
    #[inline]
    pub(super) fn line(&mut self, before: &[u8], behind: &[u8]) {
        self.encoder.line(before, behind, &mut self.lines.bytes);
        self.end_event(None);
    }

    #[inline]
    fn end_event(&mut self, session: Option<&SessionIdentity>) {
        if O::BY_EVENT {
            self.lines.ends.push(self.lines.bytes.len() as u32);
            self.lines.owners.push(session.map_or(0, |session| owner_of(session.client.ip)));
        }
        if self.lines.bytes.len() >= O::BLOCK_BYTES {
            self.flush();
        }
    }

    /// Hands the finished lines to the outputs.
    pub(super) fn flush(&mut self) {
        self.hand_over(O::write);
    }

    /// Hands the finished lines, which report losses, to the outputs.
    pub(super) fn flush_report(&mut self) {
        self.hand_over(O::write_report);
    }

    /// Takes what outputs lost and is to be reported now, with the output's name; at the end all of it.
    pub(super) fn take_losses(&mut self, end: bool) -> Vec<(String, Loss)> {
        self.outputs.take_losses(end)
    }

    fn hand_over(&mut self, write: impl FnOnce(&mut O, &mut Lines)) {
        if !self.lines.bytes.is_empty() {
            write(&mut self.outputs, &mut self.lines);
        }
        // Events that the format cannot say.
        self.lines.ends.clear();
        self.lines.owners.clear();
        self.lines.urgent = false;
        self.lines.first_seq = self.encoder.written();
    }

    /// Writes the format's footer and closes the outputs.
    pub(super) fn finish(mut self, at: Timestamp) -> Result<(), O::Error> {
        self.encoder.footer(at, &mut self.lines.bytes);
        self.flush();
        self.outputs.finish()
    }
}

/// The number of a client among the owners of events.
fn owner_of(client: IpAddr) -> u8 {
    let number = match client {
        IpAddr::V4(client) => u64::from(client.to_bits()),
        IpAddr::V6(client) => (client.to_bits() >> 64) as u64 ^ client.to_bits() as u64,
    };
    // The multiplier of a linear congruential generator (Knuth, MMIX) spreads neighbouring addresses.
    let spread = number.wrapping_mul(6_364_136_223_846_793_005);
    1 + (spread >> 32) as u8 % u8::MAX
}
