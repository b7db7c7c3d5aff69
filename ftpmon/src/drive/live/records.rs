//! From a record of the ring to the engine, and on the way to the dump and the journal.

use super::journal::Journal;
use crate::dump::Dump;
use crate::kernel::{RingRecord, SeenFrame};
use ftpmon_core::account::FlowReport;
use ftpmon_core::engine::Engine;
use ftpmon_core::frame::Decoder;

/// Hands a record to the engine, and on the way to the dump and, with its bytes and the distance of the clocks, to the journal.
#[inline]
pub(super) fn hand_over(
    record: &RingRecord<'_>,
    noted: Option<(&mut Journal, &[u8], i64)>,
    index: u64,
    decoder: &mut Decoder,
    dump: &mut Option<Dump>,
    engine: &mut Engine,
) {
    match record {
        RingRecord::Frame(seen) if seen.of_fragment => hand_over_fragment(seen, index, decoder, dump, engine),
        RingRecord::Frame(seen) => {
            let segment = decoder.decode(seen.at, &seen.frame);
            if let Some(dump) = dump {
                let whole =
                    !seen.of_data || segment.as_ref().is_some_and(|it| engine.permits_copy(it.src, it.dst));
                dump.frame(seen, segment.as_ref(), whole);
            }
            if let Some(segment) = segment {
                if let Some((journal, bytes, distance)) = noted
                    && seen.is_kept()
                {
                    journal.frame(bytes, &segment, distance);
                }
                engine.handle_segment(seen.at, index, &segment);
            }
        }
        RingRecord::Account(account) => {
            if let Some(dump) = dump {
                dump.account(account);
            }
            if let Some((journal, bytes, distance)) = noted {
                let (initiator, listener) = (account.initiator, account.listener);
                match account.report {
                    FlowReport::Progress => {}
                    FlowReport::Open => journal.record(bytes, initiator, listener, distance),
                    FlowReport::Close => {
                        journal.record(bytes, initiator, listener, distance);
                        journal.data_over(initiator, listener);
                    }
                }
            }
            engine.handle_flow(account);
        }
    }
}

/// Hands a fragment to the decoder, and the segment that it completes to the engine, if that is of a control connection. It may be
/// of any traffic between the two hosts: none of it is written, and none but a dialogue looked at.
#[cold]
fn hand_over_fragment(
    seen: &SeenFrame<'_>,
    index: u64,
    decoder: &mut Decoder,
    dump: &mut Option<Dump>,
    engine: &mut Engine,
) {
    if let Some(dump) = dump {
        dump.leave_out(seen);
    }
    let segment = decoder.decode(seen.at, &seen.frame);
    if let Some(segment) = segment.filter(|segment| engine.is_of_control(segment)) {
        engine.handle_segment(seen.at, index, &segment);
    }
    if let Some(fragment) = decoder.take_fragment() {
        engine.handle_fragment(seen.at, fragment);
    }
}
