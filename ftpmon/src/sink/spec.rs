//! Names of outputs, as an operator writes them.

use core::fmt;
use core::str::FromStr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

use super::broker_url::{Broker, BrokerUrl};
use super::host_port::host_port;
use super::http_protocol::HttpProtocol;
use super::http_url::HttpUrl;
use crate::format::{Format, SyslogForm};

/// One `--output`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SinkSpec {
    /// `-`: standard output.
    Stdout,
    /// A path, or `file:PATH`: lines are appended.
    File(PathBuf),
    /// `tcp://HOST:PORT`.
    Tcp {
        /// A name or an address, an IPv6 one without its brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// `tls://HOST:PORT`: TCP with TLS.
    Tls {
        /// A name or an address, likewise.
        host: String,
        /// The port.
        port: u16,
    },
    /// `unix:PATH`: a listening stream socket.
    Unix(PathBuf),
    /// `udp://HOST:PORT`: a datagram a line.
    Udp {
        /// A name or an address, likewise.
        host: String,
        /// The port.
        port: u16,
    },
    /// `unixgram:PATH`: a Unix datagram socket, a datagram a line.
    UnixDatagram(PathBuf),
    /// `syslog+SOCKET`: syslog messages over one of these sockets.
    Syslog(Box<Self>),
    /// `http://…`, `https://…`, and these after `elastic+`, `loki+`, `splunk+` or `otlp+`: POST requests.
    Http {
        /// The form of requests.
        protocol: HttpProtocol,
        /// Their destination.
        url: HttpUrl,
    },
    /// `nats://HOST/SUBJECT`, `kafka://HOST/TOPIC`, and these with `+tls`: messages that a broker keeps.
    Broker(BrokerUrl),
}

/// The largest line of a UDP output, bytes: with the header of syslog it still is one datagram (65,507 bytes over IPv4).
const UDP_LINE_MAX: u32 = 64_000;

/// The kinds of output, for messages.
const KINDS: &str = "`-`, a path, tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT, unix:PATH, unixgram:PATH, http://HOST \
                     and https://HOST, nats://HOST/SUBJECT, nats+tls://, kafka://HOST/TOPIC and kafka+tls://, syslog+ before \
                     tcp, tls, udp and unixgram, and elastic+, loki+, splunk+ and otlp+ before http and https";

/// The reason why a text names no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SinkSpecError {
    /// Nothing was said.
    #[error("it is empty; there are {KINDS}")]
    Empty,
    /// `scheme://` of something that is not there.
    #[error("no output of kind `{0}`; there are {KINDS}")]
    UnknownScheme(String),
    /// `tcp:` without its slashes, which would be taken for a file's name.
    #[error("`{0}:{1}` is not an output; write {0}://HOST:PORT, or file:{0}:{1} for a file of that name")]
    WithoutSlashes(&'static str, String),
    /// A scheme without a host and a port.
    #[error("`{0}` is not HOST:PORT; write {1}192.0.2.1:514 or {1}[2001:db8::1]:514")]
    BadAddress(String, &'static str),
    /// `http://` without a host.
    #[error(
        "`{0}` is no address; write http://HOST, https://HOST:PORT or https://HOST/PATH, without user and password"
    )]
    BadUrl(String),
    /// `nats://` or `kafka://` without a host, or without a name that messages can have.
    #[error(
        "`{0}` is no address of a broker; write {1}://HOST:PORT/{2} or {1}+tls://HOST:PORT/{2}, several hosts with commas, \
         without user and password"
    )]
    BadBroker(String, &'static str, &'static str),
    /// `elastic+` without an index.
    #[error("`{0}` names no index; write elastic+https://HOST:9200/INDEX")]
    NoIndex(String),
    /// `syslog+` before something that carries no syslog.
    #[error(
        "syslog does not go to `{0}`; there are syslog+tcp://HOST:PORT, syslog+tls://HOST:PORT, syslog+udp://HOST:PORT \
         and syslog+unixgram:/dev/log"
    )]
    NoSyslog(String),
}

/// Schemes that a host and a port follow.
const NETWORK_SCHEMES: [(&str, &str); 3] = [("tcp", "tcp://"), ("tls", "tls://"), ("udp", "udp://")];

impl FromStr for SinkSpec {
    type Err = SinkSpecError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "-" {
            return Ok(Self::Stdout);
        }
        if let Some(inner) = text.strip_prefix("syslog+") {
            let spec: Self = inner.parse()?;
            return match spec {
                Self::Tcp { .. } | Self::Tls { .. } | Self::Udp { .. } | Self::UnixDatagram(_) => {
                    Ok(Self::Syslog(Box::new(spec)))
                }
                _ => Err(SinkSpecError::NoSyslog(inner.to_owned())),
            };
        }
        for protocol in HttpProtocol::ALL {
            let Some(url) = text.strip_prefix(protocol.prefix()) else { continue };
            if !url.starts_with("http://") && !url.starts_with("https://") {
                continue;
            }
            let parsed = HttpUrl::parse(url).ok_or_else(|| SinkSpecError::BadUrl(url.to_owned()))?;
            return match protocol {
                HttpProtocol::Elastic if parsed.path.is_empty() => {
                    Err(SinkSpecError::NoIndex(text.to_owned()))
                }
                protocol => Ok(Self::Http { protocol, url: parsed }),
            };
        }
        if let Some((broker, _)) = BrokerUrl::scheme_of(text) {
            let example = match broker {
                Broker::Nats => "SUBJECT.WITHOUT.WILDCARDS",
                Broker::Kafka => "TOPIC",
            };
            let parsed = BrokerUrl::parse(text);
            return parsed
                .map(Self::Broker)
                .ok_or_else(|| SinkSpecError::BadBroker(text.to_owned(), broker.scheme(), example));
        }
        for (scheme, prefix) in NETWORK_SCHEMES {
            if let Some(address) = text.strip_prefix(prefix) {
                let (host, port) = host_port(address)
                    .ok_or_else(|| SinkSpecError::BadAddress(address.to_owned(), prefix))?;
                return Ok(match scheme {
                    "tcp" => Self::Tcp { host, port },
                    "tls" => Self::Tls { host, port },
                    _ => Self::Udp { host, port },
                });
            }
            if let Some(address) = text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix(':')) {
                return Err(SinkSpecError::WithoutSlashes(scheme, address.to_owned()));
            }
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(SinkSpecError::UnknownScheme(scheme.to_owned()));
        }
        let (path, kind): (_, fn(PathBuf) -> Self) = if let Some(path) = text.strip_prefix("unix:") {
            (path, Self::Unix)
        } else if let Some(path) = text.strip_prefix("unixgram:") {
            (path, Self::UnixDatagram)
        } else {
            (text.strip_prefix("file:").unwrap_or(text), Self::File)
        };
        if path.is_empty() { Err(SinkSpecError::Empty) } else { Ok(kind(path.into())) }
    }
}

impl SinkSpec {
    /// The form of the syslog messages that it takes; none if it takes lines as they are.
    pub fn syslog(&self) -> Option<SyslogForm> {
        match self {
            Self::Syslog(socket) => Some(match **socket {
                Self::UnixDatagram(_) => SyslogForm::Local,
                _ => SyslogForm::Rfc5424,
            }),
            _ => None,
        }
    }

    /// It speaks TLS.
    pub fn has_tls(&self) -> bool {
        match self {
            Self::Tls { .. } => true,
            Self::Http { url, .. } => url.tls,
            Self::Broker(url) => url.tls,
            Self::Syslog(socket) => socket.has_tls(),
            _ => false,
        }
    }

    /// The settings of [`super::AccessOptions`] that it has.
    pub(super) fn access(&self) -> &'static [&'static str] {
        match self {
            Self::Http { .. } => &["token", "api-key", "user", "password", "compress"],
            Self::Broker(url) => match url.broker {
                Broker::Nats => &["token", "user", "password", "creds"],
                Broker::Kafka => &["user", "password", "sasl", "compress"],
            },
            _ => &[],
        }
    }

    /// The only format that it takes; none if it takes any.
    pub fn format(&self) -> Option<Format> {
        match self {
            Self::Http { protocol: HttpProtocol::Otlp, .. } => Some(Format::Otel),
            _ => None,
        }
    }

    /// The longest line that it takes, bytes; none if there is no limit.
    pub fn line_max(&self) -> Option<u32> {
        match self {
            Self::Udp { .. } => Some(UDP_LINE_MAX),
            Self::Syslog(socket) => socket.line_max(),
            _ => None,
        }
    }
}

impl TryFrom<String> for SinkSpec {
    type Error = SinkSpecError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Serialize for SinkSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As the operator wrote it; the name of the output in counters and messages.
impl fmt::Display for SinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut network = |scheme: &str, host: &str, port: &u16| match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        };
        match self {
            Self::Stdout => f.write_str("-"),
            Self::File(path) => {
                let text = path.display().to_string();
                let marked = text == "-"
                    || text.contains("://")
                    || ["file:", "unix:", "unixgram:", "tcp:", "tls:", "udp:", "syslog+"]
                        .iter()
                        .any(|scheme| text.starts_with(scheme));
                write!(f, "{}{text}", if marked { "file:" } else { "" })
            }
            Self::Tcp { host, port } => network("tcp", host, port),
            Self::Tls { host, port } => network("tls", host, port),
            Self::Udp { host, port } => network("udp", host, port),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::UnixDatagram(path) => write!(f, "unixgram:{}", path.display()),
            Self::Syslog(socket) => write!(f, "syslog+{socket}"),
            Self::Http { protocol, url } => write!(f, "{}{url}", protocol.prefix()),
            Self::Broker(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(protocol: HttpProtocol, url: &str) -> SinkSpec {
        SinkSpec::Http { protocol, url: HttpUrl::parse(url).unwrap() }
    }

    fn syslog(socket: SinkSpec) -> SinkSpec {
        SinkSpec::Syslog(Box::new(socket))
    }

    #[test]
    fn each_kind_is_told_by_its_spelling() {
        for (text, spec) in [
            ("-", SinkSpec::Stdout),
            ("/var/log/ftp.json", SinkSpec::File("/var/log/ftp.json".into())),
            ("file:events:1", SinkSpec::File("events:1".into())),
            ("file:tcp:x", SinkSpec::File("tcp:x".into())),
            ("file:-", SinkSpec::File("-".into())),
            ("tcp://log.example:514", SinkSpec::Tcp { host: "log.example".into(), port: 514 }),
            ("tcp://[2001:db8::1]:514", SinkSpec::Tcp { host: "2001:db8::1".into(), port: 514 }),
            ("unix:/run/shipper.sock", SinkSpec::Unix("/run/shipper.sock".into())),
            ("unixgram:/run/x", SinkSpec::UnixDatagram("/run/x".into())),
            ("https://log:8443/x", http(HttpProtocol::Lines, "https://log:8443/x")),
            ("elastic+http://a:9200/ftp", http(HttpProtocol::Elastic, "http://a:9200/ftp")),
            ("loki+http://a:3100", http(HttpProtocol::Loki, "http://a:3100")),
            ("nats://a:4222/ftp.x", SinkSpec::Broker(BrokerUrl::parse("nats://a/ftp.x").unwrap())),
            ("kafka+tls://a:1,b:2/t", SinkSpec::Broker(BrokerUrl::parse("kafka+tls://a:1,b:2/t").unwrap())),
            ("udp://[::1]:514", SinkSpec::Udp { host: "::1".into(), port: 514 }),
            ("file:udp:x", SinkSpec::File("udp:x".into())),
            ("syslog+tls://log:6514", syslog(SinkSpec::Tls { host: "log".into(), port: 6514 })),
            ("syslog+unixgram:/dev/log", syslog(SinkSpec::UnixDatagram("/dev/log".into()))),
        ] {
            let parsed: SinkSpec = text.parse().unwrap();
            assert_eq!(parsed, spec);
            assert_eq!(parsed.to_string().parse(), Ok(spec), "the shown form means the same");
        }
    }

    #[test]
    fn what_names_no_output_is_refused() {
        for text in [
            "",
            "file:",
            "unix:",
            "tcp://",
            "tcp://host",
            "tcp://host:0",
            "tcp://:1",
            "tcp://::1:5",
            "gopher://x",
            "http://",
            "elastic+http://x:9200",
            "loki+tcp://x:1",
            "nats://x",
            "nats://x/a.*",
            "kafka://x/a b",
            "tcp:host:514",
            "tcp:/host:514",
            "udp:host:514",
            "syslog+",
            "syslog+unix:/x",
            "syslog+/x",
            "syslog+syslog+tcp://a:1",
            "unixgram:",
        ] {
            assert!(text.parse::<SinkSpec>().is_err(), "{text}");
        }
    }
}
