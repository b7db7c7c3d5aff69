//! The tables.

/// A table of `ftpmon top`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// Open sessions.
    #[default]
    Sessions,
    /// Transfers that run, and the last that ended.
    Transfers,
    /// Users by their transfers and refused logins.
    Users,
    /// Paths by their transfers.
    Paths,
    /// Servers by their transfers.
    Servers,
    /// Clients by their transfers and refused logins.
    Clients,
    /// The last refused logins.
    Logins,
    /// The last alerts.
    Alerts,
}

impl Tab {
    /// All tables, in the order of their keys.
    pub const ALL: [Self; 8] = [
        Self::Sessions,
        Self::Transfers,
        Self::Users,
        Self::Paths,
        Self::Servers,
        Self::Clients,
        Self::Logins,
        Self::Alerts,
    ];

    /// The name that `--show` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Transfers => "transfers",
            Self::Users => "users",
            Self::Paths => "paths",
            Self::Servers => "servers",
            Self::Clients => "clients",
            Self::Logins => "logins",
            Self::Alerts => "alerts",
        }
    }

    /// The one with this number, from 1.
    pub(super) fn of_number(number: usize) -> Option<Self> {
        Self::ALL.get(number.checked_sub(1)?).copied()
    }

    /// The one behind it, or before it.
    pub(super) fn beside(self, is_behind: bool) -> Self {
        let count = Self::ALL.len();
        let step = if is_behind { 1 } else { count - 1 };
        Self::ALL.get((self as usize + step) % count).copied().unwrap_or_default()
    }
}
