//! The first process of a machine that tries the kernel programs on its kernel: see [`ftpmon_tests::kernel::guest`].

use anyhow::{Result, ensure};
use nix::sys::reboot::{RebootMode, reboot};

fn main() -> Result<()> {
    ensure!(std::process::id() == 1, "this is the first process of a machine that boots for it");
    ftpmon_tests::kernel::guest::run();
    match reboot(RebootMode::RB_POWER_OFF)? {}
}
