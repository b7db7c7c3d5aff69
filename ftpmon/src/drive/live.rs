//! `ftpmon run`: live traffic through the kernel to events.
//!
//! Start order: check privileges, load, start the attacher, open the outputs, attach, mark the control ports, emit
//! `sensor_start`, give up rights, run. Whatever fails on the way leaves nothing attached: the kernel takes the programs off
//! when the attacher ends.

mod attacher;
mod engine;
mod handover;
mod journal;
mod pace;
mod records;
mod reload;
mod retired;
mod routes;
mod state;
mod telling;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};
use tracing::{error, warn};

use crate::chain::{Attribution, Chain, Files};
use crate::config::{Config, FilesPolicy, PinConfig};
use crate::dump::Dump;
use crate::kernel::{
    self, Claimant, KernelVersion, Maps, Object, ObjectOptions, OpenSockets, Parts, Pins, Ring, WatchOptions,
};
use crate::netns::NetworkNamespace;
use crate::on_alert::{OnEvent, Purpose};
use crate::panics;
use crate::process::ProcessLookup;
use crate::sandbox::{self, Account, Opener, Role};
use crate::sink::{QueuedOutputs, SinkSpec, Spool, SpoolOptions, reader_gone};
use crate::status::{self, StatusListener, Supervisor};
use crate::telemetry::{self, StartFacts};
use attacher::{Attacher, Forked};
use engine::{KernelSide, LiveEngine};
use ftpmon_core::engine::{EngineConfig, FilesMode};
use ftpmon_event::{InterfaceFacts, Origin, StopReason};
use journal::{Entry, Journal};
use pace::Pace;
pub use reload::Reread;
use routes::open_outputs;

/// The interval at which the kernel's counters, clock and tables are polled.
const TICK: Duration = Duration::from_secs(1);
/// Looks at the ring before it is left to the next agent: on a busy machine it is never empty.
const DRAINS_MAX: usize = 64;
/// The priority of reading packets with `--files`, unless the operator gives another.
const FILES_NICE: i8 = -20;
/// Drains of the ring before a reload at most: under a load that never lets it run empty the reload comes all the same.
const RELOAD_DRAINS: usize = 64;
/// The interval at which a spool that is blocked is tried again.
const FULL_LOOK: Duration = Duration::from_millis(20);
/// The engine is not woken more often than this, whatever its timers say.
const WAKE_MIN: Duration = Duration::from_millis(1);

/// Watches until SIGINT or SIGTERM, or until the last reader closes. SIGHUP reads the configuration again.
///
/// False where the run ended because of a failure, or an output failed for good; what failed was said on standard error.
///
/// # Errors
/// Whatever keeps the kernel programs from being attached or the outputs from being opened.
pub fn run(config: &Config, reread: Reread) -> anyhow::Result<bool> {
    panics::watch();
    let kernel = kernel::preflight(config.live.promiscuous)?;
    let account = config.live.sandbox.then(|| Account::find(config.live.user.as_deref())).transpose()?;
    if let Some(account) = &account {
        sandbox::enable(account.clone(), kernel.maps_need_rights());
    } else {
        warn!("--no-sandbox: all that peers send is parsed with all rights that ftpmon was started with");
    }
    let engine = config.live_engine()?;
    let pin = config.live.pin.as_ref();
    let pins = pin.map(|pin| Pins::open(&pin.folder, kernel)).transpose()?;
    // Without the maps that went with it, what an earlier agent noted is of no use.
    let take_over = pins.as_ref().is_some_and(Pins::are_there);
    let origin = telemetry::origin(config)?;
    let named = [(Purpose::Alert, &config.live.on_alert), (Purpose::File, &config.live.on_file)];
    let named = named.into_iter().filter_map(|(purpose, program)| Some((purpose, program.as_deref()?)));
    let programs = named
        .map(|(purpose, program)| start_program(purpose, program, account.as_ref(), &origin))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let started = load(config, kernel, &engine, pins).and_then(|mut loaded| {
        loaded.programs = programs;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the system gives no event loop")?;
        runtime.block_on(watch(config, reread, (origin, engine), loaded, take_over))
    });
    if let (Err(_), Some(pin), false) = (&started, pin, take_over) {
        // Pins of a failed start are of no use.
        let _ = kernel::detach_pins(&pin.folder);
    }
    started
}

/// The kernel's part of a run, from before the agent has an event loop.
struct Loaded {
    maps: Maps,
    options: ObjectOptions,
    attacher: Forked,
    /// The log of the kernel programs is the agent's, the programs are the attacher's.
    log: Option<kernel::Log>,
    /// The namespace of the interfaces, where it is another one than the agent's.
    netns: Option<NetworkNamespace>,
    /// With `--on-alert` and `--on-file`.
    programs: Vec<(Purpose, OnEvent)>,
    /// The sockets that processes have open, where the kernel tells them and owners are wanted.
    sockets: Option<OpenSockets>,
}

/// The operator's program runs as the agent's user. It is started by a process from before anything is loaded.
fn start_program(
    purpose: Purpose,
    program: &Path,
    account: Option<&Account>,
    origin: &Origin,
) -> anyhow::Result<(Purpose, OnEvent)> {
    let may_run = nix::unistd::access(program, nix::unistd::AccessFlags::X_OK);
    may_run.with_context(|| format!("{}: cannot run {}", purpose.option(), program.display()))?;
    let started = OnEvent::start(purpose, program, account, origin.clone());
    Ok((purpose, started.context("the system gives no second process")?))
}

fn load(
    config: &Config,
    kernel: KernelVersion,
    engine: &EngineConfig,
    pins: Option<Pins>,
) -> anyhow::Result<Loaded> {
    let options = ObjectOptions {
        ring_bytes: ring_bytes(config.live.ring_bytes),
        announcements: engine.limits.announced_endpoints,
        payload_bytes: (engine.files != FilesMode::Off).then_some(ring_bytes(config.live.files_ring_bytes)),
        log: config.live.kernel_log,
        open_sockets: config.live.owners,
    };
    let (mut object, maps) = Object::load(options, pins.as_ref())?;
    let wanted = WatchOptions {
        patterns: config.live.interfaces.clone(),
        hook: config.live.hook,
        promiscuous: config.live.promiscuous,
        claimant: Claimant { pid: std::process::id(), share: config.live.share },
        pins,
    };
    let log = options.log.map(|_| object.take_log()).transpose()?;
    let sockets = object.open_sockets().unwrap_or_else(|error| {
        warn!("{error}; owners of connections are looked for in /proc");
        None
    });
    let netns = config.live.netns.as_deref().map(NetworkNamespace::open).transpose()?;
    let attacher = Forked::start(wanted, kernel, object, netns.as_ref())
        .context("the system gives no second process")?;
    Ok(Loaded { maps, options, attacher, log, netns, programs: Vec::new(), sockets })
}

/// Opens what the run writes to, attaches and watches. An error is of the start; false stands for a failure later.
async fn watch(
    config: &Config,
    reread: Reread,
    (origin, engine): (Origin, EngineConfig),
    loaded: Loaded,
    take_over: bool,
) -> anyhow::Result<bool> {
    let signals = Signals::new().context("cannot wait for signals")?;
    let supervisor = Supervisor::of_process().context("cannot use the socket NOTIFY_SOCKET")?;
    let listener = StatusListener::open(&config.live.status)
        .with_context(|| format!("cannot serve the state at {}", config.live.status))?;
    let socket = listener.as_ref().and_then(StatusListener::path).map(Path::to_owned);
    let opener = Opener::start().context("the system gives no thread")?;
    let open_spool = |options: SpoolOptions| {
        let folder = options.folder.display().to_string();
        Spool::open_unless_refused(options, &origin)
            .with_context(|| format!("cannot use {folder} as the spool"))
    };
    let spool = config.spool().map(open_spool).transpose()?.flatten().map(Arc::new);
    let names = config.name_hashes()?;
    let mut chain = Chain::new(config, &origin, names, |route| open_outputs(route, spool.as_ref()))?;
    chain.set_detectors(config.all_detectors().map_err(anyhow::Error::msg)?);
    chain.set_places(config.places().map_err(anyhow::Error::msg)?);
    spool.iter().for_each(|spool| spool.outputs_are_known());
    let journal = config
        .live
        .pin
        .as_ref()
        .map(|pin| open_journal(pin, opener.clone(), config.ports.control.clone()))
        .transpose()?;
    let Loaded { maps, options, attacher, log, netns, programs, sockets } = loaded;
    programs.into_iter().for_each(|(purpose, program)| chain.run_on(purpose, program));
    let Parts { mut ring, counters, mut steering, flows } = kernel::open(maps, options)?;
    log.map(kernel::Log::follow).transpose()?;
    let networks = steering.write_networks(&engine.networks).map_err(anyhow::Error::msg)?;
    steering.put_into_force(&networks).map_err(anyhow::Error::msg)?;
    let attacher = attacher.attach().await?;
    steering.open(&config.ports.control, &config.ports.tls);

    if let Some(store) = config.store() {
        chain.store_files(Files::on_a_thread(store).context("the system gives no thread for the files")?);
    }
    let dump = config.dump().map(|dump| {
        let path = dump.path.display().to_string();
        Dump::create(dump).with_context(|| format!("cannot write to {path}"))
    });
    let dump = dump.transpose()?;
    if config.live.owners {
        let start = || match &netns {
            Some(netns) => netns.run(|| ProcessLookup::start(sockets)).map_err(std::io::Error::other)?,
            None => ProcessLookup::start(sockets),
        };
        match start() {
            Ok(lookup) => chain.attribute(Attribution::new(lookup)),
            Err(error) => warn!("cannot tell which process owns a connection: {error}"),
        }
    }
    let facts = StartFacts::live(config, &engine, kernel::running_release());
    let kernel_side = KernelSide { steering, flows, counters };
    let mut engine = LiveEngine::new(engine, kernel_side, chain, spool, dump, facts);
    engine.start(attacher.facts()).context("cannot start a thread for an output")?;
    let pinned = journal.is_some();
    if let Some((journal, earlier)) = journal {
        engine.take_over(journal, earlier.filter(|_| take_over));
    }

    if let Some(listener) = listener {
        status::serve(listener, engine.board.clone()).context("the system gives no thread")?;
    }
    engine.publish(attacher.facts());
    set_priority(config);
    // The addresses of the watched host are asked for by this thread, which opens nothing else.
    netns.iter().try_for_each(NetworkNamespace::enter)?;
    sandbox::enter(Role::Reader)?;
    supervisor.ready(&watching(&attacher.facts()));
    let mut running = Running { config: config.clone(), reread, opener, attacher, signals, supervisor };
    let reason = running.events(&mut ring, &mut engine).await;
    let failures: Vec<_> = engine.chain().outputs().map(QueuedOutputs::failure).collect();
    let was_ordinary =
        || reason != StopReason::Error && !failures.iter().any(|failed| failed.load(Ordering::Relaxed));
    running.supervisor.stopping();
    if let Some(socket) = socket {
        let _ = running.opener.call(move || status::unlink(&socket));
    }

    if pinned {
        // What comes from now on is in the ring for the next agent.
        let _ = (0..DRAINS_MAX).find(|_| engine.drain_ring(&mut ring).empty);
        engine.leave(reason);
        return Ok(was_ordinary());
    }
    engine.close();
    // Off the interfaces first: what is in the ring then is all there will be.
    running.attacher.stop().await;
    while !engine.drain_ring(&mut ring).empty {}
    engine.stop(reason);
    Ok(was_ordinary())
}

/// The file for the next agent, and the entries that an earlier one noted for this one.
fn open_journal(
    pin: &PinConfig,
    opener: Opener,
    ports: Vec<u16>,
) -> anyhow::Result<(Journal, Option<Vec<Entry>>)> {
    let cannot = || format!("cannot use the state {}", pin.state.display());
    Journal::open(&pin.state, opener, ports).with_context(cannot)
}

/// Files come as fast as the network is, and what is not read in time is lost: with `--files` the reading of packets goes
/// before other work. Of this thread only: those that write are there already.
fn set_priority(config: &Config) {
    let files = (config.files.policy != FilesPolicy::Off).then_some(FILES_NICE);
    let Some(nice) = config.live.nice.or(files) else { return };
    if let Err(error) = rustix::process::setpriority_process(None, nice.into()) {
        warn!("cannot set priority {nice}: {error}; this needs CAP_SYS_NICE, --nice 0 leaves it unchanged");
    }
}

/// The kernel takes powers of two.
fn ring_bytes(asked: u64) -> u32 {
    u32::try_from(asked.next_power_of_two()).unwrap_or(u32::MAX)
}

/// A run under way, as far as it is not the engine's.
struct Running {
    config: Config,
    reread: Reread,
    opener: Opener,
    attacher: Attacher,
    signals: Signals,
    supervisor: Supervisor,
}

impl Running {
    /// Handles input until the run ends; returns the reason.
    async fn events(&mut self, ring: &mut Ring, engine: &mut LiveEngine) -> StopReason {
        let mut tick = every(TICK);
        let mut stats = every(Duration::from_secs(u64::from(self.config.live.stats_interval_s)));
        let answered = engine.chain().answered();
        let stdout_gone = reader_gone();
        tokio::pin!(stdout_gone);
        let mut watch_stdout = true;
        let mut pace = Pace::new(std::time::Instant::now());
        let feed = engine.board.feed().clone();
        let mut telling = false;
        loop {
            let has_room = engine.chain().outputs().all(QueuedOutputs::has_room);
            let wake = engine.poll_timeout().map(|after| Instant::now() + after.max(WAKE_MIN));
            tokio::select! {
                // In this order: a ring that never empties starves nothing.
                biased;
                asked = self.signals.next() => {
                    let Asked::Reload = asked else { return StopReason::Signal };
                    // What came before is read by the settings before.
                    (0..RELOAD_DRAINS).any(|_| engine.drain_ring(ring).empty);
                    let before = self.config.live.stats_interval_s;
                    reload::reload(&mut self.config, (self.reread, &self.opener), engine, &mut self.attacher).await;
                    if self.config.live.stats_interval_s != before {
                        stats = every(Duration::from_secs(u64::from(self.config.live.stats_interval_s)));
                    }
                }
                () = panics::happened() => return StopReason::Error,
                () = all_gone(engine.chain()) => return StopReason::OutputGone,
                () = &mut stdout_gone, if watch_stdout && self.writes_to_stdout() => {
                    watch_stdout = false;
                    engine.chain().outputs().for_each(QueuedOutputs::stdout_gone);
                }
                changes = self.attacher.changed() => match changes {
                    Ok(changes) => engine.interfaces_changed(changes, self.attacher.facts()),
                    Err(_) => {
                        error!("the process that attaches to interfaces ended: nothing is watched any more");
                        return StopReason::Error;
                    }
                },
                () = notified(answered.as_deref()) => engine.take_answers(),
                _ = tick.tick() => {
                    engine.tick();
                    engine.publish(self.attacher.facts());
                    engine.tell_progress();
                    self.supervisor.alive(&watching(&self.attacher.facts()));
                }
                () = feed.newcomer(), if !telling => telling = true,
                // The ring first: many sessions take a while.
                () = std::future::ready(()), if telling => {
                    if has_room {
                        engine.drain_ring(ring);
                    }
                    telling = engine.tell_open_sessions();
                }
                _ = stats.tick() => engine.emit_stats(),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => engine.handle_timeout(),
                () = engine.chain().stored() => engine.release_stored(),
                // The spool takes nothing more: packets stay in the kernel's ring.
                () = tokio::time::sleep(FULL_LOOK), if !has_room => {}
                ready = ring.readable(), if has_room => match ready {
                    Ok(()) => {
                        let drained = engine.drain_ring(ring);
                        if drained.empty && let Some(pause) = pace.after(drained.records, std::time::Instant::now()) {
                            // Nothing else that this thread does is more urgent; a timer of the event loop has milliseconds.
                            std::thread::sleep(pause);
                        }
                    }
                    Err(e) => {
                        error!("cannot wait for the kernel's ring: {e}");
                        return StopReason::Error;
                    }
                },
            }
        }
    }

    fn writes_to_stdout(&self) -> bool {
        let mut outputs = self.config.routes.iter().flat_map(|route| &route.outputs);
        self.config.routes.is_empty() || outputs.any(|output| output.sink == SinkSpec::Stdout)
    }
}

/// The watched interfaces in a line.
fn watching(interfaces: &[InterfaceFacts]) -> String {
    let names: Vec<&str> = interfaces.iter().map(|interface| interface.name.as_str()).collect();
    if names.is_empty() {
        "waiting for an interface".to_owned()
    } else {
        format!("watching {}", names.join(", "))
    }
}

/// A timer; a tick that is late moves the others.
fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Returns when no output of any route can be read any more.
async fn all_gone(chain: &Chain<QueuedOutputs>) {
    for outputs in chain.outputs() {
        outputs.all_gone().await;
    }
}

/// Waits for a notification; without one to wait for, for ever.
async fn notified(notify: Option<&Notify>) {
    match notify {
        Some(notify) => notify.notified().await,
        None => std::future::pending().await,
    }
}

/// The request of a signal.
enum Asked {
    /// The end of the run.
    End,
    /// Reading the configuration again.
    Reload,
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

    /// The operator's next request.
    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::End,
            _ = self.terminate.recv() => Asked::End,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}
