//! A look at a whole spool: records, numbers, and the chain of digests that shows whether a segment was changed.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::{record, segment};

/// The content and the faults of a spool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpoolReport {
    /// Its segments.
    pub segments: u64,
    /// The events in them.
    pub events: u64,
    /// A line for each fault.
    pub faults: Vec<String>,
}

/// Reads all segments of a spool. Segments that every output has read are gone: the chain begins with the oldest that is there. The
/// last record of one that is being written may not be whole.
///
/// # Errors
/// The directory or a segment cannot be read.
pub fn verify_spool(folder: &Path) -> io::Result<SpoolReport> {
    let mut report = SpoolReport::default();
    let mut before: Option<u64> = None;
    for number in segment::list(folder)? {
        report.segments += 1;
        if let Some(before) = before
            && number > before + 1
        {
            report.faults.push(format!("segments {} to {} are missing", before + 1, number - 1));
        }
        if let Err(error) = verify_segment(folder, number, before, &mut report) {
            if error.kind() != io::ErrorKind::InvalidData {
                return Err(error);
            }
            report.faults.push(format!("segment {number}: {error}"));
        }
        before = Some(number);
    }
    Ok(report)
}

fn verify_segment(
    folder: &Path,
    number: u64,
    before: Option<u64>,
    report: &mut SpoolReport,
) -> io::Result<()> {
    let (file, header, begin) = segment::open(folder, number)?;
    if let Some(before) = before.filter(|before| before + 1 == number) {
        let digest = segment::digest(&segment::path(folder, before))?;
        if header.previous.as_deref() != Some(digest.as_str()) {
            report
                .faults
                .push(format!("segment {before} is not what it was when segment {number} was begun"));
        }
    }
    let bytes = file.metadata()?.len();
    let mut next: HashMap<u64, u64> = HashMap::new();
    let end = record::scan(&file, begin, bytes, |record| {
        report.events += record.batch.ends().len() as u64;
        let expected = next.get(&record.route).copied().unwrap_or_else(|| header.next_seq(record.route));
        let first = record.batch.first_seq();
        if first > expected {
            let route = segment::route_name(record.route);
            report.faults.push(format!(
                "segment {number}: run {}, route {route}: seq {expected} to {} are missing",
                header.run,
                first - 1
            ));
        }
        next.insert(record.route, record.next_seq);
    })?;
    if end < bytes {
        report.faults.push(format!("segment {number}: {} bytes behind the last whole record", bytes - end));
    }
    Ok(())
}
