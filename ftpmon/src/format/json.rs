//! ftpmon's own schema (`docs/events.md`): one JSON object a line.

mod string;
mod writer;

use std::sync::Arc;

use serde::Serialize;

use super::Formatter;
use crate::event::{Event, EventKind, SessionIdentity};
use crate::text::Text;
use crate::time::Rfc3339;
use writer::Writer;

/// Sessions whose constant fields are kept in written form, a power of two. Sessions take turns event by event, and
/// writing four addresses anew for each would cost more than all the rest of a line.
const SESSIONS_KEPT: usize = 256;

/// What is written in the shape of ftpmon's own schema.
pub struct Json {
    clock: Rfc3339,
    /// `,"sensor":"…"`
    sensor: Vec<u8>,
    sessions: Box<[KeptSession]>,
}

/// The constant fields of one session in written form. It holds the session's identity, so that no other session can
/// have the same address meanwhile.
#[derive(Default)]
struct KeptSession {
    identity: Option<Arc<SessionIdentity>>,
    /// From `,"sensor"` to the last constant field.
    written: Vec<u8>,
}

impl Json {
    /// A writer whose events carry `sensor`.
    pub fn new(sensor: &str) -> Self {
        let mut written = Vec::new();
        member("sensor", sensor, &mut written);
        let sessions = core::iter::repeat_with(KeptSession::default).take(SESSIONS_KEPT).collect();
        Self { clock: Rfc3339::default(), sensor: written, sessions }
    }

    fn session(&mut self, identity: &Arc<SessionIdentity>, out: &mut Vec<u8>) {
        // An Arc's allocation is aligned to 16 bytes at least: the lowest bits tell nothing.
        let slot = (Arc::as_ptr(identity) as usize >> 5) % SESSIONS_KEPT;
        let Some(kept) = self.sessions.get_mut(slot) else { return };
        if !kept.identity.as_ref().is_some_and(|known| Arc::ptr_eq(known, identity)) {
            kept.identity = Some(Arc::clone(identity));
            kept.written.clear();
            kept.written.extend_from_slice(&self.sensor);
            constant_fields(identity, &mut kept.written);
        }
        out.extend_from_slice(&kept.written);
    }
}

impl Formatter for Json {
    fn event(&mut self, seq: u64, event: &Event, out: &mut Vec<u8>) {
        self.clock.set(event.ts);
        let (ts, name) = (self.clock.as_bytes(), event.kind.name().as_bytes());
        string::append_all([b"{\"ts\":\"", ts, b"\",\"event\":\"", name, b"\",\"seq\":"], out);
        value(&seq, out);
        match &event.session {
            Some(identity) => self.session(identity, out),
            None => out.extend_from_slice(&self.sensor),
        }
        if let Some(text) = &event.user {
            user(text, out);
        }
        own_fields(&event.kind, out);
        out.push(b'\n');
    }
}

/// Ends the object with the event's own fields. They come as an object themselves: its opening brace turns into the
/// comma that joins the two.
fn own_fields(kind: &EventKind, out: &mut Vec<u8>) {
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
    member("session", &identity.id, out);
    member("community_id", &identity.community_id, out);
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
    out.push(b',');
    string::append_name(name, out);
    value(of, out);
}

/// Appends a value as JSON: the text that serde_json would write. Values have the shapes that the event model has;
/// `null` stands for any other.
pub(super) fn value<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    let before = out.len();
    if value.serialize(Writer(out)).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests;
