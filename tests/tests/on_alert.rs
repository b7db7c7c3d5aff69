//! `--on-alert` starts a program for an alert, `--on-file` for a file that was stored, as the agent's user, with what there is to say in
//! its environment.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::Agent;
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Content, DataMode, Server};
use ftpmon_tests::net::{Direct, Family};
use ftpmon_tests::poll;

const SOON: Duration = Duration::from_secs(20);

/// A program that writes its environment and its user into files of a folder that everybody may write to, one a start.
fn program(scratch: &Scratch, more: &str) -> Result<(String, std::path::PathBuf)> {
    let folder = scratch.path().join("said");
    std::fs::create_dir(&folder)?;
    for path in [scratch.path(), &folder] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))?;
    }
    let text = format!(
        "#!/bin/sh\n{{ id -u; env; }} > {0}/part.$$\nmv {0}/part.$$ {0}/whole.$$\n{more}\n",
        folder.display()
    );
    let path = scratch.write("program", text)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok((path.display().to_string(), folder))
}

/// The texts that the starts of the program wrote.
fn said(folder: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("whole")) {
            texts.push(std::fs::read_to_string(path)?);
        }
    }
    Ok(texts)
}

fn bounce(net: &Direct, user: &str) -> Result<()> {
    let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
    net.client.run(|| {
        let mut client = Client::connect(at, ClientOptions::default())?;
        client.command(&format!("USER {user}"))?;
        client.command("PORT 192,0,2,9,0,22")?;
        client.quit()?;
        Ok(())
    })
}

#[test]
fn a_program_is_started_for_an_alert() {
    test("a_program_is_started_for_an_alert", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        let _server = net.server.run(|| Server::start(at, Behaviour::default()))?;
        let scratch = Scratch::new("on-alert")?;
        let (program, folder) = program(&scratch, "")?;
        let options = ["--iface", Direct::DEVICE, "--user", "nobody", "--on-alert", &program];
        let agent = Agent::start(&net.server, &options)?;
        bounce(&net, "$(id);`id`")?;
        let texts = poll::until("the program was started", SOON, || {
            Ok(Some(said(&folder)?).filter(|it| !it.is_empty()))
        })?;
        agent.stop()?;
        let text = texts.first().context("a text")?;
        let has = |line: &str| ensure_line(text, line);
        has("FTPMON_ALERT=ftp-bounce")?;
        has("FTPMON_CLIENT=10.77.0.1")?;
        has("FTPMON_USER=$(id);`id`")?;
        let (uid, _) = text.split_once('\n').context("a line")?;
        let nobody = nix::unistd::User::from_name("nobody")?.context("there is no nobody")?;
        ensure!(uid == nobody.uid.to_string(), "it runs as {uid}");
        ensure!(
            !text.contains("NOTIFY_SOCKET") && !text.contains("HOME="),
            "the environment is the agent's: {text}"
        );
        Ok(())
    });
}

fn ensure_line(text: &str, line: &str) -> Result<()> {
    ensure!(text.lines().any(|it| it == line), "no {line} in {text}");
    Ok(())
}

/// A program that fails, and one that is not there, are told; the agent goes on.
#[test]
fn a_program_that_fails_is_told() {
    test("a_program_that_fails_is_told", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        let _server = net.server.run(|| Server::start(at, Behaviour::default()))?;
        let scratch = Scratch::new("on-alert-fails")?;
        let missing =
            Agent::start(&net.server, &["--iface", Direct::DEVICE, "--on-alert", "/nowhere/program"]);
        let error = missing.err().map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(error.contains("--on-alert: cannot run /nowhere/program"), "{error}");
        let (program, _) = program(&scratch, "exit 7")?;
        let agent = Agent::start(&net.server, &["--iface", Direct::DEVICE, "--on-alert", &program])?;
        bounce(&net, "alice")?;
        poll::until("the failure is told", SOON, || {
            Ok(agent.diagnostics().contains("failed (exit status: 7)").then_some(()))
        })?;
        bounce(&net, "alice")?;
        agent.wait_for_sessions(2, SOON)?;
        agent.stop()?;
        Ok(())
    });
}

/// The program can read the file, and knows whose it is.
#[test]
fn a_program_is_started_for_a_stored_file() {
    test("a_program_is_started_for_a_stored_file", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let at = SocketAddr::new(Direct::hosts(Family::V4).server, 21);
        let _server = net.server.run(|| Server::start(at, Behaviour::default()))?;
        let scratch = Scratch::new("on-file")?;
        let (program, folder) = program(&scratch, "")?;
        let reading = format!(
            "#!/bin/sh\n{{ env; wc -c < \"$FTPMON_FILE\"; }} > {0}/part.$$\nmv {0}/part.$$ {0}/whole.$$\n",
            folder.display()
        );
        std::fs::write(&program, reading)?;
        let files = scratch.path().join("files").display().to_string();
        let options =
            ["--files", "extract", "--files-dir", &files, "--user", "nobody", "--on-file", &program];
        let agent = Agent::start(&net.server, &[&["--iface", Direct::DEVICE], &options[..]].concat())?;
        net.client.run(|| {
            let mut client = Client::connect(at, ClientOptions::default())?;
            client.login("alice", "wonderland")?;
            client.store(DataMode::Pasv, "STOR", "/x", &Content::Pattern(5_000))?;
            client.quit()?;
            Ok(())
        })?;
        let texts = poll::until("the program was started", SOON, || {
            Ok(Some(said(&folder)?).filter(|it| !it.is_empty()))
        })?;
        let events = agent.stop()?;
        let transfers = events.transfers();
        let transfer = transfers.first().context("a transfer")?;
        let text = texts.first().context("a text")?;
        ensure_line(text, &format!("FTPMON_FILE={}", transfer.text("/file/stored")))?;
        ensure_line(text, &format!("FTPMON_SHA256={}", transfer.text("/file/sha256")))?;
        ensure_line(text, "FTPMON_VERB=STOR")?;
        let size = transfer.number("/file/size").context("a size")?;
        ensure!(text.lines().last().map(str::trim) == Some(&*size.to_string()), "{size} bytes: {text}");
        Ok(())
    });
}
