//! `ftpmon run`: live traffic through the kernel to events.

use crate::cli::RunOptions;

/// Watches until told to stop.
///
/// # Errors
/// Whatever keeps the kernel programs from being attached or the outputs from being opened.
pub fn run(_options: &RunOptions) -> anyhow::Result<()> {
    anyhow::bail!("this build holds no kernel programs; build one that does with `cargo xtask run`")
}
