//! The events of an agent for those who ask for all of them, as lines of JSON.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender, channel};

/// Lines that wait for the slowest reader. Stops one that does not read from filling memory: it is told how many it missed.
const LINES_WAITING: usize = 4_096;
/// Readers at once.
const READERS_MAX: usize = 4;

use super::open_session::Open;

/// A line between events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Remark {
    /// The bytes of a data connection so far.
    Moved(Moved),
    /// Lines that this reader was too slow for.
    Missed(u64),
    /// A session that was open when a reader came.
    Open(Box<Open>),
    /// All sessions that were open were told: so many.
    AllOpen(u64),
}

/// The bytes of a data connection so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moved {
    /// When they were counted.
    pub(crate) ts: Timestamp,
    /// The end that opened the connection.
    pub(crate) initiator: Endpoint,
    /// The end that accepted it.
    pub(crate) listener: Endpoint,
    /// Payload bytes of both ends, each byte once.
    pub(crate) bytes: u64,
}

/// The lines.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    lines: Sender<Arc<[u8]>>,
    readers: Arc<AtomicUsize>,
    /// A reader came that knows no session yet.
    newcomer: Arc<AtomicBool>,
    came: Arc<Notify>,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            lines: channel(LINES_WAITING).0,
            readers: Arc::default(),
            newcomer: Arc::default(),
            came: Arc::default(),
        }
    }
}

impl Feed {
    /// Somebody reads: lines are worth their making.
    #[inline]
    pub(crate) fn is_read(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 0
    }

    /// Hands a line, with its line feed, to all readers.
    pub(crate) fn push(&self, line: &[u8]) {
        // The last reader may have left.
        let _ = self.lines.send(line.into());
    }

    /// Hands a remark to all readers.
    pub(crate) fn remark(&self, remark: &Remark) {
        self.push(&line(remark));
    }

    /// Hands sessions that are open to all readers, as one message, however many there are.
    pub(crate) fn tell_open(&self, sessions: impl Iterator<Item = Open>) -> u64 {
        let (mut lines, mut count) = (Vec::new(), 0);
        for session in sessions {
            lines.extend(line(&Remark::Open(Box::new(session))));
            count += 1;
        }
        if count > 0 {
            self.push(&lines);
        }
        count
    }

    /// Ends when a reader came that has to be told of the open sessions.
    pub(crate) async fn newcomer(&self) {
        self.came.notified().await;
    }

    /// A reader came since the last call.
    pub(crate) fn take_newcomer(&self) -> bool {
        self.newcomer.swap(false, Ordering::Relaxed)
    }

    /// Another reader; none where there are enough.
    pub(super) fn subscribe(&self) -> Option<Reader> {
        let more = |readers: usize| (readers < READERS_MAX).then_some(readers + 1);
        self.readers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        let reader = Reader { lines: self.lines.subscribe(), readers: Arc::clone(&self.readers) };
        self.newcomer.store(true, Ordering::Relaxed);
        self.came.notify_one();
        Some(reader)
    }
}

/// A reader, until it is dropped.
#[derive(Debug)]
pub(super) struct Reader {
    lines: Receiver<Arc<[u8]>>,
    readers: Arc<AtomicUsize>,
}

impl Reader {
    /// The next line; none when the agent ends.
    pub(super) async fn next(&mut self) -> Option<Arc<[u8]>> {
        match self.lines.recv().await {
            Ok(line) => Some(line),
            Err(RecvError::Lagged(count)) => Some(line(&Remark::Missed(count)).into()),
            Err(RecvError::Closed) => None,
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn line(remark: &Remark) -> Vec<u8> {
    let mut line = serde_json::to_vec(remark).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::super::open_session::{Login, Running};
    use super::*;
    use ftpmon_event::FileDirection;

    fn run<T>(body: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(body)
    }

    #[test]
    fn readers_get_every_line_and_learn_what_they_missed() {
        let feed = Feed::default();
        assert!(!feed.is_read());
        let mut reader = feed.subscribe().unwrap();
        assert!(feed.is_read());
        feed.push(b"a\n");
        assert_eq!(run(reader.next()).as_deref(), Some(&b"a\n"[..]));
        for number in 0..LINES_WAITING + 3 {
            feed.push(number.to_string().as_bytes());
        }
        assert_eq!(run(reader.next()).as_deref(), Some(&b"{\"missed\":3}\n"[..]));
        assert_eq!(run(reader.next()).as_deref(), Some(&b"3"[..]));
        drop(reader);
        assert!(!feed.is_read());
    }

    #[test]
    fn there_are_only_so_many_readers() {
        let feed = Feed::default();
        let readers: Vec<_> = (0..READERS_MAX).map(|_| feed.subscribe().unwrap()).collect();
        assert!(feed.subscribe().is_none());
        drop(readers);
        assert!(feed.subscribe().is_some());
    }

    #[test]
    fn remarks_are_read_as_they_were_written() {
        let end = |text: &str| {
            let socket: std::net::SocketAddr = text.parse().unwrap();
            Endpoint::new(socket.ip(), socket.port())
        };
        let moved = Moved {
            ts: Timestamp::from_parts(1_700_000_000, 5),
            initiator: end("192.0.2.1:4000"),
            listener: end("192.0.2.2:20"),
            bytes: 7,
        };
        let open = Open {
            session: "6d7c1cf22a5a1f1b".into(),
            client: end("192.0.2.1:4000"),
            server: end("[2001:db8::1]:21"),
            begun: Timestamp::from_parts(1_700_000_000, 5),
            latest: Timestamp::from_parts(1_700_000_001, 0),
            user: Some("a\u{202e}b".into()),
            login: Login::Undecided,
            encrypted: false,
            transfers: 1,
            bytes_up: 2,
            bytes_down: 3,
            failed_logins: 4,
            running: None,
            announced: None,
        };
        let running =
            Running { direction: FileDirection::Upload, arg: None, since: open.begun, declared: Some(9) };
        let busy = Open { running: Some(running), announced: Some(open.client), user: None, ..open.clone() };
        for remark in [
            Remark::Moved(moved),
            Remark::Missed(3),
            Remark::Open(Box::new(open)),
            Remark::Open(Box::new(busy)),
            Remark::AllOpen(2),
        ] {
            assert_eq!(serde_json::from_slice::<Remark>(&line(&remark)).unwrap(), remark);
        }
    }

    #[test]
    fn who_comes_is_told_once() {
        let feed = Feed::default();
        assert!(!feed.take_newcomer());
        let _one = feed.subscribe().unwrap();
        let _other = feed.subscribe().unwrap();
        run(feed.newcomer());
        assert!(feed.take_newcomer());
        assert!(!feed.take_newcomer());
        assert_eq!(feed.tell_open([].into_iter()), 0);
    }
}
