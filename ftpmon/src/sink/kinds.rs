//! The kinds of output: a new one is a file beside this and a line here.

use std::io;

use super::broker_url::BrokerUrl;
use super::datagram::{DatagramReader, Datagrams};
use super::destination::Destination;
use super::file::AppendedFile;
use super::http::Http;
use super::octet_counted::OctetCounted;
use super::output_spec::{OutputSettings, OutputSpec};
use super::socket::{Socket, Tcp, Unix};
use super::spec::SinkSpec;
use super::stdout::Stdout;
use super::tls::Tls;

/// Connects to the reader of a socket, over HTTP or of a broker, with certificates and login, and sends nothing.
///
/// # Errors
/// Why that cannot be.
pub fn reach(output: &OutputSpec) -> io::Result<()> {
    destination(&output.sink, &output.settings)?.open()
}

/// The output that `spec` names, not open yet.
///
/// # Errors
/// A file that its settings name cannot be read.
pub(super) fn destination(spec: &SinkSpec, settings: &OutputSettings) -> io::Result<Box<dyn Destination>> {
    Ok(match spec.clone() {
        SinkSpec::Stdout => Box::new(Stdout::default()),
        SinkSpec::File(path) => Box::new(AppendedFile::new(path, settings.file.clone())),
        SinkSpec::Tcp { host, port } => Box::new(Socket::new(Tcp { host, port })),
        SinkSpec::Tls { host, port } => {
            Box::new(Socket::new(Tls::new(Tcp { host, port }, settings.tls.clone())?))
        }
        SinkSpec::Unix(path) => Box::new(Socket::new(Unix(path))),
        SinkSpec::Udp { host, port } => Box::new(Datagrams::new(DatagramReader::Udp { host, port })),
        SinkSpec::UnixDatagram(path) => Box::new(Datagrams::new(DatagramReader::Unix(path))),
        SinkSpec::Http { protocol, url } => {
            Box::new(Http::new(url, protocol, settings.tls.clone(), settings.access.clone())?)
        }
        SinkSpec::Broker(url) => broker(url, settings)?,
        SinkSpec::Syslog(socket) => {
            let carrier = destination(&socket, settings)?;
            match *socket {
                SinkSpec::Tcp { .. } | SinkSpec::Tls { .. } => Box::new(OctetCounted::new(carrier)),
                _ => carrier,
            }
        }
    })
}

#[cfg(feature = "brokers")]
fn broker(url: BrokerUrl, settings: &OutputSettings) -> io::Result<Box<dyn Destination>> {
    use super::broker_url::Broker;
    use super::confirmed::Confirmed;
    use super::kafka::Kafka;
    use super::nats::Nats;

    super::answers::prepare()?;
    let (tls, access) = (settings.tls.clone(), settings.access.clone());
    Ok(match url.broker {
        Broker::Nats => Box::new(Confirmed::new(Nats::new(url, tls, access)?)),
        Broker::Kafka => Box::new(Confirmed::new(Kafka::new(url, tls, access)?)),
    })
}

#[cfg(not(feature = "brokers"))]
fn broker(_: BrokerUrl, _: &OutputSettings) -> io::Result<Box<dyn Destination>> {
    let reason = "this ftpmon was built without the feature `brokers`, which NATS and Kafka need";
    Err(io::Error::new(io::ErrorKind::Unsupported, reason))
}
