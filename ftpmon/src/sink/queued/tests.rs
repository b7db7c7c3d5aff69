use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use super::*;

/// A directory of this test alone, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ftpmon-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn started(spec: SinkSpec) -> QueuedOutputs {
    let mut outputs = QueuedOutputs::open(&[spec]).unwrap();
    outputs.start(b"opening\n").unwrap();
    outputs
}

fn stats(outputs: &QueuedOutputs) -> ftpmon_event::Stats {
    let mut snapshot = Snapshot::default();
    outputs.sample(&mut snapshot);
    snapshot.stats(0)
}

fn lost(outputs: &QueuedOutputs) -> u64 {
    stats(outputs).lost.into_values().sum()
}

#[test]
fn a_file_is_appended_to_and_begins_with_the_opening_lines() {
    let scratch = Scratch::new("append");
    let path = scratch.path("events.json");
    for run in ["first\n", "second\n"] {
        let outputs = started(SinkSpec::File(path.clone()));
        outputs.queue(&LineBatch::new(run.as_bytes().to_vec(), 1));
        outputs.finish().unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), "opening\nfirst\nopening\nsecond\n");
}

#[test]
fn an_output_that_cannot_be_opened_is_named_with_the_way_out() {
    let scratch = Scratch::new("refused");
    let path = scratch.path("missing/events.json");
    let error = QueuedOutputs::open(&[SinkSpec::File(path.clone())]).err().unwrap().to_string();
    assert!(error.contains(path.to_str().unwrap()) && error.contains("directory"), "{error}");
    let socket = SinkSpec::Unix(scratch.path("nobody.sock"));
    let error = QueuedOutputs::open(&[socket]).err().unwrap().to_string();
    assert!(error.contains("start its reader first"), "{error}");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = SinkSpec::Tcp { host: "127.0.0.1".to_owned(), port };
    assert!(QueuedOutputs::open(&[refused]).is_err(), "its listener is gone");
}

#[test]
fn an_output_named_twice_is_written_once() {
    let scratch = Scratch::new("twice");
    let spec = SinkSpec::File(scratch.path("events.json"));
    let mut outputs = QueuedOutputs::open(&[spec.clone(), spec]).unwrap();
    outputs.start(b"").unwrap();
    outputs.queue(&LineBatch::new(b"line\n".to_vec(), 1));
    outputs.finish().unwrap();
    assert_eq!(std::fs::read_to_string(scratch.path("events.json")).unwrap(), "line\n");
}

#[test]
fn a_new_reader_begins_with_the_opening_lines_and_gets_whole_lines() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut outputs = started(SinkSpec::Tcp { host: "127.0.0.1".to_owned(), port });

    let (first, _) = listener.accept().unwrap();
    let mut line = String::new();
    let mut first = BufReader::new(first);
    outputs.queue(&LineBatch::new(b"one\n".to_vec(), 1));
    first.read_line(&mut line).unwrap();
    first.read_line(&mut line).unwrap();
    assert_eq!(line, "opening\none\n");
    outputs.set_opening(b"later opening\n");
    drop(first);

    outputs.queue(&LineBatch::new(b"two\nthree\n".to_vec(), 2));
    let (mut second, _) = listener.accept().unwrap();
    outputs.queue(&LineBatch::new(b"four\n".to_vec(), 1));
    assert_eq!(outputs.outputs[0].shared.spec.to_string(), format!("tcp://127.0.0.1:{port}"));
    assert_eq!(lost(&outputs), 0);
    outputs.finish().unwrap();
    let mut rest = String::new();
    second.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "later opening\ntwo\nthree\nfour\n");
}

#[test]
fn a_reader_that_reads_nothing_holds_nothing_up_and_is_counted() {
    let scratch = Scratch::new("stuck");
    let path = scratch.path("stuck.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let outputs = started(SinkSpec::Unix(path));
    let (reader, _) = listener.accept().unwrap();

    let batch = LineBatch::new(b"x\n".repeat(1 << 16), 1 << 16);
    let offered = (4 * QUEUE_BYTES_MAX / batch.bytes().len()) as u64;
    let before = Instant::now();
    (0..offered).for_each(|_| outputs.queue(&batch));
    assert!(before.elapsed() < Duration::from_secs(2), "writing waited for the reader");
    let kept = 2 * (QUEUE_BYTES_MAX / batch.bytes().len()) as u64;
    assert!(lost(&outputs) >= (offered - kept) * batch.events(), "{} lost", lost(&outputs));
    let tables = stats(&outputs).tables;
    assert!(
        !tables.is_empty()
            && tables.values().all(|fill| fill.used <= fill.cap && fill.cap == QUEUE_BYTES_MAX as u64)
    );

    let before = Instant::now();
    outputs.finish().unwrap();
    assert!(before.elapsed() < FLUSH_TIME * 2, "the end waited for the reader");
    drop(reader);
}

#[tokio::test]
async fn a_run_whose_only_output_is_gone_is_told() {
    let scratch = Scratch::new("gone");
    let outputs = started(SinkSpec::File(scratch.path("events.json")));
    outputs.outputs[0].shared.queue.abandon();
    outputs.stdout_gone();
    outputs.all_gone().await;
    outputs.queue(&LineBatch::new(b"late\n".to_vec(), 1));
    assert_eq!(lost(&outputs), 1);
}
