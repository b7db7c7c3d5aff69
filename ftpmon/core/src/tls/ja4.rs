//! JA4, the fingerprint of a TLS client (FoxIO's specification of it, under the BSD licence).

use smol_str::{SmolStr, format_smolstr};

use super::extension::{ALPN, SERVER_NAME, SUPPORTED_VERSIONS, protocols};
use crate::text::hex;

const SIGNATURE_ALGORITHMS: u16 = 13;

/// The fingerprint of a hello: `version` from its fixed part, cipher suites and extensions in its order.
pub(super) fn fingerprint(version: u16, ciphers: &[u16], extensions: &[(u16, &[u8])]) -> SmolStr {
    let body = |wanted: u16| extensions.iter().find(|(kind, _)| *kind == wanted).map(|(_, body)| *body);
    let offered = body(SUPPORTED_VERSIONS).map(|body| words(body.get(1..).unwrap_or_default()));
    let version = offered.into_iter().flatten().filter(|word| !is_grease(*word)).max().unwrap_or(version);
    let mut ciphers: Vec<u16> = ciphers.iter().copied().filter(|cipher| !is_grease(*cipher)).collect();
    let mut kinds: Vec<u16> =
        extensions.iter().map(|(kind, _)| *kind).filter(|kind| !is_grease(*kind)).collect();
    let [first, last] = body(ALPN).and_then(|body| protocols(body).next()).map_or(['0', '0'], ends);
    let head = format_smolstr!(
        "t{}{}{:02}{:02}{first}{last}",
        version_mark(version),
        if body(SERVER_NAME).is_some() { 'd' } else { 'i' },
        ciphers.len().min(99),
        kinds.len().min(99),
    );
    ciphers.sort_unstable();
    kinds.retain(|kind| !matches!(*kind, SERVER_NAME | ALPN));
    kinds.sort_unstable();
    let mut listed = list(kinds.iter().copied());
    let signatures = body(SIGNATURE_ALGORITHMS).map(|body| words(body.get(2..).unwrap_or_default()));
    let signatures = list(signatures.into_iter().flatten().filter(|word| !is_grease(*word)));
    if !signatures.is_empty() && !listed.is_empty() {
        listed.push('_');
        listed.push_str(&signatures);
    }
    format_smolstr!("{head}_{}_{}", digest(&list(ciphers.into_iter())), digest(&listed))
}

/// Reserved values without a meaning (GREASE, RFC 8701).
const fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

const fn version_mark(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// The first and the last character of a protocol's name; of its hexadecimal form where either is no letter or digit.
fn ends(name: &[u8]) -> [char; 2] {
    match (name.first(), name.last()) {
        (Some(first), Some(last)) if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() => {
            [char::from(*first), char::from(*last)]
        }
        (Some(_), Some(_)) => {
            let hex = hex(name);
            let mut digits = hex.chars();
            [digits.next().unwrap_or('0'), digits.next_back().unwrap_or('0')]
        }
        _ => ['0', '0'],
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.as_chunks::<2>().0.iter().map(|word| u16::from_be_bytes(*word))
}

fn list(values: impl Iterator<Item = u16>) -> String {
    use core::fmt::Write as _;
    values.fold(String::new(), |mut out, value| {
        let comma = if out.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(out, "{comma}{value:04x}");
        out
    })
}

/// The first twelve hexadecimal digits of SHA-256; zeros for nothing.
fn digest(text: &str) -> SmolStr {
    use sha2::{Digest as _, Sha256};
    if text.is_empty() {
        return SmolStr::new_static("000000000000");
    }
    let hash = Sha256::digest(text.as_bytes());
    SmolStr::new(hex(hash.get(..6).unwrap_or(&hash)))
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    /// The example of the specification: a browser's hello, its lists in another order and with GREASE.
    #[test]
    fn the_example_of_the_specification() {
        let ciphers = [
            0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
            0x009c, 0x009d, 0x002f, 0x0035,
        ];
        let signatures = [0, 16, 4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1, 8, 6, 6, 1];
        let versions = [7, 0x3a, 0x3a, 3, 4, 3, 3, 3, 2];
        let alpn = [0, 12, 2, b'h', b'2', 8, b'h', b't', b't', b'p', b'/', b'1', b'.', b'1'];
        let kinds = [
            0x4a4a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012,
            0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0x9a9a,
        ];
        let extensions: Vec<(u16, &[u8])> = kinds
            .iter()
            .map(|kind| match kind {
                0x000d => (*kind, &signatures[..]),
                0x002b => (*kind, &versions[..]),
                0x0010 => (*kind, &alpn[..]),
                _ => (*kind, &[][..]),
            })
            .collect();
        assert_eq!(fingerprint(0x0303, &ciphers, &extensions), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn a_hello_of_nothing_has_a_fingerprint() {
        assert_eq!(fingerprint(0x0301, &[], &[]), "t10i000000_000000000000_000000000000");
        let alpn: &[u8] = &[0, 3, 2, 0xab, 0xcd];
        assert!(fingerprint(0x0303, &[0x2f], &[(16, alpn)]).starts_with("t12i0101ad_"));
    }
}
