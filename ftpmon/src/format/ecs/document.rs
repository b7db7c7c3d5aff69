//! The fields of the Elastic Common Schema that ftpmon fills, one struct a field set.

use std::net::IpAddr;

use serde::Serialize;
use smol_str::SmolStr;

use ftpmon_event::{EventKind, RunId};

/// The version of the Elastic Common Schema whose names and types these are.
pub(super) const ECS_VERSION: &str = "8.17.0";

#[derive(Serialize)]
pub(super) struct Document<'a> {
    #[serde(rename = "@timestamp")]
    pub(super) timestamp: &'a str,
    pub(super) ecs: Ecs,
    pub(super) event: EventFields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<&'a str>,
    pub(super) observer: Observer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network: Option<Network<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Party>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) destination: Option<Party>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<FileFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<TlsFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) process: Option<ProcessFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) container: Option<Container<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rule: Option<Rule<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) related: Option<Related<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) threat: Option<Threat<'a>>,
    /// The content that has no common field.
    pub(super) ftpmon: OwnFields<'a>,
}

#[derive(Serialize)]
pub(super) struct Threat<'a> {
    pub(super) technique: Technique<'a>,
}

#[derive(Serialize)]
pub(super) struct Technique<'a> {
    pub(super) id: [&'a str; 1],
}

#[derive(Serialize)]
pub(super) struct Rule<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
}

/// The run, the session and the event's own fields, as ftpmon's schema has them.
#[derive(Serialize)]
pub(super) struct OwnFields<'a> {
    pub(super) run: RunId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<&'a str>,
    #[serde(flatten)]
    pub(super) kind: &'a EventKind,
}

#[derive(Serialize)]
pub(super) struct Ecs {
    pub(super) version: &'static str,
}

#[derive(Serialize)]
pub(super) struct EventFields<'a> {
    pub(super) kind: &'static str,
    pub(super) category: &'static [&'static str],
    #[serde(rename = "type")]
    pub(super) types: &'static [&'static str],
    pub(super) action: &'a str,
    pub(super) module: &'static str,
    pub(super) dataset: String,
    pub(super) sequence: u64,
    /// The run and `seq`: no two events have the same.
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    /// Nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) severity: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Observer<'a> {
    pub(super) name: &'a str,
    pub(super) product: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ingress: Option<Ingress<'a>>,
}

#[derive(Serialize)]
pub(super) struct Ingress<'a> {
    pub(super) interface: Named<'a>,
}

#[derive(Serialize)]
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
}

#[derive(Serialize)]
pub(super) struct Network<'a> {
    pub(super) transport: &'static str,
    pub(super) protocol: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) community_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vlan: Option<Vlan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inner: Option<Inner>,
}

#[derive(Serialize)]
pub(super) struct Inner {
    pub(super) vlan: Vlan,
}

#[derive(Serialize)]
pub(super) struct Vlan {
    pub(super) id: String,
}

#[derive(Serialize)]
pub(super) struct Party {
    pub(super) address: IpAddr,
    pub(super) ip: IpAddr,
    pub(super) port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
}

#[derive(Default, Serialize)]
pub(super) struct FileFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mime_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hash: Option<Hash<'a>>,
}

#[derive(Serialize)]
pub(super) struct Hash<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sha1: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) md5: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct TlsFields<'a> {
    pub(super) established: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version_protocol: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cipher: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<TlsClient<'a>>,
}

#[derive(Serialize)]
pub(super) struct TlsClient<'a> {
    pub(super) server_name: &'a SmolStr,
}

#[derive(Serialize)]
pub(super) struct Related<'a> {
    pub(super) ip: Vec<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hash: Option<Vec<&'a str>>,
}

#[derive(Serialize)]
pub(super) struct ProcessFields<'a> {
    pub(super) pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) executable: Option<&'a str>,
    pub(super) user: ProcessUser<'a>,
}

#[derive(Serialize)]
pub(super) struct ProcessUser<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Container<'a> {
    pub(super) id: &'a str,
}
