//! `ftpmon top` on a terminal: tmux is the terminal.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Direct, Family};
use ftpmon_tests::poll;
use ftpmon_tests::process::{Running, run_ok};
use ftpmon_tests::script;
use ftpmon_tests::terminal::Screen;

const SOON: Duration = Duration::from_secs(60);
const NEEDS: [Need; 2] = [Need::Agent, Need::Tool("tmux")];

/// One that downloads, one that waits, one whose user no terminal should see.
const SCRIPT: &str = "
host one 192.0.2.10
host two 192.0.2.11
host server 192.0.2.21
open a one:40000 server:21
S: 220 ready
C: USER alice
S: 331 word
C: PASS secret
S: 230 in
C: PASV
S: 227 Entering Passive Mode (192,0,2,21,4,1)
open d one:40001 server:1025
C: RETR big.iso
S: 150 Opening BINARY mode data connection for big.iso (5000000 bytes).
send d < bytes 5000
open b two:40000 server:21
use b
S: 220 ready
C: USER bob
S: 331 word
C: PASS wrong
S: 530 no
open e two:40002 server:21
use e
S: 220 ready
C: USER eve\\x1b[2J
S: 331 word
";

/// The events of the script, of sessions that are still open.
fn events(scratch: &Scratch) -> Result<String> {
    let capture = scratch.write("top.pcap", script::capture(SCRIPT)?)?;
    let read = run_ok(Command::new(binary()?).arg("read").arg(&capture))?;
    // A transfer that the end of the capture cuts is reported there; a running agent has not got there.
    let open = read.lines().filter(|line| !line.contains("\"event\":\"transfer\""));
    Ok(open.map(|line| line.to_owned() + "\n").collect())
}

/// The same events of another client's sessions.
fn others(events: &str) -> Result<String> {
    let mut text = String::new();
    for line in events.lines().filter(|line| line.contains("192.0.2.11")) {
        let mut event: serde_json::Value = serde_json::from_str(line)?;
        let session = event.get_mut("session").context("no session")?;
        *session = session.as_str().unwrap_or_default().chars().rev().collect::<String>().into();
        *event.pointer_mut("/client/ip").context("no client")? = "192.0.2.99".into();
        writeln!(text, "{event}")?;
    }
    Ok(text)
}

/// The row of the picture in which a text is.
fn row_of(picture: &str, text: &str) -> Option<usize> {
    picture.lines().position(|line| line.contains(text))
}

#[test]
fn keys_sort_filter_freeze_and_explain_on_a_terminal() {
    test("keys_sort_filter_freeze_and_explain_on_a_terminal", &NEEDS, || {
        let scratch = Scratch::new("top-keys")?;
        let events = events(&scratch)?;
        // The events come by standard input, the keys from the terminal.
        let file = scratch.write("events.jsonl", &events)?;
        let line = format!("tail -n +1 -f {} | exec {} top - --lang en", file.display(), binary()?.display());
        let socket = scratch.path().join("tmux");
        let screen = Screen::open(&socket, [80, 24], &line)?;
        let first = screen.wait("three sessions", |picture| {
            picture.contains("3 open sessions") && row_of(picture, "eve").is_some()
        })?;
        ensure!(first.contains("1 sessions"), "{first}");
        ensure!(first.contains("eve\\x1b[2J") && first.contains("downloading"), "{first}");
        ensure!(row_of(&first, "alice") < row_of(&first, "bob"), "by time:\n{first}");
        ensure!(
            first.lines().count() <= 24 && first.lines().all(|line| line.chars().count() <= 80),
            "{first}"
        );
        // Sorted by refused logins: the third order behind time.
        screen.keys(&["s", "s", "s"])?;
        screen.wait("bob at the head", |picture| {
            picture.contains("sort: failed") && row_of(picture, "bob") < row_of(picture, "alice")
        })?;
        screen.keys(&["/", "user:ali"])?;
        screen.wait("alice alone", |picture| picture.contains("alice") && !picture.contains("bob"))?;
        screen.keys(&["Enter"])?;
        screen.wait("the filter at the foot", |picture| picture.contains("/user:ali  f freeze"))?;
        screen.keys(&["Enter"])?;
        screen.wait("the ladder", |picture| {
            picture.contains("FTP session") && picture.contains("lines 1 to")
        })?;
        screen.keys(&["End"])?;
        screen.wait("the end of the ladder", |picture| picture.contains("150 Opening BINARY"))?;
        // The ladder is as wide as the terminal, also when that changes.
        screen.tmux(&["resize-window", "-t", "top", "-x", "130", "-y", "40"])?;
        screen.wait("a wider ladder", |picture| {
            picture.lines().any(|line| line.contains('│') && line.chars().count() > 100)
        })?;
        screen.keys(&["Escape"])?;
        screen.wait("the table in 130 columns", |picture| {
            picture.contains("SERVER") && picture.contains("192.0.2.21:21") && picture.lines().count() > 24
        })?;
        // Together the two would be Alt and 2.
        screen.keys(&["Escape"])?;
        screen.wait("no filter", |picture| picture.contains("/ filter"))?;
        screen.keys(&["2"])?;
        let running =
            screen.wait("transfers", |picture| picture.contains("RATE") && picture.contains("big.iso"))?;
        ensure!(running.contains("5.0M") && running.contains('?'), "{running}");
        screen.tmux(&["resize-window", "-t", "top", "-x", "40", "-y", "8"])?;
        screen.wait("a small picture", |picture| picture.lines().all(|line| line.chars().count() <= 40))?;
        screen.tmux(&["resize-window", "-t", "top", "-x", "80", "-y", "24"])?;
        screen.keys(&["1", "f"])?;
        screen.wait("the word frozen", |picture| picture.contains("frozen"))?;
        let mut more = std::fs::OpenOptions::new().append(true).open(&file)?;
        more.write_all(others(&events)?.as_bytes())?;
        std::thread::sleep(Duration::from_millis(500));
        ensure!(screen.picture()?.contains("3 open sessions"), "{}", screen.picture()?);
        screen.keys(&["f"])?;
        screen.wait("what came meanwhile", |picture| picture.contains("5 open sessions"))?;
        screen.keys(&["q"])?;
        poll::until("its end", SOON, || {
            let is_dead = screen.tmux(&["display-message", "-p", "-t", "top", "#{pane_dead}"])?;
            Ok((is_dead.trim() == "1").then_some(()))
        })?;
        Ok(())
    });
}

#[test]
fn a_running_agent_tells_how_far_a_transfer_is() {
    test("a_running_agent_tells_how_far_a_transfer_is", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let address = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        // Eight seconds.
        let behaviour = Behaviour { pace: Some(500_000), ..Behaviour::default() };
        let behaviour = behaviour.with_file("/slow.bin", Content::Pattern(4_000_000));
        let server = net.server.run(|| Server::start(address, behaviour))?;
        let scratch = Scratch::new("top-agent")?;
        let at = format!("unix:{}", scratch.path().join("s.sock").display());
        let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--status", &at])?;
        let mut command = Command::new(binary()?);
        command.args([
            "top",
            "--status",
            &at,
            "--batch",
            "--every",
            "1",
            "--show",
            "transfers",
            "--width",
            "160",
        ]);
        let mut top = Running::start(&mut command)?;
        poll::until("the first table", SOON, || Ok((top.stdout.count() > 0).then_some(())))?;
        net.client.run(|| {
            let mut client = Client::connect(server.address(), ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            client.demand("SIZE /slow.bin")?;
            client.retrieve(DataMode::Pasv, "/slow.bin", None)?;
            client.quit().map(drop)
        })?;
        agent.wait_for_sessions(1, SOON)?;
        let ended = poll::until("the end of the transfer", SOON, || {
            Ok(top.stdout.all().into_iter().find(|line| line.starts_with("↓ complete")))
        })?;
        ensure!(ended.contains("alice") && ended.contains("100%") && ended.ends_with("/slow.bin"), "{ended}");
        let lines = top.stdout.all();
        let percents: Vec<u64> = lines
            .iter()
            .filter(|line| line.starts_with("downloading"))
            .filter_map(|line| line.split_whitespace().find_map(|word| word.strip_suffix('%')?.parse().ok()))
            .collect();
        ensure!(percents.len() >= 3 && percents.is_sorted(), "{percents:?}\n{}", lines.join("\n"));
        ensure!(percents.iter().all(|percent| *percent <= 100), "{percents:?}");
        // The events are nobody's who may not use the socket, and a scrape still has its answer.
        top.signal(nix::sys::signal::Signal::SIGTERM)?;
        top.wait(SOON)?;
        agent.stop()?;
        Ok(())
    });
}

#[test]
fn sessions_that_were_open_before_are_told_and_a_successor_is_waited_for() {
    test("sessions_that_were_open_before_are_told_and_a_successor_is_waited_for", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let address = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        let server = net.server.run(|| Server::start(address, Behaviour::default()))?;
        let scratch = Scratch::new("who-agent")?;
        let at = format!("unix:{}", scratch.path().join("s.sock").display());
        let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--status", &at])?;
        let connect = || net.client.run(|| Client::connect(server.address(), ClientOptions::default()));
        let mut alice = connect()?;
        alice.login("alice", "wonderland")?;
        let _nobody = connect()?;
        poll::until("two sessions", SOON, || {
            Ok((agent.events().count("session_start") == 2 && agent.events().count("login") == 1)
                .then_some(()))
        })?;

        let who = run_ok(Command::new(binary()?).args(["who", "--status", &at, "--width", "120"]))?;
        let row = |text: &str| who.lines().find(|line| line.contains(text)).map(str::to_owned);
        ensure!(who.starts_with("2 of 2 open sessions"), "{who}");
        ensure!(row("alice").is_some_and(|line| line.contains("idle")), "{who}");
        ensure!(row("connected ").is_some(), "{who}");
        let once =
            run_ok(Command::new(binary()?).args(["top", "--once", "--status", &at, "--width", "120"]))?;
        ensure!(once.contains("2 open sessions: 1 connected, 1 idle"), "{once}");

        // The agent goes, and another one comes: it begins in the middle of alice's session.
        let mut top = Command::new(binary()?);
        top.args(["top", "--status", &at, "--batch", "--every", "1", "--width", "120"]);
        let mut top = Running::start(&mut top)?;
        let shows = |text: &str| {
            poll::until(text, SOON, || {
                Ok(top.stdout.all().iter().any(|line| line.contains(text)).then_some(()))
            })
        };
        shows("2 open sessions: 1 connected, 1 idle")?;
        agent.stop()?;
        let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--status", &at])?;
        let mut second = connect()?;
        second.login("alice", "wonderland")?;
        shows("1 open session: 1 idle")?;
        alice.quit()?;
        second.quit()?;
        top.signal(nix::sys::signal::Signal::SIGTERM)?;
        top.wait(SOON)?;
        agent.stop()?;
        Ok(())
    });
}

/// A download of 20 seconds.
const SLOW: &str = "
host one 192.0.2.10
host server 192.0.2.21
open a one:40000 server:21
S: 220 ready
C: USER alice
S: 331 word
C: PASS secret
S: 230 in
C: PASV
S: 227 Entering Passive Mode (192,0,2,21,4,1)
open d one:40001 server:1025
C: RETR big.iso
S: 150 Opening BINARY mode data connection for big.iso (6000 bytes).
send d < bytes 3000
wait 20s
send d < bytes 3000
close d <
S: 226 done
C: QUIT
S: 221 bye
close a <
";

#[test]
fn a_file_that_is_told_again_shows_how_far_a_transfer_is() {
    test("a_file_that_is_told_again_shows_how_far_a_transfer_is", &[Need::Agent], || {
        let scratch = Scratch::new("top-again")?;
        let capture = scratch.write("slow.pcap", script::capture(SLOW)?)?;
        let events =
            scratch.write("slow.jsonl", run_ok(Command::new(binary()?).arg("read").arg(&capture))?)?;
        let tables = |speed: &[&str], file: &Path| {
            let mut top = Command::new(binary()?);
            top.args(["top", "--batch", "--every", "1", "--show", "transfers", "--width", "160"]).args(speed);
            run_ok(top.arg(file))
        };
        // Five seconds, and a table each.
        let told = tables(&["--speed", "4"], &events)?;
        let running = told.lines().filter(|line| line.starts_with("downloading"));
        let percents: Vec<u64> = running
            .filter_map(|line| {
                line.split_whitespace()
                    .find_map(|word| word.strip_prefix('~')?.strip_suffix('%')?.parse().ok())
            })
            .collect();
        ensure!(percents.len() >= 3 && percents.is_sorted(), "{percents:?} of\n{told}");
        ensure!(
            percents.first() < percents.last() && percents.iter().all(|percent| *percent < 100),
            "{percents:?}"
        );
        ensure!(told.contains("~299/s") || told.contains("~300/s"), "{told}");
        // A transfer whose end is not in the file is not foreseen.
        let open: String = std::fs::read_to_string(&events)?
            .lines()
            .filter(|line| !line.contains("\"event\":\"transfer\""))
            .fold(String::new(), |text, line| text + line + "\n");
        let open = scratch.write("open.jsonl", open)?;
        let told = tables(&["--speed", "4"], &open)?;
        ensure!(
            !told.contains('~')
                && told.lines().any(|line| line.starts_with("downloading") && line.contains('?')),
            "{told}"
        );
        Ok(())
    });
}

/// A stream of open sessions, two events each.
fn crowd(sessions: usize) -> String {
    let mut text = String::new();
    for number in 0..sessions {
        let (id, port, host) = (format!("{number:016x}"), 1_024 + number % 60_000, number / 60_000);
        let head = format!(
            "\"run\":\"00000000000000ab\",\"sensor\":\"s\",\"session\":\"{id}\",\"community_id\":\"1:LQU9qZlK+B5F3KDmev6m5PMibrg=\",\
             \"client\":{{\"ip\":\"192.0.2.{host}\",\"port\":{port}}},\"server\":{{\"ip\":\"192.0.2.200\",\"port\":21}}"
        );
        let second = number % 60;
        let ts = format!("2026-01-01T00:00:{second:02}.000000000Z");
        let _ = writeln!(
            text,
            "{{\"ts\":\"{ts}\",\"event\":\"session_start\",\"seq\":{},{head},\"midstream\":false}}",
            number * 2
        );
        let _ = writeln!(
            text,
            "{{\"ts\":\"{ts}\",\"event\":\"command\",\"seq\":{},{head},\"user\":\"u{number}\",\"tx\":1,\"command\":{{\"verb\":\"NOOP\",\"arg\":null,\"truncated\":false,\"malformed\":false}}}}",
            number * 2 + 1
        );
    }
    text
}

/// Processor time of a process so far, in hundredths of a second.
fn ticks(pid: &str) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("no name")?;
    let field = |at: usize| fields.split(' ').nth(at).and_then(|field| field.parse::<u64>().ok());
    // utime and stime, proc_pid_stat(5); a tick is 10 ms on Linux.
    Ok(field(11).context("utime")? + field(12).context("stime")?)
}

#[test]
fn a_hundred_thousand_sessions_cost_less_than_a_fifth_of_a_core() {
    test("a_hundred_thousand_sessions_cost_less_than_a_fifth_of_a_core", &NEEDS, || {
        const SESSIONS: usize = 100_000;
        let scratch = Scratch::new("top-crowd")?;
        let file = scratch.write("events.jsonl", crowd(SESSIONS))?;
        let socket = scratch.path().join("tmux");
        // The stream stays open, so that the clock goes on and every picture differs from the last.
        let pid = scratch.path().join("pid");
        let line = format!(
            "tail -n +1 -f {} | sh -c 'echo $$ > {}; exec {} top -'",
            file.display(),
            pid.display(),
            binary()?.display()
        );
        let screen = Screen::open(&socket, [120, 40], &line)?;
        screen.wait("all sessions", |picture| picture.contains(&format!("{SESSIONS} open sessions")))?;
        let process = std::fs::read_to_string(&pid)?.trim().to_owned();
        // The last rows are sorted by then.
        std::thread::sleep(Duration::from_secs(2));
        let (before, began) = (ticks(&process)?, Instant::now());
        std::thread::sleep(Duration::from_secs(5));
        let share = (ticks(&process)? - before) as f64 / 100.0 / began.elapsed().as_secs_f64();
        println!("100,000 sessions: {:.1} % of a core", share * 100.0);
        ensure!(share < 0.2, "{share:.3} of a core");
        // It still answers at once.
        let began = Instant::now();
        screen.keys(&["/", "user:u99999"])?;
        screen.wait("one of them", |picture| {
            picture.contains("1 of 1 ") || picture.contains("/user:u99999_")
        })?;
        ensure!(began.elapsed() < Duration::from_secs(10), "a key took {:?}", began.elapsed());
        Ok(())
    });
}
