//! The kernel programs on the bench: `BPF_PROG_TEST_RUN`, packets made by hand, no traffic.

pub mod bench;
pub mod frame;
pub mod guest;
pub mod reference;
pub mod talk;

pub use bench::{Bench, Hooked, Settings, privileged};
pub use frame::Frame;
pub use reference::{Job, Reference};
pub use talk::Talk;
