//! The conditions of a route on events.

use std::net::IpAddr;

use crate::config::{FilterConfig, NamePattern, TransferDirection};
use ftpmon_event::{CommandRef, Event, EventKind, EventType, FileDirection};

impl FilterConfig {
    /// The event meets the conditions.
    pub(super) fn wants(&self, event: &Event) -> bool {
        let of_sensor =
            !event.kind.event_type().is_of_session() && event.kind.event_type() != EventType::Alert;
        of_sensor
            || (self.wants_user(event)
                && self.wants_hosts(event)
                && self.wants_verb(&event.kind)
                && self.wants_path(&event.kind)
                && self.wants_direction(&event.kind))
    }

    fn wants_user(&self, event: &Event) -> bool {
        let attempted = match &event.kind {
            EventKind::Login(login) => login.login.user.as_deref(),
            _ => None,
        };
        meets(&self.users, attempted.or(event.user.as_deref().map(|user| user.text.as_str())))
    }

    fn wants_hosts(&self, event: &Event) -> bool {
        let Some(session) = event.session.as_deref() else { return self.networks.is_empty() };
        let within = |networks: &[ipnet::IpNet]| {
            let is_in = |ip: IpAddr| networks.iter().any(|network| network.contains(&ip));
            is_in(session.client.ip) || is_in(session.server.ip)
        };
        (self.networks.is_empty() || within(&self.networks)) && !within(&self.except_networks)
    }

    fn wants_verb(&self, kind: &EventKind) -> bool {
        let named: Option<&str> = match kind {
            EventKind::Command(command) => Some(command.command.verb.as_ref()),
            EventKind::Reply(reply) => reply.command.as_ref().map(|command| command.verb.as_ref()),
            EventKind::Transfer(transfer) => transfer.transfer.verb.as_deref(),
            _ => None,
        };
        self.verbs.is_empty()
            || named.is_some_and(|named| self.verbs.iter().any(|verb| verb.eq_ignore_ascii_case(named)))
    }

    fn wants_path(&self, kind: &EventKind) -> bool {
        let path = match kind {
            EventKind::Command(command) => command.command.arg.as_deref(),
            EventKind::Reply(reply) => {
                reply.command.as_ref().and_then(|CommandRef { arg, .. }| arg.as_deref())
            }
            EventKind::Transfer(transfer) => {
                transfer.transfer.path.as_deref().or(transfer.transfer.arg.as_deref())
            }
            _ => None,
        };
        meets(&self.paths, path)
    }

    fn wants_direction(&self, kind: &EventKind) -> bool {
        let direction = match kind {
            EventKind::Transfer(transfer) => transfer.transfer.direction.map(|direction| match direction {
                FileDirection::Download => TransferDirection::Download,
                FileDirection::Upload => TransferDirection::Upload,
                FileDirection::Listing => TransferDirection::Listing,
            }),
            _ => None,
        };
        self.directions.is_empty() || direction.is_some_and(|direction| self.directions.contains(&direction))
    }
}

fn meets(patterns: &[NamePattern], text: Option<&str>) -> bool {
    patterns.is_empty() || text.is_some_and(|text| patterns.iter().any(|pattern| pattern.matches(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    /// Names of the events of the sample session, and of the sensor's, that meet the conditions.
    fn taken(conditions: &str) -> Vec<&'static str> {
        let filter: FilterConfig = serde_json::from_str(conditions).unwrap();
        let mut events = sample::session();
        events.push(Event { session: None, user: None, ..events[0].clone() });
        if let Some(last) = events.last_mut() {
            last.kind = EventKind::Drop(sample::dropped());
        }
        events.iter().filter(|event| filter.wants(event)).map(|event| event.kind.name()).collect()
    }

    #[test]
    fn without_conditions_every_event_passes() {
        assert_eq!(taken("{}").len(), sample::session().len() + 1);
        assert!(FilterConfig::default().is_empty());
    }

    #[test]
    fn an_event_meets_every_condition_or_is_the_sensors_own() {
        for (conditions, wanted) in [
            (r#"{"verbs": ["retr"]}"#, &["command", "reply", "reply", "transfer", "drop"][..]),
            (r#"{"verbs": ["RETR"], "paths": ["/pub/*"]}"#, &["transfer", "drop"]),
            (r#"{"paths": ["*.txt"]}"#, &["command", "reply", "reply", "transfer", "drop"]),
            (r#"{"directions": ["download"]}"#, &["transfer", "drop"]),
            (r#"{"directions": ["upload"]}"#, &["drop"]),
            (r#"{"users": ["j?e"], "directions": ["download"]}"#, &["transfer", "drop"]),
            (r#"{"users": ["root"]}"#, &["drop"]),
            (r#"{"networks": ["192.168.1.104/29"], "directions": ["download"]}"#, &["transfer", "drop"]),
            (r#"{"networks": ["2001:db8::/32"]}"#, &["drop"]),
            (r#"{"except_networks": ["192.168.1.109/32"]}"#, &["drop"]),
        ] {
            assert_eq!(taken(conditions), wanted, "{conditions}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in [r#"{"user": ["a"]}"#, r#"{"networks": ["10.0.0.0/40"]}"#, r#"{"paths": ["[a"]}"#] {
            assert!(serde_json::from_str::<FilterConfig>(text).is_err(), "{text}");
        }
    }
}
