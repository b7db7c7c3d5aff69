//! The open sessions, as their events tell of them.
//!
//! | file | what |
//! |---|---|
//! | `session` | the state of one session |
//! | `running` | a transfer that runs |
//! | `course` | one whose end is known already |
//! | `cells` | a session as the texts of a row |
//! | `table` | all open sessions, and totals |
//! | `filter`, `order` | which of them are shown, and in what order |

mod cells;
mod course;
mod filter;
mod order;
mod running;
mod session;
mod table;

pub(in crate::view) use cells::{CELLS, cells};
pub(in crate::view) use course::Course;
pub(in crate::view) use filter::{Facts, Field};
pub use filter::{Filter, FilterError};
pub use order::Order;
pub(in crate::view) use running::{Running, STALLED_MS};
pub(in crate::view) use session::{Session, State};
pub(in crate::view) use table::Table;
