//! Which sessions are shown, and in what order.

use core::cmp::Reverse;
use core::str::FromStr;

use super::session::Session;

/// A condition on sessions: `user:TEXT`, `client:TEXT`, `server:TEXT`, `state:TEXT`, `path:TEXT`, or a text that any of these has.
/// Letters match in either case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    field: Field,
    /// In lower case.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Any,
    User,
    Client,
    Server,
    State,
    Path,
}

/// A filter that has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write user:TEXT, client:TEXT, server:TEXT, state:TEXT, path:TEXT or a text that any of them has")]
pub struct FilterError;

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let fields = [
            ("user:", Field::User),
            ("client:", Field::Client),
            ("server:", Field::Server),
            ("state:", Field::State),
            ("path:", Field::Path),
        ];
        let named = fields.iter().find_map(|(prefix, field)| Some((*field, text.strip_prefix(prefix)?)));
        match named.unwrap_or((Field::Any, text)) {
            (_, "") => Err(FilterError),
            (field, text) => Ok(Self { field, text: text.to_lowercase() }),
        }
    }
}

impl Filter {
    /// The session meets the condition.
    pub(super) fn lets_through(&self, session: &Session) -> bool {
        let has = |text: &str| text.to_lowercase().contains(&self.text);
        let user = || session.user.as_deref().is_some_and(has);
        let client = || has(&session.client.to_string());
        let server = || has(&session.server.to_string());
        let path = || session.path.as_deref().or(session.command.as_deref()).is_some_and(has);
        match self.field {
            Field::User => user(),
            Field::Client => client(),
            Field::Server => server(),
            Field::State => has(session.state.name()),
            Field::Path => path(),
            Field::Any => user() || client() || server() || path() || has(session.state.name()),
        }
    }
}

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
    /// Sorts sessions. Equal ones are in the order of their beginnings and ids, so that the order never depends on chance.
    pub(super) fn sort(self, rows: &mut [&Session]) {
        let bytes = |row: &Session| row.bytes_up.saturating_add(row.bytes_down);
        rows.sort_by(|a, b| {
            let first = match self {
                Self::Time => core::cmp::Ordering::Equal,
                Self::Idle => a.latest.cmp(&b.latest),
                Self::Bytes => Reverse(bytes(a)).cmp(&Reverse(bytes(b))),
                Self::Failed => Reverse(a.failed_logins).cmp(&Reverse(b.failed_logins)),
                Self::User => (&a.user, a.client).cmp(&(&b.user, b.client)),
            };
            first.then_with(|| (a.begun, &a.id).cmp(&(b.begun, &b.id)))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_needs_a_text() {
        assert_eq!("user:".parse::<Filter>(), Err(FilterError));
        assert_eq!("".parse::<Filter>(), Err(FilterError));
        assert_eq!("user:Joe".parse(), Ok(Filter { field: Field::User, text: "joe".to_owned() }));
        assert_eq!("192.0.2".parse(), Ok(Filter { field: Field::Any, text: "192.0.2".to_owned() }));
    }
}
