//! The outcomes of transfers that are right by what their client knows.

/// LIST, NLST or MLSD.
pub(super) fn is_listing(line: &str) -> bool {
    line.get(1..4).is_some_and(|rest| matches!(rest, "IST" | "LST" | "LSD"))
}

/// The outcomes that are right for this final reply. `preliminary`: one came before it; `cut`: the client ended the connection, or asked for
/// that; `served`: it knows the connection; `certain`: it saw the end of it.
pub(super) fn outcomes(
    code: Option<u16>,
    preliminary: bool,
    cut: bool,
    served: bool,
    certain: bool,
) -> Vec<&'static str> {
    match code {
        // The client left before it ended, or the server did.
        None | Some(..200) => Vec::new(),
        Some(425 | 426) if !preliminary => vec!["refused", "failed", "aborted"],
        Some(400..) if !preliminary => vec!["refused"],
        Some(200..=299) if certain => vec!["complete"],
        Some(200..=299) if served || cut => vec!["complete", "aborted"],
        Some(200..=299) => vec!["complete", "aborted", "no_data"],
        Some(426) => vec!["aborted"],
        // The server may have had one that the client closed before.
        Some(_) if cut || !served => vec!["failed", "aborted"],
        Some(_) => vec!["failed"],
    }
}
