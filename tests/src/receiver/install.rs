//! Brings the receivers onto a Debian or Ubuntu machine. As packages they would start services, and take one another's place.

use std::process::Command;

use anyhow::Result;
use nix::unistd::Uid;

use super::Receiver;
use crate::machine::find;
use crate::party::{apt, unpack_into};
use crate::process::run_ok;

/// Unpacks what is missing, telling each step to `say`. Without root or apt the tests say what is.
///
/// # Errors
/// An installation failed.
pub fn install(mut say: impl FnMut(&str)) -> Result<()> {
    let missing = |receiver: &Receiver| receiver.missing().is_some();
    let unpack: Vec<Receiver> = Receiver::UNPACKED.into_iter().filter(missing).collect();
    if !unpack.is_empty() && Uid::effective().is_root() && find("apt-get").is_some() {
        run_ok(apt().arg("update"))?;
        for receiver in unpack {
            say(&format!("unpacking {} into target/receivers", receiver.packages().join(" ")));
            unpack_into(&receiver.folder()?, receiver.packages())?;
        }
    }
    for receiver in Receiver::OF_PYTHON.into_iter().filter(missing) {
        if find("python3").is_some() {
            say(&format!("pip install {} into target/receivers", receiver.packages().join(" ")));
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]);
            run_ok(pip.arg(receiver.folder()?).args(receiver.packages()))?;
        }
    }
    Ok(())
}
