//! Commands with all their replies, for shapes that say both in one row.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hashbrown::HashMap;
use smol_str::SmolStr;

use ftpmon_core::ftp::Verb;
use ftpmon_event::text::Text;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{
    CommandLine, CommandRef, DataAnnouncement, Event, EventKind, ReplyLine, SessionIdentity, Transfer, Via,
};

/// The bytes that commands which are not complete may hold over all sessions. Beyond it the sessions that were held
/// first are evicted: their rows are written as they are. Stops clients that never let a command be answered, and servers that
/// never stop answering, from filling the memory.
pub(super) const HELD_MAX: usize = 32 << 20;

/// A command and what belongs to it, or unasked replies.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    /// The command's number; 0 for unasked replies.
    pub(super) tx: u64,
    /// The command, or the first reply where there is none.
    pub(super) ts: Timestamp,
    pub(super) user: Option<Arc<Text>>,
    /// The verb; none for unasked replies.
    pub(super) verb: Option<SmolStr>,
    pub(super) arg: Option<SmolStr>,
    /// The argument is the head of a longer one.
    pub(super) cut: bool,
    pub(super) replies: Vec<ReplyLine>,
    pub(super) transfer: Option<Box<Transfer>>,
    /// The endpoint that the command or its reply announced. None if it announced one per stripe: a row has columns for one.
    pub(super) channel: Option<DataAnnouncement>,
    answered: bool,
}

impl Transaction {
    fn of_command(ts: Timestamp, tx: u64, command: &CommandLine) -> Self {
        let CommandLine { verb, arg, truncated, .. } = command;
        Self { tx, ts, verb: Some(verb.clone()), arg: arg.clone(), cut: *truncated, ..Self::default() }
    }

    fn of_reply(ts: Timestamp, tx: u64, command: Option<&CommandRef>) -> Self {
        let verb = command.map(|command| command.verb.clone());
        let arg = command.and_then(|command| command.arg.clone());
        Self { tx, ts, verb, arg, ..Self::default() }
    }

    /// The verb, where it is one that is known.
    pub(super) fn known_verb(&self) -> Verb {
        self.verb.as_deref().map_or(Verb::Other, |verb| Verb::from_name(verb.as_bytes()))
    }

    /// The last reply that has a code.
    pub(super) fn outcome(&self) -> Option<&ReplyLine> {
        self.replies.iter().rev().find(|reply| reply.code.is_some())
    }

    /// True if the `data_channel` event of the endpoint in the reply is still to come. It is the session's next event,
    /// unless the endpoint is malformed.
    fn awaits_channel(&self) -> bool {
        let code = self.outcome().and_then(|reply| reply.code).unwrap_or_default();
        matches!(code, 227..=229) && self.channel.is_none()
    }

    fn size(&self) -> usize {
        let texts: usize = self.replies.iter().map(|reply| size_of::<ReplyLine>() + reply.text.len()).sum();
        size_of::<Self>() + self.arg.as_ref().map_or(0, SmolStr::len) + texts
    }
}

/// The memory of a format for a session, beyond its open transactions.
pub(super) trait Memory: Default {
    /// A session is remembered until it ends, also while it has no open transaction.
    const LASTS: bool;

    /// Bytes that it holds beyond its own size.
    fn size(&self) -> usize;
}

/// Nothing.
impl Memory for () {
    const LASTS: bool = false;

    fn size(&self) -> usize {
        0
    }
}

/// The source of a row.
pub(super) struct Row<'a, M> {
    pub(super) identity: &'a SessionIdentity,
    pub(super) memory: &'a mut M,
    pub(super) transaction: &'a Transaction,
}

/// The transactions of all sessions that are not complete.
pub(super) struct Transactions<M> {
    sessions: HashMap<SmolStr, Session<M>>,
    /// The sessions in the order in which they came.
    order: BTreeMap<u64, SmolStr>,
    next: u64,
    held: usize,
    held_max: usize,
    /// A transfer command is not complete before its transfer is reported.
    with_transfer: bool,
}

struct Session<M> {
    identity: Arc<SessionIdentity>,
    open: VecDeque<Transaction>,
    memory: M,
    place: u64,
}

impl<M: Memory> Transactions<M> {
    /// None yet. With `with_transfer`, transfer commands wait for their transfer.
    pub(super) fn new(with_transfer: bool) -> Self {
        Self {
            sessions: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
            held: 0,
            held_max: HELD_MAX,
            with_transfer,
        }
    }

    /// Takes the next event; `write` is called for every transaction that it completes, and for those that have to
    /// are evicted.
    pub(super) fn event(&mut self, event: &Event, mut write: impl FnMut(Row<'_, M>)) {
        let Some(identity) = &event.session else { return };
        self.write_unannounced(identity, event, &mut write);
        match &event.kind {
            EventKind::Command(command) => {
                let mut transaction = Transaction::of_command(event.ts, command.tx, &command.command);
                transaction.user.clone_from(&event.user);
                self.held += transaction.size();
                self.session(identity).open.push_back(transaction);
            }
            EventKind::Reply(reply) => {
                let with_transfer = self.with_transfer;
                let mut transaction = self
                    .remove(identity, reply.tx)
                    .unwrap_or_else(|| Transaction::of_reply(event.ts, reply.tx, reply.command.as_ref()));
                transaction.replies.push(reply.reply.clone());
                transaction.answered |= reply.reply.is_final;
                let waits = with_transfer
                    && transaction.transfer.is_none()
                    && transaction.known_verb().transfer().is_some();
                let complete = transaction.answered && !waits && !transaction.awaits_channel();
                self.hold_or_write(identity, transaction, complete, event.user.as_ref(), &mut write);
            }
            EventKind::Transfer(transfer) if self.with_transfer => {
                let mut transaction = self.remove(identity, transfer.tx).unwrap_or_else(|| Transaction {
                    tx: transfer.tx,
                    ts: event.ts,
                    ..Transaction::default()
                });
                transaction.transfer = Some(transfer.clone());
                let complete = transaction.answered;
                self.hold_or_write(identity, transaction, complete, event.user.as_ref(), &mut write);
            }
            EventKind::DataChannel(channel) => {
                if let Some(mut transaction) = self.remove(identity, channel.tx) {
                    let striped = matches!(channel.data.via, Via::Spas | Via::Spor);
                    transaction.channel = Some(channel.data).filter(|_| !striped);
                    let complete = transaction.answered;
                    self.hold_or_write(identity, transaction, complete, event.user.as_ref(), &mut write);
                }
            }
            EventKind::SessionEnd(_) => self.end(identity.id(), &mut write),
            _ => {}
        }
        while self.held > self.held_max {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.end(&oldest, &mut write);
        }
    }

    /// Writes the answered transactions of a session that wait for a `data_channel` that did not come: `event` came instead.
    fn write_unannounced(
        &mut self,
        identity: &Arc<SessionIdentity>,
        event: &Event,
        write: &mut impl FnMut(Row<'_, M>),
    ) {
        let announced = match &event.kind {
            EventKind::DataChannel(channel) => Some(channel.tx),
            _ => None,
        };
        let is_due =
            |open: &&Transaction| open.answered && Some(open.tx) != announced && open.awaits_channel();
        while let Some(session) = self.sessions.get(identity.id())
            && let Some(open) = session.open.iter().find(is_due)
            && let Some(transaction) = self.remove(identity, open.tx)
        {
            self.hold_or_write(identity, transaction, true, None, write);
        }
    }

    fn session(&mut self, identity: &Arc<SessionIdentity>) -> &mut Session<M> {
        self.sessions.entry(SmolStr::new(identity.id())).or_insert_with(|| {
            let place = self.next;
            self.next += 1;
            self.held += size_of::<Session<M>>();
            self.order.insert(place, SmolStr::new(identity.id()));
            Session { identity: Arc::clone(identity), open: VecDeque::new(), memory: M::default(), place }
        })
    }

    /// Removes a transaction that is held.
    fn remove(&mut self, identity: &Arc<SessionIdentity>, tx: u64) -> Option<Transaction> {
        let open = &mut self.sessions.get_mut(identity.id())?.open;
        let at = open.iter().position(|open| open.tx == tx)?;
        let transaction = open.remove(at)?;
        self.held -= transaction.size();
        Some(transaction)
    }

    /// Writes a transaction that is complete, or has no command and waits for no `data_channel`. Holds others.
    fn hold_or_write(
        &mut self,
        identity: &Arc<SessionIdentity>,
        mut transaction: Transaction,
        complete: bool,
        user: Option<&Arc<Text>>,
        write: &mut impl FnMut(Row<'_, M>),
    ) {
        if let Some(user) = user {
            transaction.user = Some(Arc::clone(user));
        }
        let of_command = transaction.tx != 0 && transaction.verb.is_some();
        if !complete && (of_command || transaction.answered && transaction.awaits_channel()) {
            self.held += transaction.size();
            let open = &mut self.session(identity).open;
            let at = open.partition_point(|open| open.tx < transaction.tx);
            open.insert(at, transaction);
            return;
        }
        let session = self.session(identity);
        let before = session.memory.size();
        write(Row { identity: &session.identity, memory: &mut session.memory, transaction: &transaction });
        let (after, idle) = (session.memory.size(), session.open.is_empty());
        self.held = self.held + after - before;
        if idle && !M::LASTS {
            self.forget(identity.id());
        }
    }

    /// Writes what is held of a session, and forgets it.
    fn end(&mut self, id: &str, write: &mut impl FnMut(Row<'_, M>)) {
        if let Some(mut session) = self.forget(id) {
            for transaction in &session.open {
                write(Row { identity: &session.identity, memory: &mut session.memory, transaction });
            }
        }
    }

    fn forget(&mut self, id: &str) -> Option<Session<M>> {
        let session = self.sessions.remove(id)?;
        self.order.remove(&session.place);
        let open: usize = session.open.iter().map(Transaction::size).sum();
        self.held -= size_of::<Session<M>>() + session.memory.size() + open;
        Some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample::{
        command, data_channel, event, identity, reply, session, session_end, transfer,
    };

    /// The rows: number, verb and codes of each transaction.
    fn written(with_transfer: bool, events: &[Event]) -> Vec<(u64, String, Vec<u16>)> {
        let mut transactions = Transactions::<()>::new(with_transfer);
        let mut out = Vec::new();
        for event in events {
            transactions.event(event, |row| out.push(summary(row.transaction)));
        }
        assert_eq!((transactions.held, transactions.order.len(), transactions.sessions.len()), (0, 0, 0));
        out
    }

    fn summary(transaction: &Transaction) -> (u64, String, Vec<u16>) {
        let codes = transaction.replies.iter().filter_map(|reply| reply.code).collect();
        (transaction.tx, transaction.verb.as_deref().unwrap_or_default().to_owned(), codes)
    }

    #[test]
    fn an_announcement_waits_for_its_endpoint_and_no_longer() {
        let id = identity("s");
        let passive = |tx| reply(tx, 227, "=", Some(("PASV", None)));
        for (kinds, announced) in [
            (vec![command(1, "PASV", None), passive(1), data_channel(1)], vec![true]),
            // Nothing can be read of the reply: the session's next event shows it.
            (vec![command(1, "PASV", None), passive(1), command(2, "QUIT", None)], vec![false]),
            (
                vec![
                    command(1, "PASV", None),
                    command(2, "PASV", None),
                    passive(1),
                    passive(2),
                    data_channel(2),
                ],
                vec![false, true],
            ),
            (vec![command(1, "PASV", None), passive(1), session_end()], vec![false]),
            // Replies without commands, as a capture of one direction has them.
            (vec![reply(0, 227, "=", None), data_channel(0)], vec![true]),
            (vec![reply(0, 227, "=", None), reply(0, 227, "=", None), data_channel(0)], vec![false, true]),
            (vec![reply(0, 227, "=", None), reply(0, 226, "=", None)], vec![false, false]),
        ] {
            let (mut transactions, mut rows) = (Transactions::<()>::new(false), Vec::new());
            for kind in kinds {
                let write = |row: Row<'_, ()>| rows.push(row.transaction.channel.is_some());
                transactions.event(&event(&id, 0, kind), write);
            }
            assert_eq!(rows, announced);
        }
    }

    #[test]
    fn a_command_has_all_its_replies() {
        let got = written(false, &session());
        let verbs: Vec<_> = got.iter().map(|row| row.1.as_str()).collect();
        assert_eq!(verbs, ["", "USER", "PASS", "CWD", "PASV", "RETR", "DELE", "QUIT"]);
        assert_eq!((got[5].2.as_slice(), got[7].2.as_slice()), (&[150, 226][..], &[][..]));
    }

    #[test]
    fn a_transfer_command_waits_for_its_transfer() {
        let id = identity("s");
        let events = [
            event(&id, 0, command(1, "RETR", Some("a.txt"))),
            event(&id, 1, reply(1, 226, "Done.", None)),
            event(&id, 2, command(2, "NOOP", None)),
            event(&id, 3, reply(2, 200, "Ok.", None)),
            event(&id, 4, transfer(1)),
            event(&id, 5, session_end()),
        ];
        let verbs: Vec<_> = written(true, &events).into_iter().map(|row| row.1).collect();
        assert_eq!(verbs, ["NOOP", "RETR"]);
    }

    #[test]
    fn a_second_final_reply_is_a_row_of_its_own() {
        let id = identity("s");
        let events = [
            event(&id, 0, command(1, "ABOR", None)),
            event(&id, 1, reply(1, 226, "Closed.", Some(("ABOR", None)))),
            event(&id, 2, reply(1, 226, "Aborted.", Some(("ABOR", None)))),
        ];
        let got = written(false, &events);
        assert_eq!(got, [(1, "ABOR".to_owned(), vec![226]), (1, "ABOR".to_owned(), vec![226])]);
    }

    #[test]
    fn what_waits_too_long_gives_way_and_is_written() {
        let mut transactions = Transactions::<()>::new(false);
        transactions.held_max = 100_000;
        let mut rows = 0;
        for n in 0..10_000 {
            let id = identity(&n.to_string());
            transactions.event(&event(&id, n, command(1, "NOOP", None)), |_| rows += 1);
            assert!(transactions.held <= transactions.held_max);
        }
        assert_eq!(rows + transactions.sessions.len(), 10_000);
        assert_eq!(transactions.order.len(), transactions.sessions.len());
    }

    #[test]
    fn an_endless_answer_gives_way() {
        let mut transactions = Transactions::<()>::new(false);
        transactions.held_max = 100_000;
        let (id, mut replies) = (identity("s"), 0);
        transactions.event(&event(&id, 0, command(1, "LIST", None)), |_| {});
        let text = "x".repeat(1000);
        for n in 0..1000 {
            let asked = Some(("LIST", None));
            transactions.event(&event(&id, n, reply(1, 150, &text, asked)), |row| {
                replies += row.transaction.replies.len();
            });
            assert!(transactions.held <= transactions.held_max);
        }
        transactions.event(&event(&id, 0, session_end()), |row| replies += row.transaction.replies.len());
        assert_eq!(replies, 1000);
    }
}
