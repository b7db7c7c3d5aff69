//! The pictures of known events, and what keys make of them. `FTPMON_BLESS=1` writes the pictures: read the difference before you
//! commit it.

use std::path::Path;
use std::sync::Arc;

use ftpmon_event::text::is_disruptive;
use ftpmon_event::{
    Alert, Event, EventKind, Login, LoginAttempt, LoginOutcome, SessionIdentity, SessionStart, Transfer,
};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::batch;
use super::draw::{Look, draw};
use super::key::Key;
use super::options::TopOptions;
use super::screen::{Ask, Screen};
use super::state::State;
use super::tab::Tab;
use crate::format::sample;
use crate::view::explain;
use crate::view::language::Language;

/// A session of a client, with a user; its id is made of its number.
struct Told {
    identity: Arc<SessionIdentity>,
    user: String,
    millis: i64,
    events: Vec<Event>,
}

impl Told {
    fn new(number: u16, user: &str) -> Self {
        let mut identity = (*sample::identity(&format!("{number:016x}"))).clone();
        identity.client = sample::endpoint(&format!("192.0.2.{}:{}", number % 250 + 1, 40_000 + number));
        identity.server = sample::endpoint("198.51.100.7:21");
        let told = Self {
            identity: Arc::new(identity),
            user: user.to_owned(),
            millis: i64::from(number) * 1_000,
            events: Vec::new(),
        };
        told.say(EventKind::SessionStart(SessionStart::default()))
    }

    fn say(mut self, kind: EventKind) -> Self {
        let mut event = sample::event(&self.identity, self.millis, kind);
        event.user = Some(Arc::new(ftpmon_event::text::Text::from_bytes(self.user.as_bytes())));
        self.millis += 250;
        self.events.push(event);
        self
    }

    fn logged_in(self, outcome: LoginOutcome) -> Self {
        let user = self.user.clone();
        let code = if outcome == LoginOutcome::Success { 230 } else { 530 };
        let told = self.say(sample::command(1, "USER", Some(&user)));
        told.say(EventKind::Login(Login {
            tx: 2,
            login: LoginAttempt {
                user: Some(user.into()),
                outcome,
                anonymous: false,
                secret: None,
                code: Some(code),
                encrypted: false,
            },
        }))
    }

    fn asks(self, tx: u64, verb: &str, path: &str) -> Self {
        self.say(sample::command(tx, verb, Some(path)))
    }

    fn opens(self, tx: u64, text: &str) -> Self {
        self.say(sample::reply(tx, 150, text, None))
    }

    fn moved(self, tx: u64, path: &str, bytes: u64) -> Self {
        let EventKind::Transfer(told) = sample::transfer(tx) else { return self };
        let mut told: Transfer = *told;
        (told.transfer.path, told.transfer.bytes) = (Some(path.into()), bytes);
        told.transfer.declared_bytes = Some(bytes);
        told.data.iter_mut().for_each(|data| data.bytes_from_server = bytes);
        self.say(EventKind::Transfer(Box::new(told)))
    }
}

/// One that downloads, one that waits, one that was refused, one whose names no terminal should see, and an alert.
fn sessions() -> Vec<Told> {
    let hostile = "eve\x1b[2J\u{202e}\u{200b}\r\n";
    vec![
        Told::new(1, "alice")
            .logged_in(LoginOutcome::Success)
            .say(sample::data_channel(3))
            .asks(3, "RETR", "/pub/big.iso")
            .opens(3, "Opening BINARY mode data connection for big.iso (4000000 bytes)."),
        Told::new(2, "bob")
            .logged_in(LoginOutcome::Success)
            .asks(3, "RETR", "/pub/a.txt")
            .opens(3, "ok")
            .moved(3, "/pub/a.txt", 1_500),
        Told::new(3, "carol").logged_in(LoginOutcome::Failure),
        Told::new(4, hostile)
            .logged_in(LoginOutcome::Failure)
            .asks(3, "STOR", hostile)
            .opens(3, "\x1b]0;x\x07 (12 bytes)")
            .moved(9, hostile, 3)
            .say(EventKind::Alert(Box::new(Alert { alert: sample::alert() }))),
    ]
}

fn folded(sessions: &[Told]) -> State {
    let mut state = State::default();
    let mut events: Vec<&Event> = sessions.iter().flat_map(|told| &told.events).collect();
    events.sort_by_key(|event| event.ts);
    events.into_iter().for_each(|event| state.push(event));
    state
}

/// The picture as lines.
fn picture(screen: &mut Screen, state: &State, [width, height]: [u16; 2]) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let look = Look { colour: true, note: "" };
    terminal.draw(|frame| draw(frame, screen, state, &look)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let row = |y: u16| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(row).collect()
}

fn golden(name: &str, lines: &[String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/top").join(name);
    let found = lines.join("\n") + "\n";
    if std::env::var_os("FTPMON_BLESS").is_some_and(|value| value != "0") {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(&path).unwrap(), "{name}");
}

fn screen(tab: Tab, state: &State) -> Screen {
    let mut screen = Screen::new(&TopOptions { tab, ..TopOptions::default() });
    screen.list(state);
    screen
}

fn keys(screen: &mut Screen, state: &State, text: &str) {
    for character in text.chars() {
        assert_eq!(screen.key(Key::Char(character), state), Ask::Nothing);
    }
}

#[test]
fn every_table_has_its_picture() {
    let state = folded(&sessions());
    for tab in Tab::ALL {
        for size in [[80, 24], [130, 16]] {
            let lines = picture(&mut screen(tab, &state), &state, size);
            golden(&format!("{}-{}.txt", tab.name(), size[0]), &lines);
        }
    }
}

#[test]
fn bytes_that_are_counted_show_as_rate_and_progress() {
    let mut state = folded(&sessions());
    let listener = sample::endpoint("192.168.1.109:26758");
    let at = state.table.now;
    state.table.count(listener, 1_000_000, at);
    state.advance(at.plus_nanos(2_000_000_000));
    state.table.count(listener, 3_000_000, at.plus_nanos(2_000_000_000));
    let lines = picture(&mut screen(Tab::Transfers, &state), &state, [80, 24]);
    let row = lines.iter().find(|line| line.contains("alice")).unwrap();
    assert!(row.contains(" 3.0M ") && row.contains(" 75% ") && row.contains(" 1.0M/s "), "{row}");
    state.table.count(listener, 3_000_000, at.plus_nanos(60_000_000_000));
    let mut stalled = screen(Tab::Transfers, &state);
    assert!(picture(&mut stalled, &state, [80, 24]).join("\n").contains("stalled 1"));
    keys(&mut stalled, &state, "/state:stalled");
    assert!(picture(&mut stalled, &state, [80, 24]).iter().any(|line| line.starts_with("stalled")));
}

#[test]
fn keys_sort_filter_and_choose() {
    let state = folded(&sessions());
    let mut screen = screen(Tab::Sessions, &state);
    let rows = |screen: &mut Screen, state: &State| -> Vec<String> {
        let lines = picture(screen, state, [120, 24]);
        let users = ["alice", "bob", "carol", "eve"];
        let user =
            |line: &String| users.iter().find(|user| line.contains(*user)).map(|user| (*user).to_owned());
        lines.iter().skip(5).take(18).filter_map(user).collect()
    };
    assert_eq!(rows(&mut screen, &state), ["alice", "bob", "carol", "eve"]);
    keys(&mut screen, &state, "r");
    assert_eq!(rows(&mut screen, &state), ["eve", "carol", "bob", "alice"]);
    keys(&mut screen, &state, "rss");
    assert_eq!((screen.order.name(), rows(&mut screen, &state)[0].as_str()), ("bytes", "bob"));
    // The filter counts while it is written.
    keys(&mut screen, &state, "/user:BO");
    assert_eq!(rows(&mut screen, &state), ["bob"]);
    assert_eq!(screen.key(Key::Enter, &state), Ask::Nothing);
    assert_eq!(screen.key(Key::Enter, &state), Ask::Explain(format!("{:016x}", 2).into()));
    keys(&mut screen, &state, "/ user:");
    assert!(screen.is_wrong && rows(&mut screen, &state) == ["bob"], "the other words count");
    screen.key(Key::Escape, &state);
    assert_eq!(rows(&mut screen, &state).len(), 4);
    keys(&mut screen, &state, "/state:down 192.0.2.2");
    assert_eq!(rows(&mut screen, &state), ["alice"]);
    assert_eq!(screen.key(Key::Interrupt, &state), Ask::Quit);
}

#[test]
fn a_frozen_screen_stays_and_events_are_taken() {
    let told = sessions();
    let mut state = folded(&told[..2]);
    let mut screen = screen(Tab::Sessions, &state);
    keys(&mut screen, &state, "f");
    let before = picture(&mut screen, &state, [80, 24]);
    assert!(before[0].ends_with("frozen"), "{before:?}");
    told.iter().skip(2).flat_map(|told| &told.events).for_each(|event| state.push(event));
    screen.list(&state);
    assert_eq!(picture(&mut screen, &state, [80, 24]), before);
    keys(&mut screen, &state, "f");
    assert!(picture(&mut screen, &state, [80, 24]).join("\n").contains("carol"));
}

#[test]
fn the_cursor_stays_on_its_session() {
    let told = sessions();
    let mut state = folded(&told[1..]);
    let mut screen = screen(Tab::Sessions, &state);
    screen.height = 10;
    screen.key(Key::Down, &state);
    let chosen = screen.entries[screen.cursor].session().cloned();
    // One that began earlier comes to stand before it.
    told[0].events.iter().for_each(|event| state.push(event));
    screen.list(&state);
    assert_eq!((screen.cursor, screen.entries[screen.cursor].session().cloned()), (2, chosen));
}

#[test]
fn a_session_is_explained_as_a_ladder() {
    let told = sessions();
    let state = folded(&told);
    let mut screen = screen(Tab::Sessions, &state);
    let Ask::Explain(id) = screen.key(Key::Enter, &state) else { panic!("nothing is explained") };
    screen.explain(id, explain::of_events(told[0].events.clone(), Language::En, 80));
    golden("ladder-80.txt", &picture(&mut screen, &state, [80, 24]));
    screen.key(Key::PageDown, &state);
    assert!(screen.detail.as_ref().is_some_and(|detail| detail.top > 0));
    screen.key(Key::Escape, &state);
    assert!(screen.detail.is_none());
}

#[test]
fn a_batch_has_every_row() {
    let state = folded(&sessions());
    let text = batch::text(&TopOptions::default(), &state, 80, false);
    golden("batch-80.txt", &text.lines().map(str::to_owned).collect::<Vec<_>>());
}

/// Nothing that a terminal acts on, and nothing that hides.
fn is_safe(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() && !is_disruptive(c))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_of_a_hostile_name_reaches_the_terminal(name: String, width in 1_u16..200, height in 1_u16..60) {
        let told = [Told::new(1, &name)
            .logged_in(LoginOutcome::Failure)
            .asks(3, "RETR", &name)
            .opens(3, &format!("{name} (9 bytes)"))
            .moved(4, &name, 7)];
        let state = folded(&told);
        for tab in Tab::ALL {
            let mut screen = screen(tab, &state);
            keys(&mut screen, &state, "/");
            name.chars().for_each(|character| drop(screen.key(Key::Char(character), &state)));
            let shown = picture(&mut screen, &state, [width, height]).concat();
            prop_assert!(is_safe(&shown), "{shown:?}");
            let text = batch::text(&TopOptions { tab, ..TopOptions::default() }, &state, 80, false);
            prop_assert!(text.lines().all(is_safe), "{text:?}");
        }
        let mut screen = screen(Tab::Sessions, &state);
        screen.explain("x".into(), explain::of_events(told[0].events.clone(), Language::Zh, width.into()));
        let shown = picture(&mut screen, &state, [width, height]).concat();
        prop_assert!(is_safe(&shown), "{shown:?}");
    }
}
