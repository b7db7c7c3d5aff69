//! The names of a control connection: its session id and its Community ID.

use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest as _, Sha1};
use smol_str::{SmolStr, format_smolstr};

use crate::addr::Endpoint;
use crate::text::hex;
use crate::time::Timestamp;

/// IANA's number of TCP.
const TCP: u8 = 6;

/// Community ID 1.0 with seed 0 of a TCP connection: the same whichever end is named first.
pub(super) fn community_id(a: Endpoint, b: Endpoint) -> SmolStr {
    let (low, high) = if (octets(a.ip), a.port) <= (octets(b.ip), b.port) { (a, b) } else { (b, a) };
    let mut sha = Sha1::new();
    sha.update([0, 0]);
    sha.update(octets(low.ip));
    sha.update(octets(high.ip));
    sha.update([TCP, 0]);
    sha.update(low.port.to_be_bytes());
    sha.update(high.port.to_be_bytes());
    format_smolstr!("1:{}", BASE64_STANDARD.encode(sha.finalize()))
}

/// A session's id: 64 bits of a hash over its endpoints and its first packet's time, so that the same capture gives the
/// same ids and two sensors never give one.
pub(super) fn session_id(client: Endpoint, server: Endpoint, first: Timestamp) -> SmolStr {
    let mut sha = Sha1::new();
    for end in [client, server] {
        sha.update(octets(end.ip));
        sha.update(end.port.to_be_bytes());
    }
    sha.update(first.as_nanos().to_be_bytes());
    SmolStr::new(hex(sha.finalize().get(..8).unwrap_or_default()))
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
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
