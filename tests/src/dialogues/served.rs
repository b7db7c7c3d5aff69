//! Transfers that were reported against the server's account of each command that it served: its final reply and its bytes, listings too.

use super::judge;
use super::played::Played;
use crate::events::Event;
use crate::party::Served;

/// A transfer that was reported.
struct Told<'a> {
    session: usize,
    event: &'a Event,
    /// It had a connection of which ftpmon need not know.
    unseen: bool,
    used: bool,
}

impl Told<'_> {
    fn command(&self) -> String {
        let (verb, arg) = (self.event.text("/transfer/verb"), self.event.text("/transfer/arg"));
        if self.event.has("/transfer/arg") { format!("{verb} {arg}") } else { verb.to_owned() }
    }

    fn code(&self) -> u64 {
        self.event.number("/transfer/code").unwrap_or(0)
    }

    fn bytes(&self) -> u64 {
        self.event.number("/transfer/bytes").unwrap_or(0)
    }

    /// The bytes on the wire are those that the server counts: ASCII files gain CRs on the way.
    fn is_exact(&self) -> bool {
        let complete = self.event.text("/transfer/outcome") == "complete";
        let image = self.event.text("/transfer/type") == "image";
        complete && !self.unseen && image && self.event.text("/transfer/direction") != "listing"
    }

    fn is_of(&self, served: &Served) -> bool {
        let verb = |command: &str| {
            let (verb, arg) = command.split_once(' ').unwrap_or((command, ""));
            format!("{} {arg}", verb.to_ascii_uppercase())
        };
        // It logs a listing of nothing as 226, and answers 450.
        let listing = self.event.text("/transfer/direction") == "listing";
        verb(&self.command()) == verb(&served.command)
            && (listing || self.code() == u64::from(served.code))
            && (!self.is_exact() || self.bytes() == served.bytes)
    }
}

/// The differences of a round, each with the place of the session that it seems to belong to.
pub(super) fn differences(played: &[Played], served: &[Served]) -> Vec<(usize, String)> {
    let mut told: Vec<Told<'_>> = Vec::new();
    for (session, played) in played.iter().enumerate() {
        for event in played.events.transfers() {
            let tx = event.number("/tx").unwrap_or(0);
            let unseen = judge::has_unseen_connection(&played.record, &played.events, tx);
            if tx != 0 && event.has("/transfer/code") {
                told.push(Told { session, event, unseen, used: false });
            }
        }
    }
    // Those whose bytes have to be the same choose first.
    told.sort_by_key(|told| !told.is_exact());
    let mut left: Vec<&Served> = served.iter().collect();
    for told in &mut told {
        let place = left.iter().position(|served| told.is_of(served));
        told.used = place.map(|place| left.remove(place)).is_some();
    }
    let mut out = Vec::new();
    for told in told.iter().filter(|told| !told.used) {
        let of = |served: &&&Served| served.command.eq_ignore_ascii_case(&told.command());
        let near: Vec<&&Served> = left.iter().filter(of).collect();
        let what = format!("{} {} {}", told.command(), told.code(), told.bytes());
        out.push((told.session, format!("the server has no {what}, near it {near:?}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialogues::record::Record;
    use crate::events::Events;

    #[test]
    fn each_transfer_has_its_command_code_and_bytes() {
        let transfer = json!({"verb": "RETR", "arg": "a", "type": "image", "bytes": 7, "code": 226, "outcome": "complete", "direction": "download"});
        let events = Events(vec![Event(json!({"event": "transfer", "tx": 3, "transfer": transfer}))]);
        let record = Record::new("10.0.0.1:4000".parse().unwrap());
        let played = [Played { record, events, differences: Vec::new() }];
        let of = |command: &str, code, bytes| Served { command: command.into(), code, bytes };
        assert_eq!(differences(&played, &[of("retr a", 226, 7)]), []);
        for served in [of("RETR b", 226, 7), of("RETR a", 451, 7), of("RETR a", 226, 8)] {
            assert_eq!(differences(&played, &[served]).len(), 1);
        }
    }
}
