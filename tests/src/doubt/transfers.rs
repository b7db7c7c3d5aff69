//! Transfers of a dialogue of which frames are missing, against those of the whole dialogue.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Told, number, text};

/// A data connection: its two ends.
type Ends = (String, String);

/// A transfer as the client's command names it.
type Name = (String, String, String);

/// A transfer that was told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Transfer {
    name: Name,
    ends: Option<Ends>,
    bytes: u64,
    outcome: String,
    path: String,
    /// The verb that announced its endpoint.
    via: String,
}

fn end(fields: &Value, which: &str) -> Option<String> {
    let (ip, port) =
        (text(fields, &format!("/data/{which}/ip")), number(fields, &format!("/data/{which}/port")));
    (!ip.is_empty()).then(|| format!("{ip} {port}"))
}

/// The transfers of a dialogue.
#[derive(Debug, Default)]
pub struct Transfers {
    all: Vec<Transfer>,
}

impl Transfers {
    /// The transfers of these events.
    pub fn of(told: &[Told]) -> Self {
        let told = told.iter().filter(|(_, name, _)| name == "transfer");
        let all = told.map(|(client, _, fields)| Transfer {
            name: (
                client.clone(),
                text(fields, "/transfer/verb").to_owned(),
                text(fields, "/transfer/arg").to_owned(),
            ),
            ends: end(fields, "initiator").zip(end(fields, "listener")),
            bytes: number(fields, "/transfer/bytes"),
            outcome: text(fields, "/transfer/outcome").to_owned(),
            path: text(fields, "/transfer/path").to_owned(),
            via: text(fields, "/data/via").to_owned(),
        });
        Self { all: all.collect() }
    }

    /// The transfers of each name.
    fn by_name(&self) -> BTreeMap<&Name, Vec<&Transfer>> {
        let mut by_name: BTreeMap<&Name, Vec<&Transfer>> = BTreeMap::new();
        for transfer in &self.all {
            by_name.entry(&transfer.name).or_default().push(transfer);
        }
        by_name
    }

    /// The differences from `whole`, whatever the order.
    pub fn differences(&self, whole: &Self) -> Vec<String> {
        let sorted = |transfers: &Self| {
            let mut all = transfers.all.clone();
            // A connection to the endpoint of a command that was refused and moved nothing says nothing.
            for transfer in all.iter_mut().filter(|it| it.outcome == "refused" && it.bytes == 0) {
                transfer.ends = None;
            }
            all.sort();
            all
        };
        let (mut here, before) = (sorted(self), sorted(whole));
        let mut wrong = Vec::new();
        for transfer in before {
            match here.iter().position(|it| *it == transfer) {
                Some(index) => drop(here.remove(index)),
                None => wrong.push(format!("not told: {transfer:?}")),
            }
        }
        wrong.extend(here.iter().map(|transfer| format!("told instead: {transfer:?}")));
        wrong
    }

    /// Claims that do not hold: frames of control connections are missing, and none of data connections.
    pub fn wrong(&self, whole: &Self) -> Vec<String> {
        let mut wrong = Vec::new();
        let names = whole.by_name();
        let mut told = BTreeSet::new();
        for transfer in &self.all {
            let Transfer { name, ends, bytes, outcome, via, .. } = transfer;
            if let Some(ends) = ends
                && !told.insert((ends.clone(), name.0.clone()))
                && whole.all.iter().filter(|it| it.ends.as_ref() == Some(ends)).count() < 2
            {
                wrong.push(format!("told twice: {transfer:?}"));
            }
            if name.1.is_empty() {
                continue;
            }
            // SIZE, which would show that it is short, may be missing. A connection that was found is a guess, and said to be one.
            let same = |before: &str| before == outcome || (before == "short" && outcome == "complete");
            let as_before = |it: &&Transfer| same(&it.outcome) && it.ends == *ends && it.bytes == *bytes;
            let proves = match outcome.as_str() {
                "complete" => via != "inferred",
                "refused" => *bytes > 0,
                outcome => matches!(outcome, "short" | "no_data"),
            };
            let Some(own) = names.get(name).filter(|_| proves) else { continue };
            if !own.iter().any(as_before) {
                wrong.push(format!("{transfer:?} was {own:?}"));
            }
        }
        wrong
    }
}
