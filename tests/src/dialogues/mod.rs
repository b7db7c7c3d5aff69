//! Random dialogues with real servers, and what must be reported of them.
//!
//! A seed makes a [`plan`] of eight sessions. A [`talker`] plays each against a server on a [`stage`] and keeps a [`record`]:
//! what answered what, how each login ended, and what each data connection moved, as the client itself knows it. [`judge`]
//! compares the record with the events, and `ledger` the events with the server's own log. A difference is made smaller by leaving steps out (`shrink`) and written down
//! ([`report`]).

mod alerts;
mod control;
mod data;
pub mod dice;
mod endpoint;
mod fence;
pub mod judge;
mod learned;
mod ledger;
mod outcomes;
pub mod plan;
pub mod played;
pub mod recapture;
pub mod record;
pub mod report;
mod served;
pub mod shrink;
pub mod stage;
pub mod step;
pub mod talker;
mod told;
mod transfer;
