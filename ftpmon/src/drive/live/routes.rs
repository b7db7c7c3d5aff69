//! The outputs of routes, opened, started and closed by threads that may.

use std::io;
use std::sync::Arc;

use tracing::error;

use crate::chain::Route;
use crate::config::{Config, RouteConfig};
use crate::sandbox::Opener;
use crate::sink::{OutputError, QueuedOutputs, Spool};
use ftpmon_core::engine::Secrets;
use ftpmon_event::Event;
use ftpmon_event::time::Timestamp;

/// Starts a route on the opener: threads of outputs may have rights that this thread gave up.
pub(super) fn started(
    mut route: Route<QueuedOutputs>,
    mut start: Event,
    opener: &Opener,
) -> io::Result<Route<QueuedOutputs>> {
    opener.call(move || route.start(&mut start).map(|()| route))?
}

/// The key of the names that the routes of `new` hash. A random one is `kept` for the whole run, so that hashes can be compared.
pub(super) fn name_hashes(kept: &Secrets, new: &Config, opener: &Opener) -> Result<Secrets, String> {
    if matches!(kept, Secrets::Hash(_)) && new.secrets.key_file.is_none() {
        return Ok(kept.clone());
    }
    let config = new.clone();
    let read = opener.call(move || config.name_hashes().map_err(|error| error.to_string()));
    read.map_err(|error| error.to_string())?
}

/// Closes routes that are no longer wanted, on a thread of its own: a slow reader holds up nothing. Waits for it where lines of two
/// routes could mix.
pub(super) fn close(routes: Vec<Route<QueuedOutputs>>, at: Timestamp, wait: bool) {
    if routes.is_empty() {
        return;
    }
    let closing = move || routes.into_iter().for_each(|route| route.close(at));
    match std::thread::Builder::new().name("closing".to_owned()).spawn(closing) {
        Ok(thread) if wait => drop(thread.join()),
        Ok(_) => {}
        Err(error) => error!("cannot start a thread to close outputs: {error}"),
    }
}

/// The outputs of a route, which read the spool where there is one.
pub(super) fn open_outputs(
    route: &RouteConfig,
    spool: Option<&Arc<Spool>>,
) -> Result<QueuedOutputs, OutputError> {
    let Some(spool) = spool else { return QueuedOutputs::open(&route.outputs) };
    QueuedOutputs::open_spooled(&route.outputs, Arc::clone(spool), route.number())
}
