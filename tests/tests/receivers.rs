//! Receivers of others get the events of a live run: all of them, in order, unchanged, counted by (run, seq).
//!
//! Each gets 12,000; `FTPMON_SOAK_EVENTS=100000 cargo xtask test --only live -- receivers` gives them as many as it says.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::poll;
use ftpmon_tests::process::{Running, run_ok};
use ftpmon_tests::receiver::{
    KAFKA_BROKER, KAFKA_CLIENT, Receiver, Stage, events_wanted, nats_client, nats_server,
};
use nix::sys::signal::Signal;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(30);

/// The run and number of a line.
fn key(line: &str) -> Result<String> {
    let event: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
    Ok(format!("{}-{}", event["run"].as_str().context("run")?, event["seq"]))
}

/// A receiver has these lines: all of them, in order, each once.
fn same(received: &[&str], lines: &[String]) -> Result<()> {
    for (number, (line, wanted)) in received.iter().zip(lines).enumerate() {
        ensure!(line == wanted, "line {number} is {line}, and not {wanted}");
    }
    ensure!(received.len() == lines.len(), "{} of {} lines came", received.len(), lines.len());
    Ok(())
}

/// The server is killed and comes back in the middle: the spool keeps what it did not confirm, and the stream has each event once.
#[test]
fn receivers_nats() {
    let needs = [Need::Agent, Need::Receiver(Receiver::NatsServer), Need::Receiver(Receiver::NatsPy)];
    test("receivers_nats", &needs, || {
        let mut stage = Stage::new("nats")?;
        let server = nats_server(&stage, &[])?;
        let url = "nats://127.0.0.1:4222";
        nats_client(&stage, &["make", url, "FTP", "ftp.>"])?;
        stage.start(&format!("{url}/ftp.events"))?;
        stage.talk(events_wanted() / 3)?;
        server.signal(Signal::SIGKILL)?;
        stage.said_soon("trying again")?;
        stage.talk(events_wanted() * 2 / 3)?;
        drop(server);
        let _server = nats_server(&stage, &[])?;
        stage.talk(events_wanted())?;
        let count = |stage: &Stage| Ok(nats_client(stage, &["count", url, "FTP", "-"])?.trim().parse()?);
        let lines = stage.finish(count)?;
        let stored = nats_client(&stage, &["read", url, "FTP", "-"])?;
        let stored: Vec<(&str, &str)> =
            stored.lines().map(|line| line.split_once('\t').context("no id")).collect::<Result<_>>()?;
        for (id, line) in &stored {
            ensure!(*id == key(line)?, "{id} is the id of {line}");
        }
        same(&stored.iter().map(|(_, line)| *line).collect::<Vec<_>>(), &lines)
    });
}

/// Over TLS with certificates on both sides: a wrong password is told, nothing is lost meanwhile, and the file is read again.
#[test]
fn receivers_nats_login() {
    let needs = [
        Need::Agent,
        Need::Tool("openssl"),
        Need::Receiver(Receiver::NatsServer),
        Need::Receiver(Receiver::NatsPy),
    ];
    test("receivers_nats_login", &needs, || {
        let mut stage = Stage::new("nats-login")?;
        let [ca, cert, key] = stage.certificate()?;
        let config = format!(
            "tls {{ cert_file: {cert:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}\n\
             authorization {{ user: ftpmon, password: right }}\n"
        );
        let config = stage.scratch.write("server.conf", config)?;
        let password = stage.scratch.write("password", "wrong\n")?;
        let _server = nats_server(&stage, &["-c", &config.to_string_lossy()])?;
        let (host, password) = ("127.0.0.1:4222", password.to_string_lossy().into_owned());
        let login = format!("user=ftpmon,password={password},ca={ca},cert={cert},key={key}");
        stage.start(&format!("nats+tls://{host}/ftp.events,{login}"))?;
        stage.said_soon("does not accept the login")?;
        stage.scratch.write("password", "right\n")?;
        let (url, files) = (format!("tls://ftpmon:right@{host}"), [&*ca, &cert, &key]);
        let client = |stage: &Stage, words: &[&str]| nats_client(stage, &[words, &files[..]].concat());
        client(&stage, &["make", &url, "FTP", "ftp.>"])?;
        stage.talk(2_000)?;
        let count = |stage: &Stage| Ok(client(stage, &["count", &url, "FTP", "-"])?.trim().parse()?);
        let lines = stage.finish_any(count)?;
        let stored = client(&stage, &["read", &url, "FTP", "-"])?;
        let stored: Vec<&str> =
            stored.lines().map(|line| line.split_once('\t').map_or("", |(_, line)| line)).collect();
        same(&stored, &lines)
    });
}

/// Events wait for a stream that is not there yet. Those that are longer than the server takes are rejected, told by their numbers, and hold up
/// no other.
#[test]
fn receivers_nats_too_long() {
    let needs = [Need::Agent, Need::Receiver(Receiver::NatsServer), Need::Receiver(Receiver::NatsPy)];
    test("receivers_nats_too_long", &needs, || {
        let mut stage = Stage::new("nats-long")?;
        let config = stage.scratch.write("server.conf", "max_payload: 900\n")?;
        let _server = nats_server(&stage, &["-c", &config.to_string_lossy()])?;
        let url = "nats://127.0.0.1:4222";
        stage.start(&format!("{url}/ftp.events"))?;
        stage.said_soon("no stream has the subject ftp.events")?;
        nats_client(&stage, &["make", url, "FTP", "ftp.>"])?;
        stage.talk(2_000)?;
        let long = |line: &&String| line.len() > 900 - "NATS/1.0\r\nNats-Msg-Id: \r\n\r\n".len() - 26;
        let fit = |lines: &[String]| lines.iter().filter(|line| !long(line)).count();
        let lines = stage.finish_with_losses(|stage| {
            let stored: usize = nats_client(stage, &["count", url, "FTP", "-"])?.trim().parse()?;
            let lines: Vec<String> =
                fs::read_to_string(stage.reference())?.lines().map(str::to_owned).collect();
            Ok(if stored >= fit(&lines) { lines.len() } else { 0 })
        })?;
        let stored = nats_client(&stage, &["read", url, "FTP", "-"])?;
        let stored: Vec<&str> =
            stored.lines().map(|line| line.split_once('\t').map_or("", |(_, line)| line)).collect();
        let missing: Vec<&String> = lines.iter().filter(|line| !stored.contains(&line.as_str())).collect();
        ensure!(!missing.is_empty() && missing.iter().all(long), "{missing:?}");
        for line in missing {
            let seq = serde_json::from_str::<Value>(line)?["seq"].clone();
            let told = lines.iter().any(|line| {
                line.contains("\"event\":\"drop\"")
                    && line.contains("\"rejected\"")
                    && line.contains(&format!("\"from_seq\":{seq}"))
            });
            // That of the end comes too late to be told.
            ensure!(told || line.contains("sensor_stop") || line.contains("\"stats\""), "{seq} is not told");
        }
        Ok(())
    });
}

/// librdkafka's brokers hang for three seconds in the middle. Each partition has its sessions' events in order, each once.
#[test]
fn receivers_kafka() {
    test("receivers_kafka", &[Need::Agent, Need::Receiver(Receiver::Librdkafka)], || {
        let mut stage = Stage::new("kafka")?;
        let python = |stage: &Stage, name: &str, script: &str| {
            let script = stage.scratch.write(name, script)?;
            let mut command = Receiver::Librdkafka.command(&stage.net.server)?;
            command.arg(script);
            anyhow::Ok(command)
        };
        let mut brokers = python(&stage, "broker.py", KAFKA_BROKER)?;
        let brokers = Running::start(brokers.args(["3", "ftp", "4"]))?;
        let hosts = poll::until("the brokers", SOON, || Ok(brokers.stdout.all().into_iter().next()))
            .with_context(|| brokers.stderr.text())?;
        let client = |stage: &Stage, what: &str| {
            run_ok(python(stage, "client.py", KAFKA_CLIENT)?.args([what, &*hosts, "ftp"]))
        };
        stage.start(&format!("kafka://{hosts}/ftp,compress=on"))?;
        stage.talk(events_wanted() / 3)?;
        brokers.signal(Signal::SIGSTOP)?;
        stage.talk(events_wanted() / 2)?;
        sleep(Duration::from_secs(3));
        brokers.signal(Signal::SIGCONT)?;
        stage.talk(events_wanted())?;
        let lines = stage.finish(|stage| Ok(client(stage, "count")?.trim().parse()?))?;
        let records = client(&stage, "read")?;
        let (mut kept, mut homes, mut last) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for record in records.lines() {
            let fields: Vec<&str> = record.splitn(4, '\t').collect();
            let [partition, key, at, line] = fields[..] else { anyhow::bail!("no record: {record}") };
            let event: Value = serde_json::from_str(line)?;
            ensure!(key == event["session"].as_str().unwrap_or(""), "{key} is the key of {line}");
            ensure!(
                key.is_empty() || *homes.entry(key).or_insert(partition) == partition,
                "{key} has two homes"
            );
            let time: u64 = at.parse()?;
            ensure!(line.contains(&milliseconds(time)), "{time} is the time of {line}");
            let seq = event["seq"].as_u64().context("seq")?;
            let before = last.insert(partition, seq);
            ensure!(before.is_none_or(|before| before < seq), "{seq} comes behind {before:?} in {partition}");
            kept.insert(seq, line);
        }
        let homes: BTreeSet<&str> = homes.into_values().collect();
        ensure!(homes.len() > 1, "all sessions are in {homes:?}");
        same(&kept.into_values().collect::<Vec<_>>(), &lines)
    });
}

/// The second and millisecond of a time since 1970, as events have them.
fn milliseconds(time: u64) -> String {
    format!(":{:02}.{:03}", time / 1_000 % 60, time % 1_000)
}
