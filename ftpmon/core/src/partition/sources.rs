//! The events that the sessions of a pair of hosts may have beyond those that their segments pay for.

use crate::flow::Control;
use crate::pair::HostPair;
use crate::time::Timestamp;

/// Events that a pair of hosts may have at once beyond those: what honest clients put in one segment.
const EVENTS_MAX: u32 = 8_192;
/// Events that a pair of hosts earns in a second.
const EVENTS_A_SECOND: u64 = 200;
/// Accounts of a partition. Pairs that meet in one share it. Stops pairs without number from taking memory.
const ACCOUNTS: usize = 512;
const SECOND_NS: u64 = 1_000_000_000;

/// The accounts of all pairs of a partition.
#[derive(Debug)]
pub(super) struct Sources(Box<[Account; ACCOUNTS]>);

#[derive(Clone, Copy, Debug)]
struct Account {
    events: u32,
    /// When it earned events last.
    at: Timestamp,
}

impl Default for Sources {
    fn default() -> Self {
        Self(Box::new([Account { events: EVENTS_MAX, at: Timestamp::EARLIEST }; ACCOUNTS]))
    }
}

impl Sources {
    /// Lends a session what a segment of this many bytes may need. Gives the number of events lent.
    #[cold]
    pub(super) fn lend(&mut self, control: &mut Control, now: Timestamp, payload: usize) -> u32 {
        let lent = self.draw(control.pair(), now, u32::try_from(payload).unwrap_or(u32::MAX));
        control.session.lend_events(lent);
        lent
    }

    /// Takes back what is left of what was lent. Gives the number of events that the session held back.
    #[inline]
    pub(super) fn settle(&mut self, control: &mut Control, lent: u32) -> u64 {
        let (left, held_back) = control.session.settle_events(lent);
        if left > 0 {
            self.put_back(control.pair(), left);
        }
        held_back
    }

    /// Takes up to `events` from the account of a pair, at `now`.
    fn draw(&mut self, pair: HostPair, now: Timestamp, events: u32) -> u32 {
        let Some(account) = self.of(pair) else { return 0 };
        let earned = now.nanos_since(account.at) / (SECOND_NS / EVENTS_A_SECOND);
        if earned > 0 {
            account.events = (u64::from(account.events) + earned).min(EVENTS_MAX.into()) as u32;
            account.at = now;
        }
        let drawn = account.events.min(events);
        account.events -= drawn;
        drawn
    }

    /// Puts events that were not needed back.
    fn put_back(&mut self, pair: HostPair, events: u32) {
        if let Some(account) = self.of(pair) {
            account.events = (account.events + events).min(EVENTS_MAX);
        }
    }

    fn of(&mut self, pair: HostPair) -> Option<&mut Account> {
        self.0.get_mut(pair.slot(ACCOUNTS))
    }
}
