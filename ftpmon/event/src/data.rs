//! Events of data connections.

use std::net::IpAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::connection::{ClosedBy, Handshake};
use super::control::Verb;
use super::process::LocalProcess;
use crate::addr::Endpoint;

/// The party that listens for the data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The server listens (PASV, EPSV, LPSV).
    Passive,
    /// The client listens (PORT, EPRT, LPRT).
    Active,
}

/// The source of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Via {
    /// 227 (RFC 959).
    #[serde(rename = "PASV")]
    Pasv,
    /// 229 (RFC 2428).
    #[serde(rename = "EPSV")]
    Epsv,
    /// PORT (RFC 959).
    #[serde(rename = "PORT")]
    Port,
    /// EPRT (RFC 2428).
    #[serde(rename = "EPRT")]
    Eprt,
    /// 228 (RFC 1639).
    #[serde(rename = "LPSV")]
    Lpsv,
    /// LPRT (RFC 1639).
    #[serde(rename = "LPRT")]
    Lprt,
    /// A list of endpoints, one a stripe, of a server (GFD.020).
    #[serde(rename = "SPAS")]
    Spas,
    /// A list of endpoints, one a stripe, of a client (GFD.020).
    #[serde(rename = "SPOR")]
    Spor,
    /// Nobody announced it readably: a connection between the two hosts of a session, or one to the default data port (RFC 959
    /// section 3.2).
    #[serde(rename = "inferred")]
    Inferred,
}

impl Via {
    /// The party that listens on an endpoint learned this way; none for an inferred one.
    pub const fn mode(self) -> Option<Mode> {
        match self {
            Self::Pasv | Self::Epsv | Self::Lpsv | Self::Spas => Some(Mode::Passive),
            Self::Port | Self::Eprt | Self::Lprt | Self::Spor => Some(Mode::Active),
            Self::Inferred => None,
        }
    }
}

/// The relation of the announced address to the peer that announced it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nat {
    /// The same, or none announced.
    None,
    /// A private address (RFC 1918, RFC 4193) that is not the peer's.
    Private,
    /// 0.0.0.0 or ::.
    Unspecified,
    /// Another address.
    Mismatch,
}

/// `data_channel`: an endpoint is learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataChannel {
    /// The command that announced it, or whose reply did.
    pub tx: u64,
    /// The endpoint.
    pub data: DataAnnouncement,
}

/// The endpoint at which a data connection is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataAnnouncement {
    /// The party that listens; left out where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The source of the endpoint.
    pub via: Via,
    /// The address where the connection is expected.
    pub ip: IpAddr,
    /// The port where it is expected.
    pub port: u16,
    /// The address that the peer said, when it said one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertised_ip: Option<IpAddr>,
    /// The relation of the two.
    pub nat: Nat,
}

/// `transfer`: one file or listing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transfer {
    /// The transfer command; 0 for a data connection without one.
    pub tx: u64,
    /// The transfer and its outcome.
    pub transfer: TransferFacts,
    /// The data connection; left out where there was none and no endpoint was announced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataConnection>,
    /// With `--files`, for the side that sent bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileFacts>,
    /// The process that holds the client's end of the data connection, where that is on the sensor's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_process: Option<Arc<LocalProcess>>,
    /// The process that holds the server's end of the data connection, where that is on the sensor's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_process: Option<Arc<LocalProcess>>,
}

/// The transfer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TransferFacts {
    /// The transfer command; left out where none was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verb: Option<Verb>,
    /// Which way; left out where neither verb nor bytes tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<FileDirection>,
    /// The command's argument.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arg: Option<SmolStr>,
    /// Absolute path, from the working directory as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<SmolStr>,
    /// The path's bytes, where they are no valid UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_hex: Option<Box<str>>,
    /// The offset in the file at which it started (REST), bytes.
    pub offset: u64,
    /// TYPE in force; left out where it is not known.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub representation: Option<RepresentationType>,
    /// The size by the dialogue (150, 213, ALLO), bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_bytes: Option<u64>,
    /// Payload bytes of the side that sent the file.
    pub bytes: u64,
    /// Bits a second over the data connection's life; left out where that is too short to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_bps: Option<u64>,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason for which its connection may have gone by unseen: the name of a counter in `stats`. Only with `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<SmolStr>,
    /// The final reply's code; left out where none was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
}

/// Which way a transfer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileDirection {
    /// From server to client: RETR.
    Download,
    /// From client to server: STOR, APPE, STOU.
    Upload,
    /// From server to client: LIST, NLST, MLSD.
    Listing,
}

impl FileDirection {
    /// Every direction, in the order of declaration.
    pub const ALL: [Self; 3] = [Self::Download, Self::Upload, Self::Listing];

    /// The name that events have.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Upload => "upload",
            Self::Listing => "listing",
        }
    }
}

/// TYPE of RFC 959 section 3.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RepresentationType {
    /// A.
    Ascii,
    /// I (and L 8).
    Image,
    /// E.
    Ebcdic,
}

/// The outcome of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The server said so (226, 250) and the data connection closed in order.
    Complete,
    /// 426, ABOR, or the data connection was reset.
    Aborted,
    /// The server refused the command (4yz or 5yz without 1yz).
    Refused,
    /// The server took the command and failed at it (425, 451, 452, 552 and the like).
    Failed,
    /// The server said done, but no data connection was seen.
    NoData,
    /// The server said done, but fewer bytes than declared were moved.
    Short,
    /// Nothing that was seen tells.
    Unknown,
}

impl Outcome {
    /// Every outcome, in the order of declaration.
    pub const ALL: [Self; 7] = [
        Self::Complete,
        Self::Aborted,
        Self::Refused,
        Self::Failed,
        Self::NoData,
        Self::Short,
        Self::Unknown,
    ];

    /// The transfer failed. Where nothing tells, as under TLS, or the connection was not seen, it did not.
    pub const fn is_failure(self) -> bool {
        match self {
            Self::Aborted | Self::Refused | Self::Failed | Self::Short => true,
            Self::Complete | Self::NoData | Self::Unknown => false,
        }
    }

    /// The name that events have.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Aborted => "aborted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::NoData => "no_data",
            Self::Short => "short",
            Self::Unknown => "unknown",
        }
    }
}

/// A data connection, or the endpoint where one was expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataConnection {
    /// The announcement.
    #[serde(flatten)]
    pub announced: DataAnnouncement,
    /// The end that opened the connection; left out where no connection was seen (as are the fields below).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiator: Option<Endpoint>,
    /// The end that accepted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<Endpoint>,
    /// Payload bytes from the session's client, each byte once.
    pub bytes_from_client: u64,
    /// Payload bytes from the session's server, each byte once.
    pub bytes_from_server: u64,
    /// Of those, bytes that were never seen.
    pub gap_bytes: u64,
    /// Payload bytes seen again.
    pub retransmitted_bytes: u64,
    /// Its TCP handshake, step by step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handshake>,
    /// From SYN to the ACK that completes the handshake, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake_us: Option<u64>,
    /// From first to last packet, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// The end that closed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<ClosedBy>,
    /// The data connection carries TLS (PROT P): an end's first bytes are a TLS handshake.
    pub tls: bool,
    /// The facts in its hellos.
    #[serde(flatten)]
    pub tls_facts: DataTls,
}

/// The facts in the TLS hellos of a data connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataTls {
    /// The version that the server chose, `TLSv1.3`; left out where it was not seen.
    #[serde(rename = "tls_version", skip_serializing_if = "Option::is_none")]
    pub version: Option<SmolStr>,
    /// The cipher suite that the server chose, as IANA names it; left out where it was not seen.
    #[serde(rename = "tls_cipher", skip_serializing_if = "Option::is_none")]
    pub cipher: Option<SmolStr>,
    /// The server name that the client asked for (RFC 6066 section 3).
    #[serde(rename = "tls_sni", skip_serializing_if = "Option::is_none")]
    pub sni: Option<SmolStr>,
    /// The protocols that the client offered, the first eight (RFC 7301); left out where it offered none.
    #[serde(rename = "tls_alpn", default, skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<SmolStr>,
    /// JA4 of the ClientHello; left out where it was not seen whole.
    #[serde(rename = "tls_ja4", skip_serializing_if = "Option::is_none")]
    pub ja4: Option<SmolStr>,
}

/// The facts about a transferred file, with `--files hash|extract`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileFacts {
    /// SHA-256 in hexadecimal; left out where bytes are missing, and where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<SmolStr>,
    /// SHA-1 in hexadecimal; likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha1: Option<SmolStr>,
    /// MD5 in hexadecimal; likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub md5: Option<SmolStr>,
    /// Bytes that were hashed: up to the first that is missing.
    pub size: u64,
    /// Bytes that an archive (ZIP, gzip) says it holds, by its headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpacked: Option<u64>,
    /// MIME type by content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime: Option<SmolStr>,
    /// The stealer of passwords whose loot begins as this file does: `LaZagne`, `AgentTesla`, `Snake`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loot: Option<SmolStr>,
    /// All bytes from the connection's first to its FIN were seen.
    pub complete: bool,
    /// Which bytes of the peer's file these are, where they are not the whole of it or that is not known; left out where
    /// their place is not known either (the beginning went by unseen, APPE).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<FileRange>,
    /// The reason why the file is not whole, or not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<FileReason>,
    /// The path under which the file was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<String>,
    /// The file, where it was handed out to be stored. No part of the event.
    #[serde(skip)]
    pub id: Option<FileId>,
}

/// Names a file within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u64);

/// Bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileRange {
    /// The first byte, counted from 0.
    pub from: u64,
    /// The byte after the last.
    pub to: u64,
}

/// The reason why a file is not whole, or not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileReason {
    /// The transfer began within the file (REST, ERET P, ESTO A).
    Offset,
    /// No more of the file was wanted (ERET P): it may be the whole of it.
    Part,
    /// Not read: the data connection is not between the hosts of the session, nor between servers that both announced it, and
    /// `--data-hosts` does not allow it.
    OtherHost,
    /// Not read: the connection carried another protocol, or its listener serves one.
    OtherProtocol,
    /// Not read: the server did not take the client's announcement, as far as was seen.
    Unconfirmed,
    /// The connection's first bytes were not seen.
    Start,
    /// Bytes between were not seen: what is behind them is left out.
    Gap,
    /// The connection's orderly end was not seen: it was reset, or is still open.
    Unfinished,
    /// The transfer was aborted, failed, or ended short of the size that was declared.
    Aborted,
    /// It is larger than `--files-max-bytes`: its beginning was stored.
    SizeCap,
    /// Not stored: `--files-quota` is used up.
    Quota,
    /// Not stored: the file system is full.
    DiskFull,
    /// Not stored: too much was waiting to be written, or too many files were open.
    StoreBusy,
    /// Not stored: the directory could not be written to.
    StoreFailed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_are_serialized_and_all_are_in_order() {
        for (at, direction) in FileDirection::ALL.into_iter().enumerate() {
            assert_eq!((direction as usize, json(direction)), (at, direction.name().into()));
        }
        for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!((outcome as usize, json(outcome)), (at, outcome.name().into()));
        }
    }

    fn json(value: impl Serialize) -> serde_json::Value {
        serde_json::to_value(value).unwrap()
    }
}
