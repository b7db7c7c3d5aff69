//! The detectors that a configuration asks for, with its lists and rules.

use std::sync::Arc;

use super::{Config, rules};
use crate::places::PlaceDatabases;
use ftpmon_core::detect::{Detectors, Wanted};
use ftpmon_event::EventType;

impl Config {
    /// The events that the detectors and lists have to see.
    pub(crate) fn wanted(&self) -> Wanted {
        let of_lists = self.detect_lists.iter().flat_map(|file| file.kind.types().iter().copied());
        // Which types rules look for is in their files.
        let of_rules =
            EventType::ALL.into_iter().filter(|kind| kind.is_of_session() && !self.detect_rules.is_empty());
        self.detect.wanted().and_all_of(of_lists.chain(of_rules))
    }

    /// Starts the detectors that are on.
    pub(crate) fn detectors(&self) -> Detectors {
        self.detect.start(&self.detect_allow)
    }

    /// The databases of places; none where none is named.
    ///
    /// # Errors
    /// One that cannot be read.
    pub(crate) fn places(&self) -> Result<Option<Arc<PlaceDatabases>>, String> {
        if self.geo.is_empty() {
            return Ok(None);
        }
        Ok(Some(Arc::new(PlaceDatabases::read(&self.geo)?)))
    }

    /// Starts the detectors that are on, with lists and rules as their files say now.
    ///
    /// # Errors
    /// A list or a file of rules that cannot be read, or is wrong.
    pub(crate) fn all_detectors(&self) -> Result<Detectors, String> {
        let mut detectors = self.detectors();
        for file in &self.detect_lists {
            let list = file.read()?;
            detectors.add(list.types().iter().copied(), list.into_detector());
        }
        for path in &self.detect_rules {
            for rule in rules::read(path)? {
                let types: Vec<_> = rule.types().collect();
                detectors.add(types, rule.into_detector());
            }
        }
        Ok(detectors)
    }
}
