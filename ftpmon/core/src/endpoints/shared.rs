//! The announced endpoints that connections of other pairs of hosts may fulfil.

use std::net::IpAddr;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::{CLAIMS_PER_ENDPOINT_MAX, Claim, Claims, add_contacted, first_fulfilled, note_fill_of};
use crate::addr::Endpoint;
use crate::fill::Fills;
use crate::flow::SessionRef;
use crate::pair::HostPair;
use crate::session::EndpointId;

/// Endpoints that connections between other hosts than those of the session may fulfil: a port of the announcer's own, to
/// which any host may connect, and an address that is not the announcer's (a third host, or one behind NAT). Written
/// between batches of packets, and read for each new connection that no session of its hosts announced. Holds no more than
/// the partitions' own tables.
#[derive(Debug, Default)]
pub(crate) struct SharedEndpoints {
    waiting: HashMap<Endpoint, Claims>,
    contacted: HashMap<Endpoint, Claims>,
}

impl SharedEndpoints {
    /// Claims of all sessions that wait for a connection.
    pub(crate) fn waiting_len(&self) -> usize {
        self.waiting.values().map(SmallVec::len).sum()
    }

    /// Nothing is known.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.contacted.is_empty()
    }

    /// A claim was announced. True if another one was evicted at the cap.
    pub(crate) fn insert(&mut self, listener: Endpoint, claim: Claim) -> bool {
        let claims = self.waiting.entry(listener).or_default();
        let full = claims.len() >= CLAIMS_PER_ENDPOINT_MAX;
        if full {
            let foreign = claims.iter().position(|claim| claim.announcer != listener.ip);
            claims.remove(foreign.unwrap_or(0));
        }
        claims.push(claim);
        full
    }

    /// A connection came to a claim. True if another one was evicted at the cap.
    pub(crate) fn contacted(&mut self, listener: Endpoint, claim: &Claim) -> bool {
        let known = remove(&mut self.waiting, listener, claim);
        known.is_some_and(|known| add_contacted(&mut self.contacted, listener, known))
    }

    /// A server took what its client announced.
    pub(crate) fn confirm(&mut self, listener: Endpoint, session: SessionRef, endpoint: EndpointId) {
        for table in [&mut self.waiting, &mut self.contacted] {
            let claims = table.get_mut(&listener).into_iter().flatten();
            claims.filter(|it| it.is_of(session, endpoint)).for_each(|it| it.confirmed = true);
        }
    }

    /// A claim is gone.
    pub(crate) fn remove(&mut self, listener: Endpoint, claim: &Claim) {
        if remove(&mut self.waiting, listener, claim).is_none() {
            remove(&mut self.contacted, listener, claim);
        }
    }

    /// The claims of sessions between other hosts that a connection fulfils.
    pub(crate) fn fulfilled(&self, initiator: IpAddr, listener: Endpoint) -> SmallVec<[Claim; 2]> {
        let pair = HostPair::new(initiator, listener.ip);
        first_fulfilled([&self.waiting, &self.contacted], initiator, listener, |its| its != pair)
    }
}

impl SharedEndpoints {
    /// Notes the fill of each endpoint's claims.
    pub(crate) fn note_fill(&self, fills: &mut Fills) {
        [&self.waiting, &self.contacted].into_iter().for_each(|table| note_fill_of(table, fills));
    }
}

/// Takes a claim out of a table. Returns it where it was there.
fn remove(table: &mut HashMap<Endpoint, Claims>, listener: Endpoint, claim: &Claim) -> Option<Claim> {
    let claims = table.get_mut(&listener)?;
    let place = claims.iter().position(|known| known.is_of(claim.session, claim.endpoint));
    let removed = place.map(|place| claims.remove(place));
    if claims.is_empty() {
        table.remove(&listener);
    }
    removed
}
