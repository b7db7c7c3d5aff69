//! Maps and settings. [`ftpmon_common::names`] documents them.

use aya_ebpf::Global;
use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::btf_maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, RingBuf};
use aya_ebpf::macros::btf_map;
use ftpmon_common::names::{
    CANDIDATES_MAX, CONTROL_MAX, EVENTS_BYTES, EXPECTED_MAX, FLOWS_MAX, NETWORKS_ENTRIES, PAIRS_MAX,
    PAYLOAD_BYTES, SERVERS_MAX, VERDICTS_MAX,
};
use ftpmon_common::{
    Address, ControlState, Endpoint, Expected, FlowKey, FlowState, NetworkFilter, NetworkRule, Pair, PairKey,
    PortMark, RecordHeader, Stats, Verdict,
};

use crate::segment::Scratch;

#[btf_map]
pub(crate) static PORTS: Array<PortMark, 65_536, { BPF_F_MMAPABLE as usize }> = Array::new();
#[btf_map]
pub(crate) static EXPECTED: LruHashMap<Endpoint, Expected, EXPECTED_MAX> = LruHashMap::new();
#[btf_map]
pub(crate) static PAIRS: LruHashMap<PairKey, Pair, PAIRS_MAX> = LruHashMap::new();
#[btf_map]
pub(crate) static SERVERS: LruHashMap<Address, u32, SERVERS_MAX> = LruHashMap::new();
#[btf_map]
pub(crate) static FLOWS: HashMap<FlowKey, FlowState, FLOWS_MAX> = HashMap::new();
#[btf_map]
pub(crate) static CANDIDATES: Array<FlowKey, CANDIDATES_MAX> = Array::new();
#[btf_map]
pub(crate) static CONTROL: LruHashMap<FlowKey, ControlState, CONTROL_MAX> = LruHashMap::new();
#[btf_map]
pub(crate) static VERDICTS: LruHashMap<FlowKey, Verdict, VERDICTS_MAX> = LruHashMap::new();
/// Keys are those of [`ftpmon_common::NetworkKey`], behind the number of bits.
#[btf_map]
pub(crate) static NETWORKS: LpmTrie<[u8; 20], NetworkRule, NETWORKS_ENTRIES> = LpmTrie::new();
#[btf_map]
pub(crate) static NETWORK_FILTER: Array<NetworkFilter, 1> = Array::new();
#[btf_map]
pub(crate) static STATS: PerCpuArray<Stats, 1> = PerCpuArray::new();
/// Working memory of each CPU.
#[btf_map]
pub(crate) static SCRATCH: PerCpuArray<Scratch, 1> = PerCpuArray::new();
#[btf_map]
pub(crate) static EVENTS: RingBuf<RecordHeader, EVENTS_BYTES> = RingBuf::new();
#[btf_map]
pub(crate) static PAYLOAD: RingBuf<RecordHeader, PAYLOAD_BYTES> = RingBuf::new();

#[unsafe(no_mangle)]
pub(crate) static SETTING_PAYLOAD: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub(crate) static SETTING_CANDIDATES: Global<u8> = Global::new(1);
#[unsafe(no_mangle)]
pub(crate) static SETTING_SEED: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
pub(crate) static SETTING_LOG: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub(crate) static SETTING_PAIR_S: Global<u32> = Global::new(300);
#[unsafe(no_mangle)]
pub(crate) static SETTING_FLOW_IDLE_S: Global<u32> = Global::new(600);
#[unsafe(no_mangle)]
pub(crate) static SETTING_REPORT_NS: Global<u64> = Global::new(10_000_000_000);

/// The mark of a TCP port.
#[inline(always)]
pub(crate) fn port_mark(port: u16) -> PortMark {
    match PORTS.get_ptr(u32::from(port)) {
        // SAFETY: a map's value, one word.
        Some(mark) => unsafe { mark.read() },
        None => PortMark::default(),
    }
}
