//! The beginning of a connection, and its second beginning.

use super::*;

#[test]
fn the_handshake_is_timed() {
    let it = Monitor::established();
    let times = it.connection.handshake();
    assert_eq!((times.syn, times.syn_ack, times.ack), (Some(millis(1)), Some(millis(2)), Some(millis(3))));
    assert!(!it.connection.midstream());
    assert!(it.is_at_rest());
}

#[test]
fn a_stream_may_begin_in_the_middle() {
    let mut it = Monitor::midstream();
    it.send(SERVER, 5000, 1000, ACK, "150 go\r\n");
    it.send(CLIENT, 1000, 5008, ACK, "NOOP\r\n");
    assert_eq!(it.told(), [data(SERVER, "150 go\r\n"), data(CLIENT, "NOOP\r\n")]);
    assert!(it.connection.midstream());
    assert_eq!(it.connection.handshake(), crate::tcp::HandshakeTimes::default());
    assert_eq!(it.connection.account(SERVER).bytes, 8);
}

#[test]
fn a_command_lost_right_after_a_start_in_the_middle_is_a_gap() {
    let mut it = Monitor::midstream();
    it.send(SERVER, 5000, 1000, ACK, "150 go\r\n");
    it.send(CLIENT, 1006, 5008, ACK, "QUIT\r\n");
    it.finish();
    assert_eq!(
        it.told(),
        [data(SERVER, "150 go\r\n"), Told::Gap(CLIENT, 6, GapCause::Missing), data(CLIENT, "QUIT\r\n")]
    );
}

#[test]
fn a_keep_alive_first_is_no_gap() {
    let mut it = Monitor::midstream();
    it.send(CLIENT, 999, 5000, ACK, "");
    it.send(SERVER, 5000, 1000, ACK, "");
    it.send(CLIENT, 1000, 5000, ACK, "NOOP\r\n");
    it.finish();
    assert_eq!(it.told(), [data(CLIENT, "NOOP\r\n")]);

    let mut it = Monitor::midstream();
    it.send(CLIENT, 999, 5000, ACK, "");
    it.send(CLIENT, 1000, 5000, ACK, "NOOP\r\n");
    it.finish();
    assert_eq!(it.told(), [data(CLIENT, "NOOP\r\n")]);
}

#[test]
fn a_greeting_and_its_syn_ack_may_come_after_what_answers_them() {
    let mut it = Monitor::midstream();
    it.send(CLIENT, 999, 0, SYN, "");
    it.send(CLIENT, 1000, 5008, ACK, "USER x\r\n");
    it.send(SERVER, 5004, 1000, ACK, "hi\r\n");
    it.send(SERVER, 5000, 1000, ACK, "220 ");
    assert_eq!(it.told(), []);
    it.send(SERVER, 4999, 1000, SYN | ACK, "");
    assert_eq!(it.told(), [data(SERVER, "220 "), data(SERVER, "hi\r\n"), data(CLIENT, "USER x\r\n")]);
    assert!(it.is_at_rest());
}

#[test]
fn a_syn_ack_that_never_comes_is_not_waited_for_long() {
    let mut it = Monitor::midstream();
    it.send(CLIENT, 999, 0, SYN, "");
    it.send(CLIENT, 1000, 5000, ACK, "");
    it.send(SERVER, 5000, 1000, ACK, "220 hi\r\n");
    assert_eq!(it.told(), []);
    it.pass_millis(500);
    assert_eq!(it.told(), [data(SERVER, "220 hi\r\n")]);
    assert!(it.is_at_rest());
}

#[test]
fn data_may_come_with_the_syn() {
    let mut it = Monitor::midstream();
    it.send(CLIENT, 999, 0, SYN, "USER");
    it.send(SERVER, 4999, 1004, SYN | ACK, "");
    it.send(CLIENT, 1004, 5000, ACK, " x\r\n");
    assert_eq!(it.told(), [data(CLIENT, "USER"), data(CLIENT, " x\r\n")]);
    assert_eq!(it.connection.account(CLIENT).bytes, 8);
}

#[test]
fn both_ends_may_open() {
    let mut it = Monitor::midstream();
    it.send(CLIENT, 999, 0, SYN, "");
    let syn = segment(SERVER, 4999, 0, SYN, b"");
    assert!(!it.connection.starts_anew(SERVER, &syn));
    it.take(SERVER, &syn);
    it.send(CLIENT, 999, 5000, SYN | ACK, "");
    it.send(SERVER, 4999, 1000, SYN | ACK, "");
    it.send(CLIENT, 1000, 5000, ACK, "A");
    it.send(SERVER, 5000, 1001, ACK, "B");
    assert_eq!(it.told(), [data(CLIENT, "A"), data(SERVER, "B")]);
}

#[test]
fn streams_wrap_at_any_byte() {
    for start in 0xffff_fff0..=0xffff_ffff_u32 {
        let mut it = Monitor::midstream();
        it.send(CLIENT, start.wrapping_sub(1), 0, SYN, "");
        it.send(SERVER, 4999, start, SYN | ACK, "");
        it.send(CLIENT, start, 5000, ACK, "");
        it.send(CLIENT, start.wrapping_add(8), 5000, ACK, "IJKLMNOP");
        it.send(CLIENT, start, 5000, ACK, "ABCDEFGH");
        it.send(SERVER, 5000, start.wrapping_add(16), ACK, "ok");
        it.send(CLIENT, start.wrapping_add(16), 5002, FIN | ACK, "");
        it.send(SERVER, 5002, start.wrapping_add(17), ACK, "");
        let end = Told::Closed(CLIENT, Closing::Fin);
        assert_eq!(it.told(), [data(CLIENT, "ABCDEFGH"), data(CLIENT, "IJKLMNOP"), data(SERVER, "ok"), end]);
        assert_eq!(it.connection.account(CLIENT).bytes, 16);
    }
}

#[test]
fn a_syn_again_is_the_same_connection() {
    let it = Monitor::established();
    assert!(!it.connection.starts_anew(CLIENT, &segment(CLIENT, 999, 0, SYN, b"")));
    assert!(!it.connection.starts_anew(SERVER, &segment(SERVER, 4999, 1000, SYN | ACK, b"")));
    assert!(!it.connection.starts_anew(CLIENT, &segment(CLIENT, 77_000, 5000, ACK, b"x")));
}

#[test]
fn a_new_syn_nobody_answered_the_last_of_starts_anew() {
    let mut it = Monitor::midstream();
    it.send(CLIENT, 999, 0, SYN, "");
    assert!(it.connection.starts_anew(CLIENT, &segment(CLIENT, 77_000, 0, SYN, b"")));
}

#[test]
fn ports_are_used_again_after_a_close() {
    let mut it = Monitor::established();
    let syn = segment(CLIENT, 77_000, 0, SYN, b"");
    it.send(CLIENT, 1000, 5000, FIN | ACK, "");
    it.send(SERVER, 5000, 1001, FIN | ACK, "");
    assert!(it.connection.is_closed());
    assert!(it.connection.starts_anew(CLIENT, &syn));
    assert!(it.connection.starts_anew(SERVER, &segment(SERVER, 88_000, 0, SYN, b"")), "the other way round");
    assert!(
        it.connection.starts_anew(SERVER, &segment(SERVER, 88_000, 77_001, SYN | ACK, b"")),
        "its SYN was lost"
    );
}

#[test]
fn on_a_living_connection_a_forged_syn_changes_nothing() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, ACK, "A");
    it.send(SERVER, 5000, 1001, ACK, "B");
    let syn = segment(CLIENT, 77_000, 0, SYN, b"");
    assert!(!it.connection.starts_anew(CLIENT, &syn));
    it.take(CLIENT, &syn);
    assert!(
        it.connection.starts_anew(SERVER, &segment(SERVER, 88_000, 77_001, SYN | ACK, b"")),
        "answered, it was none"
    );
    it.send(CLIENT, 1001, 5001, ACK, "C");
    assert!(!it.connection.starts_anew(SERVER, &segment(SERVER, 88_000, 77_001, SYN | ACK, b"")));
    assert_eq!(it.told(), [data(CLIENT, "A"), data(SERVER, "B"), data(CLIENT, "C")]);
    assert!(it.is_at_rest());
}
