//! The grammar of the control connection: byte slices in, what they say out.
//!
//! A [`LineSplitter`] a direction turns ordered bytes into [`Line`]s. [`Command::from_line`] reads the client's lines,
//! a [`ReplyAssembler`] puts the server's lines together to [`Reply`]s. The rest reads what arguments and texts mean:
//! endpoints, paths, sizes. Nothing here keeps time, does I/O, or knows what was said before in the session.
//!
//! Whoever speaks is taken to be hostile: no function panics on any input, numbers are range-checked however many
//! digits they have, and every buffer has a named cap.

mod code;
mod command;
mod endpoint;
mod feature;
mod line;
mod number;
pub mod path;
#[cfg(test)]
mod properties;
mod reply;
pub mod size;
pub mod stou;
mod telnet;
mod verb;

pub use code::Code;
pub use command::{Command, Part};
pub use endpoint::{Announced, EndpointError};
pub use feature::{Mechanism, features, time_value};
pub use line::{LINE_MAX, Line, LineSplitter, Lines};
pub use reply::{Completed, Ending, REPLY_TEXT_MAX, Reply, ReplyAssembler};
pub use verb::{Rfc, Verb};
