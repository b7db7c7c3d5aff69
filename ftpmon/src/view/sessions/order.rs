//! The order of sessions.

use super::session::Session;

/// The order of sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The longest open first.
    #[default]
    Time,
    /// The longest silent first.
    Idle,
    /// The most bytes first.
    Bytes,
    /// The most refused logins first.
    Failed,
    /// By user, then by client.
    User,
}

impl Order {
    /// All orders.
    pub const ALL: [Self; 5] = [Self::Time, Self::Idle, Self::Bytes, Self::Failed, Self::User];

    /// The name that `--sort` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Idle => "idle",
            Self::Bytes => "bytes",
            Self::Failed => "failed",
            Self::User => "user",
        }
    }

    /// Sorts sessions. Equal ones are in the order of their beginnings and ids, so that the order never depends on chance.
    pub(in crate::view) fn sort(self, rows: &mut [&Session]) {
        // Numbers are taken out of the sessions first: of a hundred thousand sessions most are not in the processor's cache.
        let number = |row: &Session| match self {
            Self::Time | Self::User => 0,
            Self::Idle => i128::from(row.latest.as_nanos()),
            Self::Bytes => -i128::from(row.bytes_up.saturating_add(row.bytes_down)),
            Self::Failed => -i128::from(row.failed_logins),
        };
        let mut keyed: Vec<(i128, i128, &Session)> =
            rows.iter().map(|row| (number(row), i128::from(row.begun.as_nanos()), *row)).collect();
        keyed.sort_unstable_by(|a, b| {
            let first = match self {
                Self::User => (&a.2.user, a.2.client).cmp(&(&b.2.user, b.2.client)),
                _ => a.0.cmp(&b.0),
            };
            first.then_with(|| a.1.cmp(&b.1)).then_with(|| a.2.id.cmp(&b.2.id))
        });
        rows.iter_mut().zip(keyed).for_each(|(row, (.., sorted))| *row = sorted);
    }
}
