//! A valid session, and its capture cut, doubled and shuffled: the ground of the property that none of that changes what
//! was said.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;

use super::capture::Frame;
use super::manner::{Marks, Payload, STEP_NS, Way};
use super::scene::Scene;

/// The announcement of a transfer's data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// PASV.
    Pasv,
    /// EPSV.
    Epsv,
    /// PORT.
    Port,
    /// EPRT.
    Eprt,
}

/// One thing that a client does.
#[derive(Clone, Debug)]
pub enum Act {
    /// A command and its reply, which may have several lines joined by CRLF.
    Ask(String, String),
    /// Several commands before the first reply.
    Pipeline(Vec<(String, String)>),
    /// A download or upload of so many bytes.
    Transfer {
        /// The announcement of the data connection.
        setup: Setup,
        /// From client to server.
        upload: bool,
        /// Payload bytes.
        bytes: u64,
    },
}

/// The cuts of each payload: the lengths of its segments are taken from here in turn.
#[derive(Clone, Debug)]
pub struct Cuts(pub Vec<usize>);

struct Stage<'a> {
    scene: Scene,
    cuts: &'a Cuts,
    turn: usize,
    ends: (IpAddr, IpAddr),
    transfers: u16,
}

impl Stage<'_> {
    fn say(&mut self, way: Way, text: &str) -> Result<()> {
        let bytes = format!("{text}\r\n").into_bytes();
        let mut cuts = Vec::new();
        let mut at = 0;
        while !self.cuts.0.is_empty() && at < bytes.len() {
            at += self.cuts.0.get(self.turn % self.cuts.0.len()).copied().unwrap_or(1).max(1);
            self.turn += 1;
            cuts.push(at);
        }
        // A line ends at the same time however it is cut, so that what a timer decides is the same.
        let segments = cuts.len().max(1) as u64;
        self.scene.manner.step_ns = STEP_NS / segments;
        self.scene.clock_ns += STEP_NS % segments;
        self.scene.send("c", way, &Payload::Bytes(bytes), &Marks { cuts, ..Marks::default() })?;
        self.scene.manner.step_ns = STEP_NS;
        Ok(())
    }

    fn act(&mut self, act: &Act) -> Result<()> {
        match act {
            Act::Ask(command, reply) => {
                self.say(Way::Forth, command)?;
                self.say(Way::Back, reply)
            }
            Act::Pipeline(asked) => {
                asked.iter().try_for_each(|(command, _)| self.say(Way::Forth, command))?;
                asked.iter().try_for_each(|(_, reply)| self.say(Way::Back, reply))
            }
            Act::Transfer { setup, upload, bytes } => self.transfer(*setup, *upload, *bytes),
        }
    }

    fn transfer(&mut self, setup: Setup, upload: bool, bytes: u64) -> Result<()> {
        self.transfers += 1;
        let number = self.transfers;
        let (client, server) = self.ends;
        let listens = matches!(setup, Setup::Pasv | Setup::Epsv);
        let listener = SocketAddr::new(if listens { server } else { client }, 50_000 + number);
        // EPRT and EPSV stand in for what IPv4 alone can say.
        let six = client.is_ipv6();
        let commas = format!(
            "{},{},{}",
            listener.ip().to_string().replace('.', ","),
            listener.port() >> 8,
            listener.port() & 255
        );
        match (listens, six || matches!(setup, Setup::Epsv | Setup::Eprt)) {
            (true, false) => {
                self.say(Way::Forth, "PASV")?;
                self.say(Way::Back, &format!("227 Entering Passive Mode ({commas})"))?;
            }
            (true, true) => {
                self.say(Way::Forth, "EPSV")?;
                self.say(
                    Way::Back,
                    &format!("229 Entering Extended Passive Mode (|||{}|)", listener.port()),
                )?;
            }
            (false, false) => {
                self.say(Way::Forth, &format!("PORT {commas}"))?;
                self.say(Way::Back, "200 PORT command successful")?;
            }
            (false, true) => {
                let family = if six { 2 } else { 1 };
                self.say(Way::Forth, &format!("EPRT |{family}|{}|{}|", listener.ip(), listener.port()))?;
                self.say(Way::Back, "200 EPRT command successful")?;
            }
        }
        let verb = if upload { "STOR" } else { "RETR" };
        self.say(Way::Forth, &format!("{verb} file-{number}"))?;
        let from =
            if listens { SocketAddr::new(client, 41_000 + number) } else { SocketAddr::new(server, 20) };
        let name = format!("d{number}");
        let marks = Marks::default();
        self.scene.open(&name, from, listener, (7_000_000, 9_000_000), &marks)?;
        self.say(Way::Back, "150 Opening data connection")?;
        let way = if listens == upload { Way::Forth } else { Way::Back };
        self.scene.send(&name, way, &Payload::Pattern(bytes), &marks)?;
        self.scene.close(&name, way, &marks)?;
        self.say(Way::Back, "226 Transfer complete")
    }
}

/// The frames of a whole session of these acts, every control line cut as `cuts` says; over IPv6 where `six` is set.
pub fn frames(acts: &[Act], cuts: &Cuts, six: bool) -> Result<Vec<Frame>> {
    let ends: (IpAddr, IpAddr) = if six {
        let end = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into();
        (end(0x10), end(0x21))
    } else {
        (Ipv4Addr::new(192, 0, 2, 10).into(), Ipv4Addr::new(192, 0, 2, 21).into())
    };
    let mut stage = Stage { scene: Scene::default(), cuts, turn: 0, ends, transfers: 0 };
    let (client, server) = (SocketAddr::new(ends.0, 40_000), SocketAddr::new(ends.1, 21));
    // The client's sequence numbers pass 2^32 in mid-dialogue.
    stage.scene.open("c", client, server, (u32::MAX - 20, 5_000), &Marks::default())?;
    stage.say(Way::Back, "220 ready")?;
    for (command, reply) in [("USER alice", "331 Password required"), ("PASS secret", "230 Logged in")] {
        stage.say(Way::Forth, command)?;
        stage.say(Way::Back, reply)?;
    }
    acts.iter().try_for_each(|act| stage.act(act))?;
    stage.say(Way::Forth, "QUIT")?;
    stage.say(Way::Back, "221 Goodbye")?;
    stage.scene.close("c", Way::Back, &Marks::default())?;
    Ok(stage.scene.finish())
}

/// The same frames as a worse network shows them. `fates` has two numbers a frame: how many places it is late, and how
/// many places later a second copy of it comes (0: none does). A frame has the time of its place, and a nanosecond more
/// for each that came to this place before it.
pub fn shuffled(frames: &[Frame], fates: impl Iterator<Item = (usize, usize)>) -> Vec<Frame> {
    let mut placed: Vec<(usize, Frame)> = Vec::with_capacity(frames.len());
    for ((place, frame), (late, copy)) in frames.iter().enumerate().zip(fates) {
        placed.push((place + late, frame.clone()));
        if copy > 0 {
            placed.push((place + late + copy, frame.clone()));
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    let times: Vec<u64> = frames.iter().map(|frame| frame.at_ns).collect();
    let end = times.last().copied().unwrap_or_default();
    let mut last = 0;
    for (place, frame) in &mut placed {
        let behind_the_end = (*place + 1).saturating_sub(times.len()) as u64;
        let at_ns = times.get(*place).copied().unwrap_or(end + behind_the_end * STEP_NS);
        frame.at_ns = at_ns.max(last + 1);
        last = frame.at_ns;
    }
    placed.into_iter().map(|(_, frame)| frame).collect()
}
