//! The thread that reads events.

use core::ops::ControlFlow;
use std::io::BufRead;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ftpmon_event::EventLine;
use ftpmon_event::time::Timestamp;
use smol_str::SmolStr;

use super::courses::Courses;
use super::key::Key;
use crate::event_file;
use crate::status::Remark;
use crate::view::event_source::{EventSource, Line};
use crate::view::sessions::Course;

/// Inputs between the threads that read and the one that shows. Stops a reader that is quicker from filling memory.
pub(super) const INPUTS_WAITING: usize = 1_024;

/// Time between two attempts to reach an agent that ended.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Something that changes the picture.
pub(super) enum Input {
    /// An event, with its line.
    Event(Box<EventLine>, Box<[u8]>),
    /// The transfer that the last event began goes on like this.
    Course(SmolStr, Course),
    /// A remark of an agent between its events.
    Remark(Remark),
    /// A line that is no event.
    Wrong,
    /// The agent ended; another one is waited for.
    Away,
    /// An agent is there again. It tells of the sessions that are open.
    Successor,
    /// There are no more events, perhaps because they cannot be read.
    End(anyhow::Result<()>),
    /// A key.
    Key(Key),
    /// The terminal has another size.
    Resize,
}

/// Reads events on a thread of its own.
pub(super) fn read(source: EventSource, speed_permille: Option<u64>, to: SyncSender<Input>) {
    std::thread::spawn(move || {
        let end = pass_on(&source, speed_permille, &to).with_context(|| source.to_string());
        // Nobody waits for it where the reader of the screen has left.
        let _ = to.send(Input::End(end));
    });
}

/// Passes on all events. An agent that ends may be started again: its successor is waited for.
fn pass_on(source: &EventSource, speed_permille: Option<u64>, to: &SyncSender<Input>) -> anyhow::Result<()> {
    let mut input = source.open()?;
    let mut pace = speed_permille.map(Pace::new);
    let courses = match source {
        EventSource::File(path) if pace.is_some() => Courses::of_file(path)?,
        _ => Courses::default(),
    };
    loop {
        let read = pass_on_lines(input, &mut pace, &courses, to);
        match source {
            EventSource::File(_) => return read.map(drop),
            // A reader that left wants no other agent.
            EventSource::Agent(_) if matches!(read, Ok(ControlFlow::Break(()))) => return Ok(()),
            EventSource::Agent(_) => {}
        }
        let Some(again) = successor(source, to) else { return Ok(()) };
        input = again;
    }
}

/// The events of the agent that comes in the place of one that ended; none where nobody wants them any more.
fn successor(source: &EventSource, to: &SyncSender<Input>) -> Option<Box<dyn BufRead>> {
    to.send(Input::Away).ok()?;
    loop {
        std::thread::sleep(ASK_AGAIN);
        if let Ok(input) = source.open() {
            to.send(Input::Successor).ok()?;
            return Some(input);
        }
        // Told again, so that a reader of the screen that left is noticed.
        to.send(Input::Away).ok()?;
    }
}

/// Breaks where nobody wants more.
fn pass_on_lines(
    input: Box<dyn BufRead>,
    pace: &mut Option<Pace>,
    courses: &Courses,
    to: &SyncSender<Input>,
) -> anyhow::Result<ControlFlow<()>> {
    let mut wanted = ControlFlow::Continue(());
    event_file::for_each_line(input, |_, line| {
        let mut course = None;
        let input = match Line::read(line) {
            Line::Event(event) => {
                if let Some(pace) = pace {
                    std::thread::sleep(pace.wait(event.event.ts, Instant::now()));
                }
                course = courses.begun_by(&event.event);
                Input::Event(event, line.into())
            }
            Line::Remark(remark) => Input::Remark(remark),
            Line::Wrong => Input::Wrong,
        };
        let course = course.map(|(session, course)| Input::Course(session, course));
        if to.send(input).is_err() || course.is_some_and(|course| to.send(course).is_err()) {
            wanted = ControlFlow::Break(());
        }
        Ok::<_, anyhow::Error>(wanted)
    })?;
    Ok(wanted)
}

/// The pace at which stored events are told again.
struct Pace {
    speed_permille: u64,
    /// The first event, and when it was told.
    first: Option<(Timestamp, Instant)>,
}

impl Pace {
    fn new(speed_permille: u64) -> Self {
        Self { speed_permille: speed_permille.max(1), first: None }
    }

    /// The time to wait before an event is told.
    fn wait(&mut self, at: Timestamp, now: Instant) -> Duration {
        let (first, told) = *self.first.get_or_insert((at, now));
        let us = u128::from(at.micros_since(first)) * 1_000 / u128::from(self.speed_permille);
        let due = Duration::from_micros(u64::try_from(us).unwrap_or(u64::MAX));
        due.saturating_sub(now.saturating_duration_since(told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_at_their_pace() {
        let (at, now) = (|ms: i64| Timestamp::from_nanos(ms * 1_000_000), Instant::now());
        let mut pace = Pace::new(2_000);
        assert_eq!(pace.wait(at(5_000), now), Duration::ZERO);
        assert_eq!(pace.wait(at(6_000), now), Duration::from_millis(500));
        assert_eq!(pace.wait(at(6_000), now + Duration::from_millis(300)), Duration::from_millis(200));
        // Late, or out of order: at once.
        assert_eq!(pace.wait(at(6_000), now + Duration::from_secs(9)), Duration::ZERO);
        assert_eq!(pace.wait(at(1), now), Duration::ZERO);
        let mut slow = Pace::new(100);
        slow.wait(at(0), now);
        assert_eq!(slow.wait(at(1_000), now), Duration::from_secs(10));
    }
}
