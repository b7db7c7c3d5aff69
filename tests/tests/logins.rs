//! Brokers that ask who sends: tokens and credentials of NATS, SASL over TLS of Kafka. What is refused is told, nothing is lost meanwhile, and the
//! files with secrets are read again.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ftpmon_tests::bed::{Need, test};
use ftpmon_tests::net::Namespace;
use ftpmon_tests::poll;
use ftpmon_tests::process::{Running, run_ok};
use ftpmon_tests::receiver::{KAFKA_BROKER, KAFKA_CLIENT, Receiver, Stage, nats_client, nats_server};
use nix::sys::signal::Signal;
use nkeys::KeyPair;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
const KAFKA_GATE: &str = include_str!("../src/receiver/kafka_gate.py");
/// Events of each test.
const EVENTS: u64 = 2_000;
const NATS: [Need; 3] = [Need::Agent, Need::Receiver(Receiver::NatsServer), Need::Receiver(Receiver::NatsPy)];

/// The agent's login is wrong first, and right when it is told so: then all events of the run are in the stream, in order. `client` are the
/// words by which another client reads them.
fn mended(
    stage: &mut Stage,
    output: &str,
    mend: impl FnOnce(&Stage) -> Result<()>,
    client: [&str; 2],
) -> Result<()> {
    let [url, login] = client;
    stage.start(output)?;
    stage.said_soon("does not accept the login")?;
    mend(stage)?;
    nats_client(stage, &["make", url, "FTP", "ftp.>", login])?;
    stage.talk(EVENTS)?;
    let count = |stage: &Stage| Ok(nats_client(stage, &["count", url, "FTP", "-", login])?.trim().parse()?);
    let lines = stage.finish_any(count)?;
    let stored = nats_client(stage, &["read", url, "FTP", "-", login])?;
    let stored: Vec<&str> =
        stored.lines().map(|line| line.split_once('\t').map_or("", |(_, line)| line)).collect();
    ensure!(stored == lines, "{} of {} lines are stored", stored.len(), lines.len());
    Ok(())
}

#[test]
fn receivers_nats_token() {
    test("receivers_nats_token", &NATS, || {
        let mut stage = Stage::new("nats-token")?;
        let config = stage.scratch.write("server.conf", "authorization { token: right }\n")?;
        let token = stage.scratch.write("token", "wrong\n")?.to_string_lossy().into_owned();
        let _server = nats_server(&stage, &["-c", &config.to_string_lossy()])?;
        let output = format!("nats://127.0.0.1:4222/ftp.events,token={token}");
        let mend = |stage: &Stage| stage.scratch.write("token", "right\n").map(drop);
        mended(&mut stage, &output, mend, ["nats://right@127.0.0.1:4222", ""])
    });
}

/// A signed claim: a JWT of NATS.
fn claim(issuer: &KeyPair, subject: &KeyPair, nats: &Value) -> Result<String> {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "jti": "x", "iat": 1_700_000_000, "iss": issuer.public_key(), "name": "x", "sub": subject.public_key(), "nats": nats,
    });
    let head = part(&json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let signed = format!("{head}.{}", part(&claims));
    let signature = issuer.sign(signed.as_bytes())?;
    Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

/// A file of credentials for a new user of an account.
fn credentials(account: &KeyPair) -> Result<String> {
    let user = KeyPair::new_user();
    let rights = json!({
        "type": "user", "version": 2, "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1,
    });
    let (jwt, seed) = (claim(account, &user, &rights)?, user.seed()?);
    Ok(format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         ************************* IMPORTANT *************************\nThe seed is secret.\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    ))
}

/// A server that trusts an operator, whose account's users it lets in. The agent's first credentials are of another account.
#[test]
fn receivers_nats_credentials() {
    test("receivers_nats_credentials", &NATS, || {
        let mut stage = Stage::new("nats-creds")?;
        let (operator, system, account) =
            (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
        let any = json!({
            "type": "account", "version": 2,
            "limits": {
                "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1,
                "leaf": -1, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
            },
            "default_permissions": { "pub": {}, "sub": {} },
        });
        let system_claims = json!({
            "type": "account", "version": 2, "default_permissions": { "pub": {}, "sub": {} },
            "limits": { "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1 },
        });
        let operators = json!({ "type": "operator", "version": 2, "system_account": system.public_key() });
        let config = format!(
            "operator: {}\nsystem_account: {sys}\nresolver: MEMORY\nresolver_preload: {{\n{sys}: {}\n{}: {}\n}}\n",
            claim(&operator, &operator, &operators)?,
            claim(&operator, &system, &system_claims)?,
            account.public_key(),
            claim(&operator, &account, &any)?,
            sys = system.public_key(),
        );
        let config = stage.scratch.write("server.conf", config)?;
        let path = stage.scratch.write("creds", credentials(&KeyPair::new_account())?)?;
        let path = path.to_string_lossy().into_owned();
        let _server = nats_server(&stage, &["-c", &config.to_string_lossy()])?;
        let right = credentials(&account)?;
        let output = format!("nats://127.0.0.1:4222/ftp.events,creds={path}");
        let mend = |stage: &Stage| stage.scratch.write("creds", &right).map(drop);
        mended(&mut stage, &output, mend, ["nats://127.0.0.1:4222", &path])
    });
}

/// Over TLS with a password, wrong first; then a broker is gone for a while. Every line is there, in the order of its partition; what was under way when the
/// broker went may be there twice.
#[test]
fn receivers_kafka_login() {
    let needs = [Need::Agent, Need::Tool("openssl"), Need::Receiver(Receiver::Librdkafka)];
    test("receivers_kafka_login", &needs, || {
        let mut stage = Stage::new("kafka-login")?;
        let behind = Namespace::new("brokers")?;
        let python = |stage: &Stage, name: &str, script: &str| {
            let script = stage.scratch.write(name, script)?;
            let mut command = Receiver::Librdkafka.command(&behind)?;
            command.arg(script);
            anyhow::Ok(command)
        };
        let brokers = Running::start(python(&stage, "broker.py", KAFKA_BROKER)?.args(["3", "ftp", "4"]))?;
        let hosts = poll::until("the brokers", SOON, || Ok(brokers.stdout.all().into_iter().next()))
            .with_context(|| brokers.stderr.text())?;
        let [ca, cert, key] = stage.certificate()?;
        let mut gate: Command = stage.net.server.command("python3");
        gate.arg(stage.scratch.write("gate.py", KAFKA_GATE)?);
        gate.args([&behind.path(), &cert, &key, "ftpmon:right"]);
        gate.args(hosts.split(',').filter_map(|host| host.rsplit(':').next()));
        let gate = Running::start(&mut gate)?;
        poll::until("the gate", SOON, || Ok((gate.stdout.count() > 0).then_some(())))
            .with_context(|| gate.stderr.text())?;
        let password = stage.scratch.write("password", "wrong\n")?.to_string_lossy().into_owned();
        stage.start(&format!(
            "kafka+tls://{hosts}/ftp,user=ftpmon,password={password},sasl=plain,compress=on,ca={ca}"
        ))?;
        stage.said_soon("SaslAuthenticationFailed")?;
        stage.scratch.write("password", "right\n")?;
        stage.said_soon("works again")?;
        stage.talk(EVENTS)?;
        gate.signal(Signal::SIGUSR1)?;
        stage.said_soon("Connection reset")?;
        stage.talk(2 * EVENTS)?;
        gate.signal(Signal::SIGUSR2)?;
        let client = |stage: &Stage, what: &str| {
            run_ok(python(stage, "client.py", KAFKA_CLIENT)?.args([what, &*hosts, "ftp"]))
        };
        // Lines that are there twice count once.
        let read = |stage: &Stage| -> Result<(BTreeMap<u64, String>, usize)> {
            let (mut kept, mut twice) = (BTreeMap::new(), 0);
            let mut newest: BTreeMap<String, u64> = BTreeMap::new();
            for record in client(stage, "read")?.lines() {
                let fields: Vec<&str> = record.splitn(4, '\t').collect();
                let event: Value = serde_json::from_str(fields[3])?;
                let seq = event["seq"].as_u64().context("seq")?;
                if let Some(before) = kept.insert(seq, fields[3].to_owned()) {
                    ensure!(before == fields[3], "{seq} has two texts");
                    twice += 1;
                    continue;
                }
                let newest = newest.entry(fields[0].to_owned()).or_default();
                ensure!(*newest <= seq, "{seq} comes behind {newest} in partition {}", fields[0]);
                *newest = seq;
            }
            Ok((kept, twice))
        };
        let lines = stage.finish_any(|stage| {
            let records: usize = client(stage, "count")?.trim().parse()?;
            let lines = std::fs::read_to_string(stage.reference())?.lines().count();
            // Reading all of them takes seconds.
            if records < lines { Ok(records) } else { Ok(read(stage)?.0.len()) }
        })?;
        let (kept, twice) = read(&stage)?;
        println!("{} records, {twice} more that are there twice", kept.len());
        ensure!(kept.into_values().eq(lines), "not every line is there");
        Ok(())
    });
}
