//! The kernel object: loading it, and the maps it brings.

use aya::maps::{HashMap, Map, MapData};
use aya::programs::{Iter, Program, ProgramError, SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader};
use ftpmon_common::{Endpoint, Expected, FlowKey, FlowState, SocketOffsets, Verdict, names};
use tracing::{error, warn};

use super::cause::explained;
use super::cpu_stats::CpuStats;
use super::error::KernelError;
use super::log::{self, Log};
use super::networks::NetworkRules;
use super::open_sockets::OpenSockets;
use super::pins::{MAPS, Pins};
use super::ports::Ports;
use super::type_info::TypeInfo;
use super::verifier;
use crate::diagnostics::LogLevel;

/// The kernel programs as `cargo xtask ebpf` built them.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/ebpf/ftpmon.bpf.o"));

/// Entries beyond those that are used: free ones of the CPUs, and announcements that end as others begin.
const EXPECTED_SPARE: usize = 16_384;

/// Settings that are fixed when the object is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectOptions {
    /// Bytes of the ring, a power of two.
    pub ring_bytes: u32,
    /// Frames of data connections may be copied (`--files`), into a ring of their own of this size, a power of two.
    pub payload_bytes: Option<u32>,
    /// Announcements that the agent may have at a time.
    pub announcements: usize,
    /// Highest level of the kernel programs' own log; none switches it off. With one, the verifier's whole log of a program that it
    /// refuses is shown as well.
    pub log: Option<LogLevel>,
    /// The sockets that processes have open can be asked for.
    pub open_sockets: bool,
}

/// Entries of [`names::EXPECTED`] for so many announcements. The agent's tables keep what a pair of hosts takes of them within its
/// share; the kernel's has room for all of these, and for those that each CPU's list of free entries holds, so that it never evicts
/// an announcement that a session still has.
pub fn expected_entries(announcements: usize) -> u32 {
    u32::try_from(announcements.saturating_add(EXPECTED_SPARE)).unwrap_or(u32::MAX)
}

/// The loaded object.
pub struct Object {
    ebpf: Ebpf,
    /// The verifier's log of a program that it refuses is shown in full.
    verbose: bool,
    /// The places of the kernel's structures were set.
    knows_places: bool,
}

/// The maps that the agent reads and writes.
pub struct Maps {
    /// [`names::PORTS`].
    pub ports: Ports,
    /// [`names::EXPECTED`].
    pub expected: HashMap<MapData, Endpoint, Expected>,
    /// [`names::VERDICTS`].
    pub verdicts: HashMap<MapData, FlowKey, Verdict>,
    /// [`names::FLOWS`].
    pub flows: HashMap<MapData, FlowKey, FlowState>,
    /// [`names::NETWORKS`].
    pub networks: NetworkRules,
    /// [`names::STATS`].
    pub stats: CpuStats,
    /// [`names::EVENTS`].
    pub events: MapData,
    /// [`names::PAYLOAD`], where it is used.
    pub payload: Option<MapData>,
}

impl Object {
    /// Loads the object and gives its maps: those that are pinned, or new ones that are pinned then. No program runs before it is
    /// attached.
    ///
    /// # Errors
    /// The kernel refuses a map, or the object lacks one.
    pub fn load(options: ObjectOptions, pins: Option<&Pins>) -> Result<(Self, Maps), KernelError> {
        let payload = u8::from(options.payload_bytes.is_some());
        let payload_bytes = options.payload_bytes.unwrap_or(names::PAYLOAD_BYTES as u32);
        let (log, level) = (u8::from(options.log.is_some()), options.log.map_or(0, log::raw));
        let seed = getrandom::u64().map_err(|e| KernelError::Load {
            what: "its settings",
            cause: format!("no random number: {e}"),
        })?;
        // Without type information the program that reads these places is not loaded.
        let places = if options.open_sockets { socket_places() } else { None };
        let mut loader = EbpfLoader::new();
        if let Some(pins) = pins {
            pins.check_size(names::EVENTS, options.ring_bytes)?;
            pins.check_size(names::PAYLOAD, payload_bytes)?;
            MAPS.iter().for_each(|&name| {
                loader.map_pin_path(name, pins.map(name));
            });
        }
        let socket_places = places.unwrap_or_default();
        let mut ebpf = loader
            // The programs read packets and no kernel structure: no kernel type information is needed.
            .btf(None)
            .map_max_entries(names::EVENTS, options.ring_bytes)
            .map_max_entries(names::PAYLOAD, payload_bytes)
            .map_max_entries(names::EXPECTED, expected_entries(options.announcements))
            .override_global(names::SETTING_PAYLOAD, &payload, true)
            .override_global(names::SETTING_SEED, &seed, true)
            .override_global(names::SETTING_LOG, &log, true)
            .override_global(names::SETTING_SOCKETS, &socket_places, true)
            .override_global(aya_log::LEVEL, &level, false)
            .load(OBJECT)
            .map_err(|e| KernelError::Load { what: "its maps", cause: explained(&e) })?;
        let ports = match ebpf.map(names::PORTS) {
            Some(Map::Array(ports)) => Ports::new(ports)?,
            _ => return Err(KernelError::NotInObject(names::PORTS)),
        };
        let maps = Maps {
            ports,
            expected: map(&mut ebpf, names::EXPECTED)?,
            verdicts: map(&mut ebpf, names::VERDICTS)?,
            flows: map(&mut ebpf, names::FLOWS)?,
            networks: NetworkRules::new(
                map(&mut ebpf, names::NETWORKS)?,
                map(&mut ebpf, names::NETWORK_FILTER)?,
            ),
            stats: stats(&mut ebpf)?,
            events: ring(&mut ebpf, names::EVENTS)?,
            payload: options.payload_bytes.map(|_| ring(&mut ebpf, names::PAYLOAD)).transpose()?,
        };
        let knows_places = places.is_some();
        Ok((Self { ebpf, verbose: options.log.is_some(), knows_places }, maps))
    }

    /// The sockets that processes have open. None where the kernel's type information does not say where it keeps them.
    ///
    /// # Errors
    /// The verifier refuses the program, or the kernel has no such iterator.
    pub fn open_sockets(&mut self) -> Result<Option<OpenSockets>, KernelError> {
        if !self.knows_places {
            return Ok(None);
        }
        let name = names::SOCKETS;
        let program: &mut Iter =
            self.program(name)?.try_into().map_err(|_wrong_type| KernelError::NotInObject(name))?;
        OpenSockets::start(program).map(Some)
    }

    /// An XDP program, loaded into the kernel when it is first asked for.
    ///
    /// # Errors
    /// The verifier refuses it.
    pub(super) fn xdp(&mut self, name: &'static str) -> Result<&mut Xdp, KernelError> {
        let verbose = self.verbose;
        let program: &mut Xdp =
            self.program(name)?.try_into().map_err(|_wrong_type| KernelError::NotInObject(name))?;
        if program.fd().is_err() {
            program.load().map_err(|e| refused(name, &e, verbose))?;
        }
        Ok(program)
    }

    /// A TC program, loaded into the kernel when it is first asked for.
    ///
    /// # Errors
    /// The verifier refuses it.
    pub(super) fn classifier(&mut self, name: &'static str) -> Result<&mut SchedClassifier, KernelError> {
        let verbose = self.verbose;
        let program: &mut SchedClassifier =
            self.program(name)?.try_into().map_err(|_wrong_type| KernelError::NotInObject(name))?;
        if program.fd().is_err() {
            program.load().map_err(|e| refused(name, &e, verbose))?;
        }
        Ok(program)
    }

    /// The programs' own log.
    ///
    /// # Errors
    /// The object holds no log statement.
    pub fn take_log(&mut self) -> Result<Log, KernelError> {
        Log::take(&mut self.ebpf)
    }

    fn program(&mut self, name: &'static str) -> Result<&mut Program, KernelError> {
        self.ebpf.program_mut(name).ok_or(KernelError::NotInObject(name))
    }
}

/// The places of what is told of sockets; none where the kernel does not tell them, which is said.
fn socket_places() -> Option<SocketOffsets> {
    let info = TypeInfo::of_kernel().ok()?;
    let places = info.sockets();
    if let Err(field) = places {
        warn!("this kernel has no field {field}: owners of connections are looked for in /proc");
    }
    places.ok()
}

fn map<M: TryFrom<Map>>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, KernelError> {
    let map = ebpf.take_map(name).ok_or(KernelError::NotInObject(name))?;
    M::try_from(map).map_err(|_wrong_type| KernelError::NotInObject(name))
}

fn stats(ebpf: &mut Ebpf) -> Result<CpuStats, KernelError> {
    match ebpf.take_map(names::STATS) {
        Some(Map::PerCpuArray(map)) => {
            CpuStats::new(map).map_err(|e| KernelError::Load { what: "its counters", cause: e.to_string() })
        }
        _ => Err(KernelError::NotInObject(names::STATS)),
    }
}

fn ring(ebpf: &mut Ebpf, name: &'static str) -> Result<MapData, KernelError> {
    match ebpf.take_map(name) {
        Some(Map::RingBuf(ring)) => Ok(ring),
        _ => Err(KernelError::NotInObject(name)),
    }
}

fn refused(what: &'static str, error: &ProgramError, verbose: bool) -> KernelError {
    let cause = match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            if verbose {
                log.lines().for_each(|line| error!("verifier: {line}"));
            }
            match verifier::reason(&log) {
                Some(reason) => format!("{io_error}: {reason}"),
                None => explained(io_error),
            }
        }
        other => explained(other),
    };
    KernelError::Load { what, cause }
}
