//! The state of a running agent for others: `/metrics`, `/healthz`, `/readyz` and `/status` over HTTP, its events at `/events`, and messages
//! to systemd.
//!
//! The agent puts what it knows on a board once a second; a thread of its own serves it. A scrape costs the agent nothing, however
//! many sessions there are.
//!
//! | file | what |
//! |---|---|
//! | `address` | the address, as text |
//! | `listener` | the listening socket |
//! | `board`, `tally` | what the agent knows at a moment; counts of events |
//! | `feed` | the events, for those who ask for all of them |
//! | `open_session` | the sessions that are open when a reader of events comes |
//! | `exposition` | the metrics as text for Prometheus |
//! | `summary` | the state as JSON, and for people |
//! | `server` | the thread that answers |
//! | `client` | `ftpmon status`, and the events for `ftpmon top` and `ftpmon who` |
//! | `systemd` | messages to a supervisor (sd_notify) |

mod address;
mod board;
mod client;
mod exposition;
mod feed;
mod listener;
mod open_session;
mod server;
mod summary;
mod systemd;
mod tally;

pub use address::{StatusAddress, StatusAddressError};
pub(crate) use board::{Board, Published};
pub(crate) use client::events;
pub use client::{StatusError, status};
pub(crate) use feed::{Feed, Moved, Remark};
pub(crate) use listener::{StatusListener, unlink};
pub(crate) use open_session::{Login, Open};
pub(crate) use server::serve;
pub(crate) use systemd::Supervisor;
pub(crate) use tally::Tally;
