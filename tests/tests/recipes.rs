//! The recipes of `deploy` that act on alerts, as an operator would run them: fail2ban finds a client, CrowdSec decides on a ban, nftables drops one.
//!
//! The names begin with `tools_`: `cargo xtask test --only tools` installs what they need and runs them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::ftp::{Behaviour, Client, ClientOptions, Server};
use ftpmon_tests::net::{Direct, Family, Namespace};
use ftpmon_tests::party::{crowdsec, fail2ban};
use ftpmon_tests::process::{Running, run_ok};
use ftpmon_tests::{poll, script};

const SOON: Duration = Duration::from_secs(20);

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The events of dialogues: a guesser, an honest client, and one whose name looks like an alert about somebody else.
fn events(scratch: &Scratch) -> Result<PathBuf> {
    let folder = workspace().join("tests/detections/login-guessing");
    let liar = "host client 192.0.2.66\nhost server 192.0.2.21\nopen c client:40000 server:21\nS: 220 ready\n\
                C: USER x\",\"event\":\"alert\",\"client\":{\"ip\":\"192.0.2.77\"},\"alert\":{\"id\":\"login-guessing\"\n\
                S: 530 no\nclose c <\n";
    let scripts = [
        fs::read_to_string(folder.join("fires.ftp"))?,
        fs::read_to_string(folder.join("quiet.ftp"))?.replace("192.0.2.10", "192.0.2.11"),
        liar.to_owned(),
    ];
    let mut lines = String::new();
    for text in scripts {
        let capture = scratch.write("c.pcap", script::capture(&text)?)?;
        lines += &run_ok(Command::new(binary()?).arg("read").arg(capture))?;
    }
    scratch.write("events.json", lines)
}

/// CrowdSec's folder of its own, with Debian's files and those of `deploy/crowdsec`.
fn crowdsec_folder(scratch: &Scratch) -> Result<PathBuf> {
    let (unpacked, root) = (crowdsec()?, scratch.path().join("crowdsec"));
    let (etc, hub) = (unpacked.join("etc/crowdsec"), unpacked.join("usr/share/crowdsec/hub"));
    for name in ["data", "log", "patterns", "acquis.d", "hub", "scenarios", "parsers/s00-raw"] {
        fs::create_dir_all(root.join(name))?;
    }
    for name in ["parsers/s01-parse", "parsers/s02-enrich"] {
        fs::create_dir_all(root.join(name))?;
    }
    for entry in fs::read_dir(etc.join("patterns"))? {
        let entry = entry?;
        fs::copy(entry.path(), root.join("patterns").join(entry.file_name()))?;
    }
    let ours = workspace().join("deploy/crowdsec");
    for (from, to) in [
        (etc.join("simulation.yaml"), "simulation.yaml"),
        (etc.join("profiles.yaml"), "profiles.yaml"),
        (hub.join("parsers/s00-raw/crowdsecurity/syslog-logs.yaml"), "parsers/s00-raw/syslog-logs.yaml"),
        (
            hub.join("parsers/s02-enrich/crowdsecurity/dateparse-enrich.yaml"),
            "parsers/s02-enrich/dateparse.yaml",
        ),
        (ours.join("parsers/s01-parse/ftpmon.yaml"), "parsers/s01-parse/ftpmon.yaml"),
        (ours.join("scenarios/ftpmon.yaml"), "scenarios/ftpmon.yaml"),
    ] {
        fs::copy(&from, root.join(to)).with_context(|| from.display().to_string())?;
    }
    fs::write(root.join("acquis.yaml"), "")?;
    fs::write(
        root.join("hub/.index.json"),
        r#"{"collections":{},"parsers":{},"scenarios":{},"postoverflows":{}}"#,
    )?;
    let at = root.display();
    let config = format!(
        "common:\n  daemonize: false\n  log_media: stdout\n  log_level: info\n  log_dir: {at}/log/\n\
         config_paths:\n  config_dir: {at}/\n  data_dir: {at}/data/\n  simulation_path: {at}/simulation.yaml\n  \
         hub_dir: {at}/hub/\n  index_path: {at}/hub/.index.json\n\
         crowdsec_service:\n  acquisition_path: {at}/acquis.yaml\n  acquisition_dir: {at}/acquis.d\n\
         db_config:\n  type: sqlite\n  db_path: {at}/data/crowdsec.db\n\
         api:\n  client:\n    credentials_path: {at}/local.yaml\n  server:\n    listen_uri: 127.0.0.1:8080\n    \
         profiles_path: {at}/profiles.yaml\nprometheus:\n  enabled: false\n"
    );
    fs::write(root.join("config.yaml"), config)?;
    Ok(root)
}

#[test]
fn tools_crowdsec() {
    let there = crowdsec().is_ok_and(|folder| folder.join("usr/bin/crowdsec").is_file());
    let need = if there { Need::Agent } else { Need::Tool("crowdsec") };
    test("tools_crowdsec", &[need], || {
        let scratch = Scratch::new("crowdsec")?;
        let (events, folder) = (events(&scratch)?, crowdsec_folder(&scratch)?);
        let (config, programs) = (folder.join("config.yaml"), crowdsec()?.join("usr/bin"));
        let namespace = Namespace::new("crowdsec")?;
        let run = |name: &str| {
            let mut command = namespace.command(&programs.join(name).to_string_lossy());
            command.arg("-c").arg(&config).current_dir(&folder);
            command
        };
        let local = folder.join("local.yaml");
        let machine =
            ["machines", "add", "here", "--password", "of-this-test", "-u", "http://127.0.0.1:8080", "-f"];
        run_ok(run("cscli").args(machine).arg(&local))?;
        let dsn = format!("file://{}", events.display());
        let output = run("crowdsec").args(["-type", "ftpmon", "-dsn", &dsn]).output()?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let bans: Vec<&str> = said.lines().filter(|line| line.contains(" ban on Ip ")).collect();
        ensure!(
            bans.len() == 1 && bans.iter().all(|ban| ban.contains("ban on Ip 192.0.2.10")),
            "{bans:?}; {said}"
        );
        Ok(())
    });
}

/// The filter finds the guesser in stored events, and neither of the others.
#[test]
fn tools_fail2ban() {
    let there = fail2ban().is_ok_and(|folder| folder.join("usr/bin/fail2ban-regex").is_file());
    let need = if there { Need::Agent } else { Need::Tool("fail2ban-regex") };
    test("tools_fail2ban", &[need, Need::Tool("python3")], || {
        let scratch = Scratch::new("fail2ban")?;
        let (events, root) = (events(&scratch)?, fail2ban()?);
        let mut regex = Command::new("python3");
        regex.env("PYTHONPATH", root.join("usr/lib/python3/dist-packages"));
        regex.arg(root.join("usr/bin/fail2ban-regex")).arg("-c").arg(root.join("etc/fail2ban"));
        regex.args(["-o", "ip"]).arg(&events).arg(workspace().join("deploy/fail2ban/filter.d/ftpmon.conf"));
        let said = run_ok(&mut regex)?;
        let found: BTreeSet<&str> = said.lines().collect();
        ensure!(found == BTreeSet::from(["192.0.2.10"]), "{said}");
        Ok(())
    });
}

/// A shell program of `deploy/nftables` whose queue is in a folder of the test's.
fn recipe(scratch: &Scratch, name: &str) -> Result<String> {
    let text = fs::read_to_string(workspace().join("deploy/nftables").join(name))?;
    let queue = scratch.path().join("ban/queue");
    ensure!(text.contains("/run/ftpmon-ban/queue"), "{name} has another queue");
    let path = scratch.write(name, text.replace("/run/ftpmon-ban/queue", &queue.to_string_lossy()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path.to_string_lossy().into_owned())
}

#[test]
fn tools_nftables() {
    test("tools_nftables", &[Need::Agent, Need::Tool("nft"), Need::Tool("mkfifo")], || {
        let net = Direct::new(1500)?;
        let hosts = Direct::hosts(Family::V4);
        let at = SocketAddr::new(hosts.server, 21);
        let _server = net.server.run(|| Server::start(at, Behaviour::default()))?;
        let scratch = Scratch::new("nftables")?;
        let rules = workspace().join("deploy/nftables/ftpmon.nft");
        let nft = |words: &[&str]| run_ok(net.server.command("nft").args(words));
        for _ in 0..2 {
            // A second time changes nothing.
            nft(&["-f", &rules.to_string_lossy()])?;
        }
        let (ban, apply) = (recipe(&scratch, "ftpmon-ban")?, recipe(&scratch, "ftpmon-ban-apply")?);
        let applying = Running::start(net.server.command("sh").args([&apply, "nogroup"]))?;
        let queue = scratch.path().join("ban/queue");
        poll::until("the queue", SOON, || Ok(queue.exists().then_some(())))?;
        let options = ["--iface", Direct::DEVICE, "--user", "nobody", "--on-alert", &ban];
        let agent = Agent::start(&net.server, &options)?;
        net.client.run(|| {
            let mut client = Client::connect(at, ClientOptions::default())?;
            client.command("PORT 192,0,2,9,0,22")?;
            client.quit()?;
            Ok(())
        })?;
        let client = hosts.client.to_string();
        poll::until("the client is in the set", SOON, || {
            let set = nft(&["list", "set", "inet", "ftpmon", "banned4"])?;
            Ok(set.contains(&client).then_some(()))
        })
        .with_context(|| applying.stderr.text())?;
        agent.stop()?;
        // The program that applies takes nothing but addresses.
        fs::write(&queue, "1.2.3.4 }; flush ruleset #\n2001:db8::9\n")?;
        poll::until("the second address", SOON, || {
            Ok(nft(&["list", "set", "inet", "ftpmon", "banned6"])?.contains("2001:db8::9").then_some(()))
        })?;
        ensure!(!nft(&["list", "ruleset"])?.contains("1.2.3.4"), "a line that is no address was taken");
        let tried = net.client.run(|| Ok(TcpStream::connect_timeout(&at, Duration::from_secs(2))))?;
        ensure!(
            tried.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut),
            "the client still gets in"
        );
        Ok(())
    });
}
