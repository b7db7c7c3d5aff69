//! The fields that all events of one control connection have in common.

use core::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha1::{Digest as _, Sha1};
use smol_str::SmolStr;

use crate::addr::Endpoint;
use crate::link::{InterfaceId, VlanTags};
use crate::text::hex_digits;
use crate::time::Timestamp;

/// IANA's number of TCP.
const TCP: u8 = 6;
const SESSION_ID_LEN: usize = 16;
const COMMUNITY_ID_LEN: usize = 30;

/// Names a run of the sensor: random, so that no two runs have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunId(pub u64);

/// 16 hexadecimal digits.
impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let run = u64::from_str_radix(&text, 16).ok().map(Self).filter(|run| run.to_string() == text);
        run.ok_or_else(|| D::Error::custom(format_args!("`{text}` is no run: 16 hexadecimal digits")))
    }
}

/// A control connection. Its two names are made of the rest when somebody first asks for them: `ftpmon read` writes them on
/// another thread than the one that everything waits for.
#[derive(Clone)]
pub struct SessionIdentity {
    /// The end that sends commands.
    pub client: Endpoint,
    /// The end that sends replies.
    pub server: Endpoint,
    /// When its first packet was seen.
    pub first: Timestamp,
    /// The interface that first showed it.
    pub interface: InterfaceId,
    /// That interface's name, where it has one.
    pub iface: Option<Arc<str>>,
    /// The VLAN tags of its first frame.
    pub vlan: VlanTags,
    /// The number of connections of the same ends and the same first time before it in this run.
    nth: u32,
    id: Name<SESSION_ID_LEN>,
    community_id: Name<COMMUNITY_ID_LEN>,
}

impl SessionIdentity {
    /// A control connection of which `first` is the first packet's time; without an interface's name and tags.
    pub fn new(client: Endpoint, server: Endpoint, first: Timestamp, interface: InterfaceId) -> Self {
        Self {
            client,
            server,
            first,
            interface,
            iface: None,
            vlan: VlanTags::default(),
            nth: 0,
            id: Name::default(),
            community_id: Name::default(),
        }
    }

    /// The same control connection as the `nth` of a run, counted from 0, that has these ends and this first time. A capture
    /// that holds the same packets twice has such connections.
    pub fn with_nth(mut self, nth: u32) -> Self {
        self.nth = nth;
        self.id = Name::default();
        self
    }

    /// Unique within and across runs: 64 bits of a hash over its ends, its first packet's time and its number among
    /// connections for which those are equal. The same capture gives the same ids whenever it is read.
    pub fn id(&self) -> &str {
        self.id.text(|| session_id(self.client, self.server, self.first, self.nth))
    }

    /// The same as a number, for tables: equal where the ids are.
    pub fn number(&self) -> u128 {
        u128::from_le_bytes(*self.id.bytes(|| session_id(self.client, self.server, self.first, self.nth)))
    }

    /// The id that has a [number](Self::number).
    pub fn id_of(number: u128) -> SmolStr {
        SmolStr::new(core::str::from_utf8(&number.to_le_bytes()).unwrap_or_default())
    }

    /// Community ID 1.0 of it, with seed 0.
    pub fn community_id(&self) -> &str {
        self.community_id.text(|| community_id(self.client, self.server))
    }

    /// With another id than what it is made of would give: the last 16 characters of `id`.
    pub fn with_id(mut self, id: &str) -> Self {
        let mut bytes = [b'0'; SESSION_ID_LEN];
        bytes.iter_mut().rev().zip(id.bytes().rev()).for_each(|(to, from)| *to = from);
        self.id = Name(OnceLock::from(bytes));
        self
    }
}

/// Equal where events say the same of both. The time of the first packet and the interface's number are no part of an event.
impl PartialEq for SessionIdentity {
    fn eq(&self, other: &Self) -> bool {
        let said = |it: &Self| (it.client, it.server, it.vlan);
        said(self) == said(other) && self.iface == other.iface && self.id() == other.id()
    }
}

impl Eq for SessionIdentity {}

impl fmt::Debug for SessionIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} to {})", self.id(), self.client, self.server)
    }
}

/// The fields that a control connection has in an event.
#[derive(Serialize)]
pub(crate) struct IdentityFields<'a> {
    session: &'a str,
    community_id: &'a str,
    client: Endpoint,
    server: Endpoint,
    #[serde(skip_serializing_if = "Option::is_none")]
    iface: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    vlan: &'a [u16],
}

impl<'a> From<&'a SessionIdentity> for IdentityFields<'a> {
    fn from(identity: &'a SessionIdentity) -> Self {
        Self {
            session: identity.id(),
            community_id: identity.community_id(),
            client: identity.client,
            server: identity.server,
            iface: identity.iface.as_deref(),
            vlan: identity.vlan.as_slice(),
        }
    }
}

/// From the fields of an event.
impl<'de> Deserialize<'de> for SessionIdentity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields {
            session: String,
            community_id: String,
            client: Endpoint,
            server: Endpoint,
            iface: Option<Arc<str>>,
            #[serde(default)]
            vlan: VlanTags,
        }
        let Fields { session, community_id, client, server, iface, vlan } =
            Fields::deserialize(deserializer)?;
        let id: [u8; SESSION_ID_LEN] = session
            .as_bytes()
            .try_into()
            .ok()
            .filter(|id: &[u8; SESSION_ID_LEN]| id.is_ascii())
            .ok_or_else(|| D::Error::custom(format_args!("`{session}` is no session id")))?;
        let mut community = [0; COMMUNITY_ID_LEN];
        if !community_id.is_ascii() || community_id.len() != community.len() {
            return Err(D::Error::custom(format_args!("`{community_id}` is no Community ID")));
        }
        community.copy_from_slice(community_id.as_bytes());
        let identity = Self::new(client, server, Timestamp::default(), InterfaceId::default());
        Ok(Self {
            iface,
            vlan,
            id: Name(OnceLock::from(id)),
            community_id: Name(OnceLock::from(community)),
            ..identity
        })
    }
}

/// `N` ASCII characters, once they are asked for.
#[derive(Clone, Default)]
struct Name<const N: usize>(OnceLock<[u8; N]>);

impl<const N: usize> Name<N> {
    fn bytes(&self, make: impl FnOnce() -> [u8; N]) -> &[u8; N] {
        self.0.get_or_init(make)
    }

    fn text(&self, make: impl FnOnce() -> [u8; N]) -> &str {
        core::str::from_utf8(self.bytes(make)).unwrap_or_default()
    }
}

/// The same whichever end is named first.
fn community_id(a: Endpoint, b: Endpoint) -> [u8; COMMUNITY_ID_LEN] {
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
    text
}

fn session_id(client: Endpoint, server: Endpoint, first: Timestamp, nth: u32) -> [u8; SESSION_ID_LEN] {
    let mut sha = Sha1::new();
    for end in [client, server] {
        add_octets(end.ip, &mut sha);
        sha.update(end.port.to_be_bytes());
    }
    sha.update(first.as_nanos().to_be_bytes());
    if nth > 0 {
        sha.update(nth.to_be_bytes());
    }
    let hash = sha.finalize();
    let mut text = [0; SESSION_ID_LEN];
    for (digits, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(hash) {
        *digits = hex_digits(byte);
    }
    text
}

fn add_octets(ip: IpAddr, sha: &mut Sha1) {
    match ip {
        IpAddr::V4(v4) => sha.update(v4.octets()),
        IpAddr::V6(v6) => sha.update(v6.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, InterfaceId, SessionIdentity, Timestamp};

    #[test]
    fn the_specifications_example_of_a_community_id_comes_out() {
        let end = |ip: &str, port| Endpoint::new(ip.parse().unwrap(), port);
        let (a, b) = (end("128.232.110.120", 34_855), end("66.35.250.204", 80));
        let of = |a, b| SessionIdentity::new(a, b, Timestamp::from_nanos(1), InterfaceId(0));
        assert_eq!(of(a, b).community_id(), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(of(b, a).community_id(), of(a, b).community_id());
        assert_ne!(of(b, a).id(), of(a, b).id());
        assert_eq!(of(a, b).with_nth(0).id(), of(a, b).id());
        assert_ne!(of(a, b).with_nth(1).id(), of(a, b).id());
        assert_ne!(of(a, b).with_nth(2).id(), of(a, b).with_nth(1).id());
        assert_eq!(of(a, b).number(), of(a, b).with_nth(0).number());
        assert_eq!(SessionIdentity::id_of(of(a, b).number()), of(a, b).id());
        assert_ne!(of(a, b).with_nth(1).number(), of(a, b).number());
        assert!(of(a, b).id().len() == 16 && of(a, b).id().bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
