//! Caps: input that one leaves out is counted.

use super::{ACK, Bench, SYN, Talk, end, names};
use crate::config::Secrets;
use crate::engine::EngineConfig;

/// A session of host 1 with host 2, of which the greeting was seen.
fn session(bench: &mut Bench, port: u16) -> Talk {
    let mut control = bench.connect(end(1, port), end(2, 21));
    bench.say(&mut control, &["220 hello"]);
    control
}

/// The times that this reason was counted.
fn lost(bench: &Bench, reason: &str) -> u64 {
    bench.engine.counters().lost.get(reason).copied().unwrap_or_default()
}

#[test]
fn stripes_beyond_the_cap() {
    for (stripes, announced, left_out) in [(16, 16, 0), (17, 16, 1)] {
        let list: Vec<String> = (0..stripes).map(|n| format!("192,0,2,1,30,{n}")).collect();
        let mut bench = Bench::new(EngineConfig::default());
        let mut control = session(&mut bench, 40_000);
        bench.say(&mut control, &[&format!("SPOR {}", list.join(" "))]);
        let events = bench.events();
        let channels = names(&events).iter().filter(|name| **name == "data_channel").count();
        assert_eq!((channels, lost(&bench, "stripes_full")), (announced, left_out));
        let list: Vec<String> = (0..stripes).map(|n| format!(" 192,0,2,2,30,{n}")).collect();
        let reply = format!("229-Entering Striped Passive Mode\r\n{}\r\n229 End", list.join("\r\n"));
        bench.say(&mut control, &["200 ok", "SPAS", &reply]);
        let events = bench.events();
        let channels = names(&events).iter().filter(|name| **name == "data_channel").count();
        assert_eq!((channels, lost(&bench, "stripes_full")), (announced, 2 * left_out));
    }
}

#[test]
fn connections_to_one_endpoint_beyond_the_cap() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000);
    bench.say(&mut control, &["PASV", "227 x (192,0,2,2,19,136)"]);
    for (connection, left_out) in (0..10).zip([0, 0, 0, 0, 0, 0, 0, 0, 1, 2]) {
        let mut syn = Talk { client: end(1, 41_000 + connection), server: end(2, 5_000), seq: [1, 1] };
        bench.send(&mut syn, true, SYN, b"");
        assert_eq!(lost(&bench, "contenders_full"), left_out, "{connection}");
    }
}

#[test]
fn connections_before_their_announcement_beyond_the_cap() {
    for (connections, left_out) in [(8, 0), (9, 1), (30, 1)] {
        let mut bench = Bench::new(EngineConfig { detect_by_content: true, ..EngineConfig::default() });
        let mut control = session(&mut bench, 40_000);
        bench.say(&mut control, &["PASV"]);
        for port in 0..connections {
            bench.connect(end(1, 41_000 + port), end(2, 5_000));
            bench.connect(end(1, 42_000 + port), end(2, 6_000));
        }
        assert_eq!(lost(&bench, "connections_of_listener_full"), 0, "nobody announced it");
        bench.say(&mut control, &["227 x (192,0,2,2,19,136)"]);
        assert_eq!(lost(&bench, "connections_of_listener_full"), left_out, "{connections}");
    }
}

#[test]
fn commands_that_would_change_the_servers_state_beyond_the_cap() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench, 40_000);
    for (command, left_out) in (0..66).zip([0; 64].into_iter().chain([1, 2])) {
        bench.say(&mut control, &[&format!("CWD {command}")]);
        assert_eq!(lost(&bench, "remote_commands_full"), left_out, "{command}");
    }
}

#[test]
fn secrets_beyond_the_cap() {
    for (secrets, left_out) in [(Secrets::Mask, 2), (Secrets::Show, 0)] {
        let mut bench = Bench::new(EngineConfig { secrets, ..EngineConfig::default() });
        let mut control = session(&mut bench, 40_000);
        for attempt in 0..18 {
            let pass = format!("PASS secret{attempt}");
            bench.say(&mut control, &["USER mary", "331 password", &pass, "530 no"]);
        }
        assert_eq!(lost(&bench, "secrets_forgotten"), left_out);
    }
}

#[test]
fn unreadable_sessions_and_their_candidates_beyond_the_cap() {
    let config = EngineConfig { tls_ports: [990].into(), ..EngineConfig::default() };
    let mut bench = Bench::new(config);
    // Handshake records make the sessions unreadable.
    for (session, left_out) in (0..66).zip([0; 64].into_iter().chain([1, 2])) {
        let mut control = bench.connect(end(1, 40_000 + session), end(2, 990));
        bench.send(&mut control, true, ACK, &crate::tls::client_hello_record(1, b"ftp"));
        assert_eq!(lost(&bench, "unreadable_sessions_full"), left_out, "{session}");
    }
    for (candidate, left_out) in (0..258).zip([0; 256].into_iter().chain([1, 2])) {
        bench.connect(end(1, 50_000 + candidate), end(2, 5_000 + candidate));
        assert_eq!(lost(&bench, "inference_candidates_full"), left_out, "{candidate}");
    }
}

/// A capture of one packet may hold a password; whoever invents senders live gets no sessions, nor does what is no FTP.
#[test]
fn one_end_alone_is_told_where_a_capture_ends_if_it_speaks_ftp() {
    for (line, selects, sessions) in [
        (&b"PASS secret\r\n"[..], false, 1),
        (b"230 in\r\n", false, 1),
        (b"PASS secret\r\n", true, 0),
        (b"\r\n\r\n", false, 0),
        (b"GET / HTTP/1.1\r\n", false, 0),
    ] {
        let mut bench = Bench::new(EngineConfig { selects, ..EngineConfig::default() });
        let mut talk = Talk { client: end(1, 40_000), server: end(2, 21), seq: [7, 9] };
        bench.send(&mut talk, true, ACK, line);
        let events = bench.finish();
        let begun = names(&events).iter().filter(|name| **name == "session_start").count();
        assert_eq!((begun, lost(&bench, "unproven_connections")), (sessions, 1 - sessions as u64));
    }
}
