//! All tables of a report.

use std::collections::BTreeMap;

use ftpmon_core::ftp::Verb;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, EventLine, FileDirection, LoginOutcome, Reply, TlsTurn, Transfer};
use serde::Serialize;

use super::latency::Latency;
use super::servers::Servers;
use super::stalls::{Stalls, ends_transfer};
use super::timeline::Timeline;
use super::trail::Trail;
use crate::view::ranking::{Counts, Ranking};

/// The tables.
#[derive(Debug, Default, Serialize)]
pub(super) struct Tally {
    /// The times of the first and of the last event.
    pub(super) period: Option<[Timestamp; 2]>,
    pub(super) events: u64,
    pub(super) sessions: u64,
    /// Sessions that turned to TLS.
    pub(super) sessions_tls: u64,
    pub(super) transfers: Counts,
    /// Of those, such as had a data connection without TLS.
    pub(super) transfers_clear_text: u64,
    /// Transfers whose data connection was seen.
    pub(super) transfers_connected: u64,
    /// By outcome.
    pub(super) outcomes: BTreeMap<&'static str, u64>,
    pub(super) logins: Counts,
    pub(super) logins_clear_text: u64,
    /// Events that were lost, anomalies and gaps.
    pub(super) lost_events: u64,
    pub(super) anomalies: u64,
    pub(super) gaps: u64,
    pub(super) timeline: Timeline,
    pub(super) users: Ranking,
    pub(super) servers: Ranking,
    pub(super) clients: Ranking,
    pub(super) paths: Ranking,
    /// Files by the ending of their names.
    pub(super) types: Ranking,
    /// Refused logins by client and by user.
    pub(super) refused_clients: Ranking,
    pub(super) refused_users: Ranking,
    /// Alerts by detector.
    pub(super) alerts: Ranking,
    pub(super) tls_versions: Ranking,
    /// Greetings of servers.
    pub(super) greetings: Ranking,
    /// The audit trail, and the days and runs of which there are events.
    pub(super) trail: Trail,
    /// Reply times by verb.
    pub(super) latency: BTreeMap<&'static str, Latency>,
    /// The slowest of them, by server.
    pub(super) slowest: Servers,
    /// Stalls, short and aborted transfers.
    pub(super) stalls: Stalls,
}

impl Tally {
    /// Takes an event.
    pub(super) fn push(&mut self, line: &EventLine) {
        let event = &line.event;
        self.trail.push(line);
        self.stalls.push(event);
        self.events += 1;
        let [first, last] = self.period.get_or_insert([event.ts; 2]);
        (*first, *last) = ((*first).min(event.ts), (*last).max(event.ts));
        match &event.kind {
            EventKind::SessionStart(_) => self.sessions += 1,
            EventKind::Transfer(told) => self.transfer(event, told),
            EventKind::Login(told) => self.login(event, told.login.outcome, told.login.encrypted),
            EventKind::Reply(told) => self.reply(event, told),
            EventKind::Tls(told) if told.tls.state == TlsTurn::Start => {
                self.sessions_tls += 1;
                let version = told.tls.version.as_deref().unwrap_or("not seen");
                self.tls_versions.add(version, counted(true));
            }
            EventKind::Alert(told) => {
                let name = format!("{}: {}", told.alert.id, told.alert.title);
                self.alerts.add(&name, counted(true));
            }
            EventKind::Drop(told) => self.lost_events = self.lost_events.saturating_add(told.drop.count),
            EventKind::Anomaly(_) => self.anomalies += 1,
            EventKind::Gap(_) => self.gaps += 1,
            _ => {}
        }
    }

    fn transfer(&mut self, event: &Event, told: &Transfer) {
        let facts = &told.transfer;
        *self.outcomes.entry(facts.outcome.name()).or_default() += 1;
        let (up, down) =
            told.data.as_ref().map_or((0, 0), |data| (data.bytes_from_client, data.bytes_from_server));
        if let Some(data) = told.data.as_ref().filter(|data| data.initiator.is_some()) {
            self.transfers_connected += 1;
            self.transfers_clear_text += u64::from(!data.tls);
        }
        let counts = Counts { bytes_up: up, bytes_down: down, ..counted(!facts.outcome.is_failure()) };
        self.transfers.add(counts);
        self.timeline.add(event.ts, counts);
        self.users.add(event.user.as_deref().map_or("-", |user| user.text.as_str()), counts);
        if let Some(session) = event.session.as_deref() {
            self.servers.add(&session.server.to_string(), counts);
            self.clients.add(&session.client.ip.to_string(), counts);
        }
        if facts.direction == Some(FileDirection::Listing) {
            return;
        }
        if let Some(path) = facts.path.as_deref().or(facts.arg.as_deref()) {
            self.paths.add(path, counts);
            let name = path.rsplit('/').next().unwrap_or(path);
            let ending = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, ending)| ending);
            self.types.add(&ending.unwrap_or("none").to_lowercase(), counts);
        }
    }

    fn login(&mut self, event: &Event, outcome: LoginOutcome, encrypted: bool) {
        let is_good = outcome == LoginOutcome::Success;
        self.logins.add(counted(is_good));
        self.logins_clear_text += u64::from(!encrypted);
        if outcome == LoginOutcome::Failure {
            if let Some(session) = event.session.as_deref() {
                self.refused_clients.add(&session.client.ip.to_string(), counted(false));
            }
            self.refused_users.add(event.user.as_deref().map_or("-", |user| &user.text), counted(false));
        }
    }

    fn reply(&mut self, event: &Event, told: &Reply) {
        if told.reply.code == Some(220)
            && told.tx == 0
            && let Some(session) = event.session.as_deref()
        {
            let line = told.reply.text.lines().next().unwrap_or_default();
            self.greetings.add(&format!("{}: {line}", session.server), counted(true));
        }
        if let (Some(command), Some(us)) = (&told.command, told.latency_us) {
            // The reply that ends a transfer took as long as the transfer.
            if ends_transfer(&command.verb, told) {
                return;
            }
            let verb = Verb::from_name(command.verb.as_bytes()).name().unwrap_or("other");
            self.latency.entry(verb).or_default().add(us);
            if let Some(session) = event.session.as_deref() {
                self.slowest.add(session.server, verb, us);
            }
        }
    }
}

/// One, which succeeded or not.
fn counted(is_good: bool) -> Counts {
    Counts { count: 1, failed: u64::from(!is_good), ..Counts::default() }
}
