//! Outputs of a batch of packets, handed over together, and the merge of those of several parts.

use std::collections::VecDeque;

use super::Engine;
use crate::output::Output;
use crate::partition::{Run, Stamp};

/// The position of an output among those of all parts of an engine: what comes out of a part comes in this order, and so does
/// what an engine gives out that owns all partitions. Outputs of one order come from one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    stamp: Stamp,
    partition: u8,
}

/// The outputs of a part of an engine, in the part's order.
#[derive(Debug, Default)]
pub struct Outputs {
    runs: Vec<Run>,
    /// By partition.
    queues: Vec<VecDeque<Output>>,
}

impl Outputs {
    /// Forgets what is in it, and keeps its room.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.queues.iter_mut().for_each(VecDeque::clear);
    }

    /// Their number.
    pub fn len(&self) -> usize {
        self.queues.iter().map(VecDeque::len).sum()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

impl Engine {
    /// Outputs wait.
    #[inline]
    pub fn has_outputs(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Calls something for each output that waits, in the part's order, and frees it.
    pub fn release_outputs(&mut self, mut call: impl FnMut(Order, &mut Output)) {
        while let Some(Run { stamp, partition, len }) = self.runs.pop_front() {
            let order = Order { stamp, partition };
            if let Some(Some(partition)) = self.partitions.get_mut(usize::from(partition)) {
                partition.outputs().release(len as usize, |output| call(order, output));
            }
        }
    }

    /// Takes all outputs that wait, in exchange for the room of earlier ones.
    pub fn take_outputs(&mut self, mut emptied: Outputs) -> Outputs {
        emptied.clear();
        emptied.runs.extend(self.runs.drain(..));
        emptied.queues.resize_with(self.partitions.len(), VecDeque::new);
        for (queue, partition) in emptied.queues.iter_mut().zip(&mut self.partitions) {
            if let Some(partition) = partition {
                *queue = partition.outputs().exchange(core::mem::take(queue));
            }
        }
        emptied
    }
}

/// Calls something for each output of several parts, which handled the same packets, in the one order that they have in an
/// engine that owns all partitions.
pub fn for_each_output(parts: &mut [Outputs], mut call: impl FnMut(&mut Output)) {
    let mut runs: Vec<(Run, usize)> = Vec::with_capacity(parts.iter().map(|part| part.runs.len()).sum());
    for (number, part) in parts.iter().enumerate() {
        runs.extend(part.runs.iter().map(|run| (*run, number)));
    }
    // The runs of each part are in order already: the sort is a merge.
    runs.sort_by_key(|(run, _)| (run.stamp, run.partition));
    let partitions = parts.iter().map(|part| part.queues.len()).max().unwrap_or_default();
    let mut taken = vec![0_usize; partitions];
    for (run, number) in runs {
        let partition = usize::from(run.partition);
        let queue = parts.get_mut(number).and_then(|part| part.queues.get_mut(partition));
        let (Some(queue), Some(first)) = (queue, taken.get_mut(partition)) else { continue };
        let end = (*first + run.len as usize).min(queue.len());
        queue.range_mut(*first..end).for_each(&mut call);
        *first = end;
    }
}
