//! `--allow-net` and `--deny-net`.

use clap::Args;

use crate::config::NetworksConfig;
use ftpmon_core::engine::Network;

/// The networks whose sessions are followed, or left out.
#[derive(Clone, Debug, Args)]
pub struct NetworkOptions {
    /// Follow only sessions whose client or server is in one of these networks, for instance 192.0.2.0/24. May be given several
    /// times [default: all]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub allow_net: Vec<Network>,
    /// Leave out sessions whose client or server is in one of these networks. Of networks within one another the most specific
    /// counts. May be given several times
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub deny_net: Vec<Network>,
}

impl From<&NetworkOptions> for NetworksConfig {
    fn from(options: &NetworkOptions) -> Self {
        Self { allow: options.allow_net.clone(), deny: options.deny_net.clone() }
    }
}
