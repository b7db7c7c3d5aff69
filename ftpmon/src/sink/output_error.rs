//! The reasons why a text is no output.

use super::spec::SinkSpecError;

/// The names of the settings of outputs.
pub(super) const SETTINGS: [&str; 22] = [
    "format",
    "events",
    "queue",
    "resend",
    "rotate",
    "rotate-age",
    "keep",
    "gzip",
    "mode",
    "owner",
    "group",
    "ca",
    "cert",
    "key",
    "server-name",
    "token",
    "api-key",
    "user",
    "password",
    "creds",
    "sasl",
    "compress",
];

/// The reason why a text is no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputSpecError {
    /// It names no sink.
    #[error(transparent)]
    Sink(#[from] SinkSpecError),
    /// A setting that outputs do not have.
    #[error("outputs have no setting `{0}`; there are {names}", names = SETTINGS.join(", "))]
    UnknownSetting(String),
    /// A value that is no size or duration.
    #[error("{0}: {1}")]
    Unit(&'static str, String),
    /// A value that the setting does not take.
    #[error("{setting}={value}: it takes {wanted}")]
    Value {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// The events that it takes.
        wanted: String,
    },
    /// A setting of a kind of output that this is not.
    #[error("{setting} is a setting of {of}, and {sink} is none")]
    OtherKind {
        /// The setting.
        setting: &'static str,
        /// The outputs that have it.
        of: &'static str,
        /// The output.
        sink: String,
    },
    /// A setting without the one that belongs to it.
    #[error("{0} is given without {1}")]
    Together(&'static str, &'static str),
    /// Two settings of which one is enough.
    #[error("{0} and {1} are both given")]
    Apart(&'static str, &'static str),
    /// A format that the output does not take.
    #[error("{sink} takes format={wanted} only")]
    Format {
        /// The output.
        sink: String,
        /// The format that it takes.
        wanted: &'static str,
    },
    /// A table without the output.
    #[error("an output needs `to`, for example to = \"tcp://192.0.2.1:514\"")]
    NoSink,
}
