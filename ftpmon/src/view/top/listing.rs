//! The rows of a table, in their order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::cells::{self, Cells};
use super::happened::Happened;
use super::state::State;
use super::tab::Tab;
use crate::view::ranking::{RankBy, Ranking};
use crate::view::sessions::{self, Facts, Field, Filter, Order, Session};

/// Names of a ranking that are shown.
const NAMES_SHOWN: usize = 1_000;
/// A session that was silent for so long counts as idle at the head, milliseconds.
const IDLE_MS: u64 = 300_000;

/// The rows that are wanted.
pub(super) struct Wanted<'w> {
    pub(super) tab: Tab,
    pub(super) order: Order,
    pub(super) by: RankBy,
    pub(super) is_reversed: bool,
    pub(super) filters: &'w [Filter],
}

/// A row.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// A session, whose texts are made when it is drawn.
    Session(SmolStr),
    /// The transfer of a session, likewise.
    Running(SmolStr),
    /// A row that does not change any more, perhaps with a session.
    Fixed(Option<SmolStr>, Cells),
}

impl Entry {
    /// The session of the row.
    pub(super) fn session(&self) -> Option<&SmolStr> {
        match self {
            Self::Session(id) | Self::Running(id) => Some(id),
            Self::Fixed(id, _) => id.as_ref(),
        }
    }

    /// The texts of the row; none where its session ended meanwhile.
    pub(super) fn cells(&self, state: &State) -> Option<Cells> {
        let (table, now) = (&state.table, state.table.now);
        match self {
            Self::Session(id) => table.get(id).map(|row| cells::session(row, now)),
            Self::Running(id) => {
                table.get(id).filter(|row| row.running.is_some()).map(|row| cells::running(row, now))
            }
            Self::Fixed(_, cells) => Some(cells.clone()),
        }
    }
}

/// Numbers of sessions for the head.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub(super) states: BTreeMap<sessions::State, u64>,
    pub(super) running: u64,
    pub(super) stalled: u64,
    pub(super) idle: u64,
}

/// Counts the sessions.
pub(super) fn summary(state: &State) -> Summary {
    let mut summary = Summary::default();
    for session in state.table.iter() {
        *summary.states.entry(session.state).or_default() += 1;
        summary.running += u64::from(session.running.is_some());
        summary.stalled += u64::from(session.is_stalled());
        let is_idle = session.running.is_none() && state.table.now.millis_since(session.latest) >= IDLE_MS;
        summary.idle += u64::from(is_idle);
    }
    summary
}

/// The rows of a table.
pub(super) fn entries(state: &State, wanted: &Wanted<'_>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = match wanted.tab {
        Tab::Sessions => {
            sessions(state, wanted).iter().map(|session| Entry::Session(session.id.clone())).collect()
        }
        Tab::Transfers => {
            let rows = sessions(state, wanted).into_iter().filter(|session| session.running.is_some());
            rows.map(|session| Entry::Running(session.id.clone())).collect()
        }
        Tab::Users => names(&state.users, Some(&state.refused_users), Field::User, wanted),
        Tab::Paths => names(&state.paths, None, Field::Path, wanted),
        Tab::Servers => names(&state.servers, None, Field::Server, wanted),
        Tab::Clients => names(&state.clients, Some(&state.refused_clients), Field::Client, wanted),
        Tab::Logins => happened(state.refused.newest(), wanted),
        Tab::Alerts => happened(state.alerts.newest(), wanted),
    };
    if wanted.is_reversed {
        entries.reverse();
    }
    if wanted.tab == Tab::Transfers {
        // What ended stands below what runs, whatever the order.
        entries.extend(happened(state.ended.newest(), wanted));
    }
    entries
}

fn sessions<'s>(state: &'s State, wanted: &Wanted<'_>) -> Vec<&'s Session> {
    state.table.rows(wanted.filters, wanted.order)
}

fn happened<'h>(rows: impl Iterator<Item = &'h Happened>, wanted: &Wanted<'_>) -> Vec<Entry> {
    let is_shown = |row: &&Happened| wanted.filters.iter().all(|filter| filter.lets_through(*row));
    rows.filter(is_shown).map(|row| Entry::Fixed(row.session.clone(), cells::happened(row))).collect()
}

/// A name of a ranking, which is the only fact about its row.
struct Named<'n> {
    field: Field,
    name: &'n str,
}

impl Facts for Named<'_> {
    fn fact(&self, field: Field) -> Option<Cow<'_, str>> {
        (field == self.field).then_some(self.name.into())
    }
}

fn names(ranking: &Ranking, refused: Option<&Ranking>, field: Field, wanted: &Wanted<'_>) -> Vec<Entry> {
    let most = if wanted.filters.is_empty() { NAMES_SHOWN } else { usize::MAX };
    let rows = ranking.sorted(wanted.by, most).into_iter();
    let is_shown =
        |name: &str| wanted.filters.iter().all(|filter| filter.lets_through(&Named { field, name }));
    let entry = |row: crate::view::ranking::Row<'_>| {
        let refused = refused.map(|refused| refused.get(row.name).unwrap_or_default().count);
        Entry::Fixed(None, cells::named(row.name, row.counts, refused))
    };
    rows.filter(|row| is_shown(row.name)).take(NAMES_SHOWN).map(entry).collect()
}
