//! The order of outputs among partitions.

/// The sources of the outputs of one packet's time, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Timers that are due before the packet.
    Timer,
    /// Flows that were idle for too long.
    Idle,
    /// The packet itself.
    #[default]
    Packet,
    /// The exchange between partitions behind it.
    Exchange,
    /// The end of the input.
    Finish,
}

/// The position of an output in the order of all: the same, however many partitions there are and however many threads own
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    /// The packet's index in the input.
    pub(crate) index: u64,
    pub(crate) phase: Phase,
    /// Orders within the phase: a deadline, a class, a round.
    pub(crate) major: i64,
    /// Orders what is equal so far: the birth of a flow, the number of a message.
    pub(crate) minor: u64,
}

impl Stamp {
    /// The packet itself.
    #[inline]
    pub(crate) fn packet(index: u64) -> Self {
        Self { index, ..Self::default() }
    }
}

/// Outputs of one partition that have one place in the order of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    pub(crate) stamp: Stamp,
    /// The partition that they are of.
    pub(crate) partition: u8,
    /// The number.
    pub(crate) len: u32,
}
