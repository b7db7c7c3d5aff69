//! Stalls, and transfers that ended early.

use std::collections::BTreeMap;

use ftpmon_core::ftp::Verb;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{End, EndReason, Event, EventKind, Outcome, Reply, ReplyClass, Transfer};
use serde::{Serialize, Serializer};
use smol_str::SmolStr;

use crate::view::ranking::{Counts, Ranking, kept_of};
use crate::view::sessions::STALLED_MS;

/// The shortest stall, microseconds: as long as a transfer moves nothing before `top` calls it stalled.
const LONG_US: u64 = STALLED_MS * 1_000;
/// A transfer that lasts so long and moves less trickles, bits a second: a kilobyte a second.
const TRICKLE_BPS: u64 = 8_000;
/// Rows of a kind that are kept: those that weigh the most. Stops peers that stall on purpose from filling memory; all are counted.
const ROWS_MAX: usize = 50;

/// The kind of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Matter {
    /// A data connection stood for long, and nothing moved.
    NothingMoved,
    /// A transfer took long for what it moved.
    Trickled,
    /// A reply came late; what a transfer itself takes is not counted.
    LateReply,
    /// A session ended while two commands or more had no reply.
    Unanswered,
    /// Fewer bytes than declared were moved.
    Short,
    /// The transfer was aborted.
    Aborted,
}

impl Matter {
    /// The stalls.
    pub(super) const STALLS: [Self; 4] =
        [Self::NothingMoved, Self::Trickled, Self::LateReply, Self::Unanswered];
    /// The transfers that ended early.
    pub(super) const EARLY: [Self; 2] = [Self::Short, Self::Aborted];

    /// All.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::STALLS.into_iter().chain(Self::EARLY)
    }

    /// Its name for people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NothingMoved => "nothing moved",
            Self::Trickled => "trickled",
            Self::LateReply => "late reply",
            Self::Unanswered => "commands without a reply",
            Self::Short => "short",
            Self::Aborted => "aborted",
        }
    }
}

/// A stall, or a transfer that ended early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Case {
    pub(super) ts: Timestamp,
    pub(super) matter: Matter,
    pub(super) user: Option<SmolStr>,
    pub(super) client: Endpoint,
    pub(super) server: Endpoint,
    pub(super) verb: Option<SmolStr>,
    /// The path of a transfer, the argument of another command.
    pub(super) path: Option<SmolStr>,
    /// Payload of the data connection, from the client and from the server.
    pub(super) bytes_up: Option<u64>,
    pub(super) bytes_down: Option<u64>,
    pub(super) declared_bytes: Option<u64>,
    /// The life of the data connection, or the time until the reply.
    pub(super) duration_us: Option<u64>,
    /// Commands without a reply, at least so many: the greeting and 1yz count as replies too.
    pub(super) unanswered: Option<u64>,
    pub(super) session: SmolStr,
    /// The row with the most is the first of its kind.
    #[serde(skip)]
    weight: u64,
}

impl Case {
    /// The bytes of both ends.
    pub(super) fn bytes(&self) -> Option<u64> {
        Some(self.bytes_up?.saturating_add(self.bytes_down?))
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    matters: BTreeMap<Matter, Kept>,
    /// Stalls by server.
    pub(super) servers: Ranking,
}

#[derive(Debug, Default)]
struct Kept {
    count: u64,
    /// The one that weighs the most first.
    rows: Vec<Case>,
}

impl Stalls {
    /// Takes an event.
    pub(super) fn push(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Transfer(told) => self.transfer(event, told),
            EventKind::Reply(told) => self.reply(event, told),
            EventKind::SessionEnd(told) => self.end(event, &told.end),
            _ => {}
        }
    }

    fn transfer(&mut self, event: &Event, told: &Transfer) {
        let facts = &told.transfer;
        let lasted = told.data.as_ref().and_then(|data| data.duration_us).unwrap_or(0);
        let moved = told
            .data
            .as_ref()
            .map_or(0, |data| data.bytes_from_client.saturating_add(data.bytes_from_server));
        let bits = u128::from(moved) * 8_000_000;
        let stall = match (lasted, moved) {
            (..LONG_US, _) => None,
            (_, 0) => Some(Matter::NothingMoved),
            _ => (bits < u128::from(lasted) * u128::from(TRICKLE_BPS)).then_some(Matter::Trickled),
        };
        let early = match facts.outcome {
            Outcome::Short => Some(Matter::Short),
            Outcome::Aborted => Some(Matter::Aborted),
            _ => None,
        };
        let missing = facts.declared_bytes.unwrap_or(0).saturating_sub(facts.bytes);
        for (matter, weight) in [(stall, lasted), (early, missing)] {
            self.add(event, matter, weight, |case| {
                case.verb = facts.verb.as_deref().map(|verb| kept_of(verb).into());
                case.path = facts.path.as_deref().or(facts.arg.as_deref()).map(|path| kept_of(path).into());
                case.declared_bytes = facts.declared_bytes;
                let Some(data) = &told.data else { return };
                (case.bytes_up, case.bytes_down) =
                    (Some(data.bytes_from_client), Some(data.bytes_from_server));
                case.duration_us = data.duration_us;
            });
        }
    }

    fn reply(&mut self, event: &Event, told: &Reply) {
        let (Some(command), Some(waited)) = (&told.command, told.latency_us) else { return };
        let is_long = waited >= LONG_US && !ends_transfer(&command.verb, told);
        self.add(event, is_long.then_some(Matter::LateReply), waited, |case| {
            case.verb = Some(kept_of(&command.verb).into());
            case.path = command.arg.as_deref().map(|arg| kept_of(arg).into());
            case.duration_us = Some(waited);
        });
    }

    fn end(&mut self, event: &Event, end: &End) {
        // One is usual: whoever says QUIT need not wait for the reply. Behind gaps nothing tells.
        let unanswered = end.commands.saturating_sub(end.replies);
        let waits = end.replies > 0 && unanswered > 1 && end.gaps == 0;
        let is_told = matches!(end.reason, EndReason::Fin | EndReason::Rst | EndReason::Idle);
        self.add(event, (waits && is_told).then_some(Matter::Unanswered), unanswered, |case| {
            case.unanswered = Some(unanswered);
        });
    }

    fn add(&mut self, event: &Event, matter: Option<Matter>, weight: u64, fill: impl FnOnce(&mut Case)) {
        let (Some(matter), Some(session)) = (matter, event.session.as_deref()) else { return };
        if Matter::STALLS.contains(&matter) {
            self.servers.add(&session.server.to_string(), Counts { count: 1, ..Counts::default() });
        }
        let kept = self.matters.entry(matter).or_default();
        kept.count += 1;
        let at = kept.rows.partition_point(|row| row.weight >= weight);
        if at >= ROWS_MAX {
            return;
        }
        let mut case = Case {
            ts: event.ts,
            matter,
            user: event.user.as_deref().map(|user| kept_of(&user.text).into()),
            client: session.client,
            server: session.server,
            verb: None,
            path: None,
            bytes_up: None,
            bytes_down: None,
            declared_bytes: None,
            duration_us: None,
            unanswered: None,
            session: session.id().into(),
            weight,
        };
        fill(&mut case);
        kept.rows.insert(at, case);
        kept.rows.truncate(ROWS_MAX);
    }

    /// The number of cases.
    pub(super) fn count(&self, matter: Matter) -> u64 {
        self.matters.get(&matter).map_or(0, |kept| kept.count)
    }

    /// The rows of some matters, in their order, each with the one that weighs the most first.
    pub(super) fn rows<const N: usize>(&self, matters: [Matter; N]) -> impl Iterator<Item = &Case> {
        matters.into_iter().flat_map(|matter| self.matters.get(&matter).map_or(&[][..], |kept| &kept.rows))
    }
}

/// A reply behind a transfer: until it comes the transfer runs. What refuses one, and 425, does not wait for it.
pub(super) fn ends_transfer(verb: &str, told: &Reply) -> bool {
    let behind_it = told.reply.class == Some(ReplyClass::Completion)
        || matches!(told.reply.code, Some(426 | 451 | 452 | 551 | 552));
    behind_it && Verb::from_name(verb.as_bytes()).transfer().is_some()
}

/// The counts, and the rows of all.
impl Serialize for Stalls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Table<'t> {
            counts: BTreeMap<Matter, u64>,
            servers: &'t Ranking,
            rows: Vec<&'t Case>,
        }
        Table {
            counts: Matter::all().map(|matter| (matter, self.count(matter))).collect(),
            servers: &self.servers,
            rows: self.rows(Matter::STALLS).chain(self.rows(Matter::EARLY)).collect(),
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn event(kind: EventKind) -> Event {
        sample::event(&sample::identity("0000000000000001"), 0, kind)
    }

    fn transfer(bytes: u64, duration_us: u64, outcome: Outcome) -> Event {
        let mut kind = sample::transfer(1);
        if let EventKind::Transfer(told) = &mut kind {
            (told.transfer.bytes, told.transfer.declared_bytes) = (bytes, Some(1_000_000));
            told.transfer.outcome = outcome;
            if let Some(data) = &mut told.data {
                (data.bytes_from_client, data.bytes_from_server) = (0, bytes);
                data.duration_us = Some(duration_us);
            }
        }
        event(kind)
    }

    fn late(code: u16, verb: &str, waited: u64) -> Event {
        let mut kind = sample::reply(1, code, "x", Some((verb, Some("/a"))));
        if let EventKind::Reply(told) = &mut kind {
            told.latency_us = Some(waited);
        }
        event(kind)
    }

    fn matters(events: &[Event]) -> Vec<Matter> {
        let mut stalls = Stalls::default();
        events.iter().for_each(|event| stalls.push(event));
        stalls.rows(Matter::STALLS).chain(stalls.rows(Matter::EARLY)).map(|case| case.matter).collect()
    }

    #[test]
    fn a_transfer_stalls_when_it_lasts_and_moves_little() {
        let of = |bytes, duration| matters(&[transfer(bytes, duration, Outcome::Complete)]);
        assert_eq!(of(0, LONG_US), [Matter::NothingMoved]);
        assert_eq!(of(9_999, LONG_US), [Matter::Trickled]);
        // A kilobyte a second, and what is short.
        assert_eq!([of(10_000, LONG_US), of(0, LONG_US - 1)], [vec![], vec![]]);
        assert_eq!(of(u64::MAX, u64::MAX), []);
        assert_eq!(matters(&[transfer(5, LONG_US, Outcome::Aborted)]), [Matter::Trickled, Matter::Aborted]);
        assert_eq!(matters(&[transfer(5, 1, Outcome::Short)]), [Matter::Short]);
    }

    #[test]
    fn a_reply_is_late_unless_a_transfer_ran_meanwhile() {
        let of = |code, verb, waited| matters(&[late(code, verb, waited)]);
        assert_eq!(of(200, "NOOP", LONG_US), [Matter::LateReply]);
        assert_eq!(of(200, "NOOP", LONG_US - 1), []);
        for code in [150, 425, 550] {
            assert_eq!(of(code, "RETR", LONG_US), [Matter::LateReply], "{code}");
        }
        for code in [226, 250, 426, 451, 552] {
            assert_eq!(of(code, "retr", LONG_US), [], "{code}");
        }
        assert_eq!(of(226, "ABOR", LONG_US), [Matter::LateReply]);
    }

    #[test]
    fn a_session_waits_when_two_commands_have_no_reply() {
        let of = |commands, replies, gaps, reason| {
            let mut kind = sample::session_end();
            if let EventKind::SessionEnd(told) = &mut kind {
                (told.end.commands, told.end.replies, told.end.gaps) = (commands, replies, gaps);
                told.end.reason = reason;
            }
            matters(&[event(kind)])
        };
        assert_eq!(of(9, 7, 0, EndReason::Idle), [Matter::Unanswered]);
        // QUIT; one direction alone; a gap; a table that was full.
        assert_eq!(of(8, 7, 0, EndReason::Fin), []);
        assert_eq!(of(8, 0, 0, EndReason::Fin), []);
        assert_eq!(of(9, 7, 1, EndReason::Fin), []);
        assert_eq!(of(9, 7, 0, EndReason::Evicted), []);
    }

    #[test]
    fn the_longest_are_kept_and_all_are_counted() {
        let mut stalls = Stalls::default();
        let count = ROWS_MAX as u64 + 20;
        for number in 0..count {
            // Neither up nor down.
            stalls.push(&late(200, "NOOP", LONG_US + number * 11 % count));
        }
        let times: Vec<u64> =
            stalls.rows(Matter::STALLS).map(|case| case.duration_us.unwrap_or(0) - LONG_US).collect();
        assert_eq!(times, (count - ROWS_MAX as u64..count).rev().collect::<Vec<_>>());
        assert_eq!(stalls.count(Matter::LateReply), count);
        assert_eq!(stalls.servers.get("192.168.1.109:21").map(|counts| counts.count), Some(count));
    }

    #[test]
    fn long_names_have_no_more_room_than_short_ones() {
        let mut stalls = Stalls::default();
        let long = "é".repeat(9_000);
        let mut kind = sample::reply(1, 200, "x", Some(("NOOP", Some(&long))));
        if let EventKind::Reply(told) = &mut kind {
            told.latency_us = Some(LONG_US);
        }
        stalls.push(&event(kind));
        let path = stalls.rows(Matter::STALLS).next().and_then(|case| case.path.clone()).unwrap();
        assert!(path.len() <= 1_024 && long.starts_with(path.as_str()));
    }
}
