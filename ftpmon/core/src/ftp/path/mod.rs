//! Path names of the file systems behind FTP servers.
//!
//! RFC 959 leaves the form of a path name to the server's system. [`System`] says which rules apply; [`resolve`] joins
//! a working directory and a name by these rules, and [`stated`] finds the directory that a reply names. Path names are
//! bytes: they need not be UTF-8.

mod directory;
mod join;
mod os400;
mod slash;
mod stated;
mod system;
mod vms;
mod working;
mod zos;

pub use directory::{Directory, PATH_MAX, Target};
pub use join::resolve;
pub use stated::{Stated, parent_of, stated, stated_by_257};
pub use system::System;
pub use working::{Answer, WorkingDirectory};
