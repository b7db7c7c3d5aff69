//! The routes of events to outputs.

use core::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::filter::FilterConfig;
use super::privacy::PrivacyConfig;
use super::rate::RateConfig;
use crate::format::{Format, LINE_BYTES_DEFAULT, SyslogForm};
use crate::sink::{OutputSpec, SinkSpec};

/// One way of events out of the agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteConfig {
    /// Event types that take this route; empty for all.
    pub events: Vec<String>,
    /// The format of the events.
    pub format: Format,
    /// Longest line, bytes: longer texts are cut.
    pub max_line_bytes: u32,
    /// The conditions on events.
    #[serde(skip_serializing_if = "FilterConfig::is_empty")]
    pub filter: FilterConfig,
    /// The rates of event types.
    #[serde(skip_serializing_if = "RateConfig::is_empty")]
    pub rate: RateConfig,
    /// The names that the events have.
    #[serde(skip_serializing_if = "PrivacyConfig::is_empty")]
    pub privacy: PrivacyConfig,
    /// The outputs.
    pub outputs: Vec<OutputSpec>,
}

impl RouteConfig {
    /// Each event is written as it is when it comes: no conditions, no rates, all names.
    pub(crate) fn is_plain(&self) -> bool {
        self.filter.is_empty() && self.rate.is_empty() && self.privacy.is_empty()
    }

    /// Names it in a spool: the same in every run in which the same lines come out of it.
    pub(crate) fn number(&self) -> u64 {
        let mut text = format!("{} {}", self.format.name(), self.events.join("+"));
        if !self.is_plain() || self.syslog().is_some() {
            let own = (&self.filter, &self.rate, &self.privacy);
            let own = serde_json::to_string(&own).unwrap_or_default();
            let _ = write!(text, " {own} {:?}", self.syslog());
        }
        let digest = sha2::Sha256::digest(text);
        digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// The form of syslog messages that its lines are; none if they are no such.
    pub(crate) fn syslog(&self) -> Option<SyslogForm> {
        self.outputs.first()?.sink.syslog()
    }
}

impl Default for RouteConfig {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            format: Format::default(),
            max_line_bytes: LINE_BYTES_DEFAULT,
            filter: FilterConfig::default(),
            rate: RateConfig::default(),
            privacy: PrivacyConfig::default(),
            outputs: vec![OutputSpec::new(SinkSpec::Stdout)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_whose_lines_differ_have_other_numbers_in_a_spool() {
        let route = |toml: &str| -> RouteConfig { toml::from_str(toml).unwrap() };
        let routes = [
            "",
            "format = 'eve'",
            "events = ['login']",
            "filter = { users = ['a'] }",
            "rate = { command = 1 }",
            "privacy = { user = 'hash' }",
            "outputs = ['syslog+tcp://a:514']",
        ]
        .map(route);
        for (at, one) in routes.iter().enumerate() {
            assert!(routes.iter().skip(at + 1).all(|other| other.number() != one.number()), "{at}");
        }
        assert_eq!(route("outputs = ['a']").number(), route("outputs = ['b']").number());
    }
}
