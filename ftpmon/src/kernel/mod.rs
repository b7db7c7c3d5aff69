//! The kernel's side of live capture, and the only place that knows aya.

mod hook;
mod pattern;

pub use hook::HookChoice;
pub use pattern::{InterfacePattern, InterfacePatternError};
