use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ftpmon_event::{DropReason, RunId};

use super::super::batch::SeqRange;
use super::super::spool_position::SpoolPosition;
use super::*;

const ROUTE: u64 = 7;

struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ftpmon-spool-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options(folder: &Path, full: SpoolFull) -> SpoolOptions {
    SpoolOptions { folder: folder.to_owned(), max_bytes: SPOOL_BYTES_MIN, full }
}

fn open(folder: &Path, run: u64) -> Spool {
    let origin = Origin { run: RunId(run), sensor: "s".to_owned() };
    Spool::open(options(folder, SpoolFull::DropOldest), &origin).unwrap()
}

type Told = Arc<Mutex<Vec<(Option<u64>, SeqRange, DropReason)>>>;

fn reader(spool: &Spool) -> (SpoolReader, Told) {
    let told = Told::default();
    let tell = Arc::clone(&told);
    let lose: Lose = Box::new(move |run, missing, _, reason| {
        tell.lock().unwrap().push((run.map(|run| run.0), missing, reason));
    });
    let reader = spool.reader("unix:/x", ROUTE, lose);
    spool.outputs_are_known();
    (reader, told)
}

/// Ten events from `seq`, 100 KB in all.
fn batch(seq: u64) -> LineBatch {
    let text: String = (seq..seq + 10).map(|seq| format!("{seq:09999}\n")).collect();
    LineBatch::of_lines(text.as_bytes(), seq)
}

fn flush(spool: &Spool) {
    spool.flush(Instant::now() + Duration::from_secs(20));
    assert_eq!(spool.shared.state().pending, 0);
}

/// The numbers of all events that the reader gives.
fn read(reader: &mut SpoolReader) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(batch) = reader.next() {
        numbers.extend(
            std::str::from_utf8(batch.bytes()).unwrap().lines().map(|line| line.parse::<u64>().unwrap()),
        );
    }
    numbers
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    segment::list(folder).unwrap().into_iter().map(|number| segment::path(folder, number)).collect()
}

#[test]
fn what_was_not_accepted_comes_again_in_the_next_run() {
    let scratch = Scratch::new("again");
    let spool = open(&scratch.0, 1);
    let (mut first, _) = reader(&spool);
    (0..100).for_each(|at| {
        spool.append(ROUTE, batch(at * 10), if at == 3 { BatchKind::Urgent } else { BatchKind::Events });
    });
    spool.append(ROUTE + 1, batch(5_000), BatchKind::Events);
    flush(&spool);
    let mut seen = Vec::new();
    for _ in 0..50 {
        let batch = first.next().unwrap();
        seen.push(batch.behind().unwrap());
    }
    first.accept(seen[39]);
    first.save();
    drop((first, spool));
    let spool = open(&scratch.0, 2);
    let (mut second, told) = reader(&spool);
    spool.append(ROUTE, batch(0), BatchKind::Events);
    flush(&spool);
    let wanted: Vec<u64> = (400..1_000).chain(0..10).collect();
    assert_eq!(read(&mut second), wanted);
    assert!(told.lock().unwrap().is_empty());
    second.accept_all();
    second.save();
    drop((second, spool));
    // What all outputs have is removed.
    let spool = open(&scratch.0, 3);
    let (mut third, _) = reader(&spool);
    spool.append(ROUTE, batch(0), BatchKind::Urgent);
    flush(&spool);
    assert_eq!(read(&mut third), (0..10).collect::<Vec<_>>());
    assert!(segments(&scratch.0).len() <= 3, "{:?}", segments(&scratch.0));
}

#[test]
fn a_second_agent_is_refused() {
    let scratch = Scratch::new("second");
    let _spool = open(&scratch.0, 1);
    let origin = Origin { run: RunId(2), sensor: "s".to_owned() };
    let error = Spool::open(options(&scratch.0, SpoolFull::Block), &origin).err().unwrap();
    assert!(error.to_string().contains("another ftpmon"), "{error}");
}

#[test]
fn a_torn_tail_is_cut() {
    let scratch = Scratch::new("torn");
    for torn in [1, 7, 8, 500] {
        let _ = std::fs::remove_dir_all(&scratch.0);
        let spool = open(&scratch.0, 1);
        let (first, _) = reader(&spool);
        (0..3).for_each(|at| spool.append(ROUTE, batch(at * 10), BatchKind::Events));
        flush(&spool);
        drop((first, spool));
        // The output is known to the spool, at its begin.
        let last = segments(&scratch.0).pop().unwrap();
        let length = std::fs::metadata(&last).unwrap().len();
        OpenOptions::new().write(true).open(&last).unwrap().set_len(length - torn).unwrap();
        OpenOptions::new().append(true).open(&last).unwrap().write_all(&vec![9; torn as usize / 2]).unwrap();
        let cursor = cursor::Cursor {
            output: "unix:/x".to_owned(),
            place: SpoolPosition { segment: 1, offset: 0 },
            run: None,
            next_seq: 0,
        };
        cursor.save(&scratch.0).unwrap();
        let spool = open(&scratch.0, 2);
        let (mut second, _) = reader(&spool);
        assert_eq!(read(&mut second), (0..20).collect::<Vec<_>>(), "{torn}");
    }
}

#[test]
fn a_damaged_segment_is_set_aside_and_its_events_are_told() {
    let scratch = Scratch::new("damaged");
    let spool = open(&scratch.0, 1);
    let (mut first, told) = reader(&spool);
    (0..120).for_each(|at| spool.append(ROUTE, batch(at * 10), BatchKind::Events));
    flush(&spool);
    let files = segments(&scratch.0);
    assert!(files.len() >= 3);
    // One byte in the middle of the second segment.
    let file = OpenOptions::new().write(true).open(&files[1]).unwrap();
    file.write_all_at(b"X", 2 << 20).unwrap();
    let numbers = read(&mut first);
    let told = told.lock().unwrap().clone();
    let [(None, missing, DropReason::WriteFailed)] = told[..] else { panic!("{told:?}") };
    let wanted: Vec<u64> = (0..missing.first).chain(missing.last() + 1..1_200).collect();
    assert_eq!(numbers, wanted);
    assert!((10..600).contains(&missing.count));
    assert!(!files[1].exists() && files[1].with_extension("bad").exists());
}

#[test]
fn a_segment_that_is_cut_while_it_is_written_costs_what_was_in_it_and_no_more() {
    let scratch = Scratch::new("cut");
    let spool = open(&scratch.0, 1);
    let (mut first, told) = reader(&spool);
    (0..10).for_each(|at| spool.append(ROUTE, batch(at * 10), BatchKind::Events));
    flush(&spool);
    let last = segments(&scratch.0).pop().unwrap();
    OpenOptions::new().write(true).open(&last).unwrap().set_len(300_000).unwrap();
    let mut numbers = read(&mut first);
    (10..20).for_each(|at| spool.append(ROUTE, batch(at * 10), BatchKind::Events));
    flush(&spool);
    numbers.extend(read(&mut first));
    let told = told.lock().unwrap().clone();
    let missing: u64 = told.iter().map(|(_, missing, _)| missing.count).sum();
    assert_eq!(numbers.len() as u64 + missing, 200, "{told:?}");
    assert_eq!(
        numbers.iter().rev().take(100).rev().copied().collect::<Vec<_>>(),
        (100..200).collect::<Vec<_>>()
    );
}

#[test]
fn the_oldest_give_way_and_their_readers_are_told() {
    let scratch = Scratch::new("oldest");
    let spool = open(&scratch.0, 1);
    let (mut first, told) = reader(&spool);
    (0..300).for_each(|at| {
        spool.append(ROUTE, batch(at * 10), BatchKind::Events);
        if at % 50 == 0 {
            flush(&spool);
        }
    });
    flush(&spool);
    let (bytes, cap) = spool.fill();
    assert!(bytes <= cap, "{bytes}");
    let numbers = read(&mut first);
    let told = told.lock().unwrap().clone();
    let missing: u64 = told.iter().map(|(_, missing, _)| missing.count).sum();
    assert!(told.iter().all(|(run, _, reason)| run.is_none() && *reason == DropReason::SpoolFull));
    assert_eq!(numbers, (missing..3_000).collect::<Vec<_>>());
    assert!(missing > 1_000);
}

#[test]
fn the_newest_give_way_and_are_told() {
    let scratch = Scratch::new("newest");
    let origin = Origin { run: RunId(1), sensor: "s".to_owned() };
    let spool = Spool::open(options(&scratch.0, SpoolFull::DropNewest), &origin).unwrap();
    let (mut first, told) = reader(&spool);
    for at in 0..300 {
        spool.append(ROUTE, batch(at * 10), BatchKind::Events);
        flush(&spool);
    }
    let numbers = read(&mut first);
    let missing: u64 = told.lock().unwrap().iter().map(|(_, missing, _)| missing.count).sum();
    assert_eq!(numbers.len() as u64 + missing, 3_000);
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64) && missing > 1_000);
}

#[test]
fn a_full_spool_that_drops_nothing_has_no_room_until_something_is_accepted() {
    let scratch = Scratch::new("block");
    let origin = Origin { run: RunId(1), sensor: "s".to_owned() };
    let spool = Spool::open(options(&scratch.0, SpoolFull::Block), &origin).unwrap();
    let (mut first, told) = reader(&spool);
    let mut written = 0;
    while spool.has_room() {
        spool.append(ROUTE, batch(written * 10), BatchKind::Events);
        written += 1;
        assert!(written < 1_000);
    }
    let mut numbers = read(&mut first);
    let deadline = Instant::now() + Duration::from_secs(20);
    while numbers.len() < written as usize * 10 {
        assert!(Instant::now() < deadline, "{} of {written}0", numbers.len());
        first.accept_all();
        first.save();
        first.wait(Duration::from_millis(10));
        numbers.extend(read(&mut first));
    }
    assert!(spool.has_room() && told.lock().unwrap().is_empty());
    assert_eq!(numbers, (0..written * 10).collect::<Vec<_>>());
}

/// A copy of the directory, made before the batch is written, is what a kill leaves.
#[test]
fn what_was_in_memory_at_a_kill_is_told_by_the_next_run() {
    let (scratch, killed) = (Scratch::new("kill"), Scratch::new("killed"));
    let spool = open(&scratch.0, 1);
    let (mut first, _) = reader(&spool);
    spool.append(ROUTE, batch(0), BatchKind::Urgent);
    flush(&spool);
    assert_eq!(read(&mut first), (0..10).collect::<Vec<_>>());
    first.accept_all();
    first.save();
    spool.shared.state().issued.as_mut().unwrap().given(ROUTE, 10, 25);
    for entry in std::fs::read_dir(&scratch.0).unwrap().flatten() {
        std::fs::copy(entry.path(), killed.0.join(entry.file_name())).unwrap();
    }
    let next = open(&killed.0, 2);
    let (mut again, told) = reader(&next);
    assert_eq!(read(&mut again), Vec::<u64>::new());
    let missing = SeqRange { first: 10, count: 15 };
    assert_eq!(*told.lock().unwrap(), [(Some(1), missing, DropReason::WriteFailed)]);
    // A run that ends in order leaves nothing to tell.
    next.append(ROUTE, batch(0), BatchKind::Urgent);
    drop((again, next));
    let (_, told) = reader(&open(&killed.0, 3));
    assert_eq!(*told.lock().unwrap(), []);
}
