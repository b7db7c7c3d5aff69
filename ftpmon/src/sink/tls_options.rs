//! The settings of TLS: whose certificates count, and the one that is shown.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::output_error::OutputSpecError;

/// The settings of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Certificates of authorities (PEM); those of the system where there is none.
    pub ca: Option<PathBuf>,
    /// The certificate that is shown to the reader, with those between it and its authority (PEM).
    pub cert: Option<PathBuf>,
    /// Its private key (PEM).
    pub key: Option<PathBuf>,
    /// The name in the reader's certificate, where it is not the host's.
    pub server_name: Option<String>,
}

impl TlsOptions {
    /// Sets one by name.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), OutputSpecError> {
        match name {
            "ca" => self.ca = Some(value.into()),
            "cert" => self.cert = Some(value.into()),
            "key" => self.key = Some(value.into()),
            "server-name" => {
                let wrong = |_| OutputSpecError::Value {
                    setting: "server-name",
                    value: value.to_owned(),
                    wanted: "a host name or an address".to_owned(),
                };
                ServerName::try_from(value).map_err(wrong)?;
                self.server_name = Some(value.to_owned());
            }
            other => return Err(OutputSpecError::UnknownSetting(other.to_owned())),
        }
        Ok(())
    }

    /// Those that are not the default, by name.
    pub(super) fn named(&self) -> Vec<(&'static str, String)> {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        [
            path(&self.ca).map(|path| ("ca", path)),
            path(&self.cert).map(|path| ("cert", path)),
            path(&self.key).map(|path| ("key", path)),
            self.server_name.clone().map(|name| ("server-name", name)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// A certificate and its key are given together.
    pub(super) fn check(&self) -> Result<(), OutputSpecError> {
        match (&self.cert, &self.key) {
            (Some(_), None) => Err(OutputSpecError::Together("cert", "key")),
            (None, Some(_)) => Err(OutputSpecError::Together("key", "cert")),
            _ => Ok(()),
        }
    }

    /// The name that the certificate of the reader at `host` has to have.
    ///
    /// # Errors
    /// The host has none.
    pub(super) fn name_of(&self, host: &str) -> io::Result<ServerName<'static>> {
        let name = self.server_name.as_deref().unwrap_or(host).to_owned();
        ServerName::try_from(name).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    /// Reads the files.
    ///
    /// # Errors
    /// A file that cannot be read, or that has no certificate or key.
    pub(super) fn load(&self) -> io::Result<Arc<ClientConfig>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(io::Error::other)?.with_root_certificates(self.authorities()?);
        let config = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let chain = certificates(cert)?;
                let private =
                    PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, "private key", &error))?;
                let unfit = |error| {
                    let text = format!("{} and {}: {error}", cert.display(), key.display());
                    io::Error::new(io::ErrorKind::InvalidData, text)
                };
                builder.with_client_auth_cert(chain, private).map_err(unfit)?
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }

    fn authorities(&self) -> io::Result<RootCertStore> {
        let mut store = RootCertStore::empty();
        match &self.ca {
            Some(path) => {
                for certificate in certificates(path)? {
                    let unfit = |error| {
                        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
                    };
                    store.add(certificate).map_err(unfit)?;
                }
            }
            None => {
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if store.is_empty() {
                    let text = "this system has no certificates of authorities; name a file with ca=FILE";
                    return Err(io::Error::new(io::ErrorKind::NotFound, text));
                }
            }
        }
        Ok(store)
    }
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| wrong(path, "certificate", &error))?;
    if read.is_empty() {
        return Err(wrong(path, "certificate", &PemError::NoItemsFound));
    }
    Ok(read)
}

fn wrong(path: &Path, what: &str, error: &PemError) -> io::Error {
    let path = path.display();
    match error {
        PemError::Io(error) => io::Error::new(error.kind(), format!("{path}: {error}")),
        PemError::NoItemsFound => {
            io::Error::new(io::ErrorKind::InvalidData, format!("{path} has no {what} (PEM)"))
        }
        other => io::Error::new(io::ErrorKind::InvalidData, format!("{path}: {other:?}")),
    }
}
