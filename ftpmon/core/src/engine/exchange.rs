//! The mail between the partitions of all parts of an engine.

use super::{Engine, Run};
use crate::addr::Endpoint;
use crate::endpoints::Claim;
use crate::partition::{Mail, Partition, Phase, Posted, Stamp};
use crate::time::Timestamp;

/// Messages of one round have a number each below this in their stamps.
const MAIL_OF_ROUND_MAX: i64 = 1 << 32;

/// Exchanges what concerns partitions of each other, between two packets. All parts of an engine take part.
pub fn exchange(parts: &mut [&mut Engine]) {
    let mut newcomers: Vec<Endpoint> = Vec::new();
    for part in &mut *parts {
        part.partitions.iter_mut().flatten().for_each(|it| it.take_newcomers(&mut newcomers));
    }
    if !parts.iter().any(|part| part.has_mail()) {
        return;
    }
    newcomers.sort_unstable();
    let Some(now) = parts.iter().map(|part| part.now).max() else { return };
    let index = parts.iter().map(|part| part.index).max().unwrap_or_default();
    let mut stamp = Stamp { index, phase: Phase::Exchange, ..Stamp::default() };
    for part in &mut *parts {
        part.each_partition(|partition| partition.post_announced(&newcomers));
    }
    deliver_all(parts, &mut stamp, now);
    for part in &mut *parts {
        part.each_partition(|partition| partition.end_waiting_data(stamp, now));
    }
    deliver_all(parts, &mut stamp, now);
    for part in &mut *parts {
        part.each_partition(|partition| partition.end_waiting_sessions(stamp, now));
    }
    deliver_all(parts, &mut stamp, now);
}

/// Delivers messages, and those that follow from them, until there are none.
fn deliver_all(parts: &mut [&mut Engine], stamp: &mut Stamp, now: Timestamp) {
    loop {
        stamp.major += MAIL_OF_ROUND_MAX;
        let mut mail: Vec<Posted> = Vec::new();
        for part in &mut *parts {
            part.partitions.iter_mut().flatten().for_each(|it| it.take_posted(&mut mail));
        }
        if mail.is_empty() {
            return;
        }
        // Messages of one stamp come from one partition, in the order in which they were sent.
        mail.sort_by_key(|posted| posted.stamp);
        for part in &mut *parts {
            part.deliver(*stamp, now, &mail);
        }
    }
}

/// The input ended: all that is open in all parts of an engine is ended and reported.
pub fn finish(parts: &mut [&mut Engine], at: Timestamp) {
    type Step = fn(&mut Partition, Stamp, Timestamp);
    const STEPS: [Step; 3] = [Partition::finish_data, Partition::finish_streams, Partition::finish_flows];
    exchange(parts);
    let index = parts.iter().map(|part| part.index).max().unwrap_or_default();
    for (number, step) in STEPS.into_iter().enumerate() {
        let index = index + 1 + number as u64;
        for part in &mut *parts {
            part.now = part.now.max(at);
            part.index = index;
            let (now, stamp) = (part.now, Stamp { index, phase: Phase::Finish, ..Stamp::default() });
            part.each_partition(|partition| step(partition, stamp, now));
        }
        exchange(parts);
    }
}

impl Engine {
    /// Partitions have messages for each other, or wait for the exchange.
    pub(super) fn has_mail(&self) -> bool {
        !self.partitions.iter().flatten().all(Partition::needs_no_exchange)
    }

    /// Exchanges what concerns partitions of each other now, where one engine owns them all.
    pub fn exchange(&mut self) {
        exchange(&mut [self]);
    }

    /// The input ended: all that is open is ended and reported.
    pub fn finish(&mut self, at: Timestamp) {
        finish(&mut [self], at);
    }

    fn deliver(&mut self, stamp: Stamp, now: Timestamp, mail: &[Posted]) {
        for Posted { mail, .. } in mail {
            match mail {
                Mail::Announced { listener, claim, .. } => {
                    let evicted = self.shared.insert(*listener, *claim);
                    self.count_shared_eviction(claim, evicted);
                }
                Mail::Contacted { listener, claim } => {
                    let evicted = self.shared.contacted(*listener, claim);
                    self.count_shared_eviction(claim, evicted);
                }
                &Mail::Confirmed { listener, session, endpoint } => {
                    self.shared.confirm(listener, session, endpoint);
                }
                Mail::Retracted { listener, claim } => self.shared.remove(*listener, claim),
                Mail::Passed { .. }
                | Mail::DataOpened { .. }
                | Mail::Refused { .. }
                | Mail::DataEnded { .. } => {}
            }
        }
        let mut runs: Vec<Run> = Vec::new();
        for partition in self.partitions.iter_mut().flatten() {
            for (number, Posted { mail, .. }) in (0..).zip(mail) {
                if !partition.is_told(mail) {
                    continue;
                }
                let stamp = Stamp { major: stamp.major + number, ..stamp };
                partition.deliver(stamp, now, mail, &self.shared);
            }
            partition.take_runs(&mut runs);
        }
        self.add_runs(runs);
    }

    /// Counts a claim that the shared table evicted. Every part has a copy of the table: the part that owns the session of the
    /// new claim counts.
    fn count_shared_eviction(&mut self, claim: &Claim, evicted: bool) {
        let owns = self.partitions.get(usize::from(claim.session.partition)).is_some_and(Option::is_some);
        self.counters.lose("shared_endpoints_evicted", u64::from(evicted && owns));
    }

    /// Calls something for each partition, and puts what comes out in order.
    fn each_partition(&mut self, mut call: impl FnMut(&mut Partition)) {
        let mut runs: Vec<Run> = Vec::new();
        for partition in self.partitions.iter_mut().flatten() {
            call(partition);
            partition.take_runs(&mut runs);
        }
        self.add_runs(runs);
    }

    fn add_runs(&mut self, mut runs: Vec<Run>) {
        runs.sort_unstable();
        self.runs.extend(runs);
        let quiet = self.partitions.iter().flatten().map(Partition::quiet_until).min();
        self.quiet_until = quiet.unwrap_or(Timestamp::LATEST);
    }
}
