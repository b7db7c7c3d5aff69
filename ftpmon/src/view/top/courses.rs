//! The courses of the transfers of a file, which is read once before its events are told again.

use core::ops::ControlFlow;
use std::collections::HashMap;
use std::io;
use std::path::Path;

use anyhow::Context as _;
use ftpmon_event::{Event, EventKind, EventLine, ReplyClass};
use memchr::memmem::Finder;
use smol_str::SmolStr;

use crate::event_file;
use crate::view::sessions::Course;

/// Transfers whose course is known, at most. Stops a file of months from filling memory; of further ones nothing is known while they
/// run.
const COURSES_MAX: usize = 262_144;

/// Courses by session and by the number of the transfer's command.
#[derive(Debug, Default)]
pub(super) struct Courses(HashMap<(SmolStr, u64), Course>);

impl Courses {
    /// Those of a file. Of what can be read once only, as a pipe, there are none.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn of_file(path: &Path) -> anyhow::Result<Self> {
        let mut courses = Self::default();
        if !path.is_file() {
            return Ok(courses);
        }
        // Most lines are of other events: these are not parsed.
        let transfer = Finder::new(b"\"event\":\"transfer\"");
        let input = event_file::open(path).context("cannot open it")?;
        event_file::for_each_line(input, |_, line| {
            if transfer.find(line).is_some()
                && let Ok(line) = serde_json::from_slice::<EventLine>(line)
            {
                courses.add(&line.event);
            }
            let has_room = courses.0.len() < COURSES_MAX;
            Ok::<_, io::Error>(if has_room { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(courses)
    }

    fn add(&mut self, event: &Event) {
        if let EventKind::Transfer(told) = &event.kind
            && let (Some(session), Some(course)) = (event.session.as_deref(), Course::of(event))
        {
            self.0.insert((session.id().into(), told.tx), course);
        }
    }

    /// The course of the transfer that begins with an event, and its session.
    pub(super) fn begun_by(&self, event: &Event) -> Option<(SmolStr, Course)> {
        let EventKind::Reply(told) = &event.kind else { return None };
        if told.reply.class != Some(ReplyClass::Preliminary) {
            return None;
        }
        let session = SmolStr::from(event.session.as_deref()?.id());
        let course = self.0.get(&(session.clone(), told.tx)).copied()?;
        Some((session, course))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    #[test]
    fn a_transfer_has_its_course_from_its_first_reply_on() {
        let identity = sample::identity("0000000000000001");
        let event = |kind| sample::event(&identity, 0, kind);
        let mut courses = Courses::default();
        courses.add(&event(sample::transfer(3)));
        let begun = |tx, code| courses.begun_by(&event(sample::reply(tx, code, "go", None)));
        assert!(begun(3, 150).is_some_and(|(session, _)| session == "0000000000000001"));
        assert!(begun(3, 226).is_none() && begun(4, 150).is_none());
    }
}
