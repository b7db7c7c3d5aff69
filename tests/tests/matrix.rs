//! ftpmon between real clients and real servers: every server with every client, and among these pairs every hook, every
//! place to stand, both families, jumbo frames, and tags in the packet's metadata and in the frame's bytes.
//!
//! For each session: commands and replies are those that the client and the server logged, the learned endpoints are the
//! announced ones, and each transfer has its bytes exactly.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::compare::{self, expected_command, same, unlogged_end};
use ftpmon_tests::events::Events;
use ftpmon_tests::ftp::Transcript;
use ftpmon_tests::net::{Bridged, Direct, Family, Hosts, Namespace, Routed};
use ftpmon_tests::party::{Party, RealServer, visits};

/// The longest delay of the events of a client's visits.
const LIMIT: Duration = Duration::from_secs(20);

/// The position of ftpmon.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// On the server.
    Server,
    /// On the client.
    Client,
    /// On a router between, watching one interface.
    Router,
    /// On a router between, watching both: each packet passes twice and counts once.
    RouterBoth,
    /// On a bridge in a tagged trunk. Tags outermost first; whether they stand in the frame's bytes.
    Trunk(&'static [u16], bool),
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug)]
struct Cell {
    server: Party,
    client: Party,
    place: Place,
    hook: &'static str,
    family: Family,
    mtu: u32,
}

/// A network with its parts by role.
struct Net {
    client: Namespace,
    server: Namespace,
    watcher: Namespace,
    devices: &'static [&'static str],
    hosts: Hosts,
    _keep: Box<dyn std::any::Any>,
}

impl Net {
    fn new(cell: &Cell) -> Result<Self> {
        Ok(match cell.place {
            Place::Server | Place::Client => {
                let net = Direct::new(cell.mtu)?;
                let watcher = if matches!(cell.place, Place::Server) { &net.server } else { &net.client };
                Self {
                    client: net.client.clone(),
                    server: net.server.clone(),
                    watcher: watcher.clone(),
                    devices: &[Direct::DEVICE],
                    hosts: Direct::hosts(cell.family),
                    _keep: Box::new(()),
                }
            }
            Place::Router | Place::RouterBoth => {
                let net = Routed::new(cell.mtu)?;
                let both = matches!(cell.place, Place::RouterBoth);
                Self {
                    client: net.client,
                    server: net.server,
                    watcher: net.router,
                    devices: if both {
                        &[Routed::CLIENT_SIDE, Routed::SERVER_SIDE]
                    } else {
                        &[Routed::SERVER_SIDE]
                    },
                    hosts: Routed::hosts(cell.family),
                    _keep: Box::new(()),
                }
            }
            Place::Trunk(tags, in_bytes) => {
                let net = Bridged::new(cell.mtu, tags, in_bytes)?;
                Self {
                    client: net.client.clone(),
                    server: net.server.clone(),
                    watcher: net.bridge.clone(),
                    devices: &[Bridged::CLIENT_SIDE],
                    hosts: Bridged::hosts(cell.family),
                    _keep: Box::new(net),
                }
            }
        })
    }
}

fn play(cell: &Cell) -> Result<()> {
    let net = Net::new(cell)?;
    let server = RealServer::start(cell.server, &net.server, net.hosts.server)?;
    let mut arguments = vec!["--hook", cell.hook];
    for device in net.devices {
        arguments.extend(["--iface", device]);
    }
    let agent = Agent::start(&net.watcher, &arguments)?;
    let visits = visits(cell.client, &net.client, net.hosts.server)?;
    agent.wait_for_sessions(visits.len(), LIMIT)?;
    let diagnostics = agent.diagnostics();
    let events = agent.stop()?;

    let sessions = events.sessions();
    ensure!(sessions.len() == visits.len(), "{} sessions of {} visits", sessions.len(), visits.len());
    for (session, visit) in sessions.iter().zip(&visits) {
        compare::visit(session, visit)?;
        check_tags(cell, session)?;
    }
    let logged = server.transcripts()?;
    ensure!(logged.len() == sessions.len(), "the server logged {} sessions", logged.len());
    for (session, transcript) in sessions.iter().zip(&logged) {
        as_server_logged(cell.server, session, transcript)?;
    }
    compare::stream(&events).with_context(|| format!("ftpmon said: {diagnostics}"))
}

/// A tag is seen wherever the hook can see it: XDP runs before metadata is made and sees only bytes.
fn check_tags(cell: &Cell, session: &Events) -> Result<()> {
    let Place::Trunk(tags, in_bytes) = cell.place else {
        return Ok(());
    };
    if !in_bytes && cell.hook != "tcx" {
        return Ok(());
    }
    let start = session.of("session_start")[0];
    ensure!(start.0["vlan"] == serde_json::json!(tags), "vlan {:?}, expected {tags:?}", start.0["vlan"]);
    Ok(())
}

/// The server's own log agrees too, as far as it goes.
fn as_server_logged(server: Party, session: &Events, transcript: &Transcript) -> Result<()> {
    let plain = |line: &String| expected_command(line).trim_end().to_owned();
    let mut seen: Vec<String> = session.commands();
    seen.retain(|line| !server.unlogged().contains(&line.as_str()));
    let mut logged: Vec<String> = transcript.commands().iter().map(plain).collect();
    logged.retain(|line| !server.unlogged().contains(&line.as_str()));
    unlogged_end(&mut logged, &seen, |line| line == "QUIT");
    same(&format!("{server:?}'s log: command"), &logged, &seen)
}

macro_rules! matrix {
    ($($name:ident: $server:ident, $client:ident, $place:expr, $hook:literal, $family:ident, $mtu:literal;)*) => {$(
        #[test]
        fn $name() {
            let cell = Cell {
                server: Party::$server,
                client: Party::$client,
                place: $place,
                hook: $hook,
                family: Family::$family,
                mtu: $mtu,
            };
            let needs = [Need::Agent, Need::Party(cell.server), Need::Party(cell.client), Need::Tool("ethtool")];
            test(stringify!($name), &needs, || play(&cell));
        }
    )*};
}

matrix! {
    vsftpd_curl: Vsftpd, Curl, Place::Server, "native", V4, 1500;
    vsftpd_lftp: Vsftpd, Lftp, Place::Client, "generic", V6, 1500;
    vsftpd_tnftp: Vsftpd, Tnftp, Place::RouterBoth, "tcx", V4, 1500;
    vsftpd_ftplib: Vsftpd, Ftplib, Place::Trunk(&[42], false), "tcx", V4, 1500;
    proftpd_curl: Proftpd, Curl, Place::Client, "tcx", V6, 1500;
    proftpd_lftp: Proftpd, Lftp, Place::Server, "tcx", V4, 9000;
    proftpd_tnftp: Proftpd, Tnftp, Place::Trunk(&[42], true), "native", V6, 1500;
    proftpd_ftplib: Proftpd, Ftplib, Place::Router, "native", V4, 1500;
    pureftpd_curl: PureFtpd, Curl, Place::RouterBoth, "generic", V4, 1500;
    pureftpd_lftp: PureFtpd, Lftp, Place::Trunk(&[100, 42], true), "generic", V4, 1500;
    pureftpd_tnftp: PureFtpd, Tnftp, Place::Client, "native", V4, 9000;
    pureftpd_ftplib: PureFtpd, Ftplib, Place::Server, "generic", V6, 1500;
    pyftpdlib_curl: Pyftpdlib, Curl, Place::Trunk(&[100, 42], false), "tcx", V6, 1500;
    pyftpdlib_lftp: Pyftpdlib, Lftp, Place::RouterBoth, "native", V6, 1500;
    pyftpdlib_tnftp: Pyftpdlib, Tnftp, Place::Server, "auto", V4, 1500;
    pyftpdlib_ftplib: Pyftpdlib, Ftplib, Place::Client, "generic", V4, 9000;
}
