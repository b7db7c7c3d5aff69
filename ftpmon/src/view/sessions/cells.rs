//! A session as the texts of a row.

use ftpmon_event::time::Timestamp;

use super::session::{Session, State};
use crate::view::layout::shown;
use crate::view::terminal::Tone;
use crate::view::units::{age, size};

/// The number of texts of a row.
pub(in crate::view) const CELLS: usize = 10;

/// Client, server, user, state, age, time idle, bytes up and down with those of the transfer that runs, refused logins, and what it does: all of them safe to show.
pub(in crate::view) fn cells(row: &Session, now: Timestamp) -> [String; CELLS] {
    let (up, down) = row.bytes();
    [
        row.client.to_string(),
        row.server.to_string(),
        row.user.as_deref().map(shown).unwrap_or_default(),
        if row.is_stalled() { "stalled" } else { row.state.name() }.to_owned(),
        age(now, row.begun),
        age(now, row.active()),
        size(up),
        size(down),
        row.failed_logins.to_string(),
        row.path.as_deref().or(row.command.as_deref()).map(shown).unwrap_or_default(),
    ]
}

impl State {
    /// The colour of a row.
    pub(in crate::view) const fn tone(self) -> Tone {
        match self {
            Self::Downloading | Self::Uploading | Self::Listing => Tone::Good,
            Self::Authenticating => Tone::Odd,
            Self::Connected | Self::Idle | Self::Encrypted => Tone::Plain,
        }
    }
}
