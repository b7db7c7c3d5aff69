//! `ftpmon who`: the sessions that are open, from a stream of events or a file of them. `plain` is the table as text.

mod plain;

use core::ops::ControlFlow;
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ftpmon_event::EventLine;

use super::sessions::{Filter, Order, Table};
use super::terminal::{self, ColorChoice};
use crate::event_file;

/// Events between the thread that reads and the table. Stops a reader that is quicker than the table from filling memory.
const EVENTS_WAITING: usize = 1_024;

/// The settings of `ftpmon who`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhoOptions {
    /// A file of events as `--format json` writes them, or `-`.
    pub file: PathBuf,
    /// The sessions that are shown: those that all filters let through.
    pub filters: Vec<Filter>,
    /// Their order.
    pub order: Order,
    /// A line of JSON for each session in place of a table.
    pub json: bool,
    /// Seconds between two tables; one at the end of the input where there are none.
    pub every_s: Option<u32>,
    /// Tables at most.
    pub count: Option<u64>,
    /// Whether the table has colours.
    pub color: ColorChoice,
    /// Columns of the table; those of the terminal where none are given.
    pub width: Option<usize>,
}

/// Shows the open sessions on standard output.
///
/// # Errors
/// The events cannot be read, or a line is none; standard output cannot be written.
pub fn who(options: &WhoOptions) -> anyhow::Result<()> {
    let name = options.file.display().to_string();
    let mut view = View { options, table: Table::default(), wrong: 0, shown: 0 };
    view.watch().with_context(|| name.clone())?;
    match view.wrong {
        0 => Ok(()),
        1 => bail!("{name}: 1 line is no event"),
        lines => bail!("{name}: {lines} lines are no events"),
    }
}

struct View<'o> {
    options: &'o WhoOptions,
    table: Table,
    /// Lines that are no events.
    wrong: u64,
    /// Tables that were shown.
    shown: u64,
}

impl View<'_> {
    fn watch(&mut self) -> anyhow::Result<()> {
        let Some(every_s) = self.options.every_s else {
            let input = event_file::open_or_stdin(&self.options.file).context("cannot open it")?;
            event_file::for_each_line(input, |_, line| {
                self.line(serde_json::from_slice(line).ok());
                Ok::<_, anyhow::Error>(ControlFlow::Continue(()))
            })?;
            return self.show();
        };
        // Reading blocks, and a table is due whether events come or not.
        let (sender, events) = sync_channel(EVENTS_WAITING);
        let path = self.options.file.clone();
        let reader = std::thread::spawn(move || {
            let input = event_file::open_or_stdin(&path).context("cannot open it")?;
            event_file::for_each_line(input, |_, line| {
                let is_wanted = sender.send(serde_json::from_slice(line).ok()).is_ok();
                Ok::<_, anyhow::Error>(if is_wanted {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            })
        });
        let every = Duration::from_secs(u64::from(every_s));
        let mut due = Instant::now() + every;
        while !self.is_done() {
            match events.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(line) => self.line(line),
                Err(RecvTimeoutError::Timeout) => {
                    self.show()?;
                    due += every;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.show()?;
                    return match reader.join() {
                        Ok(read) => read,
                        Err(panic) => std::panic::resume_unwind(panic),
                    };
                }
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.options.count.is_some_and(|count| self.shown >= count)
    }

    fn line(&mut self, line: Option<EventLine>) {
        match line {
            Some(line) => self.table.push(&line.event),
            None => self.wrong += 1,
        }
    }

    fn show(&mut self) -> anyhow::Result<()> {
        let rows = self.table.rows(&self.options.filters, self.options.order);
        let text = if self.options.json {
            plain::json(&self.table, &rows)?
        } else {
            let width = terminal::width(self.options.width);
            plain::text(&self.table, &rows, width, self.options.color.on_stdout())
        };
        self.shown += 1;
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}
