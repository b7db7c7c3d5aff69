//! Fewer steps with the same kind of difference.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::played::Played;
use super::stage::Stage;
use super::step::Step;

/// A session that differs, with as few steps as were found to do.
#[derive(Debug)]
pub struct Shrunk {
    /// The steps.
    pub steps: Vec<Step>,
    /// That which came of them.
    pub played: Played,
}

/// Plays the steps of a session alone, and leaves out more and more of them as long as a difference remains: halves, quarters,
/// at last single steps. None where the session alone shows no difference.
///
/// # Errors
/// The server cannot be reached any more.
pub fn shrink(stage: &mut Stage, steps: &[Step], limit: Duration) -> Result<Option<Shrunk>> {
    let deadline = Instant::now() + limit;
    let Some(played) = differs(stage, steps)? else { return Ok(None) };
    let mut least = Shrunk { steps: steps.to_vec(), played };
    let mut chunk = least.steps.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        while at < least.steps.len() && Instant::now() < deadline {
            let end = (at + chunk).min(least.steps.len());
            let mut fewer = least.steps.clone();
            fewer.drain(at..end);
            match differs(stage, &fewer)? {
                Some(played) => least = Shrunk { steps: fewer, played },
                None => at = end,
            }
        }
        chunk /= 2;
    }
    Ok(Some(least))
}

fn differs(stage: &mut Stage, steps: &[Step]) -> Result<Option<Played>> {
    let played = stage.run(&[steps.to_vec()])?;
    Ok(played.into_iter().next().filter(|played| !played.differences.is_empty()))
}
