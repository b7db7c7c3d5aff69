//! Counts of events, by what they say.

use ftpmon_core::ftp::Verb;
use ftpmon_event::{Event, EventKind, EventType, FileDirection, LoginOutcome, Outcome, ReplyClass};

/// Upper bounds of the classes of reply times, microseconds.
pub(super) const LATENCY_BOUNDS_US: [u64; 12] = [
    1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];
/// Directions, and one for transfers that have none.
pub(super) const DIRECTIONS: usize = FileDirection::ALL.len() + 1;
/// The names of logins' outcomes.
pub(super) const LOGINS: [&str; 3] = ["success", "failure", "abandoned"];
/// The names of reply classes, the last for lines without a code.
pub(super) const CLASSES: [&str; 7] = [
    "preliminary",
    "completion",
    "intermediate",
    "transient_error",
    "permanent_error",
    "protected",
    "malformed",
];

/// Counts of events since the start.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// By type, in the order of [`EventType::ALL`].
    pub(super) events: [u64; EventType::ALL.len()],
    /// By verb, in the order of [`Verb::KNOWN`]; others come last.
    pub(super) commands: Vec<u64>,
    pub(super) replies: [u64; CLASSES.len()],
    pub(super) logins: [u64; LOGINS.len()],
    /// By direction and outcome.
    pub(super) transfers: [[u64; Outcome::ALL.len()]; DIRECTIONS],
    pub(super) bytes: [u64; DIRECTIONS],
    /// Replies that were so quick; slower ones come last.
    pub(super) latency: [u64; LATENCY_BOUNDS_US.len() + 1],
    pub(super) latency_us: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            events: Default::default(),
            commands: vec![0; Verb::KNOWN.len() + 1],
            replies: Default::default(),
            logins: Default::default(),
            transfers: Default::default(),
            bytes: Default::default(),
            latency: Default::default(),
            latency_us: 0,
        }
    }
}

impl Tally {
    /// Counts an event.
    pub(crate) fn count(&mut self, event: &Event) {
        add(&mut self.events, event.kind.event_type() as usize, 1);
        match &event.kind {
            EventKind::Command(command) => {
                let verb = Verb::from_name(command.command.verb.as_bytes());
                let at = Verb::KNOWN.iter().position(|known| *known == verb);
                add(&mut self.commands, at.unwrap_or(Verb::KNOWN.len()), 1);
            }
            EventKind::Reply(reply) => {
                add(&mut self.replies, reply.reply.class.map_or(CLASSES.len() - 1, class), 1);
                if let Some(latency) = reply.latency_us {
                    let at = LATENCY_BOUNDS_US.iter().position(|bound| latency <= *bound);
                    add(&mut self.latency, at.unwrap_or(LATENCY_BOUNDS_US.len()), 1);
                    self.latency_us = self.latency_us.saturating_add(latency);
                }
            }
            EventKind::Login(login) => add(&mut self.logins, outcome_of_login(login.login.outcome), 1),
            EventKind::Transfer(transfer) => {
                let facts = &transfer.transfer;
                let direction = facts.direction.map_or(DIRECTIONS - 1, |direction| direction as usize);
                if let Some(outcomes) = self.transfers.get_mut(direction) {
                    add(outcomes, facts.outcome as usize, 1);
                }
                add(&mut self.bytes, direction, facts.bytes);
            }
            _ => {}
        }
    }

    /// All events.
    pub(super) fn total(&self) -> u64 {
        self.events.iter().sum()
    }

    /// Events of a type.
    pub(super) fn of(&self, kind: EventType) -> u64 {
        self.events.get(kind as usize).copied().unwrap_or(0)
    }
}

fn add(counts: &mut [u64], at: usize, more: u64) {
    if let Some(count) = counts.get_mut(at) {
        *count = count.saturating_add(more);
    }
}

const fn class(class: ReplyClass) -> usize {
    match class {
        ReplyClass::Preliminary => 0,
        ReplyClass::Completion => 1,
        ReplyClass::Intermediate => 2,
        ReplyClass::TransientError => 3,
        ReplyClass::PermanentError => 4,
        ReplyClass::Protected => 5,
    }
}

const fn outcome_of_login(outcome: LoginOutcome) -> usize {
    match outcome {
        LoginOutcome::Success => 0,
        LoginOutcome::Failure => 1,
        LoginOutcome::Abandoned => 2,
    }
}
