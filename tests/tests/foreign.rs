//! Traffic that is not a session's: neither stored nor written to the capture file.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::net::{Direct, Family, Namespace};
use ftpmon_tests::process::run_ok;

const LIMIT: Duration = Duration::from_secs(20);

/// Says a line, and waits until the other end has it.
fn pass(mut from: &TcpStream, mut to: &TcpStream, line: &str) -> Result<()> {
    to.set_read_timeout(Some(LIMIT))?;
    from.write_all(line.as_bytes())?;
    Ok(to.read_exact(&mut vec![0; line.len()])?)
}

/// Bytes of the listener over a new connection from `client` to `server`, and with `answers` a dialogue.
fn connect_and_send(
    (client, server): (&Namespace, &Namespace),
    at: SocketAddr,
    from_listener: &str,
    answers: bool,
) -> Result<()> {
    let listener = server.run(|| Ok(TcpListener::bind(at)?))?;
    let one = client.run(|| Ok(TcpStream::connect(at)?))?;
    let (other, _) = listener.accept()?;
    pass(&other, &one, from_listener)?;
    if answers {
        pass(&one, &other, "hello")?;
        pass(&other, &one, "welcome")?;
        pass(&one, &other, "give me all of it")?;
    }
    drop(other);
    (&one).read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Nothing but the session's is in the file or stored: no connections that nobody announced, ports that the server refused, and
/// a service whose port a server announces.
#[test]
fn foreign_bytes_are_nowhere() {
    test("foreign_bytes_are_nowhere", &[Need::Agent], || {
        for hook in ["native", "tcx"] {
            let net = Direct::new(1500)?;
            let hosts = Direct::hosts(Family::V4);
            let scratch = Scratch::new("foreign")?;
            let path = scratch.path().join("out.pcapng");
            let (pcap, folder) =
                (path.display().to_string(), scratch.path().join("files").display().to_string());
            let options = ["--write-pcap", &pcap, "--files", "extract", "--files-dir", &folder];
            let start = [&["--iface", Direct::DEVICE, "--hook", hook][..], &options].concat();
            let agent = Agent::start(&net.server, &start)?;
            let listener = net.server.run(|| Ok(TcpListener::bind((hosts.server, 21))?))?;
            let client = net.client.run(|| Ok(TcpStream::connect((hosts.server, 21))?))?;
            let (server, _) = listener.accept()?;
            let (own, theirs) =
                (hosts.client.to_string().replace('.', ","), hosts.server.to_string().replace('.', ","));
            let reply = |line: &str| pass(&server, &client, line);
            let command = |line: &str| pass(&client, &server, line);
            let (to_server, to_client) = ((&net.client, &net.server), (&net.server, &net.client));
            let service = SocketAddr::new(hosts.server, 3_306);

            reply("220 ready\r\n")?;
            connect_and_send(to_server, service, "FOREIGN banner", true)?;
            command("USER alice\r\n")?;
            reply("230 in\r\n")?;
            command(&format!("PORT {own},156,65\r\n"))?;
            reply("500 no\r\n")?;
            connect_and_send(to_client, SocketAddr::new(hosts.client, 40_001), "FOREIGN, refused", false)?;
            command("PASV\r\n")?;
            reply(&format!("227 ({theirs},156,66)\r\n"))?;
            command("RETR /a\r\n")?;
            reply("150 here\r\n")?;
            connect_and_send(to_server, SocketAddr::new(hosts.server, 40_002), "the file", false)?;
            reply("226 done\r\n")?;
            command("PASV\r\n")?;
            reply(&format!("227 ({theirs},12,234)\r\n"))?;
            command("RETR /b\r\n")?;
            reply("150 here\r\n")?;
            connect_and_send(to_server, service, "FOREIGN again", false)?;
            reply("226 done\r\n")?;
            command("QUIT\r\n")?;
            reply("221 bye\r\n")?;
            drop((client, server));

            agent.wait_for_sessions(1, LIMIT)?;
            let events = agent.stop()?;
            let transfers = events.transfers();
            ensure!(transfers.len() == 2, "{hook}: {transfers:?}");
            ensure!(transfers[0].number("/file/size") == Some(8), "{hook}: {}", transfers[0].0);
            ensure!(transfers[1].text("/file/reason") == "other_protocol", "{hook}: {}", transfers[1].0);
            let written = std::fs::read(&path)?;
            let has = |text: &str| written.windows(text.len()).any(|bytes| bytes == text.as_bytes());
            ensure!(has("the file") && has("227 ("), "{hook}: the session is in the file");
            ensure!(!has("FOREIGN") && !has("give me"), "{hook}: nothing else is");
            let stored = run_ok(Command::new("find").args([&folder, "-type", "f", "-size", "+0"]))?;
            ensure!(stored.lines().count() == 1, "{hook}: {stored}");
        }
        Ok(())
    });
}
