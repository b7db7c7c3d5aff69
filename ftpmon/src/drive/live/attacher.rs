//! The interfaces in a process of their own: it keeps the rights that attaching needs, and gets no packet.
//!
//! It is a copy of the agent from before the agent gave up its rights. A socket pair is between the two. The agent sends a
//! byte for each of three requests: attach, take everything off, and write diagnostics of another level. The attacher sends a line for each change of the
//! interfaces. When the agent ends, however it ends, the socket closes, the attacher ends, and programs that are not pinned
//! are detached.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream as Pipe;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tracing::warn;

use crate::companion;
use crate::diagnostics::{self, LogLevel};
use crate::kernel::{Changes, KernelVersion, Object, Watch, WatchOptions};
use crate::netns::NetworkNamespace;
use crate::sandbox::{self, Role};
use ftpmon_event::InterfaceFacts;

/// Requests of the agent. The number of a level is a request for it.
const ATTACH: u8 = b'a';
const DETACH: u8 = b'd';

/// A line from the attacher.
#[derive(Serialize, Deserialize)]
enum Report {
    /// These interfaces are watched; the counts are those added and removed since the last line.
    Watched { interfaces: Vec<InterfaceFacts>, attached: u64, detached: u64 },
    /// Watching cannot begin.
    Failed(String),
    /// All programs are off.
    Off,
}

/// The attacher, from the agent's side.
pub(super) struct Attacher {
    reports: Lines<BufReader<OwnedReadHalf>>,
    requests: OwnedWriteHalf,
    interfaces: Vec<InterfaceFacts>,
}

/// The attacher before the agent has an event loop.
pub(super) struct Forked(Pipe);

impl Forked {
    /// Starts the process. To be called while this process has one thread.
    ///
    /// # Errors
    /// The system gives no process or socket pair.
    pub(super) fn start(
        options: WatchOptions,
        kernel: KernelVersion,
        object: Object,
        netns: Option<&NetworkNamespace>,
    ) -> io::Result<Self> {
        let (ours, theirs) = Pipe::pair()?;
        // The programs are the attacher's.
        let life = move || i32::from(life(theirs, options, kernel, object, netns).is_err());
        companion::start(ours, life).map(Self)
    }

    /// Has the programs attached and waits until all interfaces are watched. Needs a tokio runtime.
    ///
    /// # Errors
    /// They cannot be.
    pub(super) async fn attach(self) -> anyhow::Result<Attacher> {
        self.0.set_nonblocking(true)?;
        let (reading, mut requests) = UnixStream::from_std(self.0)?.into_split();
        // One that ended before it was asked has said why.
        let asked = requests.write_all(&[ATTACH]).await;
        let mut attacher =
            Attacher { reports: BufReader::new(reading).lines(), requests, interfaces: Vec::new() };
        match attacher.report().await? {
            Report::Failed(error) => anyhow::bail!(error),
            Report::Watched { interfaces, .. } => {
                asked?;
                attacher.interfaces = interfaces;
            }
            Report::Off => anyhow::bail!("the process that attaches to interfaces ended"),
        }
        Ok(attacher)
    }
}

impl Attacher {
    /// The watched interfaces.
    pub(super) fn facts(&self) -> Vec<InterfaceFacts> {
        self.interfaces.clone()
    }

    /// Returns when interfaces came or went.
    ///
    /// # Errors
    /// The attacher is gone, and the programs with it.
    pub(super) async fn changed(&mut self) -> io::Result<Changes> {
        match self.report().await? {
            Report::Watched { interfaces, attached, detached } => {
                self.interfaces = interfaces;
                Ok(Changes { attached, detached })
            }
            Report::Failed(_) | Report::Off => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The attacher writes diagnostics of this level and above from now on.
    pub(super) async fn set_level(&mut self, level: LogLevel) {
        // Where it is gone, that is found out elsewhere.
        let _ = self.requests.write_all(&[level.number()]).await;
    }

    /// Takes all programs off.
    pub(super) async fn stop(mut self) {
        if self.requests.write_all(&[DETACH]).await.is_ok() {
            while let Ok(Report::Watched { .. }) = self.report().await {}
        }
    }

    async fn report(&mut self) -> io::Result<Report> {
        let line = self.reports.next_line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        serde_json::from_str(&line).map_err(io::Error::other)
    }
}

/// The life of the attacher.
fn life(
    pipe: Pipe,
    options: WatchOptions,
    kernel: KernelVersion,
    object: Object,
    netns: Option<&NetworkNamespace>,
) -> anyhow::Result<()> {
    let begun = netns
        .map_or(Ok(()), NetworkNamespace::enter)
        .map_err(anyhow::Error::from)
        .and_then(|()| Ok(leave_the_agent()?))
        .and_then(|()| Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?))
        .and_then(|runtime| {
            sandbox::enter(Role::Attacher { pins: options.pins.is_some() })?;
            Ok(runtime)
        });
    match begun {
        Ok(runtime) => runtime.block_on(serve(pipe, options, kernel, object)),
        Err(error) => {
            tell(&pipe, &Report::Failed(format!("{error:#}")))?;
            Err(error)
        }
    }
}

/// Signals and standard streams are the agent's: its reader is to see its end when it ends.
fn leave_the_agent() -> io::Result<()> {
    use nix::sys::signal::{SigHandler, Signal, signal};
    for number in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGPIPE] {
        // SAFETY: no handler is installed.
        unsafe { signal(number, SigHandler::SigIgn) }?;
    }
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::thread::set_name(c"ftpmon-attach")?;
    Ok(())
}

async fn serve(
    pipe: Pipe,
    options: WatchOptions,
    kernel: KernelVersion,
    mut object: Object,
) -> anyhow::Result<()> {
    let requests = pipe.try_clone()?;
    requests.set_nonblocking(true)?;
    let mut requests = UnixStream::from_std(requests)?;
    if requests.read_u8().await.ok() != Some(ATTACH) {
        // The agent did not come so far.
        return Ok(());
    }
    let mut watch = match Watch::start(options, kernel, &mut object).await {
        Ok(watch) => watch,
        Err(error) => {
            tell(&pipe, &Report::Failed(error.to_string()))?;
            return Err(error.into());
        }
    };
    let report = |watch: &Watch, changes: Changes| {
        let Changes { attached, detached } = changes;
        tell(&pipe, &Report::Watched { interfaces: watch.facts(), attached, detached })
    };
    report(&watch, Changes::default())?;
    loop {
        // The socket's state is looked at anew, so that a request counts for all that is found after it.
        tokio::task::yield_now().await;
        tokio::select! {
            biased;
            asked = requests.read_u8() => match asked.ok().and_then(LogLevel::of_number) {
                Some(level) => diagnostics::set_level(level),
                // Any other byte, or the agent's end.
                None => break,
            },
            () = watch.changed() => match watch.rescan(&mut object).await {
                Ok(changes) if changes == Changes::default() => {}
                // The agent may be gone: that is read next.
                Ok(changes) => drop(report(&watch, changes)),
                Err(error) => warn!("{error}"),
            },
        }
    }
    watch.stop().await;
    let _ = tell(&pipe, &Report::Off);
    Ok(())
}

/// Writes a line. The agent reads as soon as one comes: it does not fill the socket.
fn tell(mut pipe: &Pipe, report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    pipe.set_nonblocking(false)?;
    let written = pipe.write_all(&line);
    pipe.set_nonblocking(true)?;
    written
}
