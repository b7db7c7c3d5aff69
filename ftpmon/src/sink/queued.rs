//! QueuedOutputs behind queues, for live capture: a reader that is slow or gone holds up nothing.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::batch::LineBatch;
use super::kinds::destination;
use super::outputs::Outputs;
use super::queue::{QUEUE_BYTES_MAX, Queue};
use super::spec::SinkSpec;
use super::worker::{Shared, Worker};
use crate::notice::notice;
use crate::telemetry::{Kind, Sampled, Snapshot};

/// The longest wait at the end of a run for outputs that are slow or gone.
const FLUSH_TIME: Duration = Duration::from_secs(2);
/// The interval at which the end of a run checks whether they are done.
const FLUSH_LOOK: Duration = Duration::from_millis(5);

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
        SinkSpec::Tcp { .. } | SinkSpec::Unix(_) => "start its reader first, or correct the address",
    }
}

/// Open outputs, each with a thread and a bounded queue of its own.
pub struct QueuedOutputs {
    outputs: Vec<Output>,
    gone: Arc<Notify>,
}

struct Output {
    shared: Arc<Shared>,
    /// Until [`Outputs::start`].
    idle: Option<Worker>,
    thread: Option<JoinHandle<()>>,
}

impl Sampled for QueuedOutputs {
    fn sample(&self, into: &mut Snapshot) {
        let mut reopened = 0;
        for Output { shared, .. } in &self.outputs {
            let label = || ("output", shared.spec.to_string());
            into.add_labelled(Kind::Lost, "output", label(), shared.queue.lost());
            let cap = QUEUE_BYTES_MAX as u64;
            into.add_labelled(Kind::Table { cap }, "output_queue", label(), shared.queue.bytes() as u64);
            reopened += shared.reopened.load(Ordering::Relaxed);
        }
        into.add(Kind::Agent, "outputs_reopened", reopened);
    }
}

impl QueuedOutputs {
    /// Opens each of `specs`, one named twice once.
    ///
    /// # Errors
    /// The first output that cannot be opened.
    pub fn open(specs: &[SinkSpec]) -> Result<Self, OutputError> {
        let gone = Arc::new(Notify::new());
        let mut outputs: Vec<Output> = Vec::with_capacity(specs.len());
        for spec in specs {
            if outputs.iter().any(|output| output.shared.spec == *spec) {
                continue;
            }
            let mut destination = destination(spec);
            destination.open().map_err(|error| OutputError { spec: spec.clone(), error })?;
            let shared = Arc::new(Shared {
                spec: spec.clone(),
                queue: Queue::default(),
                opening: Mutex::new(Arc::default()),
                reopened: AtomicU64::new(0),
                gone: Arc::clone(&gone),
            });
            let idle = Some(Worker::new(Arc::clone(&shared), destination));
            outputs.push(Output { shared, idle, thread: None });
        }
        Ok(Self { outputs, gone })
    }

    /// Queues `batch` for every output. Never waits: what does not fit is counted.
    fn queue(&self, batch: &LineBatch) {
        for output in &self.outputs {
            output.shared.queue.push(batch);
        }
    }

    /// Standard output was found to have no reader, before a write told.
    pub fn stdout_gone(&self) {
        for output in self.outputs.iter().filter(|output| output.shared.spec == SinkSpec::Stdout) {
            output.shared.queue.abandon();
        }
        self.gone.notify_one();
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
    type Error = Infallible;

    fn start(&mut self, opening: &[u8]) -> io::Result<()> {
        self.set_opening(opening);
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

    fn write(&mut self, lines: &mut Vec<u8>, events: u64) {
        // A few lines are copied, so that they take no more room than they need while they wait.
        if lines.len() < Self::BLOCK_BYTES / 2 {
            self.queue(&LineBatch::new(lines.clone(), events));
            lines.clear();
        } else {
            let room = Vec::with_capacity(Self::BLOCK_BYTES + Self::BLOCK_BYTES / 8);
            self.queue(&LineBatch::new(core::mem::replace(lines, room), events));
        }
    }

    /// Writes what waits, for two seconds at most, and says on standard error what could not be written.
    fn finish(mut self) -> Result<(), Infallible> {
        let deadline = Instant::now() + FLUSH_TIME;
        for output in &self.outputs {
            output.shared.queue.close(deadline);
        }
        for output in &mut self.outputs {
            let Some(thread) = output.thread.take() else { continue };
            // A thread may hang in a write to a reader that reads nothing: it ends with the process.
            while !thread.is_finished() && Instant::now() < deadline + FLUSH_LOOK * 20 {
                std::thread::sleep(FLUSH_LOOK);
            }
            let shared = &output.shared;
            let lost = shared.queue.lost() + shared.queue.pending();
            // Whoever ends `| head` knows that the rest is not wanted.
            if lost > 0 && !(shared.spec == SinkSpec::Stdout && shared.queue.is_abandoned()) {
                notice(format_args!("output {}: {lost} events were not delivered", shared.spec));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
