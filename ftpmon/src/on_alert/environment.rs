//! An event as variables of a command.

use ftpmon_event::{AlertDetail, EventKind, EventLine};

/// Longest value, bytes: longer ones are cut. Stops an event with long names from being one that no command can be started with
/// (`E2BIG`, execve(2)).
const VALUE_MAX: usize = 8_192;

/// The variables of a command for an event, by name. Their values may be anything that a peer said: control characters are replaced, and
/// no value goes through a shell.
pub(super) fn variables(line: &EventLine, json: &str) -> Vec<(&'static str, String)> {
    let text = |text: &str| text.to_owned();
    let mut variables = match &line.event.kind {
        EventKind::Alert(alert) => {
            let AlertDetail { id, severity, title, message, technique, suppressed, .. } = &alert.alert;
            let mut variables = vec![
                ("FTPMON_ALERT", text(id)),
                ("FTPMON_SEVERITY", severity.to_string()),
                ("FTPMON_TITLE", text(title)),
                ("FTPMON_MESSAGE", text(message)),
                ("FTPMON_SUPPRESSED", suppressed.to_string()),
            ];
            variables.extend(technique.iter().map(|technique| ("FTPMON_TECHNIQUE", text(technique))));
            variables
        }
        EventKind::Transfer(transfer) => {
            let (facts, file) = (&transfer.transfer, transfer.file.as_ref());
            let of_file = [
                ("FTPMON_FILE", file.and_then(|file| file.stored.clone())),
                ("FTPMON_SHA256", file.and_then(|file| file.sha256.as_deref().map(text))),
                ("FTPMON_MIME", file.and_then(|file| file.mime.as_deref().map(text))),
                ("FTPMON_VERB", facts.verb.as_deref().map(text)),
                ("FTPMON_PATH", facts.path.as_deref().or(facts.arg.as_deref()).map(text)),
            ];
            of_file.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
        }
        _ => return Vec::new(),
    };
    variables.extend([
        ("FTPMON_TIME", line.event.ts.to_string()),
        ("FTPMON_SENSOR", line.origin.sensor.clone()),
        ("FTPMON_EVENT", json.to_owned()),
    ]);
    if let Some(session) = line.event.session.as_deref() {
        variables.extend([
            ("FTPMON_SESSION", session.id().to_owned()),
            ("FTPMON_CLIENT", session.client.ip.to_string()),
            ("FTPMON_SERVER", session.server.ip.to_string()),
        ]);
    }
    variables.extend(line.event.user.as_deref().map(|user| ("FTPMON_USER", user.text.to_string())));
    variables.into_iter().map(|(name, value)| (name, printable(&value))).collect()
}

fn printable(value: &str) -> String {
    let shown = value.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter });
    let mut text: String = shown.collect();
    let end = (0..=VALUE_MAX).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or_default());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;
    use ftpmon_event::Alert;

    fn variables_of(message: &str) -> Vec<(&'static str, String)> {
        let mut detail = sample::alert();
        detail.message = message.into();
        let kind = EventKind::Alert(Box::new(Alert { alert: detail }));
        let event = sample::event(&sample::identity("0123456789abcdef"), 0, kind);
        let line = EventLine { origin: sample::origin("s"), seq: 0, event };
        variables(&line, &serde_json::to_string(&line).unwrap())
    }

    #[test]
    fn an_alert_says_who_and_what() {
        let variables = variables_of("x");
        for (name, value) in [
            ("FTPMON_ALERT", "bounce"),
            ("FTPMON_SEVERITY", "3"),
            ("FTPMON_TECHNIQUE", "T1090"),
            ("FTPMON_SUPPRESSED", "2"),
            ("FTPMON_SESSION", "0123456789abcdef"),
            ("FTPMON_CLIENT", "192.168.1.106"),
            ("FTPMON_SERVER", "192.168.1.109"),
            ("FTPMON_USER", "joe"),
            ("FTPMON_SENSOR", "s"),
        ] {
            assert!(variables.contains(&(name, value.to_owned())), "{name}: {variables:?}");
        }
    }

    #[test]
    fn no_value_has_a_control_character_or_is_too_long() {
        for (name, value) in variables_of(&format!("a\0b\n{}", "\u{e9}".repeat(10_000))) {
            assert!(!value.chars().any(char::is_control) && value.len() <= VALUE_MAX, "{name}: {value:?}");
        }
    }
}
