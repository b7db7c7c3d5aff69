//! Order, repetition, overlap.

use super::*;

#[test]
fn bytes_in_order_are_handed_on_at_once() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1000, ACK, "220 hi\r\n");
    it.send(CLIENT, 1000, 5008, ACK, "QUIT\r\n");
    assert_eq!(it.told(), [data(SERVER, "220 hi\r\n"), data(CLIENT, "QUIT\r\n")]);
    assert!(it.is_at_rest());
}

#[test]
fn a_late_segment_goes_before_those_that_overtook_it() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1005, 5000, ACK, "FGHIJ");
    it.send(CLIENT, 1010, 5000, ACK, "KL");
    assert_eq!(it.told(), []);
    it.send(CLIENT, 1000, 5000, ACK, "ABCDE");
    assert_eq!(it.recorder.times, [millis(6), millis(4), millis(5)], "each with its own packet's time");
    assert_eq!(it.told(), [data(CLIENT, "ABCDE"), data(CLIENT, "FGHIJ"), data(CLIENT, "KL")]);
    assert!(it.is_at_rest());
}

#[test]
fn every_frame_twice_is_told_once() {
    let mut it = Monitor::midstream();
    for (from, seq, ack, flags, payload) in [
        (CLIENT, 999, 0, SYN, ""),
        (SERVER, 4999, 1000, SYN | ACK, ""),
        (CLIENT, 1000, 5000, ACK, ""),
        (SERVER, 5000, 1000, ACK, "220 hi\r\n"),
        (CLIENT, 1000, 5008, ACK, "QUIT\r\n"),
        (CLIENT, 1006, 5008, FIN | ACK, ""),
        (SERVER, 5008, 1007, FIN | ACK, ""),
        (CLIENT, 1007, 5009, ACK, ""),
    ] {
        it.send(from, seq, ack, flags, payload);
        it.send(from, seq, ack, flags, payload);
    }
    let closed = |from| Told::Closed(from, Closing::Fin);
    assert_eq!(
        it.told(),
        [data(SERVER, "220 hi\r\n"), data(CLIENT, "QUIT\r\n"), closed(CLIENT), closed(SERVER)]
    );
    assert!(it.is_at_rest());
    let account = it.connection.account(SERVER);
    assert_eq!((account.bytes, account.retransmitted_bytes, account.packets), (8, 8, 6));
}

#[test]
fn a_retransmission_that_goes_further_tells_only_the_rest() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, ACK, "ABC");
    it.send(CLIENT, 1000, 5000, ACK, "ABCDEF");
    assert_eq!(it.told(), [data(CLIENT, "ABC"), data(CLIENT, "DEF")]);
    assert_eq!(it.connection.account(CLIENT).retransmitted_bytes, 3);
}

#[test]
fn of_an_overlap_the_bytes_seen_first_stand() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1003, 5000, ACK, "DEF");
    it.send(CLIENT, 1000, 5000, ACK, "abcxefghi");
    let told = [Told::Conflict(CLIENT, 3), data(CLIENT, "abc"), data(CLIENT, "DEF"), data(CLIENT, "ghi")];
    assert_eq!(it.told().iter().filter(|told| !matches!(told, Told::Conflict(..))).count(), 3);
    let mut it = Monitor::established();
    it.send(CLIENT, 1003, 5000, ACK, "DEF");
    it.send(CLIENT, 1001, 5000, ACK, "bcxefghi");
    it.send(CLIENT, 1000, 5000, ACK, "a");
    assert_eq!(
        it.told(),
        [told[0].clone(), data(CLIENT, "a"), data(CLIENT, "bc"), told[2].clone(), told[3].clone()]
    );
}

#[test]
fn a_retransmission_with_other_bytes_is_a_conflict() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, ACK, "USER anonymous\r\n");
    it.send(CLIENT, 1000, 5000, ACK, "USER anonymous\r\n");
    assert_eq!(it.told(), [data(CLIENT, "USER anonymous\r\n")]);
    it.send(CLIENT, 1000, 5000, ACK, "USER mallory12\r\n");
    assert_eq!(it.told(), [Told::Conflict(CLIENT, 16)]);
}

#[test]
fn a_keep_alive_is_no_stream_byte() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, ACK, "NOOP\r\n");
    it.send(CLIENT, 1005, 5000, ACK, "");
    it.send(CLIENT, 1005, 5000, ACK, "\0");
    it.send(SERVER, 5000, 1006, ACK, "");
    assert_eq!(it.told(), [data(CLIENT, "NOOP\r\n")]);
    assert_eq!(it.connection.account(CLIENT).retransmitted_bytes, 0);
    assert!(it.is_at_rest());
}

#[test]
fn a_reply_that_overtook_its_command_waits() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1006, ACK, "221 bye\r\n");
    it.send(SERVER, 5009, 1006, FIN | ACK, "");
    assert_eq!(it.told(), []);
    it.send(CLIENT, 1000, 5000, ACK, "QUIT\r\n");
    it.send(CLIENT, 1006, 5010, ACK, "");
    assert_eq!(
        it.told(),
        [data(CLIENT, "QUIT\r\n"), data(SERVER, "221 bye\r\n"), Told::Closed(SERVER, Closing::Fin)]
    );
    assert!(it.is_at_rest());
}

#[test]
fn a_whole_dialogue_backwards_comes_out_forwards() {
    let mut it = Monitor::established();
    it.send(SERVER, 5008, 1012, ACK, "230 in\r\n");
    it.send(CLIENT, 1006, 5008, ACK, "PASS x");
    it.send(SERVER, 5000, 1006, ACK, "331 pw\r\n");
    it.send(CLIENT, 1000, 5000, ACK, "USER x");
    let order = [
        data(CLIENT, "USER x"),
        data(SERVER, "331 pw\r\n"),
        data(CLIENT, "PASS x"),
        data(SERVER, "230 in\r\n"),
    ];
    assert_eq!(it.told(), order);
}

#[test]
fn ends_that_wait_for_each_other_are_not_waited_for_long() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5002, ACK, "ab");
    it.send(SERVER, 5000, 1002, ACK, "xy");
    assert_eq!(it.told(), []);
    it.pass_millis(500);
    let mut told = it.told();
    told.sort_by_key(|told| *told != data(CLIENT, "ab"));
    assert_eq!(told, [data(CLIENT, "ab"), data(SERVER, "xy")], "and nothing is a gap");
    assert!(it.is_at_rest());
}

#[test]
fn ranges_are_counted_and_not_kept() {
    let mut it = Monitor::established();
    it.keep = Keep::Ranges;
    it.send(SERVER, 5000, 1000, ACK, "0123456789");
    for seq in (5020..5920).step_by(10) {
        it.send(SERVER, seq, 1000, ACK, "0123456789");
    }
    assert_eq!(it.connection.account(SERVER).bytes, 920);
    assert!(it.connection.held_bytes() < 2048, "{}", it.connection.held_bytes());
    it.send(SERVER, 5010, 1000, ACK, "0123456789");
    it.send(SERVER, 5010, 1000, ACK, "0123456789");
    assert_eq!(it.told(), []);
    assert!(it.is_at_rest());
    let account = it.connection.account(SERVER);
    assert_eq!((account.bytes, account.gap_bytes, account.retransmitted_bytes), (920, 0, 10));
}

#[test]
fn numbers_far_off_are_not_believed_until_a_run_of_them_shows_where_the_stream_is() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1000, ACK, "220");
    it.send(CLIENT, 1000, 5003, ACK, "AB");
    it.told();
    let far = 1002 + (2 << 20);
    it.send(CLIENT, far, 5003, ACK, "forged");
    it.send(CLIENT, 1002, 5003 + (2 << 20), ACK, "CD");
    assert_eq!(it.told(), [data(CLIENT, "CD")]);
    for (n, text) in ["e", "f", "g", "h", "i"].into_iter().enumerate() {
        it.send(CLIENT, far + n as u32, 5003, ACK, text);
    }
    let gap = u64::from(far) + 3 - 1004;
    assert_eq!(it.told(), [Told::Gap(CLIENT, gap, GapCause::Missing), data(CLIENT, "h"), data(CLIENT, "i")]);
    assert!(it.is_at_rest());
}

#[test]
fn a_forged_acknowledgment_does_not_blind_for_good() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, ACK, "NOOP\r\n");
    it.send(SERVER, 5000, 101_000, ACK, "");
    it.pass_millis(500);
    assert_eq!(it.told(), [data(CLIENT, "NOOP\r\n"), Told::Gap(CLIENT, 99_994, GapCause::Acknowledged)]);
    for (n, text) in ["a", "b", "c", "D", "E"].into_iter().enumerate() {
        it.send(CLIENT, 1006 + n as u32, 5000, ACK, text);
    }
    assert_eq!(it.told(), [data(CLIENT, "D"), data(CLIENT, "E")]);
    let account = it.connection.account(CLIENT);
    assert_eq!((account.bytes, account.gap_bytes), (11, 3));
}

/// A packet that passes two interfaces was sent once, wherever it is seen first, and whether it is held or not.
#[test]
fn what_another_interface_shows_again_was_not_sent_again() {
    let mut it = Monitor::established();
    let mut at = |interface: u32, seq, payload: &str| {
        let segment = segment(SERVER, seq, 1000, ACK, payload.as_bytes());
        it.take(SERVER, &Segment { interface: InterfaceId(interface), ..segment });
        it.connection.account(SERVER).retransmitted_bytes
    };
    assert_eq!([at(1, 5000, "ab"), at(2, 5000, "ab")], [0, 0]);
    assert_eq!([at(2, 5002, "cd"), at(1, 5002, "cd")], [0, 0], "the other one first");
    assert_eq!([at(2, 5006, "gh"), at(1, 5006, "gh")], [0, 0], "behind a hole");
    assert_eq!([at(2, 5004, "ef"), at(1, 5004, "ef")], [0, 0], "and in it");
    assert_eq!([at(2, 5006, "gh"), at(1, 5006, "gh")], [2, 2], "sent again, and seen twice");
    assert_eq!(it.told(), ["ab", "cd", "ef", "gh"].map(|text| data(SERVER, text)));
}
