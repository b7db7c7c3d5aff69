//! The tables as plain text.

use std::io::Write as _;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::cells::columns;
use super::clock::Clock;
use super::grid;
use super::head;
use super::options::{Batch, TopOptions};
use super::screen::Screen;
use super::source::{self, INPUTS_WAITING, Input};
use super::state::State;
use crate::status::Remark;
use crate::view::terminal::{self, Painter, Tone};

/// Writes tables until there are no more events, or as many as were asked for. Gives the number of lines that are no events.
pub(super) fn run(options: &TopOptions) -> anyhow::Result<u64> {
    let (sender, inputs) = sync_channel(INPUTS_WAITING);
    source::read(options.source.clone(), options.speed_permille, sender);
    let (every, most) = match options.batch {
        Some(Batch::Every { every_ms, count }) => (Some(Duration::from_millis(every_ms)), count),
        _ => (None, None),
    };
    let (mut state, mut wrong, mut written) = (State::default(), 0, 0);
    let mut clock = Clock::new(options.speed_permille);
    let mut due = every.map(|every| Instant::now() + every);
    loop {
        let input = match due {
            Some(due) => inputs.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => inputs.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match input {
            Ok(Input::Event(line, _)) => {
                state.push(&line.event);
                clock.set(state.table.now, Instant::now());
            }
            Ok(Input::Course(session, course)) => state.foresee(&session, course),
            Ok(Input::Remark(remark)) => {
                state.remark(&remark);
                // An agent's stream has no end: once means when its open sessions are known.
                if every.is_none() && matches!(remark, Remark::AllOpen(_)) {
                    write(options, &state)?;
                    return Ok(wrong);
                }
            }
            Ok(Input::Away) => {}
            Ok(Input::Successor) => state.forget_sessions(),
            Ok(Input::Wrong) => wrong += 1,
            Ok(Input::Key(_) | Input::Resize) => {}
            Err(RecvTimeoutError::Timeout) => {
                clock.at(Instant::now()).into_iter().for_each(|now| state.advance(now));
                write(options, &state)?;
                written += 1;
                if most.is_some_and(|most| written >= most) {
                    return Ok(wrong);
                }
                due = due.zip(every).map(|(due, every)| due + every);
            }
            Ok(Input::End(end)) => {
                // An input that could not be opened has no table.
                if end.is_ok() || state.events > 0 {
                    write(options, &state)?;
                }
                return end.map(|()| wrong);
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(wrong),
        }
    }
}

fn write(options: &TopOptions, state: &State) -> anyhow::Result<()> {
    let text = text(options, state, terminal::width(options.width), options.color.on_stdout());
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Heads and all rows of the table.
pub(super) fn text(options: &TopOptions, state: &State, width: usize, colour: bool) -> String {
    let mut screen = Screen::new(options);
    screen.list(state);
    let mut painter = Painter::new(colour);
    let mut line = |tone, text: &str| {
        painter.put(tone, text);
        painter.end_line();
    };
    line(Tone::Strong, &head::title(state));
    for text in head::totals(&screen.summary, state) {
        line(Tone::Plain, &text);
    }
    let table = columns(screen.tab);
    line(Tone::Quiet, &grid::heads(table, width));
    for cells in screen.entries.iter().filter_map(|entry| entry.cells(state)) {
        line(cells.tone, &grid::line(table, &cells.texts, width));
    }
    painter.finish()
}
