//! `cargo xtask run`: builds the agent and runs it.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::workspace::{as_root, build_agent, is_root};

/// CAP_NET_ADMIN, CAP_PERFMON and CAP_BPF, as bits of a capability set (capabilities(7)).
const NEEDED: u64 = 1 << 12 | 1 << 38 | 1 << 39;

/// Options of `cargo xtask run`: those of `ftpmon run`, `--help` among them.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Everything that `ftpmon run` takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    options: Vec<String>,
}

/// Builds as whoever calls, and only the agent itself runs as root.
pub(crate) fn run(args: &Args) -> Result<()> {
    let agent = build_agent()?;
    let mut command = if is_root() || may_watch() { Command::new(&agent) } else { as_root(&agent)? };
    // The agent takes this process's place, so that signals and the exit code are its own.
    let error = command.arg("run").args(&args.options).exec();
    Err(error).with_context(|| format!("cannot run {}", agent.display()))
}

/// Whether programs that this process starts may load and attach kernel programs without root.
fn may_watch() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ambient(&status).is_some_and(|set| set & NEEDED == NEEDED)
}

fn ambient(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapAmb:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ambient_capabilities_are_read() {
        assert_eq!(ambient("Name:\tx\nCapAmb:\t000000c000001000\n"), Some(NEEDED));
        assert_eq!(ambient("Name:\tx\n"), None);
    }
}
