//! Transfer logs read by the programs that they are for: webalizer and logwatch read xferlog, AWStats reads `awstats`. None complains,
//! and each counts what the events say.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, plain_test};
use ftpmon_tests::oracle::Unpacked;
use ftpmon_tests::process::{run, run_ok};
use ftpmon_tests::script::{self, bulk};
use serde_json::Value;

/// Sessions with a transfer each.
const SESSIONS: u64 = 300;

/// Files that were transferred, as the events have them.
#[derive(Debug, Default)]
struct Truth {
    /// Downloads and uploads, also those that were cut off.
    files: u64,
    /// Bytes to clients, and from them.
    bytes: [u64; 2],
    /// Deletions.
    deletions: u64,
}

/// Many sessions of usual names, and a day of unusual ones.
struct Logs {
    scratch: Scratch,
    captures: [PathBuf; 2],
    truth: Truth,
}

impl Logs {
    fn new(label: &str) -> Result<Self> {
        let scratch = Scratch::new(label)?;
        let captures = ["usual.pcap", "day.pcap"].map(|name| scratch.path().join(name));
        bulk::write(&mut fs::File::create(&captures[0])?, SESSIONS)?;
        fs::write(&captures[1], script::capture(&super::day::script())?)?;
        let mut logs = Self { scratch, captures, truth: Truth::default() };
        for line in logs.written("json")?.lines() {
            logs.truth.add(&serde_json::from_str(line)?);
        }
        Ok(logs)
    }

    /// Both as `ftpmon read` writes them.
    fn written(&self, format: &str) -> Result<String> {
        let mut all = String::new();
        for capture in &self.captures {
            all += &run_ok(Command::new(binary()?).args(["read", "--format", format]).arg(capture))?;
        }
        Ok(all)
    }

    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.scratch.path().join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

impl Truth {
    fn add(&mut self, event: &Value) {
        let transfer = &event["transfer"];
        let bytes = transfer["bytes"].as_u64().unwrap_or(0);
        match (event["event"].as_str(), transfer["direction"].as_str()) {
            (Some("transfer"), Some("download")) => {
                self.files += 1;
                self.bytes[0] += bytes;
            }
            (Some("transfer"), Some("upload")) => {
                self.files += 1;
                self.bytes[1] += bytes;
            }
            (Some("reply"), _) if event["command"]["verb"] == "DELE" => {
                self.deletions += u64::from(event["reply"]["code"] == 250);
            }
            _ => {}
        }
    }
}

#[test]
fn webalizer_reads_xferlog() {
    plain_test("webalizer_reads_xferlog", &[Need::Agent, Need::Tool("webalizer")], || {
        let logs = Logs::new("webalizer")?;
        let lines = logs.written("xferlog")?;
        let log = logs.scratch.write("xferlog", &lines)?;
        let out = logs.folder("out")?;
        let mut webalizer = Command::new("webalizer");
        webalizer.current_dir(&out).env("LC_ALL", "C").args(["-F", "ftp", "-n", "ftp.example", "-o"]);
        let said = run(webalizer.arg(&out).arg(&log))?;
        ensure!(said.status.success(), "{}{}", said.stdout, said.stderr);
        let text = said.stdout + &said.stderr;
        for word in ["Warning", "Error", "Skipping", "ignored", "bad", "Truncating"] {
            ensure!(!text.contains(word), "webalizer complains: {text}");
        }
        let records = lines.lines().count() as u64;
        ensure!(records == logs.truth.files + logs.truth.deletions, "{records} lines of {:?}", logs.truth);
        ensure!(text.contains(&format!("{records} records in ")), "not {records} records: {text}");
        // Its history has a line a month: month, year, requests, files, kilobytes and more.
        let history = fs::read_to_string(out.join("webalizer.hist"))?;
        let month = history.lines().find(|line| !line.starts_with('#')).context("a month")?;
        let numbers: Vec<&str> = month.split_whitespace().collect();
        ensure!(numbers.starts_with(&["1", "2026", &records.to_string()]), "{history}");
        Ok(())
    });
}

#[test]
fn logwatch_reads_xferlog() {
    let needs = [Need::Agent, Need::Tool("perl"), Need::Unpacked(Unpacked::Logwatch)];
    plain_test("logwatch_reads_xferlog", &needs, || {
        let logs = Logs::new("logwatch")?;
        let log = logs.folder("log")?;
        fs::write(log.join("xferlog"), logs.written("xferlog")?)?;
        let said = run(logwatch(&logs)?.arg("--logdir").arg(&log))?;
        ensure!(said.status.success() && said.stderr.is_empty(), "{}{}", said.stdout, said.stderr);
        let text = said.stdout;
        for (name, bytes) in ["OUT", "IN"].into_iter().zip(logs.truth.bytes) {
            // It rounds kilobytes.
            let kilobytes = [bytes / 1_000, bytes.div_ceil(1_000)];
            let is_right =
                kilobytes.iter().any(|number| text.contains(&format!("TOTAL KB {name}: {number}KB")));
            ensure!(is_right, "{bytes} bytes {name}: {text}");
        }
        ensure!(!text.contains("Unmatched"), "it does not understand lines: {text}");
        ensure!(!text.contains('\x1b'), "a name reaches the terminal");
        Ok(())
    });
}

/// logwatch looks for its files where its package has them: it is told where they are.
fn logwatch(logs: &Logs) -> Result<Command> {
    let base = Unpacked::Logwatch.folder()?.join("usr/share/logwatch");
    let program = fs::read_to_string(Unpacked::Logwatch.program()?)?;
    let own = logs.folder("conf")?;
    let moved = program
        .replace("= \"/usr/share/logwatch\";", &format!("= \"{}\";", base.display()))
        .replace("= \"/etc/logwatch\";", &format!("= \"{}\";", own.display()));
    ensure!(moved.matches(&*base.to_string_lossy()).count() == 1, "its folder is named otherwise");
    logs.scratch.write("conf/conf/logwatch.conf", format!("TmpDir = {}\n", logs.folder("tmp")?.display()))?;
    let mut perl = Command::new("perl");
    perl.arg(logs.scratch.write("logwatch.pl", moved)?).env("LC_ALL", "C");
    perl.args(["--service", "ftpd-xferlog", "--range", "all", "--detail", "high", "--output", "stdout"]);
    Ok(perl)
}

#[test]
fn awstats_reads_its_format() {
    let needs = [Need::Agent, Need::Tool("perl"), Need::Unpacked(Unpacked::Awstats)];
    plain_test("awstats_reads_its_format", &needs, || {
        let logs = Logs::new("awstats")?;
        let log = logs.scratch.write("ftp.log", logs.written("awstats")?)?;
        let data = logs.folder("data")?;
        let settings = documented_settings()?;
        let settings = format!(
            "{settings}\nLogFile=\"{}\"\nDirData=\"{}\"\nSiteDomain=\"ftp.example\"\nHostAliases=\"ftp.example\"\nDNSLookup=0\n",
            log.display(),
            data.display()
        );
        logs.scratch.write("awstats.ftp.conf", settings)?;
        let mut awstats = awstats(logs.scratch.path())?;
        let said = run(awstats.arg(format!("-configdir={}", logs.scratch.path().display())).arg("-update"))?;
        let text = said.stdout + &said.stderr;
        ensure!(said.status.success() && !text.contains("Warning") && !text.contains("Error"), "{text}");
        for none in ["dropped", "corrupted", "old", "blank"] {
            ensure!(text.contains(&format!("Found 0 {none} records")), "{none} records: {text}");
        }
        let files = logs.truth.files;
        ensure!(text.contains(&format!("Found {files} new qualified records")), "not {files}: {text}");
        // Its sums by hour: pages, hits and bytes of what was seen, and of what was not.
        let file = fs::read_to_string(data.join("awstats012026.ftp.txt"))?;
        let hours = file.lines().skip_while(|line| !line.starts_with("BEGIN_TIME")).skip(1);
        let hours = hours.take_while(|line| !line.starts_with("END_TIME"));
        let bytes: u64 = hours
            .map(|line| {
                let numbers: Vec<u64> =
                    line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
                numbers.get(3).copied().unwrap_or(0) + numbers.get(6).copied().unwrap_or(0)
            })
            .sum();
        ensure!(bytes == logs.truth.bytes.iter().sum::<u64>(), "{bytes} bytes of {:?}", logs.truth);
        Ok(())
    });
}

/// The settings that docs/formats.md tells a reader to take.
fn documented_settings() -> Result<String> {
    let formats = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats.md"))?;
    let section = formats.split_once("\n## awstats\n").context("a section about awstats")?.1;
    let quoted = section.split('`').skip(1).step_by(2);
    let settings: Vec<&str> = quoted.filter(|text| text.starts_with("Log")).take(3).collect();
    ensure!(settings.len() == 3, "LogType, LogSeparator and LogFormat: {settings:?}");
    Ok(settings.join("\n"))
}

/// AWStats looks for its lists beside itself.
fn awstats(folder: &Path) -> Result<Command> {
    let program = folder.join("awstats.pl");
    symlink(Unpacked::Awstats.program()?, &program)?;
    for lists in ["lib", "lang"] {
        symlink(Unpacked::Awstats.folder()?.join("usr/share/awstats").join(lists), folder.join(lists))?;
    }
    let mut awstats = Command::new("perl");
    awstats.arg(program).arg("-config=ftp").env("LC_ALL", "C");
    Ok(awstats)
}
