//! The configurations of docs/shippers with the programs that they are for: all events of a live run arrive, in order, unchanged.
//!
//! As many as `tests/receivers.rs` says.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, plain_test, test};
use ftpmon_tests::process::{Running, run_ok};
use ftpmon_tests::receiver::{Guide, Receiver, Stage, events_wanted};
use serde_json::Value;

const HTTP_RECEIVER: &str = include_str!("../src/receiver/http_receiver.py");

/// The number of lines of a file that may not be there yet.
fn lines_of(path: &Path) -> usize {
    fs::read(path).map_or(0, |bytes| bytes.iter().filter(|&&byte| byte == b'\n').count())
}

/// Runs a stage whose receiver writes lines to `received`: they are those of the file.
fn compare(mut stage: Stage, options: &[&str], received: &Path) -> Result<()> {
    stage.start_with(options)?;
    stage.talk(events_wanted())?;
    let lines = stage.finish(|_| Ok(lines_of(received)))?;
    ftpmon_tests::poll::until("the end", std::time::Duration::from_secs(20), || {
        Ok((lines_of(received) >= lines.len()).then_some(()))
    })?;
    let text = fs::read_to_string(received)?;
    for (number, (line, wanted)) in text.lines().zip(&lines).enumerate() {
        let same =
            line == wanted || serde_json::from_str::<Value>(line).ok() == serde_json::from_str(wanted).ok();
        ensure!(same, "line {number} is {line}, and not {wanted}");
    }
    ensure!(lines_of(received) == lines.len(), "{} of {} lines came", lines_of(received), lines.len());
    Ok(())
}

/// Paths of a stage as text.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// ftpmon takes the configuration of each page.
#[test]
fn guides_are_accepted() {
    plain_test("guides_are_accepted", &[Need::Agent], || {
        let scratch = Scratch::new("guides")?;
        let mut pages = 0;
        for entry in fs::read_dir(Guide::folder())? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name == "README.md" {
                continue;
            }
            let config = scratch.write(&format!("{name}.toml"), Guide::read(&name)?.block("toml", &[])?)?;
            let checked = run_ok(Command::new(binary()?).args(["config", "check", "--config"]).arg(config));
            checked.with_context(|| name.clone())?;
            pages += 1;
        }
        ensure!(pages >= 12, "{pages} pages");
        Ok(())
    });
}

#[test]
fn guides_rsyslog() {
    test("guides_rsyslog", &[Need::Agent, Need::Receiver(Receiver::Rsyslog)], || {
        let stage = Stage::new("rsyslog")?;
        let guide = Guide::read("rsyslog.md")?;
        let (spool, file) = (text(&stage.spool()), text(&stage.reference()));
        let received = stage.scratch.path().join("received.json");
        let config = guide.config(&[("/var/lib/ftpmon/spool", &spool)], &format!("{file:?}"))?;
        let config = text(&stage.scratch.write("ftpmon.toml", config)?);
        let rules = guide.block("", &[("/var/log/ftpmon/events.json", &text(&received))])?;
        let rules = stage.scratch.write("rsyslog.conf", rules)?;
        let mut command = Receiver::Rsyslog.command(&stage.net.server)?;
        command.arg("-n").arg("-f").arg(rules).arg("-i").arg(stage.scratch.path().join("pid"));
        let daemon = Running::start(command.arg("-M").arg(Receiver::Rsyslog.modules()?))?;
        stage.listens(10_514, &daemon)?;
        compare(stage, &["--config", &config], &received)
    });
}

#[test]
fn guides_syslog_ng() {
    let needs = [Need::Agent, Need::Tool("openssl"), Need::Receiver(Receiver::SyslogNg)];
    test("guides_syslog_ng", &needs, || {
        let stage = Stage::new("syslog-ng")?;
        let guide = Guide::read("syslog-ng.md")?;
        let [ca, cert, key] = stage.certificate()?;
        let (spool, file) = (text(&stage.spool()), text(&stage.reference()));
        let received = stage.scratch.path().join("received.json");
        let names =
            [("/var/lib/ftpmon/spool", &*spool), ("log.example", "127.0.0.1"), ("/etc/ftpmon/ca.pem", &ca)];
        let config = text(&stage.scratch.write("ftpmon.toml", guide.config(&names, &format!("{file:?}"))?)?);
        let rules = guide.block(
            "",
            &[
                ("/etc/syslog-ng/key.pem", &key),
                ("/etc/syslog-ng/cert.pem", &cert),
                ("/var/log/ftpmon/events.json", &text(&received)),
            ],
        )?;
        let rules = stage.scratch.write("syslog-ng.conf", format!("@version: 3.38\n{rules}"))?;
        let at = |name: &str| stage.scratch.path().join(name);
        let mut command = Receiver::SyslogNg.command(&stage.net.server)?;
        command.arg("-F").arg("--no-caps").arg("-f").arg(rules).arg("-p").arg(at("pid"));
        command.arg("-c").arg(at("control")).arg("-R").arg(at("persist"));
        let modules = text(&Receiver::SyslogNg.modules()?);
        let daemon = Running::start(command.arg(format!("--module-path={modules}")))?;
        stage.listens(6_514, &daemon)?;
        compare(stage, &["--config", &config], &received)
    });
}

/// A reader that has too much to do now and then, for a whole request or for some documents.
#[test]
fn guides_opensearch() {
    test("guides_opensearch", &[Need::Agent, Need::Tool("openssl"), Need::Tool("python3")], || {
        let mut stage = Stage::new("opensearch")?;
        let [ca, cert, key] = stage.certificate()?;
        let (spool, file) = (text(&stage.spool()), text(&stage.reference()));
        let password = text(&stage.scratch.write("password", "secret\n")?);
        let names = [
            ("/var/lib/ftpmon/spool", &*spool),
            ("search.example", "127.0.0.1"),
            ("/etc/ftpmon/ca.pem", &ca),
            ("/etc/ftpmon/search", &password),
        ];
        let file = format!("{{ to = {file:?}, format = \"ecs\" }}");
        let config =
            text(&stage.scratch.write("ftpmon.toml", Guide::read("opensearch.md")?.config(&names, &file)?)?);
        let received = stage.scratch.path().join("received.json");
        let script = stage.scratch.write("receiver.py", HTTP_RECEIVER)?;
        let mut command = stage.net.server.command("python3");
        let receiver =
            Running::start(command.arg(script).args(["bulk", "9200", &text(&received), &cert, &key]))?;
        stage.listens(9_200, &receiver)?;
        stage.start_with(&["--config", &config])?;
        stage.talk(events_wanted())?;
        let lines = stage.finish(|_| Ok(lines_of(&received)))?;
        // Documents that were put off come behind later ones.
        let (kept, mut wanted) = (fs::read_to_string(&received)?, lines);
        let mut kept: Vec<&str> = kept.lines().collect();
        kept.sort_unstable();
        wanted.sort_unstable();
        ensure!(
            kept == wanted,
            "{} documents are kept, and {} were sent, or others",
            kept.len(),
            wanted.len()
        );
        Ok(())
    });
}

#[test]
fn guides_opentelemetry() {
    test("guides_opentelemetry", &[Need::Agent, Need::Receiver(Receiver::OpenTelemetry)], || {
        let stage = Stage::new("otlp")?;
        let received = stage.scratch.path().join("received.json");
        let script = stage.scratch.write("receiver.py", HTTP_RECEIVER)?;
        let mut command = Receiver::OpenTelemetry.command(&stage.net.server)?;
        let receiver = Running::start(command.arg(script).args(["otlp", "4318", &text(&received)]))?;
        stage.listens(4_318, &receiver)?;
        let (spool, file) = (text(&stage.spool()), format!("{},format=otel", text(&stage.reference())));
        let output = "otlp+http://127.0.0.1:4318,format=otel";
        compare(stage, &["--spool", &spool, "--output", output, "--output", &file], &received)
    });
}
