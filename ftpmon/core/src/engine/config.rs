//! The settings of an engine.

use crate::config::{FilesMode, Hashes, Limits, Secrets};
use crate::session::Context;

/// How an engine works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Ports whose connections are control connections in clear text.
    pub control_ports: Vec<u16>,
    /// Ports whose connections are control connections under TLS from the first byte.
    pub tls_ports: Vec<u16>,
    /// Look for FTP by content on every other port as well. For capture files: the kernel selects by port.
    pub detect_by_content: bool,
    /// What becomes of secrets.
    pub secrets: Secrets,
    /// What is done with transferred bytes.
    pub files: FilesMode,
    /// Which hashes a file gets. With [`FilesMode::Extract`] SHA-256 is to be one of them: it is the file's name.
    pub hashes: Hashes,
    /// Bytes of a file that are handed out at most, with [`FilesMode::Extract`].
    pub file_bytes_max: u64,
    /// The caps.
    pub limits: Limits,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            control_ports: vec![21],
            tls_ports: vec![990],
            detect_by_content: false,
            secrets: Secrets::default(),
            files: FilesMode::default(),
            hashes: Hashes::default(),
            file_bytes_max: u64::MAX,
            limits: Limits::default(),
        }
    }
}

impl<'a> From<&'a EngineConfig> for Context<'a> {
    fn from(config: &'a EngineConfig) -> Self {
        Self { secrets: &config.secrets, limits: &config.limits }
    }
}
