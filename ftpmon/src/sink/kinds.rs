//! The kinds of output: a new one is a file beside this and a line here.

use super::destination::Destination;
use super::file::AppendedFile;
use super::output_spec::OutputSettings;
use super::socket::{Socket, Tcp, Unix};
use super::spec::SinkSpec;
use super::stdout::Stdout;

/// The output that `spec` names, not open yet.
pub(super) fn destination(spec: &SinkSpec, settings: &OutputSettings) -> Box<dyn Destination> {
    match spec.clone() {
        SinkSpec::Stdout => Box::new(Stdout::default()),
        SinkSpec::File(path) => Box::new(AppendedFile::new(path, settings.file.clone())),
        SinkSpec::Tcp { host, port } => Box::new(Socket::new(Tcp { host, port })),
        SinkSpec::Unix(path) => Box::new(Socket::new(Unix(path))),
    }
}
