//! Missing bytes, and the time that they are waited for.

use super::*;

const ACKNOWLEDGED: GapCause = GapCause::Acknowledged;

#[test]
fn bytes_the_receiver_has_are_given_up_after_some_segments() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1006, ACK, "331 pw\r\n");
    it.send(CLIENT, 1006, 5008, ACK, "PASS x\r\n");
    for _ in 2..it.limits.acknowledged_segments {
        it.send(SERVER, 5008, 1006, ACK, "");
    }
    assert_eq!(it.told(), []);
    it.send(SERVER, 5008, 1006, ACK, "");
    it.send(SERVER, 5008, 1006, ACK, "");
    assert_eq!(
        it.told(),
        [Told::Gap(CLIENT, 6, ACKNOWLEDGED), data(SERVER, "331 pw\r\n"), data(CLIENT, "PASS x\r\n")]
    );
    assert!(it.is_at_rest());
    assert_eq!(it.connection.account(CLIENT).gap_bytes, 6);
}

#[test]
fn bytes_the_receiver_has_are_given_up_after_a_while() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1006, ACK, "331 pw\r\n");
    let due = it.connection.poll_timeout();
    assert_eq!(due, Some(millis(it.now + 500)));
    it.pass_millis(499);
    assert_eq!(it.told(), []);
    it.pass_millis(1);
    assert_eq!(it.recorder.times, [millis(504), millis(4)]);
    assert_eq!(it.told(), [Told::Gap(CLIENT, 6, ACKNOWLEDGED), data(SERVER, "331 pw\r\n")]);
    assert!(it.is_at_rest());
}

#[test]
fn where_time_means_nothing_only_segments_end_the_wait() {
    let mut it = Monitor::established();
    it.limits.acknowledged_wait_ms = StreamLimits::NEVER;
    it.send(SERVER, 5000, 1006, ACK, "331 pw\r\n");
    assert_eq!(it.connection.poll_timeout(), None);
    it.pass_millis(i64::from(u32::MAX) * 100);
    it.send(CLIENT, 1000, 5000, ACK, "USER x");
    assert_eq!(it.told(), [data(CLIENT, "USER x"), data(SERVER, "331 pw\r\n")]);
    assert!(it.is_at_rest());
}

#[test]
fn a_bare_ack_tells_a_gap_too() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1006, ACK, "");
    it.pass_millis(500);
    assert_eq!(it.told(), [Told::Gap(CLIENT, 6, ACKNOWLEDGED)]);
}

#[test]
fn losses_in_both_directions_are_told_in_their_order() {
    let mut it = Monitor::established();
    // Lost: a command of 10 bytes and its reply of 8.
    it.send(CLIENT, 1010, 5008, ACK, "PASS x\r\n");
    it.send(SERVER, 5008, 1018, ACK, "230 in\r\n");
    it.pass_millis(500);
    let order = [
        Told::Gap(CLIENT, 10, ACKNOWLEDGED),
        Told::Gap(SERVER, 8, ACKNOWLEDGED),
        data(CLIENT, "PASS x\r\n"),
        data(SERVER, "230 in\r\n"),
    ];
    assert_eq!(it.told(), order);
}

#[test]
fn a_hole_that_nobody_acknowledged_waits_for_the_retransmission() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1003, 5000, ACK, "DEF");
    it.pass_millis(59_999);
    for _ in 0..40 {
        it.send(SERVER, 5000, 1000, ACK, "");
    }
    it.pass_millis(59_999);
    assert_eq!(it.told(), [], "the receiver says that it waits");
    it.pass_millis(60_000);
    assert_eq!(it.told(), [Told::Gap(CLIENT, 3, GapCause::Missing), data(CLIENT, "DEF")]);
    assert!(it.is_at_rest());
}

#[test]
fn the_end_of_input_tells_every_hole() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1003, 5000, ACK, "DEF");
    it.send(CLIENT, 1008, 5000, ACK, "IJ");
    it.send(SERVER, 5004, 1003, ACK, "late");
    it.finish();
    let missing = |from, bytes| Told::Gap(from, bytes, GapCause::Missing);
    let order = [
        Told::Gap(CLIENT, 3, ACKNOWLEDGED),
        data(CLIENT, "DEF"),
        missing(CLIENT, 2),
        data(CLIENT, "IJ"),
        missing(SERVER, 4),
        data(SERVER, "late"),
    ];
    assert_eq!(it.told(), order);
    assert!(it.is_at_rest());
}

#[test]
fn more_holes_than_the_cap_give_up_the_oldest() {
    let mut it = Monitor::established();
    for n in 0..u32::from(it.limits.held_pieces) {
        it.send(CLIENT, 1001 + 2 * n, 5000, ACK, "x");
    }
    assert_eq!(it.told(), []);
    it.send(CLIENT, 3001, 5000, ACK, "x");
    assert_eq!(it.told(), [Told::Gap(CLIENT, 1, GapCause::Missing), data(CLIENT, "x")]);
}

#[test]
fn more_bytes_than_the_cap_give_up_the_oldest_hole() {
    let mut it = Monitor::established();
    let half = "x".repeat(40_000);
    it.send(CLIENT, 1010, 5000, ACK, &half);
    assert_eq!(it.told(), []);
    it.send(CLIENT, 50_000, 5000, ACK, &half);
    assert_eq!(it.told(), [Told::Gap(CLIENT, 10, GapCause::Missing), data(CLIENT, &half)]);
    let whole = "y".repeat(70_000);
    it.send(CLIENT, 200_000, 5000, ACK, &whole);
    assert_eq!(
        it.told(),
        [
            Told::Gap(CLIENT, 8_990, GapCause::Missing),
            data(CLIENT, &half),
            Told::Gap(CLIENT, 110_000, GapCause::Missing),
            data(CLIENT, &whole)
        ]
    );
}

#[test]
fn of_a_capture_of_one_side_each_reply_comes_with_the_gap_before_it() {
    let mut it = Monitor::midstream();
    it.send(SERVER, 5000, 1000, ACK, "220 hi\r\n");
    assert_eq!(it.told(), [data(SERVER, "220 hi\r\n")]);
    it.send(SERVER, 5008, 1008, ACK, "331 pw\r\n");
    it.pass_millis(500);
    assert_eq!(it.told(), [Told::Gap(CLIENT, 8, ACKNOWLEDGED), data(SERVER, "331 pw\r\n")]);
    it.send(SERVER, 5016, 1016, ACK, "230 in\r\n");
    assert_eq!(
        it.told(),
        [Told::Gap(CLIENT, 8, ACKNOWLEDGED), data(SERVER, "230 in\r\n")],
        "not waited for again"
    );
    it.send(SERVER, 5024, 1022, ACK, "221 bye\r\n");
    it.send(SERVER, 5033, 1022, FIN | ACK, "");
    it.send(SERVER, 5034, 1023, ACK, "");
    it.finish();
    assert_eq!(
        it.told(),
        [Told::Gap(CLIENT, 6, ACKNOWLEDGED), data(SERVER, "221 bye\r\n"), Told::Closed(SERVER, Closing::Fin)]
    );
    assert!(it.is_at_rest());
}

#[test]
fn a_side_that_shows_up_late_is_waited_for_again() {
    let mut it = Monitor::midstream();
    it.send(SERVER, 5000, 1000, ACK, "a");
    it.send(SERVER, 5001, 1008, ACK, "b");
    it.pass_millis(500);
    it.send(CLIENT, 1008, 5002, ACK, "CMD");
    it.told();
    it.send(SERVER, 5002, 1014, ACK, "c");
    assert_eq!(it.told(), []);
    it.send(CLIENT, 1011, 5002, ACK, "DMD");
    assert_eq!(it.told(), [data(CLIENT, "DMD"), data(SERVER, "c")]);
}

#[test]
fn a_cut_frame_is_a_gap_when_the_stream_goes_on() {
    let mut it = Monitor::established();
    it.send_cut(SERVER, 5000, 1000, "220 Wel", 20);
    assert_eq!(it.told(), [data(SERVER, "220 Wel")]);
    it.send(SERVER, 5020, 1000, ACK, "more");
    assert_eq!(it.told(), [Told::Gap(SERVER, 13, GapCause::CutShort), data(SERVER, "more")]);
    it.send_cut(SERVER, 5024, 1000, "", 9);
    it.send(CLIENT, 1000, 5033, ACK, "QUIT\r\n");
    assert_eq!(it.told(), [Told::Gap(SERVER, 9, GapCause::CutShort), data(CLIENT, "QUIT\r\n")]);
    it.send_cut(SERVER, 5033, 1006, "221", 9);
    it.finish();
    assert_eq!(it.told(), [data(SERVER, "221"), Told::Gap(SERVER, 6, GapCause::CutShort)]);
    let account = it.connection.account(SERVER);
    assert_eq!((account.bytes, account.gap_bytes), (42, 0), "packets carried the bytes");
}

#[test]
fn another_copy_fills_what_was_cut() {
    let mut it = Monitor::established();
    it.send_cut(SERVER, 5000, 1000, "220 Wel", 12);
    it.send(SERVER, 5000, 1000, ACK, "220 Welcome!");
    it.send(SERVER, 5012, 1000, ACK, "more");
    assert_eq!(it.told(), [data(SERVER, "220 Wel"), data(SERVER, "come!"), data(SERVER, "more")]);
    assert!(it.is_at_rest());
}

#[test]
fn a_cut_frame_ahead_of_its_turn_keeps_its_cut() {
    let mut it = Monitor::established();
    it.send_cut(SERVER, 5004, 1000, "ef", 6);
    it.send_cut(SERVER, 5010, 1000, "", 2);
    it.send(SERVER, 5012, 1000, FIN | ACK, "");
    it.send(SERVER, 5000, 1000, ACK, "abcd");
    it.send(CLIENT, 1000, 5013, ACK, "");
    let cut = |bytes| Told::Gap(SERVER, bytes, GapCause::CutShort);
    assert_eq!(
        it.told(),
        [data(SERVER, "abcd"), data(SERVER, "ef"), cut(4), cut(2), Told::Closed(SERVER, Closing::Fin)]
    );
}

#[test]
fn in_ranges_a_cut_frame_is_no_gap() {
    let mut it = Monitor::established();
    it.keep = Keep::Ranges;
    it.send_cut(SERVER, 5000, 1000, "", 1448);
    it.send_cut(SERVER, 6448, 1000, "abc", 1448);
    it.send(SERVER, 7896, 1000, FIN | ACK, "");
    it.send(CLIENT, 1000, 7897, ACK, "");
    assert_eq!(it.told(), [Told::Closed(SERVER, Closing::Fin)]);
    assert_eq!(it.connection.account(SERVER).bytes, 2896);
}

#[test]
fn five_gibibytes_are_counted_exactly() {
    const LEN: u32 = 65_535;
    const SEGMENTS: u64 = 5 * (1 << 30) / LEN as u64;
    let mut it = Monitor::established();
    (it.keep, it.limits) = (Keep::Ranges, StreamLimits::BULK);
    let seq_of = |n: u64| 5000_u32.wrapping_add((n * u64::from(LEN)) as u32);
    let mut lost = 0;
    for n in 0..SEGMENTS {
        let order = match n % 8 {
            1 => n + 1,
            2 => n - 1,
            5 if n % 5 == 0 => {
                lost += u64::from(LEN);
                continue;
            }
            _ => n,
        };
        it.send_cut(SERVER, seq_of(order), 1000, "", LEN);
        if n % 8 == 7 {
            it.send(CLIENT, 1000, seq_of(n + 1), ACK, "");
        }
    }
    it.send(SERVER, seq_of(SEGMENTS), 1000, FIN | ACK, "");
    it.send(CLIENT, 1000, seq_of(SEGMENTS).wrapping_add(1), FIN | ACK, "");
    it.finish();
    let account = it.connection.account(SERVER);
    assert_eq!(
        (account.bytes, account.gap_bytes, account.retransmitted_bytes),
        (SEGMENTS * u64::from(LEN), lost, 0)
    );
    assert!(lost > 0 && account.fin && it.connection.is_closed());
}
