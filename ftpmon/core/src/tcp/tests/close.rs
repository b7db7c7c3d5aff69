//! How a connection ends.

use super::*;

const CLIENT_FIN: Told = Told::Closed(CLIENT, Closing::Fin);
const SERVER_FIN: Told = Told::Closed(SERVER, Closing::Fin);

#[test]
fn both_fins_close() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1000, FIN | ACK, "bye");
    assert_eq!(it.told(), [data(SERVER, "bye"), SERVER_FIN]);
    assert!(!it.connection.is_closed());
    it.send(CLIENT, 1000, 5004, FIN | ACK, "");
    it.send(SERVER, 5004, 1001, ACK, "");
    assert_eq!(it.told(), [CLIENT_FIN]);
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
    assert_eq!(it.told(), [CLIENT_FIN, SERVER_FIN]);
    assert_eq!(it.connection.closed_by(), Some(CLIENT));
}

#[test]
fn who_closed_first_is_known_though_the_fins_changed_places() {
    let mut it = Monitor::established();
    it.send(SERVER, 5000, 1001, FIN | ACK, "");
    it.send(CLIENT, 1000, 5000, FIN | ACK, "");
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
    assert_eq!(it.told(), [data(CLIENT, "A"), Told::Closed(SERVER, Closing::Rst)]);
    assert!(it.connection.is_closed() && it.is_at_rest());
    assert_eq!(it.connection.closed_by(), Some(SERVER));
    assert!(it.connection.account(SERVER).rst);
}

#[test]
fn a_reset_that_answers_a_syn_ends_the_connection() {
    let mut it = Monitor::midstream();
    it.send(CLIENT, 999, 0, SYN, "");
    it.send(SERVER, 0, 1000, RST | ACK, "");
    assert_eq!(it.told(), [Told::Closed(SERVER, Closing::Rst)]);
    assert!(it.connection.is_closed());
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
fn bytes_before_a_reset_are_not_waited_for_long() {
    let mut it = Monitor::established();
    it.send(SERVER, 5006, 1000, ACK, "ghi");
    it.send(SERVER, 5004, 1000, RST, "");
    assert_eq!(it.told(), []);
    it.pass_millis(500);
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
    assert_eq!(it.told(), [CLIENT_FIN]);
    assert!(it.connection.is_closed() && it.connection.account(CLIENT).rst);
}
