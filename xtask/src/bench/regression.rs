//! `cargo xtask bench regression`: counts that do not wobble, against the committed baseline. CI runs it.
//!
//! Instructions of `ftpmon read` by callgrind, those that the verifier walks for each kernel program, and the slope at which
//! instructions grow with the input. No clock is read.

use std::fs;

use anyhow::{Result, ensure};
use ftpmon_tests::kernel::{Bench, Hooked, Settings};
use ftpmon_tests::process::run_ok;

use super::baseline::{BASELINE, Baseline, Counts};
use super::callgrind;
use super::fit::slope;
use super::growth::SLOPE_MAX;
use super::setup::Setup;

/// Sessions of the capture.
const SESSIONS: u64 = 1_000;
/// Sessions of the captures that show how instructions grow.
const GROWTH: [u64; 3] = [500, SESSIONS, 2_000];
/// What `ftpmon read` is told besides the capture.
const LOADS: [&[&str]; 4] = [&[], &["--format", "eve"], &["--format", "zeek"], &["--files", "hash"]];
/// Counts may be higher by this share.
const TOLERANCE: f64 = 0.05;

/// Counts, and compares or blesses.
pub(super) fn run(setup: &Setup, bless: bool) -> Result<()> {
    callgrind::provide()?;
    let mut now = Baseline {
        rustc: run_ok(std::process::Command::new("rustc").arg("--version"))?.trim().to_owned(),
        kernel: kernel_version(),
        instructions: Counts::new(),
        verified: verified()?,
    };
    let capture = setup.capture(SESSIONS)?;
    let path = capture.path.to_string_lossy().into_owned();
    for options in LOADS {
        let words = [&["read"], options, &[path.as_str()]].concat();
        let count = callgrind::instructions(setup.agent(), &words, None, setup.folder())?;
        now.instructions.insert(format!("read {}", options.join(" ")).trim_end().to_owned(), count);
    }
    let growth = growth(setup, &now)?;
    println!(
        "ftpmon read: instructions grow with the input to the power of {growth:.3} (at most {SLOPE_MAX})"
    );
    ensure!(growth <= SLOPE_MAX, "instructions grow faster than the input: to the power of {growth:.3}");
    if bless {
        now.write()?;
        println!("{BASELINE}: written");
        return Ok(());
    }
    let recorded = Baseline::read()?;
    if recorded.rustc != now.rustc {
        println!("note: {} here, {} recorded", now.rustc, recorded.rustc);
    }
    println!("instructions by callgrind, a capture of {SESSIONS} sessions");
    let mut worse = compare(&recorded.instructions, &now.instructions);
    if recorded.kernel == now.kernel {
        println!("instructions that the verifier walks");
        worse += compare(&recorded.verified, &now.verified);
    } else {
        println!(
            "the verifier's counts are not compared: kernel {} here, {} recorded",
            now.kernel, recorded.kernel
        );
    }
    ensure!(
        worse == 0,
        "{worse} counts are above {BASELINE} by more than {} %: find out why, or if it is worth it run \
         `cargo xtask bench regression --bless` and commit what it writes",
        TOLERANCE * 100.0
    );
    Ok(())
}

/// Prints all counts and tells how many are too high, or recorded and not counted any more, or the other way round.
fn compare(recorded: &Counts, now: &Counts) -> usize {
    let mut worse = 0;
    for (what, count) in now {
        let Some(before) = recorded.get(what) else {
            println!("  {what:<24} {count:>14}  not recorded");
            worse += 1;
            continue;
        };
        let change = *count as f64 / *before as f64 - 1.0;
        let verdict = if change > TOLERANCE { "  TOO HIGH" } else { "" };
        worse += usize::from(change > TOLERANCE);
        println!("  {what:<24} {count:>14} {:>+7.2} %{verdict}", change * 100.0);
    }
    for what in recorded.keys().filter(|what| !now.contains_key(*what)) {
        println!("  {what:<24} recorded, and not counted any more");
        worse += 1;
    }
    worse
}

fn growth(setup: &Setup, now: &Baseline) -> Result<f64> {
    let mut points = Vec::new();
    for sessions in GROWTH {
        let count = match now.instructions.get("read") {
            Some(count) if sessions == SESSIONS => *count,
            _ => {
                let path = setup.capture(sessions)?.path;
                let words = ["read", &path.to_string_lossy()];
                callgrind::instructions(setup.agent(), &words, None, setup.folder())?
            }
        };
        points.push((sessions as f64, count as f64));
    }
    Ok(slope(&points))
}

fn verified() -> Result<Counts> {
    let bench = Bench::load(Settings { programs: &Hooked::ALL, ..Settings::default() })?;
    let count =
        |hooked: Hooked| Ok((hooked.name().to_owned(), u64::from(bench.verified_instructions(hooked)?)));
    Hooked::ALL.into_iter().map(count).collect()
}

/// `6.18` of `6.18.44-something`.
fn kernel_version() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.split('.').take(2).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_per_cent_are_borne() {
        let counts = |pairs: &[(&str, u64)]| {
            pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Counts>()
        };
        let recorded = counts(&[("a", 100), ("b", 100), ("c", 100)]);
        assert_eq!(compare(&recorded, &counts(&[("a", 104), ("b", 50), ("c", 100)])), 0);
        assert_eq!(compare(&recorded, &counts(&[("a", 106), ("b", 100), ("c", 100)])), 1);
        assert_eq!(compare(&recorded, &counts(&[("a", 100), ("b", 100), ("d", 1)])), 2);
    }
}
