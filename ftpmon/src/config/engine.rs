//! The protocol engine's part of the configuration.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::{ChecksumsPolicy, Config, FilesPolicy, HashAlgorithm, SecretsConfig, SecretsPolicy};
use crate::named_file;
use ftpmon_core::engine::{Checksums, EngineConfig, FilesMode, Hashes, Limits, Secrets};

/// Shortest key that `--secrets-key` accepts, bytes: a shorter one can be guessed by trying.
pub const SECRETS_KEY_MIN: usize = 16;
/// Longest key that `--secrets-key` accepts, bytes: more is no key, and a device has no end.
const SECRETS_KEY_MAX: usize = 64 << 10;

/// The reason why there is no key for hashed secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key file cannot be read.
    #[error("cannot read the key of --secrets hash from {}: {error}", .path.display())]
    Unreadable {
        /// The key file.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// The key is too short.
    #[error(
        "the key of --secrets hash in {} has {length} bytes, it needs {SECRETS_KEY_MIN} or more; make one with \
         `head -c 32 /dev/urandom`", .path.display()
    )]
    TooShort {
        /// The key file.
        path: PathBuf,
        /// Its length, bytes.
        length: usize,
    },
    /// The file is no key.
    #[error("{} is not a key of --secrets hash: it has more than {SECRETS_KEY_MAX} bytes", .0.display())]
    TooLong(PathBuf),
    /// The system gives no random key.
    #[error("the system has no random key for --secrets hash: {0}; give one with --secrets-key")]
    NoRandom(getrandom::Error),
}

impl Config {
    /// The engine's settings for live capture: the kernel selects by port.
    ///
    /// # Errors
    /// There is no key for hashed secrets.
    pub fn live_engine(&self) -> Result<EngineConfig, KeyError> {
        // Packets of this host's own interfaces are seen before their checksums are made, and those of others after the card
        // verified them.
        let config = self.engine(Limits::default(), Checksums::Ignore)?;
        Ok(EngineConfig { detect_by_content: false, ..config })
    }

    /// The engine's settings for capture files: FTP is detected on any port, and silence ends no connection.
    ///
    /// # Errors
    /// There is no key for hashed secrets.
    pub fn read_engine(&self) -> Result<EngineConfig, KeyError> {
        let config = self.engine(Limits::UNHURRIED, Checksums::Auto)?;
        Ok(EngineConfig { detect_by_content: true, selects: false, ..config })
    }

    /// The key of the names that routes hash: that of `--secrets-key`, else a random one. `Mask` where none hashes any.
    ///
    /// # Errors
    /// There is no key.
    pub fn name_hashes(&self) -> Result<Secrets, KeyError> {
        if !self.hashes_names() {
            return Ok(Secrets::Mask);
        }
        secrets(&SecretsConfig { policy: SecretsPolicy::Hash, key_file: self.secrets.key_file.clone() })
    }

    /// A route hashes names.
    pub(super) fn hashes_names(&self) -> bool {
        self.routes.iter().any(|route| route.privacy.hashes())
    }

    /// `auto`: the checksums that count where none are chosen.
    fn engine(&self, limits: Limits, auto: Checksums) -> Result<EngineConfig, KeyError> {
        Ok(EngineConfig {
            control_ports: self.ports.control.clone(),
            tls_ports: self.ports.tls.clone(),
            checksums: match self.checksums {
                ChecksumsPolicy::Auto => auto,
                ChecksumsPolicy::Verify => Checksums::Verify,
                ChecksumsPolicy::Ignore => Checksums::Ignore,
            },
            secrets: secrets(&self.secrets)?,
            files: match self.files.policy {
                FilesPolicy::Off => FilesMode::Off,
                FilesPolicy::Hash => FilesMode::Hash,
                FilesPolicy::Extract => FilesMode::Extract,
            },
            data_hosts: self.files.data_hosts.clone(),
            networks: self.networks.networks(),
            hashes: self.hashes(),
            file_bytes_max: self.files.max_bytes,
            limits: self.limits.over(limits),
            ..EngineConfig::default()
        })
    }

    /// The hashes that are asked for; where files are stored, SHA-256 too: it is their name.
    fn hashes(&self) -> Hashes {
        let asked = |algorithm| self.files.hashes.contains(&algorithm);
        Hashes {
            sha256: asked(HashAlgorithm::Sha256) || self.files.policy == FilesPolicy::Extract,
            sha1: asked(HashAlgorithm::Sha1),
            md5: asked(HashAlgorithm::Md5),
        }
    }
}

fn secrets(config: &SecretsConfig) -> Result<Secrets, KeyError> {
    match (config.policy, &config.key_file) {
        (SecretsPolicy::Mask, _) => Ok(Secrets::Mask),
        (SecretsPolicy::Show, _) => Ok(Secrets::Show),
        (SecretsPolicy::Hash, None) => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(KeyError::NoRandom)?;
            Ok(Secrets::Hash(key))
        }
        (SecretsPolicy::Hash, Some(path)) => {
            let key = key_file(path).map_err(|error| KeyError::Unreadable { path: path.clone(), error })?;
            match key.len() {
                length if length > SECRETS_KEY_MAX => Err(KeyError::TooLong(path.clone())),
                length @ ..SECRETS_KEY_MIN => Err(KeyError::TooShort { path: path.clone(), length }),
                _ => Ok(Secrets::Hash(Sha256::digest(&key).into())),
            }
        }
    }
}

/// The content of a key file, up to one byte more than a key may have.
fn key_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut key = Vec::new();
    let file = named_file::open(path, OFlags::RDONLY, Mode::empty())?;
    file.take(SECRETS_KEY_MAX as u64 + 1).read_to_end(&mut key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets_of(policy: SecretsPolicy, key_file: Option<PathBuf>) -> Result<Secrets, KeyError> {
        secrets(&SecretsConfig { policy, key_file })
    }

    #[test]
    fn secrets_are_masked_unless_asked_otherwise() {
        assert_eq!(secrets(&SecretsConfig::default()).unwrap(), Secrets::Mask);
        assert_eq!(secrets_of(SecretsPolicy::Show, None).unwrap(), Secrets::Show);
        let hash = || secrets_of(SecretsPolicy::Hash, None).unwrap();
        assert!(hash() != hash(), "each run has a key of its own");
    }

    #[test]
    fn a_key_file_makes_hashes_comparable() {
        let path = std::env::temp_dir().join(format!("ftpmon-key-{}", std::process::id()));
        let hash = || secrets_of(SecretsPolicy::Hash, Some(path.clone()));
        assert!(matches!(hash(), Err(KeyError::Unreadable { .. })));
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(hash(), Err(KeyError::TooShort { length: 5, .. })));
        std::fs::write(&path, b"sixteen bytes or more").unwrap();
        assert_eq!(hash().unwrap(), hash().unwrap());
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(
            matches!(hash(), Err(KeyError::Unreadable { .. })),
            "others can put a link into this directory"
        );
        std::fs::remove_file(path).unwrap();
        let endless = secrets_of(SecretsPolicy::Hash, Some("/dev/zero".into()));
        assert!(matches!(endless, Err(KeyError::TooLong(_))));
    }

    #[test]
    fn the_engine_has_the_ports_and_hashes_of_the_configuration() {
        let mut config = Config::default();
        config.ports.control = vec![21, 2121];
        config.ports.tls = vec![990, 9990];
        config.files.hashes = vec![HashAlgorithm::Md5, HashAlgorithm::Sha1];
        let engine = config.live_engine().unwrap();
        assert_eq!((engine.control_ports, engine.tls_ports), (vec![21, 2121], vec![990, 9990]));
        assert!(!engine.detect_by_content);
        assert_eq!(engine.hashes, Hashes { sha256: false, sha1: true, md5: true });
        config.files.policy = FilesPolicy::Extract;
        assert!(config.read_engine().unwrap().hashes.sha256);
        assert_eq!(Config::default().read_engine().unwrap().limits, Limits::UNHURRIED);
    }
}
