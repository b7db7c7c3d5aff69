//! `ftpmon who`: the sessions that are open, of a running agent, a stream of events or a file of them. `plain` is the table as text.

mod plain;

use core::ops::ControlFlow;
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::event_source::{EventSource, Line};
use super::sessions::{Filter, Order, Table};
use super::terminal::{self, ColorChoice};
use crate::event_file;
use crate::status::Remark;

/// Events between the thread that reads and the table. Stops a reader that is quicker than the table from filling memory.
const EVENTS_WAITING: usize = 1_024;

/// The settings of `ftpmon who`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhoOptions {
    /// The source of events.
    pub source: EventSource,
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
    let name = options.source.to_string();
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
        match self.options.every_s {
            Some(every_s) => self.show_every(Duration::from_secs(u64::from(every_s))),
            None => self.show_once(),
        }
    }

    /// One table, at the end of the input, or when an agent told of all its sessions.
    fn show_once(&mut self) -> anyhow::Result<()> {
        event_file::for_each_line(self.options.source.open()?, |_, line| {
            let line = Line::read(line);
            let is_all = matches!(line, Line::Remark(Remark::AllOpen(_)));
            self.line(line);
            Ok::<_, anyhow::Error>(if is_all { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        self.show()
    }

    fn show_every(&mut self, every: Duration) -> anyhow::Result<()> {
        // Reading blocks, and a table is due whether events come or not.
        let (sender, lines) = sync_channel(EVENTS_WAITING);
        let source = self.options.source.clone();
        let reader = std::thread::spawn(move || {
            event_file::for_each_line(source.open()?, |_, line| {
                let is_wanted = sender.send(Line::read(line)).is_ok();
                Ok::<_, anyhow::Error>(if is_wanted {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            })
        });
        let mut due = Instant::now() + every;
        while !self.is_done() {
            match lines.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(line) => self.line(line),
                Err(RecvTimeoutError::Timeout) => {
                    self.show()?;
                    due += every;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let read = match reader.join() {
                        Ok(read) => read,
                        Err(panic) => std::panic::resume_unwind(panic),
                    };
                    // An input that could not be opened has no table.
                    if read.is_ok() {
                        self.show()?;
                    }
                    return read;
                }
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.options.count.is_some_and(|count| self.shown >= count)
    }

    fn line(&mut self, line: Line) {
        match line {
            Line::Event(line) => self.table.push(&line.event),
            Line::Remark(Remark::Open(open)) => self.table.add_open(&open),
            Line::Remark(Remark::Moved(moved)) => self.table.count(moved.listener, moved.bytes, moved.ts),
            Line::Remark(Remark::Missed(_) | Remark::AllOpen(_)) => {}
            Line::Wrong => self.wrong += 1,
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
