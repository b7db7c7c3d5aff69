//! `ftpmon doctor` on set-ups that are broken, each in its own way: each is named, with a way out and the exit code.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::{Agent, binary};
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::net::{Direct, Namespace, Veth};
use ftpmon_tests::poll;
use ftpmon_tests::process::{Running, run};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);
/// A port where somebody listens, and the one of the server with an expired certificate.
const TAKEN: u16 = 5_999;
const EXPIRED: u16 = 6_514;
/// Mounts a small file system of memory for the rest of the command alone.
const ON_A_DISK: &str = r#"mount -t tmpfs -o "size=1m,$2" none "$1"; shift 2; exec "$@""#;

/// A healthy host but for what a test breaks.
struct Host {
    net: Direct,
    scratch: Scratch,
}

impl Host {
    /// `ftpmon doctor` with options; `command` has come as far as the program.
    fn judge(mut command: Command, options: &[&str]) -> Result<(Option<i32>, Value)> {
        let finished = run(command.args(["doctor", "--json"]).args(options))?;
        let report = serde_json::from_str(&finished.stdout)
            .with_context(|| format!("{options:?}: {}{}", finished.stdout, finished.stderr))?;
        Ok((finished.status.code(), report))
    }

    fn doctor(&self) -> Result<Command> {
        Ok(self.net.server.command(&binary()?.to_string_lossy()))
    }

    fn path(&self, name: &str) -> String {
        self.scratch.path().join(name).to_string_lossy().into_owned()
    }

    /// Begins a command whose mounts have a disk of 1 MiB at `disk`.
    fn on_a_disk(&self, mount: &str) -> Result<Command> {
        let mut command = self.net.server.command("unshare");
        command.args(["--mount", "sh", "-ec", ON_A_DISK, "disk", &self.path("disk"), mount]);
        command.arg(binary()?);
        Ok(command)
    }

    /// An authority, and the certificate and key that it signed long ago for 127.0.0.1.
    fn expired_certificate(&self) -> Result<[PathBuf; 3]> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let ca = authority.self_signed(&key)?.pem();
        let issuer = Issuer::new(authority, key);
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &issuer)?.pem();
        Ok([
            self.scratch.write("ca.pem", ca)?,
            self.scratch.write("cert.pem", cert)?,
            self.scratch.write("key.pem", key.serialize_pem())?,
        ])
    }

    /// A server that shows it.
    fn expired_server(&self, [_, cert, key]: &[PathBuf; 3]) -> Result<Running> {
        let mut command = self.net.server.command("openssl");
        command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{EXPIRED}")]);
        let server = Running::start(command.arg("-cert").arg(cert).arg("-key").arg(key))?;
        let connect = || Ok(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, EXPIRED)).map(drop)?);
        poll::until_ok(SOON, || self.net.server.run(connect)).with_context(|| server.stderr.text())?;
        Ok(server)
    }
}

/// The report has a finding with this verdict and words, and a remedy, and the exit code is that of its faults.
fn names(judged: Result<(Option<i32>, Value)>, verdict: &str, words: &str) -> Result<()> {
    let (code, report) = judged?;
    let findings = report.get("findings").and_then(Value::as_array).context("no findings")?;
    let named = findings.iter().any(|finding| {
        finding.get("verdict").is_some_and(|is| is == verdict)
            && finding.to_string().contains(words)
            && finding.get("way_out").is_some()
    });
    ensure!(named, "no {verdict} says {words}: {report:#}");
    let faults = report.get("faults").and_then(Value::as_u64).context("no count")?;
    ensure!(code == Some(i32::from(faults > 0)), "exit code {code:?} with {faults} faults");
    ensure!(verdict != "fault" || faults > 0, "{report:#}");
    Ok(())
}

#[test]
fn doctor_names_what_is_wrong() {
    let needs = [Need::Agent, Need::Tool("openssl"), Need::Tool("unshare"), Need::Tool("setpriv")];
    test("doctor_names_what_is_wrong", &needs, || {
        let host = Host { net: Direct::new(1500)?, scratch: Scratch::new("doctor")? };
        std::fs::create_dir(host.scratch.path().join("disk"))?;
        let watched = ["--iface", Direct::DEVICE];
        let elsewhere = Namespace::new("elsewhere")?;
        let namespace = host.net.server.path();
        let from_elsewhere = || {
            let options = ["--netns", &*namespace, "--iface", Direct::DEVICE];
            Host::judge(elsewhere.command(&binary()?.to_string_lossy()), &options)
        };
        let (code, healthy) = from_elsewhere()?;
        ensure!(code == Some(0) && healthy.get("faults") == Some(&0.into()), "{healthy:#}");
        ensure!(healthy.to_string().contains("veth device"), "{healthy:#}");

        let _listener = host.net.server.run(|| Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, TAKEN))?))?;
        let certificate = host.expired_certificate()?;
        let _server = host.expired_server(&certificate)?;
        let ca = host.path("ca.pem");
        let file = host.scratch.write("file", "")?.to_string_lossy().into_owned();
        let tls = format!("tls://127.0.0.1:{EXPIRED},ca={ca}");
        let syslog = format!("syslog+{tls}");
        let https = format!("https://127.0.0.1:{EXPIRED}/,ca={ca}");
        let below_a_file = format!("{file}/spool");
        let taken = format!("127.0.0.1:{TAKEN}");
        for (option, value, verdict, words) in [
            ("--iface", "nope0", "fault", "nope0"),
            ("--output", "/nonexistent/x", "fault", "/nonexistent"),
            ("--output", "tcp://127.0.0.1:9", "fault", "Connection refused"),
            ("--output", "unix:/nonexistent", "fault", "does not accept a connection"),
            ("--output", "udp://no-such-host.invalid:514", "fault", "its name has no address"),
            ("--output", "tcp://no-such-host.invalid:514", "fault", "no-such-host.invalid"),
            ("--output", "nats://127.0.0.1:9/ftp", "fault", "does not accept a connection"),
            ("--output", "kafka://127.0.0.1:9/ftp", "fault", "does not accept a connection"),
            ("--output", "elastic+http://127.0.0.1:9/ftp", "fault", "does not accept a connection"),
            ("--output", &tls, "fault", "expired"),
            ("--output", &syslog, "fault", "expired"),
            ("--output", &https, "fault", "expired"),
            ("--spool", &below_a_file, "fault", "no directory"),
            ("--pin", "/tmp/x", "fault", "BPF file system"),
            ("--user", "no-such-user", "fault", "no-such-user"),
            ("--status", &taken, "fault", "in use"),
        ] {
            let mut options = vec![option, value];
            if option != "--iface" {
                options.extend(watched);
            }
            names(Host::judge(host.doctor()?, &options), verdict, words)
                .with_context(|| format!("{option} {value}"))?;
        }

        // The place itself.
        let mut without_rights = host.net.server.command("setpriv");
        without_rights.args(["--reuid", "65534", "--clear-groups", "--bounding-set", "-all"]).arg(binary()?);
        names(Host::judge(without_rights, &watched), "fault", "CAP_").context("no rights")?;
        let spool = format!("{}/spool", host.path("disk"));
        let spooled = [&watched[..], &["--spool", &spool]].concat();
        names(Host::judge(host.on_a_disk("rw")?, &spooled), "warning", "it may take")
            .context("a small disk")?;
        names(Host::judge(host.on_a_disk("ro")?, &spooled), "fault", "Read-only")
            .context("a read-only disk")?;
        let near = Veth { namespace: &host.net.server, name: "down0", addresses: &[] };
        near.pair_with(&Veth { namespace: &host.net.client, name: "down1", addresses: &[] }, 9000)?;
        host.net.server.ip("link set dev down0 down")?;
        names(Host::judge(host.doctor()?, &["--iface", "down0"]), "warning", "it is down")?;
        let _agent = Agent::start(&host.net.server, &watched)?;
        names(from_elsewhere(), "fault", "watches it already").context("another agent")
    });
}
