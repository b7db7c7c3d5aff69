//! A running agent between sessions that talk without end and a receiver, with a file that has the same events.

use std::env;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::agent::binary;
use crate::bed::Scratch;
use crate::chatter::Chatter;
use crate::net::Direct;
use crate::poll;
use crate::process::{Running, run_ok};

/// Sessions that talk at once.
const SESSIONS: usize = 8;
/// Events that a receiver gets, unless `FTPMON_SOAK_EVENTS` says how many.
const EVENTS: u64 = 12_000;
/// The longest time that an agent takes to start, and the receiver to have the rest.
const SOON: Duration = Duration::from_secs(60);

/// The number of events that a receiver is to get at least.
pub fn events_wanted() -> u64 {
    env::var("FTPMON_SOAK_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(EVENTS)
}

/// Hosts, an agent on the server's, and sessions between them. The receiver is on the server's host too.
#[derive(Debug)]
pub struct Stage {
    /// The hosts.
    pub net: Direct,
    /// A folder for what the receiver needs.
    pub scratch: Scratch,
    /// Bytes and lines of the file that were counted.
    counted: Mutex<(u64, u64)>,
    agent: Option<Running>,
    chatter: Option<Chatter>,
}

impl Stage {
    /// Hosts without anything that runs on them.
    ///
    /// # Errors
    /// No right to make them.
    pub fn new(label: &str) -> Result<Self> {
        Ok(Self {
            net: Direct::new(1500)?,
            scratch: Scratch::new(label)?,
            counted: Mutex::default(),
            agent: None,
            chatter: None,
        })
    }

    /// Makes an authority and a certificate that it signs for 127.0.0.1: paths of the authority's, the certificate and its key.
    ///
    /// # Errors
    /// `openssl` is missing or failed.
    pub fn certificate(&self) -> Result<[String; 3]> {
        let at = |name: &str| self.scratch.path().join(name).to_string_lossy().into_owned();
        let (ca, ca_key, cert, key, request) =
            (at("ca.pem"), at("ca.key"), at("cert.pem"), at("cert.key"), at("request.pem"));
        let names = self.scratch.write("names", "subjectAltName=IP:127.0.0.1\n")?;
        let openssl = |words: &str| run_ok(Command::new("openssl").args(words.split_whitespace()));
        openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout {ca_key} -out {ca}"
        ))?;
        openssl(&format!("req -newkey rsa:2048 -nodes -subj /CN=here -keyout {key} -out {request}"))?;
        let sign =
            format!("x509 -req -days 2 -in {request} -CA {ca} -CAkey {ca_key} -CAcreateserial -out {cert}");
        openssl(&format!("{sign} -extfile {}", names.display()))?;
        // Servers and the agent give up root.
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644))?;
        Ok([ca, cert, key])
    }

    /// The file that has what the receiver gets.
    pub fn reference(&self) -> PathBuf {
        self.scratch.path().join("reference.json")
    }

    /// The folder of the spool.
    pub fn spool(&self) -> PathBuf {
        self.scratch.path().join("spool")
    }

    /// Waits until somebody listens on a port of 127.0.0.1.
    ///
    /// # Errors
    /// Nobody does: with what `receiver` said.
    pub fn listens(&self, port: u16, receiver: &Running) -> Result<()> {
        let connect = || Ok(TcpStream::connect(("127.0.0.1", port)).map(drop)?);
        let said = || format!("{}{}", receiver.stdout.text(), receiver.stderr.text());
        poll::until_ok(SOON, || self.net.server.run(connect)).with_context(said)
    }

    /// Starts the agent with a spool, an output, and the file; then the sessions.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(&mut self, output: &str) -> Result<()> {
        let (spool, file) = (self.spool(), self.reference());
        let (spool, file) = (spool.to_string_lossy(), file.to_string_lossy());
        self.start_with(&["--spool", &spool, "--output", output, "--output", &file])
    }

    /// The same with options that name spool, output and file.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_with(&mut self, options: &[&str]) -> Result<()> {
        let server = &self.net.server;
        let mut command = server.command(&binary()?.to_string_lossy());
        command.args(["run", "--iface", Direct::DEVICE, "--status", "off"]).args(options);
        let mut agent = Running::start(&mut command)?;
        poll::until("the agent to watch", SOON, || {
            if agent.ended()?.is_some() {
                let status = agent.wait(SOON)?;
                bail!("it ended with {status}: {}", agent.stderr.text());
            }
            let begun = fs::read_to_string(self.reference()).is_ok_and(|text| text.contains("sensor_start"));
            Ok(begun.then_some(()))
        })?;
        self.agent = Some(agent);
        self.chatter = Some(Chatter::start(&self.net, SESSIONS)?);
        Ok(())
    }

    /// Waits until the sessions have made so many events, as the file has them: an agent that is behind may lose packets of theirs.
    ///
    /// # Errors
    /// They have not.
    pub fn talk(&self, events: u64) -> Result<()> {
        let limit = SOON + Duration::from_millis(events);
        poll::until("events", limit, || Ok((self.written()? >= events).then_some(())))
    }

    /// The number of lines that the file has.
    fn written(&self) -> Result<u64> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = File::open(self.reference())?;
        file.seek(SeekFrom::Start(counted.0))?;
        let mut more = Vec::new();
        counted.0 += file.read_to_end(&mut more)? as u64;
        counted.1 += more.iter().filter(|&&byte| byte == b'\n').count() as u64;
        Ok(counted.1)
    }

    /// Waits until the agent has said such words on standard error.
    ///
    /// # Errors
    /// It has not.
    pub fn said_soon(&self, words: &str) -> Result<()> {
        let said = poll::until(words, SOON, || Ok(self.said().contains(words).then_some(())));
        said.with_context(|| self.said())
    }

    /// The agent's standard error so far.
    pub fn said(&self) -> String {
        self.agent.as_ref().map_or_else(String::new, |agent| agent.stderr.text())
    }

    /// Ends the sessions, and the agent when `received` counts what the file has: its lines, as many as are wanted.
    ///
    /// # Errors
    /// The receiver does not get everything, something is lost, or the agent ends with an error.
    pub fn finish(&mut self, received: impl Fn(&Self) -> Result<usize>) -> Result<Vec<String>> {
        let lines = self.finish_any(received)?;
        ensure!(lines.len() as u64 >= events_wanted(), "{} events are too few", lines.len());
        Ok(lines)
    }

    /// The same with as many events as there are.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn finish_any(&mut self, received: impl Fn(&Self) -> Result<usize>) -> Result<Vec<String>> {
        let lines = self.finish_with_losses(received)?;
        let loss = lines.iter().find(|line| line.contains("\"event\":\"drop\""));
        ensure!(loss.is_none(), "a loss: {loss:?}");
        Ok(lines)
    }

    /// The same where something may be lost.
    ///
    /// # Errors
    /// The receiver does not get what it is to get, or the agent ends with an error.
    pub fn finish_with_losses(&mut self, received: impl Fn(&Self) -> Result<usize>) -> Result<Vec<String>> {
        self.chatter = None;
        let mut before = 0;
        let limit = SOON + Duration::from_millis(events_wanted());
        let arrived = poll::until("the receiver to have everything", limit, || {
            let text = fs::read_to_string(self.reference())?;
            // An agent that is behind still has sessions to tell of.
            let over = text.lines().filter(|line| line.contains("session_end")).count() >= SESSIONS;
            before = text.lines().count();
            Ok((over && received(self)? >= before).then_some(()))
        });
        arrived.with_context(|| format!("{before} lines were written; the agent said: {}", self.said()))?;
        let mut agent = self.agent.take().context("no agent")?;
        agent.signal(Signal::SIGTERM)?;
        let status = agent.wait(SOON)?;
        ensure!(status.success(), "the agent ended with {status}: {}", agent.stderr.text());
        let lines: Vec<String> = fs::read_to_string(self.reference())?.lines().map(str::to_owned).collect();
        ensure!(lines.last().is_some_and(|line| line.contains("sensor_stop")), "no end: {:?}", lines.last());
        check_numbers(&lines)?;
        Ok(lines)
    }
}

/// The number of an event in the formats `json`, `ecs` and `otel`.
fn number_of(event: &Value) -> Option<u64> {
    let own = event.get("seq").or_else(|| event.pointer("/event/sequence"));
    let of_otel = || {
        let mut attributes = event.get("attributes")?.as_array()?.iter();
        let named = attributes.find(|attribute| attribute.get("key") == Some(&"ftpmon.seq".into()))?;
        named.pointer("/value/intValue")?.as_str()?.parse().ok()
    };
    own.and_then(Value::as_u64).or_else(of_otel)
}

/// The lines of one run have the numbers from 0 on.
fn check_numbers(lines: &[String]) -> Result<()> {
    for (number, line) in lines.iter().enumerate() {
        let event: Value = serde_json::from_str(line)?;
        ensure!(number_of(&event) == Some(number as u64), "line {number} is {line}");
    }
    Ok(())
}
