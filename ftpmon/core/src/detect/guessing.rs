//! Passwords of one account guessed by one host.

use std::net::IpAddr;

use smol_str::SmolStr;

use super::alerts::{Alerts, Subject};
use super::bucket::Bucket;
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::key;
use super::incident::Incident;
use super::table::{Fill, Table};
use crate::event::{Confidence, Event, EventKind, EventType, LoginAttempt, LoginOutcome};

/// Accounts by host. Stops a host, or many, that make up names.
const ACCOUNTS_MAX: usize = 16_384;
/// A slow guesser makes this many times as many attempts ...
const SLOW_COUNT: u32 = 4;
/// ... in this many times the time.
const SLOW_TIME: u32 = 240;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "login-guessing",
        number: 1,
        title: "Passwords of an account are guessed",
        severity: 3,
        confidence: Confidence::Medium,
        technique: Some("T1110.001"),
    },
    on: true,
    about: "Refused logins of one user by one host, whatever the session: as many as the threshold says in its time, or four times as \
            many in 240 times its time, which finds a slow guesser. Refused is what the server refused (530 and its like), not a \
            session that ended before.",
    tuning: "A client with a stored, outdated password does this too: raise the count, or mend the client.",
    threshold: Threshold { count: 5, per_s: 60 },
    sees: &[Seen::All(EventType::Login)],
    wants: |event| refused(event).is_some(),
    start: |threshold| {
        let slow = Threshold {
            count: threshold.count.saturating_mul(SLOW_COUNT),
            per_s: threshold.per_s.saturating_mul(SLOW_TIME),
        };
        Box::new(Guessing { fast: threshold, slow, accounts: Table::new(ACCOUNTS_MAX) })
    },
};

/// The refused login that an event reports.
pub(super) fn refused(event: &Event) -> Option<&LoginAttempt> {
    match &event.kind {
        EventKind::Login(login) if login.login.outcome == LoginOutcome::Failure => Some(&login.login),
        _ => None,
    }
}

struct Guessing {
    fast: Threshold,
    slow: Threshold,
    accounts: Table<(IpAddr, SmolStr), Account>,
}

#[derive(Default)]
struct Account {
    fast: Bucket,
    slow: Bucket,
    incident: Incident,
    /// The threshold was reached in this incident.
    alerted: bool,
}

impl Detector for Guessing {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(login), Some(session)) = (refused(event), &event.session) else { return };
        let user = key(login.user.as_deref().unwrap_or_default());
        let account = self.accounts.entry((session.client.ip, user.clone()));
        if account.fast.is_empty(event.ts) && account.slow.is_empty(event.ts) {
            (account.incident, account.alerted) = (Incident::default(), false);
        }
        let (fast, slow) = (account.fast.add(event.ts, self.fast), account.slow.add(event.ts, self.slow));
        account.incident.add(event, None, &user);
        account.alerted |= fast || slow;
        if account.alerted && account.incident.is_due() {
            let count = account.incident.count;
            let message = format!("{} failed {count} times to log in as {user:?}", session.client.ip);
            alerts.raise(&ENTRY.subject, event, &account.incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        self.accounts.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Session, alerts_of};
    use super::*;

    fn failures(host: u8, users: impl IntoIterator<Item = (i64, &'static str)>) -> Vec<Event> {
        users.into_iter().map(|(second, user)| Session::new(host).at(second).login(user, false)).collect()
    }

    #[test]
    fn five_refusals_of_one_account_in_a_minute_alert_once() {
        let events = failures(9, (0..7).map(|second| (second, "bob")));
        let alerts = alerts_of(&ENTRY, &events);
        let [alert] = &alerts[..] else { panic!("{alerts:?}") };
        assert_eq!(alert.message, "192.0.2.9 failed 5 times to log in as \"bob\"");
        assert_eq!(
            (alert.evidence.counts["occurrences"], &alert.evidence.examples[..]),
            (5, &["bob".into()][..])
        );
    }

    #[test]
    fn it_alerts_again_at_doubling_counts() {
        let events = failures(9, (0..40).map(|second| (second, "bob")));
        let counts: Vec<_> =
            alerts_of(&ENTRY, &events).iter().map(|alert| alert.evidence.counts["occurrences"]).collect();
        assert_eq!(counts, [5, 10, 20, 40]);
    }

    #[test]
    fn below_the_threshold_it_is_silent() {
        assert!(alerts_of(&ENTRY, &failures(9, (0..4).map(|second| (second, "bob")))).is_empty());
        let other_hosts: Vec<_> = (1..100).flat_map(|host| failures(host, [(host.into(), "bob")])).collect();
        assert!(alerts_of(&ENTRY, &other_hosts).is_empty(), "one failure a host");
        let one_an_hour = failures(9, (0..50).map(|hour| (hour * 3_600, "bob")));
        assert!(alerts_of(&ENTRY, &one_an_hour).is_empty(), "a person who mistypes");
    }

    #[test]
    fn a_guesser_that_is_slower_than_the_threshold_is_found_within_hours() {
        let every_two_minutes = failures(9, (0..100).map(|turn| (turn * 120, "bob")));
        let alerts = alerts_of(&ENTRY, &every_two_minutes);
        assert!(!alerts.is_empty());
        assert!(alerts[0].evidence.counts["occurrences"] <= 30, "{:?}", alerts[0].evidence.counts);
    }

    #[test]
    fn made_up_names_do_not_grow_it() {
        let mut detector = (ENTRY.start)(ENTRY.threshold);
        let mut alerts = Alerts::default();
        for number in 0..2 * ACCOUNTS_MAX {
            detector.event(&Session::new(9).login(&number.to_string(), false), &mut alerts);
        }
        let fill = detector.fill();
        assert_eq!((fill.used, fill.forgotten), (ACCOUNTS_MAX as u64, ACCOUNTS_MAX as u64));
    }
}
