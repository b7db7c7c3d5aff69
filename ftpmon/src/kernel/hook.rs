//! Where in the kernel to attach.

use clap::ValueEnum;

/// `--hook`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HookChoice {
    /// The cheapest place for each interface
    Auto,
    /// XDP in the network driver
    Native,
    /// XDP in the kernel's receive path, for any interface
    Generic,
    /// TCX (clsact before kernel 6.6)
    Tcx,
}
