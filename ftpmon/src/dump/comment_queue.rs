//! Frames whose comments may still be coming.
//!
//! The events that a frame completes are known at once, except at the end of a data connection: the acknowledgment that ends
//! it is not copied, and the kernel's account of it comes later. So a FIN or RST waits for that account, and the frames after
//! it wait with it: the file is in order of time.

use std::collections::VecDeque;

use super::blocks::Packet;
use super::comment;
use ftpmon_core::account::FlowRecord;
use ftpmon_core::frame::LinkType;
use ftpmon_core::segment::{InterfaceId, Segment};
use ftpmon_event::Event;
use ftpmon_event::addr::Endpoint;

/// Frames that wait at most; the oldest goes without its comment then.
pub(super) const FRAMES_MAX: usize = 256;
/// Their bytes.
const BYTES_MAX: usize = 1 << 20;

/// A frame that may get comments.
pub(super) struct PendingFrame {
    pub(super) packet: Packet,
    pub(super) from: (InterfaceId, LinkType),
    ends: Option<(Endpoint, Endpoint)>,
    waits: bool,
}

impl PendingFrame {
    /// `of_data`: it belongs to a data connection.
    pub(super) fn new(
        packet: Packet,
        from: (InterfaceId, LinkType),
        segment: Option<&Segment<'_>>,
        of_data: bool,
    ) -> Self {
        let ends = segment.map(|segment| (segment.src, segment.dst));
        let waits = of_data && segment.is_some_and(|segment| segment.flags.fin() || segment.flags.rst());
        Self { packet, from, ends, waits }
    }

    fn is_between(&self, one: Endpoint, other: Endpoint) -> bool {
        self.ends == Some((one, other)) || self.ends == Some((other, one))
    }
}

/// The latest frames, in order.
#[derive(Default)]
pub(super) struct CommentQueue {
    frames: VecDeque<PendingFrame>,
    bytes: usize,
    /// The index of the frame that the events are about.
    subject: Option<usize>,
}

impl CommentQueue {
    /// The events that come now are about this frame.
    pub(super) fn push(&mut self, frame: PendingFrame) {
        self.bytes += frame.packet.bytes.len();
        self.subject = Some(self.frames.len());
        self.frames.push_back(frame);
    }

    /// The events that come now are about the last frame of this connection, and it gets no more of them.
    pub(super) fn account(&mut self, account: &FlowRecord) {
        self.subject = None;
        for (at, open) in self.frames.iter_mut().enumerate() {
            if open.waits && open.is_between(account.initiator, account.listener) {
                open.waits = false;
                self.subject = Some(at);
            }
        }
    }

    /// The frame at hand, or the one that the account at hand ended, completed an event.
    pub(super) fn note(&mut self, event: &Event) {
        if let Some(open) = self.subject.and_then(|at| self.frames.get_mut(at)) {
            comment::add(&mut open.packet.comment, event);
        }
    }

    /// The next frame that can be written; with `all` also one that still waits.
    pub(super) fn pop(&mut self, all: bool) -> Option<PendingFrame> {
        let over = self.frames.len() > FRAMES_MAX || self.bytes > BYTES_MAX;
        if self.frames.front()?.waits && !all && !over {
            return None;
        }
        let open = self.frames.pop_front()?;
        self.bytes = self.bytes.saturating_sub(open.packet.bytes.len());
        Some(open)
    }

    /// The number of waiting frames.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Later events are about none of them.
    pub(super) fn close(&mut self) {
        self.subject = None;
    }
}
