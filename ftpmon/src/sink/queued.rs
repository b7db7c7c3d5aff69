//! Outputs with queues, for live capture: a slow or absent reader blocks nothing.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tracing::error;

use super::batch::LineBatch;
use super::destination::{Destination, disk_takes_nothing};
use super::kinds::destination;
use super::losses::Loss;
use super::output_spec::OutputSpec;
use super::outputs::{Lines, Outputs};
use super::queue::Queue;
use super::spec::SinkSpec;
use super::spool::{BatchKind, Lose, Spool};
use super::worker::{Shared, Worker};
use crate::sandbox::Role;
use crate::telemetry::{Kind, Sampled, Snapshot};

/// The longest wait at the end of a run for outputs that are slow or gone.
const FLUSH_TIME: Duration = Duration::from_secs(2);
/// The interval at which the end of a run checks whether they are done.
const FLUSH_LOOK: Duration = Duration::from_millis(5);

/// The interval at which losses of an output are reported on standard error.
const NOTICE_EVERY: Duration = Duration::from_secs(10);

/// An output that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to {spec}: {error}; {}", way_out(.spec))]
pub struct OutputError {
    /// The output.
    pub spec: SinkSpec,
    /// The error.
    pub error: io::Error,
}

fn way_out(spec: &SinkSpec) -> &'static str {
    match spec {
        SinkSpec::Stdout => "give it a reader, or another --output",
        SinkSpec::File(_) => "the directory has to exist and be writable",
        _ => "the files that its settings name have to exist and be readable",
    }
}

/// Open outputs, each with a thread and a bounded queue of its own.
pub struct QueuedOutputs {
    outputs: Vec<Output>,
    gone: Arc<Notify>,
    failed: Arc<AtomicBool>,
    /// The spool that takes events instead of the queues, and the number of their route there.
    spool: Option<(Arc<Spool>, u64)>,
}

struct Output {
    spec: SinkSpec,
    shared: Arc<Shared>,
    /// Until [`Outputs::start`].
    idle: Option<Worker>,
    thread: Option<JoinHandle<()>>,
    /// The last time that a loss was reported on standard error.
    said: Option<Instant>,
}

impl Sampled for QueuedOutputs {
    fn sample(&self, into: &mut Snapshot) {
        let mut reopened = 0;
        for Output { shared, .. } in &self.outputs {
            let label = || ("output", shared.name.clone());
            into.add_labelled(Kind::Lost, "output", label(), shared.queue.lost());
            let cap = shared.queue.cap() as u64;
            into.add_labelled(Kind::Table { cap }, "output_queue", label(), shared.queue.bytes() as u64);
            let up = shared.up.load(Ordering::Relaxed);
            into.add_labelled(Kind::Gauge, "output_up", label(), u64::from(up));
            let delivered = shared.delivered_s.load(Ordering::Relaxed);
            into.add_labelled(Kind::Gauge, "output_last_delivery_s", label(), delivered);
            reopened += shared.reopened.load(Ordering::Relaxed);
        }
        into.add(Kind::Agent, "outputs_reopened", reopened);
        if let Some((spool, _)) = &self.spool {
            let (used, cap) = spool.fill();
            into.add(Kind::Table { cap }, "spool", used);
        }
    }
}

impl QueuedOutputs {
    /// Opens each of `specs`, one named twice once. A socket whose reader is away is tried again while the run continues.
    ///
    /// # Errors
    /// The first file that cannot be opened, or standard output that is closed.
    pub fn open(specs: &[OutputSpec]) -> Result<Self, OutputError> {
        Self::open_with(specs, None)
    }

    /// The same for the route of this number, whose events go through a spool.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_spooled(specs: &[OutputSpec], spool: Arc<Spool>, route: u64) -> Result<Self, OutputError> {
        Self::open_with(specs, Some((spool, route)))
    }

    fn open_with(specs: &[OutputSpec], spool: Option<(Arc<Spool>, u64)>) -> Result<Self, OutputError> {
        let gone = Arc::new(Notify::new());
        let failed = Arc::new(AtomicBool::new(false));
        let mut outputs: Vec<Output> = Vec::with_capacity(specs.len());
        for OutputSpec { sink, settings } in specs {
            if outputs.iter().any(|output| output.spec == *sink) {
                continue;
            }
            let open_now = matches!(sink, SinkSpec::Stdout | SinkSpec::File(_));
            let opened = destination(sink, settings).and_then(|mut destination| {
                let open = open_now && opens(&mut *destination)?;
                Ok((destination, open))
            });
            let (destination, open) = opened.map_err(|error| OutputError { spec: sink.clone(), error })?;
            let shared = Arc::new(Shared {
                name: sink.to_string(),
                queue: Queue::new(settings.queue_bytes),
                opening: Mutex::new(Arc::default()),
                reopened: AtomicU64::new(0),
                up: AtomicBool::new(open),
                delivered_s: AtomicU64::new(0),
                reopen: AtomicBool::new(false),
                failed: Arc::clone(&failed),
                gone: Arc::clone(&gone),
            });
            let reader = spool.as_ref().map(|(spool, route)| {
                let told = Arc::clone(&shared);
                let lose: Lose = Box::new(move |run, missing, since, reason| {
                    told.queue.lose_elsewhere(run, missing, since, reason);
                });
                spool.reader(&shared.name, *route, lose)
            });
            let resend = settings.resend_bytes;
            let owned = settings.file.uid.is_some() || settings.file.gid.is_some();
            let role = if owned { Role::OwnedOutput } else { Role::Output };
            let idle = Some(Worker::new(Arc::clone(&shared), reader, role, destination, open, resend));
            outputs.push(Output { spec: sink.clone(), shared, idle, thread: None, said: None });
        }
        Ok(Self { outputs, gone, failed, spool })
    }

    /// Has each file opened again, between two events, whether or not it was moved away.
    pub fn reopen(&self) {
        for Output { shared, .. } in &self.outputs {
            shared.reopen.store(true, Ordering::Relaxed);
            shared.queue.nudge();
        }
    }

    /// There is room for more events: with a spool that may stop the reading of packets, not always.
    pub fn has_room(&self) -> bool {
        self.spool.as_ref().is_none_or(|(spool, _)| spool.has_room())
    }

    /// Queues `batch` for every output. Never waits: what does not fit is counted.
    fn queue(&self, batch: &LineBatch, kind: BatchKind) {
        if let Some((spool, route)) = &self.spool {
            return spool.append(*route, batch.clone(), kind);
        }
        for output in &self.outputs {
            output.shared.queue.push(batch);
        }
    }

    /// Standard output was found to have no reader before a write failed.
    pub fn stdout_gone(&self) {
        for output in self.outputs.iter().filter(|output| output.spec == SinkSpec::Stdout) {
            output.shared.queue.abandon();
        }
        self.gone.notify_one();
    }

    /// Whether an output failed for good, also when the outputs themselves are gone.
    pub fn failure(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.failed)
    }

    /// Comes back when no output is left that anybody could read.
    pub async fn all_gone(&self) {
        while !self.outputs.iter().all(|output| output.shared.queue.is_abandoned()) {
            self.gone.notified().await;
        }
    }
}

impl Outputs for QueuedOutputs {
    const BLOCK_BYTES: usize = 128 << 10;
    const BY_EVENT: bool = true;
    type Error = Infallible;

    fn start(&mut self, opening: &[u8], seq: u64) -> io::Result<()> {
        self.set_opening(opening);
        if let Some((spool, route)) = &self.spool {
            let begin = LineBatch::new(opening.to_vec(), vec![opening.len() as u32], seq);
            spool.append(*route, begin, BatchKind::Urgent);
        }
        for output in &mut self.outputs {
            if let Some(worker) = output.idle.take() {
                output.thread = Some(Builder::new().name("output".to_owned()).spawn(move || worker.run())?);
            }
        }
        Ok(())
    }

    fn set_opening(&mut self, opening: &[u8]) {
        let lines: Arc<[u8]> = opening.into();
        for output in &self.outputs {
            *output.shared.opening.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&lines);
        }
    }

    fn write(&mut self, lines: &mut Lines) {
        let urgent = core::mem::take(&mut lines.urgent);
        let kind = if urgent { BatchKind::Urgent } else { BatchKind::Events };
        self.queue(&batch(lines), kind);
    }

    fn write_report(&mut self, lines: &mut Lines) {
        let batch = batch(lines);
        if self.spool.is_some() {
            return self.queue(&batch, BatchKind::Report);
        }
        for output in &self.outputs {
            output.shared.queue.push_report(&batch);
        }
    }

    fn take_losses(&mut self, end: bool) -> Vec<(String, Loss)> {
        let mut losses = Vec::new();
        for Output { shared, said, .. } in &mut self.outputs {
            let taken = shared.queue.take_losses(end);
            if let Some(last) = taken.last()
                && said.is_none_or(|said| said.elapsed() >= NOTICE_EVERY)
            {
                *said = Some(Instant::now());
                let (reason, lost) = (last.reason.name(), shared.queue.lost());
                error!("output {}: {lost} events lost so far: {reason}", shared.name);
            }
            losses.extend(taken.into_iter().map(|loss| (shared.name.clone(), loss)));
        }
        losses
    }

    /// Writes what waits, for two seconds at most, and says on standard error what could not be written.
    fn finish(mut self) -> Result<(), Infallible> {
        let deadline = Instant::now() + FLUSH_TIME;
        if let Some((spool, _)) = &self.spool {
            spool.flush(deadline);
        }
        for output in &self.outputs {
            output.shared.queue.close(deadline);
        }
        self.spool.iter().for_each(|(spool, _)| spool.wake());
        for output in &mut self.outputs {
            let Some(thread) = output.thread.take() else { continue };
            // A thread may hang in a write to a reader that reads nothing: it ends with the process.
            while !thread.is_finished() && Instant::now() < deadline + FLUSH_LOOK * 60 {
                std::thread::sleep(FLUSH_LOOK);
            }
            let shared = &output.shared;
            // With `| head`, the rest is not wanted.
            let unwanted = output.spec == SinkSpec::Stdout && shared.queue.is_abandoned();
            let losses = shared.queue.final_losses();
            if !unwanted && !losses.is_empty() {
                error!("output {}: {}", shared.name, not_delivered(&losses));
            }
        }
        Ok(())
    }
}

/// Opens an output. False where the disk takes nothing now: its thread says so, and tries again.
fn opens(destination: &mut dyn Destination) -> io::Result<bool> {
    match destination.open() {
        Err(error) if disk_takes_nothing(&error) => Ok(false),
        opened => opened.map(|()| true),
    }
}

/// Losses in a line: their number, their reasons, and the range that they lie in.
fn not_delivered(losses: &[Loss]) -> String {
    let count: u64 = losses.iter().map(|loss| loss.count).sum();
    let reasons: BTreeSet<&str> = losses.iter().map(|loss| loss.reason.name()).collect();
    let reasons: Vec<&str> = reasons.into_iter().collect();
    let first = losses.iter().map(|loss| loss.from_seq).min().unwrap_or_default();
    let last = losses.iter().map(|loss| loss.to_seq).max().unwrap_or_default();
    format!("{count} events were not delivered: {}, seq {first} to {last}", reasons.join(", "))
}

/// Takes `lines` and leaves them empty. A few are copied, so that they take no more room than they need while they wait.
fn batch(lines: &mut Lines) -> LineBatch {
    let first_seq = lines.first_seq;
    let owners;
    let (bytes, ends) = if lines.bytes.len() < QueuedOutputs::BLOCK_BYTES / 2 {
        let copy = (lines.bytes.clone(), lines.ends.clone());
        owners = lines.owners.clone();
        lines.owners.clear();
        lines.bytes.clear();
        lines.ends.clear();
        copy
    } else {
        let room = Vec::with_capacity(QueuedOutputs::BLOCK_BYTES + QueuedOutputs::BLOCK_BYTES / 8);
        let ends = Vec::with_capacity(lines.ends.len());
        owners = core::mem::take(&mut lines.owners);
        (core::mem::replace(&mut lines.bytes, room), core::mem::replace(&mut lines.ends, ends))
    };
    LineBatch::owned(bytes, ends, owners, first_seq)
}

#[cfg(test)]
mod tests;
