//! Captures of many dialogues in which connections are claimed across pairs of hosts: transfers between two servers, data
//! connections of strangers and of third hosts, ports that two sessions announce; and plain sessions among them.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;

use super::bulk::{self, Dice, Summary, Talk};
use super::capture::Frame;
use super::manner::{Marks, Payload, Way};
use super::scene::Scene;

/// Writes a pcap file of `dialogues` dialogues to `out`. The same number always makes the same bytes.
pub fn write(out: &mut impl Write, dialogues: u64) -> Result<Summary> {
    bulk::write_each(out, dialogues, |number, dice, summary| match number % 8 {
        0 => Mixed::new(number, dice, summary).between_servers(),
        1 => Mixed::new(number, dice, summary).stranger_first(),
        2 => Mixed::new(number, dice, summary).third_host(),
        3 => Mixed::new(number, dice, summary).one_port_twice(),
        _ => bulk::session(number, dice, summary),
    })
}

/// A dialogue of several hosts under way.
struct Mixed<'a> {
    talk: Talk<'a>,
    dice: &'a mut Dice,
    number: u64,
}

impl<'a> Mixed<'a> {
    fn new(number: u64, dice: &'a mut Dice, summary: &'a mut Summary) -> Self {
        let talk = Talk { scene: Scene::default(), marks: Marks::default(), summary };
        Self { talk, dice, number }
    }

    /// A host of this dialogue; no other has it.
    fn host(&self, kind: u8) -> Ipv4Addr {
        let [.., a, b] = self.number.to_be_bytes();
        Ipv4Addr::new(10, 100 + kind, a, b)
    }

    /// One of eight servers.
    fn server(&self, next: u64) -> Ipv4Addr {
        Ipv4Addr::new(192, 0, 2, ((self.number / 8 + next) % 8) as u8 + 1)
    }

    fn port(&mut self) -> u16 {
        30_000 + self.dice.below(30_000) as u16
    }

    fn open(&mut self, name: &str, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> Result<()> {
        let isn = (self.dice.below(1 << 31) as u32, self.dice.below(1 << 31) as u32);
        self.talk.scene.open(name, SocketAddr::from(from), SocketAddr::from(to), isn, &self.talk.marks)
    }

    /// Lines of a control connection by turns, a reply first.
    fn say(&mut self, name: &str, lines: &[&str]) -> Result<()> {
        for line in lines {
            let way = if line.starts_with(|c: char| c.is_ascii_digit()) { Way::Back } else { Way::Forth };
            self.talk.say_on(name, way, (*line).to_owned())?;
        }
        Ok(())
    }

    /// A session begins, of `client` at `server`.
    fn log_in(&mut self, name: &str, client: Ipv4Addr, server: Ipv4Addr) -> Result<()> {
        let port = 20_000 + (self.number % 40_000) as u16;
        self.talk.summary.sessions += 1;
        self.open(name, (client, port), (server, 21))?;
        self.say(name, &["220 ready", "USER mirror", "331 password", "PASS mirror@", "230 welcome"])
    }

    fn log_out(&mut self, name: &str) -> Result<()> {
        self.say(name, &["QUIT", "221 bye"])?;
        self.talk.scene.close(name, Way::Back, &self.talk.marks)
    }

    /// A data connection, all of it: `way` sends.
    fn carry(
        &mut self,
        name: &str,
        from: (Ipv4Addr, u16),
        to: (Ipv4Addr, u16),
        way: Way,
        size: u64,
    ) -> Result<()> {
        self.open(name, from, to)?;
        self.talk.summary.data_bytes += size;
        let Talk { scene, marks, .. } = &mut self.talk;
        scene.send(name, way, &Payload::Pattern(size), marks)?;
        scene.ack(name, way.other(), 0, marks)?;
        scene.close(name, way, marks)
    }

    fn finish(self) -> Vec<Frame> {
        self.talk.scene.finish()
    }

    /// The client has one server listen and the other one connect (RFC 959 section 5.2, figure 2).
    fn between_servers(mut self) -> Result<Vec<Frame>> {
        let (client, listens, connects) = (self.host(0), self.server(0), self.server(1));
        let (port, size) = (self.port(), 500 + self.dice.below(4_000));
        self.log_in("c", client, listens)?;
        self.log_in("s", client, connects)?;
        self.say("c", &["PASV", &format!("227 Entering Passive Mode ({})", commas(listens, port))])?;
        self.say("s", &[&format!("PORT {}", commas(listens, port)), "200 ok"])?;
        self.say("c", &["STOR f"])?;
        self.say("s", &["RETR f"])?;
        self.carry("d", (connects, 20), (listens, port), Way::Forth, size)?;
        for name in ["c", "s"] {
            self.say(name, &["150 go", "226 done"])?;
            self.log_out(name)?;
        }
        Ok(self.finish())
    }

    /// A host that has nothing to do with the session connects to its port before the client does.
    fn stranger_first(mut self) -> Result<Vec<Frame>> {
        let (client, stranger, server) = (self.host(0), self.host(1), self.server(0));
        let (port, size) = (self.port(), 500 + self.dice.below(4_000));
        self.log_in("c", client, server)?;
        self.say("c", &["PASV", &format!("227 Entering Passive Mode ({})", commas(server, port)), "RETR f"])?;
        let bytes = self.dice.below(200);
        self.carry("x", (stranger, 41_000), (server, port), Way::Forth, bytes)?;
        if self.dice.below(3) > 0 {
            self.carry("d", (client, 42_000), (server, port), Way::Back, size)?;
        }
        self.say("c", &["150 go", "226 done"])?;
        self.log_out("c")?;
        Ok(self.finish())
    }

    /// The client has the server connect to a third host.
    fn third_host(mut self) -> Result<Vec<Frame>> {
        let (client, third, server) = (self.host(0), self.host(2), self.server(0));
        let (port, size) = (self.port(), 500 + self.dice.below(4_000));
        self.log_in("c", client, server)?;
        self.say("c", &[&format!("PORT {}", commas(third, port)), "200 ok", "RETR f", "150 go"])?;
        self.carry("d", (server, 20), (third, port), Way::Forth, size)?;
        self.say("c", &["226 done"])?;
        self.log_out("c")?;
        Ok(self.finish())
    }

    /// Sessions of two clients announce one port of the server; a third host connects to it, and both clients do.
    fn one_port_twice(mut self) -> Result<Vec<Frame>> {
        let (clients, third, server) = ([self.host(0), self.host(1)], self.host(2), self.server(0));
        let (port, size) = (self.port(), 500 + self.dice.below(4_000));
        let passive = format!("227 Entering Passive Mode ({})", commas(server, port));
        for (name, client) in ["c", "s"].into_iter().zip(clients) {
            self.log_in(name, client, server)?;
            self.say(name, &["PASV", &passive, "RETR f"])?;
        }
        self.carry("x", (third, 41_000), (server, port), Way::Back, 300)?;
        for (name, client) in ["d", "e"].into_iter().zip(clients) {
            self.carry(name, (client, 42_000), (server, port), Way::Back, size)?;
        }
        for name in ["c", "s"] {
            self.say(name, &["150 go", "226 done"])?;
            self.log_out(name)?;
        }
        Ok(self.finish())
    }
}

/// An endpoint as PORT and 227 have it.
fn commas(ip: Ipv4Addr, port: u16) -> String {
    let [a, b, c, d] = ip.octets();
    format!("{a},{b},{c},{d},{},{}", port >> 8, port & 255)
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn the_same_number_makes_the_same_bytes() {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let summary = write(&mut one, 80).unwrap();
        write(&mut other, 80).unwrap();
        assert!(one == other && summary.file_bytes == one.len() as u64);
        assert_eq!(summary.sessions, 100, "two of eight dialogues have two sessions");
    }
}
