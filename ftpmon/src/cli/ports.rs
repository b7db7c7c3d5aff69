//! `--ports` and `--tls-ports`. A default yields to the port that the other option names.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, FromArgMatches};

/// The control ports.
#[derive(Clone, Debug)]
pub struct PortOptions {
    /// Ports of FTP control connections.
    pub ports: Vec<u16>,
    /// Ports of FTP control connections with implicit TLS.
    pub tls_ports: Vec<u16>,
}

/// The options as they are given.
#[derive(Args)]
struct GivenPorts {
    /// Ports of FTP control connections
    #[arg(long, value_name = "PORT,…", value_delimiter = ',', default_value = "21", value_parser = clap::value_parser!(u16).range(1..))]
    ports: Vec<u16>,
    /// Ports of FTP control connections with implicit TLS
    #[arg(long, value_name = "PORT,…", value_delimiter = ',', default_value = "990", value_parser = clap::value_parser!(u16).range(1..))]
    tls_ports: Vec<u16>,
}

impl Args for PortOptions {
    fn augment_args(command: clap::Command) -> clap::Command {
        GivenPorts::augment_args(command)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        GivenPorts::augment_args_for_update(command)
    }
}

impl FromArgMatches for PortOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let GivenPorts { mut ports, mut tls_ports } = GivenPorts::from_arg_matches(matches)?;
        let is_default = |id| matches.value_source(id) == Some(ValueSource::DefaultValue);
        if is_default("tls_ports") {
            tls_ports.retain(|port| !ports.contains(port));
        } else if is_default("ports") {
            ports.retain(|port| !tls_ports.contains(port));
        }
        Ok(Self { ports, tls_ports })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
