//! ftpmon's build, run and test commands.
fn main() {}
