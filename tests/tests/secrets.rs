//! No way to say a secret shows it: in no format, and in no frame of `--write-pcap`. Each dialogue has a secret of its own, which its
//! server repeats; over IPv4 and IPv6, in whole segments, in such of 7 bytes and in single bytes.

#![expect(clippy::expect_used, reason = "a test panics where it fails")]

#[path = "reading/mod.rs"]
mod reading;
#[path = "secrets/ways.rs"]
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ftpmon::dump::Mask;
use ftpmon::format::{Encoder, Format, KindFilter};
use ftpmon_core::engine::EngineConfig;
use ftpmon_core::frame::{Decoder, LinkType, RawFrame};
use ftpmon_event::addr::Endpoint;
use ftpmon_event::link::InterfaceId;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, Origin, RunId};
use ftpmon_tests::script;
use ftpmon_tests::script::capture::Frame;
use reading::Reading;
use ways::{Way, ways};

/// The longest line of an output.
const LINE_MAX: u32 = 65_536;

/// The secret of a dialogue.
fn secret(number: usize) -> String {
    format!("Zq{number:05}-Vx")
}

/// One dialogue for each way.
fn script(ways: &[Way], six: bool, segment: usize) -> String {
    let mut text = format!("segment {segment}\n");
    let server = if six { "2001:db8::21" } else { "192.0.2.21" };
    let _ = writeln!(text, "host server {server}");
    for (number, way) in ways.iter().enumerate() {
        let (high, low) = (number / 200, number % 200 + 1);
        let client = if six { format!("2001:db8::1:{high}:{low}") } else { format!("10.0.{high}.{low}") };
        let secret = secret(number);
        let _ = writeln!(
            text,
            "host client{number} {client}\nopen c{number} client{number}:40000 server:21\nuse c{number}"
        );
        text.push_str("S: 220 ready\n");
        for statement in &way.0 {
            let _ =
                writeln!(text, "{}", statement.replace("{}", &secret).replace("NAME", &format!("c{number}")));
        }
        for reply in [
            "230 user bob pass {}",
            "500 'PASS {}': no",
            "257 \"/{}\" is here",
            "230-a {}\\r\\n b {}\\r\\n230 c {}",
        ] {
            let _ = writeln!(text, "S: {}", reply.replace("{}", &secret));
        }
        let _ = writeln!(
            text,
            "C: PWD\nS: 257 \"/{secret}\"\nC: STOU\nS: 150 FILE: {secret}\nC: RETR x\nS: 550 {}",
            secret.to_ascii_uppercase()
        );
    }
    text
}

/// The numbers of the dialogues whose secrets, or most of them, are in a text.
fn shown(text: &[u8]) -> BTreeSet<usize> {
    let number = |digits: &[u8]| {
        let digits =
            std::str::from_utf8(digits).ok().filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse().ok()
    };
    let found = text.windows(8).filter_map(|window| match window {
        [b'Z' | b'z', b'Q' | b'q', digits @ .., _] => number(digits),
        [digits @ .., b'-', b'V' | b'v', b'X' | b'x'] => number(digits),
        _ => None,
    });
    found.collect()
}

fn encoded(events: &[Event], format: Format) -> Vec<u8> {
    let origin = Origin { run: RunId(1), sensor: "test".to_owned() };
    let mut encoder = Encoder::new(format.formatter(&origin), KindFilter::only::<&str>(&[]), LINE_MAX);
    let mut out = Vec::new();
    for event in events {
        encoder.event(event, &mut out);
    }
    out
}

/// The payloads of the masked frames by connection and direction, one after another.
fn masked(frames: &[Frame]) -> BTreeMap<(Endpoint, Endpoint), Vec<u8>> {
    let (mut decoder, mut mask) = (Decoder::default(), Mask::new(vec![21]));
    let mut streams = BTreeMap::<_, Vec<u8>>::new();
    for frame in frames {
        let raw = RawFrame {
            link: LinkType::Ethernet,
            bytes: &frame.bytes,
            wire_len: frame.wire_len as u32,
            interface: InterfaceId(0),
            tag: None,
        };
        let segment = decoder.decode(Timestamp::from_nanos(frame.at_ns as i64), &raw);
        let mut bytes = frame.bytes.clone();
        assert!(mask.apply(&frame.bytes, segment.as_ref(), &mut bytes), "a frame is left out");
        let segment = segment.expect("a segment");
        let payload = bytes.get(bytes.len() - segment.payload.len()..).unwrap_or_default();
        streams.entry((segment.src, segment.dst)).or_default().extend(payload);
    }
    streams
}

/// The secrets that show: a paragraph for each output.
fn leaks(ways: &[Way], six: bool, segment: usize) -> Vec<String> {
    let text = script(ways, six, segment);
    let frames = script::frames(&text).expect("the script is right");
    let events = Reading::of(&frames, EngineConfig::default()).events;
    let in_formats = Format::ALL.iter().map(|format| (format.name(), shown(&encoded(&events, *format))));
    let in_frames = masked(&frames).values().flat_map(|stream| shown(stream)).collect();
    let found = in_formats.chain([("--write-pcap", in_frames)]).filter(|(_, found)| !found.is_empty());
    found.map(|(output, found)| leak(output, &found, ways, six, segment)).collect()
}

fn leak(output: &str, found: &BTreeSet<usize>, ways: &[Way], six: bool, segment: usize) -> String {
    let ways: Vec<_> =
        found.iter().filter_map(|number| ways.get(*number)).map(|way| way.0.join(" | ")).collect();
    format!("{output}, IPv6 {six}, segments of {segment}, {} secrets:\n{}\n", found.len(), ways.join("\n"))
}

#[test]
fn no_secret_is_shown_however_it_is_said() {
    let ways = ways();
    println!("{} ways", ways.len());
    let places = [false, true].into_iter().flat_map(|six| [1_400, 7, 1].map(|segment| (six, segment)));
    let found: Vec<_> = places
        .flat_map(|(six, segment)| ways.chunks(200).flat_map(move |chunk| leaks(chunk, six, segment)))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_option_of_telnet_hides_a_password() {
    let statement =
        |verb: u8, option: u8| Way(vec![format!("C! \\xff\\x{verb:02x}\\x{option:02x}PASS {{}}\\r\\n")]);
    let inside =
        |verb: u8, option: u8| Way(vec![format!("C! PA\\xff\\x{verb:02x}\\x{option:02x}SS {{}}\\r\\n")]);
    let mut found = Vec::new();
    for verb in 251..=254 {
        let ways: Vec<_> =
            (0..=255).flat_map(|option| [statement(verb, option), inside(verb, option)]).collect();
        for segment in [1_400, 1] {
            found.extend(ways.chunks(128).flat_map(|chunk| leaks(chunk, false, segment)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn what_is_no_secret_is_shown() {
    for line in [
        "USER alice",
        "CWD /a b",
        "RETR PASS",
        "SITE CHMOD 644 passwd.txt",
        "STOR \u{e9}t\u{e9}",
        "XFOO bar",
        "SITE USERS",
        "RETR a\u{9}b",
        "MKD new user",
        "SIZE pass.txt",
        "RNFR ACCT",
        "HELP SITE",
    ] {
        let text = format!(
            "host client 192.0.2.10\nhost server 192.0.2.21\nopen c client:40000 server:21\nS: 220 ready\nC: {line}\nS: 200 ok\n"
        );
        let frames = script::frames(&text).expect("the script is right");
        let events = Reading::of(&frames, EngineConfig::default()).events;
        let json = String::from_utf8(encoded(&events, Format::Json)).expect("UTF-8");
        let (_, arg) = line.split_once(' ').expect("an argument");
        let arg = format!("\"arg\":{}", serde_json::to_string(arg).expect("a text"));
        assert!(json.contains(&arg), "{line:?}: {json}");
    }
}
