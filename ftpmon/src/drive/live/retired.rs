//! Control ports that a reload took away.

use ftpmon_core::engine::EngineConfig;

/// Former control ports whose sessions continue: the kernel selects their packets until the last session ended.
#[derive(Default)]
pub(super) struct RetiredPorts(Vec<u16>);

impl RetiredPorts {
    /// Those of `old` that are not in `new` retire; those that are wanted again do not.
    pub(super) fn change(&mut self, old: &EngineConfig, new: &EngineConfig) {
        let ports = |config: &EngineConfig| [&config.control_ports[..], &config.tls_ports[..]].concat();
        let new = ports(new);
        self.0.extend(ports(old));
        self.0.retain(|port| !new.contains(port));
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// Takes out those that no session has.
    pub(super) fn take_unused(&mut self, serves: impl Fn(u16) -> bool) -> Vec<u16> {
        self.0.extract_if(.., |port| !serves(*port)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_retires_until_no_session_has_it_or_it_is_wanted_again() {
        let config =
            |ports: &[u16]| EngineConfig { control_ports: ports.to_vec(), ..EngineConfig::default() };
        let mut retired = RetiredPorts::default();
        retired.change(&config(&[21, 22, 23]), &config(&[22]));
        retired.change(&config(&[22]), &config(&[21]));
        assert_eq!(retired.take_unused(|port| port == 23), [22]);
        assert_eq!(retired.take_unused(|_| false), [23]);
        assert!(retired.take_unused(|_| false).is_empty());
    }
}
