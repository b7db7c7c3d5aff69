//! The opener of a connection whose opening was not seen: guessed where nothing tells, and put right when something does.

use super::Partition;
use crate::account::Side;
use crate::addr::Endpoint;
use crate::endpoints::SharedEndpoints;
use crate::flow::{Flow, FlowId};
use crate::pair::decide::{Opening, opener};
use crate::segment::Segment;
use crate::tcp::Connection;

impl Partition {
    /// The end that sent the first segment seen of a connection, and whether that is a guess.
    pub(super) fn sender_of(&self, segment: &Segment<'_>, shared: &SharedEndpoints) -> (Side, bool) {
        if segment.flags.syn() {
            return (Connection::sender_of(segment), false);
        }
        let listens = |end: Endpoint, other: Endpoint| {
            self.is_control(end.port)
                || !self.endpoints.fulfilled(other.ip, end).is_empty()
                || !shared.fulfilled(other.ip, end).is_empty()
        };
        opener(&Opening {
            source_listens: listens(segment.src, segment.dst),
            destination_listens: listens(segment.dst, segment.src),
            source_port: segment.src.port,
            destination_port: segment.dst.port,
        })
    }

    /// The opener of a connection was guessed, and a SYN or SYN-ACK of it comes after all.
    pub(super) fn note_opening(&mut self, id: FlowId, segment: &Segment<'_>) {
        let Some(flow) = self.flows.get(id).filter(|flow| flow.guessed && segment.flags.syn()) else {
            return;
        };
        if !flow.connection.begins_with(flow.side_of(segment), segment) {
            return;
        }
        let listener = match Connection::sender_of(segment) {
            Side::Initiator => segment.dst,
            Side::Listener => segment.src,
        };
        self.settle_listener(id, listener);
    }

    /// `listener` is the end of a connection that listens, as is known now.
    pub(super) fn settle_listener(&mut self, id: FlowId, listener: Endpoint) {
        let Some(flow) = self.flows.get(id).filter(|flow| flow.guessed) else { return };
        let is_waiting = self.is_waiting(flow.listener, id);
        let is_other_way = flow.initiator == listener;
        self.stop_waiting_at_ends(id);
        if let Some(flow) = self.flows.get_mut(id) {
            flow.guessed = false;
            if is_other_way {
                flow.turn_round();
            }
        }
        if is_waiting {
            self.wait_for_announcement(listener, id);
        }
    }
}

impl Flow {
    /// The ends that may be its listener.
    pub(super) fn possible_listeners(&self) -> impl Iterator<Item = Endpoint> + use<> {
        [Some(self.listener), self.guessed.then_some(self.initiator)].into_iter().flatten()
    }

    /// The end that opened it, if `listener` is the one that listens.
    pub(super) fn opener_to(&self, listener: Endpoint) -> Endpoint {
        if self.guessed && self.initiator == listener { self.listener } else { self.initiator }
    }
}
