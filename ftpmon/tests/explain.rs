//! `ftpmon explain` over the folders of `tests/explain`: a test `FOLDER::VIEW` compares what it writes of the script's capture,
//! or of the events that `ftpmon read` makes of it, with the folder's expectation. No root is needed.
//!
//! `FTPMON_BLESS=1` writes the expectations instead: read the difference before you commit it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use ftpmon_tests::bed::Scratch;
use ftpmon_tests::script;
use libtest_mimic::{Arguments, Failed, Trial};
use unicode_width::UnicodeWidthStr as _;

/// A view: its expectation's file, whether it reads stored events, and its options.
type View = (&'static str, bool, &'static [&'static str]);

/// Every view of a folder.
const VIEWS: [View; 7] = [
    ("en.txt", false, &["--lang", "en"]),
    ("zh.txt", false, &["--lang", "zh"]),
    ("en.svg", false, &["--lang", "en", "--svg"]),
    ("zh.html", false, &["--lang", "zh", "--html"]),
    ("layers.en.txt", false, &["--lang", "en", "--layers"]),
    ("layers.zh.txt", false, &["--lang", "zh", "--layers"]),
    ("events.en.txt", true, &["--lang", "en", "--width", "80"]),
];

/// Views of the textbook session alone: each form in both languages.
const OF_TEXTBOOK: [View; 2] =
    [("zh.svg", false, &["--lang", "zh", "--svg"]), ("en.html", false, &["--lang", "en", "--html"])];

fn main() -> Result<ExitCode, Failed> {
    let arguments = Arguments::from_args();
    let scratch = Arc::new(Scratch::new("explain")?);
    let bless = std::env::var_os("FTPMON_BLESS").is_some_and(|value| value != "0");
    let mut trials = Vec::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/explain"))? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let more = if name == "textbook" { &OF_TEXTBOOK[..] } else { &[] };
        for view in VIEWS.iter().chain(more).copied() {
            let (folder, scratch) = (folder.clone(), Arc::clone(&scratch));
            let title = format!("{name}::{}", view.0);
            trials.push(Trial::test(title, move || check(&folder, view, scratch.path(), bless)));
        }
    }
    trials.sort_by(|one, other| one.name().cmp(other.name()));
    trials.push(Trial::test("tutorial::blocks_are_those_of_the_textbook_session", tutorial));
    let narrow = Arc::clone(&scratch);
    trials.push(Trial::test("widths::no_line_is_wider_than_it_may_be", move || widths(narrow.path())));
    trials.extend(commands::trials(&scratch));
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

fn check(folder: &Path, (file, stored, options): View, scratch: &Path, bless: bool) -> Result<(), Failed> {
    if std::fs::read_to_string(folder.join("README.md")).unwrap_or_default().trim().is_empty() {
        return Err("there is no README.md that says what is shown".into());
    }
    let further = std::fs::read_to_string(folder.join("options")).unwrap_or_default();
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let input = input(folder, &scratch.join(format!("{name}-{file}")), stored)?;
    let mut command = explain();
    command.args(options);
    let written = scratch.join(format!("{name}.{file}"));
    let is_file = options.iter().any(|option| matches!(*option, "--svg" | "--html"));
    if is_file {
        command.arg(&written);
    }
    let printed = output(command.args(further.split_whitespace()).arg(&input))?;
    let found = if is_file { std::fs::read_to_string(&written)? } else { printed };
    let expectation = folder.join(file);
    if bless {
        std::fs::write(&expectation, &found)?;
    }
    let expected = std::fs::read_to_string(&expectation)?;
    let (expected, found): (Vec<&str>, Vec<&str>) =
        (expected.split('\n').collect(), found.split('\n').collect());
    let differs = (0..expected.len().max(found.len())).find(|&at| expected.get(at) != found.get(at));
    match differs {
        None => Ok(()),
        Some(at) => {
            let line = |lines: &[&str]| {
                lines.get(at).map_or_else(|| "(nothing)".to_owned(), |line| (*line).to_owned())
            };
            Err(format!("line {}\n  expected {}\n  found    {}", at + 1, line(&expected), line(&found))
                .into())
        }
    }
}

/// The blocks of docs/tutorial.md are what `explain` writes: the expectations of the textbook session.
fn tutorial() -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path));
    let written = read("tests/explain/textbook/en.txt")? + &read("tests/explain/textbook/layers.en.txt")?;
    let text = read("docs/tutorial.md")?;
    let blocks: Vec<&str> = text.split("```text,explain\n").skip(1).collect();
    for block in &blocks {
        let block = block.split("\n```").next().unwrap_or_default();
        if !written.contains(block) {
            return Err(format!("docs/tutorial.md has what explain does not write:\n{block}").into());
        }
    }
    let named = ["26758", "58985", "57658", "SYN, ACK", "227 Entering", "331 Please", "FIN, ACK"];
    let missing: Vec<&&str> = named.iter().filter(|step| !text.contains(**step)).collect();
    if blocks.len() < 10 || !missing.is_empty() {
        return Err(format!("{} blocks, without {missing:?}", blocks.len()).into());
    }
    Ok(())
}

/// Ladders and layers of every folder, in both languages, fit the columns that there are, and narrow ones are still read: a field has a few
/// lines more, not one for every second character.
fn widths(scratch: &Path) -> Result<(), Failed> {
    let mut seen = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/explain"))? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let capture = input(&folder, &scratch.join(format!("{name}-widths")), false)?;
        for (language, layers) in [("en", false), ("zh", false), ("en", true), ("zh", true)] {
            let mut usual = 0;
            for width in [100_usize, 160, 99, 81, 80, 79, 64, 60] {
                let mut command = explain();
                command.args(["--lang", language, "--width", &width.to_string()]).arg(&capture);
                let text = output(command.args(layers.then_some("--layers")))?;
                let lines = text.lines().count();
                if let Some(wide) = text.lines().find(|line| line.width() > width) {
                    return Err(format!("{name} {language}, {width} columns: {wide:?}").into());
                }
                usual = if usual == 0 { lines } else { usual };
                if lines > 3 * usual || lines == 0 {
                    return Err(format!(
                        "{name} {language}, {width} columns: {lines} lines, usually {usual}"
                    )
                    .into());
                }
                seen += 1;
            }
        }
    }
    if seen < 160 { Err(format!("only {seen} were seen").into()) } else { Ok(()) }
}

/// The capture of a folder's script, or the events of it, in a file.
fn input(folder: &Path, path: &Path, stored: bool) -> Result<PathBuf, Failed> {
    let script = std::fs::read_to_string(folder.join("script.ftp"))?;
    // Views run at once: each has files of its own.
    let named = |ending: &str| PathBuf::from(format!("{}.{ending}", path.display()));
    let capture = named("pcap");
    std::fs::write(&capture, script::capture(&script).map_err(|error| format!("{error:#}"))?)?;
    if !stored {
        return Ok(capture);
    }
    let events = named("jsonl");
    std::fs::write(&events, output(ftpmon().arg("read").arg(&capture))?)?;
    Ok(events)
}

fn ftpmon() -> Command {
    Command::new(env!("CARGO_BIN_EXE_ftpmon"))
}

fn explain() -> Command {
    let mut command = ftpmon();
    command.arg("explain");
    command
}

fn output(command: &mut Command) -> Result<String, Failed> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The command line of `ftpmon explain`.
mod commands {
    use super::*;

    /// Two sessions, the second of which says what no terminal should see.
    const SCRIPT: &str = "host client 192.0.2.10\nhost server 192.0.2.21\nopen a client:40000 server:21\nS: 220 one\nC: QUIT\n\
                          S: 221 bye\nclose a <\nopen b client:40001 server:21\nuse b\nS: 220 two\\x1b[2J\n\
                          C: USER joe\\xe2\\x80\\xae\nS: 331 <script>word</script>&\nC: PASS hunter2\nS: 230 in\nclose b >\n";

    type Check = fn(&Path) -> Result<(), Failed>;

    pub(super) fn trials(scratch: &Arc<Scratch>) -> Vec<Trial> {
        let checks: [(&str, Check); 5] = [
            ("a_session_is_chosen_by_number_and_by_id", chosen),
            ("the_language_follows_the_environment", language),
            ("colours_only_where_they_are_asked_for", colours),
            ("nothing_hostile_and_no_secret_is_written", hostile),
            ("what_cannot_be_explained_says_why", refused),
        ];
        let trial = |(name, check): (&str, Check)| {
            let (folder, scratch) = (name.to_owned(), Arc::clone(scratch));
            Trial::test(format!("command::{name}"), move || {
                let folder = scratch.path().join(folder);
                std::fs::create_dir_all(&folder)?;
                check(&folder)
            })
        };
        checks.map(trial).into()
    }

    fn capture(folder: &Path) -> Result<PathBuf, Failed> {
        std::fs::write(folder.join("script.ftp"), SCRIPT)?;
        input(folder, &folder.join("two"), false)
    }

    fn ensure(is_so: bool, text: &str) -> Result<(), Failed> {
        if is_so { Ok(()) } else { Err(text.into()) }
    }

    fn chosen(folder: &Path) -> Result<(), Failed> {
        let capture = capture(folder)?;
        let first = output(explain().args(["--lang", "en"]).arg(&capture))?;
        ensure(first.contains("220 one") && !first.contains("220 two"), &first)?;
        ensure(first.contains("Session 1 of 2"), &first)?;
        let second = output(explain().args(["--lang", "en", "--follow", "2"]).arg(&capture))?;
        ensure(second.contains("220 two") && !second.contains("220 one"), &second)?;
        let id = second.split_whitespace().nth(2).unwrap_or_default();
        let by_id = output(explain().args(["--lang", "en", "--session", id]).arg(&capture))?;
        ensure(by_id == second, &by_id)
    }

    fn language(folder: &Path) -> Result<(), Failed> {
        let capture = capture(folder)?;
        let with = |locale| {
            output(explain().env_remove("LC_ALL").env("LC_MESSAGES", "").env("LANG", locale).arg(&capture))
        };
        ensure(with("zh_CN.UTF-8")?.contains("三次握手"), "zh_CN")?;
        ensure(with("C.UTF-8")?.contains("Handshake, 1 of 3"), "C")
    }

    fn colours(folder: &Path) -> Result<(), Failed> {
        let capture = capture(folder)?;
        let plain = output(explain().arg(&capture))?;
        ensure(!plain.contains('\x1b'), "a file gets no colours")?;
        let coloured = output(explain().args(["--color", "always"]).arg(&capture))?;
        ensure(coloured.contains("\x1b[36mQUIT") || coloured.contains("\x1b[36m── QUIT"), &coloured)
    }

    fn hostile(folder: &Path) -> Result<(), Failed> {
        let capture = capture(folder)?;
        for lang in ["en", "zh"] {
            let text = output(explain().args(["--lang", lang, "--follow", "2"]).arg(&capture))?;
            ensure(text.contains("220 two\\x1b[2J") && text.contains("joe\\u{202e}"), &text)?;
            let layers = output(explain().args(["--lang", lang, "--follow", "2", "--layers"]).arg(&capture))?;
            ensure(layers.contains("PASS *******") && !layers.contains("68 75 6e 74 65 72"), &layers)?;
            ensure(layers.contains("joe\\u{202e}") && !layers.contains('\x1b'), &layers)?;
            ensure(!text.contains('\x1b') && !text.contains('\u{202e}') && !text.contains("hunter2"), &text)?;
            let (svg, html) = (folder.join("hostile.svg"), folder.join("hostile.html"));
            let mut drawn = explain();
            drawn.args(["--lang", lang, "--follow", "2", "--svg"]).arg(&svg).arg("--html").arg(&html);
            ensure(output(drawn.arg(&capture))?.is_empty(), "a drawing is not printed")?;
            for path in [svg, html] {
                let text = std::fs::read_to_string(path)?;
                ensure(text.contains("&lt;script&gt;word&lt;/script&gt;&amp;"), &text)?;
                let active = ["<script", "hunter2", "\x1b", "\u{202e}", "href", "src="];
                ensure(!active.iter().any(|text_of| text.contains(text_of)), &text)?;
            }
            let shown =
                output(explain().args(["--lang", lang, "--follow", "2", "--secrets", "show"]).arg(&capture))?;
            ensure(shown.contains("PASS hunter2"), &shown)?;
        }
        Ok(())
    }

    fn refused(folder: &Path) -> Result<(), Failed> {
        let capture = capture(folder)?;
        let error = |arguments: &[&str]| -> Result<(Option<i32>, String), Failed> {
            let output = explain().args(arguments).output()?;
            Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
        };
        let capture = capture.to_string_lossy().into_owned();
        let (code, text) = error(&["--follow", "3", &capture])?;
        ensure(code == Some(1) && text.contains("no session number 3"), &text)?;
        let (code, text) = error(&["--frame", "999", &capture])?;
        ensure(code == Some(1) && text.contains("there is no frame 999"), &text)?;
        let (code, text) = error(&["/nowhere.pcap"])?;
        ensure(code == Some(1) && text.contains("/nowhere.pcap"), &text)?;
        let (code, text) = error(&["--follow", "1", "--session", "x", &capture])?;
        ensure(code == Some(2), &text)
    }
}
