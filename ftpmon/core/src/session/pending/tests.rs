//! Dialogues, and which command each reply answers.

use super::{Intent, Pending, PendingCommands};
use crate::ftp::Verb;
use crate::time::Timestamp;

/// `C VERB` sends a command, `C` an empty line, which has no number, `?` stands for a command that was not captured, `? N` for N
/// that were not read, `~` for lost replies, `|` for the end of the running transfer's connection; `S CODE text > N`
/// is a reply that answers the command N, counted from 1, none where N is 0, or waits for what follows where it is `?`.
fn check(dialogue: &[&str]) {
    let mut pending = PendingCommands::default();
    let mut tx = 0;
    let mut held: Option<(u64, u16)> = None;
    let mut over = false;
    for step in dialogue {
        if let Some(name) = step.strip_prefix('C') {
            if let Some((held, code)) = held.take() {
                let index = pending.index_of(held).unwrap();
                pending.complete(index, code);
            }
            let (name, at) = (name.trim(), Timestamp::default());
            if name.is_empty() {
                pending.push_empty_lines(at, 1);
                continue;
            }
            tx += 1;
            let verb = Verb::from_name(name.as_bytes());
            pending.push(Pending::new(tx, verb, name.into(), None, at, Intent::None).behind_end(over));
        } else if *step == "|" {
            over = true;
        } else if *step == "?" {
            pending.push_unseen(Timestamp::default());
        } else if let Some(count) = step.strip_prefix("? ") {
            pending.push_unread(Timestamp::default(), count.parse().unwrap());
        } else if *step == "~" {
            pending.doubt_all();
        } else {
            let (said, wanted) = step.trim_start_matches("S ").rsplit_once(" > ").unwrap();
            let (code, text): (u16, _) = (said[..3].parse().unwrap(), &said.as_bytes()[3..]);
            if let Some((waiting, error)) = held.take() {
                let index = pending.index_of(waiting).unwrap();
                if !pending.is_answered_after_all(index, error, code, text) {
                    pending.complete(index, error);
                }
            }
            let fitting = pending.answered_by(code, text);
            let fitting = fitting.or_else(|| pending.ended_oddly(code).filter(|_| over));
            let repeated = fitting.filter(|&index| pending.is_repeated(index, code, text));
            let found = match repeated {
                Some(index) => {
                    held = Some((pending.get(index).unwrap().tx, code));
                    "?".to_owned()
                }
                None => answered(&mut pending, fitting, code).to_string(),
            };
            assert_eq!(found, wanted, "{step} in {dialogue:?}");
        }
    }
}

fn answer(pending: &mut PendingCommands, code: u16, text: &[u8]) -> u64 {
    let waiting = pending.answered_by(code, text);
    answered(pending, waiting, code)
}

fn answered(pending: &mut PendingCommands, waiting: Option<usize>, code: u16) -> u64 {
    let Some(index) = pending.resume(code, waiting) else { return 0 };
    let command = pending.get(index).unwrap();
    let (tx, transfer) = (command.tx, command.is_transfer());
    if code < 200 {
        pending.begin(index);
    } else if pending.complete(index, code).is_some() && transfer {
        pending.doubt_aborts();
    }
    tx
}

#[test]
fn replies_answer_in_order_however_deep_a_client_pipelines() {
    check(&["C PWD", "C TYPE", "C PASV", "S 257 > 1", "S 200 > 2", "S 227 > 3", "S 200 > 0"]);
    check(&["C DELE", "C DELE", "C RNTO", "S 550 > 1", "S 250 > 2", "S 553 > 3"]);
    check(&["C USER", "C PASS", "S 331 > 1", "S 230 > 2"]);
    check(&["C SITE", "C NOOP", "S 200 > 1", "S 200 > 2"]);
    check(&[
        "C PASV",
        "C RETR",
        "C PASV",
        "C RETR",
        "S 227 > 1",
        "S 150 > 2",
        "S 226 > 2",
        "S 227 > 3",
        "S 150 > 4",
        "S 226 > 4",
    ]);
}

#[test]
fn servers_have_codes_of_their_own() {
    check(&["C EPSV", "S 227 > 1", "C PASV", "S 229 > 2"]);
    check(&["C LIST", "S 226 > 1", "C DELE", "S 200 > 2", "C TYPE", "S 250 > 3", "C NOOP", "S 550 > 4"]);
    check(&["C USER", "S 220 > 1", "C PASS", "S 202 > 2", "C AUTH", "S 550 > 3", "C XFOO", "S 299 > 4"]);
    check(&["C CWD", "S 257 > 1", "C CDUP", "S 257 > 2", "C CWD", "C PWD", "S 250 > 3", "S 257 > 4"]);
    check(&["C CWD", "C PWD", "S 257 > 2", "C MKD", "S 257 > 3"]);
    check(&["C MIC", "S 631 > 1", "C QUIT", "S 421 > 2"]);
}

#[test]
fn a_command_of_which_nothing_is_known_takes_no_reply_of_another() {
    check(&["C XYZZY", "C PWD", "S 257 > 2", "C NOOP", "S 200 > 3"]);
    check(&["C SITE", "C PASV", "S 227 > 2", "C RETR", "S 150 > 3", "S 226 > 3"]);
    check(&["C XYZZY", "C SIZE", "S 500 > 1", "S 213 > 2"]);
    check(&["C CWD", "C XYZZY", "C PWD", "S 220 > 1", "S 500 > 2", "S 257 > 3"]);
}

#[test]
fn what_is_said_behind_an_abort_ends_the_transfer() {
    check(&[
        "C RETR",
        "S 150 > 1",
        "C ABOR",
        "C SYST",
        "S 215 > 3",
        "C RMD",
        "S 550 > 4",
        "C PWD",
        "S 257 > 5",
    ]);
    check(&["C RETR", "S 150 > 1", "C ABOR", "S 426 > 1", "S 226 > 2", "C RMD", "S 550 > 3"]);
    // Without a connection there was nothing to abort. What is refused behind that is something else.
    for verb in ["C PORT", "C EPRT", "C PASV"] {
        check(&[
            "C STOR",
            "S 150 > 1",
            "C ABOR",
            "S 225 > 2",
            "C PWD",
            "S 257 > 3",
            verb,
            "S 425 > ?",
            "C NOOP",
        ]);
    }
}

/// The transfer of a server that reports its end with the code of the reply before, or not at all. RFC 959 section 5.4 has the replies in the
/// order of the commands: one that was sent when the connection was over is answered behind the transfer's final reply.
#[test]
fn what_is_said_when_the_connection_is_over_is_answered_behind_the_transfer() {
    for (verb, code) in [("DELE", 550), ("CDUP", 250), ("REST", 554), ("MFMT", 550), ("CWD", 550)] {
        let behind = [format!("C {verb}"), format!("S {code} > 4")];
        let no_reply = ["C RETR", "S 150 > 1", "C NOOP", "S 500 > 2", "|", "C PWD", "S 257 > 3"];
        let dialogue: Vec<&str> = no_reply.into_iter().chain(behind.iter().map(String::as_str)).collect();
        check(&dialogue);
        let behind = [format!("C {verb}"), format!("S {code} > 3")];
        let code_of_before = ["C RETR", "S 150 > 1", "C NOOP", "S 500 > 2", "|", "S 500 > ?"];
        let dialogue: Vec<&str> =
            code_of_before.into_iter().chain(behind.iter().map(String::as_str)).collect();
        check(&dialogue);
    }
    // It is not over yet, or has its final reply after all.
    check(&["C RETR", "S 150 > 1", "C PWD", "S 257 > 2", "S 226 > 1"]);
    check(&["C RETR", "S 150 > 1", "C NOOP", "S 500 > 2", "S 500 > 0", "S 226 > 1"]);
    check(&["C RETR", "S 150 > 1", "C NOOP", "S 500 > 2", "|", "S 500 > ?", "S 226 > 1"]);
    check(&["C RETR", "S 150 > 1", "|", "C PWD", "S 257 > 2", "S 226 > 1", "C DELE", "S 550 > 3"]);
    check(&["C STOR", "S 150 > 1", "|", "C NOOP", "S 200 > 2", "C NOOP", "S 200 > 3", "S 226 > 1"]);
}

/// RFC 959 section 5.4 has 425 for transfers alone: what crosses another command is a notice of a connection that the server turned down, where the
/// command has a reply of its own as well.
#[test]
fn a_connection_that_was_turned_down_answers_no_command_that_has_its_own_reply() {
    for (verb, code) in [("PASV", 227), ("EPSV", 229), ("SITE", 200), ("XYZZY", 500), ("PORT", 200)] {
        let own = [format!("C {verb}"), format!("S {code} > 1")];
        check(&[&own[0], "S 425 > ?", &own[1], "C PWD", "S 257 > 2"]);
        check(&[&own[0], "S 425 > ?", "C PWD", "S 257 > 2"]);
    }
    // It may be one's own, and then it is for a transfer again.
    check(&["C PASV", "C RETR", "S 425 > ?", "S 425 > ?", "C PWD", "S 257 > 3"]);
    check(&["C PASV", "C RETR", "S 425 > ?", "S 550 > 2"]);
    check(&["C PWD", "S 425 > 0", "S 257 > 1"]);
}

#[test]
fn commands_that_are_refused_alike_have_a_reply_each() {
    check(&["C MLST", "C SITE", "C SITE", "C PWD", "S 500 > 1", "S 500 > ?", "S 200 > 3", "S 257 > 4"]);
    check(&["C REST", "C OPTS", "C SITE", "S 501 > 1", "S 501 > ?", "S 200 > 3"]);
    // The last one has its own reply: the second error was one too many.
    check(&["C OPTS", "C NOOP", "S 500 > 1", "S 500 > ?", "S 200 > 2"]);
}

#[test]
fn an_empty_line_is_owed_no_reply() {
    check(&["C", "C PWD", "S 257 > 1", "C PASV", "S 227 > 2"]);
    check(&["C", "S 500 > 0", "C PWD", "S 257 > 1"]);
    check(&["C", "C RETR", "S 550 > 1", "C NOOP", "S 200 > 2"]);
    check(&["C", "C", "C", "C PWD", "S 500 > 0", "S 500 > 0", "S 500 > 0", "S 257 > 1"]);
    check(&["C", "C PWD", "S 257 > 1", "C PORT", "S 500 > 2"]);
}

#[test]
fn each_command_that_was_not_read_has_a_reply() {
    check(&["C NOOP", "? 3", "C PWD", "S 200 > 1", "S 200 > 0", "S 550 > 0", "S 500 > 0", "S 257 > 2"]);
    check(&["? 2", "? 2", "C NOOP", "S 200 > 0", "S 200 > 0", "S 200 > 0", "S 200 > 0", "S 200 > 1"]);
    check(&["? 2", "C RETR", "S 150 > 1", "S 226 > 1"]);
}

/// The server answered fewer than were sent.
#[test]
fn a_reply_that_names_its_command_ends_the_wait_for_those_that_were_not_read() {
    check(&["? 600", "S 500 > 0", "C PWD", "S 257 > 1", "C NOOP", "S 200 > 2"]);
    check(&["? 600", "C NOOP", "S 200 > 0", "C SIZE", "S 213 > 2", "C NOOP", "S 200 > 3"]);
    check(&["? 600", "~", "C NOOP", "S 200 > 1", "C NOOP", "S 200 > 2"]);
}

#[test]
fn what_is_never_answered_shifts_nothing() {
    check(&["C RETR", "S 125 > 1", "C NOOP", "S 226 > 1", "C SIZE", "S 213 > 3", "C PASV", "S 227 > 4"]);
    check(&["C RETR", "S 125 > 1", "C NOOP", "S 226 > 1", "C TYPE", "S 200 > 3", "C PASV", "S 227 > 4"]);
    check(&["C NOOP", "C TYPE", "S 200 Type set to I > 2", "C PASV", "S 227 > 3"]);
    check(&["C TYPE", "C PASV", "S 227 > 2", "C RETR", "S 150 > 3", "S 226 > 3", "C NOOP", "S 200 > 4"]);
    check(&["C NOOP", "C MKD", "S 550 > 2", "C PASV", "S 227 > 3"]);
}

#[test]
fn what_is_asked_during_a_transfer_is_answered_before_or_behind_it() {
    for (verb, code) in
        [("NOOP", 200), ("STAT", 211), ("STAT", 213), ("HELP", 214), ("SITE", 200), ("ABOR", 500)]
    {
        let (asked, reply) = (format!("C {verb}"), format!("S {code} > 2"));
        for last in ["S 226 > 1", "S 451 > 1", "S 426 > 1", "S 250 > 1"] {
            check(&["C STOR", "S 150 > 1", &asked, &reply, last, "C PWD", "S 257 > 3"]);
            check(&["C STOR", "S 150 > 1", &asked, last, &reply, "C PWD", "S 257 > 3"]);
            check(&["C STOR", "S 150 > 1", &asked, last, "C PWD", "S 257 > 3"]);
        }
    }
    // A listing that is not announced with 150.
    check(&["C LIST", "C NOOP", "S 200 > 2", "C NOOP", "S 200 > 3", "C NOOP", "S 200 > 4", "S 226 > 1"]);
    check(&["C RETR", "S 150 > 1", "C PASV", "S 227 > 2", "S 226 > 1"]);
}

#[test]
fn one_reply_for_a_transfer_and_its_abort_shifts_nothing() {
    check(&["C RETR", "S 150 > 1", "C ABOR", "S 226 > 1", "C NOOP", "S 200 > 3"]);
    check(&["C RETR", "S 150 > 1", "C ABOR", "C NOOP", "S 426 > 1", "S 226 > 2", "S 200 > 3"]);
    check(&["C RETR", "S 150 > 1", "C ABOR", "S 426 > 1", "S 225 > 2", "C NOOP", "S 200 > 3"]);
    check(&["C RETR", "S 150 > 1", "C ABOR", "S 225 > 2", "S 426 > 1", "C NOOP", "S 200 > 3"]);
}

#[test]
fn a_reply_too_many_answers_nothing() {
    check(&["C CWD", "S 250 > 1", "C PASV", "S 250 > 0", "S 227 > 2"]);
    check(&["C CWD", "S 250 > 1", "C NOOP", "S 250 > 0", "S 200 > 2"]);
    check(&["C TYPE", "S 200 > 1", "C PWD", "S 200 > 0", "S 257 > 2"]);
    check(&["C OPTS", "S 500 > 1", "S 500 > 0", "C USER", "S 331 > 2"]);
    check(&["C RETR", "S 150 > 1", "S 226 > 1", "C PASV", "S 226 > 0", "S 227 > 2", "C QUIT", "S 221 > 3"]);
}

/// An error that repeats that of the command before may be a second reply to it: success shows that it was.
#[test]
fn an_error_told_twice_decides_nothing_alone() {
    check(&["C OPTS", "S 500 > 1", "C USER", "S 500 > ?", "S 331 > 2", "C PASS", "S 230 > 3"]);
    check(&["C OPTS", "S 500 > 1", "C USER", "S 500 > ?", "C PASS", "S 530 > 3"]);
    check(&["C OPTS", "S 500 > 1", "C USER", "C PASS", "S 500 > ?", "S 530 > 3"]);
    check(&["C SIZE", "S 550 > 1", "C RETR", "S 550 > ?", "S 150 > 2", "S 226 > 2"]);
    check(&["C SIZE", "S 550 > 1", "C SIZE", "S 550 > 2"]);
}

#[test]
fn a_transfer_whose_final_reply_is_missing_ends_when_the_next_begins() {
    let mut pending = PendingCommands::default();
    for (tx, verb) in [(1, Verb::Retr), (2, Verb::Retr)] {
        pending.push(Pending::new(tx, verb, "RETR".into(), None, Timestamp::default(), Intent::None));
        assert_eq!(answer(&mut pending, 150, b""), tx);
    }
    assert_eq!(pending.take_abandoned().as_slice(), [1]);
    assert_eq!(answer(&mut pending, 226, b""), 2);
}

/// Pure-FTPd ends a transfer that broke with a second preliminary reply.
#[test]
fn a_new_endpoint_shows_that_the_transfer_before_is_over() {
    for endpoint in [("C PASV", "S 227 > 2"), ("C EPRT", "S 200 > 2")] {
        check(&[
            "C RETR",
            "S 150 > 1",
            "S 150 > 1",
            endpoint.0,
            endpoint.1,
            "C RETR",
            "S 550 > 3",
            "C CWD",
            "S 250 > 4",
        ]);
    }
}

#[test]
fn a_second_preliminary_reply_may_be_the_last() {
    check(&["C RETR", "S 150 > 1", "S 150 > 1", "C ABOR", "S 226 > 2", "C PWD", "S 257 > 3"]);
    check(&["C RETR", "S 150 > 1", "S 150 > 1", "C MDTM", "S 550 > 2", "C PWD", "S 257 > 3"]);
    check(&["C RETR", "S 150 > 1", "S 125 > 1", "S 226 > 1", "C NOOP", "S 200 > 2"]);
}

/// pyftpdlib has no final reply for a transfer that waits for its connection.
#[test]
fn an_abort_shows_that_the_transfer_before_is_over() {
    check(&["C RETR", "S 150 > 1", "C ABOR", "S 225 > 2", "C CWD", "S 250 > 3", "C CWD", "S 250 > 4"]);
}

/// pyftpdlib says 425 of a connection from another host, waits, and serves the client.
#[test]
fn a_transfer_may_go_on_after_a_connection_was_refused() {
    check(&["C PASV", "S 227 > 1", "C RETR", "S 425 > 2", "S 150 > 2", "S 226 > 2", "S 226 > 0"]);
    check(&["C RETR", "S 150 > 1", "S 425 > 1", "S 226 > 1", "C PWD", "S 257 > 2"]);
    check(&["C RETR", "S 425 > 1", "C RETR", "S 150 > 2", "S 226 > 2"]);
    check(&["C RETR", "S 425 > 1", "C PASV", "S 227 > 2", "S 226 > 0"]);
    check(&["C STOR", "S 425 > 1", "S 550 > 1", "C REST", "S 501 > 2"]);
    check(&["C STOR", "S 425 > 1", "C CWD", "S 550 > 2", "S 226 > 1"]);
}

/// RFC 959 section 4.1.3: 426 closes the transfer, then 226 answers ABOR.
#[test]
fn a_transfer_that_goes_on_is_closed_before_abort_is_answered() {
    check(&["C RETR", "S 150 > 1", "S 425 > 1", "C ABOR", "S 426 > 1", "S 226 > 2", "C PWD", "S 257 > 3"]);
    check(&["C RETR", "S 425 > 1", "C ABOR", "S 226 > 2", "C PWD", "S 257 > 3"]);
    check(&["C RETR", "S 150 > 1", "S 226 > 1", "C ABOR", "S 426 > 2", "C PWD", "S 257 > 3"]);
}

#[test]
fn after_a_lost_reply_the_code_tells() {
    check(&["C USER", "~", "C PASS", "S 230 > 2"]);
    check(&["C TYPE", "C SIZE", "C PASV", "~", "S 213 > 2", "S 227 > 3"]);
    check(&["C TYPE", "~", "S 227 > 0", "S 200 > 1"]);
}

#[test]
fn a_command_that_was_not_captured_has_the_first_reply() {
    check(&["?", "C PASV", "S 200 > 0", "S 227 > 1", "C QUIT", "S 221 > 2"]);
    check(&["?", "S 257 > 0", "C SYST", "S 215 > 1"]);
    check(&["C CWD", "?", "S 250 > 1", "S 250 > 0", "C SIZE", "S 213 > 2"]);
    check(&["?", "C RETR", "S 150 > 0", "S 226 > 0", "S 150 > 1", "S 226 > 1"]);
}

#[test]
fn goodbye_answers_quit() {
    check(&["C RETR", "C QUIT", "S 221 > 2"]);
    check(&["C REIN", "S 221 > 1"]);
}

#[test]
fn of_stat_in_a_transfer_and_help_behind_it_211_is_stats() {
    check(&[
        "C NLST",
        "S 150 here > 1",
        "C STAT",
        "S 226 done > 1",
        "C HELP",
        "S 211 status > 2",
        "S 214 help > 3",
    ]);
}

#[test]
fn a_lost_reply_was_that_of_the_command_that_waited_alone() {
    check(&["C CWD", "~", "C SITE", "S 200 did > 2", "C PWD", "S 257 here > 3"]);
    // Nothing else waits: it was not lost.
    check(&["C CWD", "~", "S 250 in > 1"]);
    // Of two either may have been answered.
    check(&["C PWD", "C NOOP", "~", "C MKD", "S 200 > 2"]);
}

#[test]
fn what_aborted_says_so_before_the_next_is_answered() {
    check(&["C STOR", "S 150 > 1", "C ABOR", "S 426 > 1", "C EPSV", "S 451 > 2", "S 229 > 3"]);
    check(&["C STOR", "S 150 > 1", "C ABOR", "S 426 > 1", "C PASV", "S 426 > 2", "S 227 > 3"]);
    check(&["C STOR", "S 150 > 1", "C ABOR", "S 426 > 1", "C RETR", "S 451 > 3"]);
    check(&["C STOR", "S 150 > 1", "C ABOR", "S 451 > 1", "C EPSV", "S 522 > 3"]);
}

#[test]
fn a_transfer_that_ended_with_a_second_150_takes_no_refusal_of_another() {
    for (name, code) in
        [("RNTO", 550), ("RNTO", 553), ("SIZE", 550), ("STAT", 550), ("MKD", 550), ("STAT", 450)]
    {
        let (said, refused) = (format!("C {name}"), format!("S {code} > 2"));
        check(&["C RETR", "S 150 > 1", "S 150 > 1", &said, &refused, "C NOOP", "S 200 > 3"]);
    }
    check(&["C RETR", "S 150 > 1", "S 150 > 1", "C RNTO", "S 426 > 1", "S 250 > 2"]);
}

#[test]
fn behind_lost_replies_a_login_takes_no_value_of_another() {
    check(&["C PASS", "~", "C SYST", "S 215 > 2", "C PWD", "S 257 > 3"]);
    check(&["C USER", "C PASS", "C PASV", "S 331 > 1", "S 227 > 3"]);
    check(&["C PASS", "?", "S 257 > 0", "C PWD", "S 257 > 2"]);
    check(&["C PASS", "?", "~", "S 227 > 0", "C RETR", "S 150 > 2"]);
    check(&["C PASS", "~", "S 227 > 0", "S 230 > 1"]);
    check(&["C PASS", "S 215 > 1"]);
}

#[test]
fn what_is_asked_unseen_while_a_transfer_runs_is_answered_before_its_end() {
    check(&["C RETR", "S 150 > 1", "?", "S 200 > 0", "C NOOP", "S 200 > 2", "S 451 > 1"]);
    check(&["C STOR", "S 125 > 1", "?", "S 200 > 0", "S 226 > 1"]);
    check(&["C STOR", "S 125 > 1", "C XYZZY", "S 200 > 2", "S 226 > 1"]);
}

/// More commands wait than a reply is compared with: the one that the client sent last is found.
#[test]
fn commands_without_number_that_nobody_answers_hide_none() {
    let mut pending = PendingCommands::default();
    let push = |pending: &mut PendingCommands, tx: u64, name: &str| {
        let verb = Verb::from_name(name.as_bytes());
        pending.push(Pending::new(tx, verb, name.into(), None, Timestamp::default(), Intent::None));
    };
    for tx in 1..=1_000 {
        push(&mut pending, tx, "NOOP");
    }
    push(&mut pending, 1_001, "PWD");
    assert_eq!(answer(&mut pending, 257, b"x"), 1_001);
    assert_eq!(answer(&mut pending, 200, b"x"), 1_000 - super::DOUBTFUL_MAX as u64 + 1);
}
