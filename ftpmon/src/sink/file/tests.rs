use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ftpmon-file-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn file(scratch: &Scratch, settings: FileOptions) -> AppendedFile {
    let mut file = AppendedFile::new(scratch.0.join("events"), settings);
    file.open().unwrap();
    file
}

fn write(file: &mut AppendedFile, text: &str) {
    assert_eq!(file.write(text.as_bytes()).unwrap(), text.len());
}

#[test]
fn a_file_that_was_moved_away_is_left_between_two_events() {
    let scratch = Scratch::new("moved");
    let mut file = file(&scratch, FileOptions::default());
    write(&mut file, "one\n");
    assert!(!file.turn(false).unwrap());
    std::fs::rename(scratch.0.join("events"), scratch.0.join("events.old")).unwrap();
    write(&mut file, "two\n");
    assert!(!file.turn(false).unwrap(), "whoever moved it may be about to make the next one");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !file.turn(false).unwrap() {
        assert!(Instant::now() < deadline, "no new file begins");
        std::thread::sleep(Duration::from_millis(5));
    }
    write(&mut file, "three\n");
    assert_eq!((scratch.text("events.old"), scratch.text("events")), ("one\ntwo\n".into(), "three\n".into()));
    // logrotate's create: another file is there already.
    std::fs::rename(scratch.0.join("events"), scratch.0.join("events.old")).unwrap();
    std::fs::write(scratch.0.join("events"), "").unwrap();
    assert!(file.turn(false).unwrap());
    write(&mut file, "four\n");
    assert_eq!(scratch.text("events"), "four\n");
    assert!(!file.turn(true).unwrap(), "asked to open the same file again, nothing begins");
    write(&mut file, "five\n");
    assert_eq!(scratch.text("events"), "four\nfive\n");
}

#[test]
fn a_file_that_was_truncated_goes_on_at_its_begin() {
    let scratch = Scratch::new("truncated");
    let mut file = file(&scratch, FileOptions::default());
    write(&mut file, "one\n");
    std::fs::OpenOptions::new().write(true).open(scratch.0.join("events")).unwrap().set_len(0).unwrap();
    assert!(!file.turn(false).unwrap());
    write(&mut file, "two\n");
    assert!(!file.turn(false).unwrap());
    assert_eq!((scratch.text("events"), file.truncated), ("two\n".to_owned(), 1));
    // Asked to open its file again, it does at once, whoever would make it.
    std::fs::remove_file(scratch.0.join("events")).unwrap();
    assert!(file.turn(true).unwrap());
}

#[test]
fn a_line_that_a_killed_run_left_unfinished_is_ended() {
    let scratch = Scratch::new("unfinished");
    std::fs::write(scratch.0.join("events"), "{\"ts\":").unwrap();
    let mut file = file(&scratch, FileOptions::default());
    write(&mut file, "one\n");
    assert_eq!(scratch.text("events"), "{\"ts\":\none\n");
    drop(file);
    let mut again = AppendedFile::new(scratch.0.join("events"), FileOptions::default());
    again.open().unwrap();
    write(&mut again, "two\n");
    assert_eq!(scratch.text("events"), "{\"ts\":\none\ntwo\n");
}

#[test]
fn a_file_is_rotated_by_size_and_so_many_are_kept() {
    let scratch = Scratch::new("size");
    let settings = FileOptions { rotate_bytes: Some(100), keep: 2, mode: 0o604, ..FileOptions::default() };
    let mut file = file(&scratch, settings);
    let line = |number: u32| format!("{number:0119}\n");
    for number in 0..5 {
        assert_eq!(file.turn(false).unwrap(), number > 0, "{number}");
        write(&mut file, &line(number));
    }
    let texts = ["events", "events.1", "events.2"].map(|name| scratch.text(name));
    assert_eq!(texts, [line(4), line(3), line(2)]);
    assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 3);
    let mode = scratch.0.join("events").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o604);
}

#[test]
fn rotated_files_are_compressed() {
    let scratch = Scratch::new("gzip");
    let settings = FileOptions { rotate_bytes: Some(1), keep: 2, gzip: true, ..FileOptions::default() };
    let mut file = file(&scratch, settings);
    for text in ["one\n", "two\n", "three\n", "four\n"] {
        file.turn(false).unwrap();
        write(&mut file, text);
    }
    drop(file);
    let unpacked = |name: &str| {
        let mut text = String::new();
        let file = File::open(scratch.0.join(name)).unwrap();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        text
    };
    assert_eq!((unpacked("events.1.gz"), unpacked("events.2.gz")), ("three\n".into(), "two\n".into()));
    assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 3);
}

#[test]
fn a_file_is_rotated_by_age() {
    let scratch = Scratch::new("age");
    let settings = FileOptions { rotate_seconds: Some(3_600), ..FileOptions::default() };
    let mut file = file(&scratch, settings);
    write(&mut file, "one\n");
    assert!(!file.turn(false).unwrap());
    file.open.as_mut().unwrap().born -= Duration::from_secs(3_601);
    assert!(file.turn(false).unwrap());
    assert_eq!(scratch.text("events.1"), "one\n");
}

#[test]
fn a_file_that_cannot_be_rotated_goes_on() {
    let scratch = Scratch::new("stuck");
    let settings = FileOptions { rotate_bytes: Some(1), ..FileOptions::default() };
    let mut file = file(&scratch, settings);
    write(&mut file, "one\n");
    std::fs::create_dir(scratch.0.join("events.5")).unwrap();
    assert!(!file.turn(false).unwrap());
    write(&mut file, "two\n");
    assert_eq!(scratch.text("events"), "one\ntwo\n");
}

#[test]
fn a_full_disk_ends_no_event() {
    let mut full = AppendedFile::new("/dev/full".into(), FileOptions::default());
    full.open().unwrap();
    assert_eq!(full.write(b"x\n").unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert!(!full.broken);
}
