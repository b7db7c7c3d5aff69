//! Which lines are hidden, and what is masked in replies.

use super::{MaskedSecrets, Places};
use crate::ftp::{Command, Line};

fn hides(secrets: &MaskedSecrets, bytes: &[u8]) -> bool {
    let line = Line { bytes, terminated: true, ..Line::default() };
    is_hidden(secrets, &Command::parse(bytes), &line)
}

fn is_hidden(secrets: &MaskedSecrets, command: &Command<'_>, line: &Line<'_>) -> bool {
    secrets.hide(command, &Places::of(command), line)
}

fn masked(secrets: &MaskedSecrets, text: &str) -> String {
    String::from_utf8(secrets.masked(text.as_bytes()).into_owned()).unwrap()
}

fn told(lines: &[&str]) -> MaskedSecrets {
    let mut secrets = MaskedSecrets::default();
    for line in lines {
        let command = Command::parse(line.as_bytes());
        let places = Places::of(&command);
        if let Some((_, secret)) = places.argument {
            secrets.remember(&command, secret, None);
        }
        secrets.remember_name(places.name.1);
    }
    secrets
}

#[test]
fn where_a_secret_is_due_only_known_commands_are_shown() {
    for code in [331, 332, 336] {
        let mut secrets = MaskedSecrets::default();
        assert!(!hides(&secrets, b"hunter2"));
        secrets.replied(code);
        for line in
            [&b"hunter2"[..], b"hunter2 more", b"\xef\xbb\xbfxyz", b"QUIT\x01", b":hunter2", b" LIST hunter2"]
        {
            assert!(hides(&secrets, line), "{line:?}");
        }
        for line in [&b"QUIT"[..], b"USER other", b"PASS x", b"LIST x"] {
            assert!(!hides(&secrets, line), "{line:?}");
        }
        secrets.replied(230);
        assert!(!hides(&secrets, b"hunter2"));
    }
}

#[test]
fn a_secret_is_due_as_soon_as_user_was_sent() {
    let mut secrets = MaskedSecrets::default();
    secrets.read(&Command::parse(b"USER bob"), false);
    assert!(hides(&secrets, b"hunter2"));
    secrets.replied(530);
    assert!(!hides(&secrets, b"hunter2"));
}

#[test]
fn the_rest_of_a_line_is_hidden_where_its_head_may_have_had_a_secret() {
    let rest = Line { bytes: b"STOR x", terminated: true, after_gap: true, ..Line::default() };
    for (head, hidden) in
        [("PASS hun", true), ("PA", true), ("hun", true), ("S", false), ("RET", false), ("STOR fil", false)]
    {
        let mut secrets = MaskedSecrets::default();
        let command = Command { cut: true, ..Command::parse(head.as_bytes()) };
        secrets.read(&command, Places::of(&command).argument.is_some());
        assert_eq!(is_hidden(&secrets, &Command::parse(rest.bytes), &rest), hidden, "{head:?}");
        let quit = Line { bytes: b"QUIT", ..rest };
        assert!(!is_hidden(&secrets, &Command::parse(b"QUIT"), &quit));
        secrets.rest_of_a_line(b"ter2Zq9");
        assert_eq!(
            masked(&secrets, "no ter2Zq9 here"),
            if hidden { "no *** here" } else { "no ter2Zq9 here" }
        );
    }
}

#[test]
fn a_line_that_telnet_may_change_is_hidden_where_it_may_be_a_login() {
    let secrets = MaskedSecrets::default();
    for (bytes, hidden) in [
        (&b"PASXS hunter2"[..], true),
        (b"SS hunter2", true),
        (b"RETR x PASS hunter2", true),
        (b"RETR file.txt", false),
        (b"PASS hunter2", false),
    ] {
        let line = Line { bytes, terminated: true, ambiguous: true, ..Line::default() };
        assert_eq!(is_hidden(&secrets, &Command::parse(bytes), &line), hidden, "{bytes:?}");
    }
}

#[test]
fn what_was_masked_is_masked_in_replies() {
    let mut secrets = MaskedSecrets::default();
    secrets.remember(&Command::parse(b"PASS hunter2Zq9"), b"hunter2Zq9", Some("bob"));
    assert_eq!(masked(&secrets, "user bob pass hunter2Zq9"), "user bob pass ***");
    assert_eq!(masked(&secrets, "'PASS HUNTER2ZQ9', HUNTER2zq9."), "'PASS ***', ***.");
    assert_eq!(masked(&secrets, "Logged in"), "Logged in");
    let site = Command::parse(b"SITE PSWD oldpass newpass");
    secrets.remember(&site, b"oldpass newpass", None);
    assert_eq!(masked(&secrets, "changed from oldpass to newpass"), "changed from *** to ***");
    // What is shown as the user's name.
    secrets.remember(&Command::parse(b"PASS anonymous"), b"anonymous", Some("Anonymous"));
    assert_eq!(masked(&secrets, "anonymous is logged in"), "anonymous is logged in");
    // Only its head is compared: what follows is masked as well.
    secrets.remember(&Command::parse(b"PASS x"), "y".repeat(300).as_bytes(), None);
    assert_eq!(masked(&secrets, &format!("a {}\nb", "y".repeat(300))), "a ***\nb");
}

#[test]
fn a_secret_is_known_again_as_the_server_took_it() {
    let cases = [
        ("PASS -hunter2", "pass hunter2", "pass ***"),
        ("PASS \"hunter2\"", "pass hunter2", "pass ***"),
        ("PASS  hunter2 ", "pass hunter2", "pass ***"),
        ("PASS hunter2\rQUIT", "pass hunter2.", "pass ***."),
        ("PASS=hunter2", "500 PASS=hunter2", "500 PASS=***"),
        ("PASSsesame", "'PASSsesame' unknown", "'PASS***' unknown"),
        ("PASS:hun ter2", "no PASS:hun ter2", "no PASS:*** ***"),
        ("NOOP\rPASS hunter2", "no hunter2", "no ***"),
        ("USER bob:hunter2@host", "hunter2@host", "***"),
    ];
    for (line, reply, shown) in cases {
        assert_eq!(masked(&told(&[line]), reply), shown, "{line:?}");
    }
}

#[test]
fn a_short_secret_is_masked_behind_its_word_alone() {
    let secrets = told(&["PASS in"]);
    assert_eq!(masked(&secrets, "bob is logged in"), "bob is logged in");
    for (reply, shown) in [
        ("'PASS in': unknown", "'PASS ***': unknown"),
        ("password: in", "password: ***"),
        ("pass in", "pass ***"),
        ("pass into", "pass into"),
    ] {
        assert_eq!(masked(&secrets, reply), shown);
    }
}

#[test]
fn a_reply_to_a_lost_command_repeats_no_secret_that_was_lost() {
    let unseen = |secrets: &MaskedSecrets, code, text: &str| {
        String::from_utf8(secrets.masked_unseen(Some(code), text.as_bytes()).into_owned()).unwrap()
    };
    let mut secrets = MaskedSecrets::default();
    assert_eq!(unseen(&secrets, 230, "bob is logged in with hunter2"), "bob is logged in with hunter2");
    secrets.may_be_lost();
    for (code, text, shown) in [
        (230, "bob is logged in with hunter2", "***"),
        (530, "hunter2 is wrong", "***"),
        (500, "'PASS hunter2' not understood", "'PASS ***"),
        (500, "'pass=hunter2'", "'pass=***"),
        (501, "ACCT hunter2: no", "ACCT ***"),
        (227, "Entering Passive Mode (192,0,2,1,195,80)", "Entering Passive Mode (192,0,2,1,195,80)"),
        (331, "Password required for bob", "Password required for bob"),
        (503, "Login with USER and PASS", "Login with USER and PASS"),
        (250, "", ""),
    ] {
        assert_eq!(unseen(&secrets, code, text), shown, "{code} {text}");
    }
}
