//! The settings of HTTP: who asks, and how bodies are sent.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderValue;

use super::output_error::OutputSpecError;

/// Largest file with a secret, bytes.
const SECRET_MAX: usize = 16 << 10;

/// The settings of HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpOptions {
    /// File with a token (RFC 6750, for Splunk that of the collector).
    pub token: Option<PathBuf>,
    /// File with an API key of Elasticsearch.
    pub api_key: Option<PathBuf>,
    /// User (RFC 7617).
    pub user: Option<String>,
    /// File with the user's password.
    pub password: Option<PathBuf>,
    /// Bodies are compressed.
    pub compress: bool,
}

impl HttpOptions {
    /// Sets one by name.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), OutputSpecError> {
        match name {
            "token" => self.token = Some(value.into()),
            "api-key" => self.api_key = Some(value.into()),
            "user" => self.user = Some(value.to_owned()),
            "password" => self.password = Some(value.into()),
            "compress" => {
                self.compress = match value {
                    "on" | "true" => true,
                    "off" | "false" => false,
                    _ => {
                        return Err(OutputSpecError::Value {
                            setting: "compress",
                            value: value.to_owned(),
                            wanted: "on or off".to_owned(),
                        });
                    }
                }
            }
            other => return Err(OutputSpecError::UnknownSetting(other.to_owned())),
        }
        Ok(())
    }

    /// Those that are not the default, by name.
    pub(super) fn named(&self) -> Vec<(&'static str, String)> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        [
            path(&self.token).map(|path| ("token", path)),
            path(&self.api_key).map(|path| ("api-key", path)),
            self.user.clone().map(|user| ("user", user)),
            path(&self.password).map(|path| ("password", path)),
            self.compress.then(|| ("compress", "on".to_owned())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// There is one way to say who asks.
    pub(super) fn check(&self) -> Result<(), OutputSpecError> {
        match self {
            Self { user: Some(_), password: None, .. } => Err(OutputSpecError::Together("user", "password")),
            Self { user: None, password: Some(_), .. } => Err(OutputSpecError::Together("password", "user")),
            Self { token: Some(_), api_key: Some(_), .. } => Err(OutputSpecError::Apart("token", "api-key")),
            Self { token: Some(_), user: Some(_), .. } => Err(OutputSpecError::Apart("token", "user")),
            Self { api_key: Some(_), user: Some(_), .. } => Err(OutputSpecError::Apart("api-key", "user")),
            _ => Ok(()),
        }
    }

    /// The value of the `Authorization` field; `scheme` is the one that tokens have.
    ///
    /// # Errors
    /// A file that cannot be read, or has nothing that such a field can hold.
    pub(super) fn authorization(&self, scheme: &str) -> io::Result<Option<HeaderValue>> {
        let text = match self {
            Self { token: Some(path), .. } => format!("{scheme} {}", secret(path)?),
            Self { api_key: Some(path), .. } => format!("ApiKey {}", secret(path)?),
            Self { user: Some(user), password: Some(path), .. } => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{}", secret(path)?)))
            }
            _ => return Ok(None),
        };
        let mut value = HeaderValue::try_from(text).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "a token has characters that HTTP does not allow")
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

fn secret(path: &Path) -> io::Result<String> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(named)?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() || secret.len() > SECRET_MAX {
        return Err(named(io::Error::new(io::ErrorKind::InvalidData, "it has no token or password")));
    }
    Ok(secret.to_owned())
}
