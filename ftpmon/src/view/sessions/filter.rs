//! Which sessions, transfers and the like are shown.

use core::str::FromStr;
use std::borrow::Cow;

use super::session::Session;

/// A condition on sessions: `user:TEXT`, `client:TEXT`, `server:TEXT`, `state:TEXT`, `path:TEXT`, or a text that any of these has.
/// Letters match in either case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    field: Field,
    /// In lower case.
    text: String,
}

/// A fact that filters look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::view) enum Field {
    /// A text that none of the others is.
    Any,
    /// The user.
    User,
    /// The client's endpoint.
    Client,
    /// The server's endpoint.
    Server,
    /// The state of a session, the outcome of a transfer, the detector of an alert.
    State,
    /// The path.
    Path,
}

impl Field {
    const ALL: [Self; 6] = [Self::Any, Self::User, Self::Client, Self::Server, Self::State, Self::Path];
}

/// Something that a filter can look at.
pub(in crate::view) trait Facts {
    /// The text of a field; none where it has no such field.
    fn fact(&self, field: Field) -> Option<Cow<'_, str>>;
}

impl Facts for Session {
    fn fact(&self, field: Field) -> Option<Cow<'_, str>> {
        Some(match field {
            Field::Any => return None,
            Field::User => self.user.as_deref()?.into(),
            Field::Client => self.client.to_string().into(),
            Field::Server => self.server.to_string().into(),
            Field::State if self.is_stalled() => format!("{} stalled", self.state.name()).into(),
            Field::State => self.state.name().into(),
            Field::Path => self.path.as_deref().or(self.command.as_deref())?.into(),
        })
    }
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
    /// It meets the condition.
    pub(in crate::view) fn lets_through(&self, row: &impl Facts) -> bool {
        let has = |field| row.fact(field).is_some_and(|text| text.to_lowercase().contains(&self.text));
        match self.field {
            Field::Any => Field::ALL.into_iter().any(has),
            field => has(field),
        }
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
