//! Any bytes as the texts that announce endpoints, sizes, names and paths. What is read out of them is in range, and what
//! has been read says the same when it is written down and read again.
//!
//! Input: a byte that chooses the form, then the text.
#![no_main]

use std::net::IpAddr;

use ftpmon_core::ftp::path::{Directory, System, Target};
use ftpmon_core::ftp::{Announced, Code, Mechanism, Verb, features, path, size, stou, time_value};
use libfuzzer_sys::fuzz_target;

fn commas(bytes: &[u8]) -> String {
    bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(",")
}

/// The endpoint in the form of 227 or PORT, 228 or LPRT, 229 or EPRT.
fn written(endpoint: &Announced, form: u16) -> Option<String> {
    let port = endpoint.port.to_be_bytes();
    let long = |family: u8, octets: &[u8]| {
        format!("{family},{},{},2,{}", octets.len(), commas(octets), commas(&port))
    };
    match (form, endpoint.ip) {
        (227, Some(IpAddr::V4(ip))) => Some(format!("{},{}", commas(&ip.octets()), commas(&port))),
        (228, Some(IpAddr::V4(ip))) => Some(long(4, &ip.octets())),
        (228, Some(IpAddr::V6(ip))) => Some(long(6, &ip.octets())),
        (229, Some(ip)) => Some(format!("|{}|{ip}|{}|", if ip.is_ipv4() { 1 } else { 2 }, endpoint.port)),
        _ => None,
    }
}

fuzz_target!(|input: &[u8]| {
    let [choice, text @ ..] = input else { return };
    let (form, verb) = [(227, Verb::Port), (228, Verb::Lprt), (229, Verb::Eprt)][usize::from(choice % 3)];
    let code = Code::new(form).expect("a code");
    let in_command = Announced::in_command(verb, text).expect("a verb that announces").1;
    let in_reply = Announced::in_reply(code, text).expect("a code that announces").1;
    if let Ok(endpoint) = in_command {
        assert_ne!(endpoint.port, 0);
        if let Some(again) = written(&endpoint, form) {
            assert_eq!(Announced::in_command(verb, again.as_bytes()).unwrap().1, Ok(endpoint));
        }
    }
    if let Ok(endpoint) = in_reply {
        assert_ne!(endpoint.port, 0);
        if let Some(again) = written(&endpoint, form) {
            let again = format!("Entering ({again})");
            assert_eq!(Announced::in_reply(code, again.as_bytes()).unwrap().1, Ok(endpoint));
        }
    }
    assert!(Announced::stripes(text).all(|endpoint| endpoint.port != 0));

    for feature in features(text) {
        assert!(!feature.is_empty());
    }
    let _ = Mechanism::from_argument(text).is_tls();
    let _ = time_value(text);
    let _ = (
        size::in_213(text),
        size::in_allo(text),
        size::in_rest(text),
        size::in_preliminary(text, Some(text)),
    );
    for number in [125, 150, 226, 250] {
        if let Some(name) = Code::new(number).and_then(|code| stou::name(code, text)) {
            assert!(!name.is_empty() && name.len() <= text.len());
        }
    }
    let middle = text.len() / 2;
    let (cwd, name) = text.split_at(middle);
    for system in System::ALL {
        if let Some(stated) = path::stated_by_257(system, text) {
            assert!(stated.path.len() <= text.len() + 2);
        }
        for cwd in [
            Directory::Unknown,
            Directory::Login,
            Directory::At(cwd.into()),
            Directory::At((*b"/home/a").into()),
        ] {
            for target in [Target::File, Target::Directory] {
                let resolved = path::resolve(system, &cwd, name, target);
                assert!(resolved.as_ref().is_none_or(|path| path.len() <= path::PATH_MAX));
                if system == System::Posix
                    && let Some(resolved) = resolved.filter(|path| path.starts_with(b"/"))
                {
                    // Absolute, and nothing climbs out of it.
                    assert!(!resolved.split(|&byte| byte == b'/').any(|part| part == b".." || part == b"."));
                }
            }
        }
    }
});
