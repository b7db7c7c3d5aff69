//! The routes of events to outputs.

use serde::{Deserialize, Serialize};

use super::filter::FilterConfig;
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
    /// The outputs.
    pub outputs: Vec<OutputSpec>,
}

impl RouteConfig {
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
            outputs: vec![OutputSpec::new(SinkSpec::Stdout)],
        }
    }
}
