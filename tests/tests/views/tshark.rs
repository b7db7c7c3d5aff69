//! A frame's layers equal the fields of Wireshark's dissectors, which read the captures of all goldens and of the explained
//! sessions: names, places, bytes and values of each field, and no byte of a header that it names and ftpmon leaves out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, plain_test};
use ftpmon_tests::golden::Golden;
use ftpmon_tests::process::run_ok;
use ftpmon_tests::script;

use super::fields::{Expected, expected};
use super::pdml::{self, Packet, Protocol, packets};
use super::shown::{Field, Frame, Layer, frames};

/// Bytes of a capture at most: the one of a transfer of 5 GiB has 70,000 frames that are alike.
const CAPTURE_MAX: usize = 1 << 20;
/// Fields that have to be compared: fewer mean that the comparison itself is broken.
const FIELDS_MIN: usize = 200_000;

/// Wireshark's preferences: see frames one by one, as `ftpmon explain` shows them, and verify checksums.
const PREFERENCES: [&str; 6] = [
    "ip.defragment:FALSE",
    "ipv6.defragment:FALSE",
    "ip.check_checksum:TRUE",
    "tcp.check_checksum:TRUE",
    "tcp.desegment_tcp_streams:FALSE",
    "tcp.relative_sequence_numbers:FALSE",
];

#[test]
fn layers_equal_those_of_wireshark_field_by_field() {
    let needs = [Need::Agent, Need::Tool("tshark"), Need::Tool("mergecap")];
    plain_test("layers_equal_those_of_wireshark_field_by_field", &needs, || {
        let scratch = Scratch::new("tshark")?;
        let capture = captures(scratch.path())?;
        let mut explain = Command::new(binary()?);
        explain.args(["explain", "--lang", "en", "--color", "never", "--width", "160", "--secrets", "show"]);
        // Captures that break off or go on in another order say so on standard error, behind the frames.
        let shown = explain.args(["--frame", "1-1000000"]).arg(&capture).output()?;
        let shown = frames(&String::from_utf8(shown.stdout).context("its text is UTF-8")?);
        let mut tshark = Command::new("tshark");
        tshark
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", scratch.path())
            .args(["-n", "-T", "pdml"]);
        tshark.args(PREFERENCES.iter().flat_map(|preference| ["-o", preference]));
        let dissected = packets(&run_ok(tshark.arg("-r").arg(&capture))?);
        ensure!(shown.len() == dissected.len(), "{} frames, tshark has {}", shown.len(), dissected.len());
        let mut seen = Seen::default();
        for (number, (frame, packet)) in shown.iter().zip(&dissected).enumerate() {
            seen.number = number + 1;
            compare(frame, packet, &mut seen);
        }
        seen.judged()
    });
}

/// One capture of all scripts, one behind the other; of all link layers, so it is pcapng.
fn captures(scratch: &Path) -> Result<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut save = |name: String, bytes: Vec<u8>| -> Result<()> {
        files.push(scratch.join(name));
        Ok(std::fs::write(files.last().context("a file")?, bytes)?)
    };
    for golden in Golden::all()? {
        let capture = golden.capture()?;
        if capture.len() <= CAPTURE_MAX {
            save(format!("{}.pcap", golden.name), capture)?;
        }
    }
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("explain"))? {
        let folder = entry?.path();
        let name = folder.file_name().context("its name")?.display().to_string();
        let script = std::fs::read_to_string(folder.join("script.ftp"))?;
        save(format!("explain-{name}.pcap"), script::capture(&script)?)?;
    }
    files.sort();
    let all = scratch.join("all.pcapng");
    run_ok(Command::new("mergecap").args(["-a", "-F", "pcapng", "-w"]).arg(&all).args(&files))?;
    Ok(all)
}

/// The findings.
#[derive(Default)]
struct Seen {
    /// The frame.
    number: usize,
    /// Fields that were compared, by layer and name.
    compared: BTreeMap<(String, String), usize>,
    /// By kind: the first one, and how many.
    differences: BTreeMap<String, (String, usize)>,
}

impl Seen {
    fn differs(&mut self, kind: &str, text: String) {
        let first = format!("frame {}: {text}", self.number);
        self.differences.entry(kind.to_owned()).or_insert((first, 0)).1 += 1;
    }

    fn judged(self) -> Result<()> {
        let told =
            |(kind, (first, count)): (&String, &(String, usize))| format!("{kind}, {count} times; {first}");
        let told: Vec<String> = self.differences.iter().map(told).collect();
        let fields: usize = self.compared.values().sum();
        ensure!(told.is_empty(), "{}", told.join("\n"));
        ensure!(fields >= FIELDS_MIN, "only {fields} fields were compared");
        Ok(())
    }
}

fn compare(frame: &Frame, packet: &Packet, seen: &mut Seen) {
    // Which of the protocols of a name is next: VLAN tags may be many.
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    for layer in &frame.layers {
        let Some(name) = protocol_of(&layer.name) else { continue };
        let number = next.entry(name).or_default();
        let protocol = packet.protocols.iter().filter(|protocol| kind(&protocol.name) == name).nth(*number);
        *number += 1;
        match protocol {
            Some(protocol) if name == "ftp" => lines(layer, protocol, seen),
            Some(protocol) => {
                layer.fields.iter().for_each(|field| fields(layer, field, protocol, packet, seen));
                uncovered(layer, protocol, seen);
            }
            // Wireshark knows FTP by its port.
            None if name == "ftp" => {}
            None => seen.differs("a layer more", format!("tshark has no {name}")),
        }
    }
    let has = |name: &str| frame.layers.iter().any(|layer| protocol_of(&layer.name) == Some(name));
    let stops = frame.layers.iter().any(|layer| layer.name == "Not read further");
    for protocol in packet.protocols.iter().filter(|protocol| !stops && !is_tls(protocol)) {
        let name = kind(&protocol.name);
        if ["eth", "vlan", "ip", "ipv6", "tcp", "ftp"].contains(&name) && !has(name) {
            seen.differs("a layer less", format!("ftpmon has no {name}"));
        }
    }
}

/// A service tag is a VLAN tag too.
fn kind(protocol: &str) -> &str {
    if protocol == "ieee8021ad" { "vlan" } else { protocol }
}

/// TLS records that Wireshark reads as lines, since it did not see AUTH. To ftpmon they are payload.
fn is_tls(protocol: &Protocol) -> bool {
    let first = protocol.fields.iter().find(|field| field.len > 0);
    let heads = ["1403", "1503", "1603", "1703", "1803"];
    protocol.name == "ftp" && first.is_some_and(|field| heads.iter().any(|head| field.hex.starts_with(head)))
}

/// Wireshark's name of a layer.
fn protocol_of(layer: &str) -> Option<&'static str> {
    Some(match layer {
        "Frame" => "frame",
        "Ethernet II" => "eth",
        "VLAN (IEEE 802.1Q)" => "vlan",
        "Internet Protocol, version 4 (RFC 791)" => "ip",
        "Internet Protocol, version 6 (RFC 8200)" => "ipv6",
        "Transmission Control Protocol (RFC 9293)" => "tcp",
        "File Transfer Protocol (RFC 959)" => "ftp",
        _ => return None,
    })
}

fn fields(layer: &Layer, field: &Field, protocol: &Protocol, packet: &Packet, seen: &mut Seen) {
    let kind = format!("{}, {}", layer.name, field.name);
    let Some(Expected { place, value }) = expected(&protocol.name, field, protocol, packet) else {
        return seen.differs(&kind, format!("nothing of Wireshark's is {field:?}"));
    };
    *seen.compared.entry((layer.name.clone(), field.name.clone())).or_default() += 1;
    if let Some(place) = place
        && !is_in(field, &place)
    {
        seen.differs(&kind, format!("{field:?} is at {place:?}"));
    }
    if value != field.value {
        seen.differs(&kind, format!("{field:?} has the value {value:?}"));
    }
}

/// The field has the bytes of Wireshark's. Bit fields are in a word, and one of both may have more of its bytes.
fn is_in(field: &Field, place: &pdml::Field) -> bool {
    let Some(skip) = field.at.and_then(|at| at.checked_sub(place.at)) else { return false };
    if place.name.is_empty() && place.hex.is_empty() {
        return skip == 0 && place.len * 2 == field.hex.len();
    }
    let is_whole = skip == 0 && field.hex == place.hex;
    let is_bits = ["ipv6.", "ieee8021ad."].iter().any(|name| place.name.starts_with(name));
    let rest = place.hex.get(skip * 2..).unwrap_or_default();
    let is_part = !rest.is_empty() && (rest.starts_with(&field.hex) || field.hex.starts_with(rest));
    is_whole || is_bits && is_part
}

/// No byte that a field of Wireshark's has is left out.
fn uncovered(layer: &Layer, protocol: &Protocol, seen: &mut Seen) {
    let own: BTreeSet<usize> = layer
        .fields
        .iter()
        .filter_map(|field| field.at.map(|at| at..at + field.hex.len() / 2))
        .flatten()
        .collect();
    for field in protocol.fields.iter().filter(|field| protocol.name != "frame" && !field.hex.is_empty()) {
        // The payload is the next layer's.
        if !field.name.ends_with("payload") && (field.at..field.at + field.len).any(|at| !own.contains(&at)) {
            return seen.differs(&format!("{}, left out", layer.name), format!("{field:?}"));
        }
    }
}

/// The lines of a dialogue: their bytes, and which of them is a reply or a command.
fn lines(layer: &Layer, protocol: &Protocol, seen: &mut Seen) {
    let dissected: Vec<(usize, &str)> = protocol
        .fields
        .iter()
        .filter(|field| field.name.is_empty() && field.len > 0)
        .map(|field| (field.at, field.hex.as_str()))
        .collect();
    let mut own: Vec<(usize, String, &Field)> = Vec::new();
    for field in &layer.fields {
        let at = field.at.unwrap_or(0);
        match own.last_mut() {
            Some((_, hex, _)) if field.name == "End of line" && !field.is_cut => hex.push_str(&field.hex),
            _ => own.push((at, field.hex.clone(), field)),
        }
    }
    if own.len() != dissected.len() {
        return seen.differs("lines", format!("{own:?}, tshark has {dissected:?}"));
    }
    for (number, ((at, hex, field), (place, right))) in own.iter().zip(dissected).enumerate() {
        *seen.compared.entry((layer.name.clone(), field.name.clone())).or_default() += 1;
        let is_same = if field.is_cut { right.starts_with(field.hex.as_str()) } else { hex == right };
        if *at != place || !is_same {
            seen.differs("a line", format!("{field:?} is the line {right} at {place}"));
        }
        let is_reply = protocol.field("ftp.response.code", place).is_some();
        // Of the lines of a segment Wireshark reads the first.
        if number == 0 && is_reply != (field.name == "Reply") {
            seen.differs("a reply", format!("{field:?} is a reply: {is_reply}"));
        }
    }
}
