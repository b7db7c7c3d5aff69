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
    /// Attempts before it whose replies are still to come, the oldest first: a pipeline had USER again.
    earlier: Option<Box<SmallVec<[Attempt; 2]>>>,
    /// The last attempt succeeded: PASS and ACCT begin no other one until USER or REIN.
    logged_in: bool,
    /// The one who was logged in when USER was sent: so it stays where the server refuses another name.
    before: Option<Arc<Text>>,
    pub(super) succeeded: u32,
    pub(super) failed: u32,
}

/// An attempt behind which another one began.
#[derive(Debug)]
struct Attempt {
    /// Its first and its last command.
    commands: RangeInclusive<u64>,
    user: Option<Arc<Text>>,
    secret: Option<Box<SmolStr>>,
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
                let attempt = Attempt { commands, user: self.user.clone(), secret, before };
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
        (self.begun, self.said) = (Some(tx), tx);
        self.logged_in = false;
        abandoned
    }

    /// PASS, the command `tx`: `secret` as events have it.
    pub(super) fn password(&mut self, tx: u64, secret: Option<SmolStr>) {
        if !self.logged_in {
            self.begun.get_or_insert(tx);
            self.account(tx, secret);
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
        if let Some(attempt) = self.take_earlier(tx, code) {
            return Some(self.reply_to_earlier(tx, verb, code, attempt));
        }
        let outcome = match (verb, code) {
            (Verb::Adat, 230 | 232) if !self.logged_in => LoginOutcome::Success,
            // ADAT authenticates; USER is still to come.
            (Verb::Adat, _) => return None,
            // A pipeline had the command before the one that began the attempt, in an earlier attempt or in none.
            _ if self.begun.is_none_or(|begun| tx < begun) => return None,
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

    /// REIN: no user is logged in, no name is given.
    pub(super) fn reinitialize(&mut self) -> Option<Login> {
        let abandoned = self.abandon_last();
        self.user = None;
        self.before = None;
        self.logged_in = false;
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
    fn take_earlier(&mut self, tx: u64, code: u16) -> Option<Attempt> {
        let earlier = self.earlier.as_mut()?;
        let place = earlier.iter().position(|it| it.commands.contains(&tx))?;
        let ends = !(300..=399).contains(&code) || earlier.get(place)?.commands.end() == &tx;
        let ended = ends.then(|| earlier.remove(place));
        if earlier.is_empty() {
            self.earlier = None;
        }
        ended
    }

    fn reply_to_earlier(&mut self, tx: u64, verb: Verb, code: u16, ended: Attempt) -> Login {
        let Attempt { commands, user, secret, before } = ended;
        let outcome = match code {
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
mod tests {
    use super::Logins;
    use crate::event::{Login, LoginOutcome};
    use crate::ftp::Verb;
    use crate::text::Text;

    /// `USER`, `PASS`, `ACCT`, `REIN` are sent; `VERB CODE` is the final reply to the oldest one that waits. The outcomes, `A`
    /// for an abandoned attempt, and the totals of `session_end`.
    fn outcomes(dialogue: &str) -> (String, u32, u32) {
        let mut logins = Logins::default();
        let mut told = String::new();
        let mut waiting: Vec<(Verb, u64)> = Vec::new();
        let mut tell = |login: Option<LoginOutcome>| {
            told.extend(login.map(|outcome| match outcome {
                LoginOutcome::Success => 'S',
                LoginOutcome::Failure => 'F',
                LoginOutcome::Abandoned => 'A',
            }));
        };
        for (step, tx) in dialogue.split(", ").zip(1..) {
            let (name, code) = step.split_once(' ').map_or((step, None), |(name, code)| (name, Some(code)));
            let verb = Verb::from_name(name.as_bytes());
            match (verb, code) {
                (verb, Some(code)) => {
                    let place = waiting.iter().position(|it| it.0 == verb);
                    let tx = place.map_or(tx, |place| waiting.remove(place).1);
                    tell(logins.reply(tx, verb, code.parse().unwrap()).map(|it| it.login.outcome));
                }
                (Verb::User, None) => {
                    let waits = logins.last_said().is_some_and(|tx| waiting.iter().any(|it| it.1 == tx));
                    let abandoned = logins.user(tx, Some(Text::from_bytes(b"mary")), waits);
                    tell(abandoned.map(|it| it.login.outcome));
                }
                (Verb::Rein, None) => tell(logins.reinitialize().map(|it| it.login.outcome)),
                (Verb::Adat, None) => {}
                (Verb::Acct, None) => logins.account(tx, Some("***".into())),
                (_, None) => logins.password(tx, Some("***".into())),
            }
            if code.is_none() {
                waiting.push((verb, tx));
            }
        }
        while let Some(abandoned) = logins.abandon() {
            tell(Some(abandoned.login.outcome));
        }
        (told, logins.succeeded, logins.failed)
    }

    /// RFC 959 section 6, the diagrams of the login sequence.
    #[test]
    fn the_first_digit_of_the_last_reply_decides() {
        for (dialogue, told, succeeded, failed) in [
            ("USER, USER 331, PASS, PASS 230", "S", 1, 0),
            ("USER, USER 331, PASS, PASS 202", "S", 1, 0),
            ("USER, USER 331, PASS, PASS 220", "S", 1, 0),
            ("USER, USER 331, PASS, PASS 200", "S", 1, 0),
            ("USER, USER 230", "S", 1, 0),
            ("USER, USER 232", "S", 1, 0),
            ("USER, USER 200", "S", 1, 0),
            ("USER, USER 332, ACCT, ACCT 230", "S", 1, 0),
            ("USER, USER 331, PASS, PASS 332, ACCT, ACCT 202", "S", 1, 0),
            ("USER, USER 331, PASS, PASS 332, ACCT, ACCT 530", "F", 0, 1),
            ("USER, USER 331, PASS, PASS 530", "F", 0, 1),
            ("USER, USER 331, PASS, PASS 500", "F", 0, 1),
            ("USER, USER 530", "F", 0, 1),
            ("USER, USER 421", "F", 0, 1),
            ("USER, USER 331", "A", 0, 0),
            ("USER, USER 336, PASS, PASS 230", "S", 1, 0),
            ("PASS, PASS 503", "F", 0, 1),
            ("ACCT, ACCT 202", "", 0, 0),
            ("ADAT, ADAT 235, USER, USER 232", "S", 1, 0),
            ("ADAT, ADAT 535", "", 0, 0),
        ] {
            assert_eq!(outcomes(dialogue), (told.to_owned(), succeeded, failed), "{dialogue}");
        }
    }

    #[test]
    fn what_is_sent_after_a_success_is_no_attempt() {
        for (dialogue, told, succeeded, failed) in [
            ("USER, USER 230, PASS, PASS 230", "S", 1, 0),
            ("USER, USER 230, PASS, PASS 503", "S", 1, 0),
            ("USER, PASS, USER 230, PASS 230", "S", 1, 0),
            ("USER, USER 331, PASS, PASS 230, ACCT, ACCT 230", "S", 1, 0),
            ("USER, USER 331, PASS, PASS 530, PASS 500", "F", 0, 1),
            ("USER, USER 230, REIN, USER, USER 331, PASS, PASS 530", "SF", 1, 1),
            ("USER, USER 230, REIN, PASS, PASS 503", "SF", 1, 1),
            ("USER, USER 331, PASS, PASS 230, USER, USER 331, PASS, PASS 230", "SS", 2, 0),
            ("USER, USER 331, USER, USER 331, PASS, PASS 530", "AF", 0, 1),
            ("USER, USER 230, USER, USER 530, PASS, PASS 230", "SF", 1, 1),
            ("USER, USER 230, USER, USER 331, PASS, PASS 530, PASS, PASS 530", "SFF", 1, 2),
            ("USER, USER 530, PASS, PASS 503", "FF", 0, 2),
            ("USER, USER 331, REIN", "A", 0, 0),
        ] {
            assert_eq!(outcomes(dialogue), (told.to_owned(), succeeded, failed), "{dialogue}");
        }
    }

    /// RFC 959 section 5.4: each command has its own reply, however many are sent before the first comes.
    #[test]
    fn a_pipeline_of_attempts_is_decided_by_its_replies() {
        for (dialogue, told, succeeded, failed) in [
            ("USER, USER, USER 530, USER 230", "FS", 1, 1),
            ("USER, USER, USER 331, USER 331, PASS, PASS 230", "AS", 1, 0),
            ("USER, PASS, USER, PASS, USER 331, PASS 530, USER 331, PASS 230", "FS", 1, 1),
            ("USER, PASS, USER, USER 331, PASS 230, USER 530", "SF", 1, 1),
            ("USER, USER, USER, USER 530, USER 530, USER 331, PASS, PASS 530", "FFF", 0, 3),
            ("USER, USER, USER 530", "FA", 0, 1),
            ("USER, USER", "AA", 0, 0),
        ] {
            assert_eq!(outcomes(dialogue), (told.to_owned(), succeeded, failed), "{dialogue}");
        }
    }

    #[test]
    fn each_attempt_of_a_pipeline_has_its_own_name() {
        let mut logins = Logins::default();
        for (name, tx) in ["mary", "bob", "jane"].into_iter().zip(1..) {
            assert!(logins.user(tx, Some(Text::from_bytes(name.as_bytes())), true).is_none());
        }
        for (tx, code, name) in [(1, 230, "mary"), (2, 501, "bob"), (3, 501, "jane")] {
            let decided = logins.reply(tx, Verb::User, code).unwrap();
            assert_eq!((decided.tx, decided.login.user.as_deref()), (tx, Some(name)));
        }
        assert_eq!(logins.user.unwrap().text, "mary");
    }

    #[test]
    fn who_is_logged_in_stays_it_where_another_name_is_refused() {
        let mut logins = Logins::default();
        logins.user(1, Some(Text::from_bytes(b"mary")), false);
        logins.reply(1, Verb::User, 230).unwrap();
        logins.user(2, Some(Text::from_bytes(b"bob")), false);
        assert_eq!(logins.reply(2, Verb::User, 530).unwrap().login.user.as_deref(), Some("bob"));
        assert_eq!(logins.user.unwrap().text, "mary");
    }

    #[test]
    fn a_second_user_abandons_the_first() {
        let mut logins = Logins::default();
        logins.user(1, Some(Text::from_bytes(b"mary")), false);
        let Login { tx, login: abandoned } = logins.user(2, Some(Text::from_bytes(b"FTP")), false).unwrap();
        assert_eq!(tx, 1);
        assert_eq!((abandoned.user.as_deref(), abandoned.outcome), (Some("mary"), LoginOutcome::Abandoned));
        assert!(logins.reply(3, Verb::Pass, 230).unwrap().login.anonymous);
        assert!(logins.abandon().is_none());
    }

    #[test]
    fn replies_to_commands_before_the_attempt_decide_nothing() {
        // `ACCT, USER` and `PASS, USER` in one segment each.
        let first = outcomes("ACCT, USER, ACCT 502, USER 331, PASS, PASS 230");
        assert_eq!(first, ("S".to_owned(), 1, 0));
        let abandoned = outcomes("ACCT, USER, ACCT 502, USER 331");
        assert_eq!(abandoned, ("A".to_owned(), 0, 0));
        let again = outcomes("USER, USER 331, PASS, PASS 230, PASS, USER, PASS 230, USER 530");
        assert_eq!(again, ("SF".to_owned(), 1, 1));
    }
}
