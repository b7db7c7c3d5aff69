//! Loads the kernel object and runs packets through its programs.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use aya::maps::{Array, HashMap, Map, MapData, PerCpuArray, RingBuf};
use aya::programs::{SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader, TestRun as _, TestRunOptions, VerifierLogLevel};
use ftpmon_common::{
    Address, ControlState, Counter, Endpoint, Expected, FlowEvent, FlowKey, FlowState, Pair, PairKey,
    PortMark, RecordHeader, RecordKind, Stats, Verdict, names,
};

/// True if tests that need root can run. Without root they say so and pass, unless `FTPMON_NO_SKIP=1` forbids it.
///
/// # Panics
/// Without root and with `FTPMON_NO_SKIP=1`.
#[must_use]
#[expect(
    clippy::print_stderr,
    clippy::panic,
    reason = "a test that is skipped says so, and fails where it must not be"
)]
pub fn privileged(test: &str) -> bool {
    let root = std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("CapEff:\t"))?;
            u64::from_str_radix(line.trim(), 16).ok()
        })
        // CAP_NET_ADMIN and CAP_SYS_ADMIN.
        .is_some_and(|effective| effective & (1 << 12) != 0 && effective & (1 << 21) != 0);
    if root {
        return true;
    }
    if std::env::var_os("FTPMON_NO_SKIP").is_some_and(|value| value == "1") {
        panic!("{test} needs root, and FTPMON_NO_SKIP=1 forbids to skip it");
    }
    eprintln!("SKIP {test}: loading kernel programs needs root");
    false
}

/// A program of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hooked {
    /// [`names::XDP`].
    Xdp,
    /// [`names::XDP_RAW`].
    XdpRaw,
    /// [`names::TC_INGRESS`].
    TcIngress,
    /// [`names::TC_INGRESS_RAW`].
    TcIngressRaw,
    /// [`names::TC_EGRESS`].
    TcEgress,
    /// [`names::TC_EGRESS_RAW`].
    TcEgressRaw,
}

impl Hooked {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Xdp, Self::XdpRaw, Self::TcIngress, Self::TcIngressRaw, Self::TcEgress, Self::TcEgressRaw];

    /// The program's name in the object.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xdp => names::XDP,
            Self::XdpRaw => names::XDP_RAW,
            Self::TcIngress => names::TC_INGRESS,
            Self::TcIngressRaw => names::TC_INGRESS_RAW,
            Self::TcEgress => names::TC_EGRESS,
            Self::TcEgressRaw => names::TC_EGRESS_RAW,
        }
    }

    const fn is_xdp(self) -> bool {
        matches!(self, Self::Xdp | Self::XdpRaw)
    }

    /// The verdict that passes every packet on: `XDP_PASS`, `TCX_NEXT`.
    #[must_use]
    pub const fn pass(self) -> u32 {
        if self.is_xdp() { 2 } else { u32::MAX }
    }
}

/// The settings that the object is loaded with.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// [`names::SETTING_PAYLOAD`].
    pub payload: bool,
    /// [`names::SETTING_CANDIDATES`].
    pub candidates: bool,
    /// [`names::SETTING_REPORT_NS`].
    pub report_ns: u64,
    /// Entries of [`names::FLOWS`].
    pub flows: u32,
    /// Bytes of [`names::PAYLOAD`].
    pub payload_ring: u32,
    /// Bytes of [`names::EVENTS`].
    pub ring: u32,
    /// The programs to load: the verifier takes its time for each.
    pub programs: &'static [Hooked],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            payload: false,
            candidates: true,
            report_ns: u64::MAX,
            flows: 64,
            payload_ring: 1 << 22,
            ring: 1 << 22,
            programs: &[Hooked::Xdp, Hooked::TcEgress],
        }
    }
}

/// One record of the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BenchRecord {
    /// A frame, or a part of one.
    Frame(RecordHeader, Vec<u8>),
    /// An account.
    Flow(Box<FlowEvent>),
}

/// The object, loaded with maps of its own.
pub struct Bench {
    object: Ebpf,
    /// The ring's reader.
    ring: RingBuf<MapData>,
    /// That of the ring of data connections.
    payload_ring: RingBuf<MapData>,
}

impl Bench {
    /// Loads the object: `FTPMON_EBPF_OBJECT`, or the committed one. Port 21 is a control port.
    ///
    /// # Errors
    /// When the kernel refuses a map or a program: with the verifier's words.
    pub fn load(settings: Settings) -> Result<Self> {
        let path = std::env::var_os("FTPMON_EBPF_OBJECT").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../ftpmon/ebpf/ftpmon.bpf.o")),
            PathBuf::from,
        );
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut loader = EbpfLoader::new();
        let payload = u8::from(settings.payload);
        let candidates = u8::from(settings.candidates);
        loader
            .verifier_log_level(VerifierLogLevel::STATS)
            .override_global(names::SETTING_PAYLOAD, &payload, true)
            .override_global(names::SETTING_CANDIDATES, &candidates, true)
            .override_global(names::SETTING_REPORT_NS, &settings.report_ns, true)
            .map_max_entries(names::FLOWS, settings.flows)
            .map_max_entries(names::EVENTS, settings.ring)
            .map_max_entries(names::PAYLOAD, settings.payload_ring);
        let mut object = loader.load(&bytes)?;
        for hooked in Hooked::ALL {
            let program =
                object.program_mut(hooked.name()).with_context(|| format!("no {}", hooked.name()))?;
            let loaded = if hooked.is_xdp() {
                <&mut Xdp>::try_from(program)?.load()
            } else {
                <&mut SchedClassifier>::try_from(program)?.load()
            };
            loaded.with_context(|| format!("{} does not load", hooked.name()))?;
        }
        let ring = RingBuf::try_from(object.take_map(names::EVENTS).context("no ring")?)?;
        let payload_ring = RingBuf::try_from(object.take_map(names::PAYLOAD).context("no ring")?)?;
        let mut bench = Self { object, ring, payload_ring };
        bench.mark(21, PortMark::CONTROL)?;
        Ok(bench)
    }

    /// Instructions that the verifier walked for a program.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn verified_instructions(&self, hooked: Hooked) -> Result<u32> {
        let program = self.object.program(hooked.name()).context("no such program")?;
        let info = if hooked.is_xdp() {
            <&Xdp>::try_from(program)?.info()?
        } else {
            <&SchedClassifier>::try_from(program)?.info()?
        };
        info.verified_instruction_count().context("the kernel does not count instructions")
    }

    /// Runs a frame through a program once. The frame must come out as it went in, and pass.
    ///
    /// # Errors
    /// When the frame was changed or not passed on, or the kernel cannot run it.
    pub fn run(&self, hooked: Hooked, frame: &[u8]) -> Result<()> {
        self.run_with(hooked, frame, None)
    }

    /// The same with a context of the kernel's form for this kind of program.
    ///
    /// # Errors
    /// As [`Bench::run`].
    pub fn run_with(&self, hooked: Hooked, frame: &[u8], context: Option<&[u8]>) -> Result<()> {
        let mut out = vec![0; frame.len() + 256];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ctx_in: context,
            ..TestRunOptions::new()
        };
        let program = self.object.program(hooked.name()).context("no such program")?;
        let result = if hooked.is_xdp() {
            <&Xdp>::try_from(program)?.test_run(options)
        } else {
            <&SchedClassifier>::try_from(program)?.test_run(options)
        }
        .with_context(|| format!("{} does not run on {} bytes", hooked.name(), frame.len()))?;
        ensure!(
            result.return_value == hooked.pass(),
            "{} gave verdict {}",
            hooked.name(),
            result.return_value
        );
        ensure!(
            result.data_size_out as usize == frame.len() && out.get(..frame.len()) == Some(frame),
            "{} changed the frame",
            hooked.name()
        );
        Ok(())
    }

    /// The mean time of a program on a frame, over many runs.
    ///
    /// # Errors
    /// When the kernel cannot run it.
    pub fn time(&self, hooked: Hooked, frame: &[u8], repeat: u32) -> Result<Duration> {
        let options = TestRunOptions { data_in: Some(frame), repeat, ..TestRunOptions::new() };
        let program = self.object.program(hooked.name()).context("no such program")?;
        let result = if hooked.is_xdp() {
            <&Xdp>::try_from(program)?.test_run(options)
        } else {
            <&SchedClassifier>::try_from(program)?.test_run(options)
        }?;
        Ok(result.duration)
    }

    /// [`Self::load`] for one test, which says its name where it is skipped: none without root.
    ///
    /// # Panics
    /// Where the object does not load, and as [`privileged`].
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test whose programs do not load fails")]
    pub fn for_test(test: &str, settings: Settings) -> Option<Self> {
        privileged(test).then(|| Self::load(settings).unwrap())
    }

    /// A counter, all CPUs together.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn value(&self, counter: Counter) -> Result<u64> {
        Ok(self.stats()?.value(counter))
    }

    /// The counters, all CPUs together.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        let map: PerCpuArray<_, Stats> =
            PerCpuArray::try_from(self.object.map(names::STATS).context("no counters")?)?;
        let mut sum = Stats::default();
        for cpu in map.get(&0, 0)?.iter() {
            sum.add(cpu);
        }
        Ok(sum)
    }

    /// The counters that are not 0, other than [`Counter::Segments`].
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn counted(&self) -> Result<Vec<(Counter, u64)>> {
        let stats = self.stats()?;
        let counters = Counter::ALL.iter().filter(|counter| **counter != Counter::Segments);
        Ok(counters
            .map(|counter| (*counter, stats.value(*counter)))
            .filter(|(_, value)| *value != 0)
            .collect())
    }

    /// Forgets everything but the settings and the marked ports: counters, connections, records.
    ///
    /// # Errors
    /// When a map cannot be written.
    pub fn forget(&mut self) -> Result<()> {
        let mut map: PerCpuArray<_, Stats> =
            PerCpuArray::try_from(self.object.map_mut(names::STATS).context("no counters")?)?;
        let zeroes = vec![Stats::default(); map.get(&0, 0)?.len()];
        map.set(0, zeroes.try_into()?, 0)?;
        self.empty::<FlowKey, ControlState>(names::CONTROL)?;
        self.empty::<FlowKey, FlowState>(names::FLOWS)?;
        self.empty::<FlowKey, Verdict>(names::VERDICTS)?;
        self.empty::<PairKey, Pair>(names::PAIRS)?;
        self.empty::<Address, u32>(names::SERVERS)?;
        self.empty::<Endpoint, Expected>(names::EXPECTED)?;
        self.records()?;
        Ok(())
    }

    /// Takes a map out, as the agent does.
    ///
    /// # Errors
    /// There is none of this name, or it was taken.
    pub fn take_map(&mut self, name: &str) -> Result<Map> {
        self.object.take_map(name).with_context(|| format!("no {name}"))
    }

    /// Deletes all entries of a hash.
    fn empty<K: aya::Pod, V: aya::Pod>(&mut self, name: &str) -> Result<()> {
        let mut map: HashMap<_, K, V> = HashMap::try_from(self.object.map_mut(name).context("no such map")?)?;
        let keys: Vec<K> = map.keys().collect::<Result<_, _>>()?;
        for key in keys {
            map.remove(&key)?;
        }
        Ok(())
    }

    /// Takes all records out of the rings, those of data connections last where they have one of their own.
    ///
    /// # Errors
    /// When a record has an unknown kind.
    pub fn records(&mut self) -> Result<Vec<BenchRecord>> {
        let mut records = Vec::new();
        for ring in [&mut self.ring, &mut self.payload_ring] {
            while let Some(item) = ring.next() {
                records.push(record(&item)?);
            }
        }
        Ok(records)
    }

    /// Sets a port's mark.
    ///
    /// # Errors
    /// When the map cannot be written.
    pub fn mark(&mut self, port: u16, mark: PortMark) -> Result<()> {
        let mut map: Array<_, PortMark> =
            Array::try_from(self.object.map_mut(names::PORTS).context("no ports")?)?;
        Ok(map.set(u32::from(port), mark, 0)?)
    }

    /// A port's mark.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn marked(&self, port: u16) -> Result<PortMark> {
        let map: Array<_, PortMark> = Array::try_from(self.object.map(names::PORTS).context("no ports")?)?;
        Ok(map.get(&u32::from(port), 0)?)
    }

    /// Announces a data connection, as the agent does.
    ///
    /// # Errors
    /// When a map cannot be written.
    pub fn expect(&mut self, listener: Endpoint, expected: Expected) -> Result<()> {
        let mut map: HashMap<_, Endpoint, Expected> =
            HashMap::try_from(self.object.map_mut(names::EXPECTED).context("no announcements")?)?;
        map.insert(listener, expected, 0)?;
        self.mark(listener.port as u16, PortMark::until(expected.expires_s))
    }

    /// Says what is wanted of a connection.
    ///
    /// # Errors
    /// When the map cannot be written.
    pub fn decide(&mut self, key: FlowKey, verdict: Verdict) -> Result<()> {
        let mut map: HashMap<_, FlowKey, Verdict> =
            HashMap::try_from(self.object.map_mut(names::VERDICTS).context("no verdicts")?)?;
        Ok(map.insert(key, verdict, 0)?)
    }

    /// The account of a connection, where there is one.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn flow(&self, key: FlowKey) -> Result<Option<FlowState>> {
        let map: HashMap<_, FlowKey, FlowState> =
            HashMap::try_from(self.object.map(names::FLOWS).context("no flows")?)?;
        match map.get(&key, 0) {
            Ok(state) => Ok(Some(state)),
            Err(aya::maps::MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A live pair of hosts is known.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn is_pair(&self, key: PairKey) -> Result<bool> {
        let map: HashMap<_, PairKey, Pair> =
            HashMap::try_from(self.object.map(names::PAIRS).context("no pairs")?)?;
        Ok(map.get(&key, 0).is_ok())
    }
}

fn record(item: &[u8]) -> Result<BenchRecord> {
    let header: RecordHeader = read(item)?;
    let body = item.get(size_of::<RecordHeader>()..).unwrap_or_default();
    Ok(match RecordKind::from_raw(header.kind) {
        Some(RecordKind::Flow) => BenchRecord::Flow(Box::new(read(item)?)),
        Some(RecordKind::Control | RecordKind::Data | RecordKind::Beginning | RecordKind::Fragment) => {
            let bytes = body.get(..header.chunk_len as usize).context("a record shorter than it says")?;
            BenchRecord::Frame(header, bytes.to_vec())
        }
        None => bail!("a record of kind {}", header.kind),
    })
}

/// A value at the beginning of a record.
fn read<T: aya::Pod>(bytes: &[u8]) -> Result<T> {
    ensure!(bytes.len() >= size_of::<T>(), "a record of {} bytes", bytes.len());
    // SAFETY: as many bytes as the type has, and any bytes are a value of a `Pod`.
    Ok(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// `CLOCK_BOOTTIME` in seconds, as the kernel programs read it.
///
/// # Errors
/// When `/proc/uptime` cannot be read.
pub fn boot_seconds() -> Result<u32> {
    let text = std::fs::read_to_string("/proc/uptime")?;
    let seconds = text.split('.').next().and_then(|seconds| seconds.parse().ok());
    seconds.context("/proc/uptime has no number")
}
