//! Grammar of the FTP control connection (RFC 959 and its extensions).
//!
//! A [`LineSplitter`] per direction turns ordered bytes into [`Line`]s. [`Command::from_line`] parses the client's
//! lines, and a [`ReplyAssembler`] joins the server's lines into [`Reply`]s. The other modules parse arguments and
//! reply texts: endpoints, paths, sizes. No module here keeps time, does I/O or holds session state.
//!
//! Both peers are treated as hostile: no function panics on any input, numbers of any length are range-checked, and
//! every buffer has a named cap.

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
pub mod secret;
pub mod size;
pub mod stou;
mod telnet;
mod verb;

pub use code::Code;
pub use command::{Command, Part};
pub use endpoint::{Announced, EndpointError};
pub use feature::{Mechanism, features, time_value};
pub use line::{LINE_MAX, Line, LineSplitter, Lines, has_telnet_or_nul};
pub use reply::{Completed, Ending, REPLY_TEXT_MAX, Reply, ReplyAssembler};
pub use verb::{Rfc, Verb};
