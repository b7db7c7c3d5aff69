//! Sessions that exchange numbered commands and replies without end, for whoever begins or ends watching in their midst.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::events::Events;
use crate::net::{Direct, Family, Namespace};

/// The pause of a session between a reply and the next command.
const PAUSE: Duration = Duration::from_millis(1);

/// Sessions in the background; they end when it is dropped.
#[derive(Debug)]
pub struct Chatter {
    address: SocketAddr,
    client: Namespace,
    over: Arc<AtomicBool>,
    commands: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Chatter {
    /// Starts a server on the control port of one host of a wire and `sessions` clients on the other, and returns when each has logged in.
    ///
    /// # Errors
    /// The address cannot be listened on, or a client does not connect.
    pub fn start(net: &Direct, sessions: usize) -> Result<Self> {
        let (server, client) = (&net.server, &net.client);
        let address = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        let listener = server.run(|| TcpListener::bind(address).context("cannot listen"))?;
        let over = Arc::new(AtomicBool::new(false));
        let accepting = Arc::clone(&over);
        let mut threads = vec![thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if accepting.load(Ordering::Relaxed) {
                    break;
                }
                // A client that left has ended its session.
                thread::spawn(move || answer(&stream));
            }
        })];
        let commands = Arc::new(AtomicU64::new(0));
        for _ in 0..sessions {
            let mut talk = client.run(|| Talk::connect(address))?;
            let (over, commands) = (Arc::clone(&over), Arc::clone(&commands));
            threads.push(thread::spawn(move || {
                let mut number = 0_u64;
                while !over.load(Ordering::Relaxed) && talk.say(&format!("NOOP {number}")).is_ok() {
                    number += 1;
                    commands.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(PAUSE);
                }
            }));
        }
        Ok(Self { address, client: client.clone(), over, commands, threads })
    }

    /// Commands that were answered so far.
    pub fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// One more session: a login, a few commands and an end.
    ///
    /// # Errors
    /// The server did not answer.
    pub fn visit(&self) -> Result<()> {
        self.client.run(|| {
            let mut talk = Talk::connect(self.address)?;
            (0..10).try_for_each(|number| talk.say(&format!("NOOP {number}")))?;
            talk.say("QUIT")
        })
    }
}

impl Drop for Chatter {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // The listener's thread waits for a connection.
        let _ = self.client.run(|| Ok(TcpStream::connect(self.address)?));
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Answers each command with its own argument.
fn answer(stream: &TcpStream) -> Option<()> {
    let mut writer = stream;
    writer.write_all(b"220 ready\r\n").ok()?;
    for line in BufReader::new(stream).lines() {
        let line = line.ok()?;
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let code = match verb {
            "USER" => 331,
            "PASS" => 230,
            "QUIT" => 221,
            _ => 200,
        };
        writer.write_all(format!("{code} {argument}\r\n").as_bytes()).ok()?;
    }
    Some(())
}

/// A client's end.
struct Talk {
    replies: BufReader<TcpStream>,
}

impl Talk {
    fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("cannot connect")?;
        stream.set_nodelay(true)?;
        let mut talk = Self { replies: BufReader::new(stream) };
        talk.reply()?;
        talk.say("USER alice")?;
        talk.say("PASS secret")?;
        Ok(talk)
    }

    fn say(&mut self, line: &str) -> Result<()> {
        self.replies.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> Result<()> {
        let mut line = String::new();
        ensure!(self.replies.read_line(&mut line)? > 0, "the server closed");
        Ok(())
    }
}

/// Checks that nothing is missing in the midst of what was seen of each session: numbers follow one another in each direction,
/// no gap was told, and a session whose handshake was not seen is `midstream`.
///
/// # Errors
/// The first session of which something is missing.
pub fn check(events: &Events) -> Result<()> {
    ensure!(
        events.count("gap") == 0,
        "{} gaps, the first: {:?}",
        events.count("gap"),
        events.of("gap").first()
    );
    for session in events.sessions() {
        let start = session.last("session_start").context("no session_start")?;
        let midstream = start.0.pointer("/midstream").and_then(serde_json::Value::as_bool);
        let seen = start.has("/handshake/syn") || start.has("/handshake/syn_ack_us");
        ensure!(midstream == Some(!seen), "handshake seen: {seen}: {start:?}");
        let number = |text: &str| text.parse::<u64>().ok();
        let commands = session.commands();
        let commands: Vec<u64> =
            commands.iter().filter_map(|line| number(line.strip_prefix("NOOP ")?)).collect();
        let replies: Vec<u64> = session.replies().iter().filter_map(|(_, text)| number(text)).collect();
        for numbers in [&commands, &replies] {
            let follow = numbers.iter().zip(numbers.iter().skip(1)).all(|(one, next)| *next == one + 1);
            ensure!(follow, "numbers are missing: {numbers:?}");
        }
        // The first reply may be of a command that was not seen, the last command may have its reply behind the end.
        let near = |one: Option<&u64>, other: Option<&u64>| {
            one.zip(other).is_none_or(|(one, other)| one.abs_diff(*other) <= 1)
        };
        ensure!(near(commands.first(), replies.first()), "{commands:?} {replies:?}");
        ensure!(near(commands.last(), replies.last()), "{commands:?} {replies:?}");
    }
    Ok(())
}
