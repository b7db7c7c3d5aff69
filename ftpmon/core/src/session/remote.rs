//! The state of the server's side of a session, learned from commands and their replies: working directory, transfer
//! parameters, sizes of files.
//!
//! A command takes effect when it is answered. So each command that may change this state waits here for its reply,
//! and a transfer gets the state at its first reply, when all commands before it were answered.

use smallvec::SmallVec;

use super::due::{Due, Parameters, representation};
use crate::event::FileDirection;
use crate::fill::Fills;
use crate::ftp::path::{Answer, WorkingDirectory};
use crate::ftp::{Code, Command, Reply, Verb, size};

/// Commands that wait for their replies here. Stops a client that only sends: beyond it, what they would have changed
/// is not known.
const ASKED_MAX: usize = 64;

/// A command that waits for its reply.
#[derive(Debug)]
struct Asked {
    tx: u64,
    verb: Verb,
    arg: SmallVec<[u8; 24]>,
    /// A transfer that has its first reply.
    begun: bool,
}

impl Asked {
    fn is_transfer(&self) -> bool {
        self.verb.transfer().is_some()
    }
}

/// The state at a transfer's beginning.
#[derive(Debug)]
pub(super) struct Basis {
    pub(super) path: Option<Vec<u8>>,
    pub(super) parameters: Parameters,
    pub(super) due: Due,
}

/// A gap in the commands: those that it swallowed may have changed anything.
#[derive(Clone, Copy, Debug)]
struct Gap {
    /// The last command before it.
    last: u64,
    /// A reply that can be a lost command's is one that CWD, TYPE or their like can have.
    may_have_changed: bool,
}

/// The server's side of a session.
#[derive(Debug)]
pub(super) struct Remote {
    directory: WorkingDirectory,
    parameters: Parameters,
    /// The path, size and parameters of the last SIZE.
    known_size: Option<Box<(Vec<u8>, u64, Parameters)>>,
    /// ALLO's size, and its command, for the next upload.
    allocated: Option<(u64, u64)>,
    asked: SmallVec<[Asked; 1]>,
    gap: Option<Gap>,
}

impl Remote {
    /// Memory of what is known of the server's side, bytes.
    pub(super) fn held(&self) -> usize {
        let size = self.known_size.as_ref().map_or(0, |known| known.0.len());
        let asked: usize = self.asked.iter().map(|asked| size_of::<Asked>() + asked.arg.len()).sum();
        self.directory.held() + size + asked
    }

    pub(super) fn new(midstream: bool) -> Self {
        Self {
            directory: WorkingDirectory::new(midstream),
            parameters: if midstream { Parameters::UNKNOWN } else { Parameters::DEFAULT },
            known_size: None,
            allocated: None,
            asked: SmallVec::new(),
            gap: None,
        }
    }

    /// The transfer parameters, as far as they are known.
    pub(super) fn parameters(&self) -> Parameters {
        if self.gap.is_some() { Parameters::UNKNOWN } else { self.parameters }
    }

    /// The path that `name` has now.
    pub(super) fn path(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.directory.path(name, self.gap.is_none())
    }

    /// The greeting.
    pub(super) fn greeted(&mut self, reply: &Reply<'_>) {
        self.directory.greeting(&reply.text);
    }

    /// The command `tx` was sent. True if an older one was given up at the cap.
    pub(super) fn asked(&mut self, tx: u64, command: &Command<'_>) -> bool {
        let arg = match command.verb {
            verb if command.cut && verb.transfer().is_some() => return false,
            _ if command.cut => &[],
            verb if verb.transfer().is_some() => match transfer_name(command) {
                Some(name) => name,
                None => return false,
            },
            Verb::Cwd | Verb::Xcwd | Verb::Mkd | Verb::Xmkd | Verb::Size | Verb::Site => {
                command.arg.unwrap_or_default()
            }
            Verb::Type | Verb::Mode | Verb::Stru | Verb::Allo | Verb::Dele | Verb::Rnfr => {
                command.arg.unwrap_or_default()
            }
            Verb::Cdup | Verb::Xcup | Verb::Pwd | Verb::Xpwd | Verb::Smnt | Verb::Syst | Verb::Rein => &[],
            verb if verb.is_login() || verb.writes() => &[],
            _ => return false,
        };
        if command.verb == Verb::Allo {
            self.allocated = size::in_allo(arg).map(|size| (tx, size));
        }
        let full = self.asked.len() >= ASKED_MAX;
        if full {
            let lost = self.asked.remove(0);
            self.unanswered(&lost);
        }
        self.asked.push(Asked { tx, verb: command.verb, arg: SmallVec::from_slice(arg), begun: false });
        full
    }

    /// Notes the fill.
    pub(super) fn note_fill(&self, fills: &mut Fills) {
        fills.note("remote_commands_of_session", self.asked.len(), ASKED_MAX);
    }

    /// A reply, to the command `tx` (0: to none that was seen). Returns a transfer's basis at its first reply.
    pub(super) fn heard(&mut self, tx: u64, reply: &Reply<'_>) -> Option<Basis> {
        self.judge_gap(tx, reply.code?);
        if tx == 0 {
            return None;
        }
        let at = self.asked.iter().position(|asked| asked.tx == tx);
        let transfer = at.and_then(|at| self.asked.get(at)).filter(|asked| asked.is_transfer());
        let begins = transfer.is_some_and(|asked| !asked.begun);
        self.forget_unanswered(tx, begins);
        if !begins {
            return None;
        }
        let asked = self.asked.iter_mut().find(|asked| asked.tx == tx)?;
        asked.begun = true;
        let (verb, arg) = (asked.verb, asked.arg.clone());
        Some(self.basis(tx, verb, &arg, verb.transfer()?))
    }

    /// The final reply to the command `tx`.
    pub(super) fn answered(&mut self, tx: u64, reply: &Reply<'_>) {
        let Some(at) = self.asked.iter().position(|asked| asked.tx == tx) else { return };
        let asked = self.asked.remove(at);
        if self.asked.is_empty() {
            self.asked = SmallVec::new();
        }
        if let Some(code) = reply.code {
            self.take_effect(&asked, code, reply);
        }
    }

    /// Commands are answered in order, but for those beside a transfer: a reply to `tx` shows that the reply to an
    /// older command was not seen. `transfers`: older transfers ended as well.
    fn forget_unanswered(&mut self, tx: u64, transfers: bool) {
        let mut index = 0;
        while let Some(asked) = self.asked.get(index) {
            if asked.tx < tx && (transfers || !asked.is_transfer()) {
                let lost = self.asked.remove(index);
                self.unanswered(&lost);
            } else {
                index += 1;
            }
        }
    }

    /// The basis of the transfer command that was just sent, until its first reply.
    pub(super) fn basis_now(&self, tx: u64, command: &Command<'_>, direction: FileDirection) -> Basis {
        let name = transfer_name(command);
        let mut basis = self.basis(tx, command.verb, name.unwrap_or_default(), direction);
        basis.path = basis.path.filter(|_| name.is_some() && !command.cut);
        basis
    }

    /// Bytes of the commands were not seen; `last`: the last command that was.
    pub(super) fn commands_lost(&mut self, last: u64) {
        let may_have_changed = self.gap.is_some_and(|gap| gap.may_have_changed);
        self.gap = Some(Gap { last, may_have_changed });
        (self.known_size, self.allocated) = (None, None);
    }

    /// Bytes of the replies were not seen.
    pub(super) fn replies_lost(&mut self) {
        if let Some(gap) = &mut self.gap {
            gap.may_have_changed = true;
        }
    }

    fn basis(&self, tx: u64, verb: Verb, name: &[u8], direction: FileDirection) -> Basis {
        // The name that STOU asks for is a wish: a reply says which one the file has.
        let has_path = verb != Verb::Stou && !(name.is_empty() && direction != FileDirection::Listing);
        let path = self.path(name).filter(|_| has_path);
        let parameters = self.parameters();
        let size = self.known_size.as_deref().filter(|(of, _, under)| {
            direction == FileDirection::Download
                && path.as_deref() == Some(&**of)
                && *under == parameters
                && verb != Verb::Thmb
        });
        let allocated = self.allocated.filter(|&(allo, _)| direction == FileDirection::Upload && allo < tx);
        let due = Due {
            comparable: direction == FileDirection::Download && parameters.is_transparent(),
            size: size.map(|(_, size, _)| *size),
            said: None,
            allocated: allocated.map(|(_, size)| size),
        };
        Basis { path, parameters, due }
    }

    /// The reply to a command that was lost, or to one after the gap, shows whether the lost ones changed anything.
    fn judge_gap(&mut self, tx: u64, code: Code) {
        let Some(gap) = &mut self.gap else { return };
        let changes = matches!(code.number(), 200..=209 | 230..=239 | 250..=256);
        if tx == 0 {
            gap.may_have_changed |= changes;
        } else if tx > gap.last && !changes {
            // The lost commands were answered before this one.
            if gap.may_have_changed {
                self.directory.forget();
                self.parameters = Parameters::UNKNOWN;
            }
            self.gap = None;
        }
    }

    fn take_effect(&mut self, asked: &Asked, code: Code, reply: &Reply<'_>) {
        let verb = asked.verb.canonical();
        let answer = Answer { code: code.number(), text: &reply.text, truncated: reply.truncated };
        if verb.writes() {
            self.written(asked);
        }
        match verb {
            Verb::Allo if !code.is_completion() => {
                self.allocated.take_if(|allocated| allocated.0 == asked.tx);
            }
            verb if verb.transfer() == Some(FileDirection::Upload) => self.allocated = None,
            Verb::Size if code == 213 => {
                let size = size::in_213(reply.certain_text()).filter(|_| !asked.arg.is_empty());
                let parameters = self.parameters();
                self.known_size =
                    self.path(&asked.arg).zip(size).map(|(path, size)| Box::new((path, size, parameters)));
            }
            Verb::User if !code.is_error() => self.directory.logged_in(answer, true),
            _ if !code.is_completion() => {}
            // Superfluous at this site: nothing was set (RFC 959 section 5.4).
            Verb::Type | Verb::Mode | Verb::Stru if code == 202 => {}
            Verb::Type => self.parameters.representation = representation(&asked.arg),
            Verb::Mode => self.parameters.mode = asked.arg.first().map(u8::to_ascii_uppercase),
            Verb::Stru => self.parameters.structure = asked.arg.first().map(u8::to_ascii_uppercase),
            Verb::Rein => {
                // What was sent behind it is still to be answered.
                let asked = core::mem::take(&mut self.asked);
                *self = Self { asked, directory: WorkingDirectory::new(false), ..Self::new(false) };
            }
            verb if verb.is_login() => self.directory.logged_in(answer, false),
            verb => self.directory.completed(verb, &asked.arg, answer),
        }
    }

    /// The command's reply was not seen: it may have been accepted or not.
    fn unanswered(&mut self, asked: &Asked) {
        match asked.verb.canonical() {
            Verb::Cwd | Verb::Cdup | Verb::Smnt | Verb::Rein => self.directory.forget(),
            Verb::Type if self.parameters.representation != representation(&asked.arg) => {
                self.parameters.representation = None;
            }
            Verb::Mode => self.parameters.mode = None,
            Verb::Stru => self.parameters.structure = None,
            Verb::Allo => {
                self.allocated.take_if(|allocated| allocated.0 == asked.tx);
            }
            verb if verb.writes() => self.written(asked),
            _ => {}
        }
    }

    /// A file was written, moved or removed: its size is another.
    fn written(&mut self, asked: &Asked) {
        let path = self.path(&asked.arg).filter(|_| asked.verb != Verb::Rnto && !asked.arg.is_empty());
        self.known_size.take_if(|known| path.is_none_or(|path| path == known.0));
    }
}

/// The name in a transfer command, empty for the working directory. Listings may name options before it.
fn transfer_name<'a>(command: &Command<'a>) -> Option<&'a [u8]> {
    match command.verb {
        Verb::List | Verb::Nlst => Some(without_options(command.arg.unwrap_or_default())),
        Verb::Eret | Verb::Esto => command.part().map(|part| part.path),
        _ => Some(command.arg.unwrap_or_default()),
    }
}

/// The name behind the options of `ls`, which clients pass on.
fn without_options(arg: &[u8]) -> &[u8] {
    let mut rest = arg.trim_ascii();
    while rest.first() == Some(&b'-') {
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        rest = rest.get(end..).unwrap_or_default().trim_ascii_start();
    }
    rest
}
