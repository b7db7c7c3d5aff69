//! Networks that the operator trusts with what detectors look for.

use core::fmt;
use core::str::FromStr;
use std::net::IpAddr;

use ipnet::IpNet;
use smol_str::SmolStr;

use crate::event::{AnomalyId, Event, EventKind};

/// Which host of a session an allowance is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The client.
    Client,
    /// The server.
    Server,
    /// The third host of a transfer between two servers (FXP): that which PORT names, or which connects to an announced port.
    Target,
}

impl Party {
    const NAMES: [(&'static str, Self); 3] =
        [("client", Self::Client), ("server", Self::Server), ("target", Self::Target)];
}

/// Sessions that a detector does not see: those whose client, server or third host is in a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The detector's id; none for every detector.
    pub detector: Option<SmolStr>,
    /// The host that is meant.
    pub party: Party,
    /// Its network.
    pub network: IpNet,
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = &self.detector {
            write!(f, "{id}=")?;
        }
        let named = Party::NAMES.iter().find(|(_, party)| *party == self.party && *party != Party::Client);
        if let Some((name, _)) = named {
            write!(f, "{name}:")?;
        }
        self.network.fmt(f)
    }
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, rest) = match text.split_once('=') {
            Some((id, rest)) => (Some(id), rest),
            None => (None, text),
        };
        let detector = id.map(SmolStr::new);
        let named = Party::NAMES
            .iter()
            .find_map(|(name, party)| Some((*party, rest.strip_prefix(name)?.strip_prefix(':')?)));
        let (party, network) = named.unwrap_or((Party::Client, rest));
        let parsed = network.parse::<IpNet>().or_else(|_| network.parse::<IpAddr>().map(IpNet::from));
        let network = parsed.map_err(|_| {
            format!("`{network}` is no network: an address, or one with a prefix such as 192.0.2.0/24")
        })?;
        Ok(Self { detector, party, network: network.trunc() })
    }
}

/// The allowances of one detector.
#[derive(Debug, Default)]
pub(super) struct Allowed(Vec<(Party, IpNet)>);

impl Allowed {
    pub(super) fn of(id: &str, allowances: &[Allowance]) -> Self {
        let is_its = |allowance: &&Allowance| allowance.detector.as_ref().is_none_or(|of| of == id);
        let its = allowances.iter().filter(is_its);
        Self(its.map(|allowance| (allowance.party, allowance.network)).collect())
    }

    /// The detector must not see an event.
    pub(super) fn covers(&self, event: &Event) -> bool {
        self.0.iter().any(|(party, network)| host(*party, event).is_some_and(|ip| network.contains(&ip)))
    }
}

fn host(party: Party, event: &Event) -> Option<IpAddr> {
    let session = event.session.as_deref()?;
    match party {
        Party::Client => Some(session.client.ip),
        Party::Server => Some(session.server.ip),
        Party::Target => match &event.kind {
            EventKind::DataChannel(channel) => channel.data.advertised_ip,
            // The detail begins with the end that connected.
            EventKind::Anomaly(anomaly) if anomaly.anomaly.id == AnomalyId::UnexpectedPeer => {
                let word = anomaly.anomaly.detail.split(' ').next()?;
                Some(word.parse::<std::net::SocketAddr>().ok()?.ip().to_canonical())
            }
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Session, alerts_allowing};
    use super::super::{bounce, data_theft};
    use super::*;

    fn allowances(texts: &[&str]) -> Vec<Allowance> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        for text in [
            "192.0.2.0/24",
            "2001:db8::/32",
            "ftp-bounce=198.51.100.7/32",
            "ftp-bounce=target:203.0.113.0/24",
            "server:192.0.2.1/32",
        ] {
            assert_eq!(text.parse::<Allowance>().unwrap().to_string(), text);
        }
        assert_eq!("192.0.2.9".parse::<Allowance>().unwrap().to_string(), "192.0.2.9/32");
        for text in ["192.0.2.0/33", "ftp-bounce=", "", "peer:192.0.2.0/24"] {
            assert!(text.parse::<Allowance>().is_err(), "{text}");
        }
    }

    #[test]
    fn sessions_of_allowed_networks_are_not_seen() {
        let events = [Session::new(9).active(1, "203.0.113.5", 4_000)];
        let alerts = |allowed: &[&str]| alerts_allowing(&bounce::ENTRY, &allowances(allowed), &events).len();
        for allowed in [
            "192.0.2.0/24",
            "ftp-bounce=192.0.2.9",
            "ftp-bounce=server:192.0.2.1",
            "ftp-bounce=target:203.0.113.0/24",
        ] {
            assert_eq!(alerts(&[allowed]), 0, "{allowed}");
        }
        for other in ["192.0.2.8", "data-port-theft=192.0.2.9", "server:192.0.2.9", "target:192.0.2.9"] {
            assert_eq!(alerts(&[other]), 1, "{other}");
        }
    }

    #[test]
    fn a_third_host_that_connects_may_be_allowed() {
        let end = Endpoint::new("203.0.113.5".parse().unwrap(), 4_000);
        let detail = format!("{end} connected to the announced endpoint");
        let events = [Session::new(9).anomaly(AnomalyId::UnexpectedPeer, &detail)];
        let alerts = |allowed| alerts_allowing(&data_theft::ENTRY, &allowances(&[allowed]), &events).len();
        assert_eq!(alerts("target:203.0.113.0/24"), 0);
        assert_eq!(alerts("target:198.51.100.0/24"), 1);
    }

    use crate::addr::Endpoint;
}
