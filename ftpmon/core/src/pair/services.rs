//! Listeners of a pair of hosts that are known to serve another protocol than FTP's data.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::addr::Endpoint;

/// Listeners of one pair of hosts. Stops a host that opens connections to port after port: the oldest is forgotten, and
/// counted.
pub(super) const SERVICES_OF_PAIR_MAX: usize = 64;

/// Listeners, with the host that connected to them.
#[derive(Debug, Default)]
pub(crate) struct Services(VecDeque<(IpAddr, Endpoint)>);

impl Services {
    /// Adds a listener. True if another one was forgotten for it.
    pub(super) fn insert(&mut self, initiator: IpAddr, listener: Endpoint) -> bool {
        if self.contains(initiator, listener) {
            return false;
        }
        self.0.push_back((initiator, listener));
        self.0.len() > SERVICES_OF_PAIR_MAX && self.0.pop_front().is_some()
    }

    /// The listener is known, for connections of this host.
    pub(super) fn contains(&self, initiator: IpAddr, listener: Endpoint) -> bool {
        self.0.contains(&(initiator, listener))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_at_the_cap() {
        let host = IpAddr::from([192, 0, 2, 1]);
        let end = |port| Endpoint::new(host, port);
        let mut services = Services::default();
        for port in 1..=64 {
            assert!(!services.insert(host, end(port)) && !services.insert(host, end(port)));
        }
        assert!(services.insert(host, end(65)));
        assert!(!services.contains(host, end(1)) && services.contains(host, end(65)));
    }
}
