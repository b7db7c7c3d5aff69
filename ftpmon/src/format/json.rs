//! ftpmon's own schema (`docs/events.md`): one JSON object a line.

use std::io::Write as _;
use std::sync::Arc;

use serde::Serialize;

use super::Formatter;
use super::rfc3339::Clockface;
use crate::addr::Endpoint;
use crate::event::{Event, EventKind, SessionIdentity};
use crate::text::Text;

/// Sessions whose constant fields are kept in written form, a power of two. Sessions take turns event by event, and
/// writing four addresses anew for each would cost more than all the rest of a line.
const SESSIONS_KEPT: usize = 256;

/// What is written in the shape of ftpmon's own schema.
pub struct Json {
    clockface: Clockface,
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
        let mut written = b",\"sensor\":".to_vec();
        value(sensor, &mut written);
        let sessions = core::iter::repeat_with(KeptSession::default).take(SESSIONS_KEPT).collect();
        Self { clockface: Clockface::new(), sensor: written, sessions }
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
        out.extend_from_slice(b"{\"ts\":\"");
        self.clockface.write(event.ts, out);
        out.extend_from_slice(b"\",\"event\":\"");
        out.extend_from_slice(event.kind.name().as_bytes());
        out.extend_from_slice(b"\",\"seq\":");
        value(&seq, out);
        match &event.session {
            Some(identity) => self.session(identity, out),
            None => out.extend_from_slice(&self.sensor),
        }
        if let Some(user) = &event.user {
            text("user", user, out);
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
    out.extend_from_slice(b",\"session\":");
    value(&identity.id, out);
    out.extend_from_slice(b",\"community_id\":");
    value(&identity.community_id, out);
    endpoint("client", identity.client, out);
    endpoint("server", identity.server, out);
    if let Some(iface) = identity.iface.as_deref() {
        out.extend_from_slice(b",\"iface\":");
        value(iface, out);
    }
    let vlan = identity.vlan.as_slice();
    if !vlan.is_empty() {
        out.extend_from_slice(b",\"vlan\":");
        value(vlan, out);
    }
}

fn endpoint(name: &str, endpoint: Endpoint, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(out, ",\"{name}\":{{\"ip\":\"{}\",\"port\":{}}}", endpoint.ip, endpoint.port);
}

fn text(name: &str, text: &Text, out: &mut Vec<u8>) {
    let _ = write!(out, ",\"{name}\":");
    value(text.text.as_str(), out);
    if let Some(hex) = text.hex.as_deref() {
        let _ = write!(out, ",\"{name}_hex\":\"{hex}\"");
    }
}

/// Appends a value as JSON. The event model holds no map with other keys than strings and no writer that fails, which
/// are serde_json's only reasons to.
pub(super) fn value<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests;
