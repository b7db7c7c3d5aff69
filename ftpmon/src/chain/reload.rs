//! Other routes in the place of those that are there, while events come.

use super::{Chain, Route};
use crate::config::{Config, RouteConfig};
use crate::sink::{OutputSpec, Outputs};
use ftpmon_event::time::Timestamp;

/// A route of the new configuration.
pub(crate) enum PreparedRoute<O> {
    /// The one that is there, by its number.
    Kept(usize),
    /// A new one, whose outputs are open.
    New {
        /// The route.
        route: Box<Route<O>>,
        /// It writes to an output that another route has until then.
        takes_over: bool,
    },
}

impl<O: Outputs> Chain<O> {
    /// Opens the outputs of the routes that `new` has and `old`, the configuration in force, has not. Nothing changes yet.
    ///
    /// # Errors
    /// The first outputs that cannot be opened.
    pub(crate) fn prepare_routes<E>(
        &self,
        old: &Config,
        new: &Config,
        mut open: impl FnMut(&RouteConfig) -> Result<O, E>,
    ) -> Result<Vec<PreparedRoute<O>>, E> {
        let (old, mut taken) = (old.routes(), Vec::new());
        let prepare = |config: &RouteConfig| {
            let same = (0..old.len()).find(|at| old.get(*at) == Some(config) && !taken.contains(at));
            if let Some(at) = same {
                taken.push(at);
                return Ok(PreparedRoute::Kept(at));
            }
            let mut route = Route::new(config, &self.origin, &self.names, &mut open)?;
            let before = self.seq_of(&old, config);
            route.continue_from(before.unwrap_or(0));
            Ok(PreparedRoute::New { route: Box::new(route), takes_over: before.is_some() })
        };
        new.routes().iter().map(prepare).collect()
    }

    /// The number after the last one that any output of a new route has from another route.
    fn seq_of(&self, old: &[RouteConfig], new: &RouteConfig) -> Option<u64> {
        let is_new = |output: &OutputSpec| new.outputs.iter().any(|other| other.sink == output.sink);
        let shares = |config: &RouteConfig| config.outputs.iter().any(is_new);
        let before = old.iter().zip(&self.routes).filter(|(config, _)| shares(config));
        before.map(|(_, route)| route.next_seq()).max()
    }

    /// Puts routes in the place of those that are there. `start` starts new ones; `close` closes those that are no longer
    /// wanted, and is to wait for that where a new route writes to an output of theirs.
    ///
    /// # Errors
    /// A new route could not be started, and is left out.
    pub(crate) fn replace_routes<E>(
        &mut self,
        prepared: Vec<PreparedRoute<O>>,
        mut start: impl FnMut(Route<O>) -> Result<Route<O>, E>,
        close: impl FnOnce(Vec<Route<O>>, bool),
    ) -> Result<(), E> {
        self.flush();
        let mut old: Vec<Option<Route<O>>> = self.routes.drain(..).map(Some).collect();
        let keep = |prepared| match prepared {
            PreparedRoute::Kept(at) => Some((old.get_mut(at).and_then(Option::take)?, None)),
            PreparedRoute::New { route, takes_over } => Some((*route, Some(takes_over))),
        };
        let wanted: Vec<_> = prepared.into_iter().filter_map(keep).collect();
        let wait = wanted.iter().any(|(_, takes_over)| *takes_over == Some(true));
        close(old.into_iter().flatten().collect(), wait);
        let mut result = Ok(());
        for (route, takes_over) in wanted {
            match if takes_over.is_some() { start(route) } else { Ok(route) } {
                Ok(route) => self.routes.push(route),
                Err(error) => result = Err(error),
            }
        }
        result
    }
}

impl<O: Outputs> Route<O> {
    /// Writes what waits and closes the outputs of a route that is no longer wanted.
    pub(crate) fn close(self, at: Timestamp) {
        let _ = self.finish(at);
    }
}
