//! Bytes are read as a file's where the connection was announced and taken, between hosts of the session.

use super::*;
use crate::event::{FileFacts, FileReason};

const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn hashing() -> EngineConfig {
    EngineConfig { files: FilesMode::Extract, ..EngineConfig::default() }
}

fn bench(config: EngineConfig) -> (Bench, Talk) {
    let mut bench = Bench::new(config);
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello", "USER mary", "230 in"]);
    (bench, control)
}

/// Bytes of the server over a connection, and its end.
fn hello(bench: &mut Bench, data: &mut Talk, from_initiator: bool) {
    bench.send(data, from_initiator, ACK, b"hello");
    bench.close(data);
}

/// The bytes that a transfer moved, and what is known of the file.
fn told(events: &[Event]) -> Vec<(u64, Option<FileFacts>)> {
    transfers(events).into_iter().map(|it| (it.transfer.bytes, it.file.clone())).collect()
}

fn reason(events: &[Event]) -> Option<FileReason> {
    transfers(events)[0].file.as_ref().and_then(|file| file.reason)
}

fn hash(facts: Option<&FileFacts>) -> Option<&str> {
    facts.and_then(|facts| facts.sha256.as_deref())
}

#[test]
fn a_port_that_the_server_refused_is_nobodys() {
    for refusal in ["500 no", "530 log in"] {
        let (mut bench, mut control) = bench(hashing());
        bench.say(&mut control, &["PORT 192,0,2,1,156,65"]);
        let mut data = bench.connect(end(2, 20), end(1, 40_001));
        bench.send(&mut data, true, ACK, b"hel");
        assert_eq!(bench.pieces().len(), 0);
        assert!(!bench.engine.permits_copy(end(2, 20), end(1, 40_001)));
        bench.say(&mut control, &[refusal]);
        bench.send(&mut data, true, ACK, b"lo");
        bench.close(&mut data);
        bench.say(&mut control, &["QUIT", "221 bye"]);
        assert_eq!(bench.pieces().len(), 0, "{refusal}");
        assert!(told(&bench.finish()).is_empty(), "{refusal}");
    }
}

#[test]
fn a_connection_that_came_before_the_reply_is_looked_at_again() {
    let (mut bench, mut control) = bench(hashing());
    bench.say(&mut control, &["PORT 192,0,2,1,156,65"]);
    let mut data = bench.connect(end(2, 20), end(1, 40_001));
    bench.send(&mut data, true, ACK, b"hel");
    assert!(!bench.engine.permits_copy(end(2, 20), end(1, 40_001)));
    bench.say(&mut control, &["200 ok"]);
    assert!(bench.engine.permits_copy(end(1, 40_001), end(2, 20)));
    bench.say(&mut control, &["RETR a", "150 go"]);
    bench.send(&mut data, true, ACK, b"lo");
    bench.close(&mut data);
    bench.say(&mut control, &["226 done"]);
    let events = bench.finish();
    let told = told(&events);
    assert_eq!((told.len(), told[0].0, hash(told[0].1.as_ref())), (1, 5, Some(HELLO)));
}

/// The receiver's byte is no answer to anything, and is counted once, though the bytes are held twice: until the announcement and
/// until its reply.
#[test]
fn a_byte_of_the_receiver_costs_no_file_however_late_the_announcement() {
    let (mut bench, mut control) = bench(hashing());
    let mut data = bench.connect(end(2, 20), end(1, 40_001));
    bench.send(&mut data, true, ACK, b"he");
    bench.send(&mut data, false, ACK, b"!");
    bench.say(&mut control, &["PORT 192,0,2,1,156,65"]);
    bench.send(&mut data, true, ACK, b"l");
    bench.say(&mut control, &["200 ok", "RETR a", "150 go"]);
    bench.send(&mut data, true, ACK, b"lo");
    bench.close(&mut data);
    bench.say(&mut control, &["226 done"]);
    let events = bench.finish();
    let told = told(&events);
    assert_eq!((told.len(), told[0].0, hash(told[0].1.as_ref())), (1, 5, Some(HELLO)));
}

/// The reply to PORT was not seen; that the server began the transfer says the same.
#[test]
fn a_transfer_that_began_confirms_its_port() {
    let (mut bench, mut control) = bench(hashing());
    bench.say(&mut control, &["PORT 192,0,2,1,156,65", "RETR a", "150 go"]);
    let mut data = bench.connect(end(2, 20), end(1, 40_001));
    hello(&mut bench, &mut data, true);
    bench.say(&mut control, &["226 done"]);
    let events = bench.finish();
    assert_eq!(told(&events).iter().filter(|(_, file)| hash(file.as_ref()) == Some(HELLO)).count(), 1);
}

#[test]
fn a_third_host_is_counted_and_copied_only_where_the_operator_allows_it() {
    let network = |text: &str| text.parse().unwrap();
    for (data_hosts, copied) in
        [(vec![], false), (vec![network("192.0.2.9/32")], true), (vec![network("198.51.100.0/24")], false)]
    {
        let (mut bench, mut control) = bench(EngineConfig { data_hosts, ..hashing() });
        bench.say(&mut control, &["PASV", "227 go there (192,0,2,9,19,136)"]);
        bench.engine.exchange();
        let wanted = bench.updates().into_iter().any(|update| {
            matches!(update, SelectorUpdate::Expect { listener, payload: true, .. } if listener.ip == end(9, 1).ip)
        });
        assert_eq!(wanted, copied);
        let mut data = bench.connect(end(1, 40_001), end(9, 5_000));
        bench.say(&mut control, &["RETR a", "150 go"]);
        hello(&mut bench, &mut data, false);
        bench.engine.exchange();
        bench.say(&mut control, &["226 done"]);
        assert_eq!(!bench.pieces().is_empty(), copied);
        let events = bench.finish();
        let told = told(&events);
        assert_eq!((told.len(), told[0].0), (1, 5));
        assert_eq!(hash(told[0].1.as_ref()), copied.then_some(HELLO));
    }
}

#[test]
fn a_transfer_between_two_servers_that_both_announced_is_a_file() {
    for both in [true, false] {
        let (mut bench, mut first) = bench(hashing());
        let mut second = bench.connect(end(1, 40_002), end(3, 21));
        bench.say(&mut second, &["220 hello", "USER mary", "230 in"]);
        bench.say(&mut first, &["PASV", "227 here (192,0,2,2,19,136)"]);
        if both {
            bench.say(&mut second, &["PORT 192,0,2,2,19,136", "200 ok"]);
        }
        bench.engine.exchange();
        let mut data = bench.connect(end(3, 20), end(2, 5_000));
        bench.say(&mut first, &["RETR a", "150 go"]);
        if both {
            bench.say(&mut second, &["STOR a", "150 go"]);
        }
        hello(&mut bench, &mut data, false);
        bench.engine.exchange();
        bench.say(&mut first, &["226 done"]);
        if both {
            bench.say(&mut second, &["226 done"]);
        }
        let events = bench.finish();
        let told = told(&events);
        assert_eq!(told.len(), if both { 2 } else { 1 });
        for (bytes, file) in &told {
            assert_eq!((*bytes, hash(file.as_ref())), (5, both.then_some(HELLO)));
        }
    }
}

/// An operator allows the third host, and the server does not take the port that the client names there.
#[test]
fn a_port_of_an_allowed_host_counts_from_the_reply_as_well() {
    for (reply, copied) in [("200 ok", true), ("500 no", false)] {
        let config = EngineConfig { data_hosts: vec!["192.0.2.9".parse().unwrap()], ..hashing() };
        let (mut bench, mut control) = bench(config);
        bench.say(&mut control, &["PORT 192,0,2,9,19,136"]);
        bench.engine.exchange();
        let mut data = bench.connect(end(2, 20), end(9, 5_000));
        bench.send(&mut data, true, ACK, b"hello");
        bench.engine.exchange();
        assert!(bench.pieces().is_empty());
        bench.say(&mut control, &[reply]);
        bench.engine.exchange();
        assert_eq!(!bench.pieces().is_empty(), copied, "{reply}");
        bench.close(&mut data);
        bench.engine.exchange();
        bench.say(&mut control, &["QUIT", "221 bye"]);
        assert_eq!(matches!(bench.pieces()[..], [FilePiece::Close { .. }]), copied, "{reply}");
    }
}

/// A server announces the port at which another service of its host listens, which was seen to talk before.
#[test]
fn a_listener_of_another_protocol_is_never_copied() {
    for ended in [true, false] {
        let (mut bench, mut control) = bench(hashing());
        let mut other = bench.connect(end(1, 40_001), end(2, 3_306));
        for (from_client, text) in [(false, "8.0.36"), (true, "root"), (false, "OK"), (true, "SELECT secret")]
        {
            bench.send(&mut other, from_client, ACK, text.as_bytes());
        }
        if ended {
            bench.close(&mut other);
        }
        bench.say(&mut control, &["PASV", "227 here (192,0,2,2,12,234)"]);
        let mut data = bench.connect(end(1, 40_002), end(2, 3_306));
        bench.send(&mut data, false, ACK, b"8.0.36");
        assert!(!bench.engine.permits_copy(end(1, 40_002), end(2, 3_306)), "{ended}");
        bench.close(&mut data);
        bench.say(&mut control, &["RETR a", "150 go", "226 done"]);
        assert!(bench.pieces().is_empty());
        let events = bench.finish();
        assert_eq!((told(&events)[0].0, reason(&events)), (6, Some(FileReason::OtherProtocol)));
    }
}

/// A server announces such a port, and nothing was seen of it before.
#[test]
fn a_dialogue_on_an_announced_connection_is_dropped() {
    let talks: [&[(bool, &str)]; 2] = [
        &[(false, "SSH-2.0-OpenSSH_9.2"), (true, "SSH-2.0-OpenSSH_9.6")],
        &[(false, "8.0.36"), (true, "root"), (false, "OK"), (true, "SELECT secret")],
    ];
    for talk in talks {
        let (mut bench, mut control) = bench(hashing());
        bench.say(&mut control, &["PASV", "227 here (192,0,2,2,12,234)"]);
        let mut data = bench.connect(end(1, 40_002), end(2, 3_306));
        for (from_client, text) in talk {
            bench.send(&mut data, *from_client, ACK, text.as_bytes());
        }
        assert!(!bench.engine.permits_copy(end(1, 40_002), end(2, 3_306)));
        assert!(bench.pieces().iter().any(|piece| matches!(piece, FilePiece::Discard { .. })));
        bench.send(&mut data, false, ACK, b"more");
        bench.close(&mut data);
        assert!(bench.pieces().is_empty());
        bench.say(&mut control, &["RETR a", "150 go", "226 done"]);
        assert_eq!(reason(&bench.finish()), Some(FileReason::OtherProtocol));
    }
}

/// Nobody is about to announce a connection that is opened long after the session said something.
#[test]
fn bytes_are_held_only_while_an_announcement_may_be_on_its_way() {
    for (quiet_s, held) in [(0, true), (1, true), (3, false)] {
        let (mut bench, _control) = bench(hashing());
        bench.now += quiet_s * 1_000_000_000;
        let mut other = bench.connect(end(1, 40_001), end(2, 3_306));
        let payload =
            |update: &SelectorUpdate| matches!(update, SelectorUpdate::Adopt { payload: false, .. });
        assert_eq!(bench.updates().iter().any(payload), !held, "{quiet_s}");
        bench.send(&mut other, false, ACK, b"8.0.36");
        assert_eq!(bench.engine.counters().tables["early_bytes"].used > 0, held, "{quiet_s}");
        assert!(!bench.engine.permits_copy(end(1, 40_001), end(2, 3_306)));
    }
}
