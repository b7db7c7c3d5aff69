//! `cargo xtask bench regression`: counts that do not wobble, against the committed baseline. CI runs it.
//!
//! Instructions of `ftpmon read` by callgrind, those a packet of attacks, those that the verifier walks for each kernel program, and the slope at which
//! instructions grow with the input. No clock is read.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::kernel::{Bench, Hooked, Settings};
use ftpmon_tests::process::run_ok;

use super::adversarial;
use super::callgrind;
use super::fit::slope;
use super::growth::SLOPE_MAX;
use super::setup::Setup;
use crate::baseline::{BASELINE, Baseline, Counts, TOLERANCE, compare};

/// Sessions of the capture.
const SESSIONS: u64 = 1_000;
/// Sessions of the captures that show how instructions grow.
const GROWTH: [u64; 3] = [500, SESSIONS, 2_000];
/// The options of `ftpmon read` besides the capture.
const LOADS: [&[&str]; 6] = [
    &[],
    &["--format", "eve"],
    &["--format", "zeek"],
    &["--files", "hash"],
    // Without detectors: the difference from the first is theirs.
    &["--detect", "none"],
    &["--detect", "all"],
];
/// Detectors may add these shares to the instructions of `read` without them: those that are on by default, and all that there are.
const DETECTORS_MAX: [(&str, f64); 2] = [("read", 0.10), ("read --detect all", 0.11)];

/// Counts, and compares or blesses.
pub(super) fn run(setup: &Setup, bless: bool) -> Result<()> {
    callgrind::provide()?;
    let mut now = Baseline {
        rustc: run_ok(std::process::Command::new("rustc").arg("--version"))?.trim().to_owned(),
        instructions: Counts::new(),
        attacks: adversarial::count(setup)?,
        verified: [(kernel_version(), verified()?)].into(),
    };
    let capture = setup.capture(SESSIONS)?;
    let path = capture.path.to_string_lossy().into_owned();
    for options in LOADS {
        let words = [&["read"], options, &[path.as_str()]].concat();
        let count = callgrind::instructions(setup.agent(), &words, None, setup.folder())?;
        now.instructions.insert(format!("read {}", options.join(" ")).trim_end().to_owned(), count);
    }
    for (load, max) in DETECTORS_MAX {
        let share = share_of_detectors(&now.instructions, load)?;
        println!("{load}: detectors add {:.1} % (at most {:.0} %)", share * 100.0, max * 100.0);
        ensure!(share <= max, "{load}: detectors add {:.1} % of instructions", share * 100.0);
    }
    let growth = growth(setup, &now)?;
    println!(
        "ftpmon read: instructions grow with the input to the power of {growth:.3} (at most {SLOPE_MAX})"
    );
    ensure!(growth <= SLOPE_MAX, "instructions grow faster than the input: to the power of {growth:.3}");
    let mut recorded = Baseline::read()?;
    if bless {
        recorded.verified.append(&mut now.verified);
        Baseline { verified: recorded.verified, ..now }.write()?;
        println!("{BASELINE}: written");
        return Ok(());
    }
    if recorded.rustc != now.rustc {
        println!("note: {} here, {} recorded", now.rustc, recorded.rustc);
    }
    println!("instructions by callgrind, a capture of {SESSIONS} sessions");
    let mut worse = compare(&recorded.instructions, &now.instructions);
    println!("instructions a packet of attacks");
    worse += compare(&recorded.attacks, &now.attacks);
    for (kernel, counts) in &now.verified {
        match recorded.verified.get(kernel) {
            Some(recorded) => {
                println!("instructions that the verifier of kernel {kernel} walks");
                worse += compare(recorded, counts);
            }
            None => println!("the verifier's counts are not compared: none are recorded of kernel {kernel}"),
        }
    }
    ensure!(
        worse == 0,
        "{worse} counts are above {BASELINE} by more than {} %: find out why, or if it is worth it run \
         `cargo xtask bench regression --bless` and commit what it writes",
        TOLERANCE * 100.0
    );
    Ok(())
}

/// The instructions that the detectors of a load add, as a share of those without them.
fn share_of_detectors(counts: &Counts, load: &str) -> Result<f64> {
    let count = |load: &str| counts.get(load).copied().with_context(|| format!("{load} was not counted"));
    let (with, without) = (count(load)?, count("read --detect none")?);
    Ok(with as f64 / without as f64 - 1.0)
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
    fn the_share_of_detectors_is_what_they_add() {
        let counts = |with, without| {
            [("read", with), ("read --detect none", without)].map(|(load, n)| (load.to_owned(), n)).into()
        };
        let share = |with, without| share_of_detectors(&counts(with, without), "read").unwrap();
        assert!((share(110_u64, 100) - 0.10).abs() < 1e-9 && share(100, 100).abs() < 1e-9);
        assert!(share_of_detectors(&Counts::new(), "read").is_err());
    }
}
