//! The names of a control connection: its session id and its Community ID.

use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest as _, Sha1};
use smol_str::SmolStr;

use crate::addr::Endpoint;
use crate::text::hex;
use crate::time::Timestamp;

/// IANA's number of TCP.
const TCP: u8 = 6;

/// Community ID 1.0 with seed 0 of a TCP connection: the same whichever end is named first.
pub(super) fn community_id(a: Endpoint, b: Endpoint) -> SmolStr {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let mut sha = Sha1::new();
    sha.update([0, 0]);
    add_octets(low.ip, &mut sha);
    add_octets(high.ip, &mut sha);
    sha.update([TCP, 0]);
    sha.update(low.port.to_be_bytes());
    sha.update(high.port.to_be_bytes());
    let mut text = *b"1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
    let [_, _, encoded @ ..] = &mut text;
    // 20 bytes are 28 characters.
    let _ = BASE64_STANDARD.encode_slice(sha.finalize(), encoded);
    SmolStr::new(core::str::from_utf8(&text).unwrap_or_default())
}

/// A session's id: 64 bits of a hash over its endpoints and its first packet's time, so that the same capture gives the
/// same ids and two sensors never give one.
pub(super) fn session_id(client: Endpoint, server: Endpoint, first: Timestamp) -> SmolStr {
    let mut sha = Sha1::new();
    for end in [client, server] {
        add_octets(end.ip, &mut sha);
        sha.update(end.port.to_be_bytes());
    }
    sha.update(first.as_nanos().to_be_bytes());
    SmolStr::new(hex(sha.finalize().get(..8).unwrap_or_default()))
}

fn add_octets(ip: IpAddr, sha: &mut Sha1) {
    match ip {
        IpAddr::V4(v4) => sha.update(v4.octets()),
        IpAddr::V6(v6) => sha.update(v6.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::community_id;
    use crate::addr::Endpoint;

    #[test]
    fn the_specifications_example_comes_out() {
        let end = |ip: &str, port| Endpoint::new(ip.parse().unwrap(), port);
        let (a, b) = (end("128.232.110.120", 34_855), end("66.35.250.204", 80));
        assert_eq!(community_id(a, b), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(community_id(b, a), community_id(a, b));
    }
}
