//! The names by which the agent finds things in the kernel object. Each is the symbol's name in `ftpmon-ebpf`.

/// XDP, ingress, devices with an Ethernet header.
pub const XDP: &str = "ftpmon_xdp";
/// XDP, ingress, devices without a link-layer header (tun, WireGuard and the like): frames begin with the IP header.
pub const XDP_RAW: &str = "ftpmon_xdp_raw";
/// TC classifier for ingress, devices with an Ethernet header.
pub const TC_INGRESS: &str = "ftpmon_tc_ingress";
/// TC classifier for ingress, devices without a link-layer header.
pub const TC_INGRESS_RAW: &str = "ftpmon_tc_ingress_raw";
/// TC classifier for egress, devices with an Ethernet header.
pub const TC_EGRESS: &str = "ftpmon_tc_egress";
/// TC classifier for egress, devices without a link-layer header.
pub const TC_EGRESS_RAW: &str = "ftpmon_tc_egress_raw";

/// Iterator over the files of all tasks (`iter/task_file`): each TCP socket is written as a [`crate::OpenSocket`].
pub const SOCKETS: &str = "ftpmon_sockets";

/// `Array<u32, PortMark>` of 65,536: the mark of each TCP port.
pub const PORTS: &str = "PORTS";
/// `LruHashMap<Endpoint, Expected>`: announced data connections.
pub const EXPECTED: &str = "EXPECTED";
/// `LruHashMap<PairKey, Pair>`: hosts between which a control connection lives.
pub const PAIRS: &str = "PAIRS";
/// `LruHashMap<Address, u32>`: FTP servers, with the second in which they were last seen as such. Fragments to and from them are
/// copied.
pub const SERVERS: &str = "SERVERS";
/// `HashMap<FlowKey, FlowState>`: tracked data connections. A plain hash: a full table is counted, a live account is
/// never thrown out.
pub const FLOWS: &str = "FLOWS";
/// `Array<FlowKey>` of [`CANDIDATES_MAX`]: the connections of [`FLOWS`] that share a part of it ([`crate::FlowState::SHARED`]), in
/// groups of [`CANDIDATES_GROUP_MAX`]. The key of a connection that is gone is as good as none.
pub const CANDIDATES: &str = "CANDIDATES";
/// `LruHashMap<FlowKey, ControlState>`: control connections.
pub const CONTROL: &str = "CONTROL";
/// `LruHashMap<FlowKey, Verdict>`: the agent's verdict on a connection, control or data.
pub const VERDICTS: &str = "VERDICTS";
/// `LpmTrie<[u8; 20], NetworkRule>`, keys as [`crate::NetworkKey`]: networks whose sessions are watched or left out. IPv4 networks are
/// those below `::ffff:0:0/96`.
pub const NETWORKS: &str = "NETWORKS";
/// `Array<NetworkFilter>` of one entry: the networks of [`NETWORKS`] that are in force.
pub const NETWORK_FILTER: &str = "NETWORK_FILTER";
/// `PerCpuArray<Stats>` of one entry.
pub const STATS: &str = "STATS";
/// `RingBuf` of records, each a [`crate::RecordHeader`] and what its kind says: all of them, or with
/// [`SETTING_PAYLOAD`] those of control connections.
pub const EVENTS: &str = "EVENTS";
/// `RingBuf` of records: with [`SETTING_PAYLOAD`] those of data connections, frames and accounts, so that a flood of files
/// displaces no dialogue. Otherwise unused.
pub const PAYLOAD: &str = "PAYLOAD";

/// Setting, `u8`, 0 or 1, default 0: data connections' frames may be copied at all. At 0 the kernel never copies a byte of
/// a data connection, whatever EXPECTED and VERDICTS say.
pub const SETTING_PAYLOAD: &str = "SETTING_PAYLOAD";
/// Setting, `u8`, 0 or 1, default 1: a SYN between a live pair opens a candidate.
pub const SETTING_CANDIDATES: &str = "SETTING_CANDIDATES";
/// Setting, `u32`, seconds, default 300: a pair lives this long after the last packet of its control connection.
pub const SETTING_PAIR_S: &str = "SETTING_PAIR_S";
/// Setting, `u32`, seconds, default 600: a tracked flow's port stays watched this long after the flow's last packet. A
/// flow that was silent for longer is found again as long as no packet of another connection has used the port since.
pub const SETTING_FLOW_IDLE_S: &str = "SETTING_FLOW_IDLE_S";
/// Setting, `u64`, nanoseconds, default 10 s: a live flow is reported at most this often.
pub const SETTING_REPORT_NS: &str = "SETTING_REPORT_NS";

/// Setting, `u64`, random: which pairs of hosts share a group of [`CANDIDATES`].
pub const SETTING_SEED: &str = "SETTING_SEED";

/// Setting, `u8`, 0 or 1, default 0: rare diagnostics go to aya-log's ring. At 0 the verifier removes their code.
pub const SETTING_LOG: &str = "SETTING_LOG";

/// Setting, [`crate::SocketOffsets`]: the places in the kernel's structures that [`SOCKETS`] reads.
pub const SETTING_SOCKETS: &str = "SETTING_SOCKETS";

/// Lowest listener port of a candidate: below it live the well-known services, no FTP data connection.
pub const CANDIDATE_PORT_MIN: u16 = 1024;
/// Default number of entries of [`EXPECTED`]; the agent may set another before loading.
pub const EXPECTED_MAX: usize = 65_536;
/// Default number of entries of [`PAIRS`].
pub const PAIRS_MAX: usize = 65_536;
/// Number of entries of [`SERVERS`]. An invented one takes a handshake of both ends, or what leaves this host; those that are there
/// are entered again each second.
pub const SERVERS_MAX: usize = 16_384;
/// Default number of entries of [`FLOWS`]: 65,536 for connections that were announced, and the share of the others.
pub const FLOWS_MAX: usize = 65_536 + CANDIDATES_MAX;
/// Number of entries of [`CANDIDATES`].
pub const CANDIDATES_MAX: usize = CANDIDATES_GROUPS * CANDIDATES_GROUP_MAX;
/// Groups of [`CANDIDATES`]; each pair of hosts has one.
pub const CANDIDATES_GROUPS: usize = 4;
/// Entries of a group.
pub const CANDIDATES_GROUP_MAX: usize = 8_192;
/// Default number of entries of [`CONTROL`].
pub const CONTROL_MAX: usize = 131_072;
/// Default number of entries of [`VERDICTS`].
pub const VERDICTS_MAX: usize = 65_536;
/// Networks that the operator may give. Stops a list that fills the kernel's memory, where entries take about 100 bytes.
pub const NETWORKS_MAX: usize = 4_096;
/// Number of entries of [`NETWORKS`]: those in force, those that are to replace them, and of each set the entry of all IPv4.
pub const NETWORKS_ENTRIES: usize = 2 * (NETWORKS_MAX + 1);
/// Default size of [`PAYLOAD`] in bytes: the agent sets a larger one where it is used.
pub const PAYLOAD_BYTES: usize = 4 << 10;
/// Default size of [`EVENTS`] in bytes: a power of two of pages.
pub const EVENTS_BYTES: usize = 16 << 20;
