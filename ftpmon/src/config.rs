//! From what an operator said to what the parts of a run are told; shared by `run` and `read`.

use std::io;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::cli::{EventOptions, FilesChoice, PortOptions, RunOptions, SecretsChoice};
use crate::dump::DumpOptions;
use crate::format::{Encoder, KindFilter};
use crate::store::StoreOptions;
use ftpmon_core::engine::{EngineConfig, Hashes, Secrets};

/// Shortest key that `--secrets-key` accepts, bytes: a shorter one is guessed by trying.
pub const SECRETS_KEY_MIN: usize = 16;

/// Why options that are well-formed cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The key file cannot be read.
    #[error("cannot read the key of --secrets hash from {}: {error}", .path.display())]
    KeyUnreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The key is no key.
    #[error(
        "the key of --secrets hash in {} is {length} bytes short of a key of {SECRETS_KEY_MIN}; make one with \
         `head -c 32 /dev/urandom`", .path.display()
    )]
    KeyTooShort {
        /// Which file.
        path: PathBuf,
        /// How many bytes are missing.
        length: usize,
    },
    /// A key for hashes that are not asked for.
    #[error("--secrets-key is the key of --secrets hash; give both or neither")]
    KeyUnused,
    /// The system gives no random key.
    #[error("the system gives no random key for --secrets hash: {0}; give one with --secrets-key")]
    NoRandom(getrandom::Error),
}

/// How the engine works. Content detection is for capture files: live the kernel selects by port.
///
/// # Errors
/// Where the key of `--secrets hash` is not to be had.
pub fn engine(
    ports: &PortOptions,
    events: &EventOptions,
    detect_by_content: bool,
) -> Result<EngineConfig, ConfigError> {
    Ok(EngineConfig {
        control_ports: ports.ports.clone(),
        tls_ports: ports.tls_ports.clone(),
        detect_by_content,
        secrets: secrets(events)?,
        files: events.files.into(),
        hashes: hashes(events),
        file_bytes_max: events.store.files_max_bytes,
        ..EngineConfig::default()
    })
}

/// The hashes that are asked for; where files are kept, SHA-256 among them.
fn hashes(events: &EventOptions) -> Hashes {
    let hashes: Hashes = events.hashes.iter().copied().collect();
    Hashes { sha256: hashes.sha256 || events.files == FilesChoice::Extract, ..hashes }
}

/// Where files are kept, if they are.
pub(crate) fn store(events: &EventOptions) -> Option<StoreOptions> {
    let folder = events.store.files_dir.clone().filter(|_| events.files == FilesChoice::Extract)?;
    Some(StoreOptions { folder, quota: events.store.files_quota })
}

/// What writes the events.
pub fn encoder(events: &EventOptions) -> Encoder {
    Encoder::new(events.format.formatter(&sensor(events)), KindFilter::only(&events.kinds))
}

/// This sensor's name: as asked for, or the host's.
fn sensor(events: &EventOptions) -> String {
    let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    events.sensor.clone().unwrap_or_else(host)
}

/// The capture file that is asked for, if one is.
pub fn dump(options: &RunOptions) -> Option<DumpOptions> {
    let shown = options.events.secrets == SecretsChoice::Show;
    Some(DumpOptions {
        path: options.write_pcap.clone()?,
        max_bytes: options.write_pcap_max_bytes,
        mask_ports: (!shown).then(|| options.ports.ports.clone()),
    })
}

fn secrets(events: &EventOptions) -> Result<Secrets, ConfigError> {
    match (events.secrets, &events.secrets_key) {
        (SecretsChoice::Hash, None) => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(ConfigError::NoRandom)?;
            Ok(Secrets::Hash(key))
        }
        (SecretsChoice::Hash, Some(path)) => {
            let key = std::fs::read(path)
                .map_err(|error| ConfigError::KeyUnreadable { path: path.clone(), error })?;
            match SECRETS_KEY_MIN.checked_sub(key.len()) {
                None | Some(0) => Ok(Secrets::Hash(Sha256::digest(&key).into())),
                Some(length) => Err(ConfigError::KeyTooShort { path: path.clone(), length }),
            }
        }
        (_, Some(_)) => Err(ConfigError::KeyUnused),
        (SecretsChoice::Mask, None) => Ok(Secrets::Mask),
        (SecretsChoice::Show, None) => Ok(Secrets::Show),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn options(args: &[&str]) -> RunOptions {
        let Command::Run(options) = Cli::try_parse_from([&["ftpmon", "run"], args].concat()).unwrap().command
        else {
            panic!()
        };
        options
    }

    fn secrets_of(args: &[&str]) -> Result<Secrets, ConfigError> {
        secrets(&options(args).events)
    }

    #[test]
    fn secrets_are_masked_unless_asked_otherwise() {
        assert_eq!(secrets_of(&[]).unwrap(), Secrets::Mask);
        assert_eq!(secrets_of(&["--secrets", "show"]).unwrap(), Secrets::Show);
        let (one, other) =
            (secrets_of(&["--secrets", "hash"]).unwrap(), secrets_of(&["--secrets", "hash"]).unwrap());
        assert!(one != other, "each run has a key of its own");
    }

    #[test]
    fn a_key_file_makes_hashes_comparable() {
        let path = std::env::temp_dir().join(format!("ftpmon-key-{}", std::process::id()));
        let args = ["--secrets", "hash", "--secrets-key", path.to_str().unwrap()];
        assert!(matches!(secrets_of(&args), Err(ConfigError::KeyUnreadable { .. })));
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(secrets_of(&args), Err(ConfigError::KeyTooShort { length: 11, .. })));
        std::fs::write(&path, b"sixteen bytes or more").unwrap();
        assert_eq!(secrets_of(&args).unwrap(), secrets_of(&args).unwrap());
        assert!(matches!(secrets_of(&args[2..]), Err(ConfigError::KeyUnused)));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_engine_is_told_the_ports() {
        let options = options(&["--ports", "21,2121", "--tls-ports", "990,9990"]);
        let config = engine(&options.ports, &options.events, false).unwrap();
        assert_eq!((config.control_ports, config.tls_ports), (vec![21, 2121], vec![990, 9990]));
        assert!(!config.detect_by_content);
        assert_eq!(config.hashes, Hashes::default());
    }

    #[test]
    fn the_engine_is_told_the_hashes() {
        let options = options(&["--files", "hash", "--hashes", "md5,sha1"]);
        let config = engine(&options.ports, &options.events, false).unwrap();
        assert_eq!(config.hashes, Hashes { sha256: false, sha1: true, md5: true });
    }
}
