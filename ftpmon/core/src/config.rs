//! The settings of the core: caps, what becomes of secrets, and what is done with the bytes of files.

use smol_str::SmolStr;

pub use crate::networks::{Network, Networks, NoNetwork};
pub use crate::tcp::Checksums;

/// The treatment of the secrets that clients send (PASS, ACCT).
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Secrets {
    /// `***` stands in their place.
    #[default]
    Mask,
    /// HMAC-SHA256 under this key, so that equal secrets can be recognised and not read.
    Hash([u8; 32]),
    /// They are shown.
    Show,
}

impl core::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Mask => "Mask",
            Self::Hash(_) => "Hash",
            Self::Show => "Show",
        })
    }
}

impl Secrets {
    /// The text of an event in place of `secret`, already decoded as `text`.
    pub fn render(&self, secret: &[u8], text: SmolStr) -> SmolStr {
        match self {
            Self::Mask => SmolStr::new_static("***"),
            Self::Hash(key) => keyed_hash(key, secret),
            Self::Show => text,
        }
    }
}

/// The first 16 bytes of HMAC-SHA256 (RFC 2104), in hexadecimal behind `hmac:`.
fn keyed_hash(key: &[u8; 32], secret: &[u8]) -> SmolStr {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(key) else {
        return SmolStr::new_static("***");
    };
    mac.update(secret);
    let tag = mac.finalize().into_bytes();
    let head: String = crate::text::hex(tag.get(..16).unwrap_or(&tag));
    smol_str::format_smolstr!("hmac:{head}")
}

/// The use of the bytes of data connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilesMode {
    /// They are counted.
    #[default]
    Off,
    /// Hashes and MIME type of each file.
    Hash,
    /// The same, and the files themselves are handed out.
    Extract,
}

/// The hashes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashes {
    /// SHA-256 (FIPS 180-4).
    pub sha256: bool,
    /// SHA-1 (FIPS 180-4): for lists that know no better one.
    pub sha1: bool,
    /// MD5 (RFC 1321): likewise.
    pub md5: bool,
}

impl Default for Hashes {
    fn default() -> Self {
        Self { sha256: true, sha1: false, md5: false }
    }
}

/// The caps on everything that a peer could make grow. Each is reported in `sensor_start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections of any kind followed at once. Stops a flood of connections: the one idle longest is evicted.
    pub flows: usize,
    /// Connections that ended and are remembered, for 10 s at most, so that their late packets start nothing. Stops a flood of
    /// short connections: the one that ended first is evicted.
    pub ended_flows: usize,
    /// Commands of a session that may wait for a reply. Stops a client that only sends.
    pub pending_commands: usize,
    /// Transfers of a session that may be unfinished. Stops a client that only announces.
    pub open_transfers: usize,
    /// Announced endpoints of all sessions that wait for a connection. Stops a flood of PORT and 227.
    pub announced_endpoints: usize,
    /// Seconds that an announced endpoint waits for its connection.
    pub announcement_s: u32,
    /// Seconds without a packet after which a control connection is given up.
    pub control_idle_s: u32,
    /// Seconds without a packet after which any other connection is given up.
    pub data_idle_s: u32,
    /// Milliseconds that bytes of a dialogue which their receiver acknowledged, and which were not seen, are waited for before
    /// they are a gap; `u32::MAX` for however long. A few further segments of the connection end the wait as well.
    pub late_ms: u32,
    /// Bytes of undecided connections held until it is decided whether they are FTP. Stops a flood of unfinished greetings.
    pub probe_bytes: usize,
    /// With files wanted: bytes held of connections between the hosts of a session whose announcement may be behind, for up to
    /// 10 s; 4 MiB a connection. Stops bulk connections beside a session. Beyond it such a connection's file is incomplete.
    pub early_bytes: usize,
    /// With files wanted: bytes held because others are missing before them, of all connections together. Stops many
    /// connections with a hole each. Beyond it the oldest hole is given up, and that file is incomplete.
    pub reorder_bytes: usize,
    /// Memory of all connections and sessions together, bytes: tables, commands that wait, lines and replies that are not complete,
    /// bytes held for a decision. Stops floods that stay below every other cap. The longest idle gives way, those whose server
    /// never answered first.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// For capture files: however long a connection was silent, it continues where it was. What it costs is bounded by the
    /// number of flows; its end is FIN, RST, the ports used again, or the end of the input.
    pub const UNHURRIED: Self =
        Self { control_idle_s: u32::MAX, data_idle_s: u32::MAX, late_ms: u32::MAX, ..Self::DEFAULT };

    /// Memory of all connections and sessions unless another limit is given, bytes.
    pub const MEMORY_BYTES_DEFAULT: usize = 256 << 20;

    const DEFAULT: Self = Self {
        flows: 524_288,
        ended_flows: 131_072,
        pending_commands: 1_024,
        open_transfers: 64,
        announced_endpoints: 131_072,
        announcement_s: 300,
        control_idle_s: 3_600,
        data_idle_s: 300,
        late_ms: 500,
        probe_bytes: 8 << 20,
        early_bytes: 8 << 20,
        reorder_bytes: 16 << 20,
        memory_bytes: Self::MEMORY_BYTES_DEFAULT,
    };

    /// Every cap with its name, as `sensor_start` gives it.
    pub fn named(&self) -> [(&'static str, u64); 13] {
        [
            ("flows", self.flows as u64),
            ("ended_flows", self.ended_flows as u64),
            ("pending_commands", self.pending_commands as u64),
            ("open_transfers", self.open_transfers as u64),
            ("announced_endpoints", self.announced_endpoints as u64),
            ("announcement_s", u64::from(self.announcement_s)),
            ("control_idle_s", u64::from(self.control_idle_s)),
            ("data_idle_s", u64::from(self.data_idle_s)),
            ("late_ms", u64::from(self.late_ms)),
            ("probe_bytes", self.probe_bytes as u64),
            ("early_bytes", self.early_bytes as u64),
            ("reorder_bytes", self.reorder_bytes as u64),
            ("memory_bytes", self.memory_bytes as u64),
        ]
    }
}

/// The settings of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Ports whose connections are control connections in clear text.
    pub control_ports: Vec<u16>,
    /// Ports whose connections are control connections under TLS from the first byte.
    pub tls_ports: Vec<u16>,
    /// Look for FTP by content on every other port as well. For capture files: the kernel selects by port.
    pub detect_by_content: bool,
    /// The treatment of secrets.
    pub secrets: Secrets,
    /// The use of transferred bytes.
    pub files: FilesMode,
    /// Networks of hosts that data connections may go to or come from though they are neither of the session's hosts: what such
    /// connections carry is read as a file's. Without it only a transfer between two servers is, each of which announced it.
    pub data_hosts: Vec<Network>,
    /// Networks whose sessions are followed, or left out.
    pub networks: Networks,
    /// Which hashes a file gets. With [`FilesMode::Extract`] SHA-256 is to be one of them: it is the file's name.
    pub hashes: Hashes,
    /// Bytes of a file that are handed out at most, with [`FilesMode::Extract`].
    pub file_bytes_max: u64,
    /// The caps.
    pub limits: Limits,
    /// Which checksums count.
    pub checksums: Checksums,
    /// Selector updates are wanted. Not for capture files: nothing selects packets there.
    pub selects: bool,
    /// Partitions, 1 to 64. Results do not depend on it, except where a cap is reached: each partition has its share.
    pub partitions: u8,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            control_ports: vec![21],
            tls_ports: vec![990],
            detect_by_content: false,
            secrets: Secrets::default(),
            files: FilesMode::default(),
            data_hosts: Vec::new(),
            networks: Networks::default(),
            hashes: Hashes::default(),
            file_bytes_max: u64::MAX,
            limits: Limits::default(),
            checksums: Checksums::default(),
            selects: true,
            partitions: 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Secrets;

    #[test]
    fn equal_secrets_have_equal_hashes_and_other_keys_other_ones() {
        let render =
            |key: u8, secret: &str| Secrets::Hash([key; 32]).render(secret.as_bytes(), secret.into());
        assert_eq!(render(1, "hunter2"), render(1, "hunter2"));
        assert_ne!(render(1, "hunter2"), render(2, "hunter2"));
        assert!(!render(1, "hunter2").contains("hunter2"));
        assert_eq!(Secrets::Mask.render(b"hunter2", "hunter2".into()), "***");
    }
}
