//! The agent's message and exit code when it cannot start: one line that names the thing and the way out, exit 1 (usage: 2),
//! nothing left attached.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ftpmon_tests::agent::binary;
use ftpmon_tests::bed::{Need, Scratch, test};
use ftpmon_tests::net::{Direct, Hook, Namespace, Program};
use ftpmon_tests::process::{Finished, run};

/// Runs `ftpmon` with these arguments to its end.
fn ftpmon(namespace: &Namespace, arguments: &[&str]) -> Result<Finished> {
    run(namespace.command(&binary()?.to_string_lossy()).args(arguments))
}

/// It failed with `code` and one line of diagnostics in which all of `words` stand.
fn failed(finished: &Finished, code: i32, words: &[&str]) -> Result<()> {
    ensure!(finished.status.code() == Some(code), "ended with {}: {}", finished.status, finished.stderr);
    ensure!(finished.stdout.is_empty(), "said on standard output: {}", finished.stdout);
    for word in words {
        ensure!(finished.stderr.contains(word), "{word} is not in: {}", finished.stderr);
    }
    ensure!(code == 2 || finished.stderr.lines().count() == 1, "more than one line: {}", finished.stderr);
    Ok(())
}

/// Nothing sits on the device: a program of the test's own fits in the slot.
fn free(namespace: &Namespace, device: &str) -> Result<()> {
    let shown = namespace.ip(&format!("-d link show {device}"))?;
    ensure!(!shown.contains("xdp"), "something is left: {shown}");
    Program::empty_xdp()?.attach(namespace, device, Hook::XdpNative).map(drop)
}

#[test]
fn unknown_interface() {
    test("unknown_interface", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let finished = ftpmon(&net.server, &["run", "--iface", "nope0"])?;
        failed(&finished, 1, &["nope0", "there are:", Direct::DEVICE])
    });
}

#[test]
fn one_unknown_interface_among_known_ones() {
    test("one_unknown_interface_among_known_ones", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let finished = ftpmon(&net.server, &["run", "--iface", Direct::DEVICE, "--iface", "nope0"])?;
        failed(&finished, 1, &["nope0"])?;
        free(&net.server, Direct::DEVICE)
    });
}

#[test]
fn no_default_route() {
    test("no_default_route", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        failed(&ftpmon(&net.server, &["run"])?, 1, &["default route", "--iface", Direct::DEVICE])
    });
}

#[test]
fn no_rights() {
    test("no_rights", &[Need::Agent], || {
        let scratch = Scratch::new("norights")?;
        // The binary may lie where only root can reach it.
        let copy = scratch.path().join("ftpmon");
        std::fs::copy(binary()?, &copy)?;
        let finished = run(Command::new(&copy).args(["run", "--iface", "lo"]).uid(65_534).gid(65_534))?;
        ensure!(finished.status.code() == Some(1), "{}", finished.status);
        let lines: Vec<&str> = finished.stderr.lines().collect();
        let rights = ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"];
        ensure!(lines.len() == rights.len(), "one line for each missing right: {lines:?}");
        for (line, right) in lines.iter().zip(rights) {
            ensure!(line.starts_with("ftpmon: ") && line.contains(right) && line.contains("root"), "{line}");
        }
        Ok(())
    });
}

#[test]
fn occupied_xdp_slot() {
    test("occupied_xdp_slot", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let device = Direct::DEVICE;
        let other = Program::empty_xdp()?.attach(&net.server, device, Hook::XdpNative)?;
        for hook in ["native", "generic"] {
            let finished = ftpmon(&net.server, &["run", "--iface", device, "--hook", hook])?;
            failed(&finished, 1, &[device, hook, "taken by program", "--hook auto or tcx"])?;
        }
        // What was there before is there still, and TC is left as a way out.
        ensure!(
            net.server.ip(&format!("-d link show {device}"))?.contains("xdp"),
            "the other program is gone"
        );
        let agent = ftpmon_tests::agent::Agent::start(&net.server, &["--iface", device])?;
        let start = agent.stop()?.0.into_iter().next().context("sensor_start")?;
        ensure!(start.text("/interfaces/0/ingress") == "tcx", "{start:?}");
        ensure!(start.text("/interfaces/0/reason").contains("taken"), "{start:?}");
        drop(other);
        free(&net.server, device)
    });
}

#[test]
fn a_hook_that_the_device_does_not_have() {
    test("a_hook_that_the_device_does_not_have", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        // lo has no native XDP; the other interface was attached to before and is let go.
        let arguments = ["run", "--iface", Direct::DEVICE, "--iface", "lo", "--hook", "native"];
        failed(&ftpmon(&net.server, &arguments)?, 1, &["lo", "native", "--hook auto"])?;
        free(&net.server, Direct::DEVICE)
    });
}

#[test]
fn unwritable_outputs() {
    test("unwritable_outputs", &[Need::Agent], || {
        let net = Direct::new(1500)?;
        let device = Direct::DEVICE;
        for output in ["/nonexistent/events.json", "/"] {
            let finished = ftpmon(&net.server, &["run", "--iface", device, "--output", output])?;
            failed(&finished, 1, &[output, "cannot write to"])?;
            ensure!(finished.stderr.contains("; "), "no way out: {}", finished.stderr);
            free(&net.server, device)?;
        }
        Ok(())
    });
}

#[test]
fn bad_options() {
    test("bad_options", &[Need::Agent], || {
        let nowhere = Namespace::new("nowhere")?;
        for arguments in [
            &["run", "--frobnicate"][..],
            &["run", "--hook", "offload"],
            &["run", "--ports", "0"],
            &["run", "--output", "gopher://10.0.0.1:5"],
            &["run", "--iface", "a/b"],
            &["run", "--events", "everything"],
            &["walk"],
            &[],
        ] {
            let finished = ftpmon(&nowhere, arguments)?;
            failed(&finished, 2, &["--help"]).with_context(|| format!("{arguments:?}"))?;
        }
        Ok(())
    });
}
