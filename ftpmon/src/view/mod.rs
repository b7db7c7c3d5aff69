//! Sessions and events for people. A view reads captures, stored events or a running agent, and changes nothing.
//!
//! | file | what |
//! |---|---|
//! | `explain` | one session as a ladder of messages, with what each of them means |
//! | `report` | tables and charts of stored events |
//! | `top` | the same on a terminal, as events come in, with transfers, users, paths and alerts |
//! | `who` | the sessions that are open |
//! | `event_source` | where events come from: a file, standard input, a running agent |
//! | `sessions` | open sessions, as their events tell of them |
//! | `ranking` | names with counts, up to a cap |
//! | `units` | times and sizes for people |
//! | `language` | the languages of `explain` |
//! | `terminal` | colours and the width of a terminal |
//! | `style` | the style of drawings and pages |
//! | `layout` | texts of peers made safe to show, and columns of text |

mod event_source;
mod explain;
mod language;
mod layout;
mod ranking;
mod report;
mod sessions;
mod style;
mod terminal;
mod top;
mod units;
mod who;

pub use event_source::EventSource;
pub use explain::{ExplainOptions, Layered, LiveLadder, Selection, explain};
pub use language::Language;
pub use report::{ReportForm, report};
pub use sessions::{Filter, FilterError, Order};
pub use terminal::ColorChoice;
pub use top::{Batch, Tab, TopOptions, top};
pub use who::{WhoOptions, who};
