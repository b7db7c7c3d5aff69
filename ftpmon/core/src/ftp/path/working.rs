//! The server's working directory and path rules, learned from commands and replies.

use super::directory::{Directory, Target};
use super::join::resolve;
use super::stated::{Stated, parent_of, stated, stated_by_257};
use super::system::System;
use crate::ftp::code::Code;
use crate::ftp::verb::Verb;

/// A reply as far as it can name a directory.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The reply code.
    pub code: u16,
    /// The text.
    pub text: &'a [u8],
    /// Some of the text is missing: nothing is learned from it.
    pub truncated: bool,
}

/// The working directory of a session and the system whose rules its names follow.
#[derive(Clone, Debug)]
pub struct WorkingDirectory {
    system: System,
    /// Behind a gap in the commands: the directory from before it, with what is certain to have changed it since.
    place: Directory,
    /// A login succeeded.
    entered: bool,
}

impl WorkingDirectory {
    /// At the beginning of a session; `midstream`: its beginning was not seen.
    pub const fn new(midstream: bool) -> Self {
        let place = if midstream { Directory::Unknown } else { Directory::Login };
        Self { system: System::Unknown, place, entered: false }
    }

    /// The path that `name` has; none if directory or system leave it open. `certain`: no lost command may have
    /// changed the directory.
    pub fn path(&self, name: &[u8], certain: bool) -> Option<Vec<u8>> {
        let cwd = if certain { &self.place } else { &Directory::Unknown };
        if !name.is_empty() {
            return resolve(self.system, cwd, name, Target::File);
        }
        match cwd {
            Directory::At(path) => Some(path.to_vec()),
            Directory::Login | Directory::Unknown => None,
        }
    }

    /// The greeting names the server program.
    pub fn greeting(&mut self, text: &[u8]) {
        if let Some(system) = System::from_greeting(text) {
            self.system = system;
        }
    }

    /// A step of a login succeeded: the server chooses the directory, and may name it. `first`: the login began.
    ///
    /// Behind a second login without REIN some servers are in the login directory and some (ProFTPD, vsftpd, the same name again) where
    /// they were.
    pub fn logged_in(&mut self, answer: Answer<'_>, first: bool) {
        if !self.entered && (first || self.place == Directory::Unknown) {
            self.place = Directory::Login;
        } else if first && self.place != Directory::Login {
            self.forget();
        }
        self.entered |= Code::completes(answer.code);
        self.stated(answer, None);
    }

    /// Bytes held beyond the value itself.
    pub fn held(&self) -> usize {
        match &self.place {
            Directory::At(path) => path.len(),
            Directory::Login | Directory::Unknown => 0,
        }
    }

    /// The directory is not known any more.
    pub fn forget(&mut self) {
        self.place = Directory::Unknown;
    }

    /// The completion reply to a command with this verb and argument.
    pub fn completed(&mut self, verb: Verb, arg: &[u8], answer: Answer<'_>) {
        match verb.canonical() {
            Verb::Syst if answer.code == 215 => self.named_by_syst(answer.text),
            Verb::Pwd if answer.code == 257 && !answer.truncated => {
                if let Some(found) = stated_by_257(self.system, answer.text) {
                    self.set(found);
                }
            }
            Verb::Cwd => self.changed(arg, answer),
            Verb::Cdup => self.changed(b"..", answer),
            Verb::Smnt => {
                self.forget();
                self.stated(answer, None);
            }
            Verb::Mkd if !answer.truncated && !matches!(self.place, Directory::At(_)) => {
                self.made(arg, answer);
            }
            Verb::Site => self.site(arg),
            _ => {}
        }
    }

    fn named_by_syst(&mut self, text: &[u8]) {
        let named = System::from_215(text);
        // Servers on Windows report UNIX for compatibility with clients.
        let emulated = named == System::Posix && !matches!(self.system, System::Unknown | System::Posix);
        if !emulated {
            self.system = named;
        }
    }

    fn changed(&mut self, arg: &[u8], answer: Answer<'_>) {
        let joined = match arg {
            [] => None,
            arg => resolve(self.system, &self.place, arg, Target::Directory),
        };
        self.place = joined.map_or(Directory::Unknown, |path| Directory::At(path.into()));
        // 257 names a directory by itself, as it does to PWD.
        let names_by_itself = answer.code == 257 && !answer.truncated;
        match names_by_itself.then(|| stated_by_257(self.system, answer.text)).flatten() {
            Some(found) => self.set(found),
            None => self.stated(answer, Some(arg)),
        }
    }

    fn stated(&mut self, answer: Answer<'_>, arg: Option<&[u8]>) {
        if answer.truncated {
            return;
        }
        if let Some(found) = stated(self.system, answer.text, arg) {
            self.set(found);
        }
    }

    fn set(&mut self, found: Stated) {
        if let Some(system) = found.system {
            self.system = system;
        }
        self.place = found.into_directory();
    }

    /// The reply to MKD names the new directory in full, and with it the one that it was made in.
    fn made(&mut self, arg: &[u8], answer: Answer<'_>) {
        let made = stated_by_257(self.system, answer.text);
        if let Some(parent) = made.as_ref().and_then(|made| parent_of(&made.path, arg)) {
            self.place = Directory::At(parent.into());
        }
    }

    /// SITE NAMEFMT of IBM i switches between `LIB` and `/QSYS.LIB/LIB.LIB`; SITE CD and its like change the directory.
    fn site(&mut self, arg: &[u8]) {
        let mut words = arg.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (word, value) = (words.next().unwrap_or_default(), words.next());
        if word.eq_ignore_ascii_case(b"NAMEFMT") {
            self.system = System::Os400;
            let place = core::mem::replace(&mut self.place, Directory::Unknown);
            self.place = match (value, place) {
                (Some(b"1"), Directory::At(library)) if !library.starts_with(b"/") => {
                    Directory::At([b"/QSYS.LIB/", &*library, b".LIB"].concat().into())
                }
                (Some(b"0"), Directory::At(path)) => library(&path).unwrap_or(Directory::At(path)),
                (Some(b"0" | b"1"), place) => place,
                _ => Directory::Unknown,
            };
        } else if [&b"CD"[..], b"CWD", b"CHDIR", b"CDUP"].iter().any(|name| word.eq_ignore_ascii_case(name)) {
            self.forget();
        }
    }
}

/// The library of `/QSYS.LIB/LIB.LIB`.
fn library(path: &[u8]) -> Option<Directory> {
    let name = path.strip_prefix(b"/QSYS.LIB/")?.strip_suffix(b".LIB")?;
    (!name.contains(&b'/')).then(|| Directory::At(name.into()))
}

#[cfg(test)]
mod tests {
    use super::{Answer, WorkingDirectory};
    use crate::ftp::verb::Verb;

    fn answer(code: u16, text: &[u8]) -> Answer<'_> {
        Answer { code, text, truncated: false }
    }

    /// Somebody is logged in and has gone to `/up`.
    fn in_up() -> WorkingDirectory {
        let mut directory = WorkingDirectory::new(false);
        directory.logged_in(answer(331, b"Password required"), true);
        directory.logged_in(answer(230, b"User logged in"), false);
        directory.completed(Verb::Cwd, b"/up", answer(250, b"CWD command successful"));
        assert_eq!(directory.path(b"a", true).as_deref(), Some(&b"/up/a"[..]));
        directory
    }

    #[test]
    fn a_second_login_leaves_the_directory_open() {
        let mut again = in_up();
        again.logged_in(answer(230, b"User logged in"), true);
        assert_eq!(again.path(b"a", true), None, "ProFTPD stays in /up, RFC 959 section 4.1.1 goes back");
        assert_eq!(again.path(b"/a", true).as_deref(), Some(&b"/a"[..]));
        let mut in_two_steps = in_up();
        in_two_steps.logged_in(answer(331, b"Password required"), true);
        in_two_steps.logged_in(answer(230, b"User logged in"), false);
        assert_eq!(in_two_steps.path(b"a", true), None);
        in_two_steps.completed(Verb::Pwd, b"", answer(257, b"\"/up\" is the current directory"));
        assert_eq!(in_two_steps.path(b"a", true).as_deref(), Some(&b"/up/a"[..]));
    }

    #[test]
    fn a_password_once_more_changes_no_directory() {
        let mut directory = in_up();
        directory.logged_in(answer(230, b"Already logged in"), false);
        assert_eq!(directory.path(b"a", true).as_deref(), Some(&b"/up/a"[..]));
    }
}
