//! Sessions and events for people. A view reads captures, stored events or a running agent, and changes nothing.
//!
//! | file | what |
//! |---|---|
//! | `explain` | one session as a ladder of messages, with what each of them means |
//! | `report` | tables and charts of stored events |
//! | `who` | the sessions that are open |
//! | `language` | the languages of `explain` |
//! | `terminal` | colours and the width of a terminal |
//! | `style` | the style of drawings and pages |
//! | `layout` | texts of peers made safe to show, and columns of text |

mod explain;
mod language;
mod layout;
mod report;
mod style;
mod terminal;
mod who;

pub use explain::{ExplainOptions, Layered, Selection, explain};
pub use language::Language;
pub use report::{ReportForm, report};
pub use terminal::ColorChoice;
pub use who::{Filter, FilterError, Order, WhoOptions, who};
