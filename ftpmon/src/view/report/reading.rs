//! The events of files, in their order: a thread takes lines from the files, several parse them.

use core::ops::ControlFlow;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Context as _, anyhow};
use ftpmon_event::EventLine;

use crate::event_file;

/// Bytes of lines that go to a thread at once.
const BATCH_BYTES: usize = 128 << 10;
/// Batches that wait for a thread, and for what it made of them. With [`PARSERS_MAX`] it bounds the memory of the reading; stops a
/// slow disk or a slow writer from filling memory.
const WAITING: usize = 1;
/// Threads that parse: as many as keep the thread that counts busy.
const PARSERS_MAX: usize = 2;

/// Whole lines.
struct Batch {
    bytes: Vec<u8>,
    /// The end of each line.
    ends: Vec<usize>,
}

/// The outcome of a batch: its events, and the number of its lines that are none.
struct Parsed {
    events: Vec<EventLine>,
    wrong: u64,
}

/// The parts of the files that gave no events.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// Lines that are no events.
    pub(super) lines: u64,
    /// Files that could not be read to their end, each with its reason.
    pub(super) files: Vec<anyhow::Error>,
}

/// Calls something for each event of the files. Gives what was left out: a file that breaks off does not keep the others from being read.
///
/// # Errors
/// What `each` gives.
pub(super) fn for_each_event(
    files: &[PathBuf],
    mut each: impl FnMut(EventLine) -> anyhow::Result<()>,
) -> anyhow::Result<LeftOut> {
    let parsers = thread::available_parallelism().map_or(1, core::num::NonZero::get).min(PARSERS_MAX);
    thread::scope(|scope| {
        let (mut batches, mut results) = (Vec::new(), Vec::new());
        for _ in 0..parsers {
            let (to, from) = sync_channel::<Batch>(WAITING);
            let (told, heard) = sync_channel::<Parsed>(WAITING);
            scope.spawn(move || parse(&from, &told));
            batches.push(to);
            results.push(heard);
        }
        let reader = scope.spawn(move || read(files, batches));
        let mut wrong = 0;
        // Batches went to the threads in turn, so they come back in turn. The first thread without any is behind the last one.
        for result in results.iter().cycle() {
            let Ok(parsed) = result.recv() else { break };
            wrong += parsed.wrong;
            for event in parsed.events {
                each(event)?;
            }
        }
        drop(results);
        let files = reader.join().map_err(|_| anyhow!("the thread that reads ended early"))?;
        Ok(LeftOut { lines: wrong, files })
    })
}

fn parse(batches: &Receiver<Batch>, results: &SyncSender<Parsed>) {
    for batch in batches {
        let mut parsed = Parsed { events: Vec::with_capacity(batch.ends.len()), wrong: 0 };
        let mut begin = 0;
        for end in batch.ends {
            match serde_json::from_slice(batch.bytes.get(begin..end).unwrap_or_default()) {
                Ok(event) => parsed.events.push(event),
                Err(_) => parsed.wrong += 1,
            }
            begin = end;
        }
        if results.send(parsed).is_err() {
            break;
        }
    }
}

/// Gives the files that could not be read to their end.
fn read(files: &[PathBuf], batches: Vec<SyncSender<Batch>>) -> Vec<anyhow::Error> {
    let mut to = batches.iter().cycle();
    let mut batch = Batch { bytes: Vec::with_capacity(BATCH_BYTES), ends: Vec::new() };
    let mut send = |batch: &mut Batch| {
        let full =
            core::mem::replace(batch, Batch { bytes: Vec::with_capacity(BATCH_BYTES), ends: Vec::new() });
        // Nobody listens where the report cannot be written; that is told there.
        match to.next().map(|to| to.send(full)) {
            Some(Ok(())) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    };
    let mut broken = Vec::new();
    for path in files {
        let name = || path.display().to_string();
        let mut goes_on = ControlFlow::Continue(());
        let each = |_, line: &[u8]| {
            batch.bytes.extend_from_slice(line);
            batch.ends.push(batch.bytes.len());
            if batch.bytes.len() >= BATCH_BYTES {
                goes_on = send(&mut batch);
            }
            Ok::<_, io::Error>(goes_on)
        };
        let outcome = event_file::open_or_stdin(path)
            .with_context(|| format!("{}: cannot open it", name()))
            .and_then(|input| event_file::for_each_line(input, each).with_context(name));
        broken.extend(outcome.err());
        if goes_on.is_break() {
            return broken;
        }
    }
    let _ = send(&mut batch);
    broken
}
