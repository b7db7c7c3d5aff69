//! Reply times by server and verb.

use std::collections::BTreeMap;

use ftpmon_event::addr::Endpoint;
use serde::{Serialize, Serializer};

use super::latency::Latency;

/// Pairs of a server and a verb. Stops a file that invents servers from filling memory; replies of further pairs are in the table by
/// verb alone.
const PAIRS_MAX: usize = 20_000;
/// Pairs that a report has: the slowest.
const SHOWN: usize = 25;
/// Replies of a pair that is shown, at least: one slow reply is no slow server.
const REPLIES_MIN: u64 = 3;

/// The distributions.
#[derive(Debug, Default)]
pub(super) struct Servers(BTreeMap<(Endpoint, &'static str), Latency>);

/// The reply times of a server to a verb.
#[derive(Serialize)]
pub(super) struct Pair<'s> {
    pub(super) server: String,
    pub(super) verb: &'static str,
    #[serde(flatten)]
    pub(super) latency: &'s Latency,
}

impl Servers {
    /// Adds a reply time.
    pub(super) fn add(&mut self, server: Endpoint, verb: &'static str, us: u64) {
        let has_room = self.0.len() < PAIRS_MAX || self.0.contains_key(&(server, verb));
        if has_room {
            self.0.entry((server, verb)).or_default().add(us);
        }
    }

    /// The slowest: by the time below which 95 of 100 replies are, then by the longest.
    pub(super) fn slowest(&self) -> Vec<Pair<'_>> {
        let mut pairs: Vec<_> = self.0.iter().filter(|(_, latency)| latency.count() >= REPLIES_MIN).collect();
        pairs.sort_by_key(|(_, latency)| core::cmp::Reverse((latency.percentile(95), latency.max_us())));
        let pair = |((server, verb), latency): (&(Endpoint, &'static str), _)| Pair {
            server: server.to_string(),
            verb,
            latency,
        };
        pairs.into_iter().take(SHOWN).map(pair).collect()
    }
}

impl Serialize for Servers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.slowest().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    #[test]
    fn the_slowest_server_is_the_first_and_one_reply_is_none() {
        let mut servers = Servers::default();
        let of = |host: u8| sample::endpoint(&format!("192.0.2.{host}:21"));
        for us in [100, 200, 300] {
            servers.add(of(1), "RETR", us);
            servers.add(of(2), "RETR", us * 1_000);
        }
        servers.add(of(3), "LIST", 9_000_000);
        let slowest: Vec<String> = servers.slowest().into_iter().map(|pair| pair.server).collect();
        assert_eq!(slowest, ["192.0.2.2:21", "192.0.2.1:21"]);
    }

    #[test]
    fn invented_servers_have_no_room() {
        let mut servers = Servers::default();
        for number in 0..PAIRS_MAX + 9 {
            let host = format!("10.{}.{}.{}:21", number >> 16, number >> 8 & 255, number & 255);
            servers.add(sample::endpoint(&host), "NOOP", 1);
        }
        assert_eq!(servers.0.len(), PAIRS_MAX);
    }
}
