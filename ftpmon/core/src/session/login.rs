//! Who logs in, and with what outcome (RFC 959 section 5.4, RFC 2228 section 3).

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
    pub(super) succeeded: u32,
    pub(super) failed: u32,
}

impl Logins {
    /// USER, the command `tx`, begins an attempt. The one before has to be abandoned first.
    pub(super) fn user(&mut self, tx: u64, user: Option<Text>) {
        self.user = user.map(Arc::new);
        self.begun = Some(tx);
    }

    /// PASS or ACCT, the command `tx`: `secret` as events have it.
    pub(super) fn secret(&mut self, tx: u64, secret: Option<SmolStr>) {
        self.secret = secret.map(Box::new);
        self.begun.get_or_insert(tx);
    }

    /// The final reply to USER, PASS, ACCT or ADAT: the attempt, where that decides it.
    pub(super) fn reply(&mut self, verb: Verb, code: u16) -> Option<LoginAttempt> {
        let outcome = match (verb, code) {
            (_, 230 | 232) => LoginOutcome::Success,
            (Verb::Pass | Verb::Acct, 202) => LoginOutcome::Success,
            (Verb::Adat, 400..) => return None,
            (_, 400..=599) if self.begun.is_some() => LoginOutcome::Failure,
            _ => return None,
        };
        match outcome {
            LoginOutcome::Success => self.succeeded += 1,
            _ => self.failed += 1,
        }
        Some(self.decide(outcome, Some(code)))
    }

    /// REIN: nobody is logged in, nobody has said a name.
    pub(super) fn reinitialize(&mut self) -> Option<Login> {
        let abandoned = self.abandon();
        self.user = None;
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

    fn attempt(replies: &[(Verb, u16)]) -> (Logins, Vec<LoginOutcome>) {
        let mut logins = Logins::default();
        logins.user(1, Some(Text::from_bytes(b"mary")));
        let outcomes = replies
            .iter()
            .filter_map(|&(verb, code)| logins.reply(verb, code))
            .map(|it| it.outcome)
            .collect();
        (logins, outcomes)
    }

    #[test]
    fn the_last_reply_decides() {
        use LoginOutcome::{Failure, Success};
        assert_eq!(attempt(&[(Verb::User, 331), (Verb::Pass, 230)]).1, [Success]);
        assert_eq!(attempt(&[(Verb::User, 331), (Verb::Pass, 332), (Verb::Acct, 202)]).1, [Success]);
        assert_eq!(attempt(&[(Verb::User, 230)]).1, [Success]);
        assert_eq!(attempt(&[(Verb::User, 331), (Verb::Pass, 530)]).1, [Failure]);
        assert_eq!(attempt(&[(Verb::User, 421)]).1, [Failure]);
        assert_eq!(attempt(&[(Verb::User, 331)]).1, []);
    }

    #[test]
    fn a_second_user_abandons_the_first() {
        let (mut logins, _) = attempt(&[(Verb::User, 331)]);
        let Login { tx, login: abandoned } = logins.abandon().unwrap();
        logins.user(2, Some(Text::from_bytes(b"FTP")));
        assert_eq!(tx, 1);
        assert_eq!((abandoned.user.as_deref(), abandoned.outcome), (Some("mary"), LoginOutcome::Abandoned));
        assert!(logins.reply(Verb::Pass, 230).unwrap().anonymous);
        assert!(logins.abandon().is_none());
    }
}
