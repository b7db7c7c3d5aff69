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
//! | `engine` | batches of segments | batches of what the engine gives out; in parts on several threads (`parts`) |
//! | `output` | batches of what the engine gives out | the chain |

mod engine;
mod intake;
mod output;
mod parts;
mod progress;

use crate::config::Config;
use crate::notice::notice;
use crate::telemetry::origin;
use engine::EngineStage;
use ftpmon_core::engine::EngineConfig;
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
    let mut output = OutputStage::start(config, &engine_config, &origin(config)?)?;
    let mut failed = None;
    // Where the output stage has stopped, it says why.
    let _ = files(config, &engine_config, &mut output, &mut failed);
    output.finish()?;
    failed.map_or(Ok(()), Err)
}

fn files(
    config: &Config,
    engine_config: &EngineConfig,
    output: &mut OutputStage,
    failed: &mut Option<anyhow::Error>,
) -> Result<(), Stopped> {
    let captures = &config.read.captures;
    let mut progress = Progress::new(captures.len());
    let mut engine = EngineStage::start(engine_config, config.read.threads());
    let intake = Intake::start(captures.clone(), engine_config.partitions);
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
                    notice(format_args!("{earlier:#}"));
                }
            }
        }
    }
    progress.clear();
    engine.finish(&intake.finish(), if failed.is_none() { "end_of_input" } else { "error" }, output)
}
