use std::path::Path;

use super::*;
use crate::config::{FilesPolicy, SecretsPolicy};
use crate::format::Format;

/// A configuration file that is removed with its guard.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ftpmon-layers-{}-{name}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn run(&self, options: &[&str], variables: &[(&str, &str)]) -> Result<Invocation, String> {
        let path = self.0.to_str().unwrap();
        let arguments = [&["ftpmon", "run", "--config", path], options].concat();
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Invocation::new(arguments, variable).map_err(|error| error.to_string())
    }

    fn config(&self, options: &[&str], variables: &[(&str, &str)]) -> Config {
        self.run(options, variables).unwrap().config.unwrap()
    }

    fn error(&self, options: &[&str]) -> String {
        self.run(options, &[]).unwrap_err().replace(self.0.to_str().unwrap(), "FILE")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn an_option_wins_over_the_environment_and_that_over_the_file() {
    let file = File::new(
        "wins",
        "ports = [2100, 2101]\nsensor = \"file\"\nstats-interval = \"5m\"\nring-size = \"4M\"\n",
    );
    let config =
        file.config(&["--sensor", "option"], &[("FTPMON_SENSOR", "variable"), ("FTPMON_RING_SIZE", "8M")]);
    assert_eq!(config.sensor.as_deref(), Some("option"));
    assert_eq!(config.ports.control, [2100, 2101]);
    assert_eq!((config.live.stats_interval_s, config.live.ring_bytes), (300, 8 << 20));
    assert_eq!(file.config(&["--ports", "21"], &[]).ports.control, [21], "lists do not add up");
    let origins =
        file.run(&["--sensor", "x"], &[("FTPMON_PROMISC", "yes"), ("FTPMON_PORTS", "1,2")]).unwrap();
    assert_eq!(origins.origins["sensor"], Origin::CommandLine);
    assert_eq!(origins.origins["promisc"], Origin::Environment("FTPMON_PROMISC".into()));
    let Some(config) = origins.config else { panic!() };
    assert_eq!(config.ports.control, [1, 2]);
    assert!(config.live.promiscuous);
    let Origin::File(at) = &origins.origins["ring-size"] else { panic!() };
    assert_eq!((at.path.as_path(), at.line), (&*file.0, 4));
}

#[test]
fn every_option_of_run_can_stand_in_a_file() {
    let definition = definition_of_run();
    let names: Vec<&str> = settings(&definition).map(name).collect();
    assert!(names.iter().all(|name| !name.is_empty()), "{names:?}");
    for name in ["iface", "hook", "output", "ports", "files-dir", "secrets", "owners", "write-pcap", "nice"] {
        assert!(names.contains(&name), "{name}");
    }
    let text = "iface = \"veth*\"\nhook = \"tcx\"\noutput = [\"-\", \"unix:/x\"]\nfiles = \"extract\"\nfiles-dir = \"/kept\"\n\
                files-quota = \"2G\"\nsecrets = \"show\"\nowners = \"off\"\nnice = -5\nevents = [\"login\"]\nformat = \"ecs\"\n";
    let config = File::new("every", text).config(&[], &[]);
    assert!(config.live.interfaces[0].matches("veth9") && !config.live.owners);
    assert_eq!(config.files.policy, FilesPolicy::Extract);
    assert_eq!(
        (config.files.directory.as_deref(), config.files.quota_bytes),
        (Some(Path::new("/kept")), 2 << 30)
    );
    assert_eq!((config.secrets.policy, config.live.nice), (SecretsPolicy::Show, Some(-5)));
    assert_eq!(config.routes[0].outputs, ["-".parse().unwrap(), "unix:/x".parse().unwrap()]);
    assert_eq!(
        (config.routes[0].format, &config.routes[0].events[..]),
        (Format::Ecs, &["login".to_owned()][..])
    );
}

#[test]
fn what_is_wrong_is_named_with_file_line_and_the_way_out() {
    for (text, line, words) in [
        ("\nprots = [21]\n", 2, "unknown key `prots`; did you mean `ports`?"),
        ("stats_interval = 5\n", 1, "did you mean `stats-interval`?"),
        ("frobnicate = 5\n", 1, "config example"),
        ("config = \"/x\"\n", 1, "unknown key"),
        ("ports = true\n", 1, "not true or false"),
        ("promisc = \"yes\"\n", 1, "takes true or false"),
        ("hook = [\"tcx\"]\n", 1, "one value, not an array"),
        ("tls-ports = []\n", 1, "empty array"),
        ("\n\nports = [70000]\n", 3, "70000"),
        ("hook = \"offload\"\n", 1, "possible values: auto"),
        ("ring-size = \"16X\"\n", 1, "64K, 16M"),
        ("stats-interval = \"5 minutes\"\n", 1, "30s, 5m"),
        ("owners = false\n", 1, "one of on, off"),
        ("output = \"tcp://nowhere\"\n", 1, "HOST:PORT"),
    ] {
        let error = File::new("wrong", text).error(&[]);
        assert!(error.starts_with(&format!("FILE:{line}: ")), "{text:?}: {error}");
        assert!(error.contains(words), "{text:?}: {error}");
    }
}

#[test]
fn contradictions_are_named_with_the_places_of_both() {
    let file = File::new("contradiction", "files = \"extract\"\nsecrets-key = \"/x\"\n");
    let error = file.error(&["--files-dir", "/kept"]);
    assert!(error.contains("--secrets hash") && error.contains("secrets-key is set by FILE:2"), "{error}");
    let error = File::new("ports", "tls-ports = 21\n").error(&["--ports", "21"]);
    assert!(error.contains("port 21") && error.contains("tls-ports is set by FILE:1"), "{error}");
    let error = File::new("pcap", "write-pcap-max-bytes = \"4M\"\n").error(&[]);
    assert!(error.contains("--write-pcap FILE") && error.contains("FILE:1"), "{error}");
    let error = File::new("extract", "files = \"extract\"\n").error(&[]);
    assert!(error.contains("needs --files-dir DIR") && error.contains("FILE:1"), "{error}");
}

#[test]
fn routes_of_a_file_stand_beside_its_output_and_behind_an_option() {
    let route = "[[route]]\noutput = \"/logins\"\nevents = [\"login\"]\n";
    let outputs = |text: &str, options: &[&str]| -> Vec<String> {
        let config = File::new("routes", text).config(options, &[]);
        config.routes.iter().flat_map(|route| &route.outputs).map(ToString::to_string).collect()
    };
    assert_eq!(outputs(route, &[]), ["/logins"]);
    assert_eq!(outputs(&format!("output = \"/all\"\n{route}"), &[]), ["/all", "/logins"]);
    assert_eq!(outputs(route, &["--output", "-"]), ["-"]);
    let error = File::new("stray", route).error(&["--format", "eve"]);
    assert!(error.contains("--format belongs to --output") && error.contains("FILE:1"), "{error}");
}

#[test]
fn capture_files_are_read_without_a_configuration() {
    let variable = |_: &str| Some("/nonexistent".to_owned());
    let read = Invocation::new(["ftpmon", "read", "a.pcap"], variable).unwrap();
    assert!(read.origins.is_empty() && read.files.is_empty());
    let missing = Invocation::new(["ftpmon", "run", "--config", "/nonexistent"], |_| None).unwrap_err();
    assert!(matches!(missing, LayerError::File(FileError::Unreadable { .. })), "{missing}");
}
