//! Login attempts and their outcome, as the diagram of RFC 959 section 6 has them: the first digit of the reply to USER, PASS or
//! ACCT decides, success ends the sequence, and what is sent behind it begins no attempt (RFC 2228 section 3 adds ADAT).

use std::sync::Arc;

use smol_str::SmolStr;

use crate::event::{Login, LoginAttempt, LoginOutcome};
use crate::ftp::Verb;
use crate::text::Text;

/// The attempt that is not decided yet, and what came of those before.
#[derive(Debug, Default)]
pub(super) struct Logins {
    /// The name given last.
    pub(super) user: Option<Arc<Text>>,
    /// Boxed, since it is there for a moment of a session only.
    secret: Option<Box<SmolStr>>,
    /// The command that began the attempt which is not decided: USER, or PASS without it.
    begun: Option<u64>,
    /// The last attempt succeeded: PASS and ACCT begin no other one until USER or REIN.
    logged_in: bool,
    /// The one who was logged in when USER was sent: so it stays where the server refuses another name.
    before: Option<Arc<Text>>,
    pub(super) succeeded: u32,
    pub(super) failed: u32,
}

impl Logins {
    /// USER, the command `tx`, begins an attempt. The one before has to be abandoned first.
    pub(super) fn user(&mut self, tx: u64, user: Option<Text>) {
        let before = self.user.take();
        if self.logged_in {
            self.before = before;
        }
        self.user = user.map(Arc::new);
        self.begun = Some(tx);
        self.logged_in = false;
    }

    /// PASS, the command `tx`: `secret` as events have it.
    pub(super) fn password(&mut self, tx: u64, secret: Option<SmolStr>) {
        if !self.logged_in {
            self.begun.get_or_insert(tx);
            self.account(secret);
        }
    }

    /// ACCT, which goes on with an attempt and begins none.
    pub(super) fn account(&mut self, secret: Option<SmolStr>) {
        if self.begun.is_some() {
            self.secret = secret.map(Box::new);
        }
    }

    /// The final reply to USER, PASS, ACCT or ADAT: the attempt, where that decides it.
    pub(super) fn reply(&mut self, verb: Verb, code: u16) -> Option<LoginAttempt> {
        let outcome = match (verb, code) {
            (Verb::Adat, 230 | 232) if !self.logged_in => LoginOutcome::Success,
            // ADAT authenticates; USER is still to come.
            (Verb::Adat, _) => return None,
            _ if self.begun.is_none() => return None,
            (_, 200..=299) => LoginOutcome::Success,
            (_, 400..=599) => LoginOutcome::Failure,
            _ => return None,
        };
        match outcome {
            LoginOutcome::Success => self.succeeded += 1,
            _ => self.failed += 1,
        }
        self.logged_in = outcome == LoginOutcome::Success;
        let before = self.before.take().filter(|_| verb == Verb::User && !self.logged_in);
        let decided = self.decide(outcome, Some(code));
        if let Some(before) = before {
            self.user = Some(before);
            self.logged_in = true;
        }
        Some(decided)
    }

    /// REIN: nobody is logged in, nobody has said a name.
    pub(super) fn reinitialize(&mut self) -> Option<Login> {
        let abandoned = self.abandon();
        self.user = None;
        self.before = None;
        self.logged_in = false;
        abandoned
    }

    /// The attempt that will not be decided any more, under the number of the command that began it.
    pub(super) fn abandon(&mut self) -> Option<Login> {
        let tx = self.begun?;
        Some(Login { tx, login: self.decide(LoginOutcome::Abandoned, None) })
    }

    fn decide(&mut self, outcome: LoginOutcome, code: Option<u16>) -> LoginAttempt {
        self.begun = None;
        let user = self.user.as_ref().map(|user| user.text.clone());
        let secret = self.secret.take().map(|secret| *secret);
        let anonymous = user
            .as_ref()
            .is_some_and(|user| user.eq_ignore_ascii_case("anonymous") || user.eq_ignore_ascii_case("ftp"));
        LoginAttempt { user, outcome, anonymous, secret, code, encrypted: false }
    }
}

#[cfg(test)]
mod tests {
    use super::Logins;
    use crate::event::{Login, LoginOutcome};
    use crate::ftp::Verb;
    use crate::text::Text;

    /// `USER`, `PASS`, `ACCT`, `REIN` are sent; `VERB CODE` is the final reply to one. The outcomes, `A` for an abandoned attempt,
    /// and the totals of `session_end`.
    fn outcomes(dialogue: &str) -> (String, u32, u32) {
        let mut logins = Logins::default();
        let mut told = String::new();
        let mut tell = |login: Option<LoginOutcome>| {
            told.extend(login.map(|outcome| match outcome {
                LoginOutcome::Success => 'S',
                LoginOutcome::Failure => 'F',
                LoginOutcome::Abandoned => 'A',
            }));
        };
        for (step, tx) in dialogue.split(", ").zip(1..) {
            let (name, code) = step.split_once(' ').map_or((step, None), |(name, code)| (name, Some(code)));
            match (Verb::from_name(name.as_bytes()), code) {
                (verb, Some(code)) => tell(logins.reply(verb, code.parse().unwrap()).map(|it| it.outcome)),
                (Verb::User, None) => {
                    tell(logins.abandon().map(|it| it.login.outcome));
                    logins.user(tx, Some(Text::from_bytes(b"mary")));
                }
                (Verb::Rein, None) => tell(logins.reinitialize().map(|it| it.login.outcome)),
                (Verb::Adat, None) => {}
                (Verb::Acct, None) => logins.account(Some("***".into())),
                (_, None) => logins.password(tx, Some("***".into())),
            }
        }
        tell(logins.abandon().map(|it| it.login.outcome));
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

    #[test]
    fn who_is_logged_in_stays_it_where_another_name_is_refused() {
        let mut logins = Logins::default();
        logins.user(1, Some(Text::from_bytes(b"mary")));
        logins.reply(Verb::User, 230).unwrap();
        logins.user(2, Some(Text::from_bytes(b"bob")));
        assert_eq!(logins.reply(Verb::User, 530).unwrap().user.as_deref(), Some("bob"));
        assert_eq!(logins.user.unwrap().text, "mary");
    }

    #[test]
    fn a_second_user_abandons_the_first() {
        let mut logins = Logins::default();
        logins.user(1, Some(Text::from_bytes(b"mary")));
        let Login { tx, login: abandoned } = logins.abandon().unwrap();
        logins.user(2, Some(Text::from_bytes(b"FTP")));
        assert_eq!(tx, 1);
        assert_eq!((abandoned.user.as_deref(), abandoned.outcome), (Some("mary"), LoginOutcome::Abandoned));
        assert!(logins.reply(Verb::Pass, 230).unwrap().anonymous);
        assert!(logins.abandon().is_none());
    }
}
