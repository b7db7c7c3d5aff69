//! `ftpmon read`: capture files to events. No root, no kernel.
//!
//! Time is packet time: timers run by it, and nothing depends on when or how fast a file is read, so that the same file
//! always gives the same events.
//!
//! Stages on threads of their own, with batches between them that go back to where they were made:
//!
//! | file | from | to |
//! |---|---|---|
//! | `intake` | capture files | batches of segments |
//! | `engine` | batches of segments (`batch`) | what the engine gives out, in parts on several threads (`parts`), as lines where that can be (`encoded`) |
//! | `output` | batches of what the engine gives out | the chain |

mod batch;
mod encoded;
mod engine;
mod intake;
mod output;
mod parts;
mod progress;

use std::path::PathBuf;

use tracing::error;

use crate::config::Config;
use crate::telemetry::origin;
use batch::Division;
use encoded::PartEncoder;
use engine::EngineStage;
use ftpmon_event::StopReason;
use intake::{Found, Intake};
use output::{OutputStage, Stopped};
use progress::Progress;

/// Reads all files in their order, one after the other, as one run.
///
/// A file that cannot be read, or not to its end, does not keep the others from being read; what its good part holds is
/// reported first.
///
/// # Errors
/// The last thing that went wrong; the others were reported on standard error. A reader of the output that goes away is no
/// error.
pub fn read(config: &Config) -> anyhow::Result<()> {
    let engine_config = config.read_engine()?;
    let origin = origin(config)?;
    let detectors = config.all_detectors().map_err(anyhow::Error::msg)?;
    let places = config.places().map_err(anyhow::Error::msg)?;
    let mut output = OutputStage::start(config, &engine_config, &origin, (detectors, places.clone()))?;
    let parts = config.read.threads().clamp(1, engine_config.partitions.max(1));
    let wanted = config.wanted();
    let encoder = |_| PartEncoder::new(config, &origin, wanted.clone(), places.clone());
    let encoders = (0..parts).map(encoder).collect();
    let engine = EngineStage::start(&engine_config, encoders);
    let division = Division { partitions: engine_config.partitions, parts };
    let mut failed = None;
    // Where the output stage has stopped, it says why.
    let _ = files(&config.read.captures, division, engine, &mut output, &mut failed);
    output.finish()?;
    failed.map_or(Ok(()), Err)
}

fn files(
    captures: &[PathBuf],
    division: Division,
    mut engine: EngineStage,
    output: &mut OutputStage,
    failed: &mut Option<anyhow::Error>,
) -> Result<(), Stopped> {
    let mut progress = Progress::new(captures.len());
    let intake = Intake::start(captures.to_vec(), division);
    while let Some(found) = intake.next() {
        match found {
            Found::Batch(batch) => {
                let batch = engine.handle_batch(batch, output)?;
                if let Some(position) = &batch.position {
                    progress.update(captures.get(position.file), position);
                }
                intake.give_back(batch);
            }
            Found::Failed(error) => {
                engine.flush(output)?;
                progress.clear();
                if let Some(earlier) = failed.replace(error) {
                    error!("{earlier:#}");
                }
            }
        }
    }
    progress.clear();
    engine.finish(
        &intake.finish(),
        if failed.is_none() { StopReason::EndOfInput } else { StopReason::Error },
        output,
    )
}
