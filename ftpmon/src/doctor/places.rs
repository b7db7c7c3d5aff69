//! The places that events, files and state go to: whether they can be written to, and whether there is room.

use std::io;
use std::net::{TcpListener, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, accessat, statvfs};

use super::report::Finding;
use crate::config::Config;
use crate::kernel::{is_bpf_file_system, kernel_has_pins};
use crate::sink::{OutputSpec, SinkSpec, reach, stdout_is_closed};
use crate::status::StatusAddress;

/// A file system with less room than this is nearly full, bytes.
const ROOM_MIN: u64 = 64 << 20;

/// Examines the outputs and all other places of a run.
pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        config.routes().iter().flat_map(|route| &route.outputs).map(output_finding).collect();
    let live = &config.live;
    if let Some(spool) = &live.spool {
        findings.push(directory(
            &format!("spool {}", spool.directory.display()),
            &spool.directory,
            spool.max_bytes,
        ));
    }
    if let Some(directory_of_files) = &config.files.directory {
        let subject = format!("files {}", directory_of_files.display());
        findings.push(directory(&subject, directory_of_files, config.files.quota_bytes));
    }
    if let Some(pcap) = &live.write_pcap {
        findings.push(file(&format!("capture {}", pcap.path.display()), &pcap.path));
    }
    if let Some(pin) = &live.pin {
        findings.push(pins(&pin.folder));
        let subject = format!("state {}", pin.state.display());
        let folder = pin.state.parent().unwrap_or(Path::new("."));
        findings.push(directory(&subject, folder, 0));
    }
    match config.live_engine() {
        Ok(_) => {}
        Err(error) => findings.push(Finding::from_error("secrets", &error.to_string())),
    }
    findings.extend(status(&live.status));
    findings
}

fn output_finding(output: &OutputSpec) -> Finding {
    let sink = &output.sink;
    let subject = format!("output {sink}");
    let carrier = if let SinkSpec::Syslog(socket) = sink { &**socket } else { sink };
    match carrier {
        SinkSpec::Stdout if stdout_is_closed() => {
            Finding::fault(&*subject, "standard output is closed", "give it a reader, or another --output")
        }
        SinkSpec::Stdout => Finding::ok(&*subject, "standard output is open"),
        SinkSpec::File(path) => file(&subject, path),
        // Nobody answers a datagram.
        SinkSpec::Udp { host, port } => match (host.as_str(), *port).to_socket_addrs() {
            Ok(_) => Finding::ok(&*subject, "its name has an address; UDP tells nothing more"),
            Err(error) => Finding::fault(
                &*subject,
                format!("its name has no address: {error}"),
                "name a host that is known",
            ),
        },
        _ => match reach(output) {
            Ok(()) => Finding::ok(&*subject, "it accepts connections"),
            Err(error) => Finding::fault(
                &*subject,
                format!("it does not accept a connection: {error}"),
                "ftpmon tries again while it runs, and keeps what fits into the queue or the spool",
            ),
        },
    }
}

/// A file that is written to, and made where it is not there.
fn file(subject: &str, path: &Path) -> Finding {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        return Finding::fault(subject, "it is a directory", "name a file in it");
    }
    let target = if path.exists() { path } else { folder };
    match accessat(CWD, target, Access::WRITE_OK, AtFlags::EACCESS) {
        Err(error) => {
            let found = format!("{} cannot be written to: {}", target.display(), io::Error::from(error));
            Finding::fault(subject, found, "the directory has to exist and be writable")
        }
        Ok(()) => room(subject, folder, ROOM_MIN),
    }
}

/// A directory that is made where it is not there, and may take `bytes`.
fn directory(subject: &str, path: &Path, bytes: u64) -> Finding {
    let Some(present) =
        path.ancestors().find(|ancestor| ancestor.exists() || ancestor.as_os_str().is_empty())
    else {
        return Finding::fault(subject, "no directory above it exists", "make it");
    };
    let present = if present.as_os_str().is_empty() { Path::new(".") } else { present };
    if !present.is_dir() {
        return Finding::fault(subject, format!("{} is no directory", present.display()), "name a directory");
    }
    match accessat(CWD, present, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        Err(error) => {
            let found = format!("{} cannot be written to: {}", present.display(), io::Error::from(error));
            Finding::fault(subject, found, "make it writable for ftpmon")
        }
        Ok(()) => room(subject, present, bytes.max(ROOM_MIN)),
    }
}

/// The room of the file system of a folder that can be written to.
fn room(subject: &str, folder: &Path, wanted: u64) -> Finding {
    let Ok(facts) = statvfs(folder) else { return Finding::ok(subject, "it can be written to") };
    let free = facts.f_bavail.saturating_mul(facts.f_frsize);
    if free >= wanted {
        return Finding::ok(subject, format!("it can be written to, {} free", mebibytes(free)));
    }
    let found = format!("{} free, and it may take {}", mebibytes(free), mebibytes(wanted));
    Finding::warning(subject, found, "free some room, or lower its cap")
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn pins(folder: &Path) -> Finding {
    let subject = format!("pins {}", folder.display());
    if !kernel_has_pins() {
        return Finding::fault(
            subject,
            "this kernel has no TCX, which pinned programs need (6.6 has)",
            "leave out --pin",
        );
    }
    let present = folder.ancestors().find(|ancestor| ancestor.exists());
    match present {
        Some(present) if is_bpf_file_system(present) => Finding::ok(subject, "it is in a BPF file system"),
        _ => Finding::fault(
            subject,
            "it is not in a BPF file system",
            "give a folder below /sys/fs/bpf (mount -t bpf bpf /sys/fs/bpf)",
        ),
    }
}

/// The address of the state; one that ftpmon chooses itself may be missing.
fn status(address: &StatusAddress) -> Option<Finding> {
    let subject = format!("status {address}");
    match address {
        StatusAddress::Tcp(tcp) => Some(match TcpListener::bind(tcp) {
            Ok(_) => Finding::ok(subject, "it is free"),
            Err(error) => Finding::fault(subject, error.to_string(), "give another address, or --status off"),
        }),
        StatusAddress::Unix(path) if UnixStream::connect(path).is_ok() => {
            Some(Finding::fault(subject, "somebody listens there", "give another address, or --status off"))
        }
        StatusAddress::Unix(path) => Some(file(&subject, path)),
        StatusAddress::Auto | StatusAddress::Off => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Verdict;
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn places_are_looked_at_without_being_made() {
        let folder = std::env::temp_dir().join(format!("ftpmon-doctor-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let verdict = |finding: &Finding| finding.parts().0;
        assert_ne!(verdict(&file("x", &folder.join("new.json"))), Verdict::Fault);
        assert_eq!(verdict(&file("x", &folder)), Verdict::Fault, "a directory");
        assert_eq!(verdict(&file("x", &folder.join("missing/new.json"))), Verdict::Fault);
        assert_ne!(verdict(&directory("x", &folder.join("spool/of/mine"), 1)), Verdict::Fault);
        assert_eq!(verdict(&directory("x", &folder, u64::MAX)), Verdict::Warning, "no disk is so large");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "something was made");
        std::fs::write(folder.join("file"), "").unwrap();
        assert_eq!(verdict(&directory("x", &folder.join("file/spool"), 1)), Verdict::Fault, "below a file");
        let nobody = OutputSpec::new(SinkSpec::Unix(folder.join("nobody.sock")));
        assert_eq!(verdict(&output_finding(&nobody)), Verdict::Fault);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
