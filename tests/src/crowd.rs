//! Many sessions at once: who moves which file by which means, that they do, and that the events tell each transfer once
//! and to the byte.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::compare;
use crate::events::Event;
use crate::expected::Expected;
use crate::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Ports};
use crate::net::Namespace;
use crate::schema;

/// The server's ports for passive data connections: few, so that they are used again and again.
const PASSIVE_PORTS: std::ops::Range<u16> = 61_000..61_400;
/// One event in so many is checked against the schema.
const SCHEMA_EVERY: usize = 64;

/// The sessions.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// The number.
    pub sessions: usize,
    /// The number at a time.
    pub at_once: usize,
    /// The largest file in bytes; the smallest is empty.
    pub largest: u64,
}

/// The transfers of one session: a download and an upload, in either order.
#[derive(Clone, Debug)]
struct Job {
    upload: bool,
    mode: DataMode,
    path: String,
    bytes: u64,
}

/// The content of a crowd's events beyond what is required.
#[derive(Clone, Copy, Debug, Default)]
pub struct Findings {
    /// Transfers.
    pub transfers: usize,
    /// Their payload bytes.
    pub bytes: u64,
    /// Of these, seen more than once.
    pub retransmitted: u64,
    /// Files hashed from first byte to last.
    pub hashed: usize,
}

impl Crowd {
    /// A server that has what they fetch.
    pub fn behaviour(&self) -> Behaviour {
        let ports = Ports::Cycle(PASSIVE_PORTS.collect());
        let behaviour = Behaviour { passive_ports: ports, keep: 0, ..Behaviour::default() };
        let downloads = (0..self.sessions).flat_map(|session| self.jobs(session)).filter(|job| !job.upload);
        downloads
            .fold(behaviour, |behaviour, job| behaviour.with_file(&job.path, Content::Pattern(job.bytes)))
    }

    /// Plays all sessions from the client's namespace.
    ///
    /// # Errors
    /// What one of them met first.
    pub fn play(&self, client: &Namespace, server: SocketAddr) -> Result<()> {
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let work = || -> Result<()> {
            loop {
                let session = next.fetch_add(1, Ordering::Relaxed);
                if session >= self.sessions || failed.load(Ordering::Relaxed) {
                    return Ok(());
                }
                self.session(session, server)
                    .with_context(|| format!("session {session}"))
                    .inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            }
        };
        client.run(|| {
            thread::scope(|scope| {
                let threads: Vec<_> = (0..self.at_once).map(|_| scope.spawn(work)).collect();
                let join = |thread: thread::ScopedJoinHandle<'_, Result<()>>| {
                    thread.join().map_err(|_| anyhow!("a client panicked"))?
                };
                threads.into_iter().map(join).collect::<Vec<_>>().into_iter().collect()
            })
        })
    }

    fn session(&self, session: usize, server: SocketAddr) -> Result<()> {
        let mut client = Client::connect(server, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        for job in self.jobs(session) {
            let content = Content::Pattern(job.bytes);
            if job.upload {
                client.store(job.mode, "STOR", &job.path, &content)?;
            } else {
                let got = client.retrieve(job.mode, &job.path, Some(&content))?;
                ensure!(got.intact, "{job:?}: got {got:?}");
            }
        }
        client.quit()?;
        Ok(())
    }

    fn jobs(&self, session: usize) -> [Job; 2] {
        let mode = |turn: usize| DataMode::ALL.get(turn % 4).copied().unwrap_or(DataMode::Pasv);
        let job = |upload: bool| {
            let (kind, mode) = if upload { ("up", mode(session / 4)) } else { ("down", mode(session)) };
            let bytes = self.size(2 * session as u64 + u64::from(upload));
            Job { upload, mode, path: format!("/{kind}-{session}"), bytes }
        };
        let upload_first = session / 16 % 2 == 1;
        [job(upload_first), job(!upload_first)]
    }

    /// File sizes of every order of magnitude alike; some empty, some of the largest.
    fn size(&self, file: u64) -> u64 {
        let mut dice = (file + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        dice ^= dice >> 31;
        dice = dice.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        dice ^= dice >> 29;
        match file % 32 {
            0 => 0,
            31 if file % 256 == 31 => self.largest,
            _ => {
                let bits = dice % u64::from(u64::BITS - self.largest.leading_zeros() + 1);
                (dice >> 8) % (1 << bits).min(self.largest + 1)
            }
        }
    }

    /// Checks the events: each transfer told once, as it was; no session odd; nothing lost. With `hashes` every file has
    /// its SHA-256.
    ///
    /// # Errors
    /// The first difference, and how many transfers have one.
    pub fn check(&self, lines: &[String], hashes: bool) -> Result<Findings> {
        self.check_among(lines, hashes, &[], |_| true)
    }

    /// The same among events of others: only the sessions that `ours` says yes to have to be as they were played, and what is
    /// lost for one of the `allowed` reasons is others' doing.
    ///
    /// # Errors
    /// As [`Crowd::check`].
    pub fn check_among(
        &self,
        lines: &[String],
        hashes: bool,
        allowed: &[&str],
        ours: impl Fn(&Event) -> bool,
    ) -> Result<Findings> {
        let jobs: Vec<Job> = (0..self.sessions).flat_map(|session| self.jobs(session)).collect();
        let digests = if hashes { digests(jobs.iter().map(|job| job.bytes)) } else { HashMap::new() };
        let mut due: HashMap<String, Job> = jobs.into_iter().map(|job| (job.path.clone(), job)).collect();
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut findings = Findings::default();
        let mut differences = Vec::new();
        let mut stats = Value::Null;
        for (at, line) in lines.iter().enumerate() {
            let value: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
            if at % SCHEMA_EVERY == 0 {
                schema::check(&value)?;
            }
            let event = Event(value);
            ensure!(event.number("/seq") == Some(at as u64), "seq is not {at}: {line}");
            if event.has("/session") && !ours(&event) {
                continue;
            }
            *counts.entry(event.name().to_owned()).or_default() += 1;
            match event.name() {
                "transfer" => {
                    let told = due
                        .remove(event.text("/transfer/path"))
                        .with_context(|| format!("told twice, or never asked for: {line}"))
                        .and_then(|job| check_transfer(&event, &job, digests.get(&job.bytes), &mut findings));
                    differences.extend(told.err());
                }
                "anomaly" | "gap" => differences.push(anyhow!("unexpected: {line}")),
                "stats" => stats = event.0,
                _ => {}
            }
        }
        differences.extend(due.into_values().map(|job| anyhow!("never told: {job:?}")));
        for name in ["session_start", "session_end"] {
            let count = counts.get(name).copied().unwrap_or(0);
            if count != self.sessions {
                differences.push(anyhow!("{count} {name} of {}", self.sessions));
            }
        }
        let lost = stats.get("lost").and_then(Value::as_object);
        if lost.is_some_and(|lost| lost.keys().any(|reason| !allowed.contains(&reason.as_str()))) {
            differences.push(anyhow!("lost: {stats}"));
        }
        let several = format!("{} differences; {stats}", differences.len());
        differences.into_iter().next().map_or(Ok(findings), |first| Err(first.context(several)))
    }
}

fn check_transfer(event: &Event, job: &Job, digest: Option<&String>, findings: &mut Findings) -> Result<()> {
    let verb = if job.upload { "STOR" } else { "RETR" };
    compare::transfer(event, &Expected::complete(verb, job.mode.name(), job.bytes))?;
    findings.transfers += 1;
    findings.bytes += job.bytes;
    findings.retransmitted += event.number("/data/retransmitted_bytes").unwrap_or(0);
    if let Some(digest) = digest {
        let whole = event.0.pointer("/file/complete").and_then(Value::as_bool) == Some(true);
        ensure!(whole, "not hashed whole: {}", event.0);
        ensure!(event.text("/file/sha256") == digest, "SHA-256 is not {digest}: {}", event.0);
        findings.hashed += 1;
    }
    Ok(())
}

/// SHA-256 of the pattern at each of these lengths, in hexadecimal.
fn digests(lengths: impl Iterator<Item = u64>) -> HashMap<u64, String> {
    let mut lengths: Vec<u64> = lengths.collect();
    lengths.sort_unstable();
    lengths.dedup();
    let (mut hash, mut done) = (Sha256::new(), 0);
    let mut digest_at = |length: u64| {
        let mut piece = Vec::new();
        // Writing to a vector does not fail.
        let _ = Content::Pattern(length).write_from(done, &mut piece, || true);
        hash.update(&piece);
        done = length;
        let digest: String = hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        (length, digest)
    };
    lengths.into_iter().map(&mut digest_at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_every_size_and_each_way() {
        let crowd = Crowd { sessions: 10_000, at_once: 50, largest: 10 << 20 };
        let jobs: Vec<Job> = (0..crowd.sessions).flat_map(|session| crowd.jobs(session)).collect();
        assert_eq!(jobs.len(), 20_000);
        let with = |wanted: &dyn Fn(&Job) -> bool| jobs.iter().filter(|job| wanted(job)).count();
        assert!(with(&|job| job.bytes == 0) > 600);
        assert!(with(&|job| job.bytes == 10 << 20) > 50);
        assert!(with(&|job| job.bytes > 1 << 20) > 1_000);
        for mode in DataMode::ALL {
            assert_eq!(with(&|job| job.mode == mode && job.upload), 2_500);
            assert_eq!(with(&|job| job.mode == mode && !job.upload), 2_500);
        }
    }

    #[test]
    fn digests_are_those_of_the_bytes() {
        let digests = digests([0, 3].into_iter());
        assert_eq!(digests[&0], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(digests.len(), 2);
    }
}
