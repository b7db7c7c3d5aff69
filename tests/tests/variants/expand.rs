//! A variant of a scene: the scene's statements written out for one address family, one kind of data connection and one direction.
//!
//! A scene is a script (`ftpmon_tests::script`) with further statements:
//!
//! | statement | |
//! |---|---|
//! | `@open` | the control connection and the greeting |
//! | `@login` | the same, and a login; TYPE I is accepted |
//! | `@announce PORT` | PASV, EPSV, PORT or EPRT and its reply, for a data connection to PORT |
//! | `@connect NAME PORT` | opens the data connection |
//! | `@data NAME PORT N` | opens it, sends N bytes in the direction of the transfer and closes |
//! | `@send NAME N`, `@close NAME` | the end that sends sends N bytes, closes |
//! | `@bye` | QUIT and the end of the control connection |
//! | `S[VERB] TEXT` | a reply to the latest command that begins with VERB; `S[-]`: to none |
//!
//! `{GET}` is RETR or STOR, `{PORT n}` the argument of PORT or EPRT, `{PASV n}` the text of 227 or 229, `{SETUP}` the verb that announces,
//! `{c}` and `{s}` the addresses. Lines that begin with `?` are expectations.

use std::fmt::Write as _;
use std::net::Ipv6Addr;

/// Which variant of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) six: bool,
    pub(crate) active: bool,
    pub(crate) upload: bool,
    /// Payload of a segment at most; 0: as the scene says.
    pub(crate) segment: usize,
}

impl Variant {
    /// Those that a scene names: `v4`, `v6`, `passive`, `active`, `download`, `upload`; of what it does not name, both.
    pub(crate) fn all(named: &str) -> Vec<Self> {
        let words: Vec<&str> = named.split_whitespace().collect();
        let wanted = |one: &str, other: &str| {
            let (one, other) = (words.contains(&one), words.contains(&other));
            [false, true]
                .into_iter()
                .filter(|&second| if second { other || !one } else { one || !other })
                .collect::<Vec<_>>()
        };
        let mut all = Vec::new();
        for six in wanted("v4", "v6") {
            for active in wanted("passive", "active") {
                for upload in wanted("download", "upload") {
                    for segment in if words.contains(&"whole") { &[0][..] } else { &[0, 1, 7] } {
                        all.push(Self { six, active, upload, segment: *segment });
                    }
                }
            }
        }
        all
    }

    const fn hosts(self) -> (&'static str, &'static str, &'static str) {
        if self.six {
            ("2001:db8::10", "2001:db8::21", "2001:db8::66")
        } else {
            ("192.0.2.10", "192.0.2.21", "192.0.2.66")
        }
    }

    /// The verb that announces.
    pub(crate) const fn setup(self) -> &'static str {
        match (self.six, self.active) {
            (false, false) => "PASV",
            (true, false) => "EPSV",
            (false, true) => "PORT",
            (true, true) => "EPRT",
        }
    }

    fn port_argument(self, port: u16) -> String {
        let (client, ..) = self.hosts();
        match client.parse::<Ipv6Addr>() {
            Ok(_) => format!("|2|{client}|{port}|"),
            Err(_) => format!("{},{},{}", client.replace('.', ","), port >> 8, port & 255),
        }
    }

    fn passive_text(self, port: u16) -> String {
        let (_, server, _) = self.hosts();
        if self.six {
            format!("229 Entering Extended Passive Mode (|||{port}|)")
        } else {
            format!("227 Entering Passive Mode ({},{},{})", server.replace('.', ","), port >> 8, port & 255)
        }
    }

    /// The direction of the file on the data connection.
    const fn way(self) -> &'static str {
        if self.active == self.upload { "<" } else { ">" }
    }

    /// A text with its placeholders filled.
    pub(crate) fn fill(self, text: &str) -> String {
        let (client, server, _) = self.hosts();
        let mut text = text
            .replace("{GET}", if self.upload { "STOR" } else { "RETR" })
            .replace("{SETUP}", self.setup())
            .replace("{DIR}", if self.upload { "upload" } else { "download" })
            .replace("{c}", client)
            .replace("{s}", server)
            .replace("{FILE}", self.way())
            .replace("{BACK}", if self.way() == "<" { ">" } else { "<" });
        for (name, argument) in
            [("{PORT ", Self::port_argument as fn(Self, u16) -> String), ("{PASV ", Self::passive_text)]
        {
            while let Some((before, rest)) = text.split_once(name) {
                let Some((port, after)) = rest.split_once('}') else { break };
                text = format!("{before}{}{after}", argument(self, port.parse().unwrap_or(0)));
            }
        }
        text
    }
}

/// A scene written out.
#[derive(Debug, Default)]
pub(crate) struct Expanded {
    pub(crate) script: String,
    pub(crate) expectations: Vec<String>,
    /// Each reply's text and, where the scene says it, the `tx` of its command.
    pub(crate) answers: Vec<(String, Option<u64>)>,
    commands: Vec<String>,
    connections: u16,
}

impl Expanded {
    pub(crate) fn new(scene: &str, variant: Variant) -> Result<Self, String> {
        let (client, server, stranger) = variant.hosts();
        let mut all = Self {
            script: format!("host client {client}\nhost server {server}\nhost other {stranger}\n"),
            ..Self::default()
        };
        if variant.segment > 0 {
            let _ = writeln!(all.script, "segment {}", variant.segment);
        }
        for line in scene.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            all.line(&variant.fill(line), variant).map_err(|error| format!("{line}: {error}"))?;
        }
        Ok(all)
    }

    fn line(&mut self, line: &str, variant: Variant) -> Result<(), String> {
        if let Some(expectation) = line.strip_prefix('?') {
            self.expectations.push(expectation.trim().to_owned());
            return Ok(());
        }
        let Some(statement) = line.strip_prefix('@') else { return self.statement(line) };
        let words: Vec<&str> = statement.split_whitespace().collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u16>().ok()).unwrap_or(0);
        let name = words.get(1).copied().unwrap_or("d");
        match *words.first().unwrap_or(&"") {
            "open" => self.lines("open c client:40000 server:21\nS[-] 220 ready"),
            "login" => self.lines(
                "open c client:40000 server:21\nS[-] 220 ready\nC: USER alice\nS[USER] 331 Password required\nC: PASS secret\nS[PASS] 230 Logged in\nC: TYPE I\nS[TYPE] 200 Type set to I",
            ),
            "bye" => self.lines("C: QUIT\nS[QUIT] 221 Goodbye\nclose c <"),
            "announce" => {
                let port = number(1);
                let (verb, text) = (variant.setup(), variant.passive_text(port));
                if variant.active {
                    self.lines(&format!("C: {verb} {}\nS[{verb}] 200 {verb} command successful", variant.port_argument(port)))
                } else {
                    self.lines(&format!("C: {verb}\nS[{verb}] {text}"))
                }
            }
            "connect" => self.connect(name, number(2), variant),
            "data" => {
                self.connect(name, number(2), variant)?;
                let bytes: u64 = words.get(3).and_then(|word| word.parse().ok()).unwrap_or(0);
                if bytes > 0 {
                    self.statement(&format!("send {name} {} bytes {bytes}", variant.way()))?;
                }
                self.statement(&format!("close {name} {}", variant.way()))
            }
            "send" => self.statement(&format!("send {name} {} bytes {}", variant.way(), number(2))),
            "close" => self.statement(&format!("close {name} {}", variant.way())),
            other => Err(format!("unknown statement @{other}")),
        }
    }

    fn lines(&mut self, lines: &str) -> Result<(), String> {
        lines.lines().try_for_each(|line| self.statement(line))
    }

    fn connect(&mut self, name: &str, port: u16, variant: Variant) -> Result<(), String> {
        self.connections += 1;
        let other = 41_000 + self.connections;
        self.statement(&if variant.active {
            format!("open {name} server:20 client:{port}")
        } else {
            format!("open {name} client:{other} server:{port}")
        })
    }

    fn statement(&mut self, line: &str) -> Result<(), String> {
        // Marks stand before it.
        let (marks, bare) = match line.rfind("] ").filter(|_| line.starts_with('[')) {
            Some(at) if line.get(at + 2..).is_some_and(|rest| rest.starts_with(['C', 'S'])) => {
                line.split_at(at + 2)
            }
            _ => ("", line),
        };
        if let Some((verb, text)) = bare.strip_prefix("S[").and_then(|rest| rest.split_once("] ")) {
            let tx = match verb {
                "-" => 0,
                _ => self
                    .commands
                    .iter()
                    .rposition(|said| said.starts_with(verb))
                    .map(|at| at as u64 + 1)
                    .ok_or("no such command")?,
            };
            self.answers.push((text.to_owned(), Some(tx)));
            let _ = writeln!(self.script, "{marks}S: {text}");
            return Ok(());
        }
        if let Some(text) = bare
            .strip_prefix("S: ")
            .filter(|text| !marks.contains("lost") && text.as_bytes().first().is_some_and(u8::is_ascii_digit))
        {
            self.answers.push((text.to_owned(), None));
        }
        // An empty line is no command, and one that is lost has no number.
        if let Some(text) = bare.strip_prefix("C: ").filter(|_| !marks.contains("lost")) {
            self.commands.push(text.to_owned());
        }
        // Several lines at once.
        if let Some(text) = bare.strip_prefix("C! ") {
            let lines = text.strip_suffix("\\r\\n").unwrap_or(text);
            self.commands.extend(lines.split("\\r\\n").filter(|line| !line.is_empty()).map(str::to_owned));
        }
        let _ = writeln!(self.script, "{line}");
        Ok(())
    }
}
