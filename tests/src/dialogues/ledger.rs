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
    /// It had a connection of which ftpmon need not know.
    unseen: bool,
    used: bool,
}

impl Told {
    fn new(session: usize, played: &Played, event: &Event) -> Option<Self> {
        let direction = event.text("/transfer/direction");
        let path = event.text("/transfer/path");
        let tx = event.number("/tx").unwrap_or(0);
        matches!(direction, "download" | "upload").then(|| Self {
            session,
            tx,
            upload: direction == "upload",
            // A path without a known directory is relative to that of the login, which is the root here.
            path: (!path.is_empty()).then(|| resolve("/", path)),
            arg: event.text("/transfer/arg").to_owned(),
            renamed: event.text("/transfer/verb") == "STOU",
            bytes: event.number("/transfer/bytes").unwrap_or(0),
            image: event.text("/transfer/type") == "image",
            outcome: event.text("/transfer/outcome").to_owned(),
            unseen: judge::has_unseen_connection(&played.record, &played.events, tx),
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
        // A server that wrote all of it knows nothing of a client that was gone, and one that read all takes a reset for the end.
        let unread =
            self.outcome == "aborted" && (self.bytes == logged.bytes || !(logged.upload || self.image));
        logged.complete.map_or(self.outcome != "refused", |complete| {
            complete == self.is_complete() || (complete && (unread || self.unseen))
        })
    }

    fn has_bytes(&self, logged: &Logged) -> bool {
        match (self.is_complete(), logged.upload) {
            (false, _) if logged.complete.is_none() || self.unseen || !(logged.image && self.image) => true,
            // ASCII adds and removes bytes on the way.
            (true, _) => self.bytes == logged.bytes || !(logged.image && self.image),
            // A server counts what it wrote to its socket: all of that need not leave the host.
            (false, false) => self.bytes <= logged.bytes,
            (false, true) => self.bytes >= logged.bytes,
        }
    }
}

/// Gives each line a transfer that it may be of, as many lines as can have one, and those that have none: augmenting paths, as a line that goes
/// with two transfers may have taken the only one of another line.
fn pair<'a>(lines: &[&'a Logged], told: &mut [Told]) -> Vec<&'a Logged> {
    fn find(line: usize, choices: &[Vec<usize>], owners: &mut [Option<usize>], seen: &mut [bool]) -> bool {
        for &place in choices.get(line).into_iter().flatten() {
            if seen.get_mut(place).is_none_or(|seen| core::mem::replace(seen, true)) {
                continue;
            }
            let owner = owners.get(place).copied().flatten();
            if owner.is_none_or(|owner| find(owner, choices, owners, seen)) {
                if let Some(owner) = owners.get_mut(place) {
                    *owner = Some(line);
                }
                return true;
            }
        }
        false
    }
    let choices: Vec<Vec<usize>> = lines
        .iter()
        .map(|line| {
            let fits = |told: &Told| told.is_done_as(line) && told.names(line) && told.has_bytes(line);
            let mut places: Vec<(usize, &Told)> =
                told.iter().enumerate().filter(|(_, told)| fits(told)).collect();
            // An equal account before one that only does not contradict the line.
            places.sort_by_key(|(_, told)| {
                let outcome = line.complete.is_some_and(|complete| complete != told.is_complete());
                (outcome, told.bytes != line.bytes, told.path.is_none())
            });
            places.into_iter().map(|(place, _)| place).collect()
        })
        .collect();
    let mut owners = vec![None; told.len()];
    let mut left = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let mut seen = vec![false; told.len()];
        if !find(at, &choices, &mut owners, &mut seen) {
            left.push(*line);
        }
    }
    for (told, owner) in told.iter_mut().zip(owners) {
        told.used = owner.is_some();
    }
    left
}

/// The differences between what the sessions of a round were reported to have moved and these lines, each with the place of the session
/// that it seems to belong to.
pub(super) fn differences(played: &[Played], logged: &[Logged]) -> Vec<(usize, String)> {
    let events = played.iter().enumerate().flat_map(|(session, played)| {
        played.events.transfers().into_iter().map(move |event| (session, played, event))
    });
    let mut told: Vec<Told> =
        events.filter_map(|(session, played, event)| Told::new(session, played, event)).collect();
    // Of several that are left the smallest go together: what was cut has no exact count.
    told.sort_by_key(|told| told.bytes);
    let mut lines: Vec<&Logged> = logged.iter().collect();
    lines.sort_by_key(|line| (line.complete == Some(false), line.bytes));
    let left = pair(&lines, &mut told);
    let mut out = Vec::new();
    // pyftpdlib sends a file that it still owes on the connection of an upload, and logs the two as one.
    let mixed = |played: &Played| played.record.transfers.iter().any(|moved| moved.contested);
    let left = if played.iter().any(mixed) { Vec::new() } else { left };
    // So it does where the upload was broken off. No client uploads there.
    let is_mixed =
        |line: &&Logged| line.upload && line.path.starts_with("/pub/") && line.complete == Some(false);
    for line in left.into_iter().filter(|line| !is_mixed(line)) {
        let near = told.iter_mut().find(|told| !told.used && told.names(line));
        let has = near.map_or((0, "nothing".to_owned()), |told| {
            told.used = true;
            (told.session, format!("tx {}: {} bytes, {}", told.tx, told.bytes, told.outcome))
        });
        out.push((has.0, format!("the server's log has {line:?}, reported is {}", has.1)));
    }
    // A server whose log has no status does not log all either.
    let whole_log = logged.iter().all(|line| line.complete.is_some());
    for told in told.iter().filter(|told| whole_log && !told.used && !told.unseen && told.is_complete()) {
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
    fn an_equal_account_goes_before_one_that_may_be_another_lines() {
        let told = |bytes, outcome| json!({"direction": "download", "path": "/pub/a", "type": "ascii", "bytes": bytes, "outcome": outcome});
        let ascii = |bytes, complete| Logged { image: false, ..line(bytes, complete) };
        let (done, cut) = (told(7, "complete"), told(0, "aborted"));
        for told in [[&done, &cut], [&cut, &done]] {
            let played: Vec<_> = told.into_iter().map(played).collect();
            assert_eq!(differences(&played, &[ascii(7, true), ascii(0, false)]), []);
        }
    }

    #[test]
    fn a_line_leaves_another_one_its_only_transfer() {
        let told = |kind, bytes, outcome| json!({"direction": "download", "path": "/pub/a", "type": kind, "bytes": bytes, "outcome": outcome});
        let (ascii, cut) = (told("ascii", 1236, "complete"), told("image", 1233, "aborted"));
        for told in [[&ascii, &cut], [&cut, &ascii]] {
            let played: Vec<_> = told.into_iter().map(played).collect();
            let lines = [Logged { image: false, ..line(1234, true) }, line(1233, true)];
            assert_eq!(differences(&played, &lines), []);
        }
    }

    #[test]
    fn what_was_cut_has_no_exact_count() {
        let told = json!({"direction": "download", "path": "/pub/a", "type": "image", "bytes": 7, "outcome": "aborted"});
        assert_eq!(differences(&[played(&told)], &[line(9, false)]), []);
        assert_eq!(differences(&[played(&told)], &[line(6, false)]).len(), 1);
    }
}
