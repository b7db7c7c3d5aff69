//! From command-line options to a configuration. No other module knows the options.

use super::{
    Command, ConfigCommand, DetectOptions, DetectorArgs, EventOptions, ExplainArgs, OwnersChoice,
    PortOptions, ReadOptions, RunOptions,
};
use crate::config::{
    Config, DetectConfig, FilesConfig, LimitsConfig, LiveConfig, PinConfig, PortsConfig, ReadConfig,
    RouteConfig, SecretsConfig, SpoolConfig, WritePcapConfig,
};
use crate::format::Format;
use crate::sink::{OutputSpec, SinkSpec};
use ftpmon_event::EventType;

impl Command {
    /// The configuration that the options of a command describe; none for a command that has none.
    pub fn config(&self) -> Option<Config> {
        match self {
            Self::Run(options)
            | Self::Config(ConfigCommand::Check(options) | ConfigCommand::Show(options)) => {
                Some((&**options).into())
            }
            Self::Doctor(options) => Some((&options.run).into()),
            Self::Read(options) => Some((&**options).into()),
            Self::Detect(options) => Some((&**options).into()),
            Self::Explain(options) => Some((&**options).into()),
            Self::Config(ConfigCommand::Example)
            | Self::Detach { .. }
            | Self::Status { .. }
            | Self::Verify { .. }
            | Self::Report(_)
            | Self::Top(_)
            | Self::Who(_)
            | Self::Completions { .. }
            | Self::Man { .. }
            | Self::Schema => None,
        }
    }
}

impl From<&RunOptions> for Config {
    fn from(options: &RunOptions) -> Self {
        let write_pcap = options.write_pcap.clone();
        Self {
            live: LiveConfig {
                interfaces: options.interfaces.clone(),
                netns: options.netns.clone(),
                hook: options.hook,
                promiscuous: options.promisc,
                share: options.share,
                stats_interval_s: options.stats_interval,
                ring_bytes: options.ring_size,
                files_ring_bytes: options.files_ring_size,
                nice: options.nice,
                threads: options.threads,
                kernel_log: options.kernel_log,
                owners: options.owners == OwnersChoice::On,
                user: options.user.clone(),
                sandbox: !options.no_sandbox,
                status: options.status.clone(),
                write_pcap: write_pcap
                    .map(|path| WritePcapConfig { path, max_bytes: options.write_pcap_max_bytes }),
                pin: options.pin.clone().map(|folder| PinConfig { folder, state: options.pin_state.clone() }),
                spool: options.spool.clone().map(|directory| SpoolConfig {
                    directory,
                    max_bytes: options.spool_max_bytes,
                    full: options.spool_full,
                }),
                on_alert: options.on_alert.clone(),
                on_file: options.on_file.clone(),
            },
            ..shared(&options.ports, &options.events, &options.outputs)
        }
    }
}

impl From<&ReadOptions> for Config {
    fn from(options: &ReadOptions) -> Self {
        Self {
            read: ReadConfig { captures: options.captures.clone(), threads: options.threads },
            ..shared(&options.ports, &options.events, &[OutputSpec::new(SinkSpec::Stdout)])
        }
    }
}

impl From<&DetectorArgs> for Config {
    fn from(options: &DetectorArgs) -> Self {
        Self {
            detect: DetectConfig(options.detect.clone()),
            detect_allow: options.detect_allow.clone(),
            detect_lists: options.detect_lists.clone(),
            detect_rules: options.detect_rules.clone(),
            geo: options.geo.clone(),
            ..Self::default()
        }
    }
}

impl From<&DetectOptions> for Config {
    fn from(options: &DetectOptions) -> Self {
        Self {
            routes: vec![RouteConfig {
                events: vec![EventType::Alert.name().to_owned()],
                format: options.format,
                ..RouteConfig::default()
            }],
            ..Self::from(&options.detectors)
        }
    }
}

impl From<&ExplainArgs> for Config {
    fn from(options: &ExplainArgs) -> Self {
        Self {
            ports: PortsConfig { control: options.ports.ports.clone(), tls: options.ports.tls_ports.clone() },
            secrets: SecretsConfig { policy: options.secrets, key_file: None },
            ..Self::default()
        }
    }
}

/// The settings that `run` and `read` share.
fn shared(ports: &PortOptions, events: &EventOptions, outputs: &[OutputSpec]) -> Config {
    Config {
        sensor: events.sensor.clone(),
        ports: PortsConfig { control: ports.ports.clone(), tls: ports.tls_ports.clone() },
        networks: (&events.networks).into(),
        log: (&events.log).into(),
        checksums: events.checksums,
        secrets: SecretsConfig { policy: events.secrets, key_file: events.secrets_key.clone() },
        files: FilesConfig {
            policy: events.files,
            hashes: events.hashes.clone(),
            data_hosts: events.data_hosts.clone(),
            directory: events.store.files_dir.clone(),
            max_bytes: events.store.files_max_bytes,
            quota_bytes: events.store.files_quota,
        },
        limits: LimitsConfig {
            memory_bytes: events.memory.and_then(|bytes| usize::try_from(bytes).ok()),
            ..LimitsConfig::default()
        },
        routes: vec![RouteConfig {
            events: events.kinds.clone(),
            format: if events.explain { Format::Explain } else { events.format },
            max_line_bytes: events.max_line,
            outputs: outputs.to_vec(),
            ..RouteConfig::default()
        }],
        ..Config::from(&events.detectors)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;
    use crate::config::Contradiction;

    fn config(args: &[&str]) -> Config {
        Cli::try_parse_from([&["ftpmon"], args].concat()).unwrap().command.config().unwrap()
    }

    #[test]
    fn a_command_without_options_has_the_default_configuration() {
        let defaults = Config { routes: vec![RouteConfig::default()], ..Config::default() };
        assert_eq!(config(&["run"]), defaults);
        let read = ReadConfig { captures: vec!["a.pcap".into()], threads: None };
        assert_eq!(config(&["read", "a.pcap"]), Config { read, ..defaults });
    }

    #[test]
    fn a_default_port_gives_way_to_the_other_option() {
        for (args, control, tls) in [
            (&["run"][..], &[21][..], &[990][..]),
            (&["run", "--ports", "990"], &[990], &[]),
            (&["run", "--ports", "21,2121,990"], &[21, 2121, 990], &[]),
            (&["run", "--tls-ports", "21"], &[], &[21]),
            (&["run", "--ports", "2121", "--tls-ports", "990"], &[2121], &[990]),
        ] {
            let ports = config(args).ports;
            assert_eq!((&*ports.control, &*ports.tls), (control, tls), "{args:?}");
        }
    }

    #[test]
    fn options_that_contradict_each_other_are_told() {
        for (args, contradiction) in [
            (&["run", "--ports", "21,990", "--tls-ports", "990"][..], Contradiction::PortTwice(990)),
            (&["run", "--output", "a", "--output", "a"], Contradiction::OutputTwice("a".into())),
            (&["run", "--output", "a", "--write-pcap", "a"], Contradiction::EventsIntoPcap("a".into())),
            (&["read", "x", "--files", "hash", "--files-dir", "/x"], Contradiction::UnusedDirectory),
            (&["read", "x", "--secrets-key", "/x"], Contradiction::UnusedKey),
        ] {
            assert_eq!(config(args).check(), Err(contradiction), "{args:?}");
        }
    }
}
