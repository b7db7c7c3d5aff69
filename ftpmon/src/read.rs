//! `ftpmon read`: capture files to events. No root, no kernel.
//!
//! Time is packet time: timers run by it, and nothing depends on when or how fast a file is read, so that the same file
//! always gives the same events.

mod intake;
mod output;
mod progress;
mod writer;

use std::time::SystemTime;

use anyhow::Context as _;

use crate::config::Config;
use crate::format::{Encoder, KindFilter};
use crate::notice::notice;
use crate::store::{Keeper, Outcomes};
use crate::telemetry::{Kind, Sampled, Snapshot, StartFacts};
use ftpmon_core::engine::{Engine, EngineConfig};
use ftpmon_core::segment::Segment;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, SensorStop};
use intake::{Batch, Found, Intake, Item, Summary};
use output::OutputError;
use progress::Progress;
use writer::{BATCH_EVENTS, Stopped, Writer};

/// Payload bytes after which events are written, however few they are: bounds what long replies make them hold.
const BATCH_SAID_BYTES: usize = 1 << 20;

/// Reads all files in their order, one after the other, as one run.
///
/// A file that cannot be read, or not to its end, keeps none of the others from being read; what its good part holds is
/// reported first.
///
/// # Errors
/// The last thing that went wrong; the others were told on standard error. A reader of the output that goes away is no
/// error.
pub fn read(config: &Config) -> anyhow::Result<()> {
    let mut reading = Reading::new(config.read_engine()?, config);
    let written = match reading.files() {
        Ok(()) => reading.writer.finish(reading.now),
        Err(Stopped) => reading.writer.stopped(),
    };
    match written {
        Ok(()) => reading.failed.map_or(Ok(()), Err),
        Err(OutputError::Gone) => Ok(()),
        Err(OutputError::Failed(error)) => Err(error).context("cannot write to standard output"),
    }
}

/// A run of `ftpmon read`.
struct Reading<'a> {
    config: &'a Config,
    engine_config: EngineConfig,
    engine: Engine,
    writer: Writer,
    /// With `--files extract`.
    kept: Option<(Keeper, Outcomes)>,
    /// When the first packet was captured.
    begun: Option<Timestamp>,
    /// The latest time seen so far. A packet may be older; a timer's time never is.
    now: Timestamp,
    /// Payload bytes since the engine's events were taken.
    said: usize,
    /// What went wrong last.
    failed: Option<anyhow::Error>,
}

impl<'a> Reading<'a> {
    fn new(engine_config: EngineConfig, config: &'a Config) -> Self {
        let route = config.routes().into_iter().next().unwrap_or_default();
        let encoder =
            Encoder::new(route.format.formatter(&config.sensor_name()), KindFilter::only(&route.events));
        Self {
            config,
            engine: Engine::new(engine_config.clone()),
            engine_config,
            writer: Writer::start(encoder),
            kept: config.store().map(|options| {
                let mut keeper = Keeper::new(options);
                keeper.open();
                (keeper, Outcomes::default())
            }),
            begun: None,
            now: Timestamp::default(),
            said: 0,
            failed: None,
        }
    }

    fn files(&mut self) -> Result<(), Stopped> {
        let mut progress = Progress::new(self.config.read.captures.len());
        let intake = Intake::start(self.config.read.captures.clone());
        while let Some(found) = intake.next() {
            match found {
                Found::Batch(batch) => {
                    self.batch(&batch)?;
                    if let Some(place) = &batch.place {
                        progress.update(self.config.read.captures.get(place.file), place);
                    }
                    intake.give_back(batch);
                }
                Found::Failed(error) => {
                    self.flush()?;
                    progress.clear();
                    if let Some(earlier) = self.failed.replace(error) {
                        notice(format_args!("{earlier:#}"));
                    }
                }
            }
        }
        progress.clear();
        self.stop(&intake.finish())
    }

    fn batch(&mut self, batch: &Batch) -> Result<(), Stopped> {
        for item in batch.items() {
            match item {
                Item::Packet { at, segment } => self.packet(at, segment.as_ref())?,
                Item::Interface { id, name } => self.engine.name_interface(id, name),
            }
        }
        if batch.pauses() { self.flush() } else { Ok(()) }
    }

    fn packet(&mut self, at: Timestamp, segment: Option<&Segment<'_>>) -> Result<(), Stopped> {
        if self.begun.is_none() {
            self.start(at)?;
        }
        self.now = self.now.max(at);
        self.engine.handle_timeout(self.now);
        if let Some(segment) = segment {
            self.said += segment.payload.len();
            self.engine.handle_segment(at, segment);
        }
        let waiting = self.engine.events_waiting();
        if waiting > 0 {
            self.writer.waiting(waiting);
        }
        if waiting >= BATCH_EVENTS || self.said >= BATCH_SAID_BYTES { self.settle() } else { Ok(()) }
    }

    /// The first line says when the first packet was captured.
    fn start(&mut self, at: Timestamp) -> Result<(), Stopped> {
        (self.begun, self.now) = (Some(at), at);
        self.writer.header(at)?;
        let start = StartFacts::capture_files(self.config, &self.engine_config).event(at, Vec::new());
        self.writer.events([start].into())
    }

    /// The last lines.
    fn stop(&mut self, summary: &Summary) -> Result<(), Stopped> {
        if self.begun.is_none() {
            self.start(wall_clock())?;
        }
        self.engine.finish(self.now);
        self.settle()?;
        let mut snapshot = Snapshot::default();
        let engine = self.engine.counters();
        snapshot.add(Kind::Packets, "matched", engine.matched);
        engine.sample(&mut snapshot);
        summary.sample(&mut snapshot);
        self.kept.iter().for_each(|(keeper, _)| keeper.counters().sample(&mut snapshot));
        let stats = snapshot.stats(self.begun.map_or(0, |begun| self.now.millis_since(begun)));
        self.say(EventKind::Stats(Box::new(stats)))?;
        let reason = if self.failed.is_none() { "end_of_input" } else { "error" };
        self.say(EventKind::SensorStop(SensorStop { reason: reason.to_owned() }))
    }

    /// Takes what the engine has to say. What it wants of a kernel nobody hears.
    fn settle(&mut self) -> Result<(), Stopped> {
        while self.engine.poll_port_update().is_some() {}
        self.said = 0;
        if let Some((keeper, outcomes)) = &mut self.kept {
            while let Some(piece) = self.engine.poll_file_piece() {
                if let Some(verdict) = keeper.take(piece) {
                    outcomes.learn(verdict);
                }
            }
        }
        if self.engine.events_waiting() == 0 {
            return Ok(());
        }
        let mut events = self.engine.exchange_events(self.writer.queue());
        if let Some((_, outcomes)) = &self.kept {
            for event in &mut events {
                outcomes.fill(event);
            }
        }
        self.writer.events(events)
    }

    /// Writes all that there is to say so far.
    fn flush(&mut self) -> Result<(), Stopped> {
        self.settle()?;
        self.writer.flush()
    }

    fn say(&mut self, kind: EventKind) -> Result<(), Stopped> {
        self.writer.events([Event { ts: self.now, session: None, user: None, kind }].into())
    }
}

/// The time of a run without a packet.
fn wall_clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}
