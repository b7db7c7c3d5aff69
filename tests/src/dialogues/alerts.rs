//! Alerts about dialogues that mean no harm.

use crate::events::Events;

/// Alerts that the dialogues give on purpose: strangers connect to announced ports, PORT names ports of services and third hosts, passwords are
/// wrong, commands are refused, small files are sent and deleted, transfers are aborted and ports left unused in numbers, and eight sessions of
/// one host do all of it at once.
const MEANT: [&str; 11] = [
    "data-port-theft",
    "ftp-bounce",
    "login-guessing",
    "login-spraying",
    "login-guessed",
    "user-enumeration",
    "pasv-exhaustion",
    "data-connection-failures",
    "server-refuses",
    "server-stalls",
    "write-probe",
];

/// Alerts of a session that it gives no reason for.
pub(super) fn unmeant(events: &Events) -> Vec<String> {
    let alerts = events.of("alert").into_iter();
    let odd = alerts.filter(|alert| !MEANT.contains(&alert.text("/alert/id")));
    odd.map(|alert| format!("an alert: {}", alert.0)).collect()
}
