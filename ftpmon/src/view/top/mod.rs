//! `ftpmon top`: sessions, transfers, users, paths and alerts on a terminal, as events come in.
//!
//! Events are folded into a state, keys into a screen; neither knows a terminal. What is shown is drawn from the two.
//!
//! | file | what |
//! |---|---|
//! | `options`, `tab` | the settings, and the tables |
//! | `source` | the thread that reads events of a file or of a running agent, at once or at the pace at which they happened |
//! | `courses` | how the transfers of a file go on, so that one that runs can be shown |
//! | `clock` | the time between events |
//! | `state` | everything that events tell: a fold |
//! | `happened`, `recent`, `kept` | transfers, refused logins and alerts; the last ones of them; the lines of events that a session is explained from |
//! | `screen`, `key` | what is shown of the state: the table, its order, filters, the cursor; changed by keys |
//! | `listing`, `cells` | the rows of a table, and their texts |
//! | `head`, `grid` | the lines above a table; columns within a width |
//! | `draw` | the screen on a terminal |
//! | `batch` | the tables as plain text |
//! | `live` | the terminal: keys in, pictures out |

mod batch;
mod cells;
mod clock;
mod courses;
mod draw;
mod grid;
mod happened;
mod head;
mod kept;
mod key;
mod listing;
mod live;
mod options;
mod recent;
mod screen;
mod source;
mod state;
mod tab;
#[cfg(test)]
mod tests;

use anyhow::bail;

pub use options::{Batch, TopOptions};
pub use tab::Tab;

/// Shows what events tell until the reader of the screen has enough, or, as a batch, until there are no more events.
///
/// # Errors
/// The events cannot be read, or a line is none; the terminal cannot be used.
pub fn top(options: &TopOptions) -> anyhow::Result<()> {
    let wrong = if options.batch.is_some() { batch::run(options)? } else { live::run(options)? };
    match wrong {
        0 => Ok(()),
        1 => bail!("{}: 1 line is no event", options.source),
        lines => bail!("{}: {lines} lines are no events", options.source),
    }
}
