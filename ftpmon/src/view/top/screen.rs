//! The part of the state that is shown, chosen by keys.

use smol_str::SmolStr;

use super::key::Key;
use super::listing::{self, Entry, Summary, Wanted};
use super::options::TopOptions;
use super::state::State;
use super::tab::Tab;
use crate::view::ranking::RankBy;
use crate::view::sessions::{Filter, Order};
use crate::view::terminal::Painted;

/// The length of a filter that is written. Stops a key that is held down.
const FILTER_MAX: usize = 200;

/// The answer to a key, for those who have more than the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Nothing.
    Nothing,
    /// The end of the program.
    Quit,
    /// The ladder of a session.
    Explain(SmolStr),
}

/// A session that is explained.
pub(super) struct Detail {
    pub(super) session: SmolStr,
    pub(super) lines: Vec<Painted>,
    pub(super) top: usize,
}

/// The screen.
#[derive(Default)]
pub(super) struct Screen {
    pub(super) tab: Tab,
    pub(super) order: Order,
    pub(super) by: RankBy,
    pub(super) is_reversed: bool,
    filters: Vec<Filter>,
    pub(super) filter_text: String,
    /// The filter is being written.
    pub(super) is_writing: bool,
    /// The filter cannot be understood.
    pub(super) is_wrong: bool,
    pub(super) is_helping: bool,
    /// The state as it was when the screen was frozen.
    frozen: Option<Box<State>>,
    pub(super) detail: Option<Detail>,
    pub(super) entries: Vec<Entry>,
    pub(super) summary: Summary,
    /// The row of the cursor, and the first row that is drawn.
    pub(super) cursor: usize,
    pub(super) top: usize,
    /// Rows that the picture has room for.
    pub(super) height: usize,
}

impl Screen {
    pub(super) fn new(options: &TopOptions) -> Self {
        Self {
            tab: options.tab,
            order: options.order,
            filters: options.filters.clone(),
            filter_text: options.filter_text.clone(),
            ..Self::default()
        }
    }

    /// The state that is shown: the one given, or the frozen one.
    pub(super) fn shown<'s>(&'s self, live: &'s State) -> &'s State {
        self.frozen.as_deref().unwrap_or(live)
    }

    pub(super) const fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Makes the rows anew. The cursor stays on its session, wherever that is now.
    pub(super) fn list(&mut self, live: &State) {
        let at = self.entries.get(self.cursor).and_then(|entry| entry.session().cloned());
        let wanted = Wanted {
            tab: self.tab,
            order: self.order,
            by: self.by,
            is_reversed: self.is_reversed,
            filters: &self.filters,
        };
        let state = self.frozen.as_deref().unwrap_or(live);
        let (entries, summary) = (listing::entries(state, &wanted), listing::summary(state));
        (self.entries, self.summary) = (entries, summary);
        // At the head of the table one wants to see who comes to stand there.
        if self.cursor > 0
            && let Some(id) = at
            && let Some(place) = self.entries.iter().position(|entry| entry.session() == Some(&id))
        {
            self.cursor = place;
        }
        self.move_to(self.cursor);
    }

    /// The first sessions came, and no row shows them.
    pub(super) fn misses_sessions(&self, live: &State) -> bool {
        let has_none = self.entries.is_empty() && self.filters.is_empty() && self.detail.is_none();
        has_none && self.tab == Tab::Sessions && self.shown(live).table.len() > 0
    }

    /// Shows the ladder of a session.
    pub(super) fn explain(&mut self, session: SmolStr, lines: Vec<Painted>) {
        let same = self.detail.take().filter(|detail| detail.session == session);
        let top = same.map_or(0, |detail| detail.top).min(lines.len().saturating_sub(1));
        self.detail = Some(Detail { session, lines, top });
    }

    /// Takes a key.
    pub(super) fn key(&mut self, key: Key, live: &State) -> Ask {
        if key == Key::Interrupt {
            return Ask::Quit;
        }
        if self.is_writing {
            self.write(key);
            self.list(live);
            return Ask::Nothing;
        }
        if self.is_helping {
            self.is_helping = false;
            return Ask::Nothing;
        }
        if self.detail.is_some() {
            return self.key_in_detail(key);
        }
        match key {
            Key::Char('q') => return Ask::Quit,
            Key::Char('?' | 'h') => self.is_helping = true,
            Key::Char('/') => self.is_writing = true,
            Key::Char(' ' | 'f') => {
                self.frozen = if self.frozen.is_some() { None } else { Some(Box::new(live.clone())) };
            }
            Key::Char('s') => self.sort(),
            Key::Char('r') => self.is_reversed = !self.is_reversed,
            Key::Char(digit @ '1'..='8') => {
                let tab = digit.to_digit(10).and_then(|digit| Tab::of_number(digit as usize));
                self.turn_to(tab.unwrap_or(self.tab));
            }
            Key::Next => self.turn_to(self.tab.beside(true)),
            Key::Previous => self.turn_to(self.tab.beside(false)),
            Key::Escape => self.set_filter(String::new()),
            Key::Enter => {
                let session = self.entries.get(self.cursor).and_then(Entry::session);
                return session.map_or(Ask::Nothing, |id| Ask::Explain(id.clone()));
            }
            key => {
                self.move_by(key);
                return Ask::Nothing;
            }
        }
        self.list(live);
        Ask::Nothing
    }

    fn turn_to(&mut self, tab: Tab) {
        if tab != self.tab {
            (self.tab, self.cursor, self.top) = (tab, 0, 0);
            self.entries.clear();
        }
    }

    /// The next order of the table.
    fn sort(&mut self) {
        match self.tab {
            Tab::Sessions | Tab::Transfers => self.order = behind(&Order::ALL, self.order),
            Tab::Users | Tab::Paths | Tab::Servers | Tab::Clients => self.by = behind(&RankBy::ALL, self.by),
            Tab::Logins | Tab::Alerts => {}
        }
    }

    /// A key while the filter is written: it counts at once.
    fn write(&mut self, key: Key) {
        let mut text = self.filter_text.clone();
        match key {
            Key::Enter => self.is_writing = false,
            Key::Escape => {
                self.is_writing = false;
                text.clear();
            }
            Key::Backspace => drop(text.pop()),
            Key::Char(character) if text.len() < FILTER_MAX => text.push(character),
            _ => return,
        }
        self.set_filter(text);
    }

    /// Words between spaces: all of them have to match.
    fn set_filter(&mut self, text: String) {
        let words: Vec<_> = text.split_whitespace().map(str::parse::<Filter>).collect();
        // While `user:` waits for its text, the other words count.
        self.is_wrong = words.iter().any(Result::is_err);
        self.filters = words.into_iter().flatten().collect();
        self.filter_text = text;
    }

    fn key_in_detail(&mut self, key: Key) -> Ask {
        let page = self.height.max(1);
        let Some(detail) = &mut self.detail else { return Ask::Nothing };
        let last = detail.lines.len().saturating_sub(page);
        detail.top = match key {
            Key::Char('q') | Key::Escape | Key::Enter | Key::Backspace => {
                self.detail = None;
                return Ask::Nothing;
            }
            Key::Up | Key::Char('k') => detail.top.saturating_sub(1),
            Key::Down | Key::Char('j') => (detail.top + 1).min(last),
            Key::PageUp => detail.top.saturating_sub(page),
            Key::PageDown | Key::Char(' ') => (detail.top + page).min(last),
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => last,
            _ => detail.top,
        };
        Ask::Nothing
    }

    fn move_by(&mut self, key: Key) {
        let page = self.height.max(1);
        self.move_to(match key {
            Key::Up | Key::Char('k') => self.cursor.saturating_sub(1),
            Key::Down | Key::Char('j') => self.cursor + 1,
            Key::PageUp => self.cursor.saturating_sub(page),
            Key::PageDown => self.cursor + page,
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => usize::MAX,
            _ => self.cursor,
        });
    }

    /// Moves the cursor, and what is drawn with it.
    pub(super) fn move_to(&mut self, row: usize) {
        self.cursor = row.min(self.entries.len().saturating_sub(1));
        let page = self.height.max(1);
        self.top = self.top.min(self.cursor).max((self.cursor + 1).saturating_sub(page));
        self.top = self.top.min(self.entries.len().saturating_sub(page));
    }
}

/// The next one in a list, around its end.
fn behind<T: Copy + PartialEq + Default>(all: &[T], this: T) -> T {
    let next = all.iter().position(|one| *one == this).map_or(0, |at| at + 1);
    all.get(next).or_else(|| all.first()).copied().unwrap_or_default()
}
