//! The kernel programs' counters: one for each outcome of a packet or a record.

use crate::layout::no_padding;

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal $($loss:ident)?,)+) => {
        /// A counter; its number is its index in [`Stats`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Counter {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Counter {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name in the `stats` event. Stable.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// It counts lost records of data connections: no control connection lacks anything.
            pub const fn is_of_data(self) -> bool {
                matches!(self, Self::LostData | Self::LostDataContinuation | Self::LostReport)
            }

            /// It counts connections that nothing is known of: there may have been a data connection where none was seen.
            pub const fn hides_connections(self) -> bool {
                matches!(self, Self::LostFlow | Self::TablePairs | Self::CandidatesRefused)
            }

            /// It counts frames of control connections, or parts of them: a dialogue may lack something.
            pub const fn is_of_control(self) -> bool {
                self.is_loss() && !self.is_of_data() && !self.hides_connections() && !matches!(self, Self::LostHalfOpen)
            }

            /// It counts FTP packets or records, or possible ones, that did not reach the agent whole.
            pub const fn is_loss(self) -> bool {
                match self { $(Self::$variant => counters!(@loss $($loss)?),)+ }
            }
        }
    };
    (@loss loss) => { true };
    (@loss) => { false };
}

counters! {
    /// TCP segments.
    Segments = "tcp_segments",
    /// Of another network protocol than IPv4 and IPv6.
    NotIp = "not_ip",
    /// IP, but not TCP.
    NotTcp = "not_tcp",
    /// The frame ends within its Ethernet header.
    EthernetTruncated = "ethernet_truncated",
    /// The frame ends within a VLAN tag.
    VlanTruncated = "vlan_truncated",
    /// More than two VLAN tags in the frame's bytes.
    VlanTooDeep = "vlan_too_deep" loss,
    /// The frame ends within its IPv4 header.
    Ipv4Truncated = "ipv4_truncated",
    /// An IPv4 header that contradicts itself: version, header length; total length, of a packet that was selected.
    Ipv4Malformed = "ipv4_malformed",
    /// The frame ends within its IPv6 header.
    Ipv6Truncated = "ipv6_truncated",
    /// An IPv6 header that contradicts itself: version; payload length, of a packet that was selected.
    Ipv6Malformed = "ipv6_malformed",
    /// The frame ends within an IPv6 extension header.
    Ipv6ExtensionTruncated = "ipv6_extension_truncated",
    /// More IPv6 extension headers than are followed.
    Ipv6ChainTooLong = "ipv6_chain_too_long",
    /// First fragment of an IP packet that carries TCP, or over IPv6 may carry it.
    FragmentFirst = "fragment_first",
    /// Later fragment of an IP packet that carries TCP, or over IPv6 may carry it.
    FragmentLater = "fragment_later",
    /// Of these three, packets to or from an FTP server that went to the ring.
    Fragments = "fragments_copied",
    /// Of these three, packets to or from an FTP server that did not: their hosts had sent too many, or the ring was half full.
    LostFragments = "lost_fragments" loss,
    /// The packet ends within its TCP header.
    TcpTruncated = "tcp_truncated",
    /// A TCP header that contradicts itself: its length is below 20 or beyond the IP packet. Of packets that were selected.
    TcpMalformed = "tcp_malformed",
    /// Packets of control connections.
    Control = "control_packets",
    /// Frames of control connections that went to the ring.
    ControlFrames = "control_frames",
    /// Packets of control connections without payload, SYN, FIN or RST: counted, not copied.
    ControlAcks = "control_acks",
    /// Packets of control connections that were only counted, by the agent's verdict (after TLS began).
    ControlCounted = "control_counted",
    /// Packets at control ports that are not FTP, by the agent's verdict.
    ControlIgnored = "control_ignored",
    /// Packets of control connections that another vantage point had seen before.
    ControlDuplicates = "control_duplicates",
    /// Control connections that the networks of the operator leave out.
    DeniedConnections = "denied_connections",
    /// Packets of such connections, and fragments between such hosts.
    DeniedPackets = "denied_packets",
    /// Pairs of hosts entered or refreshed.
    Pairs = "pairs",
    /// Packets of tracked data connections.
    Data = "data_packets",
    /// Frames of data connections that went to the ring.
    DataFrames = "data_frames",
    /// Beginnings of data connections' directions that went to the ring.
    DataBeginnings = "data_heads",
    /// Packets of data connections that another vantage point had seen before.
    DataDuplicates = "data_duplicates",
    /// Packets of data connections with a sequence number far from the connection's: not accounted.
    DataOutOfWindow = "data_out_of_window",
    /// Data connections opened at an expected endpoint.
    FlowsExpected = "flows_expected",
    /// Candidates opened between a pair of hosts.
    FlowsCandidate = "flows_candidate",
    /// Candidates and further connections to announced endpoints that gave way to another before they were established.
    CandidatesReplaced = "candidates_replaced",
    /// SYNs between a pair of hosts, or to an endpoint that had its connection, that found the pair's share of
    /// [`crate::names::FLOWS`] taken: such a connection is tracked from its SYN-ACK.
    CandidatesRefused = "candidates_refused",
    /// Data connections picked up at an expected endpoint after their SYN.
    FlowsMidstream = "flows_midstream",
    /// Data connections whose ends were used again for another.
    FlowsReused = "flows_reused",
    /// Data connections that closed.
    FlowsClosed = "flows_closed",
    /// Accounts that went to the ring.
    FlowReports = "flow_reports",
    /// No room in the ring for a frame of a control connection.
    LostControl = "lost_ring_control" loss,
    /// The ring was half full, and the frame's control connection had used up its share of it.
    LostLoud = "lost_loud_control" loss,
    /// The ring was half full, and of the frame's control connection nothing was seen of the other end.
    LostHalfOpen = "lost_half_open_control" loss,
    /// No room in the ring for a further part of a control connection's frame: its beginning was delivered.
    LostContinuation = "lost_ring_continuation" loss,
    /// No room in the ring for a frame of a data connection.
    LostData = "lost_ring_data" loss,
    /// No room in the ring for a further part of a data connection's frame: its beginning was delivered.
    LostDataContinuation = "lost_ring_data_continuation" loss,
    /// No room in the ring for an account.
    LostReport = "lost_ring_flow" loss,
    /// No room in [`crate::names::FLOWS`]: a data connection goes untracked.
    LostFlow = "lost_table_flows" loss,
    /// [`crate::names::CONTROL`] took no entry: the packet is delivered all the same.
    TableControl = "table_control",
    /// [`crate::names::PAIRS`] took no entry: candidates between the hosts go unseen.
    TablePairs = "lost_table_pairs" loss,
    /// The kernel refused to hand over a frame's bytes.
    CopyFailed = "lost_copy" loss,
    /// A frame longer than [`crate::FRAME_MAX`]: only so much was delivered.
    FrameCut = "lost_frame_cut" loss,
}

/// The number of counters.
pub const COUNTERS: usize = Counter::ALL.len();

/// One CPU's counters, since the programs were loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Stats {
    /// Indexed by [`Counter`].
    pub counters: [u64; COUNTERS],
}
no_padding!(Stats: 416 { counters: [u64; COUNTERS] });

impl Default for Stats {
    fn default() -> Self {
        Self { counters: [0; COUNTERS] }
    }
}

impl Stats {
    /// Packets that the programs looked at. No counter of its own: each packet is a segment, or counted by what keeps it from being
    /// one.
    pub fn packets(&self) -> u64 {
        let outcomes = [
            Counter::Segments,
            Counter::NotIp,
            Counter::NotTcp,
            Counter::EthernetTruncated,
            Counter::VlanTruncated,
            Counter::VlanTooDeep,
            Counter::Ipv4Truncated,
            Counter::Ipv4Malformed,
            Counter::Ipv6Truncated,
            Counter::Ipv6Malformed,
            Counter::Ipv6ExtensionTruncated,
            Counter::Ipv6ChainTooLong,
            Counter::FragmentFirst,
            Counter::FragmentLater,
            Counter::TcpTruncated,
            Counter::TcpMalformed,
        ];
        outcomes.into_iter().fold(0, |sum, counter| sum.wrapping_add(self.value(counter)))
    }

    /// The value of a counter.
    pub fn value(&self, counter: Counter) -> u64 {
        self.counters.get(counter as usize).copied().unwrap_or(0)
    }

    /// Adds another CPU's counters.
    pub fn add(&mut self, other: &Self) {
        for (sum, value) in self.counters.iter_mut().zip(other.counters) {
            *sum = sum.wrapping_add(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNTERS, Counter, Stats};

    #[test]
    fn names_differ_and_numbers_count_up() {
        for (index, counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(*counter as usize, index);
            assert_eq!(Counter::ALL.iter().filter(|other| other.name() == counter.name()).count(), 1);
        }
    }

    #[test]
    fn counters_of_two_cpus_add_up() {
        let mut sum = Stats::default();
        sum.add(&Stats { counters: [3; COUNTERS] });
        sum.add(&Stats { counters: [4; COUNTERS] });
        assert_eq!(sum.value(Counter::LostFlow), 7);
    }
}
