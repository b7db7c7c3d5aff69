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
//! | `watching`, `facts` | detectors of single events, and what several of them read from events |
//! | `allow`, `list`, `rule`, `glob` | networks that are trusted, lists of what is known to be bad, and rules, by the operator |
//!
//! All others are one detector each. A new one is a file with an [`Entry`], and its name in `registry`.

mod alerts;
mod allow;
mod archive_bomb;
mod auth_injection;
mod beaconing;
mod bot_server;
mod bounce;
mod bucket;
mod bulk_download;
mod clear_text_login;
mod cross_protocol;
mod data_failures;
mod data_theft;
mod defacement;
mod default_account;
mod disguised;
mod entry;
mod evasion;
mod exfiltration;
mod exploit;
mod exposure;
mod facts;
mod glob;
mod guessed;
mod guessing;
mod hidden_transfer;
mod incident;
mod list;
mod mass_change;
mod new_source;
mod odd_port;
mod pairing_doubt;
mod parallel_use;
mod passive_nat;
mod privileged_login;
mod registry;
mod reply_exploit;
mod rule;
mod sensitive_file;
mod server_refuses;
mod server_stalls;
mod server_times_out;
mod set;
mod shared_secret;
mod short_transfers;
mod slow_server;
mod spraying;
mod spread_upload;
mod stealer;
mod stuffing;
mod table;
#[cfg(test)]
mod testing;
mod tiny_segments;
mod tls_dropped;
mod tls_fallback;
mod tls_stripped;
mod tunnel;
mod unused_passive;
mod user_enumeration;
mod warez;
mod watch;
mod watching;
mod weak_tls;
mod web_shell;
mod write_probe;

pub use alerts::{Alerts, Subject};
pub use allow::{Allowance, Party};
pub use entry::{Detector, Entry, Seen, Threshold};
pub use list::{LIST_ENTRIES_MAX, List, ListKind, PATTERNS_MAX};
pub use registry::{ALL, find};
pub use rule::{Rule, STEPS_MAX, Step};
pub use set::{Detectors, Interest, Wanted};
pub use table::Fill;
