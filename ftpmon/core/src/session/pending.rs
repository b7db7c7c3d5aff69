//! The commands that wait for their reply, and which of them a reply answers.
//!
//! Replies come in the order of the commands (RFC 959 section 5.4), so a reply answers the oldest command that waits.
//! That holds however deep a client pipelines, as long as every command and reply was seen. Where one was not (a gap, a
//! reply that cannot be read, one reply for a transfer and its ABOR), the commands that may have been answered unseen
//! are *doubtful*, and the reply's code tells which command it fits.

use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::ftp::Verb;
use crate::time::Timestamp;

/// A command that waits for its final reply.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) tx: u64,
    pub(super) verb: Verb,
    /// As events have it.
    pub(super) name: SmolStr,
    /// As events have it: masked where it is a secret.
    pub(super) arg: Option<SmolStr>,
    pub(super) at: Timestamp,
    pub(super) intent: Intent,
    doubtful: bool,
}

/// What a command will have changed when it succeeds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// Nothing that a session keeps.
    None,
    /// The argument is a path: CWD, MKD, SIZE.
    Path(Box<[u8]>),
    /// REST's offset.
    Offset(u64),
    /// AUTH for TLS.
    Tls,
}

impl Pending {
    pub(super) fn new(
        tx: u64,
        verb: Verb,
        name: SmolStr,
        arg: Option<SmolStr>,
        at: Timestamp,
        intent: Intent,
    ) -> Self {
        Self { tx, verb, name, arg, at, intent, doubtful: false }
    }
}

/// How well a reply code fits a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// No server answers this command so.
    No,
    /// Any command may be answered so.
    Possible,
    /// The code is typical of this command.
    Typical,
}

/// See the module's text. An idle session holds nothing here, and nearly always one command waits at a time: it has its place in
/// memory, and a list of several only where there are several.
#[derive(Debug, Default)]
pub(super) struct PendingCommands {
    queue: SmallVec<[Box<Pending>; 1]>,
    doubtful: usize,
}

impl PendingCommands {
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn push(&mut self, pending: Pending) {
        self.queue.push(Box::new(pending));
    }

    /// The oldest command gives way at the cap.
    pub(super) fn evict_oldest(&mut self) {
        self.drop_front(1);
    }

    /// A command of this verb waits.
    pub(super) fn waits_for(&self, wanted: impl Fn(&Pending) -> bool) -> bool {
        self.queue.iter().any(|pending| wanted(pending))
    }

    /// Replies were lost, or could not be read: any command that waits may have been answered.
    pub(super) fn doubt_all(&mut self) {
        self.queue.iter_mut().for_each(|pending| pending.doubtful = true);
        self.doubtful = self.queue.len();
    }

    /// A reply that cannot be read was probably meant for the oldest command.
    pub(super) fn doubt_oldest(&mut self) {
        if let Some(pending) = self.queue.first_mut().filter(|pending| !pending.doubtful) {
            pending.doubtful = true;
            self.doubtful += 1;
        }
    }

    /// Servers answer a transfer and the ABOR that ended it with two replies or with one.
    pub(super) fn doubt_aborts(&mut self) {
        for pending in self.queue.iter_mut().filter(|pending| pending.verb == Verb::Abor && !pending.doubtful)
        {
            pending.doubtful = true;
            self.doubtful += 1;
        }
    }

    /// The command that a reply answers; it is the oldest afterwards, since those before it were answered unseen.
    pub(super) fn answered_by(&mut self, code: Option<u16>) -> Option<&mut Pending> {
        // Goodbye answers QUIT alone: what was asked before it is not answered any more.
        if code == Some(221) && self.waits_for(|pending| pending.verb == Verb::Quit) {
            self.doubt_all();
        }
        if let Some(code) = code.filter(|_| self.doubtful > 0) {
            let best = self.best_fit(code)?;
            self.drop_front(best);
        }
        self.queue.first_mut().map(Box::as_mut)
    }

    /// The oldest command has its final reply.
    pub(super) fn complete(&mut self) -> Option<Box<Pending>> {
        if self.queue.is_empty() {
            return None;
        }
        let pending = self.queue.remove(0);
        self.doubtful -= usize::from(pending.doubtful);
        if self.queue.is_empty() {
            self.queue = SmallVec::new();
        }
        Some(pending)
    }

    /// The best fitting command; among equals one that is not doubtful, then the oldest. None where the code fits none: the
    /// command that it answers was not seen.
    fn best_fit(&self, code: u16) -> Option<usize> {
        let rank = |(index, pending): (usize, &Pending)| {
            (fit(pending.verb, code), !pending.doubtful, core::cmp::Reverse(index))
        };
        let (fit, _, core::cmp::Reverse(index)) =
            self.queue.iter().map(Box::as_ref).enumerate().map(rank).max()?;
        (fit > Fit::No).then_some(index)
    }

    fn drop_front(&mut self, count: usize) {
        for pending in self.queue.drain(..count.min(self.queue.len())) {
            self.doubtful -= usize::from(pending.doubtful);
        }
    }
}

/// Whether a server answers `verb` with `code`: the lists of RFC 959 section 5.4 and of the extensions' RFCs.
fn fit(verb: Verb, code: u16) -> Fit {
    let typical: &[u16] = match verb.canonical() {
        Verb::User => &[230, 232, 331, 332, 336, 530],
        Verb::Pass => &[202, 230, 332, 530],
        Verb::Acct => &[202, 230, 530],
        Verb::Cwd | Verb::Cdup => &[200, 250, 550],
        Verb::Quit => &[221],
        Verb::Port | Verb::Eprt | Verb::Lprt | Verb::Type | Verb::Stru | Verb::Mode | Verb::Noop => &[200],
        Verb::Pbsz | Verb::Prot | Verb::Opts | Verb::Clnt | Verb::Lang => &[200],
        Verb::Allo => &[200, 202],
        Verb::Pasv | Verb::Cpsv => &[227],
        Verb::Lpsv => &[228],
        Verb::Epsv | Verb::Spas => &[229],
        Verb::Abor => &[225, 226],
        Verb::Syst => &[215],
        Verb::Feat => &[211],
        Verb::Stat => &[211, 212, 213],
        Verb::Help => &[211, 214],
        Verb::Pwd | Verb::Mkd => &[257],
        Verb::Dele | Verb::Rmd | Verb::Rnto | Verb::Mlst => &[250],
        Verb::Rnfr | Verb::Rest => &[350],
        Verb::Size | Verb::Mdtm | Verb::Mfmt | Verb::Mfct | Verb::Hash => &[213],
        Verb::Auth => &[234, 334],
        Verb::Adat => &[235, 335],
        Verb::Host | Verb::Rein => &[220],
        Verb::Site | Verb::Other => return Fit::Possible,
        verb if verb.transfer().is_some() => {
            &[110, 125, 150, 226, 250, 425, 426, 450, 451, 452, 550, 551, 552, 553]
        }
        _ => return Fit::Possible,
    };
    match code {
        code if typical.contains(&code) => Fit::Typical,
        400.. => Fit::Possible,
        _ => Fit::No,
    }
}

#[cfg(test)]
mod tests {
    use super::{Intent, Pending, PendingCommands};
    use crate::ftp::Verb;
    use crate::time::Timestamp;

    fn commands(verbs: &[Verb]) -> PendingCommands {
        let mut pending = PendingCommands::default();
        for (verb, tx) in verbs.iter().zip(1..) {
            pending.push(Pending::new(tx, *verb, "".into(), None, Timestamp::default(), Intent::None));
        }
        pending
    }

    fn answer(pending: &mut PendingCommands, code: u16) -> Option<u64> {
        pending.answered_by(Some(code))?;
        pending.complete().map(|command| command.tx)
    }

    #[test]
    fn replies_answer_in_order_however_odd_their_codes() {
        let mut pending = commands(&[Verb::Pwd, Verb::Type, Verb::Pasv]);
        assert_eq!([200, 257, 500].map(|code| answer(&mut pending, code)), [Some(1), Some(2), Some(3)]);
        assert_eq!(answer(&mut pending, 200), None);
    }

    #[test]
    fn after_a_lost_reply_the_code_tells() {
        let mut pending = commands(&[Verb::User]);
        pending.doubt_all();
        pending.push(Pending::new(2, Verb::Pass, "PASS".into(), None, Timestamp::default(), Intent::None));
        assert_eq!(answer(&mut pending, 230), Some(2));

        let mut pending = commands(&[Verb::Type, Verb::Size, Verb::Pasv]);
        pending.doubt_all();
        assert_eq!(answer(&mut pending, 213), Some(2));
        assert_eq!(answer(&mut pending, 227), Some(3));

        let mut pending = commands(&[Verb::Type]);
        pending.doubt_all();
        assert_eq!([227, 200].map(|code| answer(&mut pending, code)), [None, Some(1)]);
    }

    #[test]
    fn goodbye_answers_quit() {
        let mut pending = commands(&[Verb::Retr, Verb::Quit]);
        assert_eq!(answer(&mut pending, 221), Some(2));
        let mut pending = commands(&[Verb::Rein]);
        assert_eq!(answer(&mut pending, 221), Some(1));
    }

    #[test]
    fn one_reply_for_a_transfer_and_its_abort_shifts_nothing() {
        let mut pending = commands(&[Verb::Retr, Verb::Abor]);
        assert_eq!(answer(&mut pending, 226), Some(1));
        pending.doubt_aborts();
        pending.push(Pending::new(3, Verb::Noop, "NOOP".into(), None, Timestamp::default(), Intent::None));
        assert_eq!(answer(&mut pending, 200), Some(3));

        let mut pending = commands(&[Verb::Retr, Verb::Abor, Verb::Noop]);
        assert_eq!(answer(&mut pending, 426), Some(1));
        pending.doubt_aborts();
        assert_eq!([226, 200].map(|code| answer(&mut pending, code)), [Some(2), Some(3)]);
    }
}
