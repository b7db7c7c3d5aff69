//! The test bed: network namespaces, veth pairs, an FTP server and client of its own, real servers and clients.
//!
//! Nothing here needs to be cleaned up by hand: a namespace lives as long as its handle and the processes in it, a
//! process ends with its guard, and devices and kernel programs go with their namespace, also when a test panics or is
//! killed. `cargo xtask demo` and the end-to-end tests are built from the same parts.

pub mod agent;
pub mod attack;
pub mod bed;
pub mod chatter;
pub mod compare;
pub mod configured;
pub mod crowd;
pub mod demonstration;
pub mod detections;
pub mod dialogues;
pub mod doubt;
pub mod events;
pub mod expected;
pub mod ftp;
pub mod ftps;
pub mod golden;
pub mod kernel;
pub mod machine;
pub mod net;
pub mod oracle;
pub mod party;
pub mod poll;
pub mod process;
pub mod receiver;
pub mod reference;
pub mod schema;
pub mod script;
pub mod terminal;
pub mod usage;
