//! The end of a connection.

use super::*;

const CLIENT_FIN: Told = Told::Closed(CLIENT, Closing::Fin);
const SERVER_FIN: Told = Told::Closed(SERVER, Closing::Fin);
const SERVER_RST: Told = Told::Closed(SERVER, Closing::Rst);

#[test]
fn both_fins_close() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1000, FIN | ACK, "bye");
    assert_eq!(it.told(), [data(SERVER, "bye")]);
    assert!(!it.connection.is_closed());
    it.send(CLIENT, 1000, 5004, FIN | ACK, "");
    it.send(SERVER, 5004, 1001, ACK, "");
    assert_eq!(it.told(), [SERVER_FIN, CLIENT_FIN]);
    assert!(it.connection.is_closed() && it.is_at_rest());
    assert_eq!(it.connection.closed_by(), Some(SERVER));
    let account = it.connection.account(SERVER);
    assert_eq!((account.bytes, account.fin, account.rst), (3, true, false));
}

#[test]
fn both_ends_may_close_at_once() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, FIN | ACK, "");
    it.send(SERVER, 5000, 1000, FIN | ACK, "");
    it.send(CLIENT, 1001, 5001, ACK, "");
    it.send(SERVER, 5001, 1001, ACK, "");
    assert_eq!(it.told(), [SERVER_FIN, CLIENT_FIN]);
    assert_eq!(it.connection.closed_by(), Some(CLIENT));
}

#[test]
fn who_closed_first_is_known_though_the_fins_changed_places() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1001, FIN | ACK, "");
    it.send(CLIENT, 1000, 5000, FIN | ACK, "");
    it.send(CLIENT, 1001, 5001, ACK, "");
    assert_eq!(it.told(), [CLIENT_FIN, SERVER_FIN]);
    assert_eq!(it.connection.closed_by(), Some(CLIENT));
    assert!(it.is_at_rest());
}

#[test]
fn a_fin_waits_for_the_bytes_before_it() {
    let mut it = Monitor::established();
    it.send(SERVER, 5004, 1000, FIN | ACK, "");
    assert_eq!(it.told(), []);
    assert!(it.connection.account(SERVER).fin);
    it.send(SERVER, 5000, 1000, ACK, "last");
    it.send(CLIENT, 1000, 5005, ACK, "");
    assert_eq!(it.told(), [data(SERVER, "last"), SERVER_FIN]);
}

#[test]
fn nothing_comes_after_a_fin() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, FIN | ACK, "A");
    it.send(CLIENT, 1001, 5000, ACK, "B");
    it.send(CLIENT, 1002, 5000, ACK, "C");
    it.send(CLIENT, 1001, 5000, FIN | ACK, "");
    it.finish();
    assert_eq!(it.told(), [data(CLIENT, "A"), CLIENT_FIN]);
    assert_eq!(it.connection.account(CLIENT).bytes, 1);
}

#[test]
fn the_other_direction_goes_on_after_a_fin() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, FIN | ACK, "QUIT\r\n");
    it.send(SERVER, 5000, 1007, ACK, "221 ");
    it.send(SERVER, 5004, 1007, FIN | ACK, "bye\r\n");
    it.send(CLIENT, 1007, 5010, ACK, "");
    assert_eq!(
        it.told(),
        [data(CLIENT, "QUIT\r\n"), CLIENT_FIN, data(SERVER, "221 "), data(SERVER, "bye\r\n"), SERVER_FIN]
    );
}

#[test]
fn a_fin_that_was_lost_is_no_lost_byte() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, ACK, "QUIT\r\n");
    it.send(SERVER, 5000, 1007, FIN | ACK, "221\r\n");
    it.pass_millis(500);
    it.finish();
    assert_eq!(it.told(), [data(CLIENT, "QUIT\r\n"), data(SERVER, "221\r\n"), SERVER_FIN]);
    assert_eq!(it.connection.account(CLIENT).bytes, 6);
}

#[test]
fn what_looked_like_a_lost_fin_is_a_lost_byte_when_more_comes() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1001, ACK, "1\r\n");
    it.pass_millis(500);
    assert_eq!(it.told(), [data(SERVER, "1\r\n")]);
    it.send(CLIENT, 1001, 5003, ACK, "B");
    assert_eq!(it.told(), [Told::Gap(CLIENT, 1, GapCause::Acknowledged), data(CLIENT, "B")]);
    assert!(it.is_at_rest());
}

#[test]
fn a_reset_ends_the_connection() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, ACK, "A");
    it.send(SERVER, 5000, 1001, RST | ACK, "");
    assert!(it.connection.is_closed() && it.connection.poll_timeout().is_none());
    it.finish();
    assert_eq!(it.told(), [data(CLIENT, "A"), SERVER_RST]);
    assert_eq!(it.connection.closed_by(), Some(SERVER));
    assert!(it.connection.account(SERVER).rst);
}

#[test]
fn a_reset_that_answers_a_syn_ends_the_connection() {
    let mut it = Monitor::midstream();
    it.send(CLIENT, 999, 0, SYN, "");
    it.send(SERVER, 0, 1000, RST | ACK, "");
    assert!(it.connection.is_closed());
    it.finish();
    assert_eq!(it.told(), [SERVER_RST]);
    assert!(it.connection.starts_anew(CLIENT, &segment(CLIENT, 77_000, 0, SYN, b"")));
}

#[test]
fn a_reset_far_off_is_forged() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000 + (4 << 20), 1000, RST | ACK, "");
    it.send(CLIENT, 1000, 5000, ACK, "A");
    assert_eq!(it.told(), [data(CLIENT, "A")]);
    assert!(!it.connection.is_closed() && !it.connection.account(SERVER).rst);
}

#[test]
fn bytes_before_a_reset_are_not_waited_for_without_end() {
    let mut it = Monitor::established();
    it.send(SERVER, 5006, 1000, ACK, "ghi");
    it.send(SERVER, 5004, 1000, RST, "");
    assert_eq!(it.told(), []);
    it.pass_millis(4_990);
    assert_eq!(it.told(), []);
    it.pass_millis(10);
    it.finish();
    assert_eq!(
        it.told(),
        [Told::Gap(SERVER, 6, GapCause::Missing), data(SERVER, "ghi"), Told::Closed(SERVER, Closing::Rst)]
    );
    assert!(it.is_at_rest());
}

#[test]
fn a_reset_after_a_fin_closes_without_the_other_end() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, FIN | ACK, "");
    it.send(CLIENT, 1001, 5000, RST, "");
    assert!(it.connection.is_closed() && it.connection.account(CLIENT).rst);
    it.finish();
    assert_eq!(it.told(), [CLIENT_FIN]);
}

/// RFC 9293 section 3.10.7.4: an RST whose sequence number is not the next one is answered with a challenge ACK.
#[test]
fn a_reset_ahead_of_the_stream_ends_nothing_while_the_stream_goes_on() {
    for offset in [1, 100, 60_000] {
        let mut it = Monitor::established();
        it.send(SERVER, 5000 + offset, 0, RST, "");
        it.send(CLIENT, 1000, 5000, ACK, "");
        it.send(CLIENT, 1000, 5000, ACK, "PASV\r\n");
        it.send(SERVER, 5000, 1006, ACK, "227 ok\r\n");
        it.pass_millis(100_000);
        it.finish();
        assert_eq!(it.told(), [Told::Revoked(SERVER), data(CLIENT, "PASV\r\n"), data(SERVER, "227 ok\r\n")]);
        assert!(!it.connection.is_closed() && !it.connection.account(SERVER).rst);
    }
}

#[test]
fn a_reset_behind_the_stream_ends_nothing_while_the_stream_goes_on() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1000, ACK, "220 ready\r\n");
    it.send(CLIENT, 1000, 5011, ACK, "");
    it.send(SERVER, 5004, 0, RST, "");
    it.send(SERVER, 5011, 1000, ACK, "220 more\r\n");
    it.finish();
    assert_eq!(
        it.told(),
        [data(SERVER, "220 ready\r\n"), Told::Revoked(SERVER), data(SERVER, "220 more\r\n")]
    );
}

/// An exact RST that never reached the other end: the bytes behind it are acknowledged.
#[test]
fn acknowledged_bytes_behind_a_reset_revoke_it() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 0, RST, "");
    assert!(it.connection.is_closed());
    it.send(CLIENT, 1000, 5000, ACK, "RETR a\r\n");
    assert_eq!(it.told(), []);
    it.send(SERVER, 5000, 1008, ACK, "550 no\r\n");
    it.send(CLIENT, 1008, 5008, FIN | ACK, "QUIT\r\n");
    it.send(SERVER, 5008, 1015, FIN | ACK, "");
    it.send(CLIENT, 1015, 5009, ACK, "");
    let told = [
        Told::Revoked(CLIENT),
        data(CLIENT, "RETR a\r\n"),
        data(SERVER, "550 no\r\n"),
        data(CLIENT, "QUIT\r\n"),
        CLIENT_FIN,
        SERVER_FIN,
    ];
    assert_eq!(it.told(), told);
    assert!(it.connection.is_closed() && !it.connection.account(CLIENT).rst);
    assert_eq!(it.connection.closed_by(), Some(CLIENT));
}

/// The receiver of a file sends nothing but acknowledgments: those of later bytes show that it lives.
#[test]
fn who_acknowledges_later_bytes_was_not_reset() {
    let mut it = Monitor::established();
    it.keep = Keep::Ranges;
    it.send(SERVER, 5000, 1000, ACK, "aaaa");
    it.send(CLIENT, 1000, 0, RST, "");
    it.send(SERVER, 5004, 1000, ACK, "bbbb");
    it.send(CLIENT, 1000, 5004, ACK, "");
    assert!(it.connection.is_closed());
    it.send(CLIENT, 1000, 5008, ACK, "");
    assert!(!it.connection.is_closed());
    assert_eq!(it.connection.account(SERVER).bytes, 8);
}

#[test]
fn acknowledged_bytes_behind_a_fin_revoke_it() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, FIN | ACK, "");
    it.send(CLIENT, 1000, 5000, ACK, "NOOP\r\n");
    it.send(SERVER, 5000, 1006, ACK, "200\r\n");
    assert_eq!(it.told(), [Told::Revoked(CLIENT), data(CLIENT, "NOOP\r\n"), data(SERVER, "200\r\n")]);
    assert_eq!(it.connection.closed_by(), None);
}

#[test]
fn two_forged_fins_are_no_end() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 5000, FIN | ACK, "");
    it.send(SERVER, 5000, 1000, FIN | ACK, "");
    assert!(!it.connection.is_closed());
    it.send(CLIENT, 1000, 5000, ACK, "NOOP\r\n");
    it.send(SERVER, 5000, 1006, ACK, "200\r\n");
    it.send(CLIENT, 1006, 5005, ACK, "QUIT\r\n");
    it.send(SERVER, 5005, 1012, ACK, "221\r\n");
    let texts: Vec<Told> = it.told().into_iter().filter(|told| matches!(told, Told::Data(..))).collect();
    let texts_sent = [("NOOP\r\n", CLIENT), ("200\r\n", SERVER), ("QUIT\r\n", CLIENT), ("221\r\n", SERVER)];
    assert_eq!(texts, texts_sent.map(|(text, from)| data(from, text)));
}

/// A reset that was sent behind packets which the capture lacks: nothing follows it.
#[test]
fn a_reset_behind_lost_bytes_ends_the_connection_when_nothing_contradicts_it() {
    for waits in [true, false] {
        let mut it = Monitor::established();
        it.send(SERVER, 5100, 1000, RST | ACK, "");
        assert!(!it.connection.is_closed());
        if waits {
            it.pass_millis(5_000);
            assert!(it.connection.is_closed());
        }
        it.finish();
        assert_eq!(it.told(), [Told::Gap(SERVER, 100, GapCause::Missing), SERVER_RST]);
        assert!(it.connection.is_closed() && it.connection.account(SERVER).rst);
    }
}

#[test]
fn a_reset_captured_before_the_bytes_before_it_is_exact_in_the_end() {
    let mut it = Monitor::established();
    it.send(SERVER, 5004, 1000, RST | ACK, "");
    it.send(SERVER, 5000, 1000, ACK, "bye\n");
    assert!(it.connection.is_closed());
    it.finish();
    assert_eq!(it.told(), [data(SERVER, "bye\n"), SERVER_RST]);
}

/// RFC 9293 section 3.10.7.3: in SYN-SENT an RST counts only where it acknowledges the SYN.
#[test]
fn a_reset_that_does_not_acknowledge_the_syn_refuses_nothing() {
    let mut it = Monitor::midstream();
    it.send(CLIENT, 999, 0, SYN, "");
    it.send(SERVER, 0, 0, RST, "");
    it.send(SERVER, 0, 77, RST | ACK, "");
    assert!(!it.connection.is_closed());
    it.send(SERVER, 4999, 1000, SYN | ACK, "");
    it.send(CLIENT, 1000, 5000, ACK, "USER a\r\n");
    it.send(SERVER, 5000, 1008, ACK, "331\r\n");
    assert_eq!(it.told(), [data(CLIENT, "USER a\r\n"), data(SERVER, "331\r\n")]);
}

/// A closed socket answers late segments with RSTs that take their number from the acknowledgment.
#[test]
fn a_reset_with_the_number_of_the_last_acknowledgment_counts() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1000, ACK, "one");
    it.send(CLIENT, 1000, 5003, ACK, "");
    it.send(SERVER, 5003, 1000, ACK, "two");
    it.send(CLIENT, 1000, 5003, ACK, "NOOP\r\n");
    it.send(SERVER, 5003, 0, RST, "");
    assert!(it.connection.is_closed());
}

#[test]
fn a_finished_connection_that_goes_on_is_another_one() {
    let mut it = Monitor::established();
    it.send(CLIENT, 1000, 0, RST, "");
    it.finish();
    assert!(it.connection.goes_on(CLIENT, &segment(CLIENT, 1000, 5000, ACK, b"NOOP\r\n")));
    assert!(!it.connection.goes_on(CLIENT, &segment(CLIENT, 1000, 5000, ACK, b"")));
    assert!(!it.connection.goes_on(CLIENT, &segment(CLIENT, 990, 5000, ACK, b"1234567890")));
    assert!(!it.connection.goes_on(SERVER, &segment(SERVER, 5000, 1000, ACK, b"220\r\n")));
}
