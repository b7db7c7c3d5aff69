//! The state of a running agent, as scrapers, supervisors and people ask for it.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::kernel::Frame;
use ftpmon_tests::kernel::frame::{ACK, SYN};
use ftpmon_tests::net::{Direct, Family, Replay};
use ftpmon_tests::poll;
use ftpmon_tests::process::Running;

const SOON: Duration = Duration::from_secs(20);

/// Head and body of the answer to a request.
fn get(socket: &Path, path: &str) -> Result<(String, String)> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(SOON))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
    Ok((head.to_owned(), body.to_owned()))
}

/// The value of a series in a text of metrics.
fn value(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[test]
fn a_scrape_has_what_passed_and_no_names_of_users() {
    test("a_scrape_has_what_passed_and_no_names_of_users", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let address = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        let behaviour = Behaviour::default().with_file("/a.bin", Content::Pattern(5_000));
        let server = net.server.run(|| Server::start(address, behaviour))?;
        let folder = std::env::temp_dir().join(format!("ftpmon-status-{}", std::process::id()));
        std::fs::create_dir(&folder)?;
        let socket = folder.join("s.sock");
        let at = format!("unix:{}", socket.display());
        let mut agent = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--status", &at])?;
        net.client.run(|| {
            let mut client = Client::connect(server.address(), ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            client.retrieve(DataMode::Pasv, "/a.bin", None)?;
            client.quit().map(drop)
        })?;
        agent.wait_for_sessions(1, SOON)?;
        let metrics = poll::until("the transfer in the metrics", SOON, || {
            let (head, body) = get(&socket, "/metrics")?;
            ensure!(head.starts_with("HTTP/1.1 200") && head.contains("version=0.0.4"), "{head}");
            let downloads = "ftpmon_transfers_total{direction=\"download\",outcome=\"complete\"}";
            Ok((value(&body, downloads) == Some(1.0)).then_some(body))
        })?;
        for (series, expected) in [
            ("ftpmon_transfer_bytes_total{direction=\"download\"}", 5_000.0),
            ("ftpmon_logins_total{outcome=\"success\"}", 1.0),
            ("ftpmon_commands_total{verb=\"RETR\"}", 1.0),
            ("ftpmon_events_total{event=\"session_end\"}", 1.0),
            ("ftpmon_output_up{output=\"-\"}", 1.0),
            ("ftpmon_interfaces", 1.0),
        ] {
            ensure!(value(&metrics, series) == Some(expected), "{series}: {:?}", value(&metrics, series));
        }
        ensure!(
            !metrics.contains("alice") && !metrics.contains("a.bin"),
            "what peers sent is in the metrics"
        );
        let begun = Instant::now();
        get(&socket, "/metrics")?;
        ensure!(begun.elapsed() < Duration::from_secs(1), "a scrape took {:?}", begun.elapsed());
        for path in ["/healthz", "/readyz"] {
            let (head, body) = get(&socket, path)?;
            ensure!(head.starts_with("HTTP/1.1 200") && body == "ok\n", "{path}: {head} {body}");
        }
        ensure!(get(&socket, "/nothing")?.0.starts_with("HTTP/1.1 404"));
        let ask = |options: &[&str]| -> Result<String> {
            let output = std::process::Command::new(binary()?)
                .args(["status", "--status", &at])
                .args(options)
                .output()?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Ok(String::from_utf8(output.stdout)?)
        };
        let json: serde_json::Value = serde_json::from_str(&ask(&["--json"])?)?;
        ensure!(json["pid"] == agent.process().id() && json["ready"] == true, "{json}");
        ensure!(json["stats"]["emitted"].as_u64() > Some(5), "{json}");
        let text = ask(&[])?;
        ensure!(
            text.contains(&format!("watches     {}", Direct::DEVICE)) && text.contains("lost        nothing"),
            "{text}"
        );
        agent.stop()?;
        ensure!(!socket.exists(), "its socket stays");
        std::fs::remove_dir(folder)?;
        Ok(())
    });
}

#[test]
fn an_output_that_takes_nothing_makes_it_unready() {
    test("an_output_that_takes_nothing_makes_it_unready", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let socket = std::env::temp_dir().join(format!("ftpmon-unready-{}.sock", std::process::id()));
        let at = format!("unix:{}", socket.display());
        let options =
            ["--iface", Direct::DEVICE, "--status", &at, "--output", "-", "--output", "tcp://127.0.0.1:1"];
        let agent = Agent::start(&net.server, &options)?;
        let (head, body) = get(&socket, "/readyz")?;
        ensure!(
            head.starts_with("HTTP/1.1 503") && body.contains("tcp://127.0.0.1:1 takes nothing"),
            "{head} {body}"
        );
        ensure!(get(&socket, "/healthz")?.0.starts_with("HTTP/1.1 200"), "it is alive");
        agent.stop()?;
        Ok(())
    });
}

#[test]
fn a_supervisor_is_told_that_it_is_ready_lives_and_ends() {
    test("a_supervisor_is_told_that_it_is_ready_lives_and_ends", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let path = std::env::temp_dir().join(format!("ftpmon-notify-{}.sock", std::process::id()));
        let socket = UnixDatagram::bind(&path)?;
        socket.set_read_timeout(Some(SOON))?;
        let mut command = net.server.command(&binary()?.to_string_lossy());
        command.args(["run", "--iface", Direct::DEVICE]);
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "2000000");
        let mut agent = Running::start(&mut command)?;
        let next = || -> Result<String> {
            let mut message = [0; 512];
            let length = socket.recv(&mut message)?;
            Ok(String::from_utf8_lossy(message.get(..length).unwrap_or_default()).into_owned())
        };
        let ready = next()?;
        ensure!(ready.contains("READY=1") && ready.contains(Direct::DEVICE), "{ready}");
        ensure!(next()?.contains("WATCHDOG=1"), "no watchdog");
        agent.signal(nix::sys::signal::Signal::SIGTERM)?;
        let mut last = next()?;
        while !last.contains("STOPPING=1") {
            last = next()?;
        }
        ensure!(agent.wait(SOON)?.success(), "it failed");
        std::fs::remove_file(path)?;
        Ok(())
    });
}

/// Open sessions while the state is asked for.
const SESSIONS: u32 = 100_000;
/// The time of a scrape: the middle of so many.
const SCRAPE_MAX: Duration = Duration::from_millis(50);
const SCRAPES: usize = 21;

/// A handshake and a greeting, from another host each time. Their destination is no device's: no host answers them.
fn greeted(number: u32) -> [Frame; 4] {
    let [_, a, b, c] = number.to_be_bytes();
    let (host, port) = (format!("198.{}.{b}.{c}", 18 + a), 1_024 + (number % 50_000) as u16);
    let (client, server) = ((&*host, port), ("10.77.0.2", 21));
    [
        Frame::new(client, server, SYN, 100, 0),
        Frame::new(server, client, SYN | ACK, 900, 101),
        Frame::new(client, server, ACK, 101, 901),
        Frame::new(server, client, ACK, 901, 101).payload(b"220 ready\r\n"),
    ]
}

#[test]
fn a_scrape_with_a_hundred_thousand_sessions_is_quick() {
    test("a_scrape_with_a_hundred_thousand_sessions_is_quick", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let scratch = Scratch::new("status-crowd")?;
        let socket = scratch.path().join("s.sock");
        let at = format!("unix:{}", socket.display());
        let options = [
            "--iface",
            Direct::DEVICE,
            "--status",
            &at,
            "--memory",
            "2G",
            "--events",
            "sensor_start,sensor_stop",
        ];
        let agent = Agent::start(&net.server, &options)?;
        let sessions = Replay::of((0..SESSIONS).flat_map(greeted).map(|frame| frame.bytes()));
        // No faster than an agent of a debug build reads.
        sessions.send_steadily(&net.client, Direct::DEVICE, sessions.len(), 60_000.0)?;
        let open = |metrics: &str| value(metrics, "ftpmon_table_entries{table=\"flows\"}");
        poll::until("all sessions", 6 * SOON, || {
            let (_, metrics) = get(&socket, "/metrics")?;
            Ok(open(&metrics).is_some_and(|open| open >= f64::from(SESSIONS)).then_some(()))
        })?;
        let mut times = Vec::new();
        for _ in 0..SCRAPES {
            let began = Instant::now();
            let (head, metrics) = get(&socket, "/metrics")?;
            times.push(began.elapsed());
            ensure!(head.starts_with("HTTP/1.1 200") && open(&metrics).is_some(), "{head}");
        }
        times.sort_unstable();
        let (middle, longest) =
            (times.get(SCRAPES / 2).context("no time")?, times.last().context("no time")?);
        println!("a scrape with {SESSIONS} sessions: {middle:?}, the longest {longest:?}");
        ensure!(*middle < SCRAPE_MAX, "{times:?}");
        drop(agent);
        Ok(())
    });
}
