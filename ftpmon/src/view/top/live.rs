//! The terminal: keys in, pictures out.

use std::io::{self, IsTerminal as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, read};
use smol_str::SmolStr;

use super::clock::Clock;
use super::draw::{self, Look};
use super::kept::Kept;
use super::key::Key;
use super::options::TopOptions;
use super::screen::{Ask, Screen};
use super::source::{self, INPUTS_WAITING, Input};
use super::state::State;
use crate::view::explain;
use crate::view::layout::shown;
use crate::view::terminal::{Painted, Tone};

/// Time between two pictures.
const FRAME: Duration = Duration::from_millis(100);
/// Time between two sortings of the rows, at least. They take a twentieth of the time at most: of a hundred thousand sessions
/// on a slow machine the order is a little older.
const SORTED_EVERY: Duration = Duration::from_millis(500);
const SORTED_SHARE: u32 = 20;

/// Shows events until the reader has enough. Gives the number of lines that are no events.
pub(super) fn run(options: &TopOptions) -> anyhow::Result<u64> {
    ensure!(
        io::stdout().is_terminal(),
        "standard output is no terminal; --once and --batch write plain text"
    );
    let (sender, inputs) = sync_channel(INPUTS_WAITING);
    watch_signals(sender.clone())?;
    source::read(options.source.clone(), options.speed_permille, sender.clone());
    let terminal = ratatui::try_init().context("the terminal cannot be used")?;
    read_keys(sender);
    let mut top = Top::new(options);
    let result = top.run(terminal, &inputs);
    ratatui::restore();
    result?;
    // What went wrong with the input is told when the screen is gone.
    top.end.unwrap_or(Ok(()))?;
    Ok(top.wrong)
}

/// Keys and sizes of the terminal, on a thread of their own. Where standard input has the events, keys come from the controlling
/// terminal.
fn read_keys(to: SyncSender<Input>) {
    std::thread::spawn(move || {
        loop {
            let input = match read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => of_key(key).map(Input::Key),
                Ok(Event::Resize(..)) => Some(Input::Resize),
                Ok(_) => None,
                // Without keys nobody could end it.
                Err(_) => Some(Input::Key(Key::Interrupt)),
            };
            let is_over = matches!(input, Some(Input::Key(Key::Interrupt)));
            let is_gone = input.is_some_and(|input| to.send(input).is_err());
            if is_over || is_gone {
                return;
            }
        }
    });
}

fn of_key(key: KeyEvent) -> Option<Key> {
    let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if with_control => Key::Interrupt,
        KeyCode::Char(_) if with_control || key.modifiers.contains(KeyModifiers::ALT) => return None,
        KeyCode::Char(character) => Key::Char(character),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Tab | KeyCode::Right => Key::Next,
        KeyCode::BackTab | KeyCode::Left => Key::Previous,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}

/// A signal that ends the program ends it in order: the terminal is left as it was.
fn watch_signals(to: SyncSender<Input>) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let kinds = (SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt());
            let (Ok(mut term), Ok(mut hup), Ok(mut int)) =
                (signal(kinds.0), signal(kinds.1), signal(kinds.2))
            else {
                return;
            };
            tokio::select! {
                _ = term.recv() => {}
                _ = hup.recv() => {}
                _ = int.recv() => {}
            }
        });
        let _ = to.send(Input::Key(Key::Interrupt));
    });
    Ok(())
}

struct Top<'o> {
    options: &'o TopOptions,
    state: State,
    kept: Kept,
    screen: Screen,
    colour: bool,
    clock: Clock,
    end: Option<anyhow::Result<()>>,
    /// The agent ended, and another one is waited for.
    is_away: bool,
    wrong: u64,
    /// When the rows are sorted again.
    sort_at: Instant,
    is_over: bool,
}

impl<'o> Top<'o> {
    fn new(options: &'o TopOptions) -> Self {
        Self {
            options,
            state: State::default(),
            kept: Kept::default(),
            screen: Screen::new(options),
            colour: options.color.on_stdout(),
            clock: Clock::new(options.speed_permille),
            end: None,
            is_away: false,
            wrong: 0,
            sort_at: Instant::now(),
            is_over: false,
        }
    }

    fn run(&mut self, mut terminal: DefaultTerminal, inputs: &Receiver<Input>) -> anyhow::Result<()> {
        while !self.is_over {
            self.sort();
            let width = usize::from(terminal.size()?.width);
            let note = self.note();
            let look = Look { colour: self.colour, note: &note };
            terminal.draw(|frame| draw::draw(frame, &mut self.screen, &self.state, &look))?;
            self.take(inputs, Instant::now() + FRAME, width);
        }
        Ok(())
    }

    /// Takes inputs until the next picture is due, or a key changed it.
    fn take(&mut self, inputs: &Receiver<Input>, due: Instant, width: usize) {
        loop {
            match inputs.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Input::Event(line, text)) => {
                    self.state.push(&line.event);
                    self.clock.set(self.state.table.now, Instant::now());
                    if let Some(session) = line.event.session.as_deref() {
                        self.kept.push(session.id(), text);
                    }
                }
                Ok(Input::Course(session, course)) => self.state.foresee(&session, course),
                Ok(Input::Remark(remark)) => self.state.remark(&remark),
                Ok(Input::Away) => self.is_away = true,
                Ok(Input::Successor) => {
                    self.is_away = false;
                    self.state.forget_sessions();
                    self.sort_at = Instant::now();
                }
                Ok(Input::Wrong) => self.wrong += 1,
                Ok(Input::End(end)) => {
                    self.end = Some(end);
                    self.sort_at = Instant::now();
                }
                Ok(Input::Key(key)) => {
                    match self.screen.key(key, &self.state) {
                        Ask::Nothing => {}
                        Ask::Quit => self.is_over = true,
                        Ask::Explain(session) => self.explain(session, width),
                    }
                    return;
                }
                Ok(Input::Resize) => {
                    // The ladder is as wide as the terminal was.
                    self.sort_at = Instant::now();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    self.is_over = true;
                    return;
                }
            }
            if Instant::now() >= due {
                return;
            }
        }
    }

    /// Sorts the rows, and explains the session anew, when that is due.
    fn sort(&mut self) {
        let began = Instant::now();
        if let (Some(now), None) = (self.clock.at(began), &self.end) {
            self.state.advance(now);
        }
        if began < self.sort_at && !self.screen.misses_sessions(&self.state) {
            return;
        }
        match self.screen.detail.as_ref().map(|detail| detail.session.clone()) {
            Some(session) if !self.screen.is_frozen() => {
                let width =
                    ratatui::crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns));
                self.explain(session, width);
            }
            Some(_) => {}
            None => self.screen.list(&self.state),
        }
        self.sort_at = Instant::now() + SORTED_EVERY.max(began.elapsed() * SORTED_SHARE);
    }

    /// Shows the ladder of a session, of those of its events that are kept.
    fn explain(&mut self, session: SmolStr, width: usize) {
        let events = self.kept.of(&session);
        let row = self.screen.shown(&self.state).table.get(&session);
        let missing = row.map_or(0, |row| row.events).saturating_sub(events.len() as u64);
        let mut lines: Vec<Painted> = Vec::new();
        if row.is_some_and(|row| row.found_open) {
            lines.push(vec![(
                Tone::Odd,
                "The session was open before top was started: its earlier events are not known.".to_owned(),
            )]);
        }
        if missing > 0 {
            let text = format!("{missing} earlier events are not kept any more.");
            lines.push(vec![(Tone::Odd, text)]);
        }
        lines.extend(explain::of_events(events, self.options.language, width));
        self.screen.explain(session, lines);
    }

    /// A word about the source.
    fn note(&self) -> String {
        match (&self.end, self.options.speed_permille) {
            (Some(Ok(())), _) => "no more events".to_owned(),
            (Some(Err(error)), _) => shown(&format!("{error:#}")),
            (None, _) if self.is_away => "the agent is away, waiting".to_owned(),
            (None, Some(permille)) if permille % 1_000 == 0 => format!("×{}", permille / 1_000),
            (None, Some(permille)) => format!("×{}.{:03}", permille / 1_000, permille % 1_000),
            (None, None) => String::new(),
        }
    }
}
