//! Properties of the grammar: segmentation changes nothing, nothing panics, no buffer exceeds its cap.

use proptest::collection::vec;
use proptest::prelude::*;

use super::path::{Directory, System, Target};
use super::{
    Announced, Code, Command, LINE_MAX, LineSplitter, Mechanism, REPLY_TEXT_MAX, ReplyAssembler, Verb,
    features, path, secret, size, stou, time_value,
};

const SYSTEMS: [System; 8] = [
    System::Unknown,
    System::Posix,
    System::Windows,
    System::Zos,
    System::Vms,
    System::Os400,
    System::NetWare,
    System::Other,
];

/// Bytes that are likely to mean something, in an order that is not.
fn dialogue() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            &b"\r\n"[..], b"\n", b"\r", b"\0", b"\xff", b"\xff\xff", b"\xff\xf4\xff\xf2", b"\xff\xfb\x01",
            b"\xff\xfa\x18x\xff\xf0", b"\xff\xfa", b"\xff\xf0", b"\xfb", b"220 ", b"220-", b"220", b"226 done", b"230-",
            b" x", b"USER a", b"PORT 1,2,3,4,5,6", b"(1,2,3,4,5,6)", b"(|||99|)", b"AUTH TLS",
        ]).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..8),
        1 => (any::<u8>(), 1..3_usize).prop_map(|(byte, n)| vec![byte; n * (LINE_MAX / 2)]),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// `input` cut at the given places.
fn cut<'a>(input: &'a [u8], at: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = at.iter().map(|index| index.index(input.len() + 1)).collect();
    places.extend([0, input.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

/// Everything that lines and replies say of `segments`.
fn read(segments: &[&[u8]]) -> (Vec<String>, Vec<String>) {
    let (mut splitter, mut assembler) = (LineSplitter::new(), ReplyAssembler::new());
    let (mut lines_out, mut replies_out) = (Vec::new(), Vec::new());
    for segment in segments {
        let mut lines = splitter.feed(segment);
        while let Some(line) = lines.next() {
            assert!(line.bytes.len() <= LINE_MAX && !line.bytes.contains(&b'\n') && !line.bytes.contains(&0));
            lines_out.push(format!("{line:?}"));
            for reply in assembler.push(&line) {
                assert!(reply.text.len() <= REPLY_TEXT_MAX);
                replies_out.push(format!("{reply:?}"));
            }
        }
        assert!(splitter.held() <= 3 * LINE_MAX && assembler.held() <= 3 * REPLY_TEXT_MAX);
    }
    if let Some(line) = splitter.finish() {
        lines_out.push(format!("{line:?}"));
        replies_out.extend(assembler.push(&line).map(|reply| format!("{reply:?}")));
    }
    replies_out.extend(assembler.finish().into_iter().map(|reply| format!("{reply:?}")));
    (lines_out, replies_out)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn segments_change_nothing(input in dialogue(), at in vec(any::<prop::sample::Index>(), 0..20)) {
        let whole = read(&[&input]);
        prop_assert_eq!(&read(&cut(&input, &at)), &whole);
        prop_assert_eq!(&read(&input.chunks(1).collect::<Vec<_>>()), &whole);
    }

    #[test]
    fn each_place_of_a_secret_has_a_sign(line in vec(prop_oneof![
        4 => prop::sample::select(vec![
            &b"PASS"[..], b"acct", b"ADAT", b"MIC", b"CONF", b"ENC", b"USER", b"SITE", b"PSWD", b"NEWUSR", b"ADDUSER",
            b"chpwd", b"LOGIN", b"AUTH", b"SECRET", b"QUOTE", b"NOOP", b" ", b":", b"@", b"\r", b"=", b"x1",
        ]).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..4),
    ], 0..12).prop_map(|pieces| pieces.concat())) {
        let command = Command::parse(&line);
        prop_assert!(!secret::Places::of(&command).has_secret() || secret::may_be_in(&line));
    }

    #[test]
    fn every_line_is_in_its_stream(input in dialogue()) {
        let mut splitter = LineSplitter::new();
        let mut lines = splitter.feed(&input);
        let mut text = Vec::new();
        while let Some(line) = lines.next() {
            text.extend_from_slice(line.bytes);
        }
        // Taking bytes out is all that may happen: no byte is invented, none changes its place.
        let mut stream = input.iter();
        prop_assert!(text.iter().all(|byte| stream.any(|other| other == byte)));
    }

    #[test]
    fn gaps_anywhere_are_survived(pieces in vec((dialogue(), 0..4_u8), 0..6)) {
        let (mut splitter, mut assembler) = (LineSplitter::new(), ReplyAssembler::new());
        for (piece, then) in &pieces {
            let mut lines = splitter.feed(piece);
            while let Some(line) = lines.next() {
                let _ = Command::from_line(&line);
                assembler.push(&line).for_each(drop);
            }
            match then {
                0 => {
                    if let Some(line) = splitter.gap() {
                        prop_assert!(!line.terminated);
                        assembler.push(&line).for_each(drop);
                    }
                    assembler.gap();
                }
                1 => drop(assembler.client_spoke()),
                _ => {}
            }
        }
        splitter.finish();
        assembler.finish();
        prop_assert_eq!(assembler.held(), 0);
    }

}

proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(text in prop_oneof![vec(any::<u8>(), 0..200), "[0-9,|() ]{0,80}".prop_map(String::into_bytes)]) {
        let command = Command::parse(&text);
        let _ = (command.sub_command(), Mechanism::from_argument(&text), time_value(&text));
        for verb in [Verb::Port, Verb::Eprt, Verb::Lprt] {
            let _ = Announced::in_command(verb, &text);
        }
        for code in [227, 228, 229, 150, 226] {
            let code = Code::new(code).unwrap();
            let _ = (Announced::in_reply(code, &text), stou::name(code, &text));
        }
        let _ = (Announced::stripes(&text).count(), features(&text).count(), path::stated_by_257(System::Unknown, &text), path::stated(System::Unknown, &text, Some(&text)));
        let _ = (size::in_213(&text), size::in_allo(&text), size::in_rest(&text));
        let _ = (size::in_preliminary(&text, None), size::in_preliminary(&text, Some(&text)));
    }

    #[test]
    fn paths_stay_in_shape(
        system in prop::sample::select(&SYSTEMS[..]),
        cwd in prop::option::of("[aA./~\\\\:\\[\\]']{0,30}"),
        name in "[aA./~\\\\:\\[\\]'-]{0,30}",
        target in prop::sample::select(&[Target::File, Target::Directory][..]),
    ) {
        let cwd = cwd.map_or(Directory::Unknown, |cwd| Directory::At(cwd.into_bytes().into()));
        if let Some(path) = path::resolve(system, &cwd, name.as_bytes(), target) {
            prop_assert!(path.len() <= path::PATH_MAX);
            if system == System::Posix && path.starts_with(b"/") {
                let again = path::resolve(system, &Directory::Unknown, &path, target).unwrap();
                prop_assert_eq!(&again, &path, "resolved twice");
                prop_assert!(path == b"/" || path[1..].split(|&b| b == b'/').all(|name| !matches!(name, b"" | b"." | b"..")));
            }
        }
    }

    #[test]
    fn endpoints_are_read_as_they_are_written(ip in any::<[u8; 4]>(), port in 1_u16.., d in 33_u8..=126) {
        let [a, b, c, e] = ip;
        let (high, low) = (port >> 8, port & 0xff);
        let want = Announced { ip: Some(ip.into()), port };
        let numbers = format!("{a},{b},{c},{e},{high},{low}");
        prop_assert_eq!(Announced::in_command(Verb::Port, numbers.as_bytes()).unwrap().1, Ok(want));
        let reply = format!("Entering Passive Mode ({numbers}).");
        prop_assert_eq!(Announced::in_reply(Code::new(227).unwrap(), reply.as_bytes()).unwrap().1, Ok(want));
        let long = format!("4,4,{a},{b},{c},{e},2,{high},{low}");
        prop_assert_eq!(Announced::in_command(Verb::Lprt, long.as_bytes()).unwrap().1, Ok(want));
        if !d.is_ascii_digit() {
            let d = char::from(d);
            let reply = format!("Entering Extended Passive Mode ({d}{d}{d}{port}{d})");
            let found = Announced::in_reply(Code::new(229).unwrap(), reply.as_bytes()).unwrap().1;
            prop_assert_eq!(found, Ok(Announced { ip: None, port }));
            if d != '.' {
                let arg = format!("{d}1{d}{a}.{b}.{c}.{e}{d}{port}{d}");
                prop_assert_eq!(Announced::in_command(Verb::Eprt, arg.as_bytes()).unwrap().1, Ok(want));
            }
        }
    }
}
