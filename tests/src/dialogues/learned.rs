//! The lessons of a client from the replies to its logins and to REST.

use super::record::Login;
use super::talker::Talker;
use crate::ftp::Reply;

impl Talker<'_> {
    pub(super) fn user_answered(&mut self, user: &str, code: u16) {
        // Another name does away with an attempt that nothing has decided.
        if self.undecided {
            self.decide("abandoned");
        }
        self.user = Some(user.to_owned());
        (self.undecided, self.account_due) = (code / 100 == 3, code == 332);
        match code / 100 {
            2 => {
                // Where a second login leads nobody knows.
                self.cwd_known &= self.logged_in_as.is_none();
                self.decide("success");
            }
            4 | 5 => {
                let before = self.logged_in_as.clone();
                self.decide("failure");
                // The server keeps whom it knows.
                if before.is_some() {
                    self.logged_in = true;
                    self.user = before;
                }
            }
            _ => {
                self.logged_in = false;
                self.cwd_known = false;
            }
        }
    }

    pub(super) fn secret_answered(&mut self, code: u16) {
        match code / 100 {
            2 => self.decide("success"),
            4 | 5 => self.decide("failure"),
            _ => self.account_due = true,
        }
    }

    /// The one that was accepted last counts. Where a second REST is refused some servers keep the first one, and Pure-FTPd does not.
    pub(super) fn restart_answered(&mut self, arg: &str, reply: &Reply) {
        let before = self.offset.take();
        let in_reply = || {
            let text = reply.text();
            let (_, said) = text.split_once('(')?;
            said.split_once(')')?.0.parse().ok()
        };
        match reply.code {
            350 => (self.offset, self.offset_kept) = (arg.parse().ok().or_else(in_reply), false),
            _ if reply.text().contains("reset to 0") => {}
            _ => self.offset_kept |= before.is_some_and(|offset| offset > 0),
        }
    }

    pub(super) fn decide(&mut self, outcome: &'static str) {
        self.undecided = false;
        let user = self.user.clone().unwrap_or_default();
        self.logged_in = outcome == "success";
        if self.logged_in {
            self.logged_in_as = self.user.clone();
            self.named = false;
        }
        self.record.logins.push(Login { user, outcome });
    }
}
