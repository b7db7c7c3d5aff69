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
            (Verb::Rein, Some(_)) => {
                let place = waiting.iter().position(|it| it.0 == Verb::Rein).unwrap();
                tell(logins.reinitialize(waiting.remove(place).1).map(|it| it.login.outcome));
            }
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
            // REIN is accepted: `REIN 220`, or at once where no reply is given.
            (Verb::Rein, None) => {
                if !dialogue.contains("REIN 220") {
                    tell(logins.reinitialize(tx).map(|it| it.login.outcome));
                }
            }
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
        // ACCT that nobody asked for decides nothing: PASS is still to come.
        ("USER, USER 331, ACCT, ACCT 502, PASS, PASS 530", "F", 0, 1),
        ("USER, USER 331, ACCT, ACCT 530, PASS, PASS 230", "S", 1, 0),
        ("USER, USER 331, ACCT, ACCT 202, PASS, PASS 530", "F", 0, 1),
        ("USER, ACCT, PASS, USER 331, ACCT 502, PASS 230", "S", 1, 0),
        ("USER, ACCT, PASS, USER 331, ACCT 502, PASS 530", "F", 0, 1),
        ("USER, USER 331, ACCT, ACCT 502", "A", 0, 0),
        ("USER, USER 331, ACCT, ACCT 230", "S", 1, 0),
        ("USER, ACCT, ACCT 530", "F", 0, 1),
        ("USER, ACCT, USER, USER 331, ACCT 502, USER 331, PASS, PASS 230", "AS", 1, 0),
        ("USER, USER 331, PASS, PASS 331, ACCT, ACCT 530", "F", 0, 1),
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
        ("USER, USER 230, REIN, PASS, REIN 220, PASS 503", "SF", 1, 1),
        ("USER, USER 230, PASS, REIN, PASS 230, REIN 220", "S", 1, 0),
        ("USER, USER 230, REIN, USER, PASS, REIN 220, USER 331, PASS 230", "SS", 2, 0),
        ("USER, USER 230, REIN, USER, REIN 220, USER 530, PASS, PASS 503", "SFF", 1, 2),
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
