//! Identifiers that change from run to run become numbers in the order of their appearance.

use std::collections::HashMap;

/// The identifiers of one output so far.
#[derive(Debug)]
pub(super) struct Numbered {
    prefix: &'static str,
    known: HashMap<String, String>,
}

impl Numbered {
    /// Identifiers become `prefix` and a number, from 1.
    pub(super) fn new(prefix: &'static str) -> Self {
        Self { prefix, known: HashMap::new() }
    }

    /// The placeholder of an identifier.
    pub(super) fn name(&mut self, identifier: &str) -> String {
        let next = format!("{}{}", self.prefix, self.known.len() + 1);
        self.known.entry(identifier.to_owned()).or_insert(next).clone()
    }
}
