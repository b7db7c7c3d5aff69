//! Which replies can answer which command: the lists of RFC 959 section 5.4 and of the extensions' RFCs, with what servers are
//! known to send besides.

use crate::ftp::Verb;

/// The degree to which a reply code fits a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// No server answers this command so.
    No,
    /// In no list, but a server may use it where no other command can have it.
    Odd,
    /// An error, or a reply to a command whose replies are not known.
    Possible,
    /// The lists name it.
    Typical,
}

/// The fit of `code` and a command of which no preliminary reply was seen.
pub(super) fn fit(verb: Verb, code: u16) -> Fit {
    let verb = verb.canonical();
    match code {
        _ if listed(verb).contains(&code) => Fit::Typical,
        // Protected replies (RFC 2228 section 5) hide their content.
        421 | 600..=699 => Fit::Possible,
        100..=199 => Fit::No,
        // Any completion is a success (RFC 959 section 6), but one that says what another command asked for is that one's, seen or not.
        200..=399 if verb.is_login() && is_distinctive(code) => Fit::Odd,
        200..=299 if verb.is_login() => Fit::Typical,
        200..=299 => completion(verb, code),
        300..=399 if verb.is_login() => Fit::Possible,
        300..=399 => {
            if is_unknown(verb) {
                Fit::Possible
            } else {
                Fit::No
            }
        }
        // Not understood, not implemented, not logged in.
        500..=504 | 530 | 533..=536 => Fit::Possible,
        // They concern a data connection. Servers also send them unasked, for one that is not used.
        425 | 426 if !concerns_data(verb) => Fit::No,
        400..=599 if has_file_errors(verb) => Fit::Possible,
        _ => Fit::Odd,
    }
}

/// The fit of `code` and a transfer that has its preliminary reply: it has a final one of its own, and what is asked meanwhile
/// may be answered first (RFC 959 sections 4.1.3 and 5.4).
pub(super) fn fit_running(code: u16) -> Fit {
    match code {
        110 | 125 | 150 | 226 | 250 | 425 | 426 | 450 | 451 | 452 | 550 | 551 | 552 | 553 => Fit::Typical,
        421 | 600..=699 => Fit::Possible,
        500..=504 | 530 => Fit::Odd,
        400..=599 => Fit::Possible,
        200 | 202 | 225 => Fit::Odd,
        _ => Fit::No,
    }
}

/// The fit of `code` and an empty line. Most servers do not answer it.
pub(super) fn fit_empty_line(code: u16) -> Fit {
    match code {
        500 => Fit::Typical,
        421 | 501 | 502 => Fit::Possible,
        530 | 503 => Fit::Odd,
        _ => Fit::No,
    }
}

/// Servers answer it while a transfer runs, behind it, or not at all (RFC 959 section 4.1.3).
pub(super) const fn is_asked_during_transfers(verb: Verb) -> bool {
    matches!(verb, Verb::Noop | Verb::Stat | Verb::Abor | Verb::Help | Verb::Site)
}

/// A code of the second hundred that is in no list of the verb.
fn completion(verb: Verb, code: u16) -> Fit {
    // It names the directory: servers answer a change of it so as well.
    if code == 257 && matches!(verb, Verb::Cwd | Verb::Cdup) {
        return Fit::Possible;
    }
    let carries_a_value = verb.transfer().is_some()
        || verb.asks_for_endpoint()
        || matches!(
            verb,
            Verb::Pwd | Verb::Size | Verb::Mdtm | Verb::Rnfr | Verb::Rest | Verb::Syst | Verb::Quit
        );
    match code {
        _ if is_unknown(verb) && !matches!(code, 226..=229) => Fit::Possible,
        200 | 202 if verb.transfer().is_some() => Fit::Odd,
        _ if carries_a_value => Fit::No,
        // Codes that answer one command only.
        211..=215 | 221 | 225..=229 | 230..=235 | 257 => Fit::No,
        _ => Fit::Odd,
    }
}

/// No list has its replies.
const fn is_unknown(verb: Verb) -> bool {
    matches!(verb, Verb::Site | Verb::Other) || (listed(verb).is_empty() && verb.transfer().is_none())
}

/// It has to do with a data connection, as far as is known.
const fn concerns_data(verb: Verb) -> bool {
    verb.transfer().is_some()
        || verb.asks_for_endpoint()
        || is_unknown(verb)
        || verb.announces_endpoint()
        || matches!(verb, Verb::Abor)
}

/// It names a file or needs rights, so that any error of the fourth or fifth hundred may answer it.
const fn has_file_errors(verb: Verb) -> bool {
    verb.transfer().is_some()
        || verb.has_path_argument()
        || verb.is_login()
        || is_unknown(verb)
        || matches!(
            verb,
            Verb::Cdup
                | Verb::Pwd
                | Verb::Abor
                | Verb::Mlst
                | Verb::Allo
                | Verb::Mfmt
                | Verb::Mfct
                | Verb::Mff
                | Verb::Opts
                | Verb::Pasv
                | Verb::Epsv
                | Verb::Port
                | Verb::Eprt
                | Verb::Auth
                | Verb::Adat
                | Verb::Prot
                | Verb::Rest
        )
}

/// The replies that are named for a verb, errors that any command can have left out.
const fn listed(verb: Verb) -> &'static [u16] {
    match verb {
        Verb::User => &[230, 232, 331, 332, 334, 336, 530],
        Verb::Pass => &[202, 230, 232, 332, 503, 530],
        Verb::Acct => &[202, 230, 503, 530],
        Verb::Cwd | Verb::Cdup => &[200, 250, 550],
        Verb::Smnt => &[202, 250, 550],
        Verb::Quit => &[221],
        // pyftpdlib welcomes with 230.
        Verb::Rein => &[120, 220, 221, 230],
        Verb::Port | Verb::Eprt | Verb::Lprt => &[200, 522],
        Verb::Type | Verb::Stru | Verb::Mode => &[200, 504],
        Verb::Noop => &[200],
        Verb::Pbsz | Verb::Prot => &[200, 534, 536],
        Verb::Opts | Verb::Clnt | Verb::Lang => &[200, 451, 501],
        Verb::Ccc => &[200, 533, 534],
        Verb::Allo => &[200, 202],
        // Each of them is also answered with the other's code.
        Verb::Pasv | Verb::Cpsv | Verb::Lpsv | Verb::Epsv | Verb::Spas => &[227, 228, 229, 425, 522],
        // Pure-FTPd says 451 behind the 426 of the transfer; others say 426 once more.
        Verb::Abor => &[225, 226, 426, 451],
        Verb::Syst => &[215],
        Verb::Feat => &[211],
        Verb::Stat => &[211, 212, 213, 450],
        Verb::Help => &[211, 214],
        Verb::Pwd => &[257],
        Verb::Mkd => &[250, 257, 550],
        Verb::Dele | Verb::Rmd => &[250, 450, 550],
        // 550: vsftpd, ProFTPD and Pure-FTPd.
        Verb::Rnto => &[250, 532, 550, 553],
        Verb::Mlst => &[250, 550],
        Verb::Rnfr => &[350, 450, 550],
        Verb::Rest => &[350],
        Verb::Size | Verb::Mdtm | Verb::Mfmt | Verb::Mfct | Verb::Hash => &[213, 550],
        Verb::Mff => &[213, 250, 550],
        Verb::Auth => &[234, 334, 431, 534],
        Verb::Adat => &[235, 335, 535],
        Verb::Host => &[220],
        verb if verb.transfer().is_some() => {
            &[110, 125, 150, 226, 250, 425, 426, 450, 451, 452, 532, 550, 551, 552, 553]
        }
        _ => &[],
    }
}

/// The code says what one command, or a few like it, asked for: of commands whose replies are not known none is likely to have it.
pub(super) const fn is_distinctive(code: u16) -> bool {
    matches!(code, 125 | 150 | 213 | 215 | 221 | 226..=229 | 257 | 331 | 350)
}

#[cfg(test)]
mod tests {
    use super::{Fit, fit, fit_empty_line, fit_running, is_asked_during_transfers};
    use crate::ftp::Verb;

    /// RFC 959 section 5.4, the positive replies: each is the verb's own.
    #[test]
    fn each_verb_has_the_replies_of_its_rfc() {
        let table: &[(Verb, &[u16])] = &[
            (Verb::User, &[230, 331, 332, 530]),
            (Verb::Pass, &[230, 202, 332, 530, 503]),
            (Verb::Acct, &[230, 202, 530, 503]),
            (Verb::Cwd, &[250, 550]),
            (Verb::Cdup, &[200, 250, 550]),
            (Verb::Smnt, &[202, 250, 550]),
            (Verb::Rein, &[120, 220]),
            (Verb::Quit, &[221]),
            (Verb::Port, &[200]),
            (Verb::Pasv, &[227]),
            (Verb::Mode, &[200, 504]),
            (Verb::Type, &[200, 504]),
            (Verb::Stru, &[200, 504]),
            (Verb::Allo, &[200, 202]),
            (Verb::Rest, &[350]),
            (Verb::Stor, &[125, 150, 110, 226, 250, 425, 426, 451, 551, 552, 532, 450, 452, 553]),
            (Verb::Retr, &[125, 150, 110, 226, 250, 425, 426, 451, 450, 550]),
            (Verb::List, &[125, 150, 226, 250, 425, 426, 451, 450]),
            (Verb::Rnfr, &[450, 550, 350]),
            (Verb::Rnto, &[250, 532, 553, 550]),
            (Verb::Dele, &[250, 450, 550]),
            (Verb::Rmd, &[250, 550]),
            (Verb::Mkd, &[257, 550]),
            (Verb::Pwd, &[257]),
            (Verb::Abor, &[225, 226]),
            (Verb::Syst, &[215]),
            (Verb::Stat, &[211, 212, 213, 450]),
            (Verb::Help, &[211, 214]),
            (Verb::Noop, &[200]),
            (Verb::Feat, &[211]),
            (Verb::Opts, &[200, 451, 501]),
            (Verb::Epsv, &[229, 522]),
            (Verb::Eprt, &[200, 522]),
            (Verb::Size, &[213, 550]),
            (Verb::Mdtm, &[213, 550]),
            (Verb::Mlst, &[250, 550]),
            (Verb::Auth, &[234, 334, 431, 534]),
            (Verb::Adat, &[235, 335, 535]),
        ];
        for (verb, codes) in table {
            for &code in *codes {
                assert_eq!(fit(*verb, code), Fit::Typical, "{verb} {code}");
            }
            for code in [421, 500, 502, 530] {
                assert!(fit(*verb, code) >= Fit::Possible, "{verb} {code}");
            }
        }
    }

    #[test]
    fn what_says_something_else_is_no_answer() {
        for (verb, codes) in [
            (Verb::Noop, &[150, 213, 215, 221, 226, 227, 257, 331, 350][..]),
            (Verb::Pasv, &[150, 200, 213, 226, 230, 250, 257, 331]),
            (Verb::Pwd, &[200, 213, 227, 226, 250, 331]),
            (Verb::Size, &[200, 226, 227, 250, 257]),
            (Verb::Cwd, &[150, 213, 226, 227, 331]),
            (Verb::Type, &[150, 213, 226, 227, 257, 331]),
            (Verb::Retr, &[211, 213, 215, 221, 227, 257, 331, 350]),
            (Verb::Quit, &[200, 226, 250, 257]),
            (Verb::Pass, &[425, 426]),
            (Verb::Rest, &[425, 426]),
        ] {
            for &code in codes {
                assert_eq!(fit(verb, code), Fit::No, "{verb} {code}");
            }
        }
    }

    #[test]
    fn any_completion_is_a_login_but_what_another_asked_for_is_rather_that_ones() {
        for code in [200, 202, 220, 230, 232, 250] {
            assert_eq!(fit(Verb::Pass, code), Fit::Typical, "{code}");
        }
        for code in [213, 215, 221, 226, 227, 229, 257, 350] {
            assert_eq!(fit(Verb::Pass, code), Fit::Odd, "{code}");
        }
    }

    #[test]
    fn an_abort_may_fail_and_a_new_user_may_be_welcomed() {
        for (verb, code) in [(Verb::Abor, 426), (Verb::Abor, 451), (Verb::Pasv, 425), (Verb::Port, 425)] {
            assert!(fit(verb, code) >= Fit::Possible, "{verb} {code}");
        }
        assert_eq!(fit(Verb::Rein, 230), Fit::Typical);
    }

    #[test]
    fn a_running_transfer_has_final_replies_of_its_own() {
        for code in [226, 250, 425, 426, 451, 551, 552] {
            assert_eq!(fit_running(code), Fit::Typical, "{code}");
        }
        for code in [211, 212, 213, 214, 215, 227, 257, 331] {
            assert_eq!(fit_running(code), Fit::No, "{code}");
        }
        for verb in [Verb::Noop, Verb::Stat, Verb::Abor, Verb::Help, Verb::Site] {
            assert!(is_asked_during_transfers(verb));
        }
    }

    #[test]
    fn an_empty_line_is_answered_with_an_error_or_not_at_all() {
        assert_eq!(fit_empty_line(500), Fit::Typical);
        for code in [150, 200, 226, 227, 250, 257, 331, 550] {
            assert_eq!(fit_empty_line(code), Fit::No, "{code}");
        }
    }
}
