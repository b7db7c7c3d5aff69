//! The protocols over HTTP by name.

use super::elastic::Elastic;
use super::loki::Loki;
use super::otlp::Otlp;
use super::protocol::Protocol;
use super::splunk::Splunk;

/// The protocols by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpProtocol {
    /// Lines as they are.
    Lines,
    /// `_bulk` of Elasticsearch and OpenSearch.
    Elastic,
    /// Loki's push API.
    Loki,
    /// Splunk's HTTP Event Collector.
    Splunk,
    /// OpenTelemetry's logs.
    Otlp,
}

impl HttpProtocol {
    /// All protocols.
    pub(super) const ALL: [Self; 5] = [Self::Lines, Self::Elastic, Self::Loki, Self::Splunk, Self::Otlp];

    /// The text before the address.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Lines => "",
            Self::Elastic => "elastic+",
            Self::Loki => "loki+",
            Self::Splunk => "splunk+",
            Self::Otlp => "otlp+",
        }
    }

    /// Its requests and answers.
    pub(super) fn start(self) -> Box<dyn Protocol> {
        match self {
            Self::Lines => Box::new(Lines),
            Self::Elastic => Box::new(Elastic),
            Self::Loki => Box::new(Loki),
            Self::Splunk => Box::new(Splunk),
            Self::Otlp => Box::new(Otlp),
        }
    }
}

/// Lines as they are.
struct Lines;

impl Protocol for Lines {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn body(&self, lines: &[&[u8]]) -> Vec<u8> {
        lines.iter().flat_map(|line| [*line, b"\n"]).flatten().copied().collect()
    }
}
