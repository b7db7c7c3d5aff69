//! The two options that name a command.

/// The events that a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Alerts: those that come too fast are passed over.
    Alert,
    /// Transfers whose file was stored: the next one waits for its turn.
    File,
}

impl Purpose {
    /// The option that names the command.
    pub(crate) const fn option(self) -> &'static str {
        match self {
            Self::Alert => "--on-alert",
            Self::File => "--on-file",
        }
    }

    /// The counter of events that were not handed over.
    pub(super) const fn loss(self) -> &'static str {
        match self {
            Self::Alert => "on_alert_not_run",
            Self::File => "on_file_not_run",
        }
    }
}
