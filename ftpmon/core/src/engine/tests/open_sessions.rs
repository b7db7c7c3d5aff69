//! Open sessions, told to those who ask.

use super::*;
use crate::engine::{LoginProgress, OpenSession};

fn open(bench: &Bench) -> Vec<OpenSession> {
    let mut all: Vec<OpenSession> = Vec::new();
    for partition in 0..u8::MAX {
        let Some(sessions) = bench.engine.open_sessions(partition) else { break };
        all.extend(sessions);
    }
    all.sort_by_key(|session| session.identity.client.port);
    all
}

fn only(bench: &Bench) -> OpenSession {
    let [session] = <[_; 1]>::try_from(open(bench)).unwrap();
    session
}

#[test]
fn the_login_the_transfer_and_the_counts_are_those_so_far() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello"]);
    assert_eq!((only(&bench).login, only(&bench).user), (LoginProgress::Nobody, None));
    bench.say(&mut control, &["USER mary", "331 word"]);
    assert_eq!(only(&bench).login, LoginProgress::Undecided);
    bench.say(&mut control, &["PASS wrong", "530 no"]);
    assert_eq!((only(&bench).login, only(&bench).failed_logins), (LoginProgress::Nobody, 1));
    bench.say(&mut control, &["USER mary", "331 word", "PASS right", "230 in"]);
    let session = only(&bench);
    assert_eq!(session.login, LoginProgress::LoggedIn);
    assert_eq!(session.user.unwrap().text, "mary");
    assert_eq!((session.identity.client, session.identity.server), (end(1, 40_000), end(2, 21)));
    assert_eq!(session.started, session.identity.first);

    bench.say(&mut control, &["PASV", "227 ok (192,0,2,2,195,80)"]);
    assert_eq!((only(&bench).announced, only(&bench).running), (Some(end(2, 50_000)), None));
    let mut data = bench.connect(end(1, 40_001), end(2, 50_000));
    bench.say(&mut control, &["RETR big"]);
    assert_eq!(only(&bench).running, None, "the server may refuse it");
    bench.say(&mut control, &["150 Opening data connection for big (5 bytes)."]);
    let running = only(&bench).running.unwrap();
    assert_eq!(
        (running.direction, running.arg.as_deref(), running.declared),
        (FileDirection::Download, Some("big"), Some(5))
    );
    bench.send(&mut data, false, ACK, b"hello");
    bench.close(&mut data);
    bench.say(&mut control, &["226 done"]);
    let session = only(&bench);
    assert_eq!((session.running, session.transfers, session.bytes_down), (None, 1, 5));

    // A second name does not log the first one out before the server decides.
    bench.say(&mut control, &["USER eve", "331 word"]);
    assert_eq!(only(&bench).login, LoginProgress::LoggedIn);
    bench.say(&mut control, &["QUIT", "221 bye"]);
    bench.close(&mut control);
    bench.now += 1_000_000_000;
    bench.engine.handle_timeout(Timestamp::from_nanos(bench.now));
    assert_eq!(open(&bench), []);
}

#[test]
fn all_partitions_together_have_every_session_once() {
    let mut bench = Bench::new(EngineConfig::default());
    for host in 1..=60 {
        let mut control = bench.connect(end(host, 40_000 + u16::from(host)), end(200, 21));
        bench.say(&mut control, &["220 hello", "USER u", "230 in"]);
    }
    // A SYN is no session.
    bench.connect(end(61, 40_100), end(200, 22));
    let ports: Vec<u16> = open(&bench).iter().map(|session| session.identity.client.port).collect();
    assert_eq!(ports, (40_001..=40_060).collect::<Vec<_>>());
}
