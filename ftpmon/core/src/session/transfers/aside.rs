//! That which PORT or EPRT supersedes, until the server has accepted it: where it refuses, ProFTPD, Pure-FTPd and pyftpdlib keep the
//! endpoint before. RFC 959 section 4.1.2 has parameters change by accepted commands only.

use super::{SessionRef, Transfers};
use crate::session::contenders::DataState;
use crate::session::data::EndpointId;
use crate::session::outbox::{Effect, Outbox};
use crate::session::transfer::{Announced, Aside, Before, Transfer};
use crate::time::Timestamp;

impl Transfers {
    /// The command `tx` is about to announce an endpoint of the client.
    pub(super) fn put_aside(&mut self, tx: u64) {
        let before = self.current.as_deref().map(|current| match current.state(None) {
            DataState::Waiting if !current.contacted => {
                Before::Waiting(current.id, current.data, current.endpoints.clone())
            }
            _ => Before::Connected(current.id),
        });
        let (last_used, in_force_since) = (self.last_used.clone(), self.in_force_since);
        self.aside = Some(Box::new(Aside { by: tx, current: before, last_used, in_force_since }));
    }

    /// The command `tx`, which announced an endpoint of the client, was refused: connections that came to it are not the session's,
    /// unless a transfer command was sent behind it and has one.
    pub(in crate::session) fn announcement_refused(
        &mut self,
        at: Timestamp,
        tx: u64,
        session: SessionRef<'_>,
        out: &mut Outbox,
    ) {
        let Some(aside) = self.aside.take_if(|aside| aside.by == tx) else { return };
        let waits = |announced: &Announced| {
            announced.announced_by == tx && matches!(announced.state(None), DataState::Waiting)
        };
        // A transfer that was sent behind it has claimed it.
        let claimed = self.open.iter().position(|transfer| transfer.announced.as_deref().is_some_and(waits));
        let refused = match claimed.and_then(|index| self.open.get_mut(index)) {
            Some(transfer) => transfer.announced.take(),
            None => self.current.take_if(|current| current.announced_by == tx),
        };
        let Some(Announced { id, endpoints, contenders, .. }) = refused.map(|refused| *refused) else {
            return;
        };
        out.effects.push(match contenders.open_connections() {
            none if none.is_empty() => Effect::Retract { id, endpoints },
            turned_down => Effect::Used { id, endpoints, turned_down },
        });
        (self.last_used, self.in_force_since) = (aside.last_used, aside.in_force_since);
        let before = match aside.current {
            // Where both were received at once, behind a gap, it was kept.
            Some(Before::Waiting(id, data, endpoints)) => {
                self.take_back(id).or_else(|| Some(self.expect(at, data, endpoints, session, out)))
            }
            Some(Before::Connected(id)) => self.take_back(id),
            None => None,
        };
        match claimed.and_then(|index| self.open.get_mut(index)) {
            Some(transfer) => transfer.announced = before,
            None => self.current = before,
        }
    }

    /// The command `tx` that asked for an endpoint was refused: a transfer that was sent behind it has the endpoint before.
    pub(in crate::session) fn endpoint_refused(&mut self, tx: u64) {
        let lacks_one = |transfer: &&mut Box<Transfer>| {
            transfer.request.tx > tx && transfer.announced.is_none() && transfer.code.is_none()
        };
        if let Some(transfer) = self.open.iter_mut().find(lacks_one)
            && let Some(current) = self.current.take()
        {
            transfer.announced = Some(current);
        }
    }

    /// A connection without a command whose endpoint is in force again.
    fn take_back(&mut self, id: EndpointId) -> Option<Box<Announced>> {
        let its = |announced: &Announced| announced.id == id;
        let index = self.open.iter().position(|transfer| {
            transfer.request.tx == 0 && transfer.announced.as_deref().is_some_and(its)
        })?;
        self.open.remove(index).announced
    }
}
