//! Lists of the operator: hashes, names, networks, TLS fingerprints and users that are known to be bad.

use std::net::IpAddr;

use ipnet::IpNet;
use sha2::{Digest as _, Sha256};
use smol_str::{SmolStr, format_smolstr};

use super::alerts::{Alerts, Heading};
use super::entry::{Detector, Threshold};
use super::facts::{hosts, last_part, path, transfer};
use super::glob::is_like;
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind, EventType};

/// Entries of a list. Stops a wrong file from filling memory: they take 16 to 32 bytes each.
pub const LIST_ENTRIES_MAX: usize = 4_000_000;
/// Patterns of a list of names: each is compared with each name. Stops lists that make transfers slow.
pub const PATTERNS_MAX: usize = 4_096;
/// An alert a host and a day.
const THRESHOLD: Threshold = Threshold { count: 1, per_s: 86_400 };

/// The kind of a list's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// SHA-256, SHA-1 or MD5 of transferred files, in hexadecimal.
    Hashes,
    /// Names of transferred files; `*` and `?` stand for any characters and any character.
    Names,
    /// Networks and addresses of clients and servers.
    Networks,
    /// JA4 fingerprints of clients.
    Ja4,
    /// Users that try to log in.
    Users,
}

impl ListKind {
    /// Every kind, by its name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("hashes", Self::Hashes),
        ("names", Self::Names),
        ("networks", Self::Networks),
        ("ja4", Self::Ja4),
        ("users", Self::Users),
    ];

    /// The types of the events that a list of the kind has to see.
    pub const fn types(self) -> &'static [EventType] {
        match self {
            Self::Hashes | Self::Names => &[EventType::Transfer],
            Self::Networks => &[EventType::SessionStart],
            Self::Ja4 => &[EventType::Tls, EventType::Transfer],
            Self::Users => &[EventType::Login],
        }
    }
}

/// A list. It is filled entry by entry, and [sorted](Self::sort) then.
#[derive(Clone, Debug)]
pub struct List {
    name: SmolStr,
    kind: ListKind,
    /// Hashes as they are, and those of texts: their first 128 bits.
    digests: Vec<u128>,
    patterns: Vec<SmolStr>,
    /// First and last addresses.
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl List {
    /// An empty list. Alerts tell its name.
    pub fn new(name: &str, kind: ListKind) -> Self {
        let (digests, patterns, v4, v6) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { name: name.into(), kind, digests, patterns, v4, v6 }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// It is none of the list's kind, or the list is full.
    pub fn add(&mut self, entry: &str) -> Result<(), String> {
        if self.len() >= LIST_ENTRIES_MAX {
            return Err(format!("a list has {LIST_ENTRIES_MAX} entries at most"));
        }
        match self.kind {
            ListKind::Hashes => {
                let wrong = || format!("`{entry}` is no SHA-256, SHA-1 or MD5 in hexadecimal");
                self.digests.push(hash_of(entry).ok_or_else(wrong)?);
            }
            ListKind::Names if entry.contains(['*', '?']) => {
                if self.patterns.len() >= PATTERNS_MAX {
                    return Err(format!(
                        "a list has {PATTERNS_MAX} patterns at most; names without * and ? do not count"
                    ));
                }
                self.patterns.push(entry.into());
            }
            ListKind::Names | ListKind::Ja4 | ListKind::Users => self.digests.push(digest(entry)),
            ListKind::Networks => {
                let network = entry.parse::<IpNet>().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
                match network.map_err(|_| format!("`{entry}` is no network"))? {
                    IpNet::V4(net) => self.v4.push((net.network().into(), net.broadcast().into())),
                    IpNet::V6(net) => self.v6.push((net.network().into(), net.broadcast().into())),
                }
            }
        }
        Ok(())
    }

    /// The number of entries. After [`Self::sort`], of different ones.
    pub fn len(&self) -> usize {
        self.digests.len() + self.patterns.len() + self.v4.len() + self.v6.len()
    }

    /// It has no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts the entries in the order in which they are found.
    pub fn sort(&mut self) {
        self.digests.sort_unstable();
        self.digests.dedup();
        self.digests.shrink_to_fit();
        merge(&mut self.v4);
        merge(&mut self.v6);
    }

    /// The types of the events that it has to see.
    pub const fn types(&self) -> &'static [EventType] {
        self.kind.types()
    }

    /// A detector of what is on it.
    pub fn into_detector(self) -> Box<dyn Detector> {
        Box::new(OnList { list: self, hosts: Table::new(KEYS_MAX) })
    }

    fn has_digest(&self, digest: u128) -> bool {
        self.digests.binary_search(&digest).is_ok()
    }

    fn has_text(&self, text: &str) -> bool {
        !self.digests.is_empty() && self.has_digest(digest(text))
    }

    fn has_address(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(v4) => is_within(&self.v4, v4.into()),
            IpAddr::V6(v6) => is_within(&self.v6, v6.into()),
        }
    }

    /// The value of an event that is on it.
    fn found(&self, event: &Event) -> Option<SmolStr> {
        match self.kind {
            ListKind::Hashes => {
                let file = transfer(event)?.file.as_ref()?;
                let hashes = [&file.sha256, &file.sha1, &file.md5];
                let on_it = |hash: &&SmolStr| hash_of(hash).is_some_and(|digest| self.has_digest(digest));
                hashes.into_iter().flatten().find(on_it).cloned()
            }
            ListKind::Names => {
                let path = path(transfer(event)?);
                let name = last_part(path);
                let on_it = self.has_text(name) || self.patterns.iter().any(|pattern| is_like(pattern, name));
                (on_it && !name.is_empty()).then(|| name.into())
            }
            ListKind::Networks => {
                let (client, server) = hosts(event);
                let ip = [client, server].into_iter().find(|ip| self.has_address(*ip))?;
                Some(format_smolstr!("{ip}"))
            }
            ListKind::Ja4 => {
                let ja4 = match &event.kind {
                    EventKind::Tls(tls) => &tls.tls.ja4,
                    EventKind::Transfer(transfer) => &transfer.data.as_ref()?.tls_facts.ja4,
                    _ => return None,
                };
                ja4.clone().filter(|ja4| self.has_text(ja4))
            }
            ListKind::Users => match &event.kind {
                EventKind::Login(login) => login.login.user.clone().filter(|user| self.has_text(user)),
                _ => None,
            },
        }
    }
}

/// The first 128 bits of a hash in hexadecimal.
fn hash_of(hex: &str) -> Option<u128> {
    let is_hash = matches!(hex.len(), 32 | 40 | 64) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.get(..32).filter(|_| is_hash).and_then(|head| u128::from_str_radix(head, 16).ok())
}

/// The first 128 bits of a text's SHA-256: nobody finds two texts for which they are equal.
fn digest(text: &str) -> u128 {
    let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let (head, _) = hash.split_at(16);
    head.iter().fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

/// Sorts ranges and joins those that overlap.
fn merge<T: Ord + Copy>(ranges: &mut Vec<(T, T)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, before| {
        let overlaps = next.0 <= before.1;
        if overlaps {
            before.1 = before.1.max(next.1);
        }
        overlaps
    });
    ranges.shrink_to_fit();
}

fn is_within<T: Ord + Copy>(ranges: &[(T, T)], address: T) -> bool {
    let behind = ranges.partition_point(|(first, _)| *first <= address);
    behind.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| address <= *last)
}

/// A list at work.
struct OnList {
    list: List,
    hosts: Table<IpAddr, Watch>,
}

impl Detector for OnList {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let Some(found) = self.list.found(event) else { return };
        let (client, server) = hosts(event);
        let tx = transfer(event).map(|transfer| transfer.tx);
        let watch = self.hosts.entry(client);
        if let Some(incident) = watch.add(THRESHOLD, event, tx, &found) {
            let name = &self.list.name;
            let heading = Heading {
                id: SmolStr::new_static("list-match"),
                title: SmolStr::new_static("Something on a list of the operator was seen"),
                severity: 3,
                confidence: Confidence::High,
                technique: None,
            };
            let message = format!("{client} with {server}: {found} is on the list {name}");
            alerts.raise_under(heading, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        self.hosts.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::set::Detectors;
    use super::super::testing::{Session, alerts_from};
    use super::*;
    use crate::event::FileFacts;

    fn list(kind: ListKind, entries: &[&str]) -> List {
        let mut list = List::new("bad", kind);
        entries.iter().for_each(|entry| list.add(entry).unwrap());
        list.sort();
        list
    }

    fn messages(list: List, events: &[Event]) -> Vec<String> {
        let mut detectors = Detectors::default();
        detectors.add(list.types().iter().copied(), list.into_detector());
        alerts_from(detectors, events).into_iter().map(|alert| alert.message.to_string()).collect()
    }

    #[test]
    fn hashes_of_each_kind_are_found() {
        let hashed = |with: fn(&mut FileFacts, SmolStr), hash: &str| {
            Session::new(9).transfer("RETR", "/x", |transfer| {
                let mut file = FileFacts::default();
                with(&mut file, hash.into());
                transfer.file = Some(file);
            })
        };
        let (sha256, sha1, md5) = ("ab".repeat(32), "cd".repeat(20), "EF".repeat(16));
        let bad = || list(ListKind::Hashes, &[&sha256, &sha1, &md5]);
        for event in [
            hashed(|file, hash| file.sha256 = Some(hash), &sha256),
            hashed(|file, hash| file.sha1 = Some(hash), &sha1),
            hashed(|file, hash| file.md5 = Some(hash), &md5.to_ascii_lowercase()),
        ] {
            let told = messages(bad(), &[event]);
            assert!(told.len() == 1 && told[0].ends_with("is on the list bad"), "{told:?}");
        }
        let other = hashed(|file, hash| file.sha256 = Some(hash), &"12".repeat(32));
        assert!(messages(bad(), &[other, Session::new(9).upload(1, "/x")]).is_empty());
        for wrong in ["", "xyz", "ab", &"g".repeat(64), &"a".repeat(63)] {
            assert!(List::new("x", ListKind::Hashes).add(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_found_whole_and_by_pattern() {
        let bad = || list(ListKind::Names, &["evil.exe", "*.locked", "report-????.scr"]);
        for (path, found) in [
            ("/a/evil.exe", true),
            ("/x.doc.locked", true),
            ("/report-2026.scr", true),
            ("/report-26.scr", false),
            ("/evil.exe.txt", false),
            ("/locked", false),
            ("/", false),
        ] {
            assert_eq!(
                messages(bad(), &[Session::new(9).upload(1, path)]).len(),
                usize::from(found),
                "{path}"
            );
        }
    }

    #[test]
    fn networks_users_and_fingerprints_are_found() {
        let networks = || list(ListKind::Networks, &["192.0.2.8/30", "192.0.2.10", "2001:db8::/32"]);
        for (client, found) in [("192.0.2.9", 1), ("192.0.2.12", 0), ("2001:db8::5", 1), ("2001:db9::5", 0)] {
            let server = if client.contains(':') { "2001:dead::1" } else { "203.0.113.1" };
            assert_eq!(
                messages(networks(), &[Session::between(client, server, 1).start()]).len(),
                found,
                "{client}"
            );
        }
        let users = list(ListKind::Users, &["mallory"]);
        let logins = [Session::new(9).login("mallory", false), Session::new(8).login("bob", true)];
        assert_eq!(messages(users, &logins), ["192.0.2.9 with 192.0.2.1: mallory is on the list bad"]);
        let ja4 = "t13d1516h2_8daaf6152771_02713d6af862";
        let hello = Session::new(9).tls(|tls| tls.ja4 = Some(ja4.into()));
        assert_eq!(messages(list(ListKind::Ja4, &[ja4]), &[hello]).len(), 1);
    }

    #[test]
    fn ranges_that_overlap_are_one() {
        let networks = list(ListKind::Networks, &["10.0.0.0/8", "10.1.0.0/16", "11.0.0.1", "10.255.0.0/16"]);
        assert_eq!(networks.v4.len(), 2);
        assert!(
            networks.has_address("10.1.2.3".parse().unwrap())
                && !networks.has_address("11.0.0.2".parse().unwrap())
        );
    }

    #[test]
    fn a_million_entries_take_less_than_64_mib() {
        let mut hashes = List::new("bad", ListKind::Hashes);
        let mut networks = List::new("bad", ListKind::Networks);
        for number in 0..1_000_000_u64 {
            hashes.add(&format!("{number:016x}{:048x}", 0)).unwrap();
            networks.add(&format!("2001:db8:{:x}:{:x}::/64", number >> 16, number & 0xffff)).unwrap();
        }
        hashes.sort();
        networks.sort();
        let bytes =
            |list: &List| list.digests.capacity() * 16 + list.v4.capacity() * 8 + list.v6.capacity() * 32;
        assert!(bytes(&hashes) <= 64 << 20 && bytes(&networks) <= 64 << 20);
        assert_eq!(networks.len(), 1_000_000);
    }
}
