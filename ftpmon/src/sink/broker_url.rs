//! Addresses of brokers.

use core::fmt;

use super::host_port::host_port;

/// The hosts of one address: more than a cluster needs to be found, and few enough to be tried one after another.
const HOSTS_MAX: usize = 16;
/// Characters of a subject or topic. Kafka takes 249.
const NAME_MAX: usize = 249;

/// The systems that keep messages under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broker {
    /// NATS with JetStream: a subject.
    Nats,
    /// Kafka: a topic.
    Kafka,
}

/// `nats://HOST[:PORT][,HOST[:PORT]…]/SUBJECT`, `kafka://…/TOPIC`, and these with `+tls` before the colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerUrl {
    /// Its system.
    pub broker: Broker,
    /// Connections have TLS.
    pub tls: bool,
    /// Hosts that are tried, each a name or an address, an IPv6 one without its brackets, with its port.
    pub hosts: Vec<(String, u16)>,
    /// The subject or topic.
    pub name: String,
}

impl Broker {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::Nats, Self::Kafka];

    /// Its scheme.
    pub(super) const fn scheme(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Kafka => "kafka",
        }
    }

    const fn usual_port(self) -> u16 {
        match self {
            Self::Nats => 4222,
            Self::Kafka => 9092,
        }
    }

    /// A name under which messages can be put: for NATS without wildcards and empty parts.
    fn takes(self, name: &str) -> bool {
        let fits = (1..=NAME_MAX).contains(&name.len());
        fits && match self {
            Self::Nats => name.split('.').all(|part| {
                !part.is_empty()
                    && part.bytes().all(|byte| byte.is_ascii_graphic() && !b"*>/".contains(&byte))
            }),
            Self::Kafka => {
                let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
                name.bytes().all(legal) && name != "." && name != ".."
            }
        }
    }
}

impl BrokerUrl {
    /// The scheme of a text that names a broker.
    pub(super) fn scheme_of(text: &str) -> Option<(Broker, bool)> {
        let (scheme, _) = text.split_once("://")?;
        let (scheme, tls) = scheme.strip_suffix("+tls").map_or((scheme, false), |scheme| (scheme, true));
        Some((Broker::ALL.into_iter().find(|broker| broker.scheme() == scheme)?, tls))
    }

    /// That of a text; none if it is no such address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (broker, tls) = Self::scheme_of(text)?;
        let (_, rest) = text.split_once("://")?;
        let (authority, name) = rest.split_once('/')?;
        let host = |text: &str| {
            let has_port = text.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
            let usual = broker.usual_port();
            let visible = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"@?#".contains(&byte));
            let full = if has_port { text.to_owned() } else { format!("{text}:{usual}") };
            host_port(&full).filter(|_| visible)
        };
        let hosts = authority.split(',').map(host).collect::<Option<Vec<_>>>()?;
        let fits = hosts.len() <= HOSTS_MAX && broker.takes(name);
        fits.then(|| Self { broker, tls, hosts, name: name.to_owned() })
    }

    /// The hosts with their ports.
    pub(super) fn authorities(&self) -> impl Iterator<Item = String> {
        self.hosts.iter().map(|(host, port)| match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        })
    }

    /// The hosts for messages.
    pub(super) fn host_names(&self) -> String {
        self.authorities().collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = if self.tls { "+tls" } else { "" };
        write!(f, "{}{tls}://{}/{}", self.broker.scheme(), self.host_names(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_means_the_same() {
        for (text, broker, tls, hosts, name) in [
            ("nats://a/ftp.events", Broker::Nats, false, &[("a", 4222)][..], "ftp.events"),
            ("nats+tls://a:1,[::1]/x", Broker::Nats, true, &[("a", 1), ("::1", 4222)], "x"),
            (
                "kafka://k1,k2:9093/ftp-events",
                Broker::Kafka,
                false,
                &[("k1", 9092), ("k2", 9093)],
                "ftp-events",
            ),
        ] {
            let hosts = hosts.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect();
            let url = BrokerUrl::parse(text).unwrap();
            assert_eq!(url, BrokerUrl { broker, tls, hosts, name: name.into() });
            assert_eq!(BrokerUrl::parse(&url.to_string()), Some(url));
        }
        for text in [
            "nats://a",
            "nats://a/",
            "nats:///x",
            "nats://a/ftp.*",
            "nats://a/ftp..x",
            "nats://a/ftp.>",
            "nats://u:p@a/x",
            "nats://a:0/x",
            "kafka://a/b c",
            "kafka://a/b/c",
            "kafka://a/..",
            "kafka://a,/t",
            "mqtt://a/x",
        ] {
            assert_eq!(BrokerUrl::parse(text), None, "{text}");
        }
    }
}
