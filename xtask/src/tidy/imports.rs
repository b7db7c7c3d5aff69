//! Who may know whom (DESIGN: the core does no I/O, and only one module knows the kernel library).

use super::source::{code, numbered};
use super::{Finding, Tree};

/// The core's modules.
const CORE: [&str; 7] = ["detect", "engine", "frame", "ftp", "session", "tcp", "tls"];

/// What the core may not name, and why.
const FORBIDDEN: [(&str, &str); 17] = [
    ("tokio", "an executor"),
    ("aya", "the kernel"),
    ("std::fs", "files"),
    ("std::io", "I/O"),
    ("std::os", "the operating system"),
    ("std::env", "the environment"),
    ("std::process", "processes"),
    ("std::thread", "threads"),
    ("TcpStream", "sockets"),
    ("TcpListener", "sockets"),
    ("UdpSocket", "sockets"),
    ("UnixStream", "sockets"),
    ("ToSocketAddrs", "name look-ups"),
    ("Instant", "a clock"),
    ("SystemTime", "a clock"),
    ("Zoned::now", "a clock"),
    ("Timestamp::now", "a clock"),
];

/// The only place that may know aya.
const KERNEL: &str = "ftpmon/src/kernel";

/// The core does no I/O, reads no clock, and knows neither tokio nor aya. Tests within it may.
pub(super) fn core(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.sources().filter(|(path, _)| is_core(path)) {
        for (number, line) in numbered(before_tests(text)) {
            for (name, what) in FORBIDDEN.iter().filter(|(name, _)| names(code(line), name)) {
                findings
                    .push(Finding::new(format!("{path}:{number}"), format!("the core names {name}: {what}")));
            }
        }
    }
    findings
}

/// No module of the agent but `kernel` knows aya.
pub(super) fn aya(tree: &Tree) -> Vec<Finding> {
    let agent =
        tree.sources().filter(|(path, _)| path.starts_with("ftpmon/src/") && !path.starts_with(KERNEL));
    let mut findings = Vec::new();
    for (path, text) in agent {
        for (number, line) in numbered(before_tests(text)) {
            if names(code(line), "aya") || names(code(line), "aya_log") {
                findings
                    .push(Finding::new(format!("{path}:{number}"), "names aya outside the kernel module"));
            }
        }
    }
    findings
}

fn is_core(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("ftpmon/src/") else {
        return false;
    };
    let module = rest.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    CORE.contains(&module) && !rest.split('/').any(|part| matches!(part, "tests" | "tests.rs"))
}

/// A file's text up to its test module, which stands last.
fn before_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod ").and_then(|at| text.get(..at)).unwrap_or(text)
}

/// Whether a line names this path or type, as a word of its own.
fn names(code: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code.get(at + name.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_and_clocks_in_the_core_are_found() {
        for bad in [
            "use tokio::time::sleep;",
            "use std::fs::File;",
            "let now = std::time::Instant::now();",
            "fn f(t: SystemTime) {}",
            "use aya::Ebpf;",
            "use std::net::{IpAddr, TcpStream};",
        ] {
            for path in ["ftpmon/src/tcp/mod.rs", "ftpmon/src/engine.rs", "ftpmon/src/detect/a/b.rs"] {
                assert_eq!(core(&Tree::of(&[(path, bad)])).len(), 1, "{path}: {bad}");
            }
        }
    }

    #[test]
    fn the_rest_may() {
        let text = "use std::fs::File;\n";
        assert_eq!(core(&Tree::of(&[("ftpmon/src/sink/file.rs", text)])), []);
        assert_eq!(core(&Tree::of(&[("ftpmon/src/tcp/tests/walk.rs", text)])), []);
        let good = "use std::net::IpAddr; // not std::fs\nstruct FirstInstantiation;\n#[cfg(test)]\nmod tests {\nuse std::fs;\n}";
        assert_eq!(core(&Tree::of(&[("ftpmon/src/tcp/mod.rs", good)])), []);
    }

    #[test]
    fn aya_belongs_to_the_kernel_module() {
        let text = "use aya::maps::RingBuf;\n";
        assert_eq!(aya(&Tree::of(&[("ftpmon/src/kernel/ring.rs", text)])), []);
        assert_eq!(aya(&Tree::of(&[("ftpmon/src/run.rs", text)])).len(), 1);
        assert_eq!(aya(&Tree::of(&[("ftpmon/src/run.rs", "let playa = 1;")])), []);
    }
}
