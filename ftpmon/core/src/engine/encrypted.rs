//! Control sessions that cannot be read, and connections between their hosts that may be theirs, by pair of hosts.

use std::net::IpAddr;

use hashbrown::HashMap;

use super::table::FlowId;

/// Sessions of two hosts that are looked at for a connection: those that spoke last. Bounds the work for each connection.
const SESSIONS_MAX: usize = 64;
/// Connections of two hosts that wait for a decision. Stops a peer that opens connections and says nothing: the oldest is
/// decided by what is known.
const SUSPECTS_MAX: usize = 256;

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Encrypted {
    pairs: HashMap<(IpAddr, IpAddr), Between>,
}

/// What is known of two hosts.
#[derive(Debug, Default)]
struct Between {
    /// The one that spoke last comes last.
    sessions: Vec<FlowId>,
    /// In the order in which they were opened.
    suspects: Vec<FlowId>,
}

impl Encrypted {
    /// No session is encrypted.
    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// A session of these hosts said something, or became unreadable.
    pub(super) fn spoke(&mut self, one: IpAddr, other: IpAddr, session: FlowId) {
        let sessions = &mut self.pairs.entry(key(one, other)).or_default().sessions;
        if sessions.last() == Some(&session) {
            return;
        }
        match sessions.iter().rposition(|known| *known == session) {
            Some(at) => {
                sessions.remove(at);
            }
            None if sessions.len() >= SESSIONS_MAX => {
                sessions.remove(0);
            }
            None => {}
        }
        sessions.push(session);
    }

    /// A session can be read again, or is over. The suspects that are left without any session.
    pub(super) fn forget(&mut self, one: IpAddr, other: IpAddr, session: FlowId) -> Vec<FlowId> {
        let Some(between) = self.pairs.get_mut(&key(one, other)) else { return Vec::new() };
        between.sessions.retain(|known| *known != session);
        if !between.sessions.is_empty() {
            return Vec::new();
        }
        let suspects = core::mem::take(&mut between.suspects);
        self.pairs.remove(&key(one, other));
        suspects
    }

    /// The sessions of these hosts, the one that spoke last first.
    pub(super) fn sessions(&self, one: IpAddr, other: IpAddr) -> impl Iterator<Item = FlowId> {
        self.pairs
            .get(&key(one, other))
            .into_iter()
            .flat_map(|between| between.sessions.iter().rev().copied())
    }

    /// The suspects of these hosts, the oldest first.
    pub(super) fn suspects(&self, one: IpAddr, other: IpAddr) -> &[FlowId] {
        self.pairs.get(&key(one, other)).map(|between| between.suspects.as_slice()).unwrap_or_default()
    }

    /// A connection waits for a decision; the one that has to give way at the cap.
    pub(super) fn suspect(&mut self, one: IpAddr, other: IpAddr, id: FlowId) -> Option<FlowId> {
        let suspects = &mut self.pairs.get_mut(&key(one, other))?.suspects;
        suspects.push(id);
        (suspects.len() > SUSPECTS_MAX).then(|| suspects.remove(0))
    }

    /// A connection is decided.
    pub(super) fn decided(&mut self, one: IpAddr, other: IpAddr, id: FlowId) {
        if let Some(between) = self.pairs.get_mut(&key(one, other)) {
            between.suspects.retain(|known| *known != id);
        }
    }
}

/// Two hosts, whichever is named first.
pub(super) fn key(one: IpAddr, other: IpAddr) -> (IpAddr, IpAddr) {
    if one <= other { (one, other) } else { (other, one) }
}
