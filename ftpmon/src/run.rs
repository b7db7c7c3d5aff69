//! `ftpmon run`: live traffic through the kernel to events.
//!
//! Start order: check rights, open the outputs, load, mark the ports, attach, say `sensor_start`, run. Whatever fails on
//! the way leaves nothing attached: the kernel takes the programs off when their links are dropped.

mod attribution;
mod kept;
mod pace;
mod pipeline;

use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use crate::config::{Config, FilesPolicy};
use crate::dump::Dump;
use crate::format::{Encoder, KindFilter};
use crate::kernel::{self, KernelVersion, ObjectOptions, Parts, Ring, Watch, WatchOptions};
use crate::notice::notice;
use crate::owner::Owners;
use crate::sink::{Outputs, SinkSpec, reader_gone};
use crate::telemetry::StartFacts;
use attribution::Attribution;
use ftpmon_core::engine::FilesMode;
use kept::Kept;
use pace::Pace;
use pipeline::Pipeline;

pub(crate) use attribution::{CONNECTIONS_MAX, HELD_EVENTS_MAX, SESSIONS_MAX};

/// How often the kernel's counters, clock and tables are looked at.
const TICK: Duration = Duration::from_secs(1);
/// The priority of reading packets with `--files`, unless the operator gives another.
const FILES_NICE: i8 = -20;
/// The engine is not woken more often than this, whatever its timers say.
const WAKE_MIN: Duration = Duration::from_millis(1);

/// Watches until told to stop, by SIGINT, SIGTERM or SIGHUP or by the last reader's going away.
///
/// # Errors
/// Whatever keeps the kernel programs from being attached or the outputs from being opened.
pub fn run(config: &Config) -> anyhow::Result<()> {
    let kernel = kernel::preflight(config.live.promiscuous)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the system gives no event loop")?;
    runtime.block_on(watch(config, kernel))
}

async fn watch(config: &Config, kernel: KernelVersion) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("cannot wait for signals")?;
    let engine = config.live_engine()?;
    let route = config.routes().into_iter().next().unwrap_or_default();
    let outputs = Outputs::open(&route.outputs)?;
    let object = ObjectOptions {
        ring_bytes: ring_bytes(config.live.ring_bytes),
        payload_bytes: (engine.files != FilesMode::Off).then_some(ring_bytes(config.live.files_ring_bytes)),
        log: config.live.kernel_log,
    };
    let Parts { mut object, mut ring, counters, mut steering, flows } = kernel::load(object)?;
    if config.live.kernel_log.is_some() {
        kernel::follow_log(&mut object)?;
    }
    steering.control_ports(&config.ports.control, &config.ports.tls);
    let wanted = WatchOptions {
        patterns: config.live.interfaces.clone(),
        hook: config.live.hook,
        promiscuous: config.live.promiscuous,
    };
    let mut watch = Watch::start(wanted, kernel, &mut object).await?;

    let facts = StartFacts::live(config, &engine, kernel::running_release());
    let encoder =
        Encoder::new(route.format.formatter(&config.sensor_name()), KindFilter::only(&route.events));
    let mut pipeline = Pipeline::new(engine, encoder, outputs, steering, flows, counters, facts);
    if let Some(store) = config.store() {
        pipeline.keep(Kept::start(store).context("the system gives no thread for the files")?);
    }
    if let Some(dump) = config.dump() {
        let path = dump.path.display().to_string();
        pipeline.dump(Dump::create(dump).with_context(|| format!("cannot write to {path}"))?);
    }
    if config.live.owners {
        match Owners::start() {
            Ok(owners) => pipeline.attribute(Attribution::new(owners)),
            Err(error) => notice(format_args!("cannot tell who holds a connection: {error}")),
        }
    }
    pipeline.start(watch.facts()).context("the system gives no thread for an output")?;

    set_priority(config);
    let writes_stdout = route.outputs.contains(&SinkSpec::Stdout);
    let reason =
        events(config, &mut object, &mut ring, &mut watch, &mut pipeline, &mut signals, writes_stdout).await;

    // Off the interfaces first: what is in the ring then is all there will be.
    drop(watch);
    while !pipeline.drain(&mut ring).empty {}
    pipeline.stop(reason);
    Ok(())
}

/// Files come as fast as the network is, and what is not read in time is lost: with `--files` the reading of packets goes before
/// other work. Of this thread only: those that write are there already.
fn set_priority(config: &Config) {
    let files = (config.files.policy != FilesPolicy::Off).then_some(FILES_NICE);
    let Some(nice) = config.live.nice.or(files) else { return };
    if let Err(error) = rustix::process::setpriority_process(None, nice.into()) {
        notice(format_args!(
            "priority {nice} refused: {error}; CAP_SYS_NICE allows it, --nice 0 does without"
        ));
    }
}

/// The kernel takes powers of two.
fn ring_bytes(asked: u64) -> u32 {
    u32::try_from(asked.next_power_of_two()).unwrap_or(u32::MAX)
}

/// Handles what comes until the run is over; says why it is.
async fn events(
    config: &Config,
    object: &mut kernel::Object,
    ring: &mut Ring,
    watch: &mut Watch,
    pipeline: &mut Pipeline,
    signals: &mut Signals,
    writes_stdout: bool,
) -> &'static str {
    let mut tick = interval_at(Instant::now() + TICK, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stats_every = Duration::from_secs(u64::from(config.live.stats_interval_s));
    let mut stats = interval_at(Instant::now() + stats_every, stats_every);
    stats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let answered = pipeline.answered();
    let stdout_gone = reader_gone();
    tokio::pin!(stdout_gone);
    let mut watch_stdout = writes_stdout;
    let mut pace = Pace::new(std::time::Instant::now());
    loop {
        let wake = pipeline.next_wake().map(|after| Instant::now() + after.max(WAKE_MIN));
        tokio::select! {
            // In this order: a ring that never empties starves nothing.
            biased;
            () = signals.any() => return "signal",
            () = pipeline.outputs().all_gone() => return "output_gone",
            () = &mut stdout_gone, if watch_stdout => {
                watch_stdout = false;
                pipeline.outputs().stdout_gone();
            }
            () = watch.changed() => match watch.rescan(object).await {
                Ok(changes) => pipeline.interfaces_changed(changes, watch.facts()),
                Err(e) => notice(format_args!("{e}")),
            },
            () = notified(answered.as_deref()) => pipeline.answer(),
            _ = tick.tick() => pipeline.tick(),
            _ = stats.tick() => pipeline.stats(),
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => pipeline.wake(),
            () = pipeline.stored() => pipeline.release(),
            ready = ring.readable() => match ready {
                Ok(()) => {
                    let drained = pipeline.drain(ring);
                    if drained.empty && let Some(pause) = pace.after(drained.records, std::time::Instant::now()) {
                        // Nothing else that this thread does is more urgent; a timer of the event loop has milliseconds.
                        std::thread::sleep(pause);
                    }
                }
                Err(e) => {
                    notice(format_args!("cannot wait for the kernel's ring: {e}"));
                    return "error";
                }
            },
        }
    }
}

/// Waits for a notification; without somebody to give it, for ever.
async fn notified(notify: Option<&Notify>) {
    match notify {
        Some(notify) => notify.notified().await,
        None => std::future::pending().await,
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
