//! Transfers that were reported against the server's own log of the files that it moved: a second oracle, which knows nothing of the client.

use crate::events::Event;
use crate::ftp::resolve;
use crate::party::Logged;

use super::judge;
use super::played::Played;

/// A transfer that was reported.
#[derive(Debug)]
struct Told {
    /// The session's place in the round.
    session: usize,
    tx: u64,
    upload: bool,
    /// None where the event leaves it out.
    path: Option<String>,
    arg: String,
    /// STOU: some servers log the name that was asked for, and not the one that they made of it.
    renamed: bool,
    bytes: u64,
    image: bool,
    outcome: String,
    /// Another host connected to the session's endpoints, and no event says so.
    blind: bool,
    used: bool,
}

impl Told {
    fn new(session: usize, blind: bool, event: &Event) -> Option<Self> {
        let direction = event.text("/transfer/direction");
        let path = event.text("/transfer/path");
        matches!(direction, "download" | "upload").then(|| Self {
            session,
            tx: event.number("/tx").unwrap_or(0),
            upload: direction == "upload",
            // A path without a known directory is relative to that of the login, which is the root here.
            path: (!path.is_empty()).then(|| resolve("/", path)),
            arg: event.text("/transfer/arg").to_owned(),
            renamed: event.text("/transfer/verb") == "STOU",
            bytes: event.number("/transfer/bytes").unwrap_or(0),
            image: event.text("/transfer/type") == "image",
            outcome: event.text("/transfer/outcome").to_owned(),
            blind,
            used: false,
        })
    }

    fn is_complete(&self) -> bool {
        self.outcome == "complete"
    }

    /// It may be the file of this line: what it leaves out says nothing against it.
    fn names(&self, logged: &Logged) -> bool {
        let last = |path: &str| path.rsplit('/').next().unwrap_or("").to_owned();
        match &self.path {
            _ if self.upload != logged.upload => false,
            Some(path) if self.renamed => path.starts_with(&resolve("/", &logged.path)),
            Some(path) => *path == resolve("/", &logged.path),
            // STOU: the server invents the name.
            None => self.arg.is_empty() || self.upload || last(&self.arg) == last(&logged.path),
        }
    }

    fn is_done_as(&self, logged: &Logged) -> bool {
        // A server that wrote all of it knows nothing of a client that was gone.
        let unread =
            !logged.upload && self.outcome == "aborted" && (self.bytes == logged.bytes || !self.image);
        logged.complete.map_or(self.outcome != "refused", |complete| {
            complete == self.is_complete() || (complete && (unread || self.blind))
        })
    }

    fn has_bytes(&self, logged: &Logged) -> bool {
        match (self.is_complete(), logged.upload) {
            (false, _) if logged.complete.is_none() || self.blind || !(logged.image && self.image) => true,
            // ASCII adds and removes bytes on the way.
            (true, _) => self.bytes == logged.bytes || !(logged.image && self.image),
            // A server counts what it wrote to its socket: all of that need not leave the host.
            (false, false) => self.bytes <= logged.bytes,
            (false, true) => self.bytes >= logged.bytes,
        }
    }
}

/// The differences between what the sessions of a round were reported to have moved and these lines, each with the place of the session
/// that it seems to belong to.
pub(super) fn differences(played: &[Played], logged: &[Logged]) -> Vec<(usize, String)> {
    let events = played.iter().enumerate().flat_map(|(session, played)| {
        let blind = judge::is_blind(&played.record, &played.events);
        played.events.transfers().into_iter().map(move |event| (session, blind, event))
    });
    let mut told: Vec<Told> =
        events.filter_map(|(session, blind, event)| Told::new(session, blind, event)).collect();
    // Of several that are left the smallest go together: what was cut has no exact count.
    told.sort_by_key(|told| told.bytes);
    let mut lines: Vec<&Logged> = logged.iter().collect();
    lines.sort_by_key(|line| (line.complete == Some(false), line.bytes));
    let mut left = Vec::new();
    for line in lines {
        let fits = |told: &&mut Told| {
            !told.used && told.is_done_as(line) && told.names(line) && told.has_bytes(line)
        };
        match told.iter_mut().filter(fits).min_by_key(|told| told.path.is_none()) {
            Some(told) => told.used = true,
            None => left.push(line),
        }
    }
    let mut out = Vec::new();
    for line in left {
        let near = told.iter_mut().find(|told| !told.used && told.names(line));
        let has = near.map_or((0, "nothing".to_owned()), |told| {
            told.used = true;
            (told.session, format!("tx {}: {} bytes, {}", told.tx, told.bytes, told.outcome))
        });
        out.push((has.0, format!("the server's log has {line:?}, reported is {}", has.1)));
    }
    // A server whose log has no status does not log all either.
    let whole_log = logged.iter().all(|line| line.complete.is_some());
    for told in told.iter().filter(|told| whole_log && !told.used && told.is_complete()) {
        out.push((told.session, format!("the server's log does not have {told:?}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialogues::record::Record;
    use crate::events::Events;

    fn played(transfer: &serde_json::Value) -> Played {
        let events = Events(vec![Event(json!({"event": "transfer", "tx": 3, "transfer": transfer}))]);
        Played { record: Record::new("10.0.0.1:4000".parse().unwrap()), events, differences: Vec::new() }
    }

    fn line(bytes: u64, complete: bool) -> Logged {
        Logged { upload: false, path: "/pub/a".into(), bytes, image: true, complete: Some(complete) }
    }

    #[test]
    fn equal_accounts_do_not_differ() {
        let told = json!({"direction": "download", "path": "/pub/a", "type": "image", "bytes": 7, "outcome": "complete"});
        assert_eq!(differences(&[played(&told)], &[line(7, true)]), []);
        let listing = json!({"direction": "listing", "bytes": 7, "outcome": "complete"});
        assert_eq!(differences(&[played(&listing)], &[]), []);
        let refused = json!({"direction": "download", "path": "/pub/a", "outcome": "refused"});
        assert_eq!(differences(&[played(&refused)], &[]), []);
    }

    #[test]
    fn each_kind_of_difference_is_found() {
        let told = json!({"direction": "download", "path": "/pub/a", "type": "image", "bytes": 7, "outcome": "complete"});
        for logged in [vec![], vec![line(8, true)], vec![line(7, false)], vec![line(7, true), line(7, true)]]
        {
            assert_eq!(differences(&[played(&told)], &logged).len(), 1, "{logged:?}");
        }
    }

    #[test]
    fn what_was_cut_has_no_exact_count() {
        let told = json!({"direction": "download", "path": "/pub/a", "type": "image", "bytes": 7, "outcome": "aborted"});
        assert_eq!(differences(&[played(&told)], &[line(9, false)]), []);
        assert_eq!(differences(&[played(&told)], &[line(6, false)]).len(), 1);
    }
}
