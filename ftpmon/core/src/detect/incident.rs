//! An incident: occurrences that belong together. It is alerted at first and whenever it has doubled, not once a packet.

use smallvec::SmallVec;
use smol_str::{SmolStr, ToSmolStr};

use crate::event::Event;
use crate::time::Timestamp;

/// Sessions, commands and examples that an alert names. Stops a long incident from making long lines.
const NAMED_MAX: usize = 8;
/// Bytes of an example. Stops long names from filling memory.
const EXAMPLE_BYTES_MAX: usize = 128;

/// Occurrences that belong together. Most incidents have one occurrence, which takes no memory of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Incident {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Occurrences.
    pub(super) count: u64,
    /// By the bytes of their numbers, which need no room for alignment.
    pub(super) sessions: SmallVec<[[u8; 16]; 1]>,
    /// Commands of the latest session.
    pub(super) tx: SmallVec<[u64; 2]>,
    pub(super) examples: SmallVec<[SmolStr; 1]>,
    /// Occurrences between the latest alert and the one before it, which had none of their own.
    pub(super) suppressed: u64,
    /// Occurrences at which the next alert is due: twice those at the latest one.
    next: u64,
}

impl Incident {
    /// Adds an occurrence: an event, the command that it is about, and what shows it.
    pub(super) fn add(&mut self, event: &Event, tx: Option<u64>, example: &str) {
        if self.count == 0 {
            self.first = event.ts;
        }
        self.last = self.last.max(event.ts);
        self.count += 1;
        if let Some(session) = event.session.as_deref().map(|it| it.number().to_le_bytes()) {
            if self.sessions.last() != Some(&session) {
                self.tx.clear();
            }
            if self.sessions.len() < NAMED_MAX && !self.sessions.contains(&session) {
                self.sessions.push(session);
            }
        }
        if let Some(tx) = tx
            && self.tx.len() < NAMED_MAX
            && !self.tx.contains(&tx)
        {
            self.tx.push(tx);
        }
        let example = head(example);
        if !example.is_empty()
            && self.examples.len() < NAMED_MAX
            && !self.examples.iter().any(|known| known == example)
        {
            self.examples.push(example.into());
        }
    }

    /// Its examples are these, which cost something to write.
    pub(super) fn name(&mut self, examples: impl Iterator<Item = impl ToSmolStr>) {
        self.examples = examples.take(NAMED_MAX).map(|example| example.to_smolstr()).collect();
    }

    /// An alert is due: the first, or one for an incident that has doubled since the last.
    pub(super) fn is_due(&mut self) -> bool {
        let due = self.count >= self.next;
        if due {
            self.suppressed = match self.next / 2 {
                0 => 0,
                told => self.count.saturating_sub(told + 1),
            };
            self.next = self.count.saturating_mul(2);
        }
        due
    }
}

fn head(text: &str) -> &str {
    let end = (0..=EXAMPLE_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Session;
    use super::*;

    #[test]
    fn alerts_are_due_at_doubling_counts() {
        let event = Session::new(1).command("NOOP", None);
        let mut incident = Incident::default();
        let due: Vec<u64> = (1..=100)
            .filter(|_| {
                incident.add(&event, None, "x");
                incident.is_due()
            })
            .collect();
        assert_eq!(due, [1, 2, 4, 8, 16, 32, 64]);
    }

    #[test]
    fn occurrences_between_alerts_are_counted() {
        let event = Session::new(1).command("NOOP", None);
        let mut incident = Incident::default();
        let mut suppressed = Vec::new();
        for number in 1..=20 {
            incident.add(&event, None, "x");
            // Those below a threshold of five would have had no alert anyway.
            if number >= 5 && incident.is_due() {
                suppressed.push((number, incident.suppressed));
            }
        }
        assert_eq!(suppressed, [(5, 0), (10, 4), (20, 9)]);
    }

    #[test]
    fn what_an_alert_names_is_bounded() {
        let mut incident = Incident::default();
        for number in 0..50 {
            let event = Session::new(number).command("NOOP", None);
            incident.add(&event, Some(number.into()), &format!("{number}{}", "é".repeat(400)));
        }
        assert_eq!((incident.sessions.len(), incident.examples.len()), (NAMED_MAX, NAMED_MAX));
        assert!(incident.tx.len() <= NAMED_MAX);
        assert!(incident.examples.iter().all(|example| example.len() <= EXAMPLE_BYTES_MAX));
        assert_eq!(incident.count, 50);
    }
}
