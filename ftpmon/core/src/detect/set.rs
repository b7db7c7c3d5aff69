//! The detectors that are on.

use super::alerts::Alerts;
use super::allow::{Allowance, Allowed};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::registry::ALL;
use super::table::Fill;
use crate::event::{Event, EventKind, EventType};

/// Number of event types.
const TYPES: usize = EventType::ALL.len();

/// Codes that replies have: up to 6yz (RFC 2228), and x5z (RFC 959 section 4.2.1). All are asked about others.
const CODES: u16 = 700;
const SECOND_MAX: u16 = 5;

/// Whether a detector has to see an event.
type Wants = fn(&Event) -> bool;

/// Detectors that may be on.
const DETECTORS_MAX: usize = u128::BITS as usize;
const _: () = assert!(ALL.len() <= DETECTORS_MAX);

/// The detectors that have to see an event, of a choice of detectors: what [`Wanted`] says to the [`Detectors`] of the same choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// By position in the choice.
    chosen: u128,
    /// Some of the operator's own see all events of the type.
    own: bool,
}

impl Interest {
    /// No detector has to see it.
    pub const fn is_none(self) -> bool {
        self.chosen == 0 && !self.own
    }

    /// Positions of the chosen ones.
    fn positions(self) -> impl Iterator<Item = usize> {
        let mut left = self.chosen;
        core::iter::from_fn(move || {
            let position = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(position)
        })
    }
}

/// Whether replies of a code may have to be seen.
type Codes = fn(u16) -> bool;

/// Those who have to be asked about an event, with their positions in the choice.
type Asked = Vec<(usize, Wants)>;

/// The events that some of the detectors that are on have to see. Threads that make events ask it; it looks at each event alone.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Those who see all events of a type, or replies without a code.
    by_type: [Asked; TYPES],
    /// Those who see replies of a code: the place of each code in `of_codes`.
    codes: Vec<u8>,
    of_codes: Vec<Asked>,
    /// Types of which every event has to be seen, by their [bits](EventType::bit).
    whole: u32,
}

impl Wanted {
    /// The events that any of these detectors wants.
    pub fn by<'e>(chosen: impl IntoIterator<Item = &'e Entry>) -> Self {
        let mut wanted = Self::default();
        let mut of_replies = Vec::new();
        for (position, entry) in chosen.into_iter().enumerate() {
            for seen in entry.sees {
                let (kind, codes) = match *seen {
                    Seen::All(kind) => (kind, None),
                    Seen::Replies(codes) => (EventType::Reply, Some(codes)),
                };
                let of = wanted.by_type.iter_mut().skip(kind as usize).take(1);
                of.for_each(|of| of.push((position, entry.wants)));
                if kind == EventType::Reply {
                    of_replies.push((codes, (position, entry.wants)));
                }
            }
        }
        wanted.divide(&of_replies);
        wanted
    }

    /// Divides those who see replies by code. Few codes differ in who has to be asked.
    fn divide(&mut self, of_replies: &[(Option<Codes>, (usize, Wants))]) {
        let mut masks: Vec<u128> = Vec::new();
        let mut latest = (0, u8::MAX);
        for code in 0..CODES {
            if code < 100 || code / 10 % 10 > SECOND_MAX {
                self.codes.push(u8::MAX);
                continue;
            }
            let sees = |codes: Option<Codes>| codes.is_none_or(|codes| codes(code));
            let bits = of_replies.iter();
            let mask =
                bits.fold(0, |mask, (codes, (position, _))| mask | (u128::from(sees(*codes)) << *position));
            // Most codes are like the one before.
            if latest.0 == mask && latest.1 != u8::MAX {
                self.codes.push(latest.1);
                continue;
            }
            let known = masks.iter().position(|known| *known == mask);
            let place = known.unwrap_or_else(|| {
                let of = of_replies.iter().filter(|(codes, _)| sees(*codes)).map(|(_, asked)| *asked);
                self.of_codes.push(of.collect());
                masks.push(mask);
                masks.len() - 1
            });
            latest = (mask, u8::try_from(place).unwrap_or(u8::MAX));
            self.codes.push(latest.1);
        }
    }

    /// Those who have to be asked about an event.
    fn asked(&self, event: &Event) -> &[(usize, Wants)] {
        let of_code = || {
            let EventKind::Reply(reply) = &event.kind else { return None };
            let place = self.codes.get(usize::from(reply.reply.code?))?;
            self.of_codes.get(usize::from(*place))
        };
        let of_type = || self.by_type.get(event.kind.event_type() as usize);
        of_code().or_else(of_type).map(Vec::as_slice).unwrap_or_default()
    }

    /// And all events of some types.
    #[must_use]
    pub fn and_all_of(mut self, types: impl IntoIterator<Item = EventType>) -> Self {
        self.whole = types.into_iter().fold(self.whole, |bits, kind| bits | kind.bit());
        self
    }

    /// The detectors that have to see an event.
    #[inline]
    pub fn interest(&self, event: &Event) -> Interest {
        let kind = event.kind.event_type();
        let asked = self.asked(event).iter();
        let chosen =
            asked.fold(0, |chosen, (position, wants)| chosen | (u128::from(wants(event)) << position));
        Interest { chosen, own: self.whole & kind.bit() != 0 }
    }
}

/// The detectors that are on. Show it every event that is [`Wanted`], in the order of the run; take the alerts after each.
#[derive(Default)]
pub struct Detectors {
    running: Vec<Running>,
    wanted: Wanted,
    /// Those of the operator, behind the others, with the bits of the types that they see.
    own: Vec<(u32, Box<dyn Detector>)>,
    alerts: Alerts,
}

/// A detector at work.
struct Running {
    detector: Box<dyn Detector>,
    allowed: Allowed,
}

impl Detectors {
    /// Starts detectors, each with its threshold. Sessions that an allowance names are not shown to its detector.
    pub fn start(
        chosen: impl IntoIterator<Item = (&'static Entry, Threshold)>,
        allowances: &[Allowance],
    ) -> Self {
        let chosen: Vec<_> = chosen.into_iter().collect();
        let wanted = Wanted::by(chosen.iter().map(|(entry, _)| *entry));
        let start = |(entry, threshold): (&Entry, Threshold)| Running {
            detector: (entry.start)(threshold),
            allowed: Allowed::of(entry.id(), allowances),
        };
        Self { running: chosen.into_iter().map(start).collect(), wanted, ..Self::default() }
    }

    /// Adds a detector of the operator's, a list or a rule, which sees all events of some types.
    pub fn add(&mut self, types: impl IntoIterator<Item = EventType>, detector: Box<dyn Detector>) {
        let bits = types.into_iter().fold(0, |bits, kind| bits | kind.bit());
        self.own.push((bits, detector));
    }

    /// None is on.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty() && self.own.is_empty()
    }

    /// Shows an event to the detectors that want it. [`Self::pop`] their alerts then.
    pub fn event(&mut self, event: &Event) {
        let interest = self.wanted.interest(event);
        self.event_for(event, interest);
    }

    /// The same of an event whose interest is known.
    pub fn event_for(&mut self, event: &Event, interest: Interest) {
        for position in interest.positions() {
            if let Some(Running { detector, allowed }) = self.running.get_mut(position)
                && !allowed.covers(event)
            {
                detector.event(event, &mut self.alerts);
            }
        }
        let kind = event.kind.event_type();
        for (types, detector) in &mut self.own {
            if *types & kind.bit() != 0 {
                detector.event(event, &mut self.alerts);
            }
        }
    }

    /// The next alert.
    pub fn pop(&mut self) -> Option<Event> {
        self.alerts.pop()
    }

    /// The fill of the tables of all detectors.
    pub fn fill(&self) -> Fill {
        let running = self.running.iter().map(|running| running.detector.fill());
        let own = self.own.iter().map(|(_, detector)| detector.fill());
        running.chain(own).fold(Fill::default(), |mut sum, fill| {
            sum += fill;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Session;
    use super::*;

    /// Replies of every code to commands of every kind, with texts that some detector looks for.
    fn replies() -> Vec<Event> {
        let verbs = ["PORT", "EPRT", "DELE", "RNTO", "RMD", "AUTH", "FEAT", "SYST", "CSID", "RETR", "CWD"];
        let long = "A".repeat(2_000);
        let texts = ["", "AUTH TLS", "Timeout.", "StnyFtpd 0wns j0", long.as_str()];
        let mut events = Vec::new();
        for code in (0..1_000).step_by(7).chain([200, 211, 213, 215, 220, 250, 421, 425, 426, 500, 502, 530])
        {
            for text in texts {
                events.push(Session::new(9).unasked(code, text));
                for verb in verbs {
                    events.push(Session::new(9).reply((verb, Some("x.locked")), code, text));
                }
            }
        }
        events.extend(verbs.map(|verb| Session::new(9).reply_after(900_000, verb)));
        let anonymous: Vec<_> =
            events.iter().map(|event| Session::as_user(event.clone(), "anonymous")).collect();
        events.extend(anonymous);
        events
    }

    #[test]
    fn division_by_code_passes_no_detector_over() {
        let wanted = Wanted::by(ALL.iter().copied());
        let mut found = 0_u32;
        for event in replies() {
            let interest = wanted.interest(&event).chosen;
            for (position, entry) in ALL.iter().enumerate() {
                let sees_replies = entry.sees.iter().any(|seen| {
                    matches!(seen, Seen::Replies(_)) || matches!(seen, Seen::All(EventType::Reply))
                });
                let wants = sees_replies && (entry.wants)(&event);
                let is_asked = interest >> position & 1 == 1;
                assert!(wants || !is_asked, "{} {event:?}", entry.id());
                assert!(is_asked || !wants || is_odd_end(entry, &event), "{} {event:?}", entry.id());
                found += u32::from(wants);
            }
        }
        assert!(found > 1_000, "{found}");
    }

    /// A command was done by a code that is for something else: 226 for PORT and the like.
    fn is_odd_end(entry: &Entry, event: &Event) -> bool {
        let EventKind::Reply(reply) = &event.kind else { return false };
        let code = reply.reply.code.unwrap_or_default();
        let by_code = |seen: &Seen| matches!(seen, Seen::Replies(codes) if !codes(code));
        matches!(code, 200..=299) && entry.sees.iter().any(by_code)
    }
}
