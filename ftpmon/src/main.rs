//! The `ftpmon` command.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ftpmon::cli::{Command, ConfigCommand, Invocation, completions, example, write_manual};
use ftpmon::config::Config;
use ftpmon::diagnostics;
use ftpmon::status::StatusAddress;

fn main() -> ExitCode {
    let invocation = Invocation::of_process().unwrap_or_else(|error| error.exit());
    let config = invocation.config.clone().unwrap_or_default();
    diagnostics::start(config.log.level, config.log.format);
    let result: anyhow::Result<()> = match &invocation.command {
        Command::Run(_) => match ftpmon::run(&config, reread) {
            // What failed was said when it did.
            Ok(false) => return ExitCode::FAILURE,
            result => result.map(drop),
        },
        Command::Read(_) => ftpmon::read(&config),
        Command::Detect(options) => match (&options.explain, options.list) {
            (Some(id), _) => ftpmon::explain_detector(id),
            (None, true) => ftpmon::list_detectors(),
            (None, false) => ftpmon::detect(&config, &options.files),
        },
        Command::Explain(options) => ftpmon::view::explain(&options.view(), &config),
        Command::Report(options) => ftpmon::view::report(&options.files, &options.form()),
        Command::Top(options) => ftpmon::view::top(&options.view()),
        Command::Who(options) => ftpmon::view::who(&options.view()),
        Command::Config(ConfigCommand::Check(_)) => print(&checked(&invocation)),
        Command::Config(ConfigCommand::Show(_)) => print(&invocation.shown()),
        Command::Config(ConfigCommand::Example) => print(&example()),
        Command::Detach { pin } => detach(pin.as_deref()),
        Command::Doctor(options) => return doctor(&config, options.json),
        Command::Verify { paths } => return verify(paths),
        Command::Status { status, json } => show_status(status, *json),
        Command::Completions { shell } => completions(*shell, &mut io::stdout().lock()).map_err(Into::into),
        Command::Man { folder } => write_manual(folder).map_err(Into::into),
        Command::Schema => schema(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if had_enough(&error) => ExitCode::SUCCESS,
        Err(error) => {
            diagnostics::fail(config.log.format, format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// With `| head`, the rest is not wanted: an ordinary end.
fn had_enough(error: &anyhow::Error) -> bool {
    let mut errors = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    errors.any(|error| error.kind() == io::ErrorKind::BrokenPipe) && ftpmon::sink::reader_has_gone()
}

/// `ftpmon config check`: what was read, all of it right.
fn checked(invocation: &Invocation) -> String {
    let files: Vec<String> = invocation.files.iter().map(|file| file.display().to_string()).collect();
    match files.as_slice() {
        [] => "ok: there is no configuration file\n".to_owned(),
        files => format!("ok: {}\n", files.join(", ")),
    }
}

/// The configuration as the same command line, the environment and the files give it now.
fn reread() -> Result<Config, String> {
    let invocation = Invocation::of_process().map_err(|error| error.to_string())?;
    Ok(invocation.config.unwrap_or_default())
}

/// `ftpmon verify`: what is not complete is a failure.
fn verify(paths: &[PathBuf]) -> ExitCode {
    let verdict = match ftpmon::verify::verify(paths) {
        Ok(verdict) => verdict,
        Err(error) => {
            eprintln!("ftpmon: {error}");
            return ExitCode::FAILURE;
        }
    };
    judged(&verdict.text, verdict.whole)
}

/// Prints a judgement. What a reader leaves unread changes nothing about it.
fn judged(text: &str, good: bool) -> ExitCode {
    match print(text) {
        Err(error) if !had_enough(&error) => {
            eprintln!("ftpmon: {error:#}");
            ExitCode::FAILURE
        }
        _ if good => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// `ftpmon doctor`: a fault is a failure.
fn doctor(config: &Config, json: bool) -> ExitCode {
    let report = ftpmon::doctor::examine(config);
    judged(&if json { report.json() } else { report.text() }, !report.has_faults())
}

/// `ftpmon status`.
fn show_status(address: &StatusAddress, json: bool) -> anyhow::Result<()> {
    print(&ftpmon::status::status(address, json)?)
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

/// `ftpmon detach`: says what was removed.
fn detach(pins: Option<&Path>) -> anyhow::Result<()> {
    if let Some(folder) = pins {
        let count = ftpmon::kernel::detach_pins(folder)?;
        return print(&format!("{count} pins removed from {}\n", folder.display()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let count = runtime.block_on(ftpmon::kernel::detach())?;
    print(&format!("{count} filters of killed agents removed\n"))
}

/// `ftpmon schema`: how `docs/events.schema.json` is made.
fn schema() -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(&ftpmon_event::schema())?))
}
