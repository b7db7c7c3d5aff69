//! A dialogue whose segments come in IP fragments: it is told like any other, at every hook, and what is missing is told with its
//! cause.

#![expect(clippy::indexing_slicing, reason = "positions in frames whose length was checked")]

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::events::Events;
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Server};
use ftpmon_tests::net::{Direct, Family, Mischief, Namespace, Piece, Relayed, Split};
use ftpmon_tests::script::wire::checksum;

/// The longest delay of events.
const LIMIT: Duration = Duration::from_secs(30);
const HOOKS: [&str; 4] = ["auto", "native", "generic", "tcx"];
/// Bytes of an IP packet in a fragment: a TCP header with a timestamp, so that no line is in the first one.
const PIECE: usize = 32;
/// A command of which the sensor does not see all.
const HIDDEN: &str = "SITE HELP whatever this is about";

/// The offsets of a segment of a dialogue: of its IP header, its TCP header and its payload.
fn layout(frame: &[u8]) -> Option<(usize, usize, usize)> {
    const IP: usize = 14;
    let tcp = match frame.get(12..14)? {
        [0x08, 0x00] if *frame.get(23)? == 6 => IP + usize::from(frame.get(IP)? & 15) * 4,
        [0x86, 0xdd] if *frame.get(20)? == 6 => IP + 40,
        _ => return None,
    };
    let payload = tcp + usize::from(frame.get(tcp + 12)? >> 4) * 4;
    let ports = [frame.get(tcp..tcp + 2)?, frame.get(tcp + 2..tcp + 4)?];
    (ports.contains(&&[0, 21][..]) && payload < frame.len()).then_some((IP, tcp, payload))
}

/// The fragments of a frame that carries a part of a dialogue, the last one first.
fn fragments(frame: &[u8]) -> Vec<Piece> {
    let whole = || vec![Piece { frame: frame.to_vec(), unseen: false }];
    let Some((ip, tcp, _)) = layout(frame) else { return whole() };
    let v6 = frame[ip] >> 4 == 6;
    // The identification of a segment is its own: a part of the sequence and acknowledgment numbers.
    let id = [frame[tcp + 6], frame[tcp + 7] ^ frame[tcp + 11].rotate_left(4)];
    let body = &frame[tcp..];
    let parts = body.chunks(PIECE).enumerate().map(|(number, part)| {
        let offset = number * PIECE;
        let more = offset + part.len() < body.len();
        let mut bytes = frame[..tcp].to_vec();
        if v6 {
            bytes[ip + 4..ip + 6].copy_from_slice(&(part.len() as u16 + 8).to_be_bytes());
            bytes[ip + 6] = 44;
            let place = offset as u16 | u16::from(more);
            bytes.extend([6, 0]);
            bytes.extend(place.to_be_bytes());
            bytes.extend([0, 0, id[0], id[1]]);
        } else {
            let len = (tcp - ip + part.len()) as u16;
            bytes[ip + 2..ip + 4].copy_from_slice(&len.to_be_bytes());
            bytes[ip + 4..ip + 6].copy_from_slice(&id);
            let place = (offset / 8) as u16 | u16::from(more) << 13;
            bytes[ip + 6..ip + 8].copy_from_slice(&place.to_be_bytes());
            bytes[ip + 10..ip + 12].fill(0);
            let sum = checksum(&[&bytes[ip..tcp]]);
            bytes[ip + 10..ip + 12].copy_from_slice(&sum.to_be_bytes());
        }
        bytes.extend(part);
        Piece { frame: bytes, unseen: false }
    });
    let mut parts: Vec<Piece> = parts.collect();
    parts.reverse();
    parts
}

/// The same, of one command only, whose last fragment goes past the sensor.
fn one_hidden(frame: &[u8]) -> Vec<Piece> {
    let is_it = layout(frame).is_some_and(|(.., payload)| frame[payload..].starts_with(HIDDEN.as_bytes()));
    if !is_it {
        return vec![Piece { frame: frame.to_vec(), unseen: false }];
    }
    let mut parts = fragments(frame);
    if let Some(last) = parts.first_mut() {
        last.unseen = true;
    }
    parts
}

/// A session of the test's commands, watched at one end. Returns what was told, and what was said.
fn watched(
    split: Split,
    hook: &str,
    family: Family,
    end: fn(&Relayed) -> &Namespace,
) -> Result<(Events, Vec<String>)> {
    let net = Relayed::splitting(1500, Mischief::default(), split)?;
    let server = SocketAddr::new(Relayed::hosts(family).server, 21);
    let serving = net.server.run(|| Server::start(server, Behaviour::default()))?;
    let arguments = ["--iface", Direct::DEVICE, "--hook", hook, "--stats-interval", "1"];
    let agent = Agent::start(end(&net), &arguments)?;
    let said = net.client.run(|| {
        let mut client = Client::connect(server, ClientOptions::default())?;
        client.login("alice", "wonderland")?;
        let mut said = ["USER", "PASS", "TYPE"].map(str::to_owned).to_vec();
        for command in ["PWD", HIDDEN, "CWD /some/where/that/is/not/there", "NOOP"] {
            client.command(command)?;
            said.push(command.split(' ').next().unwrap_or_default().to_owned());
        }
        client.quit()?;
        said.push("QUIT".to_owned());
        Ok(said)
    })?;
    agent.wait_for_sessions(1, LIMIT)?;
    let events = agent.stop()?;
    drop(serving);
    Ok((events, said))
}

/// The verbs of the commands that were told.
fn verbs(events: &Events) -> Vec<String> {
    events.commands().iter().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

fn told_like_any_other(hook: &str, family: Family, end: fn(&Relayed) -> &Namespace) -> Result<()> {
    let (events, said) = watched(fragments, hook, family, end)?;
    let stats = events.last("stats").context("no stats")?;
    ensure!(verbs(&events) == said, "{:?}, not {said:?}: {}", verbs(&events), stats.0);
    ensure!(events.count("reply") > said.len(), "{} replies", events.count("reply"));
    for wrong in ["gap", "anomaly"] {
        ensure!(events.count(wrong) == 0, "{:?} {}", events.of(wrong), stats.0);
    }
    let copied = stats.number("/kernel/fragments_copied").unwrap_or(0);
    ensure!(copied >= 2 * said.len() as u64, "{copied} fragments: {}", stats.0);
    Ok(())
}

fn at_all_hooks(look: impl Fn(&str, Family) -> Result<()>) -> Result<()> {
    for hook in HOOKS {
        for family in [Family::V4, Family::V6] {
            look(hook, family).with_context(|| format!("hook {hook}, {family:?}"))?;
        }
    }
    Ok(())
}

#[test]
fn fragmented_commands_are_told() {
    test("fragmented_commands_are_told", &[Need::Agent], || {
        at_all_hooks(|hook, family| told_like_any_other(hook, family, |net| &net.server))
    });
}

#[test]
fn fragmented_replies_are_told() {
    test("fragmented_replies_are_told", &[Need::Agent], || {
        at_all_hooks(|hook, family| told_like_any_other(hook, family, |net| &net.client))
    });
}

#[test]
fn a_missing_fragment_is_a_gap_with_its_cause() {
    test("a_missing_fragment_is_a_gap_with_its_cause", &[Need::Agent], || {
        at_all_hooks(|hook, family| {
            let (events, mut said) = watched(one_hidden, hook, family, |net| &net.server)?;
            let stats = events.last("stats").context("no stats")?;
            said.retain(|verb| verb != "SITE");
            ensure!(verbs(&events) == said, "{:?}, not {said:?}: {}", verbs(&events), stats.0);
            let gaps = events.of("gap");
            ensure!(gaps.len() == 1, "{gaps:?} {}", stats.0);
            for gap in gaps {
                ensure!(gap.text("/gap/cause") == "fragments", "{gap:?}");
                ensure!(gap.text("/gap/direction") == "command", "{gap:?}");
                ensure!(gap.number("/gap/bytes") == Some(HIDDEN.len() as u64 + 2), "{gap:?}");
            }
            Ok(())
        })
    });
}
