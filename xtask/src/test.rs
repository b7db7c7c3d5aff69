//! `cargo xtask test`: everything that can be tested here, and a count at the end.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;

use crate::tally::Tally;
use crate::workspace::{as_root, build_agent, build_debug_agent, cargo, is_root, root};

/// Environment that tests running as root are handed.
const PASSED_ON: [&str; 3] = ["FTPMON_NO_SKIP", "RUST_BACKTRACE", "CARGO_TARGET_DIR"];
/// The test bed's programs that need no root.
const WITHOUT_ROOT: [&str; 5] = ["attack", "benign", "secrets", "segmentation", "variants"];
/// The program of the ring of views, which needs none either.
const VIEWS: &str = "views";
/// That of the ring of queries.
const QUERIES: &str = "queries";
/// The program of the test bed's own unit tests, which need none either.
const LIBRARY: &str = "ftpmon_tests";
/// The prefix of the names of tests at full size, which take minutes: a ring of their own.
const SOAK: &str = "soak_";
/// The prefix of the names of tests with tools of attackers, which few machines have: a ring of their own.
const TOOLS: &str = "tools_";
/// The prefix of the environment's variables that give such tests another size. They are handed on as well.
const SOAK_SIZES: &str = "FTPMON_SOAK_";

/// Options of `cargo xtask test`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Run these rings only.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Ring>,
    /// Leave the machine as it is: what is missing is skipped, or fails where FTPMON_NO_SKIP=1.
    #[arg(long)]
    no_install: bool,
    /// With kernels: boot the newest of this series, as 6.1, in place of the usual ones.
    #[arg(long, value_name = "SERIES", value_delimiter = ',')]
    kernel: Vec<String>,
    /// With kernels: take the verifier's counts as right, and write the table in docs/kernels.md.
    #[arg(long)]
    bless: bool,
    /// Passed on to the test programs: a name to filter by, or options such as --nocapture.
    #[arg(last = true, value_name = "OPTION")]
    options: Vec<String>,
}

/// The rings of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Ring {
    /// Unit and property tests, goldens, and examples in the documentation: no root.
    Unit,
    /// The views, judged by tshark, Chromium, webalizer, logwatch, AWStats and promtool: no root but for installing them.
    Views,
    /// The queries of deploy/clickhouse by ClickHouse, half a gigabyte. Only when asked for.
    Queries,
    /// The kernel programs by BPF_PROG_TEST_RUN, and the agent between real parties in namespaces: root.
    Live,
    /// Debian's kernels under emulation, with every program under every hook: no root but for installing qemu.
    Kernels,
    /// A few seconds of each fuzz target.
    Fuzz,
    /// The live tests at full size, whose names begin with soak_, one after another: root, minutes each. Only when asked for.
    Soak,
    /// Tools of attackers, which are installed, against real servers: root, two minutes. Only when asked for.
    Tools,
}

impl Ring {
    /// It runs only when asked for.
    const fn is_on_request(self) -> bool {
        matches!(self, Self::Soak | Self::Tools | Self::Queries)
    }

    /// The prefix of the names of its tests, where they are those of one.
    const fn prefix(self) -> Option<&'static str> {
        match self {
            Self::Soak => Some(SOAK),
            Self::Tools => Some(TOOLS),
            _ => None,
        }
    }
}

/// Runs the rings one after another; a ring that fails does not keep the next from running.
pub(crate) fn run(args: &Args) -> Result<()> {
    let wanted = |ring: Ring| (args.only.is_empty() && !ring.is_on_request()) || args.only.contains(&ring);
    let mut tally = Tally::default();
    let live = [Ring::Live, Ring::Soak, Ring::Tools];
    if live.into_iter().any(wanted) && !args.no_install {
        ftpmon_tests::party::install(|step| println!("install: {step}"))?;
    }
    if (wanted(Ring::Live) || wanted(Ring::Soak)) && !args.no_install {
        ftpmon_tests::receiver::install(|step| println!("install: {step}"))?;
    }
    if wanted(Ring::Tools) && !args.no_install {
        ftpmon_tests::party::install_tools(|step| println!("install: {step}"))?;
    }
    if wanted(Ring::Unit) {
        let mut unit = cargo()?;
        unit.args([
            "test",
            "--no-fail-fast",
            "--workspace",
            "--exclude",
            "ftpmon-ebpf",
            "--exclude",
            "ftpmon-tests",
        ]);
        unit.args(["--", "--skip", SOAK]).args(&args.options);
        run_tests("unit and property tests, goldens", &mut unit, &mut tally)?;
        let mut bed = cargo()?;
        bed.args(["test", "--no-fail-fast", "--package", "ftpmon-tests", "--lib"]);
        bed.args(WITHOUT_ROOT.iter().flat_map(|name| ["--test", name])).arg("--").args(&args.options);
        run_tests(
            "the test bed's own tests, segmentation, honest dialogues, variants of scenes",
            &mut bed,
            &mut tally,
        )?;
    }
    for (ring, program) in [(Ring::Views, VIEWS), (Ring::Queries, QUERIES)] {
        if wanted(ring) {
            judged(program, args, &mut tally)?;
        }
    }
    for ring in live {
        if wanted(ring) {
            with_root(ring, &args.options, &mut tally)?;
        }
    }
    if wanted(Ring::Kernels) {
        on_kernels(args, &mut tally);
    }
    if wanted(Ring::Fuzz) {
        println!("\n── a few seconds of each fuzz target");
        let began = Instant::now();
        match crate::fuzz::smoke() {
            Ok(targets) => tally.passed += targets as u64,
            Err(error) => tally.fail(format!("fuzz: {error:#}")),
        }
        print_time("a few seconds of each fuzz target", began);
    }
    tally.print_failures();
    println!("\n{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
    ensure!(tally.failed == 0, "{} failed", tally.failed);
    ensure!(tally.passed > 0, "no test ran");
    Ok(())
}

/// Makes the pictures of views that documents show: by their tests.
pub(crate) fn make_pictures() -> Result<()> {
    let mut tally = Tally::default();
    judged(VIEWS, &Args { only: vec![Ring::Views], ..Args::default() }, &mut tally)?;
    ensure!(tally.failed == 0 && tally.skipped == 0, "the tests of views made no pictures");
    Ok(())
}

/// Installs the programs that judge the views, or the queries, and lets them.
fn judged(name: &str, args: &Args, tally: &mut Tally) -> Result<()> {
    if !args.no_install {
        let say = |step: &str| println!("install: {step}");
        if name == QUERIES {
            ftpmon_tests::oracle::install_chdb(say)?;
        } else {
            ftpmon_tests::oracle::install(say)?;
        }
    }
    let agent = env::var_os("FTPMON_BIN").map_or_else(build_debug_agent, |agent| Ok(agent.into()))?;
    let mut program = cargo()?;
    let skips = skip_log()?;
    program.env("FTPMON_BIN", agent).env("FTPMON_SKIP_LOG", &skips).args([
        "test",
        "--package",
        "ftpmon-tests",
        "--test",
        name,
    ]);
    program.arg("--").args(&args.options);
    run_tests(name, &mut program, tally)?;
    tally.count_skipped(&skips);
    Ok(())
}

/// The file that tests name themselves in when they are skipped, empty.
fn skip_log() -> Result<PathBuf> {
    let path = ftpmon_tests::machine::target()?.join("skipped.txt");
    let _ = fs::remove_file(&path);
    Ok(path)
}

/// Boots kernels. Without what that needs it is skipped, or fails where nothing may be skipped.
fn on_kernels(args: &Args, tally: &mut Tally) {
    println!("\n── kernels under emulation");
    let began = Instant::now();
    if let Err(error) = crate::kernels::missing(!args.no_install) {
        let skipped = format!("SKIP kernels under emulation: {error:#}");
        if env::var_os("FTPMON_NO_SKIP").is_some() {
            tally.fail(skipped);
        } else {
            println!("{skipped}");
            tally.skipped += 1;
        }
        return;
    }
    let agent = env::var_os("FTPMON_BIN").map_or_else(build_agent, |agent| Ok(agent.into()));
    let tried = agent.and_then(|agent| {
        let series = args.kernel.clone();
        crate::kernels::run(&crate::kernels::Options { series, bless: args.bless, agent })
    });
    match tried {
        Ok(tried) => {
            tally.passed += tried.passed;
            if tried.failed > 0 {
                tally.failed += tried.failed;
                tally.tell_again(format!("kernels under emulation: {} failed, told above", tried.failed));
            }
        }
        Err(error) => tally.fail(format!("kernels: {error:#}")),
    }
    print_time("kernels under emulation", began);
}

/// The time that a ring took, building included: whoever makes CI shorter begins with the longest.
fn print_time(what: &str, began: Instant) {
    println!("   {what}: {} s", began.elapsed().as_secs());
}

/// Builds as whoever calls, runs the built programs as root.
fn with_root(ring: Ring, options: &[String], tally: &mut Tally) -> Result<()> {
    let agent = build_agent()?;
    let programs = build_tests("ftpmon-tests")?;
    let skips = skip_log()?;
    if !is_root() && ftpmon_tests::machine::find("sudo").is_none() {
        println!("SKIP all tests with root: this is not root, and there is no sudo");
        tally.skipped += 1;
        return Ok(());
    }
    for program in programs {
        let name = program.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let label = name.rsplit_once('-').map_or(name.as_str(), |(name, _)| name);
        if WITHOUT_ROOT.contains(&label) || label == VIEWS || label == QUERIES || label == LIBRARY {
            continue;
        }
        // sudo clears the environment: what the tests read is set behind it.
        let mut command = as_root("/usr/bin/env".as_ref())?;
        for (variable, value) in env::vars_os() {
            let named = variable.to_string_lossy();
            if PASSED_ON.contains(&&*named) || named.starts_with(SOAK_SIZES) {
                let mut pair = variable;
                pair.push("=");
                pair.push(value);
                command.arg(pair);
            }
        }
        command.arg(format!("FTPMON_BIN={}", agent.display()));
        command.arg(format!("FTPMON_SKIP_LOG={}", skips.display()));
        if let Some(prefix) = ring.prefix() {
            let names = named(prefix, &program, options)?;
            if names.is_empty() {
                continue;
            }
            command.arg("RUST_TEST_THREADS=1").arg(&program).args(names).arg("--exact");
            command.args(options.iter().filter(|option| is_option(option)));
        } else {
            command.arg(&program).args(["--skip", SOAK, "--skip", TOOLS]).args(options);
        }
        command.current_dir(root()?.join("tests"));
        run_tests(&format!("with root: {label}"), &mut command, tally)?;
    }
    tally.count_skipped(&skips);
    Ok(())
}

/// The tests of a program whose names have a prefix, of these the ones with one of the `options`' words in their names.
fn named(prefix: &str, program: &Path, options: &[String]) -> Result<Vec<String>> {
    let list = Command::new(program).args(["--list", "--format", "terse"]).output()?;
    ensure!(list.status.success(), "{} lists no tests", program.display());
    let words: Vec<_> = options.iter().filter(|option| !is_option(option)).collect();
    let names = String::from_utf8_lossy(&list.stdout).into_owned();
    let names = names.lines().filter_map(|line| line.strip_suffix(": test"));
    let of_ring = names.filter(|name| name.rsplit("::").next().is_some_and(|name| name.starts_with(prefix)));
    let wanted = of_ring.filter(|name| words.is_empty() || words.iter().any(|word| name.contains(*word)));
    Ok(wanted.map(str::to_owned).collect())
}

/// Not a word to filter by. Values of options stand behind a `=`.
fn is_option(option: &str) -> bool {
    option.starts_with('-')
}

/// Builds a package's test programs and gives their paths.
fn build_tests(package: &str) -> Result<Vec<PathBuf>> {
    let output = cargo()?
        .args(["test", "--no-run", "--package", package, "--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{package}'s tests do not build");
    let mut programs = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: serde_json::Value = serde_json::from_str(line).context("cargo's messages")?;
        let is_test = message.pointer("/profile/test").and_then(serde_json::Value::as_bool) == Some(true);
        if let Some(path) = message.get("executable").and_then(serde_json::Value::as_str).filter(|_| is_test)
        {
            programs.push(path.into());
        }
    }
    if programs.is_empty() {
        bail!("{package} has no tests");
    }
    Ok(programs)
}

/// Runs test programs, shows what they print, and adds up what they count.
fn run_tests(what: &str, command: &mut Command, tally: &mut Tally) -> Result<()> {
    println!("\n── {what}");
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {what}"))?;
    let before = tally.failed;
    for line in BufReader::new(child.stdout.take().context("standard output")?).lines() {
        let line = line?;
        println!("{line}");
        tally.add(what, &line);
    }
    let status = child.wait()?;
    if !status.success() && tally.failed == before {
        // It did not build, or ended without a count.
        tally.fail(format!("{what}: {status}"));
    }
    print_time(what, began);
    Ok(())
}
