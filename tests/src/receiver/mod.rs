//! Receivers of others that events are sent to: where they come from, how they run, and what they have.

mod brokers;
mod guide;
mod install;
mod shipper;
mod stage;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

pub use brokers::{KAFKA_BROKER, KAFKA_CLIENT, nats_client, nats_server};
pub use guide::Guide;
pub use install::install;
pub use shipper::{Shipped, Shipper};
pub use stage::{Stage, events_wanted};

use crate::machine;
use crate::net::Namespace;

/// A receiver, or a client that tells what one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// nats-server, from Debian, unpacked.
    NatsServer,
    /// nats-py, from PyPI: a client of NATS that has nothing in common with the agent's.
    NatsPy,
    /// librdkafka with its mock brokers, from PyPI (confluent-kafka).
    Librdkafka,
    /// The messages of OpenTelemetry as protobuf has them, from PyPI: they tell whether JSON is right.
    OpenTelemetry,
    /// rsyslog, from Debian, unpacked.
    Rsyslog,
    /// syslog-ng, from Debian, unpacked.
    SyslogNg,
}

impl Receiver {
    /// Those of Debian's packages.
    const UNPACKED: [Self; 3] = [Self::NatsServer, Self::Rsyslog, Self::SyslogNg];
    /// Those from PyPI.
    const OF_PYTHON: [Self; 3] = [Self::NatsPy, Self::Librdkafka, Self::OpenTelemetry];

    /// The packages that it needs and that machines may not have.
    const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::NatsServer => &["nats-server"],
            // The releases that the tests were written against.
            // Credentials are signed by the others.
            Self::NatsPy => &["nats-py==2.16.0", "nkeys==0.2.1", "pynacl==1.6.2", "cffi==2.1.1"],
            Self::Librdkafka => &["confluent-kafka==2.16.1"],
            Self::OpenTelemetry => &["opentelemetry-proto==1.45.2", "protobuf==7.36.2"],
            Self::Rsyslog => &["rsyslog", "libestr0", "libfastjson4", "liblognorm5"],
            Self::SyslogNg => &[
                "syslog-ng-core",
                "libivykis0",
                "libnet1",
                "libwrap0",
                "libpcre3",
                "libglib2.0-0",
                "libjson-c5",
            ],
        }
    }

    /// Its folder.
    ///
    /// # Errors
    /// The workspace's target folder is not known.
    fn folder(self) -> Result<PathBuf> {
        let name = match self {
            Self::NatsServer => "nats-server",
            Self::NatsPy => "nats-py",
            Self::Librdkafka => "confluent-kafka",
            Self::OpenTelemetry => "opentelemetry",
            Self::Rsyslog => "rsyslog",
            Self::SyslogNg => "syslog-ng",
        };
        Ok(machine::target()?.join("receivers").join(name))
    }

    /// The file that tells that it is there: its program, or what Python imports.
    fn sign(self) -> &'static str {
        match self {
            Self::NatsServer => "usr/sbin/nats-server",
            Self::NatsPy => "nkeys/__init__.py",
            Self::Librdkafka => "confluent_kafka/__init__.py",
            Self::OpenTelemetry => "opentelemetry/proto/logs/v1/logs_pb2.py",
            Self::Rsyslog => "usr/sbin/rsyslogd",
            Self::SyslogNg => "usr/sbin/syslog-ng",
        }
    }

    /// The reason why it cannot be used here, if so.
    pub fn missing(self) -> Option<String> {
        let there = self.folder().is_ok_and(|folder| folder.join(self.sign()).is_file());
        (!there).then(|| format!("{self:?} is not installed (cargo xtask test does)"))
    }

    /// Its program, or Python with its package, with its libraries, in a namespace.
    ///
    /// # Errors
    /// The workspace's target folder is not known.
    pub fn command(self, namespace: &Namespace) -> Result<Command> {
        let folder = self.folder()?;
        if Self::OF_PYTHON.contains(&self) {
            let mut command = namespace.command("python3");
            command.env("PYTHONPATH", folder).env("PYTHONUNBUFFERED", "1");
            return Ok(command);
        }
        let mut command = namespace.command(&folder.join(self.sign()).to_string_lossy());
        let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/syslog-ng"];
        let libraries = libraries.map(|name| folder.join(name).to_string_lossy().into_owned());
        command.env("LD_LIBRARY_PATH", libraries.join(":"));
        Ok(command)
    }

    /// The folder of its modules.
    ///
    /// # Errors
    /// The workspace's target folder is not known.
    pub fn modules(self) -> Result<PathBuf> {
        let name = match self {
            Self::Rsyslog => "usr/lib/x86_64-linux-gnu/rsyslog",
            _ => "usr/lib/syslog-ng/3.38",
        };
        Ok(self.folder()?.join(name))
    }
}
