//! An event with its place in a run: what a line of `--format json` says, written and read.

use std::sync::Arc;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::identity::{IdentityFields, RunId, SessionIdentity};
use crate::text::Text;
use crate::time::Timestamp;
use crate::{Event, EventKind, EventType};

/// The fields that all events of a run have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The run.
    pub run: RunId,
    /// The sensor's name.
    pub sensor: String,
}

/// An event as a line of `--format json` says it. `(sensor, run, seq)` names it everywhere.
///
/// A field that this version does not know is ignored, since a later version may add fields. A field that this version
/// always writes has to be there.
#[derive(Clone, Debug, PartialEq)]
pub struct EventLine {
    /// The run that it belongs to.
    pub origin: Origin,
    /// Its number in the run, from 0.
    pub seq: u64,
    /// The event.
    pub event: Event,
}

/// The fields in the order in which they are written.
#[derive(Serialize)]
struct Written<'a> {
    ts: Timestamp,
    event: &'static str,
    seq: u64,
    run: RunId,
    sensor: &'a str,
    #[serde(flatten)]
    session: Option<IdentityFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_hex: Option<&'a str>,
    #[serde(flatten)]
    kind: &'a EventKind,
}

/// The envelope's fields that every event has, and the user.
#[derive(Deserialize)]
struct Envelope {
    ts: Timestamp,
    event: String,
    seq: u64,
    run: RunId,
    sensor: String,
    user: Option<String>,
    user_hex: Option<Box<str>>,
}

impl Serialize for EventLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let user = self.event.user.as_deref();
        let written = Written {
            ts: self.event.ts,
            event: self.event.kind.event_type().name(),
            seq: self.seq,
            run: self.origin.run,
            sensor: &self.origin.sensor,
            session: self.event.session.as_deref().map(IdentityFields::from),
            user: user.map(|user| user.text.as_str()),
            user_hex: user.and_then(|user| user.hex.as_deref()),
            kind: &self.event.kind,
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for EventLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Value::Object(Map::deserialize(deserializer)?);
        let Envelope { ts, event, seq, run, sensor, user, user_hex } = part(&fields)?;
        let known = EventType::from_name(&event)
            .ok_or_else(|| D::Error::custom(format_args!("unknown event type `{event}`")))?;
        let session: Option<SessionIdentity> = match fields.get("session") {
            Some(_) => Some(part::<SessionIdentity, D::Error>(&fields)?),
            None if known.is_of_session() => return Err(D::Error::missing_field("session")),
            None => None,
        };
        let user = user.map(|text| Arc::new(Text { text: text.into(), hex: user_hex }));
        let kind = own_fields(known, &fields)?;
        let event = Event { ts, session: session.map(Arc::new), user, kind };
        Ok(Self { origin: Origin { run, sensor }, seq, event })
    }
}

/// The event's own fields, by its type.
fn own_fields<E: serde::de::Error>(event: EventType, fields: &Value) -> Result<EventKind, E> {
    Ok(match event {
        EventType::SensorStart => EventKind::SensorStart(part(fields)?),
        EventType::Stats => EventKind::Stats(part(fields)?),
        EventType::SensorStop => EventKind::SensorStop(part(fields)?),
        EventType::Drop => EventKind::Drop(part(fields)?),
        EventType::Config => EventKind::Config(part(fields)?),
        EventType::SessionStart => EventKind::SessionStart(part(fields)?),
        EventType::Command => EventKind::Command(part(fields)?),
        EventType::Reply => EventKind::Reply(part(fields)?),
        EventType::Login => EventKind::Login(part(fields)?),
        EventType::Tls => EventKind::Tls(part(fields)?),
        EventType::DataChannel => EventKind::DataChannel(part(fields)?),
        EventType::Transfer => EventKind::Transfer(part(fields)?),
        EventType::Gap => EventKind::Gap(part(fields)?),
        EventType::Anomaly => EventKind::Anomaly(part(fields)?),
        EventType::Alert => EventKind::Alert(part(fields)?),
        EventType::SessionEnd => EventKind::SessionEnd(part(fields)?),
    })
}

/// Those of the fields that `T` has.
fn part<T: DeserializeOwned, E: serde::de::Error>(fields: &Value) -> Result<T, E> {
    T::deserialize(fields).map_err(E::custom)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::EventLine;
    use crate::EventKind;

    fn reply() -> Value {
        json!({
            "ts": "2012-02-21T16:52:42.083353000Z", "event": "reply", "seq": 7, "run": "00000000000000ab",
            "sensor": "s", "session": "0123456789abcdef", "community_id": "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            "client": { "ip": "192.0.2.1", "port": 4000 }, "server": { "ip": "192.0.2.2", "port": 21 },
            "iface": "eth0", "vlan": [100, 7], "user": "joe", "tx": 0,
            "reply": { "code": null, "text": "x", "lines": 1, "final": true, "truncated": false, "malformed": true },
        })
    }

    fn read(value: Value) -> Result<EventLine, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_becomes_its_event() {
        let line = read(reply()).unwrap();
        assert_eq!((line.seq, line.origin.run.0, line.origin.sensor.as_str()), (7, 0xab, "s"));
        let session = line.event.session.as_deref().unwrap();
        assert_eq!((session.id(), session.client.port), ("0123456789abcdef", 4000));
        assert_eq!((session.iface.as_deref(), session.vlan.as_slice()), (Some("eth0"), &[100, 7][..]));
        let EventKind::Reply(told) = &line.event.kind else { panic!("no reply: {line:?}") };
        assert_eq!((told.tx, told.reply.code, told.reply.is_final), (0, None, true));
    }

    #[test]
    fn fields_of_a_later_version_are_ignored() {
        let mut later = reply();
        later["colour"] = "red".into();
        later["reply"]["mood"] = "good".into();
        later["client"]["name"] = "a.example".into();
        assert_eq!(read(later), read(reply()));
    }

    #[test]
    fn a_missing_field_is_named() {
        let envelope = ["ts", "event", "seq", "run", "sensor", "session", "community_id", "client", "server"];
        for field in envelope.into_iter().chain(["tx", "reply"]) {
            let mut line = reply();
            line.as_object_mut().unwrap().remove(field);
            let error = read(line).unwrap_err();
            assert!(error.contains(&format!("missing field `{field}`")), "{field}: {error}");
        }
        for field in ["code", "text", "lines", "final", "truncated", "malformed"] {
            let mut line = reply();
            line["reply"].as_object_mut().unwrap().remove(field);
            let error = read(line).unwrap_err();
            assert!(error.contains(&format!("missing field `{field}`")), "{field}: {error}");
        }
    }

    #[test]
    fn what_no_writer_says_is_refused() {
        for (field, value) in [
            ("event", json!("stop")),
            ("run", json!("ab")),
            ("run", json!("00000000000000AB")),
            ("session", json!("s1")),
            ("ts", json!("today")),
            ("seq", json!(-1)),
            ("vlan", json!([1, 2, 3])),
            ("vlan", json!([4096])),
            ("client", json!("192.0.2.1")),
        ] {
            let mut line = reply();
            line[field] = value;
            assert!(read(line).is_err(), "{field}");
        }
    }
}
