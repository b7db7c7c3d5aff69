use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::mpsc;

use super::*;
use crate::sink::{QUEUE_BYTES_DEFAULT, SPOOL_BYTES_MIN, SpoolFull, SpoolOptions};
use ftpmon_event::{Origin, RunId};

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

const LIMIT: Duration = Duration::from_secs(20);

fn started(spec: SinkSpec) -> QueuedOutputs {
    let mut outputs = QueuedOutputs::open(&[OutputSpec::new(spec)]).unwrap();
    outputs.start(b"opening\n", 0).unwrap();
    outputs
}

fn lines(text: &[u8], first_seq: u64) -> LineBatch {
    LineBatch::of_lines(text, first_seq)
}

/// Events numbered from `from`, a line of some 100 bytes each.
fn numbered(from: u64, count: u64) -> LineBatch {
    let text: String = (from..from + count).map(|seq| format!("{seq:0100}\n")).collect();
    lines(text.as_bytes(), from)
}

fn stats(outputs: &QueuedOutputs) -> ftpmon_event::Stats {
    let mut snapshot = Snapshot::default();
    outputs.sample(&mut snapshot);
    snapshot.stats(0)
}

fn lost(outputs: &QueuedOutputs) -> u64 {
    stats(outputs).lost.into_values().sum()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < deadline, "{what} took too long");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn closed_port() -> SinkSpec {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    SinkSpec::Tcp { host: "127.0.0.1".to_owned(), port }
}

#[test]
fn a_file_is_appended_to_and_begins_with_the_opening_lines() {
    let scratch = Scratch::new("append");
    let path = scratch.path("events.json");
    for run in ["first\n", "second\n"] {
        let outputs = started(SinkSpec::File(path.clone()));
        outputs.queue(&lines(run.as_bytes(), 0), BatchKind::Events);
        outputs.finish().unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), "opening\nfirst\nopening\nsecond\n");
}

#[test]
fn a_file_that_cannot_be_opened_is_named_with_the_way_out() {
    let scratch = Scratch::new("refused");
    let path = scratch.path("missing/events.json");
    let spec = OutputSpec::new(SinkSpec::File(path.clone()));
    let error = QueuedOutputs::open(&[spec]).err().unwrap().to_string();
    assert!(error.contains(path.to_str().unwrap()) && error.contains("directory"), "{error}");
}

#[test]
fn a_reader_that_is_away_at_the_start_gets_everything_when_it_comes_and_others_work_meanwhile() {
    let scratch = Scratch::new("late");
    let (socket, file) = (scratch.path("late.sock"), scratch.path("events.json"));
    let specs = [SinkSpec::Unix(socket.clone()), SinkSpec::File(file.clone()), closed_port()];
    let mut outputs = QueuedOutputs::open(&specs.map(OutputSpec::new)).unwrap();
    outputs.start(b"opening\n", 0).unwrap();
    outputs.queue(&lines(b"one\n", 0), BatchKind::Events);
    until("the file", || std::fs::read_to_string(&file).is_ok_and(|text| text == "opening\none\n"));
    let listener = UnixListener::bind(&socket).unwrap();
    let (reader, _) = listener.accept().unwrap();
    let mut got = BufReader::new(reader).lines();
    assert_eq!(got.next().unwrap().unwrap(), "opening");
    assert_eq!(got.next().unwrap().unwrap(), "one");
    outputs.finish().unwrap();
}

#[test]
fn an_output_named_twice_is_written_once() {
    let scratch = Scratch::new("twice");
    let spec = OutputSpec::new(SinkSpec::File(scratch.path("events.json")));
    let mut outputs = QueuedOutputs::open(&[spec.clone(), spec]).unwrap();
    outputs.start(b"", 0).unwrap();
    outputs.queue(&lines(b"line\n", 0), BatchKind::Events);
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
    outputs.queue(&lines(b"one\n", 0), BatchKind::Events);
    first.read_line(&mut line).unwrap();
    first.read_line(&mut line).unwrap();
    assert_eq!(line, "opening\none\n");
    outputs.set_opening(b"later opening\n");
    drop(first);

    outputs.queue(&lines(b"two\nthree\n", 1), BatchKind::Events);
    let (mut second, _) = listener.accept().unwrap();
    outputs.queue(&lines(b"four\n", 3), BatchKind::Events);
    assert_eq!(outputs.outputs[0].shared.name, format!("tcp://127.0.0.1:{port}"));
    assert_eq!(lost(&outputs), 0);
    outputs.finish().unwrap();
    let mut rest = String::new();
    second.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "later opening\ntwo\nthree\nfour\n");
}

/// The content read of a stream: whole lines with their numbers, and a rest that is none.
fn numbers(text: &str) -> Vec<u64> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().filter_map(|line| line.parse().ok()).collect()
}

/// A reader hangs, with the kernel's buffers and a part of the queue full, and dies; the next one reads everything.
fn a_killed_reader_costs_no_event(spec: SinkSpec, accept: impl Fn() -> Box<dyn Read + Send>) {
    const EVENTS: u64 = 100_000;
    let mut output = OutputSpec::new(spec);
    output.settings.queue_bytes = 64 << 20;
    let mut outputs = QueuedOutputs::open(&[output]).unwrap();
    outputs.start(b"opening\n", 0).unwrap();
    let mut first = accept();
    let mut begin = vec![0; 500_000];
    for at in 0..EVENTS / 100 {
        outputs.queue(&numbered(at * 100, 100), BatchKind::Events);
    }
    first.read_exact(&mut begin).unwrap();
    // All buffers on the way fill up meanwhile.
    let waiting = || stats(&outputs).tables.values().map(|fill| fill.used).sum::<u64>();
    let mut before = u64::MAX;
    until("the hang", || {
        let now = waiting();
        std::thread::sleep(Duration::from_millis(150));
        core::mem::replace(&mut before, now) == now
    });
    drop(first);
    let mut second = accept();
    let (done, rest) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        second.read_to_string(&mut text).unwrap();
        done.send(text).unwrap();
    });
    assert_eq!(lost(&outputs), 0);
    until("the queue", || waiting() == 0);
    outputs.finish().unwrap();
    let rest = rest.recv_timeout(LIMIT).unwrap();
    let (begin, rest) = (numbers(std::str::from_utf8(&begin).unwrap()), numbers(&rest));
    let all: BTreeSet<u64> = begin.iter().chain(&rest).copied().collect();
    assert_eq!(all.len() as u64, EVENTS, "every event arrives");
    // What is sent again may come twice, and nothing comes before what precedes it.
    let mut next = rest.first().copied().unwrap();
    for seq in rest {
        assert!(seq <= next, "{seq} instead of {next}");
        next = next.max(seq + 1);
    }
}

#[test]
fn a_killed_reader_of_a_tcp_connection_costs_no_event() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let spec = SinkSpec::Tcp { host: "127.0.0.1".to_owned(), port };
    a_killed_reader_costs_no_event(spec, || Box::new(listener.accept().unwrap().0));
}

#[test]
fn a_killed_reader_of_a_unix_socket_costs_no_event() {
    let scratch = Scratch::new("killed");
    let path = scratch.path("reader.sock");
    let listener = UnixListener::bind(&path).unwrap();
    a_killed_reader_costs_no_event(SinkSpec::Unix(path), || Box::new(listener.accept().unwrap().0));
}

#[test]
fn a_killed_reader_of_a_fifo_costs_no_event() {
    let scratch = Scratch::new("fifo");
    let path = scratch.path("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
    // The FIFO has a reader at the start, as a file that cannot be opened is an error.
    let kept = Mutex::new(Some(
        std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap(),
    ));
    a_killed_reader_costs_no_event(SinkSpec::File(path.clone()), || {
        let reader = std::fs::File::open(&path).unwrap();
        drop(kept.lock().unwrap().take());
        Box::new(reader)
    });
}

#[test]
fn a_reader_that_had_read_everything_gets_nothing_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let outputs = started(SinkSpec::Tcp { host: "127.0.0.1".to_owned(), port });
    let mut seen = Vec::new();
    for at in 0..5 {
        outputs.queue(&numbered(at * 10, 10), BatchKind::Events);
        let (reader, _) = listener.accept().unwrap();
        let mut numbers = BufReader::new(reader).lines().filter_map(|line| line.unwrap().parse::<u64>().ok());
        seen.extend(numbers.by_ref().take_while(|&seq| seq < at * 10 + 9));
    }
    let wanted = (0..50).filter(|seq| seq % 10 != 9);
    assert_eq!(seen, wanted.collect::<Vec<u64>>());
    assert_eq!(lost(&outputs), 0);
}

#[test]
fn a_reader_that_reads_nothing_holds_nothing_up_and_its_loss_is_reported() {
    let scratch = Scratch::new("stuck");
    let path = scratch.path("stuck.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut outputs = started(SinkSpec::Unix(path));
    let (reader, _) = listener.accept().unwrap();

    const BATCH: u64 = 1 << 16;
    let batch = |at: u64| {
        LineBatch::new(b"x\n".repeat(BATCH as usize), (1..=BATCH as u32).map(|n| n * 2).collect(), at * BATCH)
    };
    let size = batch(0).capacity();
    let offered = (4 * QUEUE_BYTES_DEFAULT / size) as u64;
    let before = Instant::now();
    (0..offered).for_each(|at| outputs.queue(&batch(at), BatchKind::Events));
    assert!(before.elapsed() < LIMIT, "writing waited for the reader");
    let kept = 2 * (QUEUE_BYTES_DEFAULT / size) as u64;
    assert!(lost(&outputs) >= (offered - kept) * BATCH, "{} lost", lost(&outputs));
    let tables = stats(&outputs).tables;
    assert!(!tables.is_empty() && tables.values().all(|fill| fill.used <= fill.cap));

    let lost_before = lost(&outputs);
    let losses = outputs.take_losses(true);
    assert_eq!(losses.iter().map(|(_, loss)| loss.count).sum::<u64>(), lost_before);
    for (name, loss) in losses {
        assert!(name.starts_with("unix:") && loss.reason == ftpmon_event::DropReason::QueueFull);
        assert_eq!(loss.to_seq - loss.from_seq + 1, loss.count);
    }

    let before = Instant::now();
    outputs.finish().unwrap();
    assert!(before.elapsed() < FLUSH_TIME * 2, "the end waited for the reader");
    drop(reader);
}

/// Two runs with a spool: readers that are away or killed, and an agent whose first run ends before they had everything.
#[test]
fn with_a_spool_every_event_of_every_run_arrives_in_order() {
    let scratch = Scratch::new("spooled");
    let (socket, file) = (scratch.path("reader.sock"), scratch.path("events.json"));
    let specs = [SinkSpec::Unix(socket.clone()), SinkSpec::File(file.clone())].map(OutputSpec::new);
    let run = |run: u64| {
        let options = SpoolOptions {
            folder: scratch.path("spool"),
            max_bytes: SPOOL_BYTES_MIN,
            full: SpoolFull::DropOldest,
        };
        let origin = Origin { run: RunId(run), sensor: "s".to_owned() };
        let spool = Arc::new(Spool::open(options, &origin).unwrap());
        let mut outputs = QueuedOutputs::open_spooled(&specs, Arc::clone(&spool), 1).unwrap();
        spool.outputs_are_known();
        outputs.start(b"opening\n", 0).unwrap();
        outputs
    };
    let first = run(1);
    (0..20).for_each(|at| first.queue(&numbered(1_000 + at * 100, 100), BatchKind::Events));
    first.finish().unwrap();
    let of_file = || numbers(&std::fs::read_to_string(&file).unwrap());
    assert_eq!(of_file(), (1_000..3_000).collect::<Vec<_>>());

    let second = run(2);
    let listener = UnixListener::bind(&socket).unwrap();
    let (mut killed, _) = listener.accept().unwrap();
    let mut begin = vec![0; 50_000];
    killed.read_exact(&mut begin).unwrap();
    drop(killed);
    (20..40).for_each(|at| second.queue(&numbered(1_000 + at * 100, 100), BatchKind::Events));
    let (mut reader, _) = listener.accept().unwrap();
    let rest = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    until("the file", || of_file().len() == 4_000);
    second.finish().unwrap();
    let rest = rest.join().unwrap();
    let seen: Vec<u64> = [begin.as_slice(), rest.as_bytes()]
        .iter()
        .flat_map(|text| numbers(std::str::from_utf8(text).unwrap()))
        .collect();
    let all: BTreeSet<u64> = seen.iter().copied().collect();
    let missing: Vec<u64> = (1_000..5_000).filter(|seq| !all.contains(seq)).collect();
    assert!(missing.is_empty(), "{missing:?} of {} are missing", seen.len());
    assert_eq!(of_file(), (1_000..5_000).collect::<Vec<_>>(), "none comes twice where nothing was killed");
}

#[tokio::test]
async fn a_run_whose_only_output_is_gone_is_told() {
    let scratch = Scratch::new("gone");
    let outputs = started(SinkSpec::File(scratch.path("events.json")));
    outputs.outputs[0].shared.queue.abandon();
    outputs.stdout_gone();
    outputs.all_gone().await;
    outputs.queue(&lines(b"late\n", 0), BatchKind::Events);
    assert_eq!(lost(&outputs), 1);
}
