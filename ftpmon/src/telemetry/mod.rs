//! Reports of the agent about itself: `sensor_start` at the beginning, counters while it runs.
//!
//! | file | what |
//! |---|---|
//! | `snapshot` | the counters of all parts at one moment, and the `stats` event made of them |
//! | `sources` | counters of the engine, the frame decoder and the kernel side as samples |
//! | `start` | the `sensor_start` event |

mod snapshot;
mod sources;
mod start;

pub use snapshot::{Kind, Sample, Sampled, Snapshot};
pub(crate) use start::{StartFacts, origin};
