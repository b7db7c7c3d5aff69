//! Properties of every dialogue and every capture of it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::backlog::{Backlog, Piece};
use super::dialogue::{Dialogue, Dice, Ledger, Sent};
use super::*;

/// Segments overtake each other by at most so many places, far fewer than are waited for.
const JITTER: u64 = 6;

fn turns() -> impl Strategy<Value = Vec<(bool, Vec<usize>)>> {
    vec((any::<bool>(), vec(prop_oneof![1..4_usize, 1..90_usize], 1..6)), 1..24)
}

fn keeps() -> impl Strategy<Value = Keep> {
    prop_oneof![3 => Just(Keep::Bytes), 1 => Just(Keep::Ranges)]
}

/// Copies come behind, and segments change places, all but those whose flags are `fixed`, which come first.
fn shuffle(sent: &[Sent], dice: &mut Dice, copies: u64, fixed: fn(u8) -> bool) -> Vec<Sent> {
    let mut captured = Vec::new();
    for segment in sent {
        for _ in 0..1 + u8::from(dice.hits(copies)) {
            let at = captured.len() as u64;
            let place = if fixed(segment.flags) { 0 } else { 1 + at + dice.below(JITTER + 1) };
            captured.push((place, segment.clone()));
        }
    }
    captured.sort_by_key(|(place, _)| *place);
    captured.into_iter().map(|(_, segment)| segment).collect()
}

/// Bytes sent before are sent again, cut another way.
fn repeat(sent: &[Sent], dice: &mut Dice) -> Vec<Sent> {
    let mut repeated = Vec::new();
    let mut ends = [1, 1];
    for segment in sent {
        repeated.push(segment.clone());
        let end = &mut ends[usize::from(segment.from == SERVER)];
        *end = segment.offset + segment.len;
        if segment.len > 0 && dice.hits(15) {
            let back = (1 + dice.below(60) as usize).min(*end - 1);
            let len = 1 + dice.below(back as u64) as usize;
            repeated.push(Sent { offset: *end - back, len, ..segment.clone() });
        }
    }
    repeated
}

/// Segments are sent again as they were, with what their sender has acknowledged by then.
fn retransmit(sent: &[Sent], dice: &mut Dice) -> Vec<Sent> {
    let mut all = Vec::new();
    for (at, segment) in sent.iter().enumerate() {
        all.push(segment.clone());
        let earlier = sent[at.saturating_sub(1 + dice.below(4) as usize)].clone();
        if earlier.len > 0 && earlier.from == segment.from && dice.hits(15) {
            all.push(Sent { ack: segment.ack, ..earlier });
        }
    }
    all
}

fn monitor(keep: Keep) -> Monitor {
    Monitor { keep, ..Monitor::midstream() }
}

proptest! {
    #[test]
    fn any_capture_that_lost_nothing_tells_the_same_bytes(turns in turns(), isns: [u32; 2], seed: u64, copies in 0..100_u64, keep in keeps()) {
        let mut dice = Dice(seed);
        let dialogue = Dialogue::new(&turns, &mut dice);
        let sent = if copies % 2 == 0 { dialogue.sent.clone() } else { retransmit(&dialogue.sent, &mut dice) };
        let captured = shuffle(&sent, &mut dice, copies, |flags| flags == SYN);
        let mut ledger = Ledger::new(&dialogue);
        let mut it = monitor(keep);
        for sent in &captured {
            sent.give(&mut it, isns, &mut ledger);
        }
        prop_assert!(it.is_at_rest(), "{:?}", it.connection);
        prop_assert!(ledger.gaps.iter().all(Vec::is_empty), "{:?}", ledger.gaps);
        prop_assert_eq!(ledger.closed, [true, true]);
        if keep == Keep::Bytes {
            prop_assert_eq!(ledger.position, dialogue.totals);
        }
        for from in [CLIENT, SERVER] {
            let account = it.connection.account(from);
            prop_assert_eq!((account.bytes, account.gap_bytes, account.fin), (dialogue.total(from) as u64, 0, true));
        }
        prop_assert_eq!(it.connection.closed_by(), Some(CLIENT));
    }

    #[test]
    fn what_is_lost_and_only_that_is_a_gap(turns in turns(), isns: [u32; 2], seed: u64, loss in 0..60_u64, keep in keeps()) {
        let mut dice = Dice(seed);
        let dialogue = Dialogue::new(&turns, &mut dice);
        let mut lost = [vec![], vec![]];
        let mut ledger = Ledger::new(&dialogue);
        // One byte more than was seen may be a FIN, which is waited for but not told.
        ledger.slack = 1;
        let mut it = monitor(keep);
        for sent in &dialogue.sent {
            if sent.flags == ACK && dice.hits(loss) {
                lost[usize::from(sent.from == SERVER)].extend(sent.offset - 1..sent.offset - 1 + sent.len);
                continue;
            }
            sent.give(&mut it, isns, &mut ledger);
        }
        it.now += 1;
        it.connection.finish(millis(it.now), it.keep, &mut ledger);
        prop_assert!(it.is_at_rest());
        prop_assert_eq!(ledger.closed, [true, true]);
        for from in [CLIENT, SERVER] {
            let account = it.connection.account(from);
            let lost = lost[usize::from(from == SERVER)].len();
            prop_assert_eq!((account.bytes, account.gap_bytes), (dialogue.total(from) as u64, lost as u64));
        }
        if keep == Keep::Bytes {
            prop_assert_eq!(ledger.gaps, lost);
            prop_assert_eq!(ledger.position, dialogue.totals);
        }
    }

    #[test]
    fn with_everything_going_wrong_each_byte_is_right_or_in_a_gap(turns in turns(), isns: [u32; 2], seed: u64, pieces in 0..20_u16, bytes in 0..400_u32) {
        let mut dice = Dice(seed);
        let dialogue = Dialogue::new(&turns, &mut dice);
        let mut captured = shuffle(&repeat(&dialogue.sent, &mut dice), &mut dice, 20, |flags| flags & SYN != 0);
        captured.retain_mut(|sent| {
            if sent.len > 0 && dice.hits(10) {
                sent.cut = 1 + dice.below(sent.len as u64) as usize;
            }
            sent.flags != ACK || !dice.hits(10)
        });
        let mut ledger = Ledger::new(&dialogue);
        ledger.slack = usize::MAX;
        let mut it = monitor(Keep::Bytes);
        it.limits = StreamLimits { held_pieces: pieces, held_bytes: bytes, ..it.limits };
        for sent in &captured {
            sent.give(&mut it, isns, &mut ledger);
            check_held(&it)?;
        }
        it.connection.finish(millis(it.now), it.keep, &mut ledger);
        prop_assert!(it.is_at_rest());
        prop_assert_eq!(ledger.closed, [true, true]);
        for from in [CLIENT, SERVER] {
            let total = dialogue.total(from);
            prop_assert_eq!(it.connection.account(from).bytes, total as u64);
            // A FIN that came after it had been given up was told as a byte.
            let told = ledger.position[usize::from(from == SERVER)];
            prop_assert!(told == total || told == total + 1, "{} of {}", told, total);
        }
    }

    #[test]
    fn no_segments_whatever_break_it(garbage in vec(garbage(), 0..120), limits in limits(), near in any::<[u32; 2]>()) {
        let mut it = monitor(Keep::Bytes);
        it.limits = limits;
        for Garbage { from, seq, ack, flags, len, cut, wait, keep } in garbage {
            let payload = vec![b'x'; len];
            let (seq, ack) = (near[0].wrapping_add(seq), near[1].wrapping_add(ack));
            let (seq, ack) = if from == CLIENT { (seq, ack) } else { (ack, seq) };
            it.keep = keep;
            let segment = Segment { wire_payload_len: len as u32 + cut, ..segment(from, seq, ack, flags, &payload) };
            it.connection.starts_anew(from, &segment);
            it.take(from, &segment);
            check_held(&it)?;
            it.pass_millis(wait);
        }
        let mut calls = 0;
        while let Some(due) = it.connection.poll_timeout() {
            it.now = it.now.max(due.as_nanos() / 1_000_000 + 1);
            it.pass_millis(0);
            calls += 1;
            prop_assert!(calls < 1000, "a timeout does nothing: {:?}", it.connection);
        }
        it.finish();
        prop_assert!(it.is_at_rest());
        for from in [CLIENT, SERVER] {
            let account = it.connection.account(from);
            prop_assert!(account.gap_bytes <= account.bytes, "{account:?}");
        }
    }
}

/// A segment that nobody sane sends, though near enough to others to matter.
#[derive(Clone, Debug)]
struct Garbage {
    from: Side,
    seq: u32,
    ack: u32,
    flags: u8,
    len: usize,
    cut: u32,
    wait: i64,
    keep: Keep,
}

fn garbage() -> impl Strategy<Value = Garbage> {
    let number =
        || prop_oneof![8 => 0..100_u32, 2 => (0..100_u32).prop_map(u32::wrapping_neg), 1 => any::<u32>()];
    let flags = prop_oneof![6 => Just(ACK), 1 => any::<u8>()];
    let wait = prop_oneof![8 => Just(0), 1 => 0..1000_i64, 1 => -1000..100_000_i64];
    let keep = prop_oneof![8 => Just(Keep::Bytes), 1 => Just(Keep::Ranges)];
    let from = any::<bool>().prop_map(|client| if client { CLIENT } else { SERVER });
    let cut = prop_oneof![8 => Just(0), 1 => 0..20_u32, 1 => any::<u32>().prop_map(|cut| cut >> 1)];
    (from, number(), number(), flags, 0..40_usize, cut, wait, keep).prop_map(
        |(from, seq, ack, flags, len, cut, wait, keep)| Garbage {
            from,
            seq,
            ack,
            flags,
            len,
            cut,
            wait,
            keep,
        },
    )
}

fn limits() -> impl Strategy<Value = StreamLimits> {
    let window = prop_oneof![Just((1 << 31) - 1), 0..200_u32];
    (0..300_u32, 0..12_u16, window, 0..20_u16).prop_map(
        |(held_bytes, held_pieces, window, acknowledged_segments)| StreamLimits {
            held_bytes,
            held_pieces,
            window,
            acknowledged_segments,
            ..StreamLimits::CONTROL
        },
    )
}

/// The bytes held stay below the caps (a queue has room for twice what it holds), and in order.
fn check_held(it: &Monitor) -> Result<(), TestCaseError> {
    let queue = 2 * usize::from(it.limits.held_pieces).max(4) * size_of::<Piece>();
    let cap = size_of::<Backlog>() + 2 * (queue + it.limits.held_bytes as usize);
    prop_assert!(it.connection.held_bytes() <= cap, "{} of {cap}", it.connection.held_bytes());
    let Some(held) = &it.connection.backlog else { return Ok(()) };
    for from in [CLIENT, SERVER] {
        let pending = held.pending.side(from);
        let mut position = it.connection.streams.side(from).next;
        for piece in &pending.pieces {
            prop_assert!(position <= piece.start, "{:?}", it.connection);
            position = piece.end();
        }
        let bytes: usize = pending.pieces.iter().map(|piece| piece.bytes.len()).sum();
        prop_assert_eq!(pending.bytes(), bytes);
    }
    Ok(())
}
