//! The extensions of a hello (RFC 8446 section 4.2) that are read.

use smol_str::SmolStr;

/// Longest name that is reported, bytes.
const NAME_MAX: usize = 255;

/// `server_name` (RFC 6066).
pub(super) const SERVER_NAME: u16 = 0;
/// `application_layer_protocol_negotiation` (RFC 7301).
pub(super) const ALPN: u16 = 16;
/// `supported_versions` (RFC 8446).
pub(super) const SUPPORTED_VERSIONS: u16 = 43;

/// The extensions of a hello in their order: type and body. Stops at the first bytes that are no extension.
pub(super) fn extensions(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    core::iter::from_fn(move || {
        let [a, b, high, low, rest @ ..] = bytes else { return None };
        let (body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        bytes = rest;
        Some((u16::from_be_bytes([*a, *b]), body))
    })
}

/// The host name of `server_name`: the first entry of a list of kind, length, name.
pub(super) fn host_name(body: &[u8]) -> Option<SmolStr> {
    let [_, _, 0, high, low, rest @ ..] = body else { return None };
    rest.get(..usize::from(u16::from_be_bytes([*high, *low]))).map(name)
}

/// The names of a protocol list: each is a length and that many bytes.
pub(super) fn protocols(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut bytes = body.get(2..).unwrap_or_default();
    core::iter::from_fn(move || {
        let (len, rest) = bytes.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*len))?;
        bytes = rest;
        Some(name)
    })
}

/// A name as text, cut to [`NAME_MAX`].
pub(super) fn name(bytes: &[u8]) -> SmolStr {
    let shown = bytes.get(..bytes.len().min(NAME_MAX)).unwrap_or_default();
    SmolStr::from(String::from_utf8_lossy(shown).as_ref())
}
