//! Which field of Wireshark's is a field of ftpmon, and how the value of one is written as that of the other.

use super::pdml::{self, Packet, Protocol};
use super::shown::Field;

/// The expectation of a field.
pub(crate) struct Expected {
    /// The place and the bytes; none for what is no part of the frame.
    pub(crate) place: Option<pdml::Field>,
    /// The value.
    pub(crate) value: String,
}

/// The field of Wireshark's that is one of `ftpmon explain`.
pub(crate) fn expected(layer: &str, field: &Field, protocol: &Protocol, packet: &Packet) -> Option<Expected> {
    let at = field.at.unwrap_or(0);
    if layer == "frame" {
        return frame(&field.name, protocol);
    }
    let (place, value) = match (layer, field.name.as_str()) {
        ("eth", "Destination address") => same(protocol, "eth.dst", at)?,
        ("eth", "Source address") => same(protocol, "eth.src", at)?,
        ("eth", "Type") => ether_type(protocol, "eth.type", at)?,
        ("vlan", "Priority") => same(protocol, "vlan.priority", at)?,
        ("vlan", "Drop eligible") => same(protocol, "vlan.dei", at)?,
        ("vlan", "VLAN identifier") => same(protocol, "vlan.id", at)?,
        ("vlan", "Type") => ether_type(protocol, "vlan.etype", at)?,
        ("ieee8021ad", "Priority") => same(protocol, "ieee8021ad.priority", at)?,
        ("ieee8021ad", "Drop eligible") => same(protocol, "ieee8021ad.dei", at)?,
        ("ieee8021ad", "VLAN identifier") => same(protocol, "ieee8021ad.id", at)?,
        ("ieee8021ad", "Type") => ether_type(protocol, "ieee8021ah.etype", at)?,
        ("ip", name) => v4(name, protocol, at)?,
        ("ipv6", name) => v6(name, protocol, packet, at)?,
        ("tcp", name) => tcp(name, protocol, at)?,
        _ => return None,
    };
    Some(Expected { place: Some(place), value })
}

type Found = Option<(pdml::Field, String)>;

fn frame(name: &str, protocol: &Protocol) -> Option<Expected> {
    let value = match name {
        "Arrival time" => moment(protocol.show("frame.time")?)?,
        "Since the first frame" => {
            let (seconds, fraction) = protocol.show("frame.time_relative")?.split_once('.')?;
            // Frames of other captures may be older; ftpmon then says 0.
            if seconds.starts_with('-') {
                "0.000000 s".into()
            } else {
                format!("{seconds}.{} s", fraction.get(..6)?)
            }
        }
        "Length on the wire" => format!("{} bytes", protocol.show("frame.len")?),
        "Length in the capture" => format!("{} bytes", protocol.show("frame.cap_len")?),
        _ => return None,
    };
    Some(Expected { place: None, value })
}

/// `Jan  1, 2026 00:00:00.001000000 UTC` as `2026-01-01 00:00:00.001000 UTC`.
fn moment(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [month, day, year, time, "UTC"] = words.as_slice() else { return None };
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| name == month)? + 1;
    let day: u8 = day.trim_end_matches(',').parse().ok()?;
    Some(format!("{year}-{month:02}-{day:02} {} UTC", time.get(..15)?))
}

fn v4(name: &str, protocol: &Protocol, at: usize) -> Found {
    match name {
        "Version" => with(protocol, "ip.version", at, |show| format!("{show} (0100 ....)")),
        "Header length" => with(protocol, "ip.hdr_len", at, |show| {
            format!("{show} bytes (.... {:04b})", show.parse::<u8>().unwrap_or(0) / 4)
        }),
        "Differentiated services" => same(protocol, "ip.dsfield.dscp", at),
        "Congestion notification" => same(protocol, "ip.dsfield.ecn", at),
        "Total length" => with(protocol, "ip.len", at, bytes),
        "Identification" => with(protocol, "ip.id", at, |show| {
            format!("{show} ({})", u16::from_str_radix(show.trim_start_matches("0x"), 16).unwrap_or(0))
        }),
        "Flags" => {
            let is_set = |name| protocol.show(name) == Some("1");
            let flags = [(is_set("ip.flags.df"), "DF"), (is_set("ip.flags.mf"), "MF")];
            with(protocol, "ip.flags", at, |_| names(&flags))
        }
        // Its value is one of eight bytes in some versions, of one byte in others; what it says for people is of one byte in all.
        "Fragment offset" => {
            let field = protocol.field("ip.frag_offset", at)?;
            Some((field.clone(), field.said.rsplit(' ').next()?.to_owned()))
        }
        "Options" => {
            let field = protocol
                .fields
                .iter()
                .find(|field| field.at == at && field.show.starts_with("Options: ("))?;
            let bytes = field.show.split_once('(')?.1.split_once(')')?.0;
            Some((field.clone(), bytes.to_owned()))
        }
        "Time to live" => same(protocol, "ip.ttl", at),
        "Protocol" => with(protocol, "ip.proto", at, protocol_name),
        "Header checksum" => checksum(protocol, "ip.checksum", at),
        "Source address" => same(protocol, "ip.src", at),
        "Destination address" => same(protocol, "ip.dst", at),
        _ => None,
    }
}

fn v6(name: &str, protocol: &Protocol, packet: &Packet, at: usize) -> Found {
    match name {
        "Version" => with(protocol, "ipv6.version", at, |show| format!("{show} (0110 ....)")),
        // Wireshark has these as bits of the first four bytes.
        "Differentiated services" => same(protocol, "ipv6.tclass.dscp", at),
        "Congestion notification" => same(protocol, "ipv6.tclass.ecn", at.saturating_sub(1)),
        "Flow label" => with(protocol, "ipv6.flow", at, |show| show.replacen("0x0", "0x", 1)),
        "Payload length" => with(protocol, "ipv6.plen", at, bytes),
        "Next header" => with(protocol, "ipv6.nxt", at, protocol_name),
        "Hop limit" => same(protocol, "ipv6.hlim", at),
        "Source address" => same(protocol, "ipv6.src", at),
        "Destination address" => same(protocol, "ipv6.dst", at),
        "Extension header" => {
            let names = [("hopopts", "0"), ("routing", "43"), ("fraghdr", "44"), ("dstopts", "60")];
            let is_here = |own: &&Protocol| own.name.starts_with("ipv6.") && own.at == at;
            let own = packet.protocols.iter().find(is_here)?;
            let (_, number) = names.iter().find(|(name, _)| own.name.ends_with(name))?;
            let next = protocol_name(number);
            // Its bytes are those of many fields.
            let place = pdml::Field { at, len: own.len, ..pdml::Field::default() };
            Some((place, format!("{next}, {} bytes", own.len)))
        }
        _ => None,
    }
}

fn tcp(name: &str, protocol: &Protocol, at: usize) -> Found {
    let option = |place: &str, value: String| protocol.field(place, at).map(|place| (place.clone(), value));
    match name {
        "Source port" => same(protocol, "tcp.srcport", at),
        "Destination port" => same(protocol, "tcp.dstport", at),
        "Sequence number" => same(protocol, "tcp.seq_raw", at),
        "Acknowledgment number" => same(protocol, "tcp.ack_raw", at),
        "Header length" => with(protocol, "tcp.hdr_len", at, |show| {
            format!("{show} bytes ({:04b} ....)", show.parse::<u8>().unwrap_or(0) / 4)
        }),
        "Flags" => with(protocol, "tcp.flags", at, |show| {
            let named = [
                ("ae", "NS"),
                ("cwr", "CWR"),
                ("ece", "ECE"),
                ("urg", "URG"),
                ("ack", "ACK"),
                ("push", "PSH"),
                ("reset", "RST"),
                ("syn", "SYN"),
                ("fin", "FIN"),
            ];
            let flags =
                named.map(|(field, name)| (protocol.show(&format!("tcp.flags.{field}")) == Some("1"), name));
            format!("0x{} ({})", show.trim_start_matches("0x0"), names(&flags))
        }),
        "Window" => same(protocol, "tcp.window_size_value", at),
        "Checksum" => checksum(protocol, "tcp.checksum", at),
        "Urgent pointer" => same(protocol, "tcp.urgent_pointer", at),
        "Option: maximum segment" => {
            option("tcp.options.mss", bytes(&protocol.field("tcp.options.mss_val", at + 2)?.show))
        }
        "Option: no operation" => option("tcp.options.nop", String::new()),
        "Option: end of options" => option("tcp.options.eol", String::new()),
        "Option: window scale" => {
            let shift = &protocol.field("tcp.options.wscale.shift", at + 2)?.show;
            let factor = &protocol.field("tcp.options.wscale.multiplier", at + 2)?.show;
            option("tcp.options.wscale", format!("{shift} (×{factor})"))
        }
        "Option: SACK permitted" => option("tcp.options.sack_perm", String::new()),
        "Option: timestamps" => {
            let own = &protocol.field("tcp.options.timestamp.tsval", at + 2)?.show;
            let echo = &protocol.field("tcp.options.timestamp.tsecr", at + 6)?.show;
            option("tcp.options.timestamp", format!("{own}, {echo}"))
        }
        _ => None,
    }
}

fn with(protocol: &Protocol, name: &str, at: usize, value: impl FnOnce(&str) -> String) -> Found {
    let field = protocol.field(name, at)?;
    Some((field.clone(), value(&field.show)))
}

fn same(protocol: &Protocol, name: &str, at: usize) -> Found {
    with(protocol, name, at, str::to_owned)
}

fn bytes(show: &str) -> String {
    format!("{show} bytes")
}

fn ether_type(protocol: &Protocol, name: &str, at: usize) -> Found {
    with(protocol, name, at, |show| {
        let name = match show {
            "0x0800" => " (IPv4)",
            "0x86dd" => " (IPv6)",
            "0x8100" => " (802.1Q)",
            "0x88a8" => " (802.1ad)",
            "0x8847" => " (MPLS)",
            "0x8864" => " (PPPoE)",
            _ => "",
        };
        format!("{show}{name}")
    })
}

/// Numbers and names of IANA's registry of protocols.
fn protocol_name(show: &str) -> String {
    let name = match show {
        "0" => " (hop-by-hop)",
        "4" => " (IPv4)",
        "6" => " (TCP)",
        "17" => " (UDP)",
        "41" => " (IPv6)",
        "43" => " (routing)",
        "44" => " (fragment)",
        "47" => " (GRE)",
        "60" => " (destination options)",
        _ => "",
    };
    format!("{show}{name}")
}

/// A checksum with Wireshark's judgement.
fn checksum(protocol: &Protocol, name: &str, at: usize) -> Found {
    let status = protocol.show(&format!("{name}.status"))?.to_owned();
    let right = protocol.show(&format!("{name}_calculated")).unwrap_or_default().to_owned();
    with(protocol, name, at, |show| match status.as_str() {
        "1" => format!("{show}, correct"),
        "0" => format!("{show}, wrong, should be {right}"),
        _ => format!("{show}, not verified: the frame is cut"),
    })
}

fn names(flags: &[(bool, &'static str)]) -> String {
    let set: Vec<&str> = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| *name).collect();
    if set.is_empty() { "-".to_owned() } else { set.join(", ") }
}
