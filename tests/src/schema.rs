//! The event schema: what ftpmon writes in any test must be valid against it.

use std::sync::LazyLock;

use anyhow::{Context as _, Result, anyhow};
use jsonschema::Validator;
use serde_json::Value;

static VALIDATOR: LazyLock<Result<Validator, String>> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(include_str!("../../docs/events.schema.json"))
        .map_err(|error| error.to_string())?;
    jsonschema::validator_for(&schema).map_err(|error| error.to_string())
});

/// Fails with the first thing that is wrong with an event.
///
/// # Errors
/// The event is not valid, or the schema is none.
pub fn check(event: &Value) -> Result<()> {
    let validator = VALIDATOR.as_ref().map_err(|error| anyhow!("docs/events.schema.json: {error}"))?;
    validator
        .validate(event)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("not valid against docs/events.schema.json: {event}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check;

    #[test]
    fn an_event_is_valid_and_a_stranger_is_not() {
        let stop = json!({ "ts": "2026-01-01T00:00:00Z", "event": "sensor_stop", "seq": 1, "run": "00000000000000ab", "sensor": "s", "reason": "signal" });
        assert!(check(&stop).is_ok());
        assert!(check(&json!({ "event": "stranger" })).is_err());
    }
}
