//! C programs of the same job, compiled here: what the kernel programs' times are compared with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aya::maps::{Array, MapData, RingBuf};
use aya::programs::{SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader, TestRun as _, TestRunOptions};

use crate::machine;
use crate::process::run_ok;

/// The folder of the kernel's headers for this machine on Debian and its derivatives.
const HEADERS: [&str; 3] =
    ["/usr/include/x86_64-linux-gnu", "/usr/include/aarch64-linux-gnu", "/usr/include/riscv64-linux-gnu"];

/// A C program of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Finds the segment, looks both ports up in an array.
    XdpSelect,
    /// The same at TC.
    TcSelect,
    /// Counts the packet in a per-CPU array besides.
    XdpCount,
    /// The same at TC.
    TcCount,
    /// Then looks up the connection and copies the frame into a ring.
    XdpRing,
    /// The same at TC.
    TcRing,
}

impl Job {
    const ALL: [Self; 6] =
        [Self::XdpSelect, Self::TcSelect, Self::XdpCount, Self::TcCount, Self::XdpRing, Self::TcRing];

    const fn name(self) -> &'static str {
        match self {
            Self::XdpSelect => "xdp_select",
            Self::TcSelect => "tc_select",
            Self::XdpCount => "xdp_count",
            Self::TcCount => "tc_count",
            Self::XdpRing => "xdp_ring",
            Self::TcRing => "tc_ring",
        }
    }

    const fn is_xdp(self) -> bool {
        matches!(self, Self::XdpSelect | Self::XdpCount | Self::XdpRing)
    }
}

/// The reference, loaded.
pub struct Reference {
    object: Ebpf,
    ring: RingBuf<MapData>,
}

impl Reference {
    /// Compiles the programs below `folder` with clang and loads them. Port 21 is watched.
    ///
    /// # Errors
    /// There is no clang, or the kernel refused a program.
    pub fn load(folder: &Path) -> Result<Self> {
        let object = compile(folder)?;
        let bytes = std::fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
        let mut object = EbpfLoader::new().load(&bytes)?;
        for job in Job::ALL {
            let program = object.program_mut(job.name()).with_context(|| format!("no {}", job.name()))?;
            let loaded = if job.is_xdp() {
                <&mut Xdp>::try_from(program)?.load()
            } else {
                <&mut SchedClassifier>::try_from(program)?.load()
            };
            loaded.with_context(|| format!("{} does not load", job.name()))?;
        }
        let mut ports: Array<_, u32> = Array::try_from(object.map_mut("ports").context("no ports")?)?;
        ports.set(21, 1, 0)?;
        let ring = RingBuf::try_from(object.take_map("events").context("no ring")?)?;
        Ok(Self { object, ring })
    }

    /// Throws away what is in the ring.
    pub fn empty_ring(&mut self) {
        while self.ring.next().is_some() {}
    }

    /// The mean time of a program on a frame, over many runs.
    ///
    /// # Errors
    /// When the kernel cannot run it.
    pub fn time(&self, job: Job, frame: &[u8], repeat: u32) -> Result<Duration> {
        let options = TestRunOptions { data_in: Some(frame), repeat, ..TestRunOptions::new() };
        let program = self.object.program(job.name()).context("no such program")?;
        let result = if job.is_xdp() {
            <&Xdp>::try_from(program)?.test_run(options)
        } else {
            <&SchedClassifier>::try_from(program)?.test_run(options)
        }?;
        Ok(result.duration)
    }
}

fn compile(folder: &Path) -> Result<PathBuf> {
    let clang = machine::find("clang").context("clang is not installed")?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernel/reference.bpf.c");
    let object = folder.join("reference.bpf.o");
    let mut command = Command::new(clang);
    command.args(["-O2", "-g", "-target", "bpf", "-c"]);
    for headers in HEADERS.iter().filter(|folder| Path::new(folder).is_dir()) {
        command.arg("-I").arg(headers);
    }
    run_ok(command.arg(source).arg("-o").arg(&object))?;
    Ok(object)
}
