//! Dialogues of people, programs and jobs that want no harm, from a seed: some tens of hosts with habits, at servers of several kinds. They mistype
//! passwords, stop in the middle, ask for files that are not there, clean up, mirror and deploy.

use std::fmt::Write as _;

use anyhow::Result;

use super::capture::Frame;
use super::language;
use crate::dialogues::dice::Dice;

/// Clients. Each has one user and one server, as most have.
const CLIENTS: u64 = 48;
/// The mean time between dialogues, seconds.
const BETWEEN_S: usize = 180;

/// Greetings of servers, and what FEAT says of TLS there.
const SERVERS: [&str; 6] = [
    "220 (vsFTPd 3.0.5)",
    "220 ProFTPD Server (Debian) [::ffff:192.0.2.22]",
    "220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\\r\\n220-You are user number 1 of 50 allowed.\\r\\n220 You will be \
     disconnected after 15 minutes of inactivity.",
    "220-FileZilla Server 1.8.1\\r\\n220 Please visit https://filezilla-project.org/",
    "220 Microsoft FTP Service",
    "220 pyftpdlib 2.2.0 ready.",
];

/// Names that people give to files.
const NAMES: [&str; 14] = [
    "report.pdf",
    "Bericht Q3 (final).docx",
    "a..b.txt",
    "photo_2026-01-02.jpg",
    "backup-2026-01-01.tar.gz",
    "r\u{e9}sum\u{e9}.odt",
    "index.html",
    "data.csv",
    "IMG_0001.JPG",
    "setup-1.2.3.exe",
    "invoice - 2026 - 17.pdf",
    "9f86d081884c7d65.bin",
    "README",
    "core.c",
];
const PLACES: [&str; 6] = ["/", "/pub", "/home/me", "/srv/data/2026", "/var/www/html", "/incoming"];

/// A dialogue under way.
struct Talk {
    dice: Dice,
    script: String,
    transfers: u32,
    client: u64,
    server: u64,
}

/// The frames of a dialogue. The same number always gives the same ones; times go on from number to number.
///
/// # Errors
/// A script is wrong, which is a fault of this file.
pub fn dialogue(number: u64) -> Result<Vec<Frame>> {
    let mut dice = Dice::new(number);
    let client = dice.number() % CLIENTS;
    let mut talk = Talk { dice, script: String::new(), transfers: 0, client, server: client % 6 };
    talk.play(number);
    let mut frames = language::frames(&talk.script)?;
    let start = (number as usize * BETWEEN_S + talk.dice.below(BETWEEN_S)) as u64 * 1_000_000_000;
    frames.iter_mut().for_each(|frame| frame.at_ns += start);
    Ok(frames)
}

impl Talk {
    fn line(&mut self, line: &str) {
        self.script.push_str(line);
        self.script.push('\n');
    }

    fn ask(&mut self, command: &str, reply: &str) {
        let thinks = self.dice.below(3_000);
        let _ = writeln!(self.script, "wait {thinks}ms\nC: {command}\nS: {reply}");
    }

    fn play(&mut self, number: u64) {
        let six = self.client % 8 == 7;
        let (client, server) = (self.client, self.server);
        let hosts = if six {
            format!("host client 2001:db8:1::{client:x}\nhost server 2001:db8:2::{server:x}")
        } else {
            format!("host client 10.1.{}.{}\nhost server 192.0.2.{}", client % 5, client + 10, server + 21)
        };
        self.line(&hosts);
        self.line(&format!("open c client:{} server:21", 20_000 + number % 40_000));
        if self.dice.percent(1) {
            self.line("S: 421 Too many users are connected, please try later");
            self.line("close c <");
            return;
        }
        let greeting = SERVERS.get(server as usize).copied().unwrap_or_default();
        self.line(&format!("S: {greeting}"));
        if self.dice.percent(8) {
            self.secret();
            return;
        }
        if self.dice.percent(4) {
            self.ask("AUTH TLS", "500 AUTH not understood");
            self.ask("AUTH SSL", "500 AUTH not understood");
        }
        if self.log_in() {
            self.preface();
            let jobs = if self.client % 6 == 5 { 1 } else { 3 };
            match self.dice.below(40 * jobs / 3) {
                0 => self.mirror(),
                1 if jobs > 1 => self.deploy(),
                2 if jobs > 1 => self.clean_up(),
                _ => {
                    for _ in 0..1 + self.dice.below(12) {
                        self.act();
                    }
                }
            }
        }
        self.leave();
    }

    /// A session over TLS, whose content nobody sees.
    fn secret(&mut self) {
        self.ask("AUTH TLS", "234 AUTH TLS ok");
        self.line("hello c > ftp.example.net\nhello c < 1.3");
        for _ in 0..4 + self.dice.below(10) {
            let (forth, back) = (30 + self.dice.below(40), 40 + self.dice.below(80));
            self.line(&format!("record c > {forth}\nrecord c < {back}"));
        }
        self.line("close c <");
    }

    fn log_in(&mut self) -> bool {
        if self.client % 6 == 5 {
            self.ask("USER anonymous", "331 Please specify the password");
            self.ask("PASS somebody@example.net", "230 Login successful");
            return true;
        }
        let user = format!("user{}", self.client);
        let mistakes = if self.dice.percent(4) { 1 + self.dice.below(2) } else { 0 };
        for n in 0..mistakes {
            self.ask(&format!("USER {user}"), "331 Please specify the password");
            self.ask(&format!("PASS mistyped{n}"), "530 Login incorrect");
        }
        if mistakes > 1 && self.dice.percent(50) {
            return false;
        }
        self.ask(&format!("USER {user}"), "331 Please specify the password");
        self.ask("PASS right", "230 Login successful");
        true
    }

    fn preface(&mut self) {
        for (chance, command, reply) in [
            (40, "SYST", "215 UNIX Type: L8"),
            (40, "FEAT", "211-Features:\\r\\n MDTM\\r\\n SIZE\\r\\n UTF8\\r\\n REST STREAM\\r\\n211 End"),
            (20, "OPTS UTF8 ON", "200 UTF8 mode on"),
            (15, "CLNT a client", "200 Noted"),
            (80, "TYPE I", "200 Type set to I"),
            (50, "PWD", "257 \"/\" is the current directory"),
            (3, "STAT", "211-Status\\r\\n Connected\\r\\n211 End"),
            (3, "HELP", "214-Known commands\\r\\n USER PASS QUIT\\r\\n214 End"),
        ] {
            if self.dice.percent(chance) {
                self.ask(command, reply);
            }
        }
    }

    fn name(&mut self) -> String {
        let place = *self.dice.pick(&PLACES);
        let name = *self.dice.pick(&NAMES);
        if self.dice.percent(50) {
            name.to_owned()
        } else {
            format!("{}/{name}", place.trim_end_matches('/'))
        }
    }

    fn act(&mut self) {
        let (name, place) = (self.name(), *self.dice.pick(&PLACES));
        // Nobody stores files as an anonymous user for others.
        let is_anonymous = self.client % 6 == 5;
        match self.dice.below(40) {
            9..=15 if is_anonymous => self.transfer("LIST", false),
            0..=8 => self.transfer(&format!("RETR {name}"), false),
            9..=14 => self.transfer(&format!("STOR {name}"), true),
            15 => self.transfer(&format!("APPE {name}"), true),
            16..=20 => self.transfer("LIST", false),
            21 => self.transfer("MLSD", false),
            22 => {
                self.ask("REST 100", "350 Restarting at 100");
                self.transfer(&format!("RETR {name}"), false);
            }
            23 | 24 => self.ask(&format!("SIZE {name}"), "213 1000"),
            25 => self.ask(&format!("MDTM {name}"), "213 20260101120000"),
            26 => self.ask(&format!("SIZE {name}"), "550 Could not get file size"),
            27 | 28 => self.ask(&format!("CWD {place}"), "250 Directory changed"),
            29 => self.ask("CWD ../..", "250 Directory changed"),
            30 => self.ask(&format!("CWD {place}/none"), "550 No such directory"),
            31 => {
                self.ask(&format!("RNFR {name}"), "350 Ready for RNTO");
                self.ask(&format!("RNTO {name}.old"), "250 Renamed");
            }
            32 => self.ask(&format!("DELE {name}"), "250 Deleted"),
            33 => self.ask("MKD new folder", "257 \"/new folder\" created"),
            34 => self.ask("RMD new folder", "250 Removed"),
            35 => self.ask("SITE CHMOD 644 data.csv", "200 Done"),
            36 => self.ask("NOOP", "200 Ok"),
            37 => self.refused(&name),
            38 => self.stopped(&name),
            _ => {
                // A client that does not wait for replies.
                self.line("C: TYPE I\nC: CWD /pub\nC: PWD");
                self.line("S: 200 Type set to I\nS: 250 Directory changed\nS: 257 \"/pub\"");
            }
        }
    }

    /// The announcement of a data connection: who connects to whom.
    fn announce(&mut self) -> (String, String) {
        self.transfers += 1;
        let (low, six) = (self.transfers % 200, self.client % 8 == 7);
        let (listens, connects) = (50_000 + low, 30_000 + low);
        match (self.dice.below(10), six) {
            (0..=5, false) => {
                // Some of these servers stand behind NAT, and their clients know better than to believe them.
                let ip = if self.server == 4 {
                    "10,9,8,7".to_owned()
                } else {
                    format!("192,0,2,{}", self.server + 21)
                };
                let (high, low) = (listens >> 8, listens & 255);
                self.ask("PASV", &format!("227 Entering Passive Mode ({ip},{high},{low})"));
                (format!("client:{connects}"), format!("server:{listens}"))
            }
            (8, false) => {
                let client = format!("10,1,{},{}", self.client % 5, self.client + 10);
                self.ask(
                    &format!("PORT {client},{},{}", listens >> 8, listens & 255),
                    "200 PORT command successful",
                );
                ("server:20".to_owned(), format!("client:{listens}"))
            }
            (8 | 9, true) => {
                self.ask(
                    &format!("EPRT |2|2001:db8:1::{:x}|{listens}|", self.client),
                    "200 EPRT command successful",
                );
                ("server:20".to_owned(), format!("client:{listens}"))
            }
            _ => {
                self.ask("EPSV", &format!("229 Entering Extended Passive Mode (|||{listens}|)"));
                (format!("client:{connects}"), format!("server:{listens}"))
            }
        }
    }

    fn transfer(&mut self, command: &str, upload: bool) {
        let (from, to) = self.announce();
        let way = if from.starts_with("client") == upload { '>' } else { '<' };
        let bytes = 1 + self.dice.below(6_000);
        self.line(&format!(
            "C: {command}\nS: 150 Opening data connection\ndata d{} {from} {to} {way} bytes {bytes}",
            self.transfers
        ));
        self.line("S: 226 Transfer complete");
    }

    fn refused(&mut self, name: &str) {
        let _ = self.announce();
        self.ask(&format!("RETR {name}.none"), "550 Failed to open file");
    }

    /// A transfer that the user stops.
    fn stopped(&mut self, name: &str) {
        let (from, to) = self.announce();
        let (data, way) = (self.transfers, if from.starts_with("client") { '<' } else { '>' });
        self.line(&format!("C: RETR {name}\nS: 150 Opening data connection\nopen d{data} {from} {to}\nsend d{data} {way} bytes 3000"));
        self.line(&format!("C: ABOR\nclose d{data} {way}\nS: 426 Transfer aborted\nS: 226 Abort successful"));
    }

    fn mirror(&mut self) {
        for n in 0..20 + self.dice.below(30) {
            self.transfer(&format!("RETR /pub/mirror/file{n}.iso"), false);
        }
    }

    fn deploy(&mut self) {
        for n in 0..10 + self.dice.below(20) {
            self.ask(&format!("MKD /var/www/html/part{n}"), "257 created");
            let name = *self.dice.pick(&["index.html", "style.css", "script.js", "logo.png"]);
            self.transfer(&format!("STOR /var/www/html/part{n}/{name}"), true);
        }
    }

    fn clean_up(&mut self) {
        for n in 0..10 + self.dice.below(50) {
            self.ask(&format!("DELE /tmp/old{n}.log"), "250 Deleted");
        }
    }

    fn leave(&mut self) {
        match self.dice.below(20) {
            0 => self.line("close c >"),
            1 => self.line("rst c >"),
            2 => self.line("wait 60s\nS: 421 Timeout.\nclose c <"),
            _ => {
                self.ask("QUIT", "221 Goodbye.");
                self.line("close c <");
            }
        }
    }
}
