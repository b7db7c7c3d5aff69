//! Documents that are made from the command line's definition: completions of shells and manual pages.

use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;

/// The name of the program.
const NAME: &str = "ftpmon";

/// Writes the completions of a shell.
///
/// # Errors
/// `out` cannot be written.
pub fn completions(shell: Shell, out: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut text);
    out.write_all(&text)
}

/// Writes `ftpmon.1` and a page for each command, such as `ftpmon-run.1`, into a directory.
///
/// # Errors
/// A page cannot be written.
pub fn write_manual(folder: &Path) -> io::Result<()> {
    clap_mangen::generate_to(Cli::command(), folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_completes_every_command_that_is_shown() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut text = Vec::new();
            completions(shell, &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
                assert!(text.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }

    #[test]
    fn each_command_that_is_shown_has_a_page() {
        let folder = std::env::temp_dir().join(format!("ftpmon-manual-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        write_manual(&folder).unwrap();
        let pages: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let run = std::fs::read_to_string(folder.join("ftpmon-run.1")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            assert!(pages.contains(&format!("ftpmon-{}.1", command.get_name())), "{pages:?}");
        }
        assert!(run.contains("stats\\-interval"), "an option of run is missing");
    }
}
