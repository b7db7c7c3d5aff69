//! The place where dialogues are played: a client, a stranger and a real server on one wire, with ftpmon on the server.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::played::Played;
use super::record::Record;
use super::step::Step;
use super::talker::{self, Cast};
use super::told::Told;
use super::{alerts, judge, ledger, served};
use crate::agent::Agent;
use crate::events::{Event, Events};
use crate::net::{Direct, Family, Mischief, Namespace, Relayed};
use crate::party::{Party, RealServer};
use crate::poll;
use crate::script::capture::Frame;

/// The time that the end of a session may be told after it: a transfer's connection is waited for.
const LIMIT: Duration = Duration::from_secs(20);

/// The time that a server may take to log what it moved.
const LOG_LIMIT: Duration = Duration::from_secs(3);

/// The pause between two looks at the log.
const LOG_PAUSE: Duration = Duration::from_millis(50);

/// The time within which a server notices that clients are gone which it left without an answer.
const NOTICED: Duration = Duration::from_millis(300);

/// The wire between client and server.
#[derive(Debug)]
enum Wire {
    Direct(Direct),
    Relayed(Relayed),
}

impl Wire {
    const fn client(&self) -> &Namespace {
        match self {
            Self::Direct(wire) => &wire.client,
            Self::Relayed(wire) => &wire.client,
        }
    }

    const fn server(&self) -> &Namespace {
        match self {
            Self::Direct(wire) => &wire.server,
            Self::Relayed(wire) => &wire.server,
        }
    }
}

/// A server and what watches it.
#[derive(Debug)]
pub struct Stage {
    net: Wire,
    server: RealServer,
    agent: Agent,
    cast: Cast,
    read: usize,
    /// Lines of the server's log that were compared.
    logged: usize,
    /// Commands of its other log that were compared.
    served: usize,
    /// Events by session id, of sessions that nobody has asked for yet.
    sessions: HashMap<String, Vec<Event>>,
    /// Session ids by the client's end.
    ids: HashMap<SocketAddr, Vec<String>>,
    ended: HashSet<String>,
}

impl Stage {
    /// A server of this kind, watched with this hook.
    ///
    /// # Errors
    /// No right, or one of them did not start.
    pub fn new(party: Party, hook: &str, family: Family) -> Result<Self> {
        let net = Direct::with_addresses(
            1500,
            &["10.77.0.1/24", "10.77.0.3/24", "fd77::1/64", "fd77::3/64"],
            &["10.77.0.2/24", "fd77::2/64"],
        )?;
        Self::on(Wire::Direct(net), party, hook, family)
    }

    /// The same on a wire that loses, doubles and delays frames, and records those that come in.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn relayed(party: Party, hook: &str, family: Family, mischief: Mischief) -> Result<Self> {
        let net = Relayed::new(1500, mischief)?;
        net.client.ip("addr add 10.77.0.3/24 dev eth0")?;
        net.client.ip("addr add fd77::3/64 dev eth0 nodad")?;
        // What is lost is sent again soon: else servers and clients wait for one another longer than they do on a good wire.
        for namespace in [&net.client, &net.server] {
            namespace.ip("route change 10.77.0.0/24 dev eth0 rto_min 20ms")?;
        }
        Self::on(Wire::Relayed(net), party, hook, family)
    }

    fn on(net: Wire, party: Party, hook: &str, family: Family) -> Result<Self> {
        let hosts = Direct::hosts(family);
        let server = RealServer::start(party, net.server(), hosts.server)?;
        let arguments = [
            "--hook",
            hook,
            "--iface",
            Direct::DEVICE,
            "--files",
            "hash",
            "--secrets",
            "show",
            "--owners",
            "off",
        ];
        let agent = Agent::start(net.server(), &arguments)?;
        let stranger: IpAddr = match family {
            Family::V4 => [10, 77, 0, 3].into(),
            Family::V6 => [0xfd77, 0, 0, 0, 0, 0, 0, 3].into(),
        };
        let cast = Cast { server: SocketAddr::new(hosts.server, 21), client: hosts.client, stranger };
        Ok(Self {
            net,
            server,
            agent,
            cast,
            read: 0,
            logged: 0,
            served: 0,
            sessions: HashMap::new(),
            ids: HashMap::new(),
            ended: HashSet::new(),
        })
    }

    /// Plays sessions and gives what their clients know, and the frames that were on the wire meanwhile; none on a direct one.
    ///
    /// # Errors
    /// As [`Self::play`].
    pub fn play_recorded(&self, plans: &[Vec<Step>]) -> Result<(Vec<Record>, Vec<Frame>)> {
        let Wire::Relayed(wire) = &self.net else { return Ok((self.play(plans)?, Vec::new())) };
        wire.record();
        let records = self.play(plans)?;
        // The ends of the last connections.
        thread::sleep(NOTICED);
        Ok((records, wire.recorded()))
    }

    /// The server.
    pub const fn server(&self) -> &RealServer {
        &self.server
    }

    /// Plays sessions at once. Gives what their clients know.
    ///
    /// # Errors
    /// A connection could not be made.
    pub fn play(&self, plans: &[Vec<Step>]) -> Result<Vec<Record>> {
        let cast = self.cast;
        let told = Told::new(self.agent.lines(), self.read);
        let told = &told;
        self.net.client().run(|| {
            thread::scope(|scope| {
                let started: Vec<_> =
                    plans.iter().map(|steps| scope.spawn(move || talker::play(cast, told, steps))).collect();
                started
                    .into_iter()
                    .map(|thread| thread.join().map_err(|_| anyhow!("a client panicked"))?)
                    .collect()
            })
        })
    }

    /// Waits for the events of sessions, and judges them.
    ///
    /// # Errors
    /// A session's end was not told.
    pub fn judge(&mut self, records: Vec<Record>) -> Result<Vec<Played>> {
        let mut played: Vec<Played> =
            records.into_iter().map(|record| self.judge_one(record)).collect::<Result<_>>()?;
        self.compare_with_log(&mut played);
        Ok(played)
    }

    /// Holds the transfers of a round against the server's log of it, once that has all of them.
    fn compare_with_log(&mut self, played: &mut [Played]) {
        if played.iter().any(|played| played.record.stalled) {
            // What it logs later would be taken for the next round's.
            thread::sleep(NOTICED);
        }
        let deadline = Instant::now() + LOG_LIMIT;
        loop {
            let logged = self.server.moved();
            let new = logged.get(self.logged..).unwrap_or_default();
            let mut found = ledger::differences(played, new);
            let all_served = self.server.served();
            if self.server.serves_by_command() {
                found.extend(served::differences(played, all_served.get(self.served..).unwrap_or_default()));
            }
            if found.is_empty() || Instant::now() >= deadline {
                (self.logged, self.served) = (logged.len(), all_served.len());
                for (session, difference) in found {
                    if let Some(played) = played.get_mut(session) {
                        played.differences.push(difference);
                    }
                }
                return;
            }
            thread::sleep(LOG_PAUSE);
        }
    }

    fn judge_one(&mut self, record: Record) -> Result<Played> {
        let found = poll::until(&format!("the end of the session of {}", record.client), LIMIT, || {
            self.gather();
            let ids = self.ids.get(&record.client);
            Ok(ids.and_then(|ids| ids.iter().find(|id| self.ended.contains(*id))).cloned())
        });
        let known = self.ids.get(&record.client).and_then(|ids| ids.first()).cloned();
        let id = found.as_ref().ok().cloned().or(known).unwrap_or_default();
        self.ended.remove(&id);
        self.ids.remove(&record.client);
        let events = Events(self.sessions.remove(&id).unwrap_or_default());
        let mut differences = judge::differences(&record, &events);
        differences.extend(alerts::unmeant(&record, &events));
        match found {
            // Which command has no answer nobody knows.
            _ if record.unsure => differences.clear(),
            found => differences.extend(found.err().map(|error| error.to_string())),
        }
        Ok(Played { record, events, differences })
    }

    /// Plays sessions at once and judges them.
    ///
    /// # Errors
    /// As [`Stage::play`] and [`Stage::judge`].
    pub fn run(&mut self, plans: &[Vec<Step>]) -> Result<Vec<Played>> {
        let records = self.play(plans)?;
        self.judge(records)
    }

    /// Sorts new events by their sessions.
    fn gather(&mut self) {
        let lines = self.agent.lines().from(self.read);
        self.read += lines.len();
        for event in Events::from_lines(&lines).0 {
            let id = event.text("/session").to_owned();
            if id.is_empty() {
                continue;
            }
            if event.name() == "session_start"
                && let Ok(client) = event.endpoint("/client").parse()
            {
                self.ids.entry(client).or_default().push(id.clone());
            }
            if event.name() == "session_end" {
                self.ended.insert(id.clone());
            }
            self.sessions.entry(id).or_default().push(event);
        }
    }

    /// Ends ftpmon and gives all its events.
    ///
    /// # Errors
    /// It failed.
    pub fn stop(self) -> Result<Events> {
        self.agent.stop()
    }
}
