//! The settings of readers that answer: who asks, and how what is sent is packed.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::HeaderValue;

use super::output_error::OutputSpecError;

/// Largest file with a secret, bytes.
const SECRET_MAX: usize = 16 << 10;

/// The settings of readers that answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessOptions {
    /// File with a token (RFC 6750, for Splunk that of the collector).
    pub token: Option<PathBuf>,
    /// File with an API key of Elasticsearch.
    pub api_key: Option<PathBuf>,
    /// User (RFC 7617; of NATS; of SASL).
    pub user: Option<String>,
    /// File with the user's password.
    pub password: Option<PathBuf>,
    /// File with NATS credentials: a user's JWT and the seed of its key.
    pub creds: Option<PathBuf>,
    /// The mechanism by which Kafka learns user and password.
    pub sasl: Sasl,
    /// Bodies and batches are compressed.
    pub compress: bool,
}

/// Mechanisms of SASL with a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sasl {
    /// PLAIN (RFC 4616): the password itself.
    #[default]
    Plain,
    /// SCRAM-SHA-256 (RFC 7677).
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
}

impl Sasl {
    const ALL: [(&str, Self); 3] =
        [("plain", Self::Plain), ("scram-sha-256", Self::ScramSha256), ("scram-sha-512", Self::ScramSha512)];
}

impl AccessOptions {
    /// Sets one by name.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), OutputSpecError> {
        match name {
            "token" => self.token = Some(value.into()),
            "api-key" => self.api_key = Some(value.into()),
            "user" => self.user = Some(value.to_owned()),
            "password" => self.password = Some(value.into()),
            "creds" => self.creds = Some(value.into()),
            "sasl" => {
                let named = Sasl::ALL.into_iter().find(|(name, _)| *name == value);
                let (_, sasl) = named.ok_or_else(|| OutputSpecError::Value {
                    setting: "sasl",
                    value: value.to_owned(),
                    wanted: Sasl::ALL.map(|(name, _)| name).join(", "),
                })?;
                self.sasl = sasl;
            }
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

    /// The outputs that have a setting.
    pub(super) fn owners(setting: &str) -> &'static str {
        match setting {
            "api-key" => "outputs over HTTP",
            "creds" => "outputs to NATS",
            "sasl" => "outputs to Kafka",
            "token" => "outputs over HTTP and to NATS",
            "compress" => "outputs over HTTP and to Kafka",
            _ => "outputs over HTTP, to NATS and to Kafka",
        }
    }

    /// Those that are not the default, by name.
    pub(super) fn named(&self) -> Vec<(&'static str, String)> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        [
            path(&self.token).map(|path| ("token", path)),
            path(&self.api_key).map(|path| ("api-key", path)),
            self.user.clone().map(|user| ("user", user)),
            path(&self.password).map(|path| ("password", path)),
            path(&self.creds).map(|path| ("creds", path)),
            Sasl::ALL
                .into_iter()
                .find(|(_, sasl)| *sasl == self.sasl && *sasl != Sasl::default())
                .map(|(name, _)| ("sasl", name.to_owned())),
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
            Self { creds: Some(_), user: Some(_), .. } => Err(OutputSpecError::Apart("creds", "user")),
            Self { creds: Some(_), token: Some(_), .. } => Err(OutputSpecError::Apart("creds", "token")),
            _ => Ok(()),
        }
    }

    /// The token, read from its file.
    ///
    /// # Errors
    /// The file cannot be read, or is empty.
    pub(super) fn token(&self) -> io::Result<Option<String>> {
        self.token.as_deref().map(secret).transpose()
    }

    /// The user, and the password read from its file.
    ///
    /// # Errors
    /// As [`Self::token`].
    pub(super) fn login(&self) -> io::Result<Option<(String, String)>> {
        let (Some(user), Some(path)) = (&self.user, &self.password) else { return Ok(None) };
        Ok(Some((user.clone(), secret(path)?)))
    }

    /// The NATS credentials, read from their file.
    ///
    /// # Errors
    /// As [`Self::token`].
    #[cfg(feature = "brokers")]
    pub(super) fn creds(&self) -> io::Result<Option<String>> {
        // Whoever reads them wants each of their lines ended.
        Ok(self.creds.as_deref().map(secret).transpose()?.map(|creds| creds + "\n"))
    }

    /// The value of the `Authorization` field; `scheme` is the one that tokens have.
    ///
    /// # Errors
    /// A file that cannot be read, or has nothing that such a field can hold.
    pub(super) fn authorization(&self, scheme: &str) -> io::Result<Option<HeaderValue>> {
        let text = if let Some(token) = self.token()? {
            format!("{scheme} {token}")
        } else if let Some(path) = &self.api_key {
            format!("ApiKey {}", secret(path)?)
        } else if let Some((user, password)) = self.login()? {
            format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
        } else {
            return Ok(None);
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
