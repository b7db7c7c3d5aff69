//! Transfers as rows of CSV (RFC 4180).

use ftpmon_event::time::Rfc3339;
use ftpmon_event::{Event, EventKind, FileDirection};

use crate::view::layout::shown;

/// The names of the columns.
pub(super) const HEAD: &str = "time,session,client,server,user,verb,direction,path,outcome,code,bytes,offset,duration_us,rate_bps,sha256\r\n";

/// The row of an event, if it is a transfer.
pub(super) fn row(event: &Event) -> Option<String> {
    let EventKind::Transfer(told) = &event.kind else { return None };
    let facts = &told.transfer;
    let session = event.session.as_deref()?;
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let fields = [
        Rfc3339::of(event.ts).as_str().to_owned(),
        session.id().to_owned(),
        session.client.to_string(),
        session.server.to_string(),
        event.user.as_deref().map(|user| user.text.to_string()).unwrap_or_default(),
        facts.verb.as_deref().unwrap_or_default().to_owned(),
        facts.direction.map_or("", FileDirection::name).to_owned(),
        facts.path.as_deref().or(facts.arg.as_deref()).unwrap_or_default().to_owned(),
        facts.outcome.name().to_owned(),
        facts.code.map(|code| code.to_string()).unwrap_or_default(),
        facts.bytes.to_string(),
        facts.offset.to_string(),
        number(told.data.as_ref().and_then(|data| data.duration_us)),
        number(facts.rate_bps),
        told.file.as_ref().and_then(|file| file.sha256.as_deref()).unwrap_or_default().to_owned(),
    ];
    Some(fields.map(|field| quoted(&field)).join(",") + "\r\n")
}

/// A field, quoted where it has to be, and safe to show: control characters are escapes. One that a spreadsheet would take for a formula
/// begins with an apostrophe.
pub(super) fn quoted(field: &str) -> String {
    let field = shown(field);
    let field = match field.chars().next() {
        Some('=' | '+' | '-' | '@') => format!("'{field}"),
        _ => field,
    };
    if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_no_formula_is_left() {
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\\n\"");
        assert_eq!(quoted("\x1b[2J\t"), "\\x1b[2J\\t");
        assert_eq!(quoted("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!((quoted("/pub/a.txt"), quoted("")), ("/pub/a.txt".to_owned(), String::new()));
    }
}
