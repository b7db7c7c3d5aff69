//! Errors of TLS, with the way out.

use std::io;

use ftpmon_event::time::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};

/// The error of a connection to `name`, for people.
pub(super) fn explained(error: &Error, name: &str) -> io::Error {
    let text = match error {
        Error::InvalidCertificate(error) => certificate(error, name),
        Error::AlertReceived(AlertDescription::CertificateExpired) => {
            "the reader says that the client certificate (cert=) has expired: renew it".to_owned()
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the reader wants a client certificate: give cert=FILE and key=FILE".to_owned()
        }
        Error::AlertReceived(AlertDescription::UnknownCA) => {
            "the reader does not know the authority of the client certificate (cert=)".to_owned()
        }
        Error::AlertReceived(alert) => format!("the reader ended TLS with the alert {alert:?}"),
        Error::InvalidMessage(_) => format!("what {name} sends is not TLS: {error}"),
        other => format!("TLS: {other}"),
    };
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// The same for an error that came through a stream.
pub(super) fn explained_io(error: io::Error, name: &str) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(inner) => explained(inner, name),
        None => error,
    }
}

/// The same for an error among the sources of another; none if it is not about TLS.
#[cfg(feature = "brokers")]
pub(super) fn explained_source(error: &(dyn std::error::Error + 'static), name: &str) -> Option<io::Error> {
    let sources = core::iter::successors(Some(error), |error| error.source());
    let of_tls = |source: &(dyn std::error::Error + 'static)| {
        let within = source.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
        let own = source.downcast_ref::<Error>();
        own.or_else(|| within?.downcast_ref()).map(|error| explained(error, name))
    };
    sources.into_iter().find_map(of_tls)
}

fn certificate(error: &CertificateError, name: &str) -> String {
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate of {name} expired on {}: it has to be renewed there", day(*not_after))
        }
        CertificateError::Expired => {
            format!("the certificate of {name} has expired: it has to be renewed there")
        }
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "the certificate of {name} is not valid before {}: is this host's clock right?",
            day(*not_before)
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!(
                "the certificate of the reader is not for {name}: server-name=NAME names the one that it has"
            )
        }
        // Another authority may have the same name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "the authority that signed the certificate of {name} is not known here: name its certificate with ca=FILE"
        ),
        CertificateError::Revoked => format!("the certificate of {name} is revoked"),
        other => format!("the certificate of {name} is refused: {other}"),
    }
}

fn day(at: UnixTime) -> String {
    let text = Timestamp::from_parts(at.as_secs().try_into().unwrap_or(i64::MAX), 0).to_string();
    text.get(..10).unwrap_or(&text).to_owned()
}
