//! Detectors: events and their times go in, `alert` events come out. A detector sees nothing else, so live capture, capture
//! files and stored events give the same alerts.
//!
//! | file | what |
//! |---|---|
//! | `registry` | every detector, by id |
//! | `entry` | the description of a detector, and its trait |
//! | `set` | the detectors that are on, as the chain drives them |
//! | `incident`, `alerts` | occurrences that belong together, and `alert` events about them |
//! | `watch`, `bucket`, `table` | a key under watch, counts that decay, tables with a cap |
//!
//! All others are one detector each. A new one is a file with an [`Entry`], and its name in `registry`.

mod alerts;
mod bounce;
mod bucket;
mod clear_text_login;
mod data_theft;
mod entry;
mod evasion;
mod exploit;
mod guessed;
mod guessing;
mod incident;
mod mass_change;
mod registry;
mod set;
mod spraying;
mod stealer;
mod table;
#[cfg(test)]
mod testing;
mod tls_stripped;
mod watch;
mod web_shell;

pub use alerts::{Alerts, Subject};
pub use entry::{Detector, Entry, Threshold};
pub use registry::{ALL, find};
pub use set::{Detectors, Wanted};
pub use table::Fill;
