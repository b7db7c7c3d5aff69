//! The lines above a table.

use super::listing::Summary;
use super::state::State;
use crate::view::units::{open_sessions, second, size};

/// The time of what is shown.
pub(super) fn title(state: &State) -> String {
    if state.events == 0 && state.table.len() == 0 {
        return "ftpmon top  no events yet".to_owned();
    }
    format!("ftpmon top  {} UTC", second(state.table.now))
}

/// Sessions by state, and totals.
pub(super) fn totals(summary: &Summary, state: &State) -> [String; 2] {
    let states: Vec<String> =
        summary.states.iter().map(|(state, count)| format!("{count} {}", state.name())).collect();
    let states = if states.is_empty() { String::new() } else { format!(": {}", states.join(", ")) };
    let sessions = format!("{}{states}; {} ended", open_sessions(state.table.len()), state.table.ended);
    let bytes = state.bytes;
    let seldom = |count: u64, what: &str| (count > 0).then(|| format!("{what} {count}"));
    let mut parts = vec![format!("running {}", summary.running)];
    parts.extend(seldom(summary.stalled, "stalled"));
    parts.extend(seldom(summary.idle, "idle"));
    parts.extend([
        format!("transfers {}", bytes.count),
        format!("failed {}", bytes.failed),
        format!("up {}", size(bytes.bytes_up)),
        format!("down {}", size(bytes.bytes_down)),
        format!("refused {}", state.refused.count),
        format!("alerts {}", state.alerts.count),
    ]);
    parts.extend(seldom(state.lost, "events lost"));
    parts.extend(seldom(state.table.left_out, "left out"));
    [sessions, parts.join("  ")]
}
