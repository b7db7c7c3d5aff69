//! `cargo xtask dist`: the packages, in `target/dist`, each checked by what this machine has.
//!
//! | file | what |
//! |---|---|
//! | `provide` | Debian's programs that this takes |
//! | `binary` | the agent, for this system and static |
//! | `archive` | the archive for any Linux |
//! | `debian` | the Debian package |
//! | `install` | the package installed, run and purged in a root of its own |
//! | `checks` | what the tools of others say about all that |

mod archive;
mod binary;
mod checks;
mod debian;
mod install;
mod provide;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::workspace::root;
use binary::Binary;

/// Options of `cargo xtask dist`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Check the files below deploy/ only, and build nothing.
    #[arg(long)]
    check: bool,
}

/// Makes the packages and checks them.
pub(crate) fn run(args: &Args) -> Result<()> {
    provide::programs()?;
    checks::deploy(&root()?.join("deploy"))?;
    if args.check {
        return Ok(());
    }
    let folder = folder()?;
    let binary = Binary::build()?;
    let documents = binary.documents(&folder)?;
    let for_any = Binary::build_static()?;
    let for_any = for_any.as_ref().unwrap_or(&binary);
    let archive = archive::make(&folder, for_any, &documents)?;
    checks::archive(&archive)?;
    println!("made {}: {}", archive.display(), for_any.kind());
    let package = debian::make(&folder, &binary, &documents)?;
    checks::package(&package)?;
    install::try_out(&package)?;
    println!("made {}: {}", package.display(), binary.kind());
    Ok(())
}

/// The empty folder for packages.
fn folder() -> Result<PathBuf> {
    let folder = ftpmon_tests::machine::target()?.join("dist");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}
