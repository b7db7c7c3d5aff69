//! Users who fetch much more than they ever did.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{hosts, key, path, short_hash, transfer, user};
use super::incident::Incident;
use super::table::{Fill, Table};
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventType, FileDirection, Transfer};
use smol_str::SmolStr;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "bulk-download",
        number: 31,
        title: "A user fetches far more than usual",
        severity: 2,
        confidence: Confidence::Medium,
        technique: Some("T1530"),
    },
    on: true,
    about: "A user fetched in one day as many times what the user fetches on the days of use as the threshold's count says \
            (and 100 MiB at least), after five days of use. What is usual decays: each day of use counts for a fifth. \
            `new_paths` and `unusual_hour` say what else is unlike the user.",
    tuning: "A new job of the user does this once; what it fetches is usual after some days. The threshold is COUNT times the \
            usual in TIME, which is the length of a day.",
    threshold: Threshold { count: 10, per_s: 86400 },
    sees: &[Seen::All(EventType::Transfer)],
    wants: |event| fetched(event).is_some(),
    start: |threshold| Box::new(BulkDownload { threshold, users: Table::new(KEYS_MAX) }),
};

/// Days of use before anything is unusual.
const DAYS_MIN: u32 = 5;
/// Less is never bulk, bytes.
const BYTES_MIN: u64 = 100 << 20;
/// The latest day counts for one part of so many.
const DECAY: u64 = 5;
/// Paths of a user that are remembered, as hashes. Stops a user who reads everything.
const PATHS_MAX: usize = 256;

fn fetched(event: &Event) -> Option<&Transfer> {
    let transfer = transfer(event)?;
    let is_download = transfer.transfer.direction == Some(FileDirection::Download);
    (is_download && transfer.transfer.bytes > 0).then_some(transfer)
}

struct BulkDownload {
    threshold: Threshold,
    users: Table<(IpAddr, SmolStr), Habit>,
}

#[derive(Default)]
struct Habit {
    /// The day, counted from 1970.
    day: i64,
    /// Bytes of this day.
    today: u64,
    /// Bytes of a usual day of use.
    usual: u64,
    /// Days of use before this one.
    days: u32,
    /// A bit for each hour of the day (UTC) with a fetch on earlier days.
    hours: u32,
    hours_today: u32,
    paths: Vec<u32>,
    new_paths: u64,
    incident: Incident,
}

impl Habit {
    /// Another day begins: the one before becomes a part of what is usual.
    fn turn(&mut self, day: i64) {
        if self.today > 0 {
            let before = (self.usual / DECAY).saturating_mul(DECAY - 1);
            self.usual = if self.days == 0 { self.today } else { before + self.today / DECAY };
            self.days += 1;
            self.hours |= self.hours_today;
        }
        (self.day, self.today, self.hours_today, self.new_paths) = (day, 0, 0, 0);
        self.incident = Incident::default();
    }

    fn note_path(&mut self, path: &str) {
        let hash = short_hash(path);
        if !self.paths.contains(&hash) {
            self.new_paths += 1;
            if self.paths.len() >= PATHS_MAX {
                self.paths.remove(0);
            }
            self.paths.push(hash);
        }
    }
}

impl Detector for BulkDownload {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(transfer) = fetched(event) else { return };
        let (client, server) = hosts(event);
        let name = key(user(event));
        let habit = self.users.entry((server, name.clone()));
        let seconds = event.ts.seconds();
        let day = seconds.div_euclid(i64::from(self.threshold.per_s.max(1)));
        if day != habit.day {
            habit.turn(day);
        }
        let hour = 1_u32 << seconds.div_euclid(3_600).rem_euclid(24);
        habit.hours_today |= hour;
        habit.today = habit.today.saturating_add(transfer.transfer.bytes);
        habit.note_path(path(transfer));
        if habit.days < DAYS_MIN {
            return;
        }
        habit.incident.add(event, Some(transfer.tx), path(transfer));
        let much = habit.usual.saturating_mul(self.threshold.count.into()).max(BYTES_MIN);
        if habit.today >= much && habit.incident.is_due() {
            let (today, usual) = (habit.today, habit.usual);
            let counts = [
                ("bytes", today),
                ("usual_bytes", usual),
                ("new_paths", habit.new_paths),
                ("unusual_hour", u64::from(habit.hours & hour == 0)),
            ];
            let message = format!(
                "{name:?} fetched {today} bytes from {server} to {client}, and usually {usual} a day"
            );
            alerts.raise(&ENTRY.subject, event, &habit.incident, &counts, message);
        }
    }

    fn fill(&self) -> Fill {
        self.users.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    const MIB: u64 = 1 << 20;

    fn fetch(day: i64, bytes: u64) -> Event {
        let session = Session::new(9).at(day * 86_400 + 36_000);
        let event = session.transfer("RETR", &format!("/d{day}"), |it| it.transfer.bytes = bytes);
        Session::as_user(event, "bob")
    }

    fn days(count: i64, bytes: u64, then: u64) -> Vec<Event> {
        (1..=count).map(|day| fetch(day, bytes)).chain([fetch(count + 1, then)]).collect()
    }

    #[test]
    fn ten_times_the_usual_alerts() {
        let alerts = alerts_of(&ENTRY, &days(5, 20 * MIB, 200 * MIB));
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.evidence.counts["usual_bytes"], 20 * MIB);
        assert_eq!((alert.evidence.counts["unusual_hour"], alert.evidence.counts["new_paths"]), (0, 1));
    }

    #[test]
    fn less_new_users_and_small_amounts_do_not() {
        assert!(alerts_of(&ENTRY, &days(5, 20 * MIB, 199 * MIB)).is_empty());
        assert!(alerts_of(&ENTRY, &days(4, 20 * MIB, 900 * MIB)).is_empty());
        assert!(alerts_of(&ENTRY, &days(9, 1_000, 99 * MIB)).is_empty());
    }

    #[test]
    fn what_is_usual_decays() {
        let grows = (1..30).map(|day| fetch(day, (20 * MIB) << (day / 5)));
        assert!(alerts_of(&ENTRY, &grows.collect::<Vec<_>>()).is_empty());
    }

    #[test]
    fn paths_do_not_grow_it() {
        let mut habit = Habit::default();
        (0..5_000).for_each(|n: u32| habit.note_path(&n.to_string()));
        assert_eq!(habit.paths.len(), PATHS_MAX);
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::as_user(fetch(1, 9), &n.to_string()));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
