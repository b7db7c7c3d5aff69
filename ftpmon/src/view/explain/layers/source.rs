//! The frames of a capture, secrets overwritten.

use core::ops::RangeInclusive;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use ftpmon_core::frame::RawFrame;

use super::framed::Framed;
use super::layers;
use super::plain::text;
use super::tls::Records;
use crate::config::{Config, SecretsPolicy};
use crate::dump::Mask;
use crate::view::Language;
use crate::view::explain::capture::{self, Found};
use crate::view::explain::connections::Connections;

/// The frames whose layers are shown.
#[derive(Clone, Copy)]
enum Wanted<'r> {
    Numbers(&'r RangeInclusive<u64>),
    OfSession,
}

/// The look of the text.
pub(crate) struct Look {
    /// Its language.
    pub(crate) language: Language,
    /// Its columns.
    pub(crate) width: usize,
    /// It has colours.
    pub(crate) colour: bool,
}

/// Writes the layers of the frames with these numbers, or of all frames of the session that was found.
///
/// # Errors
/// There are no such frames, or `out` cannot be written to.
pub(crate) fn write(
    path: &Path,
    frames: Option<&RangeInclusive<u64>>,
    found: &Found,
    config: &Config,
    look: &Look,
    mut out: impl Write,
) -> anyhow::Result<()> {
    let wanted = frames.map_or(Wanted::OfSession, Wanted::Numbers);
    let mut ports: BTreeSet<u16> = found.ports.clone();
    ports.extend(&config.ports.control);
    let mut mask =
        (config.secrets.policy != SecretsPolicy::Show).then(|| Mask::new(ports.iter().copied().collect()));
    let mut connections = found.record.as_ref().map(Connections::of);
    let mut records = Records::new();
    let (mut first, mut written, mut failed) = (None, 0_u64, None::<io::Error>);
    // What goes wrong with the capture went wrong when its session was looked for, and is told there.
    let read = capture::for_each_packet(path, |at, number, raw, segment| {
        let first = *first.get_or_insert(at);
        let is_wanted = match wanted {
            Wanted::Numbers(numbers) => numbers.contains(&number),
            Wanted::OfSession => segment.is_some_and(|segment| {
                connections.as_mut().is_some_and(|connections| connections.push(at, number, segment))
            }),
        };
        let covers = |mask: &Mask| segment.is_some_and(|segment| mask.covers(segment));
        let masked = mask.as_mut().filter(|mask| covers(mask)).map(|mask| {
            let mut bytes = raw.bytes.to_vec();
            let is_known = mask.apply(raw.bytes, segment, &mut bytes);
            (is_known, bytes)
        });
        let continued = segment.map_or(0, |segment| records.continued(segment));
        if !is_wanted || failed.is_some() {
            return;
        }
        let (is_known, mut shown) = masked.unwrap_or_else(|| (true, raw.bytes.to_vec()));
        // A dialogue whose secrets cannot be found is read as payload of no dialogue.
        let none = BTreeSet::new();
        let ports = if is_known { &ports } else { &none };
        let layers = {
            let raw_shown = RawFrame { bytes: &shown, ..*raw };
            let frame = Framed { number, at: [at, first], raw: raw_shown, wire: raw.bytes, continued, ports };
            layers(&frame, look.language)
        };
        layers.settle(raw.bytes, &mut shown);
        let text = text(&layers, &shown, look.width, look.colour);
        match out.write_all(text.as_bytes()) {
            Ok(()) => written += 1,
            Err(error) => failed = Some(error),
        }
    });
    if let Some(error) = failed {
        return Err(error.into());
    }
    match (wanted, written) {
        (Wanted::Numbers(numbers), 0) => {
            read.context("it cannot be read to its end")?;
            bail!("there is no frame {}", numbers.start())
        }
        _ => Ok(()),
    }
}
