//! `cargo xtask test --only kernels`: Debian's kernels, booted under emulation, with every program under every hook.
//!
//! | file | content |
//! |---|---|
//! | `image` | the kernels as packages |
//! | `machine` | the emulated machine and its files |
//! | `report` | what a machine reported |
//! | `table` | the table of `docs/kernels.md` |

mod image;
mod machine;
mod report;
mod table;

use std::path::PathBuf;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::baseline::{Baseline, compare};
use crate::workspace::{cargo, root};
use image::Image;
use machine::Programs;
use report::Report;

/// Kernels that are tried when none is asked for.
const SERIES: [&str; 2] = ["6.1", "6.12"];

/// The kernels to be tried.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Series of kernels, as `6.1`; none: the usual ones.
    pub(crate) series: Vec<String>,
    /// Records the verifier's counts and, of the usual kernels, writes the table, in place of comparing them.
    pub(crate) bless: bool,
    /// The agent.
    pub(crate) agent: PathBuf,
}

/// The number of trials, and the number of failures among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// The reason why this machine cannot boot kernels.
pub(crate) fn missing(install: bool) -> Result<()> {
    ensure!(cfg!(target_arch = "x86_64"), "the kernels are those of x86_64");
    image::provide_tools(install)
}

/// Boots each kernel and says what came of it.
pub(crate) fn run(options: &Options) -> Result<Tried> {
    let series =
        if options.series.is_empty() { SERIES.map(str::to_owned).to_vec() } else { options.series.clone() };
    let programs = Programs {
        guest: build_guest()?,
        agent: options.agent.clone(),
        object: root()?.join("ftpmon/ebpf/ftpmon.bpf.o"),
    };
    let images = series.iter().map(|series| Image::provide(series)).collect::<Result<Vec<_>>>()?;
    // Side by side: each has one processor.
    let reports = thread::scope(|scope| {
        let machines: Vec<_> =
            images.iter().map(|image| scope.spawn(|| machine::boot(image, &programs))).collect();
        let report = |machine: thread::ScopedJoinHandle<'_, Result<Report>>| {
            machine.join().unwrap_or_else(|_| Err(anyhow!("the thread of a machine panicked")))
        };
        machines.into_iter().map(report).collect::<Vec<_>>()
    });
    let mut baseline = Baseline::read()?;
    let (mut tried, mut booted) = (Tried::default(), Vec::new());
    for (series, report) in series.into_iter().zip(reports) {
        match report {
            Ok(report) => {
                tell(&series, &report, &mut tried);
                if options.bless {
                    baseline.verified.insert(series.clone(), report.verified.clone());
                }
                let recorded = baseline.verified.get(&series).cloned().unwrap_or_default();
                let worse = compare(&recorded, &report.verified);
                if worse > 0 {
                    println!(
                        "{worse} counts are above the baseline: find out why, or if it is worth it add --bless"
                    );
                }
                tried.failed += worse as u64;
                tried.passed += (report.verified.len() as u64).saturating_sub(worse as u64);
                booted.push((series, report));
            }
            Err(error) => {
                println!("kernel {series}: {error:#}");
                tried.failed += 1;
            }
        }
    }
    let usual = options.series.is_empty();
    if options.bless && tried.failed == 0 {
        baseline.write()?;
        if usual {
            table::write(&booted)?;
        }
    } else if usual && tried.failed == 0 && !table::is_current(&booted)? {
        println!(
            "docs/kernels.md does not have these results: run `cargo xtask test --only kernels --bless`"
        );
        tried.failed += 1;
    }
    Ok(tried)
}

fn tell(series: &str, report: &Report, tried: &mut Tried) {
    println!("kernel {series} ({})", report.release);
    for row in &report.rows {
        println!("  {:<28} {:<6} {:<8} {}", row.what[0], row.what[1], row.what[2], row.text());
        if row.is_exact() {
            tried.passed += 1;
        } else {
            tried.failed += 1;
        }
    }
}

/// Builds the machines' first process.
fn build_guest() -> Result<PathBuf> {
    let status = cargo()?
        .args(["build", "--package", "ftpmon-tests", "--bin", "kernel_guest"])
        .status()
        .context("cargo")?;
    ensure!(status.success(), "the machines' first process does not build");
    Ok(ftpmon_tests::machine::target()?.join("debug/kernel_guest"))
}
