//! The store on a real file system.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::{fs, process};

use sha2::{Digest as _, Sha256};

use super::{FileOutcome, Store, StoreOptions};
use ftpmon_core::engine::FilePiece;
use ftpmon_event::text::hex;
use ftpmon_event::{FileId, FileReason};

/// A directory of a test's own.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ftpmon-store-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn store(&self, quota: u64) -> Store {
        Store::new(StoreOptions { folder: self.0.clone(), quota })
    }

    /// Every file below, by its path from here, with what it holds.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        walk(&self.0, &self.0, &mut files);
        files.retain(|(path, _)| path != ".lock");
        files.sort();
        files
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn walk(root: &Path, at: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, files);
        } else {
            files.push((path.strip_prefix(root).unwrap().display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

fn put(store: &mut Store, id: u64, content: &[u8]) -> Option<FileOutcome> {
    let id = FileId(id);
    let mut outcome = None;
    for piece in content.chunks(4) {
        outcome = outcome.or(store.piece(FilePiece::Bytes { id, bytes: piece.to_vec() }));
    }
    outcome.or(store.piece(FilePiece::Close { id, sha256: Sha256::digest(content).into() }))
}

fn name(content: &[u8]) -> String {
    let name = hex(&Sha256::digest(content));
    format!("{}/{name}", &name[..2])
}

#[test]
fn a_file_is_named_by_its_content_and_kept_once() {
    let place = Place::new("named");
    let mut store = place.store(1_000);
    let path = place.0.join(name(b"hello world"));
    for id in 1..=2 {
        let stored = Ok(path.display().to_string());
        assert_eq!(put(&mut store, id, b"hello world"), Some(FileOutcome { id: FileId(id), stored }));
    }
    assert_eq!(place.files(), [(name(b"hello world"), b"hello world".to_vec())]);
    let counters = store.counters();
    assert_eq!((counters.stored, counters.known, counters.used), (2, 1, 11));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap()), mode(&place.0)), (0o600, 0o700, 0o700));
}

#[test]
fn what_a_killed_run_left_is_removed_and_what_it_kept_counts() {
    let place = Place::new("left");
    let mut store = place.store(1_000);
    put(&mut store, 1, b"kept");
    drop(store);
    fs::write(place.0.join(".incoming/17"), b"half").unwrap();
    let mut store = place.store(1_000);
    store.open();
    assert_eq!(place.files().len(), 1);
    assert_eq!(store.counters().used, 4);
}

#[test]
fn a_run_that_ends_leaves_no_half_file() {
    let place = Place::new("half");
    let mut store = place.store(1_000);
    store.piece(FilePiece::Bytes { id: FileId(1), bytes: b"half".to_vec() });
    assert_eq!(place.files().len(), 1);
    drop(store);
    assert_eq!(place.files(), []);
}

#[test]
fn a_discarded_file_leaves_nothing() {
    let place = Place::new("none");
    let mut store = place.store(1_000);
    store.piece(FilePiece::Bytes { id: FileId(1), bytes: b"half".to_vec() });
    store.piece(FilePiece::Discard { id: FileId(1) });
    assert_eq!((place.files(), store.counters().used), (vec![], 0));
}

#[test]
fn the_quota_holds_for_all_runs_together_and_what_fits_is_still_kept() {
    let place = Place::new("quota");
    put(&mut place.store(20), 1, b"twelve bytes");
    let mut store = place.store(20);
    let refused = Some(FileOutcome { id: FileId(2), stored: Err(FileReason::Quota) });
    assert_eq!(put(&mut store, 2, b"twelve more!"), refused);
    assert!(put(&mut store, 3, b"eight by").unwrap().stored.is_ok());
    assert_eq!(store.counters().lost["files_quota"], 1);
    assert_eq!((place.files().len(), store.counters().used), (2, 20));
}

#[test]
fn files_at_once_are_capped() {
    let place = Place::new("many");
    let mut store = place.store(1 << 20);
    let outcomes: Vec<_> = (0..300)
        .filter_map(|id| store.piece(FilePiece::Bytes { id: FileId(id), bytes: b"x".to_vec() }))
        .collect();
    assert_eq!(outcomes.len(), 300 - super::files::OPEN_MAX);
    assert!(outcomes.iter().all(|outcome| outcome.stored == Err(FileReason::StoreBusy)));
    assert_eq!(store.counters().lost["files_open_full"] as usize, outcomes.len());
}

#[test]
fn links_are_not_followed() {
    let place = Place::new("links");
    let elsewhere = Place::new("elsewhere");
    fs::create_dir_all(&elsewhere.0).unwrap();
    let mut store = place.store(1_000);
    store.open();
    let shelf = name(b"trap");
    symlink(&elsewhere.0, place.0.join(&shelf[..2])).unwrap();
    let refused = Some(FileOutcome { id: FileId(1), stored: Err(FileReason::StoreFailed) });
    assert_eq!(put(&mut store, 1, b"trap"), refused);
    assert_eq!(elsewhere.files(), []);
    // A link in the place of a file is replaced, not written through.
    let target = elsewhere.0.join("passwd");
    fs::write(&target, b"root").unwrap();
    let path = place.0.join(name(b"fine"));
    fs::create_dir(path.parent().unwrap()).unwrap();
    symlink(&target, &path).unwrap();
    assert!(put(&mut store, 2, b"fine").unwrap().stored.is_ok());
    assert_eq!((fs::read(&path).unwrap(), fs::read(&target).unwrap()), (b"fine".to_vec(), b"root".to_vec()));
}

#[test]
fn a_directory_is_one_runs_at_a_time() {
    let place = Place::new("two");
    let mut first = place.store(1_000);
    first.open();
    let refused = Some(FileOutcome { id: FileId(1), stored: Err(FileReason::StoreFailed) });
    assert_eq!(put(&mut place.store(1_000), 1, b"second"), refused);
    assert!(put(&mut first, 1, b"first").unwrap().stored.is_ok());
}

#[test]
fn a_place_that_is_no_directory_is_told_and_counted() {
    let place = Place::new("file");
    fs::write(&place.0, b"").unwrap();
    let mut store = place.store(1_000);
    store.open();
    let refused = Some(FileOutcome { id: FileId(1), stored: Err(FileReason::StoreFailed) });
    assert_eq!(put(&mut store, 1, b"lost"), refused);
    assert_eq!(store.counters().lost["files_failed"], 1);
    fs::remove_file(&place.0).unwrap();
}
