//! The names of layers and of their fields.

/// Declares the names, and a list of them all.
macro_rules! terms {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A layer, a field of a header, or a word beside its value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Term {
            $($(#[$doc])* $name,)*
        }

        #[cfg(test)]
        impl Term {
            /// All of them.
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

terms! {
    /// The frame as it was captured.
    Frame,
    /// Ethernet II.
    Ethernet,
    /// Another link layer.
    Link,
    /// IEEE 802.1Q.
    Vlan,
    /// IPv4 (RFC 791).
    Ipv4,
    /// IPv6 (RFC 8200).
    Ipv6,
    /// TCP (RFC 9293).
    Tcp,
    /// FTP (RFC 959).
    Ftp,
    /// Bytes that are read no further.
    Rest,
    /// When it was captured.
    Arrival,
    /// Seconds since the first packet of the capture.
    SinceFirst,
    /// Length on the wire.
    WireLength,
    /// Length in the capture.
    CapturedLength,
    /// Destination address, of Ethernet or IP.
    Destination,
    /// Source address.
    Source,
    /// Protocol of what follows (EtherType).
    EtherType,
    /// VLAN priority.
    Priority,
    /// VLAN drop eligibility.
    DropEligible,
    /// VLAN identifier.
    VlanId,
    /// Version of IP.
    Version,
    /// Length of a header.
    HeaderLength,
    /// Differentiated services.
    Dscp,
    /// Explicit congestion notification.
    Ecn,
    /// Length of an IPv4 packet.
    TotalLength,
    /// Identification of fragments.
    Identification,
    /// Flags.
    Flags,
    /// Offset of a fragment.
    FragmentOffset,
    /// Time to live.
    TimeToLive,
    /// Protocol of what follows.
    Protocol,
    /// Checksum of a header.
    HeaderChecksum,
    /// Options of a header.
    Options,
    /// Flow label of IPv6.
    FlowLabel,
    /// Length of what follows an IPv6 header.
    PayloadLength,
    /// Header that follows.
    NextHeader,
    /// Hop limit.
    HopLimit,
    /// An extension header of IPv6.
    Extension,
    /// Source port.
    SourcePort,
    /// Destination port.
    DestinationPort,
    /// Sequence number.
    Sequence,
    /// Acknowledgment number.
    Acknowledgment,
    /// Receive window.
    Window,
    /// Checksum of TCP.
    Checksum,
    /// Urgent pointer.
    Urgent,
    /// Maximum segment size.
    MaxSegment,
    /// No operation.
    NoOperation,
    /// End of the options.
    EndOfOptions,
    /// Window scale.
    WindowScale,
    /// Selective acknowledgment is permitted.
    SackPermitted,
    /// Selective acknowledgment.
    Sack,
    /// Timestamps.
    Timestamps,
    /// Another option.
    OtherOption,
    /// Payload that is not read further.
    Payload,
    /// A command.
    Command,
    /// A reply.
    Reply,
    /// A line that is neither.
    Line,
    /// The end of a line.
    LineEnd,
    /// The checksum is right.
    Correct,
    /// The checksum is wrong.
    Wrong,
    /// It is wrong, and what it should be is not said.
    Incorrect,
    /// A checksum over masked bytes.
    SumOfMasked,
    /// A TLS record.
    Tls,
    /// A record that began in a segment before.
    Continued,
    /// The type of a record.
    ContentType,
    /// It cannot be verified.
    Unverified,
    /// Bytes.
    Bytes,
    /// The header is cut off or broken.
    Broken,
}
