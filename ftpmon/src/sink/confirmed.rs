//! Readers that confirm each line: a line counts as delivered when it is confirmed.

use std::io;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

use super::answers::{self, ANSWER_TIMEOUT};
use super::courier::{Courier, LineAnswers};
use super::destination::{Destination, Recovery, Rejection, not_open};
use super::open_lines::OpenLines;

/// Lines and their bytes that wait for confirmations at once: enough that a round trip costs little.
const LINES_AT_ONCE: usize = 1_000;
const BYTES_AT_ONCE: usize = 512 << 10;
/// The interval at which a connection without lines answers its reader, and the time that it has for it.
const CARE_EVERY: Duration = Duration::from_millis(500);
const CARE: Duration = Duration::from_millis(1);

/// A reader that confirms each line.
pub(super) struct Confirmed<C> {
    courier: C,
    /// Made on the thread that writes. It goes with its connection: what a library still has to send of an old one is
    /// not sent beside the new one.
    runtime: Option<Runtime>,
    /// The lines of the write that is under way.
    lines: Option<OpenLines>,
    line_answers: Option<LineAnswers>,
    /// The largest number of lines that are sent at once. The first line of a connection goes alone: where the reader takes none yet, it could
    /// begin to in the midst of many, and have later ones before earlier ones.
    at_once: usize,
    rejections: Vec<Rejection>,
    cared: Instant,
}

impl<C: Courier> Confirmed<C> {
    /// A reader, not connected yet.
    pub(super) fn new(courier: C) -> Self {
        Self {
            courier,
            runtime: None,
            lines: None,
            line_answers: None,
            at_once: 1,
            rejections: Vec::new(),
            cared: Instant::now(),
        }
    }

    fn close(&mut self) {
        self.line_answers = None;
        self.courier.disconnect();
        if let Some(runtime) = self.runtime.take() {
            // A name that is being resolved may take long; nobody waits for it.
            runtime.shutdown_background();
        }
    }

    /// Sends the next lines.
    fn send(&mut self) {
        let Some(lines) = &mut self.lines else { return };
        let texts = lines.ask(self.at_once, BYTES_AT_ONCE).into_iter().map(<[u8]>::to_vec).collect();
        let line_answers = self.courier.send(texts);
        self.line_answers = Some(Box::pin(async {
            let line_answers = timeout(ANSWER_TIMEOUT, line_answers).await;
            line_answers.unwrap_or_else(|_| Err(io::Error::other("its reader confirms nothing")))
        }));
    }
}

impl<C: Courier> Destination for Confirmed<C> {
    fn open(&mut self) -> io::Result<()> {
        self.close();
        self.at_once = 1;
        let runtime = answers::runtime()?;
        let connected = answers::connect(&runtime, self.courier.connect());
        self.runtime = Some(runtime);
        connected
    }

    /// A write ends when the reader has decided about all of its lines. Until then it is made again with the same bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.lines.as_ref().is_some_and(|lines| lines.begin(bytes)) {
            self.line_answers = None;
            self.rejections.clear();
            self.lines = Some(OpenLines::new(bytes));
        }
        let deadline = answers::write_deadline();
        while self.lines.as_ref().is_some_and(|lines| !lines.is_decided()) {
            if let Some(error) = self.courier.lost() {
                return Err(error);
            }
            if self.line_answers.is_none() {
                self.send();
            }
            let (Some(runtime), Some(line_answers)) = (&self.runtime, &mut self.line_answers) else {
                return Err(not_open());
            };
            let line_answers = answers::wait(runtime, deadline, line_answers)?;
            self.line_answers = None;
            let Some(lines) = &mut self.lines else { continue };
            let decided = lines.decide(line_answers?);
            self.rejections.extend(decided.rejections);
            self.at_once = LINES_AT_ONCE;
            if let Some(reason) = decided.again {
                return Err(answers::says(&reason));
            }
        }
        self.cared = Instant::now();
        Ok(self.lines.take().map_or(0, |lines| lines.bytes()))
    }

    fn take_rejections(&mut self) -> Vec<Rejection> {
        core::mem::take(&mut self.rejections)
    }

    /// Confirmed lines stay delivered.
    fn recovery(&self) -> Recovery {
        Recovery::SameByte
    }

    fn batch_bytes(&self) -> usize {
        BYTES_AT_ONCE
    }

    /// Readers ask from time to time whether anybody is there.
    fn turn(&mut self, _: bool) -> io::Result<bool> {
        if self.cared.elapsed() >= CARE_EVERY
            && let Some(runtime) = &self.runtime
        {
            runtime.block_on(async { sleep(CARE).await });
            self.cared = Instant::now();
        }
        self.courier.lost().map_or(Ok(false), Err)
    }
}
