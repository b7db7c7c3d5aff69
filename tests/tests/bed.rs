//! The test bed itself: the embedded server and client on every topology, and real clients at real servers, without an
//! agent. When these fail, no other end-to-end test means anything.

#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "a test may panic and print")]

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, ensure};
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::compare::{expected_command, same, unlogged_end};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server, Transcript};
use ftpmon_tests::net::{Bridged, Direct, Family, Hosts, Mischief, Namespace, Relayed, Routed};
use ftpmon_tests::party::{Party, RealServer, Visit, visits};
use ftpmon_tests::poll;

const SOON: Duration = Duration::from_secs(10);

/// Files of every kind, both ways, in every mode that the family has.
fn play(client: &Namespace, server: &Namespace, hosts: Hosts) -> Result<()> {
    let address = SocketAddr::new(hosts.server, 21);
    let content = Content::Pattern(3_000_001);
    let behaviour = Behaviour::default().with_file("/pub/a.bin", content.clone());
    let running = server.run(|| Server::start(address, behaviour))?;
    client.run(|| {
        let mut talk = Client::connect(address, ClientOptions::default())?;
        talk.login("alice", "wonderland")?;
        for mode in DataMode::ALL {
            if hosts.server.is_ipv6() && matches!(mode, DataMode::Pasv | DataMode::Port) {
                continue;
            }
            let got = talk.retrieve(mode, "/pub/a.bin", Some(&content))?;
            ensure!(got.intact && got.bytes == content.len(), "{mode:?}: {got:?}");
            let got = talk.resume(mode, "/pub/a.bin", 1_000_000, &content)?;
            ensure!(got.intact && got.bytes == 2_000_001, "{mode:?}: {got:?}");
            talk.store(mode, "STOR", "/up/b.bin", &Content::Pattern(70_000))?;
            talk.store(mode, "APPE", "/up/b.bin", &Content::text("more"))?;
            ensure!(running.file("/up/b.bin").map(|file| file.len()) == Some(70_004), "append");
            ensure!(talk.list(mode, "LIST")?.bytes > 0, "empty listing");
            talk.abort_download(mode, "/pub/a.bin", 10_000)?;
        }
        ensure!(talk.command("RETR /pub/none")?.code == 550, "a file that is not there");
        let theirs = talk.quit()?;
        running.wait_for_sessions(1, Duration::from_secs(5))?;
        let ours = &running.transcripts()[0].1;
        same("command", &theirs.commands(), &ours.commands())?;
        same("reply", &theirs.replies(), &ours.replies())
    })
}

#[test]
fn embedded_server_and_client_on_a_wire() {
    test("embedded_server_and_client_on_a_wire", &[], || {
        let net = Direct::new(1500)?;
        for family in [Family::V4, Family::V6] {
            play(&net.client, &net.server, Direct::hosts(family))?;
        }
        Ok(())
    });
}

#[test]
fn embedded_server_and_client_with_jumbo_frames() {
    test("embedded_server_and_client_with_jumbo_frames", &[], || {
        let net = Direct::new(9000)?;
        play(&net.client, &net.server, Direct::hosts(Family::V4))
    });
}

#[test]
fn embedded_server_and_client_through_a_router() {
    test("embedded_server_and_client_through_a_router", &[], || {
        let net = Routed::new(1500)?;
        for family in [Family::V4, Family::V6] {
            play(&net.client, &net.server, Routed::hosts(family))?;
        }
        Ok(())
    });
}

#[test]
fn embedded_server_and_client_on_a_tagged_trunk() {
    test("embedded_server_and_client_on_a_tagged_trunk", &[Need::Tool("ethtool")], || {
        for (tags, in_bytes) in
            [(&[42_u16][..], false), (&[42], true), (&[100, 42], false), (&[100, 42], true)]
        {
            let net = Bridged::new(1500, tags, in_bytes)?;
            play(&net.client, &net.server, Bridged::hosts(Family::V4))?;
        }
        let net = Bridged::new(1500, &[42], false)?;
        play(&net.client, &net.server, Bridged::hosts(Family::V6))
    });
}

#[test]
fn embedded_server_and_client_over_a_bad_wire() {
    test("embedded_server_and_client_over_a_bad_wire", &[Need::Tool("ethtool")], || {
        let net = Relayed::new(1500, Mischief { lost: 10, doubled: 20, late: 50, by: 3 })?;
        play(&net.client, &net.server, Relayed::hosts(Family::V4))?;
        let done = [&net.done.frames, &net.done.lost, &net.done.doubled, &net.done.late];
        let counts = done.map(|counter| counter.load(Ordering::Relaxed));
        ensure!(counts.iter().all(|count| *count > 0), "nothing happened: {counts:?}");
        Ok(())
    });
}

/// The commands of a visit as the client logged them are those that the server logged.
fn agree(server: Party, client: Party, visit: &Visit, theirs: &Transcript) -> Result<()> {
    let plain = |line: &String| expected_command(line).trim_end().to_owned();
    let mut said: Vec<String> = visit.transcript.commands().iter().map(plain).collect();
    let mut heard: Vec<String> = theirs.commands().iter().map(plain).collect();
    for log in [&mut said, &mut heard] {
        log.retain(|line| !server.unlogged().contains(&line.as_str()));
    }
    unlogged_end(&mut said, &heard, |line| line == "QUIT");
    same(&format!("{client:?} at {server:?}, {}: command", visit.what), &said, &heard)
}

/// Every client at a server; what the client logged against what the server logged.
fn visit(server: Party, family: Family) -> Result<()> {
    for client in [Party::Curl, Party::Lftp, Party::Tnftp, Party::Ftplib] {
        let net = Direct::new(1500)?;
        let hosts = Direct::hosts(family);
        let running = RealServer::start(server, &net.server, hosts.server)?;
        let before = running.transcripts()?.len();
        let visits = visits(client, &net.client, hosts.server)?;
        // A server writes the end of its log when it comes to it.
        let logged = poll::until_ok(SOON, || {
            let logged = running.transcripts()?;
            for (visit, theirs) in visits.iter().zip(logged.get(before..).unwrap_or_default()) {
                agree(server, client, visit, theirs)?;
            }
            Ok(logged.len() - before)
        })?;
        println!("{client:?} at {server:?}: {} visits, {logged} in the server's log", visits.len());
    }
    Ok(())
}

#[test]
fn real_clients_at_vsftpd() {
    test("real_clients_at_vsftpd", &[Need::Party(Party::Vsftpd)], || visit(Party::Vsftpd, Family::V4));
}

#[test]
fn real_clients_at_proftpd() {
    test("real_clients_at_proftpd", &[Need::Party(Party::Proftpd)], || visit(Party::Proftpd, Family::V6));
}

#[test]
fn real_clients_at_pureftpd() {
    test("real_clients_at_pureftpd", &[Need::Party(Party::PureFtpd)], || visit(Party::PureFtpd, Family::V4));
}

#[test]
fn real_clients_at_pyftpdlib() {
    test("real_clients_at_pyftpdlib", &[Need::Party(Party::Pyftpdlib)], || {
        visit(Party::Pyftpdlib, Family::V4)
    });
}
