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
use super::options::EventSource;
use crate::event_file;
use crate::status::{self, Remark};
use crate::view::sessions::Course;

/// Inputs between the threads that read and the one that shows. Stops a reader that is quicker from filling memory.
pub(super) const INPUTS_WAITING: usize = 1_024;

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

fn pass_on(source: &EventSource, speed_permille: Option<u64>, to: &SyncSender<Input>) -> anyhow::Result<()> {
    let input: Box<dyn BufRead> = match source {
        EventSource::File(path) => event_file::open_or_stdin(path).context("cannot open it")?,
        EventSource::Agent(address) => Box::new(status::events(address)?),
    };
    let mut pace = speed_permille.map(Pace::new);
    let courses = match source {
        EventSource::File(path) if pace.is_some() => Courses::of_file(path)?,
        _ => Courses::default(),
    };
    event_file::for_each_line(input, |_, line| {
        let mut course = None;
        let input = match serde_json::from_slice::<EventLine>(line) {
            Ok(event) => {
                if let Some(pace) = &mut pace {
                    std::thread::sleep(pace.wait(event.event.ts, Instant::now()));
                }
                course = courses.begun_by(&event.event);
                Input::Event(Box::new(event), line.into())
            }
            Err(_) => serde_json::from_slice(line).map_or(Input::Wrong, Input::Remark),
        };
        let course = course.map(|(session, course)| Input::Course(session, course));
        let is_wanted = to.send(input).is_ok() && course.is_none_or(|course| to.send(course).is_ok());
        Ok(if is_wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })
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
