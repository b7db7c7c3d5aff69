//! From a seed to eight sessions of steps.

use super::dice::Dice;
use super::step::{Connect, End, Fence, Setup, Step, Transfer};
use crate::party::{PASSWORD, Tree, USER};

/// Sessions at once.
pub const SESSIONS: usize = 8;
/// Steps of a session at most, without its logins.
const STEPS: usize = 18;
/// An upload's bytes at most.
const UPLOAD_MAX: usize = 120_000;

/// The steps of the sessions of a seed.
pub fn plan(seed: u64) -> Vec<Vec<Step>> {
    (0..SESSIONS as u64).map(|number| session(seed, number)).collect()
}

/// The same without connections that contend for an endpoint: which of them a server takes is its own affair.
pub fn calm_plan(seed: u64) -> Vec<Vec<Step>> {
    let mut sessions = plan(seed);
    for step in sessions.iter_mut().flatten() {
        if let Step::Transfer(transfer) = step
            && !matches!(transfer.connect, Connect::Early | Connect::Late)
        {
            transfer.connect = Connect::Early;
        }
    }
    sessions
}

fn session(seed: u64, number: u64) -> Vec<Step> {
    let mut dice = Dice::new(seed.wrapping_mul(SESSIONS as u64).wrapping_add(number));
    let mut maker = Maker { name: format!("{seed}-{number}"), files: 0 };
    let mut steps = Vec::new();
    if dice.percent(96) {
        steps.extend(login(&mut dice));
    }
    for _ in 0..4 + dice.below(STEPS - 4) {
        steps.extend(maker.step(&mut dice));
    }
    if dice.percent(12) {
        steps.push(Step::Leave { reset: dice.percent(50) });
    }
    steps
}

fn ask(line: impl Into<String>) -> Step {
    Step::Ask(line.into())
}

/// Logs in, perhaps after failures.
fn login(dice: &mut Dice) -> Vec<Step> {
    let right = [ask(format!("USER {USER}")), ask(format!("PASS {PASSWORD}"))];
    let mut steps = Vec::new();
    match dice.below(20) {
        0 => steps.extend([ask(format!("USER {USER}")), ask("PASS wrong")]),
        1 => steps.push(ask(format!("USER {USER}"))),
        2 => steps.extend([ask("NOOP"), ask("FEAT"), ask("SYST")]),
        3 => steps.extend([ask("PWD"), ask("PASV")]),
        4 => return vec![ask("USER anonymous"), ask("PASS me@example.com")],
        5 => return vec![Step::Pipeline(vec![format!("USER {USER}"), format!("PASS {PASSWORD}")])],
        6 => return vec![ask(format!("user {USER}")), ask(format!("pass {PASSWORD}"))],
        _ => {}
    }
    steps.extend(right);
    steps
}

/// Makes the steps of one session; its uploads have names of its own.
struct Maker {
    name: String,
    files: usize,
}

impl Maker {
    fn step(&mut self, dice: &mut Dice) -> Vec<Step> {
        match dice.below(100) {
            0..=23 => vec![ask(self.command(dice))],
            24..=31 => vec![ask(directory(dice))],
            32..=36 => self.rename(dice),
            37..=40 => vec![Step::Blank((*dice.pick(&["", "", " "])).into(), *dice.pick(&Fence::ALL))],
            41..=46 => {
                let lines = (0..2 + dice.below(4)).map(|_| self.command(dice)).collect();
                vec![Step::Pipeline(lines)]
            }
            47..=51 => vec![Step::Announce { setup: *dice.pick(&ANNOUNCING), connect: dice.percent(50) }],
            52..=54 => again(dice),
            55..=58 => self.refused_and_again(dice),
            _ => vec![Step::Transfer(self.transfer(dice))],
        }
    }

    fn upload_name(&mut self, dice: &mut Dice) -> String {
        if dice.percent(15) {
            return "/up/shared.bin".into();
        }
        if self.files == 0 || dice.percent(60) {
            self.files += 1;
        }
        format!("/up/{}-{}.bin", self.name, self.files)
    }

    /// A command that moves nothing.
    fn command(&mut self, dice: &mut Dice) -> String {
        let file = *dice.pick(&FILES);
        match dice.below(26) {
            0 => format!("SIZE {file}"),
            1 => format!("MDTM {file}"),
            2 => format!("MLST {file}"),
            3 => "PWD".into(),
            4 => "XPWD".into(),
            5 => (*dice.pick(&["TYPE I", "TYPE A", "TYPE L 8", "TYPE E", "TYPE A N", "TYPE"])).into(),
            6 => (*dice.pick(&["STRU F", "STRU R", "STRU P"])).into(),
            7 => (*dice.pick(&["MODE S", "MODE B", "MODE C", "MODE Z"])).into(),
            8 => (*dice.pick(&["ALLO 1000", "ALLO 99999999", "ALLO 10 R 5", "ALLO"])).into(),
            9 => (*dice.pick(&["REST 0", "REST 100", "REST 99999999", "REST x", "REST -5"])).into(),
            10 => "NOOP".into(),
            11 => (*dice.pick(&["SYST", "FEAT", "HELP", "STAT"])).into(),
            12 => (*dice.pick(&["HELP RETR", "SITE HELP", "SITE CHMOD 644 /up/shared.bin", "SITE XYZZY"]))
                .into(),
            13 => (*dice.pick(&["OPTS UTF8 ON", "OPTS MLST type;size;", "OPTS"])).into(),
            14 => (*dice.pick(&["XYZZY", "XYZZY some words", "RETRX a", "ACCT 1", "SMNT /"])).into(),
            15 => (*dice.pick(&["ABOR", "REIN", "LPSV", "LPRT 1,2", "ADAT x"])).into(),
            16 => (*dice.pick(&[
                "EPSV ALL",
                "EPSV 1",
                "EPSV 7",
                "PORT 1,2,3",
                "EPRT |9|x|1|",
                "PORT 10,77,0,1,0,80",
            ]))
            .into(),
            17 => (*dice.pick(&["noop", "pwd", "tYpE i", "size pub/small.bin"])).into(),
            18 => (*dice.pick(&["STAT /pub", "STAT /none", "STAT -l"])).into(),
            19 => (*dice.pick(&["DELE /up/none", "DELE /pub/small.bin/x", "RNTO /up/x"])).into(),
            20 => format!("NOOP {}", "x".repeat(dice.below(300))),
            21 => format!("CWD {}", "d".repeat(1 + dice.below(200))),
            22 => {
                format!("SIZE {}", *dice.pick(&["/pub/caf\u{e9}", "/pub/a b  c", "pub//./small.bin", "none"]))
            }
            23 => (*dice.pick(&["USER bob", "PASS again", "USER alice"])).into(),
            24 => "CDUP".into(),
            _ => format!("MFMT 20200101000000 {}", self.upload_name(dice)),
        }
    }

    fn rename(&mut self, dice: &mut Dice) -> Vec<Step> {
        let (from, to) = (self.upload_name(dice), self.upload_name(dice));
        let mut steps = vec![ask(format!("RNFR {from}"))];
        if dice.percent(10) {
            steps.push(ask("NOOP"));
        }
        if dice.percent(90) {
            steps.push(ask(format!("RNTO {to}")));
        }
        if dice.percent(30) {
            steps.push(ask(format!("DELE {to}")));
        }
        steps
    }

    /// A transfer that is refused, and one with the endpoint that it left.
    fn refused_and_again(&mut self, dice: &mut Dice) -> Vec<Step> {
        let mut first = self.transfer(dice);
        first.line = (*dice.pick(&["RETR /pub/none", "STOR /none/x", "RETR /pub"])).into();
        (first.upload, first.rest, first.end) = (None, None, End::Whole);
        first.during.clear();
        let mut second = self.transfer(dice);
        second.setup = Setup::Kept;
        vec![Step::Transfer(first), Step::Transfer(second)]
    }

    fn transfer(&mut self, dice: &mut Dice) -> Transfer {
        let setup = match dice.below(40) {
            0..=12 => Setup::Pasv,
            13..=22 => Setup::Epsv,
            23..=28 => Setup::Port,
            29..=33 => Setup::Eprt,
            34 => Setup::Deaf,
            35 => Setup::Foreign,
            36..=37 => Setup::Kept,
            _ => Setup::Pipelined,
        };
        let upload = dice.percent(35);
        let connect = match dice.below(20) {
            0..=8 => Connect::Early,
            9..=14 => Connect::Late,
            15 if !upload => Connect::Twice,
            16 if !upload => Connect::Reopen { reset: dice.percent(50) },
            17 => Connect::Stranger { stays: dice.percent(50) },
            _ => Connect::Early,
        };
        let end = match dice.below(20) {
            0 | 1 => End::Abort,
            2 => End::Cut { reset: dice.percent(50) },
            3 if dice.percent(40) => End::Leave { reset: dice.percent(50) },
            _ => End::Whole,
        };
        let during = if dice.percent(20) { during(dice) } else { Vec::new() };
        let mut transfer = Transfer {
            setup,
            connect,
            rest: None,
            line: String::new(),
            upload: None,
            during,
            end,
            fence: *dice.pick(&Fence::ALL),
        };
        if upload {
            let name = self.upload_name(dice);
            transfer.line = match dice.below(10) {
                0..=5 => format!("STOR {name}"),
                6 | 7 => format!("APPE {name}"),
                8 => "STOU".into(),
                _ => format!("STOU {name}"),
            };
            transfer.upload = Some(if dice.percent(10) { 0 } else { dice.below(UPLOAD_MAX) as u64 });
        } else {
            transfer.line = download(dice, end);
        }
        if dice.percent(15) {
            transfer.rest = Some(*dice.pick(&[1, 100, 1000, 1234, 200_000]));
        }
        transfer
    }
}

const ANNOUNCING: [Setup; 6] =
    [Setup::Pasv, Setup::Epsv, Setup::Port, Setup::Eprt, Setup::Deaf, Setup::Foreign];
const FILES: [&str; 5] =
    ["/pub/small.bin", "pub/small.bin", "small.bin", "/pub/medium.bin", "/pub/empty.bin"];

fn directory(dice: &mut Dice) -> String {
    (*dice.pick(&[
        "CWD /pub",
        "CWD pub",
        "CWD ..",
        "CWD /",
        "CWD /none",
        "CWD .",
        "CDUP",
        "XCUP",
        "XCWD /up",
        "CWD up/../pub",
        "MKD /up/dir",
        "RMD /up/dir",
        "XMKD /up/other",
        "XRMD /up/other",
        "MKD /up/a\"b",
        "RMD /up/a\"b",
        "CWD",
        "CWD /up/dir",
    ]))
    .into()
}

fn download(dice: &mut Dice, end: End) -> String {
    if end != End::Whole {
        return format!("RETR /{}", Tree::HUGE.0);
    }
    match dice.below(12) {
        0..=2 => format!("RETR /{}", Tree::SMALL.0),
        3 => "RETR small.bin".into(),
        4 | 5 => format!("RETR /{}", Tree::MEDIUM.0),
        6 => format!("RETR /{}", Tree::EMPTY.0),
        7 => (*dice.pick(&["LIST", "LIST /pub", "LIST -la"])).into(),
        8 => (*dice.pick(&["NLST", "NLST /pub"])).into(),
        9 => (*dice.pick(&["MLSD", "MLSD /pub"])).into(),
        10 => "LIST /none".into(),
        _ => "retr pub/./small.bin".into(),
    }
}

/// Commands for the middle of a transfer, each with replies that no other of them can have.
fn during(dice: &mut Dice) -> Vec<String> {
    let all = ["NOOP", "STAT", "HELP", "SYST", "PWD"];
    let from = dice.below(all.len());
    all.iter().cycle().skip(from).take(1 + dice.below(2)).map(|line| (*line).to_owned()).collect()
}

/// Logs in once more, or as another.
fn again(dice: &mut Dice) -> Vec<Step> {
    match dice.below(4) {
        0 => vec![ask(format!("USER {USER}")), ask(format!("PASS {PASSWORD}"))],
        1 => vec![ask(format!("USER {USER}")), ask("PASS wrong")],
        2 => vec![ask("REIN"), ask(format!("USER {USER}")), ask(format!("PASS {PASSWORD}"))],
        _ => vec![ask(format!("PASS {PASSWORD}"))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_plan_and_its_neighbour_another() {
        assert_eq!(plan(5), plan(5));
        assert_ne!(plan(5), plan(6));
        assert_eq!(plan(5).len(), SESSIONS);
    }

    #[test]
    fn seeds_cover_every_kind_of_step() {
        let steps: Vec<Step> = (0..200).flat_map(plan).flatten().collect();
        let transfers = || {
            steps
                .iter()
                .filter_map(|step| if let Step::Transfer(transfer) = step { Some(transfer) } else { None })
        };
        assert!(steps.iter().any(|step| matches!(step, Step::Blank(..))));
        assert!(steps.iter().any(|step| matches!(step, Step::Pipeline(_))));
        assert!(steps.iter().any(|step| matches!(step, Step::Leave { reset: true })));
        assert!(transfers().any(|transfer| transfer.end == End::Abort && !transfer.during.is_empty()));
        assert!(transfers().any(|transfer| transfer.connect == Connect::Stranger { stays: true }));
        assert!(transfers().any(|transfer| transfer.setup == Setup::Pipelined && transfer.rest.is_none()));
    }
}
