//! The engine's updates written into the kernel's maps: the data connections to expect, and the verdict on each connection.
//! Nothing has to be cleared: marks and announcements expire, and the LRU drops the rest.

use std::net::SocketAddr;

use aya::maps::{HashMap, MapData, MapError};
use ftpmon_common::{Address, Expected, FlowKey, PortMark, Verdict};

use super::clock::boot_seconds;
use super::flows::Flows;
use super::networks::{NetworkRules, WrittenNetworks};
use super::ports::Ports;
use ftpmon_core::engine::{Networks, SelectorUpdate};
use ftpmon_event::addr::Endpoint;

/// Seconds that a port stays marked after an announcement: for a connection whose SYN came before it. One that comes later is
/// found by its SYN, whose port need not be marked. So ports that a peer announces and that get no connection soon cost their
/// packets no more than others'.
const MARK_S: u32 = 10;

/// The maps that steer the kernel programs.
pub struct Steering {
    ports: Ports,
    networks: NetworkRules,
    expected: HashMap<MapData, ftpmon_common::Endpoint, Expected>,
    verdicts: HashMap<MapData, FlowKey, Verdict>,
    /// Data connections' frames may be copied at all.
    payload: bool,
    /// The control ports that are marked.
    control: Vec<u16>,
    applied: u64,
    refused: u64,
}

impl Steering {
    /// Steering by these maps; `payload` as the object was loaded with.
    pub(super) fn new(
        (ports, networks): (Ports, NetworkRules),
        expected: HashMap<MapData, ftpmon_common::Endpoint, Expected>,
        verdicts: HashMap<MapData, FlowKey, Verdict>,
        payload: bool,
    ) -> Self {
        Self { ports, networks, expected, verdicts, payload, control: Vec::new(), applied: 0, refused: 0 }
    }

    /// Marks the control ports, when all programs are attached. A port's mark is one word that the programs of both directions
    /// read: a connection is seen in both directions from the same moment on. Before that the programs select no packet, as
    /// data connections are known from control connections.
    pub fn open(&mut self, clear: &[u16], tls: &[u16]) {
        let marks = clear.iter().map(|port| (port, PortMark::CONTROL));
        for (&port, mark) in marks.chain(tls.iter().map(|port| (port, PortMark::CONTROL_TLS))) {
            self.ports.mark_control(port, mark);
            if !self.control.contains(&port) {
                self.control.push(port);
            }
        }
        // Marks of an agent that had other ports, where its maps were pinned.
        let other: Vec<u16> = self.ports.control().filter(|port| !self.control.contains(port)).collect();
        other.iter().for_each(|&port| self.ports.clear(port));
    }

    /// Writes networks beside those that are in force.
    ///
    /// # Errors
    /// The kernel has no room for them; those in force stay.
    pub fn write_networks(&mut self, networks: &Networks) -> Result<WrittenNetworks, String> {
        self.networks.write(networks)
    }

    /// Connections that begin from now on are asked about these networks; those that are open go on as they are.
    ///
    /// # Errors
    /// The kernel does not take the number of the set.
    pub fn put_into_force(&mut self, networks: &WrittenNetworks) -> Result<(), String> {
        self.networks.put_into_force(networks)
    }

    /// Takes the marks of the control ports away, before any program is detached: a connection is seen in both directions until
    /// the same moment.
    pub fn close(&mut self) {
        self.control.drain(..).for_each(|port| self.ports.clear(port));
    }

    /// Takes the mark of a control port away that is none any more.
    pub fn release_port(&mut self, port: u16) {
        self.control.retain(|control| *control != port);
        self.ports.clear(port);
    }

    /// Writes a wish. One that the kernel does not take is counted: it costs detail of one connection.
    pub fn apply(&mut self, update: &SelectorUpdate, flows: &mut Flows) {
        let result = match *update {
            SelectorUpdate::Expect { listener, peer, anyone, ttl_s, payload } => {
                let now_s = boot_seconds();
                let expires_s = now_s.saturating_add(ttl_s);
                let payload = payload && self.payload;
                self.expect(now_s, listener, Expected::new(peer.into(), anyone, expires_s, payload))
            }
            SelectorUpdate::Forget { listener, peer } => self.forget(listener, peer.into()),
            // What an adopted connection gets without a verdict is what it needs, unless payload is in question.
            SelectorUpdate::Adopt { .. } if !self.payload => Ok(()),
            SelectorUpdate::Adopt { initiator, listener, payload } => {
                let verdict = if payload { Verdict::COPY } else { Verdict::COUNT };
                self.verdicts.insert(key(initiator, listener), verdict, 0)
            }
            SelectorUpdate::Release { initiator, listener } => {
                let key = key(initiator, listener);
                flows.remove(&key);
                self.verdicts.insert(key, Verdict::IGNORE, 0)
            }
            // Without a verdict a control connection's segments are copied: no entry is left behind for a later
            // connection between the same ends.
            SelectorUpdate::ControlPayload { client, server, wanted: true } => {
                absent_is_fine(self.verdicts.remove(&key(client, server)))
            }
            SelectorUpdate::ControlPayload { client, server, wanted: false } => {
                self.verdicts.insert(key(client, server), Verdict::COUNT, 0)
            }
        };
        match result {
            Ok(()) => self.applied += 1,
            Err(_) => self.refused += 1,
        }
    }

    /// Wishes that the kernel took, and that it refused.
    pub const fn counters(&self) -> (u64, u64) {
        (self.applied, self.refused)
    }

    /// The announcement of one session is removed; that of another one for the same endpoint stays.
    fn forget(&mut self, listener: Endpoint, peer: Address) -> Result<(), MapError> {
        let key = endpoint(listener);
        match self.expected.get(&key, 0) {
            Ok(expected) if expected.peer == peer => absent_is_fine(self.expected.remove(&key)),
            Ok(_) => Ok(()),
            Err(error) => absent_is_fine(Err(error)),
        }
    }

    fn expect(&mut self, now_s: u32, listener: Endpoint, expected: Expected) -> Result<(), MapError> {
        // A session that names another host's port does not narrow what that host itself announced.
        if expected.flags & Expected::ANYONE == 0
            && let Ok(known) = self.expected.get(&endpoint(listener), 0)
            && known.flags & Expected::ANYONE != 0
            && known.expires_s > now_s
        {
            return Ok(());
        }
        self.expected.insert(endpoint(listener), expected, 0)?;
        // The mark comes second: the kernel looks at an announcement only where the port is marked.
        let until = expected.expires_s.min(now_s.saturating_add(MARK_S));
        self.ports.watch(listener.port, PortMark::until(until));
        Ok(())
    }
}

fn absent_is_fine(result: Result<(), MapError>) -> Result<(), MapError> {
    match result {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(e)) if e.io_error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

fn endpoint(end: Endpoint) -> ftpmon_common::Endpoint {
    SocketAddr::new(end.ip, end.port).into()
}

fn key(one: Endpoint, other: Endpoint) -> FlowKey {
    FlowKey::new(Address::from(one.ip), one.port, Address::from(other.ip), other.port).0
}
