//! Connections: the table of them, what each carries as far as it is known, and what takes its bytes.

mod archive;
mod candidate;
mod control;
mod data;
mod early;
mod entry;
mod file_reader;
mod first_bytes;
mod key;
mod loot;
mod probe;
mod receivers;
mod role;
mod table;
#[cfg(test)]
pub(crate) mod test_ids;
mod timers;
mod unproven;

pub(crate) use candidate::{Candidate, InferenceCandidate};
pub(crate) use control::{Control, Ending, InferredData};
pub(crate) use data::{ClaimRef, DIALOGUE_TURNS, DataFlow, Files, SessionRef};
pub(crate) use early::{EARLY_BYTES_MAX, EarlyBytes};
pub(crate) use entry::Flow;
pub(crate) use first_bytes::{ContentKind, FirstBytes};
pub(crate) use key::FlowKey;
pub(crate) use probe::ProbeResult;
pub(crate) use receivers::{ControlReceiver, Discard, FileReceiver, ProbeReceiver};
pub(crate) use role::Role;
pub(crate) use table::{Class, FlowId, FlowTable, Moment};
pub(crate) use timers::{Deadline, Timer, TimerQueue};
pub(crate) use unproven::Said;
