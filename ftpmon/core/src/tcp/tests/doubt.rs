//! Segments that their receiver drops, or that another host forged.

use super::*;

use crate::segment::HeaderSum;

const USUAL: Signs = Signs {
    hop_limit: 60,
    md5: false,
    timestamp: Some(1000),
    urgent: 0,
    sum: HeaderSum { checksum: 0, rest: 0, bad_ip: false, is_known: false },
};

/// A connection whose client sends with [`USUAL`] signs.
fn established() -> Monitor {
    let mut it = Monitor::midstream();
    it.take(CLIENT, &Segment { signs: USUAL, ..segment(CLIENT, 999, 0, SYN, b"") });
    it.send(SERVER, 4999, 1000, SYN | ACK, "");
    it.take(CLIENT, &Segment { signs: USUAL, ..segment(CLIENT, 1000, 5000, ACK, b"") });
    it
}

fn doubtful() -> [(Signs, u8); 4] {
    [
        (USUAL, 0),
        (Signs { hop_limit: 3, ..USUAL }, ACK),
        (Signs { timestamp: Some(999), ..USUAL }, ACK),
        (Signs { md5: true, ..USUAL }, ACK),
    ]
}

#[test]
fn bytes_without_doubt_are_preferred_whichever_come_first() {
    for (signs, flags) in doubtful() {
        for forged_first in [true, false] {
            let mut it = established();
            let forged = Segment { signs, ..segment(CLIENT, 1000, 5000, flags, b"NOOP harmless\r\n") };
            let real = Segment { signs: USUAL, ..segment(CLIENT, 1000, 5000, ACK, b"RETR secret.t\r\n") };
            let both = if forged_first { [&forged, &real] } else { [&real, &forged] };
            both.into_iter().for_each(|segment| it.take(CLIENT, segment));
            it.send(SERVER, 5000, 1015, ACK, "550\r\n");
            let told = it.told();
            let texts: Vec<&Told> = told.iter().filter(|told| matches!(told, Told::Data(..))).collect();
            assert_eq!(texts, [&data(CLIENT, "RETR secret.t\r\n"), &data(SERVER, "550\r\n")], "{signs:?}");
            assert!(told.contains(&Told::Conflict(CLIENT, 15)), "{signs:?} {told:?}");
        }
    }
}

#[test]
fn a_repeated_segment_with_other_signs_is_no_conflict() {
    for (signs, flags) in doubtful() {
        let mut it = established();
        it.take(CLIENT, &Segment { signs, ..segment(CLIENT, 1000, 5000, flags, b"NOOP\r\n") });
        it.take(CLIENT, &Segment { signs: USUAL, ..segment(CLIENT, 1000, 5000, ACK, b"NOOP\r\n") });
        assert_eq!(it.told(), [data(CLIENT, "NOOP\r\n")]);
    }
}

/// RFC 7323 section 5: PAWS drops old copies of segments, which networks make without anyone's intent.
#[test]
fn a_late_copy_is_not_told_and_new_bytes_with_an_old_timestamp_are() {
    let at = |timestamp| Signs { timestamp: Some(timestamp), ..USUAL };
    let mut it = established();
    let first = Segment { signs: at(1001), ..segment(CLIENT, 1000, 5000, ACK, b"NOOP\r\n") };
    let second = Segment { signs: at(1005), ..segment(CLIENT, 1006, 5000, ACK, b"NOOP\r\n") };
    let acknowledgment = Segment { signs: at(1004), ..segment(CLIENT, 1012, 5000, ACK, b"") };
    [&first, &second, &first, &acknowledgment].into_iter().for_each(|segment| it.take(CLIENT, segment));
    assert_eq!(it.recorder.doubts, []);
    let end = Segment { signs: at(1004), ..segment(CLIENT, 1012, 5000, FIN | ACK, b"") };
    it.take(CLIENT, &end);
    assert_eq!(it.recorder.doubts, [Oddity::OldTimestamp]);
    let more = Segment { signs: at(1004), ..segment(CLIENT, 1006, 5000, ACK, b"NOOP\r\nDELE a\r\n") };
    it.take(CLIENT, &more);
    assert_eq!(it.recorder.doubts, [Oddity::OldTimestamp; 2]);
    assert_eq!(it.told(), [data(CLIENT, "NOOP\r\n"), data(CLIENT, "NOOP\r\n")]);
}

/// A new route, or a clock that was set back: the other end has the bytes.
#[test]
fn doubtful_bytes_that_are_acknowledged_are_handed_on() {
    for (signs, flags) in doubtful() {
        let mut it = established();
        it.take(CLIENT, &Segment { signs, ..segment(CLIENT, 1000, 5000, flags, b"NOOP\r\n") });
        assert_eq!(it.told(), []);
        it.send(SERVER, 5000, 1006, ACK, "200\r\n");
        assert_eq!(it.told(), [data(CLIENT, "NOOP\r\n"), data(SERVER, "200\r\n")]);
        // Its signs are the usual ones from now on, but for those that no segment can have.
        it.take(CLIENT, &Segment { signs, ..segment(CLIENT, 1006, 5005, ACK, b"QUIT\r\n") });
        assert_eq!(it.told(), [data(CLIENT, "QUIT\r\n")], "{signs:?}");
    }
}

#[test]
fn doubtful_bytes_that_nothing_contradicts_are_handed_on_in_the_end() {
    let mut it = established();
    it.take(CLIENT, &Segment { signs: USUAL, ..segment(CLIENT, 1000, 5000, 0, b"QUIT\r\n") });
    it.finish();
    assert_eq!(it.told(), [data(CLIENT, "QUIT\r\n")]);
}

#[test]
fn a_reset_from_elsewhere_ends_nothing_while_the_stream_goes_on() {
    let mut it = established();
    let signs = Signs { hop_limit: 255, ..Signs::default() };
    it.take(CLIENT, &Segment { signs, ..segment(CLIENT, 1000, 5000, RST, b"") });
    assert!(!it.connection.is_closed());
    it.take(CLIENT, &Segment { signs: USUAL, ..segment(CLIENT, 1000, 5000, ACK, b"NOOP\r\n") });
    assert_eq!(it.told(), [Told::Revoked(CLIENT), data(CLIENT, "NOOP\r\n")]);
}

#[test]
fn a_reset_without_the_options_of_the_others_counts() {
    let mut it = established();
    let signs = Signs { timestamp: None, ..USUAL };
    it.take(CLIENT, &Segment { signs, ..segment(CLIENT, 1000, 5000, RST, b"") });
    assert!(it.connection.is_closed());
}

#[test]
fn doubtful_segments_hold_little_memory() {
    let mut it = established();
    let before = it.connection.held_bytes();
    for n in 0..1000 {
        let payload = [b'x'; 1400];
        it.take(CLIENT, &Segment { signs: USUAL, ..segment(CLIENT, 1000 + n, 5000, 0, &payload) });
    }
    assert!(it.connection.held_bytes() - before < 64 * 1024, "{}", it.connection.held_bytes());
}
