//! The events that ftpmon wrote, and questions about them.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use serde_json::Value;

/// An output in any format without the random id of its run.
pub fn without_run(output: &str) -> String {
    let id = ["\"run\":\"", "#run\t"].iter().find_map(|before| output.split_once(before)?.1.get(..16));
    id.map_or_else(|| output.to_owned(), |id| output.replace(id, "RUN"))
}

/// One event: a JSON line.
#[derive(Clone, Debug, PartialEq)]
pub struct Event(pub Value);

impl Event {
    /// Its type.
    pub fn name(&self) -> &str {
        self.text("/event")
    }

    /// A text by JSON pointer; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or("")
    }

    /// A number by JSON pointer.
    pub fn number(&self, pointer: &str) -> Option<u64> {
        self.0.pointer(pointer).and_then(Value::as_u64)
    }

    /// Whether there is something at a JSON pointer.
    pub fn has(&self, pointer: &str) -> bool {
        self.0.pointer(pointer).is_some()
    }

    /// The numbers of the events that are missing, as a `drop` event has them.
    pub fn dropped(&self) -> Option<RangeInclusive<u64>> {
        Some(self.number("/drop/from_seq")?..=self.number("/drop/to_seq")?)
    }

    /// An `{ip, port}` object as `ip:port`.
    pub fn endpoint(&self, pointer: &str) -> String {
        let ip = self.text(&format!("{pointer}/ip"));
        let port = self.number(&format!("{pointer}/port")).unwrap_or(0);
        if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
    }

    /// Payload bytes of a transfer's data connection, both directions.
    pub fn data_bytes(&self) -> Option<u64> {
        let up = self.number("/data/bytes_from_client")?;
        let down = self.number("/data/bytes_from_server")?;
        Some(up + down)
    }
}

/// Events in the order they were written.
#[derive(Clone, Debug, Default)]
pub struct Events(pub Vec<Event>);

impl Events {
    /// From lines of JSON. A line that is none is kept as an event of the type `unreadable`.
    pub fn from_lines<S: AsRef<str>>(lines: &[S]) -> Self {
        let read = |line: &S| {
            let line = line.as_ref();
            Event(
                serde_json::from_str(line)
                    .unwrap_or_else(|_| serde_json::json!({"event": "unreadable", "line": line})),
            )
        };
        Self(lines.iter().map(read).collect())
    }

    /// All of one type.
    pub fn of(&self, name: &str) -> Vec<&Event> {
        self.0.iter().filter(|event| event.name() == name).collect()
    }

    /// The transfers in the order of their commands. They are told as they end: a connection's last packet may be late, on a busy
    /// machine behind the next transfer's.
    pub fn transfers(&self) -> Vec<&Event> {
        let mut transfers = self.of("transfer");
        transfers.sort_by_key(|transfer| transfer.number("/tx"));
        transfers
    }

    /// The number of events of one type.
    pub fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|event| event.name() == name).count()
    }

    /// The last of one type.
    pub fn last(&self, name: &str) -> Option<&Event> {
        self.0.iter().rev().find(|event| event.name() == name)
    }

    /// The sessions in the order they began, each with its own events.
    pub fn sessions(&self) -> Vec<Events> {
        let mut ids: HashMap<&str, usize> = HashMap::new();
        let mut sessions: Vec<Events> = Vec::new();
        for event in &self.0 {
            let id = event.text("/session");
            if id.is_empty() {
                continue;
            }
            let at = *ids.entry(id).or_insert_with(|| {
                sessions.push(Events::default());
                sessions.len() - 1
            });
            if let Some(session) = sessions.get_mut(at) {
                session.0.push(event.clone());
            }
        }
        // A session that waits for something is told later than one that began after it.
        let begin = |session: &Events| session.0.first().map(|event| event.text("/ts").to_owned());
        sessions.sort_by_cached_key(begin);
        sessions
    }

    /// Command lines as the events tell them: verb in upper case, a blank, the argument.
    pub fn commands(&self) -> Vec<String> {
        let line = |event: &&Event| match event.0.pointer("/command/arg").and_then(Value::as_str) {
            Some(arg) => format!("{} {arg}", event.text("/command/verb")),
            None => event.text("/command/verb").to_owned(),
        };
        self.of("command").iter().map(line).collect()
    }

    /// Replies as the events tell them: code and text.
    pub fn replies(&self) -> Vec<(u64, String)> {
        let reply =
            |event: &&Event| (event.number("/reply/code").unwrap_or(0), event.text("/reply/text").to_owned());
        self.of("reply").iter().map(reply).collect()
    }

    /// Sum of all loss counters of the last `stats`.
    pub fn lost(&self) -> u64 {
        let counters = self.last("stats").and_then(|stats| stats.0.get("lost")).and_then(Value::as_object);
        counters.map_or(0, |lost| lost.values().filter_map(Value::as_u64).sum())
    }

    /// As lines, for messages.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|event| event.0.to_string()).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_told_apart_in_order() {
        let events = Events::from_lines(&[
            r#"{"event":"sensor_start"}"#,
            r#"{"event":"command","session":"b","command":{"verb":"QUIT","arg":null}}"#,
            r#"{"event":"command","session":"a","command":{"verb":"USER","arg":"x"}}"#,
            r#"{"event":"reply","session":"b","reply":{"code":221,"text":"Bye"}}"#,
            "no json",
        ]);
        let sessions = events.sessions();
        assert_eq!(sessions.len(), 2);
        assert_eq!(sessions[0].commands(), ["QUIT"]);
        assert_eq!(sessions[0].replies(), [(221, "Bye".to_owned())]);
        assert_eq!(sessions[1].commands(), ["USER x"]);
        assert_eq!(events.count("unreadable"), 1);
    }

    #[test]
    fn losses_are_those_of_the_last_stats() {
        let events = Events::from_lines(&[
            r#"{"event":"stats","lost":{"ring_full":7}}"#,
            r#"{"event":"stats","lost":{"ring_full":7,"holes":2}}"#,
        ]);
        assert_eq!(events.lost(), 9);
        assert_eq!(Events::default().lost(), 0);
    }
}
