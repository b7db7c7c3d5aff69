//! Servers that answer slower than they did.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{answer, hosts};
use super::incident::Incident;
use super::table::{Fill, Table};
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind, EventType};
use crate::time::Timestamp;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "slow-server",
        number: 44,
        title: "A server answers far slower than it did",
        severity: 1,
        confidence: Confidence::Medium,
        technique: None,
    },
    on: false,
    about: "The mean time of the latest replies of a server is as many times that of its past as the threshold's count says, \
            and half a second at least, after 200 replies. The past decays: each reply counts for a 256th, of the latest \
            each for an eighth. Of those that take less than half a second one of eight is looked at. Replies to transfers, and to PASS, which servers delay on purpose, do not count.",
    tuning: "Off unless asked for. The threshold is COUNT times the past; its time is the pause after which a server is new.",
    threshold: Threshold { count: 8, per_s: 86400 },
    sees: &[Seen::All(EventType::Reply)],
    wants: |event| latency(event).is_some(),
    start: |threshold| Box::new(SlowServer { threshold, servers: Table::new(KEYS_MAX) }),
};

/// Replies before anything is slow.
const REPLIES_MIN: u32 = 200;
/// Less is never slow, microseconds.
const SLOW_US: u64 = 500_000;
/// Of the replies that are not slow one of eight is looked at, and counts for eight: nothing else that detectors see is as frequent.
const SAMPLED: u64 = 8;
/// Parts of a microsecond in which means are kept.
const PARTS: u64 = 256;

/// One of eight, the same ones whenever the events are read.
fn is_sampled(at: Timestamp, tx: u64) -> bool {
    // Fibonacci hashing (Knuth, volume 3, section 6.4): the high bits depend on all others.
    let mixed = at.as_nanos().cast_unsigned().wrapping_add(tx).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed >> 61 == 0
}

fn latency(event: &Event) -> Option<u64> {
    const WAITED_FOR: [&str; 9] = ["PASS", "USER", "RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD"];
    let EventKind::Reply(reply) = &event.kind else { return None };
    let latency = reply.latency_us.filter(|latency| *latency >= SLOW_US || is_sampled(event.ts, reply.tx))?;
    let (_, verb, _) = answer(event)?;
    (reply.reply.is_final && !WAITED_FOR.contains(&verb)).then_some(latency)
}

struct SlowServer {
    threshold: Threshold,
    servers: Table<IpAddr, Pace>,
}

#[derive(Default)]
struct Pace {
    /// The mean of the past.
    past: u64,
    /// The mean of the latest replies.
    latest: u64,
    replies: u32,
    last: Timestamp,
    slow: Option<Incident>,
}

/// A mean to which a value is added that counts for one of so many parts.
fn moved(mean: u64, value: u64, parts: u64) -> u64 {
    mean - mean / parts + value / parts
}

impl Detector for SlowServer {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(latency) = latency(event) else { return };
        let (_, server) = hosts(event);
        let pace = self.servers.entry(server);
        if event.ts.nanos_since(pace.last) >= u64::from(self.threshold.per_s) * 1_000_000_000 {
            *pace = Pace::default();
        }
        pace.last = event.ts;
        let value = latency.saturating_mul(PARTS);
        if pace.replies == 0 {
            (pace.past, pace.latest) = (value, value);
        }
        let weight = if latency >= SLOW_US { 1 } else { SAMPLED as u32 };
        pace.replies = pace.replies.saturating_add(weight);
        let slow = pace.past.saturating_mul(self.threshold.count.into()).max(SLOW_US * PARTS);
        for _ in 0..weight {
            pace.latest = moved(pace.latest, value, 8);
            pace.past = moved(pace.past, value, 256);
        }
        if pace.replies < REPLIES_MIN || pace.latest < slow {
            pace.slow = None;
            return;
        }
        let incident = pace.slow.get_or_insert_default();
        incident.add(event, None, "");
        if incident.is_due() {
            let (now, past) = (pace.latest / PARTS / 1_000, pace.past / PARTS / 1_000);
            let message = format!("{server} takes {now} ms for a reply, and took {past} ms before");
            alerts.raise(&ENTRY.subject, event, incident, &[("now_ms", now), ("past_ms", past)], message);
        }
    }

    fn fill(&self) -> Fill {
        self.servers.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn replies(usual: u64, then: u64, count: i64) -> Vec<Event> {
        let reply = |n: i64, latency| Session::new(9).at(n).reply_after(latency, "CWD");
        (0..400).map(|n| reply(n, usual)).chain((400..400 + count).map(|n| reply(n, then))).collect()
    }

    #[test]
    fn much_slower_replies_alert() {
        let alerts = alerts_of(&ENTRY, &replies(20_000, 4_000_000, 8));
        assert!(!alerts.is_empty() && alerts[0].evidence.counts["past_ms"] < 200, "{alerts:?}");
    }

    #[test]
    fn one_slow_reply_and_a_slow_server_do_not() {
        assert!(alerts_of(&ENTRY, &replies(20_000, 2_000_000, 1)).is_empty());
        assert!(alerts_of(&ENTRY, &replies(400_000, 2_000_000, 50)).is_empty(), "five times");
        assert!(alerts_of(&ENTRY, &replies(1_000, 100_000, 50)).is_empty(), "below half a second");
        let passwords =
            (0..900).map(|n| Session::new(9).at(n).reply_after(if n < 500 { 9 } else { 9_000_000 }, "PASS"));
        assert!(alerts_of(&ENTRY, &passwords.collect::<Vec<_>>()).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::with_server(n).reply_after(9_000_000, "CWD"));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
