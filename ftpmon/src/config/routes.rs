//! The routes in force.

use super::{Config, RouteConfig};
use crate::sink::OutputSpec;

impl Config {
    /// The routes of events: those given, or the default one. An output with a format or event types of its own has a route of
    /// its own, shared with those that want the same.
    pub fn routes(&self) -> Vec<RouteConfig> {
        let given = if self.routes.is_empty() { vec![RouteConfig::default()] } else { self.routes.clone() };
        let mut routes: Vec<RouteConfig> = Vec::with_capacity(given.len());
        for route in given {
            let mut own: Vec<RouteConfig> = Vec::with_capacity(1);
            for output in &route.outputs {
                let wanted = RouteConfig { outputs: Vec::new(), ..route.clone() }.with(output);
                let same = |other: &&mut RouteConfig| {
                    (other.format, &other.events, other.max_line_bytes, other.syslog())
                        == (wanted.format, &wanted.events, wanted.max_line_bytes, wanted.syslog())
                };
                match own.iter_mut().find(same) {
                    Some(other) => other.outputs.push(output.clone()),
                    None => own.push(wanted),
                }
            }
            routes.append(&mut own);
        }
        routes
    }
}

impl RouteConfig {
    /// This route for one output, by that one's own settings.
    fn with(self, output: &OutputSpec) -> Self {
        let max = output.sink.line_max();
        Self {
            format: output.sink.format().or(output.settings.format).unwrap_or(self.format),
            events: output.settings.events.clone().unwrap_or(self.events),
            max_line_bytes: max.map_or(self.max_line_bytes, |max| max.min(self.max_line_bytes)),
            outputs: vec![output.clone()],
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Format, SyslogForm};

    #[test]
    fn an_output_of_another_format_has_a_route_of_its_own() {
        let outputs = ["-", "a,format=eve", "b", "c,format=eve", "d,events=login"];
        let route = RouteConfig {
            outputs: outputs.iter().map(|text| text.parse().unwrap()).collect(),
            ..RouteConfig::default()
        };
        let routes = Config { routes: vec![route], ..Config::default() }.routes();
        let facts = routes.iter().map(|route| (route.format, route.events.join("+"), route.outputs.len()));
        let (json, eve) = (Format::Json, Format::Eve);
        let wanted = [(json, String::new(), 2), (eve, String::new(), 2), (json, "login".to_owned(), 1)];
        assert_eq!(facts.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn syslog_and_datagrams_have_routes_of_their_own() {
        let outputs = ["-", "syslog+udp://a:1", "udp://a:2", "syslog+tcp://a:3", "syslog+unixgram:/dev/log"];
        let route = RouteConfig {
            outputs: outputs.iter().map(|text| text.parse().unwrap()).collect(),
            ..RouteConfig::default()
        };
        let routes = Config { routes: vec![route], ..Config::default() }.routes();
        let facts: Vec<_> = routes.iter().map(|route| (route.syslog(), route.max_line_bytes)).collect();
        let (rfc, local) = (Some(SyslogForm::Rfc5424), Some(SyslogForm::Local));
        assert_eq!(facts, [(None, 65_536), (rfc, 64_000), (None, 64_000), (rfc, 65_536), (local, 65_536)]);
    }
}
