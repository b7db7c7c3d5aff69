//! Values out of range, and settings that contradict each other.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Config, FilesPolicy, SecretsPolicy};
use crate::format::{LINE_BYTES_MAX, LINE_BYTES_MIN};
use crate::sink::{SPOOL_BYTES_MIN, SinkSpec};
use ftpmon_core::engine::{Network, Networks};
use ftpmon_event::{EventKind, EventType};

/// Smallest ring, bytes: one page.
pub const RING_BYTES_MIN: u64 = 4 << 10;
/// Largest ring, bytes: kernel memory is pinned and not swapped, a typo must not take all of it.
pub const RING_BYTES_MAX: u64 = 1 << 30;
/// Smallest budget of memory, bytes: a MiB for each partition of the engine.
pub const MEMORY_BYTES_MIN: u64 = 16 << 20;
/// Largest budget of memory, bytes.
pub const MEMORY_BYTES_MAX: u64 = 1 << 40;
/// Control ports, of each kind, that may be given: each is an entry of a kernel map of 65,536.
pub const PORTS_MAX: usize = 1024;
/// Longest sensor name, bytes: it stands in every event.
pub const SENSOR_NAME_MAX: usize = 255;

/// A setting out of range, or settings that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Contradiction {
    /// A value is not in its range.
    #[error("{setting} {value} is out of range: {range}")]
    OutOfRange {
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        value: u64,
        /// The values that it may have.
        range: String,
    },
    /// A sensor's name that is empty or too long.
    #[error("--sensor has 1 to {SENSOR_NAME_MAX} bytes")]
    SensorName,
    /// No event type has this name.
    #[error("--events {0}: there is no such event type")]
    UnknownEvent(String),
    /// Events of this type are no session's, and always written.
    #[error(
        "rate.{0}: there is no such event type, or its events are the sensor's own, which are never held back"
    )]
    UnknownRate(String),
    /// A control port would be read as clear text and as TLS.
    #[error("port {0} is in --ports and in --tls-ports; it can be in one of them only")]
    PortTwice(u16),
    /// A network's sessions would be followed and left out.
    #[error("{0} is in --allow-net and in --deny-net; leave it out of one of them")]
    NetworkTwice(Network),
    /// More networks than the kernel's table has room for.
    #[error("--allow-net and --deny-net have {0} networks; they may have {max} together", max = Networks::MAX)]
    NetworksMany(usize),
    /// A key for hashes that are not asked for.
    #[error("--secrets-key is the key of --secrets hash, or of names that a route hashes: nothing is hashed")]
    UnusedKey,
    /// The program for alerts or files is not named by its whole path.
    #[error("{} {}: give the path of the program from / on", .0, .1.display())]
    ProgramPath(&'static str, PathBuf),
    /// A program for files that are not stored.
    #[error("--on-file needs --files extract: without it no file is stored")]
    UnusedProgram,
    /// A directory for files that are not stored.
    #[error("--files-dir needs --files extract: without it no file is stored")]
    UnusedDirectory,
    /// Files are to be stored, and nowhere.
    #[error("--files extract needs --files-dir DIR")]
    NoDirectory,
    /// The same output would get every event twice, or lines of two formats.
    #[error("--output {0} is given twice")]
    OutputTwice(String),
    /// Events and packets would be written to one file.
    #[error("--output and --write-pcap name the same file, {}", .0.display())]
    EventsIntoPcap(PathBuf),
    /// The key would be overwritten.
    #[error("--secrets-key and an output name the same file, {}", .0.display())]
    KeyIsOutput(PathBuf),
}

impl Config {
    /// Checks that each value is in its range and that no two settings contradict each other.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), Contradiction> {
        self.check_ranges()?;
        self.check_ports()?;
        self.check_networks()?;
        let hashes = self.secrets.policy == SecretsPolicy::Hash || self.hashes_names();
        if self.secrets.key_file.is_some() && !hashes {
            return Err(Contradiction::UnusedKey);
        }
        for (option, program) in [("--on-alert", &self.live.on_alert), ("--on-file", &self.live.on_file)] {
            if let Some(program) = program.as_ref().filter(|program| !program.is_absolute()) {
                return Err(Contradiction::ProgramPath(option, program.clone()));
            }
        }
        if self.live.on_file.is_some() && self.files.policy != FilesPolicy::Extract {
            return Err(Contradiction::UnusedProgram);
        }
        match (self.files.policy, &self.files.directory) {
            (FilesPolicy::Extract, None) => return Err(Contradiction::NoDirectory),
            (FilesPolicy::Off | FilesPolicy::Hash, Some(_)) => return Err(Contradiction::UnusedDirectory),
            _ => {}
        }
        self.check_outputs()
    }

    fn check_ranges(&self) -> Result<(), Contradiction> {
        let live = &self.live;
        let range = |setting, value: u64, low: u64, high: u64| {
            let out = || Contradiction::OutOfRange { setting, value, range: format!("{low} to {high}") };
            if (low..=high).contains(&value) { Ok(()) } else { Err(out()) }
        };
        range("--stats-interval", live.stats_interval_s.into(), 1, 86_400)?;
        range("--ring-size", live.ring_bytes, RING_BYTES_MIN, RING_BYTES_MAX)?;
        range("--files-ring-size", live.files_ring_bytes, RING_BYTES_MIN, RING_BYTES_MAX)?;
        if let Some(bytes) = self.limits.memory_bytes {
            range("--memory", bytes as u64, MEMORY_BYTES_MIN, MEMORY_BYTES_MAX)?;
        }
        for route in &self.routes {
            range("--max-line", route.max_line_bytes.into(), LINE_BYTES_MIN.into(), LINE_BYTES_MAX.into())?;
        }
        range("--files-max-bytes", self.files.max_bytes, 1, u64::MAX)?;
        if let Some(max) = live.write_pcap.as_ref().and_then(|file| file.max_bytes) {
            range("--write-pcap-max-bytes", max, 1024, u64::MAX)?;
        }
        if let Some(spool) = &live.spool {
            range("--spool-max-bytes", spool.max_bytes, SPOOL_BYTES_MIN, u64::MAX)?;
        }
        if self.sensor.as_ref().is_some_and(|name| !(1..=SENSOR_NAME_MAX).contains(&name.len())) {
            return Err(Contradiction::SensorName);
        }
        let mut events = self.routes.iter().flat_map(|route| &route.events);
        if let Some(unknown) = events.find(|name| !EventKind::NAMES.contains(&name.as_str())) {
            return Err(Contradiction::UnknownEvent(unknown.clone()));
        }
        let is_limitable = |name: &str| {
            let mut kinds = EventType::ALL.iter().filter(|kind| kind.is_of_session());
            name == EventType::Alert.name() || kinds.any(|kind| kind.name() == name)
        };
        let mut rates = self.routes.iter().flat_map(|route| route.rate.0.keys());
        match rates.find(|name| !is_limitable(name)) {
            Some(unknown) => Err(Contradiction::UnknownRate(unknown.clone())),
            None => Ok(()),
        }
    }

    fn check_ports(&self) -> Result<(), Contradiction> {
        for (setting, ports) in [("--ports", &self.ports.control), ("--tls-ports", &self.ports.tls)] {
            let out = |value: u64, range: &str| {
                Err(Contradiction::OutOfRange { setting, value, range: range.to_owned() })
            };
            if ports.contains(&0) {
                return out(0, "1 to 65535");
            }
            if ports.len() > PORTS_MAX {
                return out(ports.len() as u64, &format!("at most {PORTS_MAX} ports"));
            }
        }
        match self.ports.control.iter().find(|port| self.ports.tls.contains(port)) {
            Some(&port) => Err(Contradiction::PortTwice(port)),
            None => Ok(()),
        }
    }

    fn check_networks(&self) -> Result<(), Contradiction> {
        if self.networks.len() > Networks::MAX {
            return Err(Contradiction::NetworksMany(self.networks.len()));
        }
        self.networks.in_both().map_or(Ok(()), |network| Err(Contradiction::NetworkTwice(network)))
    }

    fn check_outputs(&self) -> Result<(), Contradiction> {
        let pcap = self.live.write_pcap.as_ref().map(|file| Destination::of_file(&file.path));
        let key = self.secrets.key_file.as_ref().map(|path| (path, Destination::of_file(path)));
        let is_key =
            |of: &Destination| key.as_ref().filter(|(_, key)| key == of).map(|(path, _)| (*path).clone());
        if let Some(path) = pcap.as_ref().and_then(is_key) {
            return Err(Contradiction::KeyIsOutput(path));
        }
        let mut seen = BTreeSet::new();
        for spec in self.routes.iter().flat_map(|route| &route.outputs).map(|output| &output.sink) {
            let destination = Destination::of(spec);
            if let Some(path) = is_key(&destination) {
                return Err(Contradiction::KeyIsOutput(path));
            }
            if let SinkSpec::File(path) = spec
                && Some(&destination) == pcap.as_ref()
            {
                return Err(Contradiction::EventsIntoPcap(path.clone()));
            }
            if !seen.insert(destination) {
                return Err(Contradiction::OutputTwice(spec.to_string()));
            }
        }
        Ok(())
    }
}

/// The destination of bytes: two names of one file are equal.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Destination {
    /// A file that exists, by device and inode: links and second names are the same file.
    Inode(u64, u64),
    /// A file that does not exist yet.
    Path(PathBuf),
    /// Anything else, as the operator wrote it.
    Other(String),
}

impl Destination {
    fn of(spec: &SinkSpec) -> Self {
        match spec {
            SinkSpec::File(path) => Self::of_file(path),
            // Standard output may have been sent to a file.
            SinkSpec::Stdout => rustix::fs::fstat(rustix::stdio::stdout())
                .ok()
                .filter(|facts| rustix::fs::FileType::from_raw_mode(facts.st_mode).is_file())
                .map_or_else(
                    || Self::Other(spec.to_string()),
                    |facts| Self::Inode(facts.st_dev, facts.st_ino),
                ),
            other => Self::Other(other.to_string()),
        }
    }

    fn of_file(path: &Path) -> Self {
        match path.metadata() {
            Ok(facts) => Self::Inode(facts.dev(), facts.ino()),
            Err(_) => Self::Path(resolved(path)),
        }
    }
}

/// The file that a path means: two spellings of one file are equal, whether it exists already or not.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(file) = path.canonicalize() {
        return file;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{NetworksConfig, RouteConfig, WritePcapConfig};

    fn contradiction(change: impl FnOnce(&mut Config)) -> Option<Contradiction> {
        let mut config = Config::default();
        change(&mut config);
        config.check().err()
    }

    fn route(outputs: &[&str]) -> RouteConfig {
        let outputs = outputs.iter().map(|text| text.parse().unwrap()).collect();
        RouteConfig { outputs, ..RouteConfig::default() }
    }

    #[test]
    fn the_defaults_do_not_contradict_each_other() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn a_port_is_of_one_kind() {
        assert_eq!(contradiction(|c| c.ports.control = vec![21, 990]), Some(Contradiction::PortTwice(990)));
        assert!(contradiction(|c| c.ports.tls = vec![0]).is_some());
        assert!(contradiction(|c| c.ports.tls = (1000..3000).collect()).is_some());
    }

    #[test]
    fn a_network_is_allowed_or_denied_and_there_are_not_too_many() {
        let networks = |allow: &[&str], deny: &[&str]| {
            let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
            contradiction(|c| c.networks = NetworksConfig { allow: parse(allow), deny: parse(deny) })
        };
        assert_eq!(networks(&["10.0.0.0/8"], &["10.1.0.0/16"]), None);
        let twice = networks(&["10.0.0.0/8"], &["192.0.2.0/24", "10.9.0.0/8"]);
        assert_eq!(twice, Some(Contradiction::NetworkTwice("10.9.0.0/8".parse().unwrap())));
        let many = contradiction(|c| c.networks.deny = vec!["192.0.2.1".parse().unwrap(); Networks::MAX + 1]);
        assert_eq!(many, Some(Contradiction::NetworksMany(Networks::MAX + 1)));
    }

    #[test]
    fn a_directory_and_the_storing_of_files_go_together() {
        let extract = |c: &mut Config| c.files.policy = FilesPolicy::Extract;
        assert_eq!(contradiction(extract), Some(Contradiction::NoDirectory));
        let directory = |c: &mut Config| c.files.directory = Some("/x".into());
        assert_eq!(contradiction(directory), Some(Contradiction::UnusedDirectory));
        assert_eq!(contradiction(|c| (extract(c), directory(c)).1), None);
        let program = |path: &str| contradiction(|c| c.live.on_alert = Some(path.into()));
        assert_eq!(program("/usr/local/bin/page"), None);
        assert_eq!(program("page"), Some(Contradiction::ProgramPath("--on-alert", "page".into())));
        let scan = |c: &mut Config| c.live.on_file = Some("/scan".into());
        assert_eq!(contradiction(scan), Some(Contradiction::UnusedProgram));
        assert_eq!(contradiction(|c| (extract(c), directory(c), scan(c)).2), None);
        assert_eq!(contradiction(|c| c.secrets.key_file = Some("/x".into())), Some(Contradiction::UnusedKey));
    }

    #[test]
    fn a_file_is_written_by_one_output() {
        let twice = |outputs: &[&str]| contradiction(|c| c.routes = vec![route(outputs)]);
        assert_eq!(twice(&["-", "-"]), Some(Contradiction::OutputTwice("-".into())));
        assert_eq!(
            twice(&["/nowhere/a", "file:/nowhere/a"]),
            Some(Contradiction::OutputTwice("/nowhere/a".into()))
        );
        assert_eq!(twice(&["a", "./a"]), Some(Contradiction::OutputTwice("./a".into())));
        assert_eq!(twice(&["a", "b", "-", "unix:a"]), None);
        let routes = contradiction(|c| c.routes = vec![route(&["a"]), route(&["a"])]);
        assert_eq!(routes, Some(Contradiction::OutputTwice("a".into())));
    }

    #[test]
    fn events_do_not_go_into_the_capture_file() {
        let same = contradiction(|c| {
            c.routes = vec![route(&["x.pcapng"])];
            c.live.write_pcap = Some(WritePcapConfig { path: "./x.pcapng".into(), max_bytes: None });
        });
        assert_eq!(same, Some(Contradiction::EventsIntoPcap("x.pcapng".into())));
    }

    #[test]
    fn a_file_with_two_names_is_one_file() {
        let folder = std::env::temp_dir().join(format!("ftpmon-twice-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.join(name));
        std::fs::write(&one, "").unwrap();
        std::fs::hard_link(&one, &other).unwrap();
        let twice =
            contradiction(|c| c.routes = vec![route(&[one.to_str().unwrap(), other.to_str().unwrap()])]);
        let key = contradiction(|c| {
            c.secrets =
                crate::config::SecretsConfig { policy: SecretsPolicy::Hash, key_file: Some(one.clone()) };
            c.live.write_pcap = Some(WritePcapConfig { path: other.clone(), max_bytes: None });
        });
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(twice, Some(Contradiction::OutputTwice(other.display().to_string())));
        assert_eq!(key, Some(Contradiction::KeyIsOutput(one)));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        assert!(contradiction(|c| c.live.stats_interval_s = 0).is_some());
        assert!(contradiction(|c| c.live.ring_bytes = 5).is_some());
        assert!(contradiction(|c| c.files.max_bytes = 0).is_some());
        assert_eq!(contradiction(|c| c.sensor = Some(String::new())), Some(Contradiction::SensorName));
        let events = contradiction(|c| {
            c.routes = vec![RouteConfig { events: vec!["logins".into()], ..RouteConfig::default() }];
        });
        assert_eq!(events, Some(Contradiction::UnknownEvent("logins".into())));
    }
}
