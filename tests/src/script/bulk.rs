//! Captures of many sessions, for measuring: realistic dialogue, data connections included, straight to a writer.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;

use super::capture::{Frame, Style};
use super::manner::{Marks, Payload, Way};
use super::scene::{START_NS, Scene};

/// Sessions that are alive at the same time, their packets shuffled.
const LIVE: usize = 64;
/// Time between two packets of the capture.
const STEP_NS: u64 = 20_000;

/// The content of a generated capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Control connections.
    pub sessions: u64,
    /// Packets of any kind.
    pub packets: u64,
    /// Packets of control connections that carry payload.
    pub control_messages: u64,
    /// Commands.
    pub commands: u64,
    /// Replies.
    pub replies: u64,
    /// Payload bytes of the data connections.
    pub data_bytes: u64,
    /// Size of the file.
    pub file_bytes: u64,
}

/// Numbers without pattern, the same ones every time (xorshift64*).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let at = self.below(choices.len() as u64) as usize;
        choices.get(at).copied().unwrap_or_default()
    }
}

/// Writes a pcap file of `sessions` sessions to `out`: about 41 packets and 19 control messages a session. The same
/// number of sessions always makes the same bytes.
pub fn write(out: &mut impl Write, sessions: u64) -> Result<Summary> {
    write_each(out, sessions, session)
}

/// Likewise, of whatever `dialogue` makes: the frames of the connections that belong together, `dialogues` times.
pub(super) fn write_each(
    out: &mut impl Write,
    dialogues: u64,
    dialogue: impl Fn(u64, &mut Dice, &mut Summary) -> Result<Vec<Frame>>,
) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let style = Style { link: 1, ..Style::default() };
    let header = style.write(&[]);
    out.write_all(&header)?;
    summary.file_bytes += header.len() as u64;
    let mut at_ns = START_NS;
    let mut next = 0;
    let mut live: Vec<std::vec::IntoIter<Frame>> = Vec::with_capacity(LIVE);
    loop {
        while live.len() < LIVE && next < dialogues {
            live.push(dialogue(next, &mut dice, &mut summary)?.into_iter());
            next += 1;
        }
        if live.is_empty() {
            break;
        }
        let turn = dice.below(live.len() as u64) as usize;
        // A few packets of one session in a row, as they come on a real wire.
        for _ in 0..=dice.below(3) {
            let Some(mut frame) = live.get_mut(turn).and_then(Iterator::next) else {
                live.swap_remove(turn);
                break;
            };
            at_ns += STEP_NS;
            frame.at_ns = at_ns;
            summary.packets += 1;
            summary.file_bytes += frame.bytes.len() as u64 + 16;
            record(out, &frame)?;
        }
    }
    Ok(summary)
}

fn record(out: &mut impl Write, frame: &Frame) -> io::Result<()> {
    let fraction = frame.at_ns % 1_000_000_000 / 1_000;
    let fields = [frame.at_ns / 1_000_000_000, fraction, frame.bytes.len() as u64, frame.wire_len as u64];
    for field in fields {
        out.write_all(&(field as u32).to_le_bytes())?;
    }
    out.write_all(&frame.bytes)
}

/// The announcement of a session's data connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Setup {
    Pasv,
    Epsv,
    Port,
    Eprt,
}

/// Connections under way.
pub(super) struct Talk<'a> {
    pub(super) scene: Scene,
    pub(super) marks: Marks,
    pub(super) summary: &'a mut Summary,
}

impl Talk<'_> {
    fn say(&mut self, way: Way, text: String) -> Result<()> {
        self.say_on("c", way, text)
    }

    /// A line of the control connection `name`.
    pub(super) fn say_on(&mut self, name: &str, way: Way, text: String) -> Result<()> {
        match way {
            Way::Forth => self.summary.commands += 1,
            Way::Back => self.summary.replies += 1,
        }
        self.summary.control_messages += 1;
        self.scene.send(name, way, &Payload::Bytes((text + "\r\n").into_bytes()), &self.marks)
    }

    fn ask(&mut self, command: String, reply: String) -> Result<()> {
        self.say(Way::Forth, command)?;
        self.say(Way::Back, reply)
    }
}

/// The frames of session `number`.
pub(super) fn session(number: u64, dice: &mut Dice, summary: &mut Summary) -> Result<Vec<Frame>> {
    summary.sessions += 1;
    let setup = match dice.below(20) {
        0..12 => Setup::Pasv,
        12..17 => Setup::Epsv,
        17..19 => Setup::Port,
        _ => Setup::Eprt,
    };
    let six = matches!(setup, Setup::Epsv | Setup::Eprt) && dice.below(2) == 0;
    let (client_ip, server_ip) = addresses(number, six);
    let client = SocketAddr::new(client_ip, 20_000 + (number % 40_000) as u16);
    let server = SocketAddr::new(server_ip, 21);
    let marks = Marks::default();
    let mut talk = Talk { scene: Scene::default(), marks: marks.clone(), summary };
    let isn = (dice.below(1 << 31) as u32, dice.below(1 << 31) as u32);
    talk.scene.open("c", client, server, isn, &marks)?;
    talk.say(Way::Back, "220 ProFTPD Server (files.example.net) ready.".to_owned())?;
    talk.scene.ack("c", Way::Forth, 0, &marks)?;
    let user = dice.one_of(&["anonymous", "mirror", "backup", "alice", "bob.miller"]);
    talk.ask(format!("USER {user}"), format!("331 Password required for {user}"))?;
    talk.ask(format!("PASS secret{number}"), format!("230 User {user} logged in"))?;
    talk.scene.ack("c", Way::Forth, 0, &marks)?;
    if dice.below(5) < 3 {
        talk.ask("SYST".to_owned(), "215 UNIX Type: L8".to_owned())?;
    }
    talk.ask("PWD".to_owned(), "257 \"/\" is the current directory".to_owned())?;
    talk.scene.ack("c", Way::Forth, 0, &marks)?;
    let directory = dice.one_of(&["pub", "incoming", "releases/2026", "data/orders", "logs"]);
    talk.ask(format!("CWD {directory}"), "250 CWD command successful".to_owned())?;
    talk.ask("TYPE I".to_owned(), "200 Type set to I".to_owned())?;

    let listens = matches!(setup, Setup::Pasv | Setup::Epsv);
    let listener =
        SocketAddr::new(if listens { server_ip } else { client_ip }, 30_000 + dice.below(30_000) as u16);
    let commas = |end: SocketAddr| {
        let port = end.port();
        format!("{},{},{}", end.ip().to_string().replace('.', ","), port >> 8, port & 255)
    };
    let (command, reply) = match setup {
        Setup::Pasv => ("PASV".to_owned(), format!("227 Entering Passive Mode ({}).", commas(listener))),
        Setup::Epsv => {
            ("EPSV".to_owned(), format!("229 Entering Extended Passive Mode (|||{}|)", listener.port()))
        }
        Setup::Port => (format!("PORT {}", commas(listener)), "200 PORT command successful".to_owned()),
        Setup::Eprt => (
            format!("EPRT |{}|{}|{}|", if six { 2 } else { 1 }, listener.ip(), listener.port()),
            "200 EPRT command successful".to_owned(),
        ),
    };
    talk.ask(command, reply)?;
    talk.scene.ack("c", Way::Forth, 0, &marks)?;

    let size = 600 + dice.below(6_000);
    let upload = dice.below(4) == 0;
    let (verb, file) = (if upload { "STOR" } else { "RETR" }, format!("report-{number:06}.csv"));
    talk.say(Way::Forth, format!("{verb} {file}"))?;
    let (from, port) = if listens { (client_ip, 40_000 + (number % 20_000) as u16) } else { (server_ip, 20) };
    let isn = (dice.below(1 << 31) as u32, dice.below(1 << 31) as u32);
    talk.scene.open("d", SocketAddr::new(from, port), listener, isn, &marks)?;
    talk.say(Way::Back, format!("150 Opening BINARY mode data connection for {file} ({size} bytes)"))?;
    let way = if listens == upload { Way::Forth } else { Way::Back };
    talk.scene.send("d", way, &Payload::Pattern(size), &marks)?;
    talk.summary.data_bytes += size;
    talk.scene.ack("c", Way::Forth, 0, &marks)?;
    talk.scene.ack("d", way.other(), 0, &marks)?;
    talk.scene.close("d", way, &marks)?;
    talk.say(Way::Back, "226 Transfer complete".to_owned())?;
    talk.scene.ack("c", Way::Forth, 0, &marks)?;
    talk.ask("QUIT".to_owned(), "221 Goodbye.".to_owned())?;
    talk.scene.close("c", Way::Back, &marks)?;
    Ok(talk.scene.finish())
}

/// Client and server of session `number`: one client in 10.0.0.0/8 (or 2001:db8:1::/48) to one of eight servers.
fn addresses(number: u64, six: bool) -> (IpAddr, IpAddr) {
    let [.., a, b, c] = (number + 1).to_be_bytes();
    let server = (number % 8) as u8 + 1;
    if six {
        let client = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, u16::from(a), u16::from_be_bytes([b, c]));
        (client.into(), Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, u16::from(server)).into())
    } else {
        (Ipv4Addr::new(10, a, b, c).into(), Ipv4Addr::new(192, 0, 2, server).into())
    }
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn sessions_have_the_size_of_the_reference_capture() {
        let mut file = Vec::new();
        let summary = write(&mut file, 1_000).unwrap();
        assert_eq!(summary.file_bytes, file.len() as u64);
        let per_session = |n: u64| n as f64 / 1_000.0;
        assert!((40.0..42.5).contains(&per_session(summary.packets)), "{summary:?}");
        assert!((18.9..19.5).contains(&per_session(summary.control_messages)), "{summary:?}");
        assert!((6_500.0..7_500.0).contains(&per_session(summary.file_bytes)), "{summary:?}");
        let mut again = Vec::new();
        write(&mut again, 1_000).unwrap();
        assert!(file == again);
    }
}
