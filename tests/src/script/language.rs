//! The script language: text to capture. The module above documents it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result, bail};

use super::capture::{Container, Frame, Style};
use super::manner::{Lost, Marks, Payload, Way};
use super::repeat;
use super::scene::Scene;
use super::text::unescape;
use super::tls;
use super::wire::protocol;
use super::wrap::{Link, Wrap};

/// The bytes of the capture file that `script` describes. An error names the line.
pub fn capture(script: &str) -> Result<Vec<u8>> {
    let Play { mut style, scene, .. } = played(script)?;
    style.link = scene.manner.link.number();
    style.snap_len = scene.manner.snap_len as u32;
    Ok(style.write(&scene.finish()))
}

/// The frames of that capture.
pub fn frames(script: &str) -> Result<Vec<Frame>> {
    Ok(played(script)?.scene.finish())
}

fn played(script: &str) -> Result<Play> {
    let mut play = Play::default();
    for (number, line) in repeat::statements(script)? {
        play.statement(&line).with_context(|| format!("line {number}: {line}"))?;
    }
    Ok(play)
}

#[derive(Default)]
struct Play {
    style: Style,
    scene: Scene,
    hosts: BTreeMap<String, IpAddr>,
    /// The connection that `C:` and `S:` mean.
    control: Option<String>,
    /// Distinguishes the initial sequence numbers of connections that name none.
    opened: u32,
}

impl Play {
    fn statement(&mut self, line: &str) -> Result<()> {
        let (marks, line) = marks(line)?;
        let (word, rest) = word(line);
        match word {
            "C:" | "S:" | "C!" | "S!" => {
                let mut bytes = unescape(rest)?;
                if word.ends_with(':') {
                    bytes.extend(b"\r\n");
                }
                let way = if word.starts_with('C') { Way::Forth } else { Way::Back };
                let name = self.control.clone().context("no connection is open")?;
                self.scene.send(&name, way, &Payload::Bytes(bytes), &marks)
            }
            "use" => {
                self.control = Some(rest.to_owned());
                Ok(())
            }
            "host" => {
                let (name, address) = word_pair(rest)?;
                let address = address.parse().with_context(|| format!("{address:?} is no address"))?;
                self.hosts.insert(name.to_owned(), address);
                Ok(())
            }
            "open" | "place" | "data" => self.connection(word, rest, &marks),
            "syn" => self.scene.syn(rest, &marks),
            "syn-ack" => self.scene.syn_ack(rest, &marks),
            "ack" | "fin" | "rst" | "close" | "keep-alive" | "skip" | "send" | "again" | "hello"
            | "record" => {
                let (name, rest) = self::word(rest);
                let (way, rest) = self::word(rest);
                self.act(word, name, way_of(way)?, rest, &marks)
            }
            _ => self.set(word, rest),
        }
    }

    /// A statement about one direction of a connection.
    fn act(&mut self, verb: &str, name: &str, way: Way, rest: &str, marks: &Marks) -> Result<()> {
        let scene = &mut self.scene;
        match verb {
            "ack" => scene.ack(name, way, if rest.is_empty() { 0 } else { number(rest)? }, marks),
            "fin" => scene.fin(name, way, marks),
            "rst" => scene.rst(name, way, if rest.is_empty() { 0 } else { number(rest)? }, marks),
            "close" => scene.close(name, way, marks),
            "keep-alive" => scene.keep_alive(name, way, marks),
            "skip" => scene.skip(name, way, number(rest)?),
            "again" => {
                let other = if rest.is_empty() { None } else { Some(unescape(rest)?) };
                scene.again(name, way, other, marks)
            }
            "send" => scene.send(name, way, &payload(rest)?, marks),
            "hello" => {
                let hello = match way {
                    Way::Forth => {
                        let (name, protocols) = rest.split_once("alpn ").unwrap_or((rest, "ftp"));
                        tls::client_hello(name.trim(), &protocols.split(' ').collect::<Vec<_>>())
                    }
                    Way::Back => {
                        let (version, cipher) = word(rest);
                        let cipher =
                            (!cipher.is_empty()).then(|| u16::from_str_radix(cipher, 16)).transpose()?;
                        tls::server_hello(version, cipher)?
                    }
                };
                scene.send(name, way, &Payload::Bytes(hello), marks)
            }
            "record" => {
                let record = tls::application_data(number(rest)?);
                scene.send(name, way, &Payload::Bytes(record), marks)
            }
            _ => bail!("unknown statement {verb:?}"),
        }
    }

    /// `open`, `place` and `data`, which name both ends.
    fn connection(&mut self, verb: &str, rest: &str, marks: &Marks) -> Result<()> {
        let (name, rest) = word(rest);
        let (from, rest) = word(rest);
        let (to, mut rest) = word(rest);
        let (from, to) = (self.end(from)?, self.end(to)?);
        self.opened += 1;
        let mut isn = (self.opened * 1_000_000, self.opened * 1_000_000 + 500_000);
        if let Some(numbers) = rest.strip_prefix("isn ") {
            let (forth, after) = word(numbers);
            let (back, after) = word(after);
            isn = (number(forth)?, number(back)?);
            rest = after;
        }
        if verb == "data" {
            let (way, rest) = word(rest);
            let way = way_of(way)?;
            self.scene.open(name, from, to, isn, marks)?;
            self.scene.send(name, way, &payload(rest)?, marks)?;
            return self.scene.close(name, way, marks);
        }
        if !rest.is_empty() {
            bail!("{rest:?} is too much");
        }
        if self.control.is_none() {
            self.control = Some(name.to_owned());
        }
        if verb == "place" {
            self.scene.place(name, from, to, isn)
        } else {
            self.scene.open(name, from, to, isn, marks)
        }
    }

    /// A statement about the setting.
    fn set(&mut self, verb: &str, rest: &str) -> Result<()> {
        let manner = &mut self.scene.manner;
        match verb {
            "capture" => {
                for word in rest.split_whitespace() {
                    match word {
                        "pcap" => self.style.container = Container::Pcap,
                        "pcapng" => self.style.container = Container::PcapNg,
                        "be" => self.style.big_endian = true,
                        "ns" => self.style.nanoseconds = true,
                        _ => bail!("unknown style {word:?}"),
                    }
                }
            }
            "link" => {
                manner.link = match rest {
                    "ethernet" => Link::Ethernet,
                    "raw" => Link::Raw,
                    "sll" => Link::Cooked,
                    "sll2" => Link::Cooked2,
                    "null" => Link::Null,
                    "loop" => Link::Loop,
                    _ => bail!("unknown link layer {rest:?}"),
                }
            }
            "interface" => {
                self.style.interfaces.push(rest.to_owned());
                manner.interface = self.style.interfaces.len() - 1;
            }
            "also" if rest == "off" => manner.also = None,
            "also" => {
                self.style.interfaces.push(rest.to_owned());
                manner.also = Some(self.style.interfaces.len() - 1);
            }
            "snap" => manner.snap_len = number(rest)?,
            "segment" => manner.segment = number(rest)?,
            "fragment" => manner.fragment = number(rest)?,
            "step" => manner.step_ns = time(rest)?,
            "wait" => self.scene.clock_ns += time(rest)?,
            "pad" => manner.pad = switch(rest)?,
            "ip-options" => manner.ipv4_options = switch(rest)?,
            "see" => manner.only = if rest == "both" { None } else { Some(way_of(rest)?) },
            "wrap" => manner.wraps = wraps(rest)?,
            "extensions" => {
                let kind = |word| {
                    Ok(match word {
                        "hop" => protocol::HOP_BY_HOP,
                        "dest" => protocol::DESTINATION,
                        "route" => protocol::ROUTING,
                        "fragment" => protocol::FRAGMENT,
                        _ => bail!("unknown extension header {word:?}"),
                    })
                };
                manner.extensions = rest.split_whitespace().map(kind).collect::<Result<_>>()?;
            }
            _ => bail!("unknown statement {verb:?}"),
        }
        Ok(())
    }

    /// `HOST:PORT`.
    fn end(&self, text: &str) -> Result<SocketAddr> {
        let (host, port) = text.rsplit_once(':').with_context(|| format!("{text:?} is no HOST:PORT"))?;
        let ip = self.hosts.get(host).with_context(|| format!("no host is called {host:?}"))?;
        Ok(SocketAddr::new(*ip, number(port)?))
    }
}

/// The first word and what follows it.
fn word(text: &str) -> (&str, &str) {
    match text.split_once(' ') {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

fn word_pair(text: &str) -> Result<(&str, &str)> {
    text.split_once(' ').with_context(|| format!("two words are wanted, not {text:?}"))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.replace('_', "").parse().ok().with_context(|| format!("{text:?} is no number in range"))
}

fn switch(text: &str) -> Result<bool> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => bail!("on or off, not {text:?}"),
    }
}

fn way_of(text: &str) -> Result<Way> {
    match text {
        ">" => Ok(Way::Forth),
        "<" => Ok(Way::Back),
        _ => bail!("a direction is > or <, not {text:?}"),
    }
}

fn time(text: &str) -> Result<u64> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let scale: u64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => bail!("{text:?} is no time"),
    };
    Ok(number::<u64>(text.strip_suffix(unit).unwrap_or_default())? * scale)
}

fn payload(text: &str) -> Result<Payload> {
    match word(text) {
        ("text", text) => Ok(Payload::Bytes(unescape(text)?)),
        ("bytes", len) => Ok(Payload::Pattern(number(len)?)),
        _ => bail!("payload is `text TEXT` or `bytes N`, not {text:?}"),
    }
}

fn wraps(text: &str) -> Result<Vec<Wrap>> {
    let mut words = text.split_whitespace();
    let mut wraps = Vec::new();
    while let Some(word) = words.next() {
        let mut argument = || words.next().with_context(|| format!("{word} wants a number"));
        wraps.push(match word {
            "vlan" => Wrap::Vlan(number(argument()?)?),
            "svlan" => Wrap::ServiceVlan(number(argument()?)?),
            "pppoe" => Wrap::Pppoe(number(argument()?)?),
            "mpls" => Wrap::Mpls(number(argument()?)?),
            "vxlan" => Wrap::Vxlan(number(argument()?)?),
            "gre" => Wrap::Gre,
            "ipip" => Wrap::IpInIp,
            _ => bail!("unknown layer {word:?}"),
        });
    }
    Ok(wraps)
}

/// The marks at the beginning of a line, and the statement after them.
fn marks(mut line: &str) -> Result<(Marks, &str)> {
    let mut marks = Marks::default();
    while let Some(rest) = line.strip_prefix('[') {
        let (mark, rest) = rest.split_once(']').context("a mark wants its ]")?;
        line = rest.trim_start();
        match word(mark) {
            ("lost", "") => marks.lost = Lost::All,
            ("lost", nth) => marks.lost = Lost::Nth(number(nth)?),
            ("twice", "") => marks.twice = true,
            ("late", others) => marks.late = number::<usize>(others)?.max(1),
            ("reversed", "") => marks.reversed = true,
            ("urgent", "") => marks.urgent = true,
            ("blind", less) => marks.blind = number(less)?,
            ("cut", places) => {
                marks.cuts = places.split_whitespace().map(number).collect::<Result<_>>()?;
            }
            _ => bail!("unknown mark {mark:?}"),
        }
    }
    Ok((marks, line))
}

#[cfg(test)]
mod tests {
    use super::capture;

    const HEAD: &str = "host c 192.0.2.1\nhost s 192.0.2.2\nhost c6 2001:db8::1\nhost s6 2001:db8::2\n";

    fn frames(script: &str) -> Vec<Vec<u8>> {
        let bytes = capture(&format!("{HEAD}{script}")).unwrap();
        let mut rest = &bytes[24..];
        let mut frames = Vec::new();
        while !rest.is_empty() {
            let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
            frames.push(rest[16..16 + len].to_vec());
            rest = &rest[16 + len..];
        }
        frames
    }

    fn tail(frame: &[u8], len: usize) -> &[u8] {
        &frame[frame.len() - len..]
    }

    #[test]
    fn a_handshake_and_a_line_are_four_frames() {
        let frames = frames("open a c:4000 s:21\nC: NOOP\n");
        assert_eq!(frames.len(), 4);
        assert_eq!(tail(&frames[3], 6), b"NOOP\r\n");
        // Sequence number of the line: the initial one and the SYN's.
        assert_eq!(frames[3][38..42], 1_000_001u32.to_be_bytes());
    }

    #[test]
    fn marks_change_the_order_and_the_number_of_frames() {
        let texts = |script: &str| {
            let head = "place a c:4000 s:21\n";
            frames(&format!("{head}{script}")).iter().map(|f| f[54..].to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(texts("[lost] C! a\nC! b"), [b"b"]);
        assert_eq!(texts("[cut 1] [lost 2] C! ab"), [b"a"]);
        assert_eq!(texts("[twice] C! a"), [b"a", b"a"]);
        assert_eq!(texts("[late 1] C! a\nC! b\nC! c"), [b"b", b"a", b"c"]);
        assert_eq!(texts("[cut 1 2] [reversed] C! abc"), [b"c", b"b", b"a"]);
        assert_eq!(texts("segment 2\nC! abcde"), [&b"ab"[..], b"cd", b"e"]);
        assert_eq!(texts("C! abc\nagain a > xyz"), [b"abc", b"xyz"]);
    }

    #[test]
    fn layers_add_their_headers() {
        let line = |wrap: &str| frames(&format!("wrap {wrap}\nplace a c:4000 s:21\nC! x"))[0].len();
        let plain = line("");
        for (wrap, more) in [
            ("vlan 7", 4),
            ("svlan 7 vlan 8", 8),
            ("pppoe 1", 8),
            ("mpls 16 mpls 17", 8),
            ("gre", 24),
            ("ipip", 20),
            ("vxlan 9", 50),
            ("vlan 7 gre", 28),
        ] {
            assert_eq!(line(wrap), plain + more, "{wrap}");
        }
    }

    #[test]
    fn fragments_hold_the_whole_segment() {
        let frames = frames("fragment 16\nplace a c:4000 s:21\nC! 0123456789");
        assert_eq!(frames.iter().map(|f| f.len() - 34).collect::<Vec<_>>(), [16, 14]);
        let six = self::frames("fragment 16\nplace a c6:4000 s6:21\nC! 0123456789");
        assert_eq!(six.len(), 2);
    }

    #[test]
    fn a_wrong_line_is_named() {
        for bad in ["open a c:4000 x:21", "nonsense", "C: x", "[lost C: x", "wrap vlan", "step 3", "fin a"] {
            let error = capture(&format!("{HEAD}{bad}")).unwrap_err();
            assert!(format!("{error:#}").starts_with("line 5"), "{error:#}");
        }
    }
}
