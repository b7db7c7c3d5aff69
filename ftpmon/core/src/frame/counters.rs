//! Counters of frames. Each frame is counted once: as a segment, or under the reason why it gave none.

/// The reason why a frame gave no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// No IP in it.
    NotIp,
    /// IP, but no TCP.
    NotTcp,
    /// The capture, or the frame itself, ends inside a header.
    TruncatedHeader,
    /// A header contradicts itself or its version.
    BadHeader,
    /// More headers than [`super::LAYERS_MAX`].
    DepthExceeded,
    /// A fragment that was stored: its datagram is counted when it is complete.
    FragmentHeld,
    /// A repeated fragment of a datagram that is complete.
    FragmentRepeated,
    /// An impossible fragment: too long, or not the last one and of a length that is no multiple of 8.
    FragmentBad,
}

/// Counters of a [`super::Decoder`] since it was made. Every frame is in exactly one of `segments`, `not_ip`,
/// `not_tcp`, `truncated_header`, `bad_header`, `depth_exceeded`, `fragments_held` and `fragments_bad`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeCounters {
    /// Frames handed in.
    pub frames: u64,
    /// Frames that gave a TCP segment; of a fragmented datagram the frame that completed it.
    pub segments: u64,
    /// Frames without IP: ARP, spanning tree and the like.
    pub not_ip: u64,
    /// IP packets that carry something other than TCP.
    pub not_tcp: u64,
    /// Frames that end inside a header.
    pub truncated_header: u64,
    /// Frames with a header that contradicts itself.
    pub bad_header: u64,
    /// Frames with more headers, one inside the other, than the decoder follows.
    pub depth_exceeded: u64,
    /// Fragments kept until their datagram is whole, and repeated ones.
    pub fragments_held: u64,
    /// Impossible fragments.
    pub fragments_bad: u64,
    /// Datagrams reassembled from fragments.
    pub datagrams_reassembled: u64,
    /// Datagrams given up because a fragment did not come in time.
    pub datagrams_timed_out: u64,
    /// Datagrams given up because the fragment table was full.
    pub datagrams_evicted: u64,
    /// Fragments whose bytes differ from those held for the same place; the first bytes stay.
    pub fragments_conflicting: u64,
}

impl DecodeCounters {
    /// Every counter with its name, for the `stats` event.
    pub const fn by_name(&self) -> [(&'static str, u64); 13] {
        [
            ("frames", self.frames),
            ("segments", self.segments),
            ("not_ip", self.not_ip),
            ("not_tcp", self.not_tcp),
            ("truncated_header", self.truncated_header),
            ("bad_header", self.bad_header),
            ("depth_exceeded", self.depth_exceeded),
            ("fragments_held", self.fragments_held),
            ("fragments_bad", self.fragments_bad),
            ("datagrams_reassembled", self.datagrams_reassembled),
            ("datagrams_timed_out", self.datagrams_timed_out),
            ("datagrams_evicted", self.datagrams_evicted),
            ("fragments_conflicting", self.fragments_conflicting),
        ]
    }

    /// The counters of loss: frames that may have been FTP. The other counters are of frames that were not.
    pub const fn lost(&self) -> [(&'static str, u64); 6] {
        [
            ("truncated_header", self.truncated_header),
            ("bad_header", self.bad_header),
            ("depth_exceeded", self.depth_exceeded),
            ("fragments_bad", self.fragments_bad),
            ("datagrams_timed_out", self.datagrams_timed_out),
            ("datagrams_evicted", self.datagrams_evicted),
        ]
    }

    /// Counts a frame that gave no segment.
    pub(super) const fn refuse(&mut self, reason: Reason) {
        let counter = match reason {
            Reason::NotIp => &mut self.not_ip,
            Reason::NotTcp => &mut self.not_tcp,
            Reason::TruncatedHeader => &mut self.truncated_header,
            Reason::BadHeader => &mut self.bad_header,
            Reason::DepthExceeded => &mut self.depth_exceeded,
            Reason::FragmentHeld | Reason::FragmentRepeated => &mut self.fragments_held,
            Reason::FragmentBad => &mut self.fragments_bad,
        };
        *counter += 1;
    }
}
