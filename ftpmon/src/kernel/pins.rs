//! Maps and links pinned in a BPF file system (`--pin`): the programs stay attached and keep counting between one agent and the
//! next.
//!
//! Everything lies in a folder named after the layout ([`ABI_VERSION`]), so that an agent never opens the maps of another
//! layout. Pins are removed by `ftpmon detach`, and with them the programs.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use aya::maps::MapData;
use aya::programs::links::{FdLink, PinnedLink};
use ftpmon_common::{ABI_VERSION, names};

use super::cause::root_cause;
use super::error::KernelError;
use super::version::{KernelVersion, running_release};

/// The maps that outlive an agent. The others are working memory.
pub(super) const MAPS: [&str; 13] = [
    names::PORTS,
    names::EXPECTED,
    names::PAIRS,
    names::SERVERS,
    names::FLOWS,
    names::CANDIDATES,
    names::CONTROL,
    names::VERDICTS,
    names::NETWORKS,
    names::NETWORK_FILTER,
    names::STATS,
    names::EVENTS,
    names::PAYLOAD,
];
/// `BPF_FS_MAGIC` of linux/magic.h.
const BPF_FS: i64 = 0xcafe_4a11;

/// The pins of this layout below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    folder: PathBuf,
}

impl Pins {
    /// The pins below `folder`, which is made where it is not there. What another layout left there is removed.
    ///
    /// # Errors
    /// It is not in a BPF file system, or cannot be made, or the kernel attaches TC programs by clsact, whose filters cannot be
    /// pinned.
    pub fn open(folder: &Path, kernel: KernelVersion) -> Result<Self, KernelError> {
        let error = |cause: String| KernelError::Pin { path: folder.display().to_string(), cause };
        if !kernel.has_tcx() {
            return Err(error(format!(
                "kernel {kernel} has no TCX, which pinned programs need (6.6 has); leave out --pin"
            )));
        }
        let pins = Self { folder: folder.join(format!("v{ABI_VERSION}")) };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&pins.folder)
            .map_err(|e| error(e.to_string()))?;
        if !is_bpf_file_system(&pins.folder) {
            let _ = fs::remove_dir(&pins.folder);
            let cause = "it is not in a BPF file system; give a folder below /sys/fs/bpf (mount -t bpf bpf /sys/fs/bpf)";
            return Err(error(cause.to_owned()));
        }
        for other in entries(folder).into_iter().filter(|other| *other != pins.folder) {
            remove(&other).map_err(|e| error(e.to_string()))?;
        }
        Ok(pins)
    }

    /// The directory of this layout's pins.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of a map.
    pub(super) fn map(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// An agent pinned all maps here.
    pub fn are_there(&self) -> bool {
        MAPS.iter().all(|name| self.map(name).exists())
    }

    /// Checks that a pinned map, where there is one, has this many entries or bytes.
    ///
    /// # Errors
    /// It has others.
    pub(super) fn check_size(&self, name: &'static str, entries: u32) -> Result<(), KernelError> {
        let path = self.map(name);
        if !path.exists() {
            return Ok(());
        }
        let error = |cause: String| KernelError::Pin { path: path.display().to_string(), cause };
        let map = MapData::from_pin(&path).map_err(|e| error(root_cause(&e)))?;
        let pinned = map.info().map_err(|e| error(root_cause(&e)))?.max_entries();
        if pinned == entries {
            return Ok(());
        }
        Err(error(format!(
            "it was made with size {pinned} and {entries} is asked for; give the size it has, or remove everything with \
             `ftpmon detach`"
        )))
    }

    /// The pinned link of an interface by its name here, where there is one.
    pub(super) fn link(&self, name: &str) -> Option<FdLink> {
        PinnedLink::from_pin(self.folder.join(name)).ok().map(FdLink::from)
    }

    /// Pins a link.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub(super) fn pin(&self, link: FdLink, name: &str) -> Result<FdLink, KernelError> {
        let path = self.folder.join(name);
        let _ = fs::remove_file(&path);
        let cause = |e| KernelError::Pin { path: path.display().to_string(), cause: root_cause(&e) };
        link.pin(&path).map(FdLink::from).map_err(cause)
    }

    /// Removes a pinned link by its name; the program is detached with the last descriptor of it.
    pub(super) fn unpin(&self, name: &str) {
        let _ = fs::remove_file(self.folder.join(name));
    }

    /// Removes the links of all interfaces but those in `watched`.
    pub(super) fn retain_links(&self, watched: impl Fn(u32) -> bool) {
        for path in entries(&self.folder) {
            let ifindex = path.file_name().and_then(|name| name.to_str()?.split_once('-')?.0.parse().ok());
            if ifindex.is_some_and(|ifindex| !watched(ifindex)) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// The folder is in a BPF file system.
pub fn is_bpf_file_system(folder: &Path) -> bool {
    rustix::fs::statfs(folder).is_ok_and(|facts| facts.f_type == BPF_FS)
}

/// The running kernel has what pins need.
pub fn kernel_has_pins() -> bool {
    KernelVersion::parse(&running_release()).is_some_and(KernelVersion::has_tcx)
}

/// Removes everything that agents pinned below `folder`, of every layout, which detaches their programs. Returns how many pins
/// there were.
///
/// # Errors
/// Something cannot be removed.
pub(super) fn remove_all(folder: &Path) -> Result<usize, KernelError> {
    let error = |e: io::Error| KernelError::Pin { path: folder.display().to_string(), cause: e.to_string() };
    let mut count = 0;
    for layout in entries(folder) {
        count += remove(&layout).map_err(error)?;
    }
    match fs::remove_dir(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(error(e)),
        _ => Ok(count),
    }
}

/// Removes the folder of a layout. Nothing but what its name says can be in it.
fn remove(layout: &Path) -> io::Result<usize> {
    let is_layout =
        layout.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('v'));
    if !is_layout {
        return Ok(0);
    }
    let pins = entries(layout);
    pins.iter().try_for_each(fs::remove_file)?;
    fs::remove_dir(layout)?;
    Ok(pins.len())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
