//! The outputs of routes, opened, started and closed by threads that may.

use std::io;
use std::sync::Arc;

use crate::chain::Route;
use crate::config::RouteConfig;
use crate::notice::notice;
use crate::sandbox::Opener;
use crate::sink::{OutputError, QueuedOutputs, Spool, route_number};
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
        Err(error) => notice(format_args!("cannot start a thread to close outputs: {error}")),
    }
}

/// The outputs of a route, which read the spool where there is one.
pub(super) fn open_outputs(
    route: &RouteConfig,
    spool: Option<&Arc<Spool>>,
) -> Result<QueuedOutputs, OutputError> {
    let Some(spool) = spool else { return QueuedOutputs::open(&route.outputs) };
    let number = route_number(route.format.name(), &route.events);
    QueuedOutputs::open_spooled(&route.outputs, Arc::clone(spool), number)
}
