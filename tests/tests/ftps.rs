//! FTP under TLS, live: what the hellos say, which connections are a session's data connections and which are not, and the
//! way back to clear text.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]
#![expect(clippy::print_stdout, reason = "the figures are what the soak is for")]

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::compare;
use ftpmon_tests::ftps::Stage;
use ftpmon_tests::net::{Direct, Family};
use ftpmon_tests::party::{PASSWORD, Party, RealServer, Security, Tree, USER};
use ftpmon_tests::process::run_ok;

/// The longest delay of a session's events.
const LIMIT: Duration = Duration::from_secs(20);

/// Sessions of curl and lftp with vsftpd, on 21 and 990, data protected and not, passive and active; HTTP, HTTPS and a shell
/// between the same hosts.
fn among_others(name: &str, sessions: usize, at_server: bool) {
    let needs = [
        Need::Agent,
        Need::Party(Party::Vsftpd),
        Need::Party(Party::Curl),
        Need::Party(Party::Lftp),
        Need::Tool("openssl"),
    ];
    test(name, &needs, || {
        let stage = Stage::new()?;
        let (client, server) = stage.ends();
        let sensor = if at_server { server } else { client };
        let agent = Agent::start(sensor, &["--iface", Direct::DEVICE])?;
        let began = Instant::now();
        stage.play(sessions)?;
        let played = began.elapsed();
        agent.wait_for_sessions(sessions, LIMIT)?;
        let events = agent.stop()?;
        compare::stream(&events)?;
        let found = stage.compare(&events, sessions)?;
        println!("{name}: {found}, in {played:.1?}");
        Ok(())
    });
}

#[test]
fn ftps_among_others_at_the_server() {
    among_others("ftps_among_others_at_the_server", 24, true);
}

#[test]
fn ftps_among_others_at_the_client() {
    among_others("ftps_among_others_at_the_client", 24, false);
}

/// As many sessions as `FTPMON_SOAK_SESSIONS` says, 1,000 without.
#[test]
fn soak_ftps_1000() {
    let sessions = env::var("FTPMON_SOAK_SESSIONS").ok().and_then(|count| count.parse().ok());
    among_others("soak_ftps_1000", sessions.unwrap_or(1_000), true);
}

/// A session under TLS for longer than the kernel takes to count only, then CCC.
const LONG_CCC: &str = r#"
import ftplib, ssl, sys, time
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
ftp = ftplib.FTP_TLS(context=context)
ftp.connect(sys.argv[1], 21, timeout=20)
ftp.login(sys.argv[2], sys.argv[3])
ftp.prot_p()
time.sleep(2.2)
for _ in range(3):
    # More than a short segment has.
    try:
        ftp.voidcmd("MDTM " + "x" * 700)
    except ftplib.Error:
        pass
ftp.ccc()
ftp.cwd("pub")
ftp.retrbinary("RETR medium.bin", lambda data: None)
ftp.nlst()
ftp.quit()
"#;

/// CCC after the kernel counts: what it did not copy is no gap, and text is seen at once.
#[test]
fn ccc_is_seen_while_the_kernel_only_counts() {
    test(
        "ccc_is_seen_while_the_kernel_only_counts",
        &[Need::Agent, Need::Party(Party::Proftpd), Need::Party(Party::Ftplib), Need::Tool("openssl")],
        || {
            let net = Direct::new(1500)?;
            let hosts = Direct::hosts(Family::V4);
            let server =
                RealServer::start_secured(Party::Proftpd, &net.server, hosts.server, Security::Explicit)?;
            let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE])?;
            let python = Party::Ftplib.program()?;
            run_ok(net.client.command(&python.to_string_lossy()).args([
                "-c",
                LONG_CCC,
                &hosts.server.to_string(),
                USER,
                PASSWORD,
            ]))
            .with_context(|| server.said())?;
            agent.wait_for_sessions(1, LIMIT)?;
            let events = agent.stop()?;
            compare::stream(&events)?;
            let session = &events.sessions()[0];
            compare::clean(session).with_context(|| session.to_text())?;
            let counted = events.last("stats").and_then(|stats| stats.number("/kernel/control_counted"));
            ensure!(counted > Some(0), "the kernel copied all");
            let commands = session.commands();
            let behind: Vec<&str> =
                commands.iter().map(String::as_str).skip_while(|line| *line != "CWD pub").collect();
            let verbs: Vec<&str> = behind.iter().filter_map(|line| line.split(' ').next()).collect();
            let expected = ["CWD", "TYPE", "PASV", "RETR", "TYPE", "PASV", "NLST", "QUIT"];
            let passive = verbs.iter().map(|verb| if *verb == "EPSV" { "PASV" } else { *verb });
            compare::same("verb", &expected, &passive.collect::<Vec<_>>())?;
            let outcomes: Vec<&str> =
                session.of("transfer").iter().map(|transfer| transfer.text("/transfer/outcome")).collect();
            compare::same("outcome", &["complete"; 2], &outcomes).with_context(|| session.to_text())?;
            Ok(())
        },
    );
}

/// AUTH TLS, login, CCC, and a download whose dialogue is clear again, from both ends of the wire.
#[test]
fn the_dialogue_is_taken_up_again_after_ccc() {
    test(
        "the_dialogue_is_taken_up_again_after_ccc",
        &[Need::Agent, Need::Party(Party::Proftpd), Need::Party(Party::Curl), Need::Tool("openssl")],
        || {
            for at_server in [true, false] {
                ccc(at_server).with_context(|| format!("sensor at the server: {at_server}"))?;
            }
            Ok(())
        },
    );
}

fn ccc(at_server: bool) -> Result<()> {
    let net = Direct::new(1500)?;
    let hosts = Direct::hosts(Family::V4);
    let server = RealServer::start_secured(Party::Proftpd, &net.server, hosts.server, Security::Explicit)?;
    let sensor = if at_server { &net.server } else { &net.client };
    let agent = Agent::start(sensor, &["--iface", Direct::DEVICE])?;
    let scratch = Scratch::new("ccc")?;
    let output = scratch.path().join("output");
    run_ok(
        net.client
            .command("curl")
            .args(["-s", "-S", "-k", "--ssl-reqd", "--ftp-ssl-ccc", "--max-time", "30"])
            .args(["-u", &format!("{USER}:{PASSWORD}"), "-o"])
            .arg(&output)
            .arg(format!("ftp://{}/{}", hosts.server, Tree::MEDIUM.0)),
    )
    .with_context(|| server.said())?;
    agent.wait_for_sessions(1, LIMIT)?;
    let events = agent.stop()?;
    compare::stream(&events)?;
    let session = &events.sessions()[0];
    compare::clean(session).with_context(|| session.to_text())?;
    let turns = session.of("tls");
    ensure!(turns.len() == 2, "{} turns: {}", turns.len(), session.to_text());
    for field in ["/tls/version", "/tls/cipher", "/tls/ja4"] {
        ensure!(turns[0].has(field), "no {field}: {}", turns[0].0);
    }
    ensure!(turns[1].text("/tls/via") == "ccc" && turns[1].text("/tls/state") == "stop", "{}", turns[1].0);
    // After CCC the dialogue is clear again: from its first command on, whichever end was seen to turn first.
    let commands = session.commands();
    ensure!(commands.iter().any(|line| line.starts_with("RETR ")), "{commands:?}");
    let transfer = session.of("transfer");
    ensure!(transfer.len() == 1, "{} transfers: {}", transfer.len(), session.to_text());
    let transfer = transfer[0];
    ensure!(transfer.text("/data/via") == "EPSV", "{}", transfer.0);
    ensure!(transfer.text("/transfer/outcome") == "complete", "{}", transfer.0);
    // curl protects data where it protected the login.
    ensure!(transfer.0["data"]["tls"] == true && transfer.has("/data/tls_ja4"), "{}", transfer.0);
    Ok(())
}
