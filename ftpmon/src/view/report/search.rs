//! The table of records that a reader can search, and the script that searches it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use maud::{Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::audit::AuditEntry;
use super::trail::Trail;
use crate::view::layout::shown;

/// Makes rows of the records that have all words of the search. It asks nobody for anything, and makes nodes of texts only, so
/// that no name is read as HTML.
const SCRIPT: &str = "'use strict';
const records = JSON.parse(document.getElementById('records').textContent);
const texts = records.map(r => r.join(' ').toLowerCase());
const search = document.getElementById('search'), body = document.getElementById('rows'), found = document.getElementById('found');
const MOST = 500;
function show() {
  const words = search.value.toLowerCase().split(/\\s+/).filter(w => w);
  const rows = [];
  let count = 0;
  for (let i = records.length - 1; i >= 0; i--) {
    if (!words.every(w => texts[i].includes(w))) continue;
    if (++count > MOST) continue;
    const row = document.createElement('tr');
    for (const field of records[i]) row.appendChild(document.createElement('td')).textContent = field;
    rows.push(row);
  }
  body.replaceChildren(...rows);
  found.textContent = count + ' of ' + records.length + (count > MOST ? ', the latest ' + MOST + ' are shown' : '');
}
search.addEventListener('input', show);
if (location.hash) search.value = decodeURIComponent(location.hash.slice(1));
show();
";

/// The columns, in the order of a record's fields.
const HEADS: [&str; 10] =
    ["time (UTC)", "user", "action", "path", "bytes", "source", "server", "result", "code", "session"];

/// The Content-Security-Policy of a page with the script: it alone runs, and nothing comes from anywhere.
pub(super) fn content_policy() -> String {
    let hash = BASE64_STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    )
}

/// The search, its table and its records.
pub(super) fn table(trail: &Trail) -> Markup {
    html! {
        p { label for="search" { "Search: words that all have to be in a row " } input id="search" type="search" autocomplete="off"; " " span id="found" {} }
        @if (trail.len() as u64) < trail.count {
            p { "The latest " (trail.len()) " of " (trail.count) " records; ftpmon report --audit writes all." }
        }
        noscript { p { "The table needs the script of this page; ftpmon report --audit writes it as CSV." } }
        table.records {
            thead { tr { @for head in HEADS { th scope="col" { (head) } } } }
            tbody id="rows" {}
        }
        script type="application/json" id="records" { (PreEscaped(json(trail.records()))) }
        script { (PreEscaped(SCRIPT)) }
    }
}

/// The records as JSON within HTML: nothing in it ends the element.
fn json<'r>(records: impl Iterator<Item = &'r AuditEntry>) -> String {
    let mut text = String::from("[");
    for record in records {
        let row = record.fields().map(|field| shown(&field));
        let row = serde_json::to_string(&row).unwrap_or_else(|_| "[]".to_owned());
        if text.len() > 1 {
            text.push(',');
        }
        for part in row.split_inclusive(['<', '>', '&']) {
            let plain = part.trim_end_matches(['<', '>', '&']);
            text.push_str(plain);
            match part.get(plain.len()..) {
                Some("<") => text.push_str("\\u003c"),
                Some(">") => text.push_str("\\u003e"),
                Some("&") => text.push_str("\\u0026"),
                _ => {}
            }
        }
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    #[test]
    fn no_name_ends_the_element_that_has_the_records() {
        let event = sample::event(&sample::identity("0000000000000001"), 0, sample::transfer(1));
        let mut record = AuditEntry::of(&event).unwrap();
        record.path = Some("</script><img src=x onerror=alert(1)>\u{202e}&".into());
        let text = json([&record].into_iter());
        assert!(!text.contains(['<', '>', '&', '\u{202e}']), "{text}");
        let rows: Vec<Vec<String>> = serde_json::from_str(&text).unwrap();
        assert_eq!(rows[0][3], "</script><img src=x onerror=alert(1)>\\u{202e}&");
    }

    #[test]
    fn the_script_alone_may_run() {
        assert!(content_policy().contains("script-src 'sha256-"));
        for forbidden in ["fetch", "XMLHttp", "innerHTML", "eval", "import", "http"] {
            assert!(!SCRIPT.contains(forbidden), "{forbidden}");
        }
    }
}
