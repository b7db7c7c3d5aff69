//! The progress of reading, on standard error, if that is a terminal and it takes long.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::batch::Position;

/// Shorter work shows nothing.
const AFTER: Duration = Duration::from_secs(2);

/// A line that is drawn over and over. Nothing where standard error is no terminal, or where the events go to a terminal
/// themselves and would be mixed with it.
pub(super) struct Progress {
    begun: Option<Instant>,
    files: usize,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(files: usize) -> Self {
        let watched = io::stderr().is_terminal() && !io::stdout().is_terminal();
        Self { begun: watched.then(Instant::now), files, bar: None }
    }

    /// Says where reading is.
    pub(super) fn update(&mut self, file: Option<&PathBuf>, position: &Position) {
        if self.begun.is_none_or(|begun| begun.elapsed() < AFTER) {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let template = "{msg} {bytes}/{total_bytes} [{wide_bar}] {bytes_per_sec}, {eta} left";
            let style =
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        let of = if self.files > 1 { format!(" ({} files)", self.files) } else { String::new() };
        let name = file.map(|path| path.display().to_string()).unwrap_or_default();
        bar.set_message(format!("{name}{of}: {} packets", position.packets));
        match position.source_len {
            Some(len) => bar.set_length(len),
            None => bar.unset_length(),
        }
        bar.set_position(position.bytes);
    }

    /// Takes the line away, so that another may stand there.
    pub(super) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
