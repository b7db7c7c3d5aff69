//! Outputs that drop nothing: the caller waits for a slow reader.

use std::io;

use super::destination::Destination;
use super::kinds::destination;
use super::output_spec::OutputSpec;
use super::outputs::{Lines, Outputs};
use super::spec::SinkSpec;
use crate::telemetry::{Sampled, Snapshot};

/// An output that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to {}: {error}", name(.spec))]
pub struct DirectOutputError {
    /// The output.
    pub spec: SinkSpec,
    /// The error.
    pub error: io::Error,
}

fn name(spec: &SinkSpec) -> String {
    match spec {
        SinkSpec::Stdout => "standard output".to_owned(),
        spec => spec.to_string(),
    }
}

/// Open outputs that take every event, for capture files.
pub struct DirectOutputs {
    outputs: Vec<(SinkSpec, Box<dyn Destination>)>,
    failed: Option<DirectOutputError>,
}

impl DirectOutputs {
    /// Opens each of `specs`.
    ///
    /// # Errors
    /// The first output that cannot be opened.
    pub fn open(specs: &[OutputSpec]) -> Result<Self, DirectOutputError> {
        let open = |OutputSpec { sink: spec, settings }: &OutputSpec| {
            let opened = destination(spec, settings).and_then(|mut output| output.open().map(|()| output));
            match opened {
                Ok(output) => Ok((spec.clone(), output)),
                Err(error) => Err(DirectOutputError { spec: spec.clone(), error }),
            }
        };
        Ok(Self { outputs: specs.iter().map(open).collect::<Result<_, _>>()?, failed: None })
    }

    /// An output failed.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Nothing more can be written: an output failed, or no output has a reader.
    pub fn is_over(&self) -> bool {
        self.failed.is_some() || self.outputs.is_empty()
    }

    fn write_all(&mut self, lines: &[u8]) {
        let failed = &mut self.failed;
        self.outputs.retain_mut(|(spec, output)| match write_all(&mut **output, lines) {
            Ok(()) => true,
            // With `| head`, the rest is not wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => false,
            Err(error) => {
                failed.get_or_insert(DirectOutputError { spec: spec.clone(), error });
                false
            }
        });
    }
}

fn write_all(output: &mut dyn Destination, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                if let Some(rejection) = output.take_rejections().into_iter().next() {
                    return Err(io::Error::other(rejection.reason));
                }
                bytes = bytes.get(written..).unwrap_or_default();
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Sampled for DirectOutputs {
    /// They lose nothing.
    fn sample(&self, _into: &mut Snapshot) {}
}

impl Outputs for DirectOutputs {
    const BLOCK_BYTES: usize = 256 << 10;
    const BY_EVENT: bool = false;
    type Error = DirectOutputError;

    fn start(&mut self, opening: &[u8], _seq: u64) -> io::Result<()> {
        self.write_all(opening);
        Ok(())
    }

    fn set_opening(&mut self, _opening: &[u8]) {}

    fn write(&mut self, lines: &mut Lines) {
        self.write_all(&lines.bytes);
        lines.bytes.clear();
    }

    fn finish(self) -> Result<(), DirectOutputError> {
        self.failed.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_output_gets_every_line_and_a_full_one_is_an_error() {
        let path = std::env::temp_dir().join(format!("ftpmon-direct-{}", std::process::id()));
        let mut outputs = DirectOutputs::open(&[OutputSpec::new(SinkSpec::File(path.clone()))]).unwrap();
        outputs.start(b"start\n", 0).unwrap();
        let mut lines = Lines { bytes: b"line\n".repeat(100_000), ..Lines::default() };
        outputs.write(&mut lines);
        assert!(lines.bytes.is_empty() && !outputs.is_over());
        outputs.finish().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 6 + 500_000);
        std::fs::remove_file(path).unwrap();

        let mut full = DirectOutputs::open(&[OutputSpec::new(SinkSpec::File("/dev/full".into()))]).unwrap();
        full.write(&mut Lines { bytes: b"line\n".to_vec(), ..Lines::default() });
        assert!(full.is_over());
        let error = full.finish().unwrap_err();
        assert_eq!(error.error.kind(), io::ErrorKind::StorageFull);
    }
}
