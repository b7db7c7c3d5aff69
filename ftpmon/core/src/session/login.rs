//! Login attempts and their outcome, as the diagram of RFC 959 section 6 has them: the first digit of the reply to USER, PASS
//! or ACCT decides, success ends the sequence, and what is sent behind it begins no attempt (RFC 2228 section 3 adds ADAT).

use std::ops::RangeInclusive;
use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::event::{Login, LoginAttempt, LoginOutcome};
use crate::fill::Fills;
use crate::ftp::Verb;
use crate::text::Text;

/// Attempts that wait for their replies behind which another one began. Stops a client that sends nothing but USER.
const EARLIER_MAX: usize = 16;

/// The progress of a session's login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginProgress {
    /// Nobody is logged in.
    Nobody,
    /// A name was given, and the server did not decide.
    Undecided,
    /// Somebody is logged in.
    LoggedIn,
}

/// The attempt that is not decided yet, and the outcomes of those before.
#[derive(Debug, Default)]
pub(super) struct Logins {
    /// The name given last.
    pub(super) user: Option<Arc<Text>>,
    /// Boxed, since it is there for a moment of a session only.
    secret: Option<Box<SmolStr>>,
    /// The command that began the attempt which is not decided: USER, or PASS without it.
    begun: Option<u64>,
    /// The last command of that attempt.
    said: u64,
    /// That which the server asked for last in that attempt.
    asked: Asked,
    /// Attempts before it whose replies are still to come, the oldest first: a pipeline had USER again.
    earlier: Option<Box<SmallVec<[Attempt; 2]>>>,
    /// PASS that was sent when somebody was logged in, and its secret: an attempt where REIN before it is still to be answered.
    behind: Option<Box<(u64, Option<SmolStr>)>>,
    /// The last attempt succeeded: PASS and ACCT begin no other one until USER or REIN.
    logged_in: bool,
    /// The one who was logged in when USER was sent: so it stays where the server refuses another name.
    before: Option<Arc<Text>>,
    pub(super) succeeded: u32,
    pub(super) failed: u32,
}

/// That which a server asked for, in an attempt that it has not decided (RFC 959 section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asked {
    /// It is not known: the reply was not seen, or is still to come.
    #[default]
    Unknown,
    /// Not an account: PASS is to come, and what is answered to ACCT before it is no decision.
    NoAccount,
    /// ACCT: 332 to USER, or any 3yz to PASS.
    Account,
}

impl Asked {
    /// By a 3yz reply to a command of the attempt.
    fn by(self, verb: Verb, code: u16) -> Self {
        match verb {
            Verb::Pass => Self::Account,
            Verb::User if code == 332 => Self::Account,
            Verb::User => Self::NoAccount,
            _ => self,
        }
    }

    /// A reply to this command decides the attempt. ACCT that was not asked for is only decided by what says that somebody is logged in.
    fn may_decide(self, verb: Verb, code: u16) -> bool {
        verb != Verb::Acct || self != Self::NoAccount || matches!(code, 230 | 232)
    }
}

/// An attempt behind which another one began.
#[derive(Debug)]
struct Attempt {
    /// Its first and its last command.
    commands: RangeInclusive<u64>,
    user: Option<Arc<Text>>,
    secret: Option<Box<SmolStr>>,
    asked: Asked,
    /// The one who was logged in before it.
    before: Option<Arc<Text>>,
}

impl Logins {
    /// The last command of the attempt that is not decided.
    pub(super) fn last_said(&self) -> Option<u64> {
        self.begun.map(|_| self.said)
    }

    /// The progress of the login. A second attempt keeps the one who is logged in until it is decided.
    pub(super) fn progress(&self) -> LoginProgress {
        match (self.logged_in || self.before.is_some(), self.begun) {
            (true, _) => LoginProgress::LoggedIn,
            (false, Some(_)) => LoginProgress::Undecided,
            (false, None) => LoginProgress::Nobody,
        }
    }

    /// USER, the command `tx`, begins an attempt. The one before is abandoned, unless its reply is still to come (`waits`).
    pub(super) fn user(&mut self, tx: u64, user: Option<Text>, waits: bool) -> Option<Login> {
        let abandoned = match self.begun {
            Some(begun) if waits && self.earlier_len() < EARLIER_MAX => {
                let commands = begun..=self.said;
                let (secret, before) = (self.secret.take(), self.before.take());
                let attempt =
                    Attempt { commands, user: self.user.clone(), secret, asked: self.asked, before };
                self.earlier.get_or_insert_default().push(attempt);
                None
            }
            _ => self.abandon_last(),
        };
        let before = self.user.take();
        if self.logged_in {
            self.before = before;
        }
        self.user = user.map(Arc::new);
        (self.begun, self.said, self.asked) = (Some(tx), tx, Asked::Unknown);
        self.logged_in = false;
        abandoned
    }

    /// PASS, the command `tx`: `secret` as events have it.
    pub(super) fn password(&mut self, tx: u64, secret: Option<SmolStr>) {
        if !self.logged_in {
            if self.begun.replace(self.begun.unwrap_or(tx)).is_none() {
                self.asked = Asked::Unknown;
            }
            self.account(tx, secret);
        } else {
            self.behind = Some(Box::new((tx, secret)));
        }
    }

    /// ACCT, the command `tx`, which continues an attempt and begins none.
    pub(super) fn account(&mut self, tx: u64, secret: Option<SmolStr>) {
        if self.begun.is_some() {
            self.said = tx;
            self.secret = secret.map(Box::new);
        }
    }

    /// The final reply to USER, PASS, ACCT or ADAT, the command `tx`: the attempt, where that decides it.
    pub(super) fn reply(&mut self, tx: u64, verb: Verb, code: u16) -> Option<Login> {
        if let Some(attempt) = self.take_earlier(tx, verb, code) {
            return Some(self.reply_to_earlier(tx, verb, code, attempt));
        }
        let outcome = match (verb, code) {
            (Verb::Adat, 230 | 232) if !self.logged_in => LoginOutcome::Success,
            // ADAT authenticates; USER is still to come.
            (Verb::Adat, _) => return None,
            // A pipeline had the command before the one that began the attempt, in an earlier attempt or in none.
            _ if self.begun.is_none_or(|begun| tx < begun) => return None,
            (_, 300..=399) => {
                self.asked = self.asked.by(verb, code);
                return None;
            }
            _ if !self.asked.may_decide(verb, code) => return None,
            (_, 200..=299) => LoginOutcome::Success,
            (_, 400..=599) => LoginOutcome::Failure,
            _ => return None,
        };
        self.count(outcome);
        self.logged_in = outcome == LoginOutcome::Success;
        let before = self.before.take().filter(|_| verb == Verb::User && !self.logged_in);
        let decided = self.decide(outcome, Some(code));
        if let Some(before) = before {
            self.user = Some(before);
            self.logged_in = true;
        }
        Some(Login { tx, login: decided })
    }

    /// REIN, the command `tx`, was accepted: no user is logged in, no name is given but behind it.
    pub(super) fn reinitialize(&mut self, tx: u64) -> Option<Login> {
        self.before = None;
        self.earlier.iter_mut().flat_map(|earlier| earlier.iter_mut()).for_each(|it| it.before = None);
        if self.begun.is_some_and(|begun| begun > tx) {
            return None;
        }
        let abandoned = self.abandon_last();
        self.user = None;
        self.logged_in = false;
        if let Some((pass, secret)) = self.behind.take().map(|behind| *behind).filter(|it| it.0 > tx) {
            self.password(pass, secret);
        }
        abandoned
    }

    /// An attempt that will not be decided any more, under the number of the command that began it; the oldest first.
    pub(super) fn abandon(&mut self) -> Option<Login> {
        let earlier = self.earlier.as_mut().filter(|it| !it.is_empty()).map(|it| it.remove(0));
        let Some(Attempt { commands, user, secret, .. }) = earlier else { return self.abandon_last() };
        Some(Login { tx: *commands.start(), login: attempt(user, secret, LoginOutcome::Abandoned, None) })
    }

    fn abandon_last(&mut self) -> Option<Login> {
        let tx = self.begun?;
        Some(Login { tx, login: self.decide(LoginOutcome::Abandoned, None) })
    }

    fn earlier_len(&self) -> usize {
        self.earlier.as_ref().map_or(0, |earlier| earlier.len())
    }

    /// Notes the fill.
    pub(super) fn note_fill(&self, fills: &mut Fills) {
        fills.note("logins_of_session", self.earlier_len(), EARLIER_MAX);
    }

    /// The attempt before the last one that the reply to `tx` ends: it decides, or there was no command behind it.
    fn take_earlier(&mut self, tx: u64, verb: Verb, code: u16) -> Option<Attempt> {
        let earlier = self.earlier.as_mut()?;
        let place = earlier.iter().position(|it| it.commands.contains(&tx))?;
        let attempt = earlier.get_mut(place)?;
        let decides = !(300..=399).contains(&code) && attempt.asked.may_decide(verb, code);
        if (300..=399).contains(&code) {
            attempt.asked = attempt.asked.by(verb, code);
        }
        let ends = decides || attempt.commands.end() == &tx;
        let ended = ends.then(|| earlier.remove(place));
        if earlier.is_empty() {
            self.earlier = None;
        }
        ended
    }

    fn reply_to_earlier(&mut self, tx: u64, verb: Verb, code: u16, ended: Attempt) -> Login {
        let Attempt { commands, user, secret, asked, before } = ended;
        let outcome = match code {
            _ if !asked.may_decide(verb, code) => LoginOutcome::Abandoned,
            200..=299 => LoginOutcome::Success,
            400..=599 => LoginOutcome::Failure,
            _ => LoginOutcome::Abandoned,
        };
        self.count(outcome);
        // Who stays logged in where the next name is refused.
        let stays = match outcome {
            LoginOutcome::Success => user.clone(),
            _ => before.filter(|_| verb == Verb::User && outcome == LoginOutcome::Failure),
        };
        let next = self.earlier.as_mut().and_then(|earlier| earlier.first_mut());
        *next.map_or(&mut self.before, |next| &mut next.before) = stays;
        let (tx, code) = match outcome {
            LoginOutcome::Abandoned => (*commands.start(), None),
            _ => (tx, Some(code)),
        };
        Login { tx, login: attempt(user, secret, outcome, code) }
    }

    fn count(&mut self, outcome: LoginOutcome) {
        match outcome {
            LoginOutcome::Success => self.succeeded += 1,
            LoginOutcome::Failure => self.failed += 1,
            LoginOutcome::Abandoned => {}
        }
    }

    fn decide(&mut self, outcome: LoginOutcome, code: Option<u16>) -> LoginAttempt {
        self.begun = None;
        attempt(self.user.clone(), self.secret.take(), outcome, code)
    }
}

fn attempt(
    user: Option<Arc<Text>>,
    secret: Option<Box<SmolStr>>,
    outcome: LoginOutcome,
    code: Option<u16>,
) -> LoginAttempt {
    let user = user.map(|user| user.text.clone());
    let secret = secret.map(|secret| *secret);
    let anonymous = user
        .as_ref()
        .is_some_and(|user| user.eq_ignore_ascii_case("anonymous") || user.eq_ignore_ascii_case("ftp"));
    LoginAttempt { user, outcome, anonymous, secret, code, encrypted: false }
}

#[cfg(test)]
mod tests;
