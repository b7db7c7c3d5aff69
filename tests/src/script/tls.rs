//! The TLS messages that stand in clear text at the beginning of a connection (RFC 8446 section 4.1), and records
//! with contents that are not decrypted.

use anyhow::{Result, bail};

/// A ClientHello that offers TLS 1.3 and 1.2, asks for `server_name` (RFC 6066 section 3; none if empty) and offers
/// protocols (RFC 7301).
pub fn client_hello(server_name: &str, protocols: &[&str]) -> Vec<u8> {
    let mut extensions = Vec::new();
    if !server_name.is_empty() {
        let mut names = vec![0];
        prefixed(&mut names, server_name.as_bytes());
        let mut list = Vec::new();
        prefixed(&mut list, &names);
        extension(&mut extensions, 0, &list);
    }
    // supported_groups: x25519, secp256r1.
    extension(&mut extensions, 10, &[0, 4, 0, 0x1d, 0, 0x17]);
    // signature_algorithms: ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256.
    extension(&mut extensions, 13, &[0, 4, 4, 3, 8, 4]);
    let mut names = Vec::new();
    for name in protocols {
        names.push(name.len() as u8);
        names.extend_from_slice(name.as_bytes());
    }
    let mut list = Vec::new();
    prefixed(&mut list, &names);
    extension(&mut extensions, 16, &list);
    // supported_versions: 1.3, 1.2.
    extension(&mut extensions, 43, &[4, 3, 4, 3, 3]);
    let mut share = vec![0, 0x1d];
    prefixed(&mut share, &[0x11; 32]);
    let mut shares = Vec::new();
    prefixed(&mut shares, &share);
    extension(&mut extensions, 51, &shares);
    let mut body = hello_head(3);
    // TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256; no compression.
    body.extend([0, 4, 0x13, 0x01, 0xc0, 0x2f, 1, 0]);
    prefixed(&mut body, &extensions);
    handshake(1, &body)
}

/// A ServerHello that chooses a version of TLS (`1.0` to `1.3`), and a cipher suite or a usual one.
///
/// # Errors
/// There is no such version.
pub fn server_hello(version: &str, cipher: Option<u16>) -> Result<Vec<u8>> {
    let mut extensions = Vec::new();
    let mut body = hello_head(match version {
        "1.0" => 1,
        "1.1" => 2,
        _ => 3,
    });
    let usual = match version {
        "1.3" => {
            extension(&mut extensions, 43, &[3, 4]);
            let mut share = vec![0, 0x1d];
            prefixed(&mut share, &[0x22; 32]);
            extension(&mut extensions, 51, &share);
            0x1301
        }
        "1.2" => 0xc02f,
        // TLS_RSA_WITH_AES_128_CBC_SHA.
        "1.1" | "1.0" => 0x002f,
        _ => bail!("{version:?} is no version of TLS"),
    };
    body.extend(cipher.unwrap_or(usual).to_be_bytes());
    body.push(0);
    prefixed(&mut body, &extensions);
    Ok(handshake(2, &body))
}

/// A record of application data with `len` bytes that look like nothing.
pub fn application_data(len: u16) -> Vec<u8> {
    let noise: Vec<u8> = (0..u32::from(len)).map(|n| (n.wrapping_mul(2_654_435_761) >> 21) as u8).collect();
    record(23, &noise)
}

/// legacy_version, random, legacy_session_id.
fn hello_head(minor: u8) -> Vec<u8> {
    let mut head = vec![3, minor];
    head.extend([0x5a; 32]);
    head.push(0);
    head
}

fn extension(out: &mut Vec<u8>, kind: u16, body: &[u8]) {
    out.extend(kind.to_be_bytes());
    prefixed(out, body);
}

fn prefixed(out: &mut Vec<u8>, body: &[u8]) {
    out.extend((body.len() as u16).to_be_bytes());
    out.extend_from_slice(body);
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = (body.len() as u32).to_be_bytes();
    let mut message = vec![kind, high, middle, low];
    message.extend_from_slice(body);
    record(22, &message)
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, 3, if kind == 22 { 1 } else { 3 }];
    prefixed(&mut out, body);
    out
}
