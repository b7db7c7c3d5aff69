//! ftpmon's own events. `seq`, `run` and `sensor` are taken out, and so are the sensor's own events but for what was lost.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::numbered::Numbered;
use crate::schema;

pub(super) fn normalized(output: &str) -> Result<String> {
    let mut out = String::new();
    let mut sessions = Numbered::new("s");
    let (mut last, mut first_run) = (Value::Null, Value::Null);
    for (number, line) in output.lines().enumerate() {
        let mut event: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        schema::check(&event)?;
        let object = event.as_object_mut().context("an event is an object")?;
        let seq = object.remove("seq").and_then(|seq| seq.as_u64());
        ensure!(seq == Some(number as u64), "seq does not count up by one: {line}");
        ensure!(object.remove("sensor").is_some(), "no sensor: {line}");
        let run = object.remove("run").unwrap_or_default();
        ensure!(
            run.is_string() && (number == 0 || run == first_run),
            "not the run of the first event: {line}"
        );
        first_run = run;
        let name = object.get("event").cloned().unwrap_or_default();
        ensure!((name == "sensor_start") == (number == 0), "sensor_start is first and only there: {line}");
        last = name.clone();
        match name.as_str() {
            Some("sensor_start" | "sensor_stop") => continue,
            Some("stats") => {
                let lost = object.get("lost").cloned().unwrap_or_default();
                if lost.as_object().is_some_and(|lost| !lost.is_empty()) {
                    out.push_str(&format!("{}\n", json!({ "event": "stats", "lost": lost })));
                }
                continue;
            }
            _ => {}
        }
        if let Some(Value::String(session)) = object.get_mut("session") {
            *session = sessions.name(session);
        }
        out.push_str(&format!("{event}\n"));
    }
    ensure!(last == "sensor_stop", "the last event is {last}, not sensor_stop");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn a_stream_that_does_not_end_in_order_is_refused() {
        assert!(normalized("").is_err());
        assert!(normalized("no json\n").is_err());
    }
}
