//! Sessions of which random bursts of lines are lost: each data connection is reported once.

use super::{lose, session};
use crate::addr::Endpoint;
use crate::engine::EngineConfig;
use crate::engine::tests::{ACK, Bench, Talk, end, transfers};

/// Milliseconds pass; what is due meanwhile is done on time.
fn pass(bench: &mut Bench, milliseconds: i64) {
    let end = bench.now + milliseconds * 1_000_000;
    while let Some(due) = bench.engine.poll_timeout().filter(|due| due.as_nanos() <= end) {
        bench.engine.handle_timeout(due);
    }
    bench.now = end;
}

/// Numbers that look random: the same from the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// The fate of the data connections of a session.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    connections: usize,
    untold: usize,
    doubled: usize,
    /// Told with another connection's command.
    of_another: usize,
    /// Other connections that were told.
    others: usize,
}

/// A session that talks, and of whose lines bursts are lost.
struct Lossy {
    bench: Bench,
    control: Talk,
    dice: Dice,
    burst: u64,
}

impl Lossy {
    fn line(&mut self, text: &str) {
        if self.burst == 0 && self.dice.below(12) == 0 {
            self.burst = 1 + self.dice.below(12);
        }
        if self.burst > 0 {
            self.burst -= 1;
            lose(&mut self.bench, &mut self.control, &[text]);
        } else {
            self.bench.say(&mut self.control, &[text]);
        }
    }

    /// The announcement of a data connection, its two ends.
    fn announce(&mut self, n: u16, active: bool) -> (Endpoint, Endpoint) {
        let port = FIRST_PORT + n;
        let (high, low) = (port >> 8, port & 255);
        if active {
            self.line(&format!("PORT 192,0,2,1,{high},{low}"));
            self.line("200 PORT command successful.");
            (end(2, 20), end(1, port))
        } else {
            self.line("PASV");
            self.line(&format!("227 Entering Passive Mode (192,0,2,2,{high},{low})."));
            (end(1, 41_000 + n), end(2, port))
        }
    }

    /// A transfer, active or passive, up or down, its connection before the command or behind it; beside it a web server.
    fn transfer(&mut self, n: u16) {
        let [active, upload, early, web] = core::array::from_fn(|_| self.dice.below(2) == 1);
        let (from, to) = self.announce(n, active);
        let opened = (early && !active).then(|| self.bench.connect(from, to));
        self.line(&format!("{} {}", if upload { "STOR" } else { "RETR" }, FIRST_PORT + n));
        let mut data = opened.unwrap_or_else(|| self.bench.connect(from, to));
        self.line("150 Opening data connection.");
        self.bench.send(&mut data, upload != active, ACK, b"some bytes");
        if web {
            let mut web = self.bench.connect(end(1, 45_000 + n), end(2, 8_080));
            self.bench.send(&mut web, true, ACK, b"GET / HTTP/1.1\r\n\r\n");
            self.bench.send(&mut web, false, ACK, b"HTTP/1.1 200 OK\r\n\r\n");
            self.bench.close(&mut web);
        }
        self.bench.close(&mut data);
        self.line("226 Transfer complete.");
        let pause = i64::try_from(self.dice.below(3_000)).unwrap();
        pass(&mut self.bench, pause);
    }
}

const FIRST_PORT: u16 = 30_000;
const TRANSFERS: u16 = 20;

fn lossy(seed: u64, config: EngineConfig, count: &mut Count) {
    let mut bench = Bench::new(config);
    let control = session(&mut bench, 40_000);
    let mut talk = Lossy { bench, control, dice: Dice(seed), burst: 0 };
    for n in 0..TRANSFERS {
        talk.transfer(n);
    }
    let Lossy { mut bench, mut control, .. } = talk;
    bench.say(&mut control, &["QUIT", "221 Goodbye."]);
    bench.close(&mut control);
    let events = bench.finish();
    let mut told = [0; TRANSFERS as usize];
    for it in transfers(&events) {
        let Some(data) = it.data.as_ref().filter(|data| data.listener.is_some()) else { continue };
        let port = data.announced.port;
        match told.get_mut(usize::from(port.wrapping_sub(FIRST_PORT))) {
            Some(times) => *times += 1,
            None => count.others += 1,
        }
        let arg = it.transfer.arg.as_ref();
        count.of_another += usize::from(arg.is_some_and(|arg| arg.as_str() != port.to_string()));
    }
    count.connections += told.len();
    count.untold += told.iter().filter(|times| **times == 0).count();
    count.doubled += told.iter().filter(|times| **times > 1).count();
}

#[test]
fn whatever_is_lost_each_connection_is_told_once() {
    let limits = crate::engine::Limits::UNHURRIED;
    let file = EngineConfig { limits, detect_by_content: true, ..EngineConfig::default() };
    let mut count = Count::default();
    for seed in 0..200 {
        lossy(seed, EngineConfig::default(), &mut count);
        lossy(seed, file.clone(), &mut count);
    }
    let Count { connections, untold, doubled, of_another, others } = count;
    assert_eq!((connections, untold, doubled, others), (8_000, 0, 0, 0));
    // Where a command alone is left of one transfer, and a connection alone of the next.
    assert!(of_another <= 40, "{of_another}");
}
