//! The counters of all parts at one moment.

use std::borrow::Cow;

use ftpmon_event::{Stats, TableFill};

/// The meaning of a sample's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Packets of the whole run: `seen` and `matched`.
    Packets,
    /// A counter of the kernel programs.
    Kernel,
    /// A counter of the agent.
    Agent,
    /// A count of what was lost or left out; the name is the reason.
    Lost,
    /// A value now that only metrics have.
    Gauge,
    /// The fill of a table now.
    Table {
        /// Its entries, or bytes, at most.
        cap: u64,
    },
}

/// One value with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The stable name.
    pub name: Cow<'static, str>,
    /// Labels that distinguish samples of one name: name and value.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: u64,
    /// The meaning of the value.
    pub kind: Kind,
}

/// The counters of all parts at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    samples: Vec<Sample>,
}

/// A part of the agent that counts.
pub trait Sampled {
    /// Adds this part's counters.
    fn sample(&self, into: &mut Snapshot);
}

impl Snapshot {
    /// Adds a value without labels.
    pub fn add(&mut self, kind: Kind, name: impl Into<Cow<'static, str>>, value: u64) {
        self.push(Sample { name: name.into(), labels: Vec::new(), value, kind });
    }

    /// Adds several values of one kind.
    pub fn extend(&mut self, kind: Kind, values: impl IntoIterator<Item = (&'static str, u64)>) {
        for (name, value) in values {
            self.add(kind, name, value);
        }
    }

    /// Adds a value with a label.
    pub fn add_labelled(
        &mut self,
        kind: Kind,
        name: &'static str,
        label: (&'static str, String),
        value: u64,
    ) {
        self.push(Sample { name: name.into(), labels: vec![label], value, kind });
    }

    /// The samples in the order in which they were added.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// A sample takes the place of an earlier one of the same name: the engine repeats the losses that the kernel counts.
    fn push(&mut self, sample: Sample) {
        let same = |known: &&mut Sample| {
            core::mem::discriminant(&known.kind) == core::mem::discriminant(&sample.kind)
                && known.name == sample.name
                && known.labels == sample.labels
        };
        match self.samples.iter_mut().find(same) {
            Some(known) => *known = sample,
            None => self.samples.push(sample),
        }
    }

    /// The `stats` event. `emitted` is known where the event is written, and filled in there.
    pub fn stats(&self, uptime_ms: u64) -> Stats {
        let mut stats = Stats { uptime_ms, ..Stats::default() };
        for sample in &self.samples {
            let &Sample { value, kind, .. } = sample;
            match (kind, &*sample.name) {
                (Kind::Packets, "seen") => stats.seen = value,
                (Kind::Packets, _) => stats.matched = value,
                (Kind::Kernel, _) => drop(stats.kernel.insert(sample.full_name(), value)),
                (Kind::Agent, _) => drop(stats.agent.insert(sample.full_name(), value)),
                (Kind::Lost, _) if value == 0 => {}
                (Kind::Gauge, _) => {}
                (Kind::Lost, _) => drop(stats.lost.insert(sample.full_name(), value)),
                (Kind::Table { cap }, _) => {
                    stats.tables.insert(sample.full_name(), TableFill { used: value, cap });
                }
            }
        }
        stats
    }
}

impl Sample {
    /// The name followed by the labels' values, as `stats` has it.
    fn full_name(&self) -> String {
        self.labels.iter().fold(self.name.to_string(), |name, (_, value)| format!("{name}:{value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stats_sorts_samples_by_kind_and_leaves_out_what_was_never_lost() {
        let mut snapshot = Snapshot::default();
        snapshot.add(Kind::Packets, "seen", 9);
        snapshot.add(Kind::Packets, "matched", 5);
        snapshot.add(Kind::Kernel, "packets", 9);
        snapshot.extend(Kind::Agent, [("sessions", 0), ("segments", 4)]);
        snapshot.extend(Kind::Lost, [("gap", 0), ("flows_full", 2)]);
        snapshot.add_labelled(Kind::Lost, "output", ("output", "unix:/x".to_owned()), 7);
        snapshot.add(Kind::Table { cap: 8 }, "flows", 3);
        let stats = snapshot.stats(11);
        assert_eq!((stats.uptime_ms, stats.seen, stats.matched, stats.emitted), (11, 9, 5, 0));
        assert_eq!(stats.kernel["packets"], 9);
        assert_eq!((stats.agent["sessions"], stats.agent["segments"]), (0, 4));
        let lost: Vec<_> = stats.lost.iter().map(|(name, &count)| (name.as_str(), count)).collect();
        assert_eq!(lost, [("flows_full", 2), ("output:unix:/x", 7)]);
        assert_eq!(stats.tables["flows"], TableFill { used: 3, cap: 8 });
    }

    #[test]
    fn a_later_sample_takes_the_place_of_an_earlier_one_of_its_name_and_kind() {
        let mut snapshot = Snapshot::default();
        snapshot.add(Kind::Lost, "ring_full", 3);
        snapshot.add(Kind::Kernel, "ring_full", 4);
        snapshot.add(Kind::Lost, "ring_full", 5);
        let values: Vec<_> = snapshot.samples().iter().map(|sample| (sample.kind, sample.value)).collect();
        assert_eq!(values, [(Kind::Lost, 5), (Kind::Kernel, 4)]);
    }
}
