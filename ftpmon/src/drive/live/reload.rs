//! SIGHUP: the configuration is read again, and all of it takes effect or none.
//!
//! What can fail (the files, the key of hashed secrets, new outputs) comes first; what changes the running agent cannot fail.

use std::sync::Arc;

use tracing::{debug, info, warn};

use super::attacher::Attacher;
use super::engine::LiveEngine;
use crate::config::{Change, Config};
use crate::diagnostics;
use crate::places::PlaceDatabases;
use crate::sandbox::Opener;
use ftpmon_core::detect::Detectors;
use ftpmon_core::engine::EngineConfig;
use ftpmon_event::{ConfigChange, ConfigDetail, ConfigOutcome};

/// Reads the configuration again; the error has the reason.
pub type Reread = fn() -> Result<Config, String>;

/// All that a configuration has files of: detectors with lists and rules, and places.
type Known = (Detectors, Option<Arc<PlaceDatabases>>);

/// The outcome of reading the configuration again.
struct Attempt {
    changes: Vec<Change>,
    result: Result<(), String>,
}

/// Reads the configuration again and replaces `config`, or leaves all as it is. Reports the result, as an event
/// and on standard error.
pub(super) async fn reload(
    config: &mut Config,
    (reread, opener): (Reread, &Opener),
    engine: &mut LiveEngine,
    attacher: &mut Attacher,
) {
    debug!("reading the configuration again");
    let before = config.log.level;
    let attempt = attempt(config, reread, opener, engine);
    if config.log.level != before {
        diagnostics::set_level(config.log.level);
        attacher.set_level(config.log.level).await;
    }
    let outcome = if attempt.result.is_ok() { ConfigOutcome::Applied } else { ConfigOutcome::Refused };
    match (&attempt.result, attempt.changes.len()) {
        (Err(reason), _) => warn!("the configuration is unchanged: {reason}"),
        (Ok(()), 0) => info!("the configuration is unchanged"),
        (Ok(()), count) => info!("{count} settings changed"),
    }
    attempt.changes.iter().for_each(|change| debug!("{} differs", change.name));
    let changes = attempt.changes.iter().map(change).collect();
    let detail = ConfigDetail { outcome, changes, reason: attempt.result.err() };
    engine.finish_reload(detail, attacher.facts(), opener);
}

fn attempt(config: &mut Config, reread: Reread, opener: &Opener, engine: &mut LiveEngine) -> Attempt {
    let read = move || {
        let config = reread()?;
        let engine = config.live_engine().map_err(|error| error.to_string())?;
        let detectors = config.all_detectors()?;
        let places = config.places()?;
        Ok((config, engine, (detectors, places)))
    };
    let read = opener.call(read).unwrap_or_else(|error| Err(error.to_string()));
    let (new, engine_config, detectors) = match read {
        Ok(new) => new,
        Err(reason) => return Attempt { changes: Vec::new(), result: Err(reason) },
    };
    let changes = config.diff(&new);
    let result = apply(config, (&new, engine_config, detectors), &changes, opener, engine);
    if result.is_ok() {
        *config = new;
    }
    Attempt { changes, result }
}

fn apply(
    config: &Config,
    (new, mut engine_config, (detectors, places)): (&Config, EngineConfig, Known),
    changes: &[Change],
    opener: &Opener,
    engine: &mut LiveEngine,
) -> Result<(), String> {
    if let Some(change) = changes.iter().find(|change| !change.without_restart) {
        return Err(format!("{} cannot change while the agent runs; restart it", change.name));
    }
    // The capture file masks what the engine masks, by the settings that it was begun with.
    let masks = |change: &&Change| change.name.starts_with("ports.") || change.name.starts_with("secrets.");
    if let Some(change) = changes.iter().find(masks).filter(|_| config.live.write_pcap.is_some()) {
        return Err(format!(
            "with --write-pcap {} cannot change while the agent runs; restart it",
            change.name
        ));
    }
    if config.secrets == new.secrets && new.secrets.key_file.is_none() {
        // A random key is kept for the whole run, so that hashes can be compared.
        engine_config.secrets = engine.secrets().clone();
    }
    let networks = engine.prepare_networks(&engine_config)?;
    let routes = engine.prepare_routes(config, new, opener)?;
    // Lists and rules are read again even if only their files changed.
    let same = config.detect == new.detect
        && config.detect_allow == new.detect_allow
        && [config, new].iter().all(|it| it.detect_lists.is_empty() && it.detect_rules.is_empty());
    let detectors = (!same).then_some(detectors);
    engine.apply(new, engine_config, (detectors, places), (routes, networks))
}

fn change(change: &Change) -> ConfigChange {
    ConfigChange { name: change.name.clone(), old: change.old.to_string(), new: change.new.to_string() }
}
