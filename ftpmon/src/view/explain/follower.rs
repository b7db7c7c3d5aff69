//! One connection followed: its segments become steps.

use ftpmon_core::segment::{InterfaceId, Segment};
use ftpmon_core::tls::begins_handshake;
use ftpmon_event::time::Timestamp;

use super::step::{Lane, Number, Step, StepKind};

/// Holes of a direction that are remembered, to tell late bytes from copies.
const HOLES_MAX: usize = 16;
/// Remarkable steps of a data connection (copies, holes) that are kept. The others are counted with the transfer.
const REMARKS_MAX: usize = 16;

/// One direction of a connection.
#[derive(Default)]
struct Side {
    /// The number that relative ones are counted from.
    base: Option<u32>,
    /// A SYN of it was seen.
    has_syn: bool,
    /// The number of the next byte, once one was seen.
    next: Option<u32>,
    /// Ranges that were not seen, as first number and the one behind the last.
    holes: Vec<(u32, u32)>,
    /// The number behind its FIN.
    fin: Option<u32>,
    /// That was acknowledged.
    fin_acked: bool,
    /// The number that the other end acknowledged last.
    acked: Option<u32>,
    /// Payload was seen, and its first step was told.
    has_payload: bool,
}

/// A connection.
pub(super) struct Follower {
    lane: Lane,
    /// The initiator is the session's client.
    client_opens: bool,
    /// Only segments of the interface that shows the first one count: a capture of several has copies.
    interface: Option<InterfaceId>,
    /// Of the initiator, of the listener.
    sides: [Side; 2],
    is_established: bool,
    remarks: usize,
}

impl Follower {
    pub(super) fn new(lane: Lane, client_opens: bool) -> Self {
        Self {
            lane,
            client_opens,
            interface: None,
            sides: Default::default(),
            is_established: false,
            remarks: 0,
        }
    }

    /// The segment begins another connection with the same ends.
    pub(super) fn is_over(&self, from_initiator: bool, segment: &Segment<'_>) -> bool {
        let begins = segment.flags.syn() && !segment.flags.ack() && from_initiator;
        let [initiator, _] = &self.sides;
        let other = initiator.base.is_some_and(|base| base != segment.seq);
        begins && other && (self.is_established || initiator.has_payload)
    }

    /// Takes a segment. Gives its steps.
    pub(super) fn push(
        &mut self,
        at: Timestamp,
        frame: u64,
        from_initiator: bool,
        segment: &Segment<'_>,
    ) -> impl Iterator<Item = Step> + use<> {
        let mut kinds = [None; 3];
        if *self.interface.get_or_insert(segment.interface) == segment.interface {
            let kind = self.kind(from_initiator, segment);
            let end = self.end(from_initiator, segment);
            if segment.flags.ack() {
                self.side(!from_initiator).acked = Some(segment.ack);
            }
            kinds = [self.acknowledged(from_initiator, segment).filter(|_| end.is_none()), kind, end];
        }
        let seq = self.number(from_initiator, segment.seq);
        let ack = segment.flags.ack().then(|| self.number(!from_initiator, segment.ack));
        let (lane, from_client) = (self.lane, from_initiator == self.client_opens);
        let (len, tls) = (segment.wire_payload_len, begins_handshake(segment.payload));
        kinds.into_iter().flatten().map(move |kind| Step {
            at,
            frame,
            lane,
            from_client,
            seq,
            ack,
            len,
            tls,
            kind,
        })
    }

    fn side(&mut self, of_initiator: bool) -> &mut Side {
        let [initiator, listener] = &mut self.sides;
        if of_initiator { initiator } else { listener }
    }

    fn number(&mut self, of_initiator: bool, absolute: u32) -> Number {
        let side = self.side(of_initiator);
        let base = *side.base.get_or_insert(absolute.wrapping_sub(1));
        Number { absolute, relative: absolute.wrapping_sub(base) }
    }

    fn kind(&mut self, from_initiator: bool, segment: &Segment<'_>) -> Option<StepKind> {
        if segment.flags.syn() {
            return Some(self.opening(from_initiator, segment));
        }
        if let Some(kind) = self.handshake_ack(from_initiator, segment) {
            // Payload may come with it: the step has its length.
            self.payload(from_initiator, segment);
            return Some(kind);
        }
        let is_first = !self.side(from_initiator).has_payload;
        self.payload(from_initiator, segment).filter(|kind| self.is_told(*kind, is_first))
    }

    fn opening(&mut self, from_initiator: bool, segment: &Segment<'_>) -> StepKind {
        let [initiator, _] = &self.sides;
        let initial = initiator.base;
        let side = self.side(from_initiator);
        if side.has_syn && side.base == Some(segment.seq) {
            return StepKind::SynAgain;
        }
        side.base = Some(segment.seq);
        side.has_syn = true;
        side.next = Some(segment.seq.wrapping_add(1));
        if segment.flags.ack() { StepKind::SynAck { initial } } else { StepKind::Syn }
    }

    /// The first acknowledgment after both SYNs.
    fn handshake_ack(&mut self, from_initiator: bool, segment: &Segment<'_>) -> Option<StepKind> {
        let [Side { base: Some(own), has_syn: true, .. }, Side { base: Some(other), has_syn: true, .. }] =
            self.sides
        else {
            return None;
        };
        let completes = from_initiator && segment.flags.ack() && !segment.flags.rst() && !self.is_established;
        self.is_established |= completes;
        completes.then_some(StepKind::HandshakeAck { own, other })
    }

    /// The relation of a segment's payload to what was seen before.
    fn payload(&mut self, from_initiator: bool, segment: &Segment<'_>) -> Option<StepKind> {
        let len = segment.wire_payload_len;
        if len == 0 {
            return None;
        }
        let side = self.side(from_initiator);
        side.base.get_or_insert(segment.seq.wrapping_sub(1));
        side.has_payload = true;
        let next = *side.next.get_or_insert(segment.seq);
        let end = segment.seq.wrapping_add(len);
        let ahead = segment.seq.wrapping_sub(next) as i32;
        if ahead > 0 {
            if side.holes.len() < HOLES_MAX {
                side.holes.push((next, segment.seq));
            }
            side.next = Some(end);
            return Some(StepKind::BehindHole { missing: ahead.unsigned_abs() });
        }
        if end.wrapping_sub(next) as i32 > 0 {
            side.next = Some(end);
            return Some(StepKind::Payload);
        }
        let within = |hole: &(u32, u32)| segment.seq.wrapping_sub(hole.0) < hole.1.wrapping_sub(hole.0);
        match side.holes.iter().position(within) {
            Some(at) => {
                let hole = side.holes.swap_remove(at);
                let rest = [(hole.0, segment.seq), (end, hole.1)];
                let is_left = |(from, to): &(u32, u32)| (to.wrapping_sub(*from) as i32) > 0;
                side.holes.extend(rest.into_iter().filter(is_left).take(HOLES_MAX));
                Some(StepKind::Late)
            }
            None => Some(StepKind::Copy),
        }
    }

    /// Whether a step with payload is told: all of a control connection; of a data connection the first of each direction and
    /// what is remarkable, up to a cap.
    fn is_told(&mut self, kind: StepKind, is_first: bool) -> bool {
        if self.lane == Lane::Control || kind == StepKind::Payload {
            return self.lane == Lane::Control || is_first;
        }
        self.remarks += 1;
        self.remarks <= REMARKS_MAX
    }

    fn end(&mut self, from_initiator: bool, segment: &Segment<'_>) -> Option<StepKind> {
        if segment.flags.rst() {
            let exact = self.is_exact(from_initiator, segment);
            return Some(StepKind::Reset { exact, went_on: false });
        }
        let end = segment.seq.wrapping_add(segment.wire_payload_len).wrapping_add(1);
        let side = self.side(from_initiator);
        if !segment.flags.fin() || side.fin == Some(end) {
            return None;
        }
        side.fin = Some(end);
        Some(StepKind::Fin)
    }

    /// The receiver of a reset expects its number next, as far as that can be told: it is behind all that was sent, or acknowledged.
    fn is_exact(&mut self, from_initiator: bool, segment: &Segment<'_>) -> bool {
        let side = self.side(from_initiator);
        let expected = [side.next, side.fin, side.acked];
        expected.iter().all(Option::is_none) || expected.contains(&Some(segment.seq))
    }

    /// The other end's FIN is acknowledged for the first time.
    fn acknowledged(&mut self, from_initiator: bool, segment: &Segment<'_>) -> Option<StepKind> {
        let side = self.side(!from_initiator);
        let is_new = segment.flags.ack() && !side.fin_acked && side.fin == Some(segment.ack);
        side.fin_acked |= is_new;
        is_new.then_some(StepKind::FinAck)
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use ftpmon_core::segment::{InterfaceId, Signs, TcpFlags, VlanTags};
    use ftpmon_event::addr::Endpoint;

    use super::*;

    const ISNS: [u32; 2] = [u32::MAX - 1, 900];

    struct Talk(Follower, Vec<StepKind>);

    impl Talk {
        fn new(lane: Lane) -> Self {
            Self(Follower::new(lane, true), Vec::new())
        }

        /// A segment with numbers relative to the initial ones.
        fn say(&mut self, from: usize, flags: u8, seq: u32, ack: u32, len: usize) -> &mut Self {
            let end = Endpoint::new(Ipv4Addr::LOCALHOST.into(), 1);
            let segment = Segment {
                src: end,
                dst: end,
                seq: ISNS[from].wrapping_add(seq),
                ack: ISNS[1 - from].wrapping_add(ack),
                flags: TcpFlags(flags),
                payload: &[],
                wire_payload_len: len as u32,
                interface: InterfaceId(0),
                vlan: VlanTags::default(),
                signs: Signs::default(),
            };
            let steps = self.0.push(Timestamp::default(), 1, from == 0, &segment);
            for step in steps {
                assert_eq!((step.seq.relative, step.from_client), (seq, from == 0));
                self.1.push(step.kind);
            }
            self
        }

        fn handshake(&mut self) -> &mut Self {
            self.say(0, 0x02, 0, 0, 0).say(1, 0x12, 0, 1, 0).say(0, 0x10, 1, 1, 0)
        }
    }

    #[test]
    fn a_connection_from_its_handshake_to_its_end() {
        let mut talk = Talk::new(Lane::Control);
        talk.handshake().say(1, 0x18, 1, 1, 20).say(0, 0x10, 1, 21, 0).say(0, 0x18, 1, 21, 6);
        talk.say(1, 0x11, 21, 7, 0).say(0, 0x10, 7, 22, 0).say(0, 0x11, 7, 22, 0).say(1, 0x10, 22, 8, 0);
        assert_eq!(
            talk.1,
            [
                StepKind::Syn,
                StepKind::SynAck { initial: Some(ISNS[0]) },
                StepKind::HandshakeAck { own: ISNS[0], other: ISNS[1] },
                StepKind::Payload,
                StepKind::Payload,
                StepKind::Fin,
                StepKind::FinAck,
                StepKind::Fin,
                StepKind::FinAck,
            ]
        );
    }

    #[test]
    fn holes_late_bytes_and_copies_are_told_apart() {
        let mut talk = Talk::new(Lane::Control);
        talk.handshake().say(0, 0x18, 1, 1, 10).say(0, 0x18, 21, 1, 10).say(0, 0x18, 11, 1, 10);
        talk.say(0, 0x18, 21, 1, 10).say(0, 0x18, 11, 1, 10).say(0, 0x18, 31, 1, 1);
        assert_eq!(
            talk.1[3..],
            [
                StepKind::Payload,
                StepKind::BehindHole { missing: 10 },
                StepKind::Late,
                StepKind::Copy,
                StepKind::Copy,
                StepKind::Payload
            ]
        );
    }

    #[test]
    fn of_a_data_connection_the_first_payload_and_some_remarks_are_told() {
        let mut talk = Talk::new(Lane::Data(0));
        talk.handshake();
        for at in 0..40 {
            talk.say(1, 0x18, 1 + at * 10, 1, 10).say(1, 0x18, 1 + at * 10, 1, 10);
        }
        assert_eq!(talk.1.iter().filter(|kind| **kind == StepKind::Payload).count(), 1);
        assert_eq!(talk.1.iter().filter(|kind| **kind == StepKind::Copy).count(), REMARKS_MAX);
    }

    /// RFC 5961 section 3.2: a reset is believed where its number is the next one that is expected, and nowhere else.
    #[test]
    fn resets_are_exact_or_not() {
        for (seq, exact) in [(11, true), (12, false), (10, false), (1_011, false)] {
            let mut talk = Talk::new(Lane::Control);
            talk.handshake().say(0, 0x18, 1, 1, 10).say(0, 0x04, seq, 0, 0);
            assert_eq!(talk.1.last(), Some(&StepKind::Reset { exact, went_on: false }), "{seq}");
        }
        // What is acknowledged counts where the capture lacks the bytes; behind a FIN its number does; a SYN may be refused.
        let mut talk = Talk::new(Lane::Control);
        talk.handshake().say(1, 0x10, 1, 21, 0).say(0, 0x04, 21, 0, 0);
        assert_eq!(talk.1.last(), Some(&StepKind::Reset { exact: true, went_on: false }));
        let mut talk = Talk::new(Lane::Control);
        talk.handshake().say(0, 0x11, 1, 1, 0).say(0, 0x04, 2, 0, 0);
        assert_eq!(talk.1.last(), Some(&StepKind::Reset { exact: true, went_on: false }));
    }

    #[test]
    fn without_a_handshake_numbers_count_from_the_first_that_was_seen() {
        let mut talk = Talk::new(Lane::Control);
        talk.say(1, 0x18, 1, 500, 10).say(1, 0x18, 11, 500, 3);
        assert_eq!(talk.1, [StepKind::Payload, StepKind::Payload]);
    }
}
