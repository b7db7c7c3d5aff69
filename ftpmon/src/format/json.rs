//! ftpmon's own schema (`docs/events.md`): one JSON object a line.

mod dialogue;
mod string;
mod writer;

use std::sync::Arc;

use serde::Serialize;

use super::formatter::{Formatter, Unnumbered};
use ftpmon_event::text::Text;
use ftpmon_event::time::Rfc3339;
use ftpmon_event::{Event, EventKind, Origin, SessionIdentity};
pub(super) use string::append_all;
pub(crate) use string::escaped;
use writer::JsonWriter;

/// Sessions whose constant fields are kept in written form: [`SETS`] times [`WAYS`]. Sessions take turns event by event, and
/// writing four addresses anew for each would cost more than all the rest of a line. Which set a session's are in follows from
/// its address; the set gives up what was used longest ago.
const SETS: usize = 1 << SETS_LOG2;
const SETS_LOG2: u32 = 8;
const WAYS: usize = 4;

/// The writer of ftpmon's own schema.
pub struct Json {
    clock: Rfc3339,
    /// `,"run":"…","sensor":"…"`
    origin: Vec<u8>,
    sessions: Box<[[KeptSession; WAYS]]>,
}

/// The fields that the events of one session have in common, in written form. It holds the session's identity and the user, so that
/// no others can have the same addresses meanwhile; those are all that is looked at, since the memory behind them is in
/// another processor's hands when events are made on another thread.
#[derive(Default)]
struct KeptSession {
    identity: Option<Arc<SessionIdentity>>,
    user: Option<Arc<Text>>,
    /// From `,"run"` to the last field of the user.
    written: Vec<u8>,
    /// The length of the part that the user does not change.
    constant: usize,
}

impl KeptSession {
    fn keep(&mut self, identity: &Arc<SessionIdentity>, origin: &[u8]) {
        self.identity = Some(Arc::clone(identity));
        self.written.clear();
        self.written.extend_from_slice(origin);
        constant_fields(identity, &mut self.written);
        self.constant = self.written.len();
        self.user = None;
    }

    fn keep_user(&mut self, text: Option<&Arc<Text>>) {
        self.user = text.cloned();
        self.written.truncate(self.constant);
        if let Some(text) = text {
            user(text, &mut self.written);
        }
    }
}

impl Json {
    /// A writer of the events of `origin`.
    pub fn new(origin: &Origin) -> Self {
        let mut written = Vec::new();
        member("run", &origin.run, &mut written);
        member("sensor", &origin.sensor, &mut written);
        let sessions = core::iter::repeat_with(Default::default).take(SETS).collect();
        Self { clock: Rfc3339::default(), origin: written, sessions }
    }

    fn session(&mut self, identity: &Arc<SessionIdentity>, user: Option<&Arc<Text>>, out: &mut Vec<u8>) {
        let Some(set) = self.sessions.get_mut(set_of(identity)) else { return };
        let place = set.iter().position(|kept| is_same(kept.identity.as_ref(), Some(identity)));
        // What was used last comes first, and so what was used longest ago is last.
        if let Some(used) = set.get_mut(..=place.unwrap_or(WAYS - 1)) {
            used.rotate_right(1);
        }
        let [kept, ..] = set;
        if place.is_none() {
            kept.keep(identity, &self.origin);
        }
        if !is_same(kept.user.as_ref(), user) {
            kept.keep_user(user);
        }
        out.extend_from_slice(&kept.written);
    }
}

/// Addresses differ in the middle of their bits, and in steps of an allocation's length: a multiplication makes all of them count
/// in the highest bits (Fibonacci hashing).
fn set_of(identity: &Arc<SessionIdentity>) -> usize {
    let address = Arc::as_ptr(identity) as u64;
    (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SETS_LOG2)) as usize
}

fn is_same<T>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    one.map(Arc::as_ptr) == other.map(Arc::as_ptr)
}

impl Json {
    /// Appends what stands before an event's number.
    #[inline]
    fn head(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.clock.set(event.ts);
        let (ts, name) = (self.clock.as_bytes(), event.kind.name().as_bytes());
        append_all([b"{\"ts\":\"", ts, b"\",\"event\":\"", name, b"\",\"seq\":"], out);
    }

    /// Appends what stands behind it.
    #[inline]
    fn tail(&mut self, event: &Event, out: &mut Vec<u8>) {
        match &event.session {
            Some(identity) => self.session(identity, event.user.as_ref(), out),
            None => {
                out.extend_from_slice(&self.origin);
                if let Some(text) = event.user.as_deref() {
                    user(text, out);
                }
            }
        }
        match &event.kind {
            EventKind::Command(command) => dialogue::command(command, out),
            EventKind::Reply(reply) => dialogue::reply(reply, out),
            kind => own_fields(kind, out),
        }
        out.push(b'\n');
    }
}

impl Formatter for Json {
    fn event(&mut self, seq: u64, event: &Event, out: &mut Vec<u8>) {
        self.head(event, out);
        value(&seq, out);
        self.tail(event, out);
    }

    fn into_unnumbered(self: Box<Self>) -> Option<Box<dyn Unnumbered + Send>> {
        Some(self)
    }
}

impl Unnumbered for Json {
    fn unnumbered(&mut self, event: &Event, out: &mut Vec<u8>) -> usize {
        self.head(event, out);
        let number = out.len();
        self.tail(event, out);
        number
    }
}

/// Ends the object with the event's own fields. They come as an object themselves: its opening brace turns into the
/// comma that joins the two.
pub(super) fn own_fields(kind: &EventKind, out: &mut Vec<u8>) {
    let own = out.len();
    value(kind, out);
    match out.get_mut(own..) {
        Some([brace, b'"', ..]) => *brace = b',',
        _ => {
            out.truncate(own);
            out.push(b'}');
        }
    }
}

fn constant_fields(identity: &SessionIdentity, out: &mut Vec<u8>) {
    member("session", identity.id(), out);
    member("community_id", identity.community_id(), out);
    member("client", &identity.client, out);
    member("server", &identity.server, out);
    if let Some(iface) = identity.iface.as_deref() {
        member("iface", iface, out);
    }
    let vlan = identity.vlan.as_slice();
    if !vlan.is_empty() {
        member("vlan", vlan, out);
    }
}

fn user(user: &Text, out: &mut Vec<u8>) {
    member("user", user.text.as_str(), out);
    if let Some(hex) = user.hex.as_deref() {
        member("user_hex", hex, out);
    }
}

/// Appends a member that is not an object's first.
fn member<T: Serialize + ?Sized>(name: &str, of: &T, out: &mut Vec<u8>) {
    string::append_name(b',', name, out);
    value(of, out);
}

/// Appends a value as JSON: the text that serde_json would write. Values have the shapes that the event model has;
/// `null` stands for any other.
pub(super) fn value<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    let before = out.len();
    if value.serialize(JsonWriter(out)).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests;
